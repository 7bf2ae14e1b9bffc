"""How close together the exemplar model compares patches: as it does by default, and at every cell (fine).

320 x 96 pixels in windows of 96 every 56, 20 steps of karras, medians of 5 seeds. contrast, detail: standard deviation
and variance of the Laplacian, of the exemplar's own. nearest: how far patches of 5 pixels are from the nearest of the
exemplar. style: distance to a piece of the exemplar. seconds: of the processor.
``bench_exemplar_steps.py [PICTURE ...]`` takes other shipped pictures than meadow and stone wall.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent))

SEEDS = range(1, 6)


def nearest(picture: Tensor, exemplar: Tensor, side: int = 5) -> float:
    tiled = torch.nn.functional.pad(exemplar, (0, side - 1, 0, side - 1), mode="circular")
    bank = torch.nn.functional.unfold(tiled, side)[0].T
    asked = torch.nn.functional.unfold(picture, side, stride=4)[0].T
    far = torch.cat([torch.cdist(part, bank).amin(1) for part in asked.split(256)])
    return float(far.square().mean() / bank.shape[1]) ** 0.5


def run(*names: str) -> dict[str, float | str | list[float]]:
    from unets import start_host

    start_host()
    from syncpack.nodes.declare import defaults
    from syncpack.nodes.models.exemplar import exemplar_model
    from syncpack.nodes.models.exemplar_nodes import SyncTweediesExemplarPicture
    from syncpack.nodes.sampling.plan import PLAN_INPUTS
    from syncpack.nodes.sampling.sampler import SyncTweediesSampler
    from syncpack.renderers.plane.space import Plane, Windows
    from syncpack.renderers.scene import Scene
    from syncpack.sync_core.exemplar.prior import DEFAULT_LEVELS, FINE_LEVELS, ExemplarConfig
    from syncpack.sync_core.quality import high_frequency_energy, intra_distance

    space, rig, plan = Plane(320, 96), Windows(96, 96, 56, 56), defaults(PLAN_INPUTS)
    figures: dict[str, float | str | list[float]] = {}
    for name in names or ("meadow", "stone_wall"):
        picture = SyncTweediesExemplarPicture().load(name)[0]
        exemplar = picture.movedim(-1, 1) * 2 - 1
        for kind, levels in (("default", DEFAULT_LEVELS), ("fine", FINE_LEVELS)):
            model, clip, _ = exemplar_model([picture[0]], [name], ExemplarConfig(levels=levels, periodic=True))
            words: Any = clip.encode_from_tokens_scheduled(clip.tokenize(name))
            rows: list[tuple[float, ...]] = []
            for seed in SEEDS:
                began = time.process_time()
                with torch.inference_mode():
                    _, whole = SyncTweediesSampler().sample(
                        model, space, rig, words, words, seed, 20, 1.0, "euler", "karras", 1.0, **plan
                    )
                seconds, made = time.process_time() - began, whole["samples"]
                rows.append(
                    (
                        seconds,
                        float(made.std() / exemplar.std()),
                        high_frequency_energy(made.mean(1)) / high_frequency_energy(exemplar.mean(1)),
                        nearest(made, exemplar),
                        float(intra_distance(torch.cat([made[..., :96, :96], exemplar[..., :96, :96]]))),
                        Scene(space, rig).geometry.seam_ratio(made[0], 1),
                    )
                )
            line = [statistics.median(column) for column in zip(*rows, strict=True)]
            figures[f"{name}, {kind}: seconds, contrast, detail, nearest, style, seam"] = line
    return figures


def main() -> None:
    from run_all import name_pack, table

    name_pack()
    print(table({"bench_exemplar_steps": {"seconds": 0.0, "figures": run(*sys.argv[1:])}}))


if __name__ == "__main__":
    main()
