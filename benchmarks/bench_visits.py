"""What fewer model calls make of a wide picture, beside all views at every step.

Without weights: one exemplar (a stone wall), windows of 64 x 64 on 384 x 64 pixels, medians of 5 seeds. Names of
policies behind the command choose. calls: views asked at a step, in units of the canvas. seam: squared steps across
the borders of the windows of the last step over those elsewhere. border: energy within two pixels of these borders
over that elsewhere, of three bands, fine to coarse (below 1: softened). intra: how unlike six crops are that do not
overlap. sharpness: variance of the Laplacian. residual: how far patches are from the nearest of the exemplar.
seconds: of the processor.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

SEEDS = range(5)
STEPS = 20
WIDTH, SIDE, STRIDE = 384, 64, 8
# By a sampler that looks back, too.
_SAMPLED_TWICE = ("all, stride 8", "turning", "touching")


def policies() -> dict[str, tuple[int, Any]]:
    """Name -> (stride of the windows, visits)."""
    from syncpack.sync_core.visits.policy import Visits

    return {
        "all, stride 8": (STRIDE, None),
        "all, stride 32": (32, None),
        "all, stride 53": (53, None),
        "turning": (STRIDE, Visits("turning")),
        "touching": (STRIDE, Visits("turning", 0.0, 0.0)),
        "few then all": (STRIDE, Visits("few then all", last=0.2)),
        "still changing": (32, Visits("still changing", tolerance=0.05)),
    }


def painted(stride: int, visits: Any, seed: int, **changes: Any) -> dict[str, Any]:
    """One picture [3, H, W] in 0..1 and its figures."""
    from helpers.hosting import Plane, Scene, Windows, run_node
    from syncpack.nodes.models.exemplar_nodes import ExemplarModel, SyncTweediesExemplarPicture
    from syncpack.sync_core.quality import border_energy, high_frequency_energy, intra_distance, seam_ratio
    from syncpack.sync_core.visits.policy import ALL, Visiting

    picture = SyncTweediesExemplarPicture().load("stone_wall")[0]
    model, clip, _ = ExemplarModel().build(picture, "stone wall", True)
    words = clip.encode_from_tokens_scheduled(clip.tokenize("stone wall"))
    space, rig = Plane(WIDTH, SIDE), Windows(SIDE, SIDE, stride, SIDE)
    options = dict(steps=STEPS, scheduler="karras", positive=words, negative=words) | changes
    asked = list[int]()

    def counted(apply: Any, args: dict[str, Any]) -> Any:
        asked.append(len(args["input"]))
        return apply(args["input"], args["timestep"], **args["c"])

    model.set_model_unet_function_wrapper(counted)
    began = time.process_time()
    _, whole = run_node(model, space, rig, seed=seed, visits=visits, **options)
    seconds = time.process_time() - began
    image = whole["samples"][0].clone() / 2 + 0.5
    scene = Scene(space, rig)
    geometry, views = scene.geometry, scene.views(1)
    visiting = Visiting.of(visits or ALL, lambda o: geometry.tilings(views, o), views.count, STEPS, seed, False)
    last = (visiting.sets[-1] if visiting else None) or tuple(range(views.count))
    starts = geometry.placement(1).columns
    borders = sorted({b for n in last for b in (starts[n], starts[n] + SIDE) if 0 < b < WIDTH})
    crops = torch.stack(image.split(SIDE, -1))
    tile = picture.movedim(-1, 1)
    bank = torch.nn.functional.unfold(torch.nn.functional.pad(tile, (0, 6, 0, 6), "circular"), 7)[0].T
    own = torch.nn.functional.unfold(image[None], 7, stride=3)[0].T
    return {
        "image": image,
        "calls": sum(asked) * SIDE / WIDTH / STEPS,
        "seam": seam_ratio(image, borders),
        "border": border_energy(image, borders),
        "intra": intra_distance(crops),
        "sharpness": high_frequency_energy(image),
        "residual": float(torch.cdist(own, bank).amin(1).square().mean().sqrt()) / 147**0.5,
        "seconds": seconds,
    }


def run(chosen: tuple[str, ...] = ()) -> dict[str, Any]:
    from unets import start_host

    start_host()
    found: dict[str, Any] = {}
    for sampler in ("euler", "dpmpp_2m"):
        for name, (stride, visits) in policies().items():
            if (sampler != "euler" and name not in _SAMPLED_TWICE) or (chosen and name not in chosen):
                continue
            rows = [painted(stride, visits, seed, sampler_name=sampler) for seed in SEEDS]
            for figure in ("calls", "seam", "border", "intra", "sharpness", "residual", "seconds"):
                found[f"{sampler}, {name}: {figure}"] = median([row[figure] for row in rows])
    return found


def median(values: list[Any]) -> Any:
    """Of numbers, or of each place of lists of them."""
    if isinstance(values[0], tuple):
        return [round(statistics.median(each), 4) for each in zip(*values, strict=True)]
    return statistics.median(values)


def main() -> None:
    from run_all import table

    print(table({"bench_visits": {"seconds": 0.0, "figures": run(tuple(sys.argv[1:]))}}))


if __name__ == "__main__":
    main()
