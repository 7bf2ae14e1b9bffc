"""Views that count by how straight they look at flat splats (SplatColours.facing)."""

from __future__ import annotations

import math

import pytest
import torch
from oracles.splat_twins import ball
from syncpack.renderers.cameras.viewpoints import Orbit, Viewpoint
from syncpack.renderers.scene import Scene
from syncpack.renderers.splats.solve.blocks import pixel_weights
from syncpack.renderers.splats.space import SplatColours
from syncpack.renderers.splats.splats import Splats
from syncpack.sync_core.aggregate import METHODS, Aggregator, Method
from syncpack.sync_core.views import ViewSet

SIDE = 24
STRAIGHT, ASLANT = Viewpoint.orbit(0.0, 0.0, 3.0), Viewpoint.orbit(math.radians(60), 0.0, 3.0)


def disc(thick: float) -> Splats:
    """One splat at the origin, across the z axis."""
    turn = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    return Splats(torch.zeros(1, 3), torch.tensor([[0.5, 0.5, thick]]), turn, torch.ones(1), torch.zeros(1, 1, 3))


def test_a_flat_splat_has_a_side_and_a_round_one_has_none() -> None:
    flat, thick = SplatColours(disc(1e-4)), SplatColours(disc(0.5))
    assert float(flat.straightness(STRAIGHT)) == pytest.approx(1.0, abs=1e-3)
    assert float(flat.straightness(ASLANT)) == pytest.approx(0.5, abs=1e-3)
    assert float(thick.straightness(ASLANT)) == pytest.approx(1.0, abs=1e-6)


def seen(facing: float) -> ViewSet:
    found = Scene(SplatColours(ball(900, far=0.0), facing=facing), Orbit((STRAIGHT, ASLANT), SIDE, SIDE)).views(1)
    assert isinstance(found, ViewSet)
    return found


def test_without_it_nothing_changes() -> None:
    views = seen(0.0)
    assert views.composite is not None and torch.equal(views.weights, pixel_weights(views.composite.alpha))


def test_where_no_other_view_looks_straighter_a_pixel_counts_in_full() -> None:
    """One view alone, however flatly it looks: least squares would hold what counts little to a soft mean."""
    alone = Scene(SplatColours(ball(900, far=0.0), facing=12.0), Orbit((ASLANT,), SIDE, SIDE)).views(1)
    assert isinstance(alone, ViewSet) and alone.composite is not None
    assert torch.allclose(alone.weights, pixel_weights(alone.composite.alpha), rtol=1e-3)
    both = seen(12.0)
    assert both.composite is not None
    share = (both.weights / pixel_weights(both.composite.alpha)).reshape(2, SIDE, SIDE)[:, 6:-6, 6:-6]
    assert float(share.amin()) < 0.05 and float(share.amax()) > 0.95


@pytest.mark.parametrize("method", METHODS)
def test_where_views_disagree_the_one_that_looks_straight_wins(method: Method) -> None:
    """A white view and a black one: splats that face the first turn white, and only with facing decidedly so."""
    space = SplatColours(ball(900, far=0.0))
    first, second = space.straightness(STRAIGHT), space.straightness(ASLANT)
    normal = torch.nn.functional.normalize(space.splats.positions, dim=1)
    front = (normal @ torch.tensor(STRAIGHT.position) > 1) & (normal @ torch.tensor(ASLANT.position) > 1)
    own = front & (first > second + 0.2)
    assert int(own.sum()) > 20
    views = torch.stack([torch.ones(3, SIDE, SIDE), torch.zeros(3, SIDE, SIDE)])
    plain, facing = (float(Aggregator(seen(f), method)(views)[0, :, 0, : len(own)][:, own].mean()) for f in (0.0, 12.0))
    assert facing > 0.9 and 1 - facing < 0.4 * (1 - plain), (plain, facing)


@pytest.mark.parametrize("facing", [-1.0, 33.0, math.nan])
def test_what_is_no_power(facing: float) -> None:
    with pytest.raises(ValueError, match=r"^facing .*: use 0 \(off\) to 32$"):
        SplatColours(disc(0.1), facing=facing)
