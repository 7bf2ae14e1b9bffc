"""What synchronisation costs beside the model: 512 x 3072 in windows of 512 every 64 pixels (41 views), one SD1.5-sized
UNet call per view with random weights, on this machine. Claim: at most 1 %."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))


def median_seconds(call: Callable[[], Any], repeats: int) -> float:
    call()
    times: list[float] = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def run() -> dict[str, float | str | list[float]]:
    from syncpack.renderers.plane.space import Plane, Windows
    from syncpack.renderers.scene import Scene
    from syncpack.sync_core.aggregate import Aggregator
    from unets import prompt, random_unet

    model = random_unet("sd15").model
    context = prompt("sd15", 1)[0][0]
    view, sigma = torch.randn(1, 4, 64, 64), torch.tensor([5.0])
    figures: dict[str, float | str | list[float]] = {}
    with torch.inference_mode():
        call = median_seconds(lambda: model.apply_model(view, sigma, c_crossattn=context), 3)
        scene = Scene(Plane(3072, 512), Windows(512, 512, 64, 64))
        began = time.perf_counter()
        views = scene.views(8)
        mean = Aggregator(views)
        _ = mean.mean
        figures["build maps, seconds once"] = time.perf_counter() - began
        batch = torch.randn(views.count, 4, 64, 64)
        sync = median_seconds(lambda: views.project(mean(batch)), 20)
        squares = Aggregator(views, "least_squares")
        least = median_seconds(lambda: views.project(squares(batch)), 5)
    figures["views"] = views.count
    figures["UNet call per view, seconds"] = call
    figures["sync of all views, seconds"] = sync
    figures["sync / (UNet call x views), %"] = 100 * sync / (call * views.count)
    figures["sync / one UNet call, %"] = 100 * sync / call
    figures["least squares / (UNet call x views), %"] = 100 * least / (call * views.count)
    return figures


def main() -> None:
    from run_all import table

    print(table({"bench_sync": {"seconds": 0.0, "figures": run()}}))


if __name__ == "__main__":
    main()
