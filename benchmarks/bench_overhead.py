"""The whole machinery beside a plain KSampler: eight overlapping views of 32 x 32 latents, an SD1.5-sized UNet with
random weights, guidance on, both as one batch. The runs alternate. Claim: at most 3 % more."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

VIEWS, STEPS, REPEATS, CFG = 8, 2, 3, 7.5


def seconds_of(call: Callable[[], object]) -> float:
    """Of the processor, so that other programs do not count."""
    began = time.process_time()
    call()
    return time.process_time() - began


def run() -> dict[str, float | str | list[float]]:
    from unets import prompt, random_unet

    model = random_unet("sd15")
    from syncpack.nodes import host
    from syncpack.nodes.plan_inputs import PLAN_INPUTS
    from syncpack.nodes.sampling_nodes import SyncTweediesSampler
    from syncpack.renderers.plane import Plane, Windows

    positive, negative = prompt("sd15", 1), prompt("sd15", 2)
    plan = {name: spec[1]["default"] for name, spec in PLAN_INPUTS.items()}
    space, rig = Plane(256 + 64 * (VIEWS - 1), 256), Windows(256, 256, 64, 256)
    latent = torch.zeros(VIEWS, 4, 32, 32)

    def plain() -> None:
        sigmas = host.k_sampler_sigmas(model, STEPS, "euler", "normal", 1.0)
        noise = host.prepare_noise(latent, 0)
        sampler = host.sampler_object("euler")
        host.sample(model, noise, positive, negative, CFG, sampler, sigmas, latent, None, None, 0)

    def synchronised(views_per_batch: int) -> None:
        SyncTweediesSampler().sample(
            model,
            space,
            rig,
            positive,
            negative,
            seed=0,
            steps=STEPS,
            cfg=CFG,
            sampler_name="euler",
            scheduler="normal",
            denoise=1.0,
            views_per_batch=views_per_batch,
            **plan,
        )

    with torch.inference_mode():
        plain()
        rounds = [
            [seconds_of(plain), seconds_of(lambda: synchronised(VIEWS)), seconds_of(lambda: synchronised(4))]
            for _ in range(REPEATS)
        ]
    base, whole, chunked = (statistics.median(r[i] for r in rounds) for i in range(3))
    return {
        "plain KSampler, processor seconds per step": base / STEPS,
        "synchronised / plain, one batch": whole / base,
        "synchronised / plain, two chunks of four": chunked / base,
        "single runs, one batch": [r[1] / r[0] for r in rounds],
    }


def main() -> None:
    from run_all import table

    print(table({"bench_overhead": {"seconds": 0.0, "figures": run()}}))


if __name__ == "__main__":
    main()
