"""The whole machinery beside a plain KSampler: eight overlapping views of 32 x 32 latents, an SD1.5-sized UNet with
random weights, guidance on, both as one batch. The runs alternate. Claim: at most 3 % more.

The ratio of two runs of a minute scatters by some percent, so the time outside the network is measured too.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

VIEWS, STEPS, REPEATS, CFG = 8, 2, 2, 7.5


class Network:
    """Counts the seconds inside the network."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.seconds, self._began = 0.0, 0.0
        network.register_forward_pre_hook(self._begin)
        network.register_forward_hook(self._end)

    def _begin(self, *_: object) -> None:
        self._began = time.process_time()

    def _end(self, *_: object) -> None:
        self.seconds += time.process_time() - self._began

    def split(self, call: Callable[[], object]) -> tuple[float, float]:
        """(all seconds, seconds outside the network) of a call; of the processor, so that other programs do not
        count."""
        self.seconds, began = 0.0, time.process_time()
        call()
        total = time.process_time() - began
        return total, total - self.seconds


def run() -> dict[str, float | str | list[float]]:
    from unets import prompt, random_unet

    model = random_unet("sd15")
    from syncpack.nodes import host
    from syncpack.nodes.declare import defaults
    from syncpack.nodes.sampling.plan import PLAN_INPUTS
    from syncpack.nodes.sampling.sampler import SyncTweediesSampler
    from syncpack.renderers.plane.space import Plane, Windows

    positive, negative = prompt("sd15", 1), prompt("sd15", 2)
    plan = defaults(PLAN_INPUTS)
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
        network = Network(model.model.diffusion_model)
        kinds = (plain, lambda: synchronised(VIEWS), lambda: synchronised(4))
        plain()
        rounds = [[network.split(kind) for kind in kinds] for _ in range(REPEATS)]
    total, outside = ([statistics.median(r[i][j] for r in rounds) for i in range(3)] for j in range(2))
    return {
        "plain KSampler, processor seconds per step": total[0] / STEPS,
        "synchronised / plain, one batch": [r[1][0] / r[0][0] for r in rounds],
        "synchronised / plain, two chunks of four": [r[2][0] / r[0][0] for r in rounds],
        "outside the network, plain, %": 100 * outside[0] / total[0],
        "outside the network, synchronised, one batch, %": 100 * outside[1] / total[0],
        "outside the network, synchronised, two chunks, %": 100 * outside[2] / total[0],
    }


def main() -> None:
    from run_all import table

    print(table({"bench_overhead": {"seconds": 0.0, "figures": run()}}))


if __name__ == "__main__":
    main()
