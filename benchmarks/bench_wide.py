"""The wide picture end to end: 512 x 128 pixels from the stone wall exemplar, 128-pixel windows every 64, 20 steps.
Claims: seam ratio at most 1.05, under two minutes on two cores."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))


def run() -> dict[str, float | str | list[float]]:
    from unets import start_host

    start_host()
    from syncpack.nodes.declare import defaults
    from syncpack.nodes.models.exemplar_nodes import ExemplarModel, SyncTweediesExemplarPicture
    from syncpack.nodes.sampling.plan import PLAN_INPUTS
    from syncpack.nodes.sampling.sampler import SyncTweediesSampler
    from syncpack.renderers.plane.space import Plane, Windows
    from syncpack.renderers.scene import Scene

    image, name = SyncTweediesExemplarPicture().load("stone_wall")
    began = time.perf_counter()
    model, clip, _ = ExemplarModel().build(image, name, True)
    built = time.perf_counter() - began
    words = clip.encode_from_tokens_scheduled(clip.tokenize(name))
    plan = defaults(PLAN_INPUTS)
    space, rig = Plane(512, 128), Windows(128, 128, 64, 64)
    seconds: list[float] = []
    ratios: list[float] = []
    with torch.inference_mode():
        for seed in (7, 8):
            began = time.perf_counter()
            _, whole = SyncTweediesSampler().sample(
                model, space, rig, words, words, seed, 20, 1.0, "euler", "karras", 1.0, **plan
            )
            seconds.append(time.perf_counter() - began)
            ratios.append(Scene(space, rig).geometry.seam_ratio(whole["samples"][0], 1))
    return {"model built, seconds": built, "sampled, seconds": seconds, "seam ratio": ratios}


def main() -> None:
    from run_all import table

    print(table({"bench_wide": {"seconds": 0.0, "figures": run()}}))


if __name__ == "__main__":
    main()
