"""The exemplar prior against its dense twin: time and difference at every noise level, one process, interleaved.

Views of 128 x 128 pixels: pieces of the exemplar (clean) and two of them on top of each other (mix, as ambiguous as a
picture in the making can be). The twin computes one view and is scaled, since its cost is the same for each.
``bench_exemplar.py [PICTURE]`` takes another shipped picture than the stone wall.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "tests"))

SIGMAS = (14.6, 8.0, 4.0, 2.0, 1.0, 0.5, 0.25, 0.12, 0.06, 0.03)


def run(name: str = "stone_wall") -> dict[str, float | str | list[float]]:
    from oracles.exemplar_twin import DenseTwin
    from PIL import Image
    from syncpack.sync_core.exemplar.prior import ExemplarConfig, ExemplarPrior
    from torchvision.transforms.functional import pil_to_tensor

    with Image.open(HERE.parent / "assets" / f"{name}.png") as picture:
        image = pil_to_tensor(picture.convert("RGB")).float() / 127.5 - 1
    prior = ExemplarPrior.from_images([image], ExemplarConfig(periodic=True))
    twin = DenseTwin(prior, [image])
    tiled = image.repeat(1, 2, 2)
    clean = torch.stack([tiled[:, 16 * i : 16 * i + 128, 8 * i : 8 * i + 128] for i in range(4)])
    mix = 0.5 * (clean + clean.roll((5, 3), (2, 3)))
    generator = torch.Generator().manual_seed(3)
    figures: dict[str, float | str | list[float]] = {}
    dense_total = fast_total = worst = 0.0
    least = float("inf")
    for sigma in SIGMAS:
        for kind, views in (("clean", clean), ("mix", mix)):
            x = views + sigma * torch.randn(views.shape, generator=generator)
            began = time.perf_counter()
            fast = prior.denoise(x, sigma)
            fast_seconds = time.perf_counter() - began
            began = time.perf_counter()
            dense = twin.denoise(x[:1], sigma, rows=1024)
            dense_seconds = (time.perf_counter() - began) * len(x)
            rms = float((fast[:1] - dense).square().mean().sqrt())
            figures[f"sigma {sigma:g} {kind}: dense s, fast s, ratio, rms"] = [
                dense_seconds,
                fast_seconds,
                dense_seconds / fast_seconds,
                rms,
            ]
            least = min(least, dense_seconds / fast_seconds)
            dense_total, fast_total, worst = dense_total + dense_seconds, fast_total + fast_seconds, max(worst, rms)
    figures["dense / fast over all"] = dense_total / fast_total
    figures["largest rms"] = worst
    figures["least ratio of one line"] = least
    return figures


def main() -> None:
    import run_all

    run_all.name_pack()
    print(run_all.table({"bench_exemplar": {"seconds": 0.0, "figures": run(*sys.argv[1:2])}}))


if __name__ == "__main__":
    main()
