"""Make the pictures of the README: ``.venv/bin/python docs/make_pictures.py`` (about ten minutes on two cores).

cases.jpg: the five named cases from the same seed, with shared (polar) and with independent starting noise.
steering.jpg: views with and without SyncCoherence; a stone wall made a meadow in five ways.
illusion_cases.jpg: the five cases for 1-to-1, 1-to-n and n-to-1 warps, as in Figure 3 of the SyncTweedies paper.
Names behind the command choose: ``... docs/make_pictures.py illusion_cases``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from the_pack import on_a_host

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
CASES = {
    1: "noise",
    2: "clean estimate (SyncTweedies)",
    3: "noisy image",
    4: "canonical noise",
    5: "canonical estimate",
}


def sample(picture: str, width: int, height: int, seed: int, **plan: Any) -> Image.Image:
    """A wide picture from a shipped exemplar, 64-pixel windows every 32, 20 Euler steps."""
    from syncpack.nodes.declare import defaults
    from syncpack.nodes.models.exemplar_nodes import ExemplarModel, SyncTweediesExemplarPicture
    from syncpack.nodes.sampling.plan import PLAN_INPUTS
    from syncpack.nodes.sampling.sampler import SyncTweediesSampler
    from syncpack.renderers.plane.space import Plane, Windows

    image, name = SyncTweediesExemplarPicture().load(picture)
    model, clip, vae = ExemplarModel().build(image, name, True)
    words = clip.encode_from_tokens_scheduled(clip.tokenize(name))
    given = {**defaults(PLAN_INPUTS), **plan}
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
    from syncpack.nodes.sampling.plan import PROCESS_LABELS

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


ILLUSIONS = (
    ("1-to-1: quarter turn", ("IllusionRig", "rotate_90", {}), 1),
    ("1-to-n: disc by 45 degrees", ("IllusionHinge", "inner_rotate", {"angle": 45.0}), 1),
    ("n-to-1: mean of ten planes", ("IllusionRig", "rotate_90", {}), 10),
)
"""What stands above, the node of the second reading with its warp and values, and the planes."""


def readings(model: tuple[Any, Any, Any], second: tuple[str, str, dict[str, Any]], planes: int, process: str) -> Any:
    """Both readings [2, 64, 64, 3] of one picture: bark upright, a stone wall through the warp; 20 Euler steps."""
    from syncpack.nodes import NODE_CLASS_MAPPINGS as NODES
    from syncpack.nodes.declare import defaults
    from syncpack.nodes.illusions.pictures import readings_of
    from syncpack.nodes.sampling.plan import PLAN_INPUTS
    from syncpack.renderers.illusions.space import Illusion
    from syncpack.renderers.scene import Scene

    node, warp, values = second
    rig = NODES["IllusionRig"]().build("identity", "bark")[0]
    rig = NODES[node]().build(warp=warp, prompt="stone wall", rig=rig, **values)[0]
    space = Illusion(64, 64, planes)
    given = defaults(PLAN_INPUTS) | {"process": process}
    positive, negative, _ = NODES["IllusionPrompts"]().build(model[1], rig, "")
    with torch.inference_mode():
        _, whole = NODES["SyncTweediesSampler"]().sample(
            model[0], space, rig, positive, negative, 5, 20, 1.0, "euler", "karras", 1.0, **given
        )
    return readings_of(Scene(space, rig), model[2].decode(whole["samples"])).shown


def illusion_sheet(side: int = 64, scale: int = 2) -> Image.Image:
    """Rows: cases 1 to 5. Columns: the three kinds of warps, both readings of each."""
    from syncpack.nodes.models.exemplar_nodes import ExemplarModel, SyncTweediesExemplarPicture
    from syncpack.nodes.sampling.plan import PROCESS_LABELS

    labels = {int(label.split()[0]): label for label in PROCESS_LABELS if label[0].isdigit()}
    first, second = (SyncTweediesExemplarPicture().load(name)[0] for name in ("bark", "stone_wall"))
    model = ExemplarModel().build(first, "bark, stone wall", True, second)
    shown, gap, head = side * scale, 12, 24
    cell_w, cell_h = 2 * shown + 4, shown + head
    sheet = Image.new("RGB", (3 * cell_w + 4 * gap, 5 * cell_h + 6 * gap + head), (24, 24, 26))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=14)
    for column, (title, warp, planes) in enumerate(ILLUSIONS):
        x = gap + column * (cell_w + gap)
        draw.text((x, gap), title, fill=(240, 210, 150), font=font)
        for row, (case, what) in enumerate(CASES.items()):
            y = gap + head + row * (cell_h + gap)
            draw.text((x, y), f"case {case}: {what}", fill=(225, 225, 220), font=font)
            for number, picture in enumerate(readings(model, warp, planes, labels[case])):
                pixels = np.ascontiguousarray((picture * 255).round().byte().numpy())
                large = Image.fromarray(pixels).resize((shown, shown), Image.Resampling.LANCZOS)
                sheet.paste(large, (x + number * (shown + 4), y + head))
    return sheet


def coherent() -> Iterator[tuple[str, torch.Tensor]]:
    """(What it is, [3, H, W] in -1..1): a model of three materials without a prompt, with and without SyncCoherence."""
    from helpers.materials import Materials, sphere, wide
    from syncpack.nodes.engine.coherence import Coherence
    from syncpack.sync_core.steering.pull import Pull

    materials = Materials(192)

    def both(where: Any, seed: int) -> list[torch.Tensor]:
        each = (None, Coherence(Pull()))
        return [materials.sampled(*where(), seed, coherence=coherence, steps=20)[1] for coherence in each]

    for seed in (0, 1):
        free, pulled = both(wide, seed)
        yield "a wide canvas: no prompt, three materials", free
        yield "a wide canvas: the same seed, SyncCoherence", pulled
    yield "a sphere: without, and with SyncCoherence", torch.cat(both(sphere, 0), -1)


EDITS = {
    "SDEdit .4": "plain denoising, denoise 0.4",
    "SDEdit .7": "plain denoising, denoise 0.7",
    "SDEdit .7 with a lock": "denoise 0.7 with StructureLock",
    "SyncEdit .7, finish .3": "SyncEdit, walk falling (FlowEdit), denoise 0.7",
    "SyncEdit random, 60 x 4 (CSD-Edit)": "SyncEdit, walk random (CSD-Edit), 60 iterations",
}


def edited() -> Iterator[tuple[str, torch.Tensor]]:
    """The same of a stone wall, and of what words make of it in five ways."""
    from bench_edit import Meadow, ways

    meadow = Meadow()
    yield "a stone wall, to become a meadow", meadow.source[0]
    for name, what in EDITS.items():
        yield what, meadow.edited(ways()[name])[0]


def steering_sheet() -> Image.Image:
    """Left: views drawn to one scene, or not. Right: ways to change a picture by words."""
    sys.path.insert(0, str(ROOT / "tests"))
    scale, gap, head = 2, 12, 24
    columns = [list(coherent()), list(edited())]
    widths = [scale * max(picture.shape[2] for _, picture in column) for column in columns]
    total = max(sum(picture.shape[1] * scale + head + gap for _, picture in column) for column in columns) + gap
    sheet = Image.new("RGB", (sum(widths) + 3 * gap, total), (24, 24, 26))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=15)
    for number, column in enumerate(columns):
        x, y = gap + number * (widths[0] + gap), gap
        for what, picture in column:
            pixels = ((picture / 2 + 0.5).clamp(0, 1) * 255).round().byte().movedim(0, -1).contiguous().numpy()
            shown = Image.fromarray(pixels)
            shown = shown.resize((shown.width * scale, shown.height * scale), Image.Resampling.LANCZOS)
            draw.text((x, y), what, fill=(225, 225, 220), font=font)
            sheet.paste(shown, (x, y + head))
            y += shown.height + head + gap
    return sheet


SHEETS = {"cases": contact_sheet, "illusion_cases": illusion_sheet, "steering": steering_sheet}

if __name__ == "__main__":
    on_a_host()
    for name in sys.argv[1:] or SHEETS:
        SHEETS[name]().save(DOCS / f"{name}.jpg", quality=88)
