"""What SyncCoherence makes of views, and what it costs.

Without weights: a model of three materials, no prompt, three seeds, none and pulled, on a plane, a sphere and a teapot.
intra: how unlike crops are that do not overlap (quality.py). share: how the part of one material scatters from crop to
crop. residual: how far patches are from the nearest of the exemplars, material by material. reference: share of the
material that a reference picture asks for, at least of two seeds.

The cost beside one call of an SD1.5-sized UNet per view, 512 x 512 pixels, both halves of the guidance.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

SEEDS = range(3)


def compared(materials: Any, where: Any, **options: Any) -> dict[str, Any]:
    """Of all seeds, none and pulled."""
    from helpers.materials import watched
    from syncpack.nodes.engine.coherence import Coherence
    from syncpack.renderers.scene import Scene
    from syncpack.sync_core.steering.pull import Pull

    space, rig = where()
    found: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
    seams: list[float] = []
    for seed in SEEDS:
        for pulled in (False, True):
            coherence = Coherence(Pull()) if pulled else None
            views, whole = materials.sampled(space, rig, seed, coherence=coherence, steps=20, **options)
            found[pulled].append(materials.judged(*watched(space, rig, views, whole)))
            if pulled:
                seams.append(Scene(space, rig).geometry.seam_ratio(whole, 1))
    name = where.__name__ + "".join(f", {value}" for value in options.values())
    intra = {pulled: [row["intra"] for row in rows] for pulled, rows in found.items()}
    return {
        f"{name}: intra, none": intra[False],
        f"{name}: intra, pulled": intra[True],
        f"{name}: intra, none / pulled": sum(intra[False]) / sum(intra[True]),
        f"{name}: share, pulled": statistics.mean(row["share"] for row in found[True]),
        f"{name}: residuals, none": by_material(found[False]),
        f"{name}: residuals, pulled": by_material(found[True]),
        f"{name}: seam ratio, pulled": seams,
    }


def by_material(rows: list[dict[str, Any]]) -> list[float]:
    """The mean residual of each material, of pictures that show it."""
    each = [[row["residuals"][m] for row in rows if row["shares"][m] > 0.05] for m in range(3)]
    return [statistics.mean(values) if values else float("nan") for values in each]


def referred(materials: Any) -> dict[str, float]:
    """The least share of each material that was asked for."""
    from helpers.materials import MATERIALS, wide
    from syncpack.nodes.engine.coherence import Coherence
    from syncpack.sync_core.steering.pull import Pull

    found: dict[str, float] = {}
    for number, name in enumerate(MATERIALS):
        coherence = Coherence(Pull(), reference=materials.pictures[number : number + 1])
        shares: list[float] = []
        for seed in SEEDS[:2]:
            whole = materials.sampled(*wide(), seed, coherence=coherence, steps=20)[1]
            shares.append(materials.judged(torch.stack(whole.split(64, -1)))["shares"][number])
        found[f"reference {name}: its share"] = min(shares)
    return found


def cost(side: int = 64, views: int = 4) -> dict[str, float]:
    """Seconds of the processor: moves of views of ``side`` x ``side`` latents, and a call of the network for one."""
    from helpers.hosting import Plane, Scene, Windows
    from syncpack.nodes.engine.coherence import Coherence
    from syncpack.sync_core.steering.pull import Pull
    from syncpack.sync_core.synchronizer import SyncPlan
    from unets import prompt, random_unet

    model = random_unet("sd15")
    pixels = 8 * side
    scene = Scene(Plane(pixels * views, pixels), Windows(pixels, pixels, pixels, pixels))
    clean = torch.randn(views, 4, side, side)
    found: dict[str, float] = {}
    with torch.inference_mode():
        network, text = model.model.diffusion_model, prompt("sd15", 1)[0][0]
        call = lambda: network(clean[:2], torch.full((2,), 500.0), context=text.repeat(2, 1, 1))  # noqa: E731
        one = timed(call, 1)
        for features in ("latent", "bands"):
            coherence = Coherence(Pull(), features=features)
            pull = coherence.begin(scene, SyncPlan(), scene.views(8), model.model, 4, 20)
            moving = timed(lambda pull=pull: pull.moves(clean, 0, (1.0, 5.0)), 5) / views
            found[f"cost of {features}, % of a guided call"] = 100 * moving / one
    return found


def timed(call: Any, times: int) -> float:
    call()
    began = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - began) / times


def run() -> dict[str, Any]:
    from unets import start_host

    start_host()
    from helpers.materials import Materials, sphere, teapot, wide

    materials = Materials(192)
    found: dict[str, Any] = dict(cost())
    for where in (wide, sphere, teapot):
        found |= compared(materials, where)
    found |= compared(materials, wide, sampler_name="dpmpp_2m")
    return found | referred(materials)


def main() -> None:
    from run_all import table

    print(table({"bench_coherence": {"seconds": 0.0, "figures": run()}}))


if __name__ == "__main__":
    main()
