"""Ways to change a picture by words, on the exemplar prior: a stone wall of 256 x 64 pixels becomes a meadow.

Plain denoising (SDEdit), with a Structure Lock, SyncEdit along the sampler's levels (FlowEdit's form) with and without
finishing steps, and its random walk (Collaborative Score Distillation). ``bench_edit.py [PICTURE.png]`` draws them one
below the other. Claims of SyncEdit with finish: share of the target >= .95, structure >= .8, residual <= .09.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "tests"))


def ways() -> dict[str, dict[str, Any]]:
    """Name -> what the run is given beside its source."""
    from syncpack.nodes.engine.edits.guider import EditJob
    from syncpack.sync_core.steering.edits import Descent, Edit
    from syncpack.sync_core.steering.structure_lock import CoarseLock

    def edit(finish: float, **options: Any) -> EditJob:
        return EditJob(Edit(finish=finish, **options), source_cfg=1.0)

    return {
        "SDEdit .4": dict(denoise=0.4, steps=8),
        "SDEdit .7": dict(denoise=0.7, steps=12),
        "SDEdit .7 with a lock": dict(denoise=0.7, steps=12, operator=CoarseLock()),
        "SyncEdit .7, finish 0 (FlowEdit)": dict(denoise=0.7, steps=12, edit=edit(0.0)),
        "SyncEdit .7, finish .15": dict(denoise=0.7, steps=12, edit=edit(0.15)),
        "SyncEdit .7, finish .3": dict(denoise=0.7, steps=12, edit=edit(0.3)),
        "SyncEdit .7, finish .3, with a lock": dict(denoise=0.7, steps=12, edit=edit(0.3), operator=CoarseLock()),
        "SyncEdit .9, finish .3": dict(denoise=0.9, steps=12, edit=edit(0.3)),
        "SyncEdit random, 60 x 4 (CSD-Edit)": dict(denoise=0.7, edit=edit(0.0, walk="random", descent=Descent(60))),
    }


class Meadow:
    """The models, the source, and a run from it."""

    def __init__(self) -> None:
        from unets import start_host

        start_host()
        from syncpack.nodes.declare import defaults
        from syncpack.nodes.models.exemplar_nodes import ExemplarModel, SyncTweediesExemplarPicture
        from syncpack.nodes.sampling.plan import PLAN_INPUTS
        from syncpack.nodes.sampling.sampler import SyncTweediesSampler
        from syncpack.renderers.plane.space import Plane, Windows

        self.node = SyncTweediesSampler()
        stone, meadow = (SyncTweediesExemplarPicture().load(name)[0] for name in ("stone_wall", "meadow"))
        self.model, clip, _ = ExemplarModel().build(torch.cat([stone, meadow]), "stone, meadow", True)
        self.words = {name: clip.encode_from_tokens_scheduled(clip.tokenize(name)) for name in ("stone", "meadow")}
        self.scene = dict(space=Plane(256, 64), rig=Windows(64, 64, 32, 64))
        self.plan = defaults(PLAN_INPUTS)
        self.source = self.sampled("stone", steps=20)

    def sampled(self, words: str, **options: Any) -> torch.Tensor:
        """[1, 3, 64, 256]"""
        given = dict(seed=3, steps=20, cfg=1.0, sampler_name="euler", scheduler="karras", denoise=1.0)
        with torch.inference_mode():
            _, whole = self.node.sample(
                model=self.model,
                positive=self.words[words],
                negative=self.words[words],
                **{**given, **self.scene, **self.plan, **options},
            )
        return whole["samples"]

    def edited(self, options: dict[str, Any]) -> torch.Tensor:
        from dataclasses import replace

        if "edit" in options:
            options = {**options, "edit": replace(options["edit"], source=self.words["stone"])}
        return self.sampled("meadow", canonical={"samples": self.source}, seed=11, **options)


def run(picture: str = "") -> dict[str, float | str | list[float]]:
    meadow = Meadow()
    from helpers.edit_figures import judged

    prior = meadow.model.model.diffusion_model.prior
    rows = [meadow.source[0]]
    figures: dict[str, float | str | list[float]] = {}
    for name, options in {"source": None, **ways()}.items():
        began = time.perf_counter()
        if options is not None:
            rows.append(meadow.edited(options)[0])
        seconds = time.perf_counter() - began
        found = judged(prior, rows[-1], meadow.source[0], (0, 1))
        line = [found.share, found.structure, found.slope, found.residual, seconds]
        figures[f"{name}: share, structure, slope, residual, seconds"] = [round(value, 3) for value in line]
        print(name, figures[f"{name}: share, structure, slope, residual, seconds"], file=sys.stderr, flush=True)
    if picture:
        from torchvision.utils import save_image

        save_image(torch.stack(rows) / 2 + 0.5, picture, nrow=1, padding=4)
    return figures


def main() -> None:
    from run_all import name_pack, table

    name_pack()
    print(table({"bench_edit": {"seconds": 0.0, "figures": run(*sys.argv[1:2])}}))


if __name__ == "__main__":
    main()
