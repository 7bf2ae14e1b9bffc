"""StochSync's turns: the rig's two sets of views one after the other, beside others drawn anew at each step.

Without weights: one exemplar (pebbles) on a sphere of 256 x 128 seen by views of 48 x 48, 12 steps of ladders of 8
rungs, medians of 2 seeds. Turns that are drawn come from a rig of more views (``visits``), which only says where views
may be. calls: views asked in all, in areas of the sphere. seam: squared steps across the borders of the views of the
last turn over those elsewhere. detail: variance of the Laplacian along the horizon. intra: how unlike crops around the
horizon are. residual: how far patches at the horizon are from the nearest of the exemplar. seconds: of the processor.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

SEEDS = range(2)
STEPS, RUNGS = 12, 8
WIDTH, HEIGHT, SIDE, FOV = 256, 128, 48, 72.0


def turns() -> dict[str, tuple[float, Any]]:
    """Name -> (how much views of the rig overlap, visits)."""
    from syncpack.sync_core.visits.policy import Visits

    return {
        "the rig's sets": (0.25, None),
        "drawn anew": (0.7, Visits("turning")),
    }


def painted(overlap: float, visits: Any, seed: int) -> dict[str, Any]:
    """One panorama [3, H, W] in 0..1 and its figures."""
    from helpers.hosting import Scene, run_node
    from syncpack.nodes.models.exemplar_nodes import ExemplarModel, SyncTweediesExemplarPicture
    from syncpack.nodes.sampling.plan import STOCHASTIC_LABEL
    from syncpack.renderers.cameras.lookouts import sphere
    from syncpack.renderers.panorama.space import Lookout, Panorama
    from syncpack.renderers.panorama.stitch import view_edges
    from syncpack.sync_core.quality import high_frequency_energy, intra_distance
    from syncpack.sync_core.stochastic import disjoint_sets, drawn_sets

    picture = SyncTweediesExemplarPicture().load("pebbles")[0]
    model, clip, _ = ExemplarModel().build(picture, "pebbles", True)
    words = clip.encode_from_tokens_scheduled(clip.tokenize("pebbles"))
    space, rig = Panorama(WIDTH, HEIGHT), Lookout(sphere(FOV, overlap), SIDE, SIDE, "nearest")
    scene = Scene(space, rig)
    views = scene.views(1)
    asked = list[int]()

    def counted(apply: Any, args: dict[str, Any]) -> Any:
        asked.append(len(args["input"]))
        return apply(args["input"], args["timestep"], **args["c"])

    model.set_model_unet_function_wrapper(counted)
    options = dict(steps=STEPS, sampler_name="dpmpp_2m", scheduler="karras", positive=words, negative=words)
    began = time.process_time()
    _, whole = run_node(
        model, space, rig, seed=seed, visits=visits, process=STOCHASTIC_LABEL, inner_steps=RUNGS, **options
    )
    seconds = time.process_time() - began
    image = whole["samples"][0].clone() / 2 + 0.5
    fixed = disjoint_sets(views)
    last = fixed[(STEPS - 1) % len(fixed)] if visits is None else drawn_sets(views, STEPS, seed)[-1]
    left, above = view_edges([rig.looks[n] for n in last], SIDE, SIDE, HEIGHT, WIDTH)
    across, down = (image - image.roll(1, -1)).square().mean(0), (image - image.roll(1, -2)).square().mean(0)
    at, off = torch.cat([across[left], down[above]]), torch.cat([across[~left], down[1:][~above[1:]]])
    horizon = image[:, HEIGHT // 4 : -HEIGHT // 4]
    bank = torch.nn.functional.unfold(torch.nn.functional.pad(picture.movedim(-1, 1), (0, 6, 0, 6), "circular"), 7)
    own = torch.nn.functional.unfold(horizon[None], 7, stride=3)[0].T
    return {
        "image": image,
        "views": views.count,
        "calls": sum(asked) * SIDE * SIDE / views.cells,
        "seam": float(at.mean() / off.mean()),
        "detail": high_frequency_energy(horizon),
        "intra": intra_distance(torch.stack(horizon.split(HEIGHT // 2, -1))),
        "residual": float(torch.cdist(own, bank[0].T).amin(1).square().mean().sqrt()) / 147**0.5,
        "seconds": seconds,
    }


def run() -> dict[str, Any]:
    from unets import start_host

    start_host()
    found: dict[str, Any] = {}
    for name, (overlap, visits) in turns().items():
        rows = [painted(overlap, visits, seed) for seed in SEEDS]
        for figure in ("views", "calls", "seam", "detail", "intra", "residual", "seconds"):
            found[f"{name}: {figure}"] = statistics.median(row[figure] for row in rows)
    return found


def main() -> None:
    from run_all import table

    print(table({"bench_stochsync": {"seconds": 0.0, "figures": run()}}))


if __name__ == "__main__":
    main()
