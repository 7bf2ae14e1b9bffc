"""A stone wall that becomes a meadow on the exemplar prior: all of it, its drawing kept, and clean."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.edit_figures import EditFigures, judged
from helpers.hosting import Plane, Windows, run_node
from syncpack.nodes.engine.edits.guider import EditJob
from syncpack.nodes.models.exemplar_nodes import ExemplarModel, SyncTweediesExemplarPicture
from syncpack.sync_core.steering.edits import Edit
from torch import Tensor

pytestmark = pytest.mark.host


class Wall:
    """A strip of the exemplar's own stones, and what runs make of it."""

    def __init__(self) -> None:
        stone, meadow = (SyncTweediesExemplarPicture().load(name)[0] for name in ("stone_wall", "meadow"))
        self.model, clip, _ = ExemplarModel().build(torch.cat([stone, meadow]), "stone, meadow", True)
        self.words = [clip.encode_from_tokens_scheduled(clip.tokenize(name)) for name in ("stone", "meadow")]
        self.source = 2 * stone.movedim(-1, 1).repeat(1, 1, 1, 2)[..., 40:104, :160] - 1

    def made(self, **options: Any) -> Tensor:
        stone, meadow = self.words
        given = dict(steps=8, scheduler="karras", denoise=0.6, canonical={"samples": self.source})
        _, whole = run_node(
            self.model, Plane(160, 64), Windows(64, 64, 32, 64), positive=meadow, negative=stone, **{**given, **options}
        )
        return whole["samples"][0]

    def judged(self, picture: Tensor) -> EditFigures:
        return judged(self.model.model.diffusion_model.prior, picture, self.source[0], (0, 1))


def test_stones_become_a_meadow():
    wall = Wall()
    edit = EditJob(Edit(finish=0.25), wall.words[0], source_cfg=1.0)
    found = wall.judged(wall.made(edit=edit))
    assert found.share >= 0.95 and found.structure >= 0.8 and found.residual <= 0.09, found
    before = wall.judged(wall.source[0])
    assert before.share < 0.05 and before.residual > 0.15, "or the figures show nothing"
