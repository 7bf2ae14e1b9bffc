"""Peak memory of a chunked run against the number of views: 8 and 32 views of 512 x 512, four views per model
call, each in a process of its own. Claim: within 10 %."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

PER_CALL = 4
WIDTHS = {views: 512 + (views - 1) * 64 for views in (8, 32)}


def measure(views: int, steps: int) -> float:
    """MiB at the peak of a run with that many views (0 steps: everything but the sampling)."""
    code = f"import bench_memory; bench_memory.child({WIDTHS[views]}, {steps})"
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return float(done.stdout.strip().splitlines()[-1])


def child(width: int, steps: int) -> None:
    if "syncpack" not in sys.modules:
        alias = types.ModuleType("syncpack")
        alias.__path__ = [str(HERE.parent)]
        sys.modules["syncpack"] = alias
    import torch
    from unets import peak_memory_mib, prompt, random_unet

    model = random_unet("small")
    from syncpack.nodes.declare import defaults
    from syncpack.nodes.sampling.plan import PLAN_INPUTS
    from syncpack.nodes.sampling.sampler import SyncTweediesSampler
    from syncpack.renderers.plane.space import Plane, Windows

    plan = defaults(PLAN_INPUTS)
    if steps:
        with torch.inference_mode():
            SyncTweediesSampler().sample(
                model,
                Plane(width, 512),
                Windows(512, 512, 64, 64),
                prompt("small", 1),
                prompt("small", 2),
                seed=0,
                steps=steps,
                cfg=7.5,
                sampler_name="euler",
                scheduler="normal",
                denoise=1.0,
                views_per_batch=PER_CALL,
                **plan,
            )
    print(peak_memory_mib())


def run() -> dict[str, float | str | list[float]]:
    base = measure(8, 0)
    # About as many model calls in both: the allocator holds on to a little more after every call.
    few, many = measure(8, 8), measure(32, 2)
    return {
        "host and model, MiB": base,
        "8 views, 4 per call, MiB": few,
        "32 views, 4 per call, MiB": many,
        "32 views / 8 views": many / few,
        "the same without host and model": (many - base) / (few - base),
    }


def main() -> None:
    from run_all import table

    print(table({"bench_memory": {"seconds": 0.0, "figures": run()}}))


if __name__ == "__main__":
    main()
