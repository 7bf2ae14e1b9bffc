"""A panorama's own costs: maps, a sync step beside the model, and joining views, on this machine.

Claims: round trip of a smooth sphere within 0.01, no worse at the seam and the poles; a sync step of 26 views of 64x64
x4 at most 1 % of 26 SD1.5-sized UNet calls. Joining is compared with one pass over the bytes that it must touch: the
views read once, the picture and its weight written once.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent))

ROWS, COLUMNS, SIDE = 1024, 2048, 512


def smooth(directions: Tensor) -> Tensor:
    """A smooth picture on the sphere: [..., 3] -> [..., 3] in [0, 1]."""
    x, y, z = (directions / directions.norm(dim=-1, keepdim=True)).float().unbind(-1)
    return torch.stack(
        [0.5 + 0.3 * x * y + 0.2 * z, 0.5 + 0.4 * torch.sin(3 * x + 2 * y), 0.5 + 0.3 * torch.cos(4 * z - x)], -1
    )


def run() -> dict[str, float | str | list[float]]:
    from bench_sync import median_seconds
    from syncpack.renderers.cameras.lookouts import ring
    from syncpack.renderers.cameras.looks import Look
    from syncpack.renderers.panorama.equirect import views_of_equirect
    from syncpack.renderers.panorama.fill import fill_equirect
    from syncpack.renderers.panorama.space import Lookout, Panorama, equirect_directions, panorama_views
    from syncpack.renderers.panorama.stitch import stitch_looks
    from syncpack.renderers.scene import Scene
    from syncpack.sync_core.aggregate import Aggregator
    from unets import prompt, random_unet

    looks = (*ring(45, 90, (0.0, 45.0, -45.0)), Look.degrees(0, 90, 90), Look.degrees(0, -90, 90))
    rig = Lookout(looks, SIDE, SIDE, "nearest")
    figures: dict[str, float | str | list[float]] = {"views": len(looks)}
    picture = smooth(equirect_directions(ROWS, COLUMNS))
    with torch.inference_mode():
        images = views_of_equirect(picture[None], rig)
        # Joining.
        for name, detail in (("average", 0.0), ("two bands", 4.0)):
            joined = stitch_looks(looks, images, ROWS, COLUMNS, detail)
            error = (joined.picture - picture).abs().amax(-1)
            figures[f"round trip, {name}: max error"] = float(error.max())
            figures[f"round trip, {name}: max error at the seam column"] = float(error[:, [0, -1]].max())
            figures[f"round trip, {name}: max error at the poles (8 rows)"] = float(
                error[[*range(8), *range(-8, 0)]].max()
            )
        source, target = images.clone(), torch.empty(ROWS, COLUMNS, 4)
        one_pass = median_seconds(lambda: (source.sum(), target.fill_(0.5)), 5)
        average = median_seconds(lambda: stitch_looks(looks, images, ROWS, COLUMNS), 2)
        bands = median_seconds(lambda: stitch_looks(looks, images, ROWS, COLUMNS, 4.0), 2)
        figures["one pass over the bytes, seconds"] = one_pass
        figures["views -> 1024 x 2048, average, seconds"] = average
        figures["views -> 1024 x 2048, two bands, seconds"] = bands
        figures["average / one pass"] = average / one_pass
        looked = median_seconds(lambda: views_of_equirect(picture[None], rig), 2)
        figures["1024 x 2048 -> views, seconds"] = looked
        seen = torch.ones(ROWS, COLUMNS, dtype=torch.bool)
        seen[: ROWS // 4] = seen[-ROWS // 4 :] = False
        for how in ("smooth", "nearest"):
            began = time.perf_counter()
            fill_equirect(picture, seen, how)
            figures[f"fill half of 1024 x 2048 ({how}), seconds"] = time.perf_counter() - began
        # Maps.
        began = time.perf_counter()
        fine = panorama_views(rig, SIDE, SIDE, (ROWS, COLUMNS))
        figures["build maps, 26 views of 512 of 1024 x 2048, seconds"] = time.perf_counter() - began
        del fine
        scene = Scene(Panorama(COLUMNS, ROWS), rig)
        began = time.perf_counter()
        views = scene.views(8)
        mean = Aggregator(views)
        _ = mean.mean
        figures["build maps, 26 views of 64 cells, seconds once"] = time.perf_counter() - began
        # A step.
        model = random_unet("sd15").model
        context = prompt("sd15", 1)[0][0]
        view, sigma = torch.randn(1, 4, 64, 64), torch.tensor([5.0])
        call = median_seconds(lambda: model.apply_model(view, sigma, c_crossattn=context), 3)
        batch = torch.randn(views.count, 4, 64, 64)
        sync = median_seconds(lambda: views.project(mean(batch)), 20)
    figures["UNet call per view, seconds"] = call
    figures["sync of all views, seconds"] = sync
    figures["sync / (UNet call x views), %"] = 100 * sync / (call * views.count)
    return figures


def main() -> None:
    from run_all import table

    print(table({"bench_panorama": {"seconds": 0.0, "figures": run()}}))


if __name__ == "__main__":
    main()
