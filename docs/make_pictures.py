"""Make the pictures of the README: ``.venv/bin/python docs/make_pictures.py`` (about ten minutes on two cores).

cases.jpg: the five named cases from the same seed, with shared (polar) and with independent starting noise.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
CASES = {
    1: "noise",
    2: "clean estimate (SyncTweedies)",
    3: "noisy image",
    4: "canonical noise",
    5: "canonical estimate",
}


def start() -> None:
    """The pack as ``syncpack``, and a host in this process."""
    alias = types.ModuleType("syncpack")
    alias.__path__ = [str(ROOT)]
    sys.modules["syncpack"] = alias
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from unets import start_host

    start_host()


def sample(picture: str, width: int, height: int, seed: int, **plan: Any) -> Image.Image:
    """A wide picture from a shipped exemplar, 64-pixel windows every 32, 20 Euler steps."""
    from syncpack.nodes.exemplar_nodes import ExemplarModel, SyncTweediesExemplarPicture
    from syncpack.nodes.plan_inputs import PLAN_INPUTS
    from syncpack.nodes.sampling_nodes import SyncTweediesSampler
    from syncpack.renderers.plane import Plane, Windows

    image, name = SyncTweediesExemplarPicture().load(picture)
    model, clip, vae = ExemplarModel().build(image, name, True)
    words = clip.encode_from_tokens_scheduled(clip.tokenize(name))
    given = {**{key: spec[1]["default"] for key, spec in PLAN_INPUTS.items()}, **plan}
    with torch.inference_mode():
        _, whole = SyncTweediesSampler().sample(
            model,
            Plane(width, height),
            Windows(64, 64, 32, 32),
            words,
            words,
            seed,
            20,
            1.0,
            "euler",
            "karras",
            1.0,
            **given,
        )
    pixels = (vae.decode(whole["samples"])[0] * 255).round().byte().numpy()
    return Image.fromarray(np.ascontiguousarray(pixels))


def contact_sheet(width: int = 320, height: int = 64) -> Image.Image:
    """Rows: cases 1 to 5. Columns: shared and independent starting noise."""
    from syncpack.nodes.plan_inputs import PROCESS_LABELS

    labels = {int(label.split()[0]): label for label in PROCESS_LABELS}
    scale, gap, head = 2, 12, 26
    cell_w, cell_h = width * scale, height * scale + head
    sheet = Image.new("RGB", (2 * cell_w + 3 * gap, 5 * cell_h + 6 * gap), (24, 24, 26))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=15)
    for row, (case, what) in enumerate(CASES.items()):
        for column, noise in enumerate(("polar", "independent")):
            x, y = gap + column * (cell_w + gap), gap + row * (cell_h + gap)
            picture = sample("stone_wall", width, height, 7, process=labels[case], noise=noise)
            shown = picture.resize((cell_w, height * scale), Image.Resampling.LANCZOS)
            shared = "shared noise" if noise == "polar" else "independent noise"
            draw.text((x, y), f"case {case}: {what}, {shared}", fill=(225, 225, 220), font=font)
            sheet.paste(shown, (x, y + head))
    return sheet


if __name__ == "__main__":
    start()
    contact_sheet().save(DOCS / "cases.jpg", quality=88)
