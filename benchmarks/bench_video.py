"""Main memory of videos against the number of frames: whole runs of 8 to 64 of them, each in a process of its own.

Runs go through the sampler's node, with a model that costs next to nothing and two frames a call, so that what is seen
is what the pack holds. state: the bytes of the views, which a host's sampler holds some times over (its own, the clean
estimate, noise, results). Claim: what is held beside a fixed number of states does not grow with the frames.

``python benchmarks/bench_video.py [WORD ...]`` measures the rows whose names hold all of the words.
"""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

FRAMES = (8, 16, 32, 64)
# Name -> what the child is asked: the projection, whether there is a motion, whether it is a loop between pixels, and
# whether pictures are averaged.
ROWS = {
    "the host alone, without the pack": "'', False, False, False",
    "frames by themselves": "'flat', False, False, False",
    "along a motion": "'flat', True, False, False",
    "a loop along a motion, bilinear": "'flat', True, True, False",
    "a loop of spheres along a motion": "'panorama', True, True, False",
    "pictures along a motion (rgb_vae)": "'flat', True, False, True",
}


def child(frames: int, projection: str, moves: bool, loop: bool, pictures: bool) -> None:
    """Print MiB of the state, and at the peak of a run beside what was there before."""
    sys.modules["syncpack"] = alias = types.ModuleType("syncpack")
    alias.__path__ = [str(HERE.parent)]
    from unets import peak_memory_mib, start_host

    start_host()
    import torch
    from helpers.host_vaes import PatchVae, bounded
    from helpers.hosting import gaussian, run_node
    from syncpack.nodes.video.video import Shape, video_space
    from syncpack.renderers.globe.motion import SphereMotion
    from syncpack.renderers.video.motion import Motion

    def run(frames: int, width: int, height: int) -> int:
        """A run; what moves goes a cell to the right. The motion takes the memory of one frame: users bring theirs."""
        motion: Any = None
        if not projection:
            return alone(frames, width, height)
        if moves:
            way = torch.zeros(1, height, width, 2)
            way[..., 0] = 8
            known = torch.ones(1, height, width, dtype=torch.bool).expand(frames, -1, -1)
            kind = Motion if projection == "flat" else SphereMotion
            motion = kind(way.expand(frames, -1, -1, -1), (-way).expand(frames, -1, -1, -1), known, known)
        sampling: Any = "bilinear" if loop else "nearest"
        asked: Any = projection
        space, rig = video_space(Shape(width, height, frames), loop, motion, "auto", sampling, asked)
        extra = dict(rgb_vae=PatchVae()) if pictures else {}
        model = bounded(192) if pictures else gaussian()
        views, _ = run_node(model, space, rig, steps=3, views_per_batch=2, **extra)
        return int(views["samples"].nbytes)

    def alone(frames: int, width: int, height: int) -> int:
        import comfy.sample

        latents = torch.zeros(frames, 4, height // 8, width // 8)
        with torch.inference_mode():
            noise = comfy.sample.prepare_noise(latents, 5)
            words = [[torch.zeros(1, 77, 8), {}]]
            given = (3, 1.0, "euler", "normal", words, words, latents)
            return int(comfy.sample.sample(gaussian(), noise, *given, seed=5).nbytes)

    size = (256, 256) if pictures else (512, 256) if projection == "panorama" else (512, 512)
    run(2, size[0] // 4, size[1] // 4)
    before = peak_memory_mib()
    state = run(frames, *size) / 2**20
    print(state, peak_memory_mib() - before)


def run(words: tuple[str, ...] = ()) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, asked in ROWS.items():
        if not all(word in name for word in words):
            continue
        rows = list[tuple[float, float]]()
        for frames in FRAMES:
            state, peak = measured(frames, asked)
            rows.append((state, peak))
            told = [state, peak, peak / state]
            found[f"{name}, {frames} frames: MiB of the state, at the peak, times the state"] = told
            print(name, frames, *(f"{value:.1f}" for value in told), file=sys.stderr, flush=True)
        (first, low), (last, high) = rows[0], rows[-1]
        found[f"{name}: states that a further frame costs"] = (high - low) / (last - first)
    return found


def measured(frames: int, asked: str) -> tuple[float, float]:
    code = f"import bench_video; bench_video.child({frames}, {asked})"
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    state, peak = done.stdout.strip().splitlines()[-1].split()
    return float(state), float(peak)


def main() -> None:
    from run_all import table

    print(table({"bench_video": {"seconds": 0.0, "figures": run(tuple(sys.argv[1:]))}}))


if __name__ == "__main__":
    main()
