"""How time and memory grow: with the number of views, and with the canvas. Every size in a process of its own.

Runs are whole ones, through the sampler's node, of a model that costs next to nothing: seconds of the processor
outside of the model, for a step and for all that is done once. state: the bytes of the views, which a run's sampler
holds some times over. Averages of pixels are one synchronisation of 3 channels (what a pixel model or rgb_vae asks
for), and what they hold beside the state: the views before and after, and the canvas. Whole runs of pixels: a model of
3 channels without a VAE, windows of 1,024 every 960, process 2 and euler, one view a call. Their state is ten arrays:
the canvas that is begun with and its last estimate, and the eight batches of all views that the host's euler holds of
any batch when it works out a direction (what is begun with, its noise, that as strong as the first level, the sampler's
state, the estimate, the direction before, and two for the next). exponent: the slope of a line through the logarithms;
1 is linear. Seconds are measured where the allocator keeps what it has (MALLOC_*, glibc):
else arrays of more than 32 MiB are given back and cleared anew each time, and sizes above cost about twice as much as
those below. Memory is measured without that, in another process.

``python benchmarks/bench_growth.py [WORD ...]`` measures the rows whose names hold all of the words.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

STRIPS = (10, 100, 1000, 3000)
CANVASES = (1024, 2048, 4096, 8192, 16384)
PIXELS = (1024, 2048, 4096, 8192)
# (views of smaller ones are stored maps, sixteen times as fast: see sync_core/walked.py)
SPHERES = (2048, 4096)
# Of a run that is timed: many where there is little to do.
STEPS = (4, 40)
# Below so many seconds it is not the work that is measured.
LEAST = 0.005


def start() -> None:
    sys.modules["syncpack"] = alias = types.ModuleType("syncpack")
    alias.__path__ = [str(HERE.parent)]


def counted(model: Any) -> list[float]:
    """One number, to which the seconds of the processor inside of the model are added."""
    inside = [0.0]

    def timed(apply: Any, args: dict[str, Any]) -> Any:
        began = time.process_time()
        clean = apply(args["input"], args["timestep"], **args["c"])
        inside[0] += time.process_time() - began
        return clean

    model.set_model_unet_function_wrapper(timed)
    return inside


def child_run(width: int, height: int, stride: int, process: int, visits: str) -> None:
    """Print the views, seconds outside of the model for a step and once, MiB of the state, and MiB at the peak."""
    start()
    from unets import peak_memory_mib, start_host

    start_host()
    from helpers.hosting import Plane, Scene, Windows, gaussian, run_node
    from syncpack.sync_core.visits.policy import Visits

    model, steps = gaussian(), list[float]()
    inside = counted(model)
    wish = Visits(visits) if visits else None
    run_node(model, Plane(512, 256), Windows(256, 256, 32, 256), steps=2, process=process, visits=wish)
    space, rig = Plane(width, height), Windows(512, 512, stride, stride)
    views, before = Scene(space, rig).geometry.count(8), peak_memory_mib()
    longer = max(STEPS[0], min(STEPS[1], 4000 // views))
    for number in (1, longer):
        inside[0], began = 0.0, time.process_time()
        run_node(model, space, rig, steps=number, process=process, visits=wish, views_per_batch=16)
        steps.append(time.process_time() - began - inside[0])
    step = (steps[1] - steps[0]) / (longer - 1)
    state = views * 4 * 64 * 64 * 4 / 2**20
    print(views, step, steps[0] - step, state, peak_memory_mib() - before)


def child_average(kind: str, width: int) -> None:
    """The same of one average of pixels: the views, its seconds, those of the first, MiB of the state and beside it."""
    start()
    import torch
    from syncpack.renderers.cameras.lookouts import sphere
    from syncpack.renderers.panorama.space import Lookout, Panorama
    from syncpack.renderers.plane.space import Plane, Windows
    from syncpack.renderers.scene import Scene
    from syncpack.sync_core.synchronizer import Synchronizer, SyncPlan
    from unets import peak_memory_mib

    small = Scene(Plane(64, 64), Windows(64, 64, 64, 64)).views(1)
    Synchronizer(SyncPlan(), small).sync(torch.rand(1, 3, 64, 64))
    if kind == "pixels":
        scene = Scene(Plane(width, width), Windows(512, 512, 448, 448))
    else:
        scene = Scene(Panorama(width, width // 2), Lookout(sphere(90), width // 4, width // 4))
    before, took = peak_memory_mib(), list[float]()
    with torch.inference_mode():
        views = scene.views(1)
        batch = torch.rand(views.count, 3, views.height, views.width)
        sync = Synchronizer(SyncPlan(), views)
        for _ in range(2):
            began = time.process_time()
            found = sync.sync(batch)
            took.append(time.process_time() - began)
            del found
    state = (2 * batch.nbytes + 3 * 4 * views.cells) / 2**20
    print(views.count, took[1], took[0] - took[1], state, peak_memory_mib() - before - state)


def child_pixels(side: int) -> None:
    """The same of a whole run of pixels."""
    start()
    from unets import peak_memory_mib, pixel_model, start_host

    start_host()
    from helpers.hosting import Plane, Scene, Windows, run_node

    model, steps = pixel_model(), list[float]()
    inside = counted(model)
    run_node(model, Plane(256, 128), Windows(128, 128, 64, 64), steps=2)
    space, rig = Plane(side, side), Windows(1024, 1024, 960, 960)
    views, before = Scene(space, rig).geometry.count(1), peak_memory_mib()
    for number in (1, 3):
        inside[0], began = 0.0, time.process_time()
        run_node(model, space, rig, steps=number, views_per_batch=1)
        steps.append(time.process_time() - began - inside[0])
    step = (steps[1] - steps[0]) / 2
    state = 3 * 4 * (8 * views * 1024 * 1024 + 2 * side * side) / 2**20
    print(views, step, steps[0] - step, state, peak_memory_mib() - before - state)


def rows() -> dict[str, list[str]]:
    """Name of a row's kind -> the calls, by size."""
    wide = [f"child_run({512 + 64 * (views - 1)}, 512, 64, 2, '')" for views in STRIPS]
    return {
        "strip, all views": wide,
        "strip, turning": [call.replace("''", "'turning'") for call in wide],
        "canvas, all views": [f"child_run({side}, {side}, 256, 2, '')" for side in CANVASES],
        "canvas, canonical state": [f"child_run({side}, {side}, 256, 5, '')" for side in CANVASES],
        "whole runs of pixels": [f"child_pixels({side})" for side in PIXELS[1:]],
        "pixels": [f"child_average('pixels', {side})" for side in PIXELS],
        "sphere": [f"child_average('sphere', {width})" for width in SPHERES],
    }


def measured(call: str) -> list[float]:
    if call.startswith("child_pixels"):  # (all of its arrays are that large)
        return in_process(call, {})
    kept = str(2**35)
    keeping = {"MALLOC_MMAP_THRESHOLD_": kept, "MALLOC_TRIM_THRESHOLD_": kept, "MALLOC_TOP_PAD_": "0"}
    return in_process(call, keeping)[:4] + in_process(call, {})[4:]


def in_process(call: str, environment: dict[str, str]) -> list[float]:
    code = f"import bench_growth; bench_growth.{call}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, env={**os.environ, **environment}
    )
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    return [float(word) for word in done.stdout.strip().splitlines()[-1].split()]


def exponent(sizes: list[float], values: list[float]) -> float:
    """The slope of the logarithms, over sizes whose values are large enough to be told."""
    pairs = [(math.log(s), math.log(v)) for s, v in zip(sizes, values, strict=True) if v > LEAST]
    if len(pairs) < 2:
        return math.nan
    middle = [sum(each) / len(pairs) for each in zip(*pairs, strict=True)]
    over = sum((x - middle[0]) ** 2 for x, _ in pairs)
    return sum((x - middle[0]) * (y - middle[1]) for x, y in pairs) / over


def run(words: tuple[str, ...] = ()) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, calls in rows().items():
        if not all(word in name for word in words):
            continue
        table = list[list[float]]()
        for call in calls:
            table.append(measured(call))
            views, step, once, state, beyond = table[-1]
            size = re.findall(r"\d+", call)[0]
            told = f"{name}, {views:.0f} views, {size} wide"
            found[f"{told}: seconds a step, once; MiB of the state, at the peak"] = [step, once, state, beyond]
            print(told, *(f"{value:.4g}" for value in table[-1][1:]), file=sys.stderr, flush=True)
        sizes = [row[3] for row in table]
        found[f"{name}: exponent of the seconds a step"] = exponent(sizes, [row[1] for row in table])
        found[f"{name}: exponent of the seconds once"] = exponent(sizes, [row[2] for row in table])
        found[f"{name}: exponent of the memory"] = exponent(sizes, [row[4] for row in table])
        found[f"{name}: memory in units of the state"] = [row[4] / row[3] for row in table]
    return found


def main() -> None:
    from run_all import table

    print(table({"bench_growth": {"seconds": 0.0, "figures": run(tuple(sys.argv[1:]))}}))


if __name__ == "__main__":
    main()
