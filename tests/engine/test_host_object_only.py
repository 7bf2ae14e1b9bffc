"""The exemplar model is told which pixels of its views show the object, whatever the chunks."""

from typing import Any

import pytest
import torch
from helpers.hosting import run_node
from syncpack.nodes.engine.chunks import ROWS, SHOWN, shown_rows
from syncpack.nodes.models.exemplar import exemplar_model
from syncpack.renderers.illusions.space import Illusion, Warps
from syncpack.renderers.illusions.warps import warp
from syncpack.renderers.illusions.warps.custom import Custom
from syncpack.renderers.scene import Scene
from syncpack.sync_core.exemplar.prior import ExemplarConfig

pytestmark = pytest.mark.host

SIDE = 48


def half_seen() -> tuple[Illusion, Warps]:
    """Two views; the right half of the second looks past the picture."""
    y, x = torch.meshgrid((torch.arange(SIDE) + 0.5) / SIDE, (torch.arange(SIDE) + 0.5) / SIDE, indexing="ij")
    past = torch.where(x > 0.5, torch.full_like(x, -1.0), x)
    return Illusion(SIDE, SIDE), Warps((warp("identity"), Custom(coordinates=torch.stack([past, y], -1))))


def test_rows_of_a_call():
    shown = torch.rand(3, 4, 4) > 0.5
    assert shown_rows({}, 6) is None
    found = shown_rows({SHOWN: shown}, 6)
    assert found is not None and torch.equal(found, shown.repeat(2, 1, 1)), "two pictures, whole"
    found = shown_rows({SHOWN: shown, ROWS: [4, 5]}, 2)
    assert found is not None and torch.equal(found, shown[[1, 2]])
    found = shown_rows({SHOWN: shown, ROWS: [2, 3]}, 4)
    assert found is not None and torch.equal(found, shown[[2, 0, 2, 0]]), "guided, the second picture's first view"
    assert shown_rows({SHOWN: shown, ROWS: [0, 1]}, 3) is None


@pytest.mark.parametrize("size", [1, 2, 0])
@pytest.mark.parametrize("object_only", [True, False])
def test_the_prior_is_asked_for_what_views_show(size: int, object_only: bool, monkeypatch: pytest.MonkeyPatch):
    picture = torch.rand(48, 48, 3, generator=torch.Generator().manual_seed(0))
    model, clip, _ = exemplar_model([picture], ["grain"], ExemplarConfig(), object_only)
    prior = model.model.diffusion_model.prior
    asked: list[Any] = []
    denoise = prior.denoise

    def watched(x: torch.Tensor, *rest: Any, wanted: torch.Tensor | None = None) -> torch.Tensor:
        asked.append((len(x), wanted))
        return denoise(x, *rest, wanted=wanted)

    monkeypatch.setattr(prior, "denoise", watched)
    words = clip.encode_from_tokens_scheduled(clip.tokenize("grain"))
    space, rig = half_seen()
    run_node(model, space, rig, steps=1, cfg=1.0, positive=words, negative=words, batch_size=2, views_per_batch=size)
    assert sum(rows for rows, _ in asked) == 4
    if not object_only:
        assert all(wanted is None for _, wanted in asked)
        return
    covered = Scene(space, rig).views(1).covered
    assert not bool(covered.all()) and torch.equal(torch.cat([wanted for _, wanted in asked]), covered.repeat(2, 1, 1))
