"""Averages of large pictures: seconds and memory of one synchronisation, without any model. Every size in a process of
its own. What is measured beyond the views themselves (in and out) is what averaging takes.

Canvas: windows of 512 every 256. Panorama: the 17 views of a sphere, a quarter of it wide. 3 channels, one thread.
"""

from __future__ import annotations

import subprocess
import sys
import time
import types
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

CANVASES = (1024, 2048, 4096)
PANORAMAS = (1024, 2048, 4096)


def child(kind: str, width: int, steps: int) -> None:
    """Print the seconds of the first and of a later synchronisation, and GiB at the peak beyond the views."""
    sys.modules["syncpack"] = alias = types.ModuleType("syncpack")
    alias.__path__ = [str(HERE.parent)]
    import torch
    from syncpack.renderers.cameras.lookouts import sphere
    from syncpack.renderers.panorama.space import Lookout, Panorama
    from syncpack.renderers.plane.space import Plane, Windows
    from syncpack.renderers.scene import Scene
    from syncpack.sync_core.synchronizer import Synchronizer, SyncPlan
    from unets import peak_memory_mib

    if kind == "canvas":
        scene = Scene(Plane(width, width), Windows(512, 512, 256, 256))
    else:
        scene = Scene(Panorama(width, width // 2), Lookout(sphere(90), width // 4, width // 4))
    # Two threads wait for each other on a busy machine.
    torch.set_num_threads(1)
    before, began = peak_memory_mib(), time.perf_counter()
    with torch.inference_mode():
        views = scene.views(1)
        batch = torch.rand(views.count, 3, views.height, views.width)
        sync = Synchronizer(SyncPlan(), views)
        took: list[float] = []
        for _ in range(steps):
            sync.sync(batch)
            took.append(time.perf_counter() - began)
            began = time.perf_counter()
    own = 2 * batch.nbytes / 2**30
    print(views.count, took[0], took[-1], (peak_memory_mib() - before) / 1024 - own, own)


def measured(kind: str, width: int) -> list[float]:
    """Views, seconds of the first and of a later synchronisation, GiB beyond the views, GiB of the views."""
    code = f"import bench_load; bench_load.child({kind!r}, {width}, 2)"
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    return [float(word) for word in done.stdout.split()]


def run() -> dict[str, float | str | list[float]]:
    figures: dict[str, float | str | list[float]] = {}
    for kind, widths in (("canvas", CANVASES), ("panorama", PANORAMAS)):
        for width in widths:
            height = width if kind == "canvas" else width // 2
            views, first, later, beyond, own = measured(kind, width)
            what = f"{kind} {width} x {height} pixels, {views:.0f} views"
            figures[f"{what}: first, later synchronisation, seconds"] = [first, later]
            figures[f"{what}: memory beyond the views in and out, GiB"] = beyond
            figures[f"{what}: the views in and out, GiB"] = own
            figures[f"{what}: bytes beyond the views for a pixel"] = beyond * 2**30 / (width * height)
    return figures


def main() -> None:
    from run_all import table

    print(table({"bench_load": {"seconds": 0.0, "figures": run()}}))


if __name__ == "__main__":
    main()
