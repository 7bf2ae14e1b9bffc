"""The structure lock against its formula: what is coarse comes from the reference, all else stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from syncpack.renderers.plane.space import Plane, Windows
from syncpack.renderers.scene import Scene
from syncpack.sync_core.steering.operators import Chain, Change, Operation, OperatorRun
from syncpack.sync_core.steering.structure_lock import FILTERS, CoarseLock, low_pass
from syncpack.sync_core.walked_mean import average_of
from torch import Tensor

SCENE = Scene(Plane(96, 32), Windows(32, 32, 16, 32))
VIEWS = SCENE.views(1)
RUN = OperatorRun(average_of(VIEWS), lambda latent: latent, torch.tensor([0.3, 0.6, 0.1, 0.0]))


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def blocks(picture: Tensor, side: int) -> Tensor:
    """Means of blocks, one after another."""
    out = torch.zeros_like(picture)
    for y in range(0, picture.shape[-2], side):
        for x in range(0, picture.shape[-1], side):
            part = picture[..., y : y + side, x : x + side]
            out[..., y : y + side, x : x + side] = part.mean((-2, -1), keepdim=True)
    return out


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_coarse_part_is_the_references(alpha: float):
    """On windows that lie on the blocks' grid, to the rounding of weights, which are float32; what is
    fine stays."""
    whole, wanted = noise(1, 4, 32, 96), noise(1, 4, 32, 96, seed=1)
    lock = CoarseLock(alpha, channels="all", reference=VIEWS.project(wanted))
    after = lock.begin(RUN)(whole, 0.0)
    low = (1 - alpha) * blocks(whole, 4) + alpha * blocks(wanted, 4)
    torch.testing.assert_close(blocks(after, 4), low, rtol=0, atol=1e-7)
    torch.testing.assert_close(after - blocks(after, 4), whole - blocks(whole, 4), rtol=0, atol=1e-7)


def test_luminance_leaves_the_other_colours():
    whole, wanted = noise(1, 4, 32, 96), noise(1, 4, 32, 96, seed=1)
    after = CoarseLock(reference=VIEWS.project(wanted)).begin(RUN)(whole, 0.0)
    assert RUN.luminance is not None
    along = (RUN.luminance / RUN.luminance.norm()).double()
    change = after - whole
    bright = torch.einsum("bchw,c->bhw", change, along)
    torch.testing.assert_close(change, bright[:, None] * along[:, None, None], rtol=0, atol=1e-7)
    expected = torch.einsum("bchw,c->bhw", blocks(wanted - whole, 4), along)
    torch.testing.assert_close(bright, expected, rtol=0, atol=1e-7)


def test_its_own_picture_changes_nothing():
    whole = noise(2, 4, 32, 96)
    for kind in FILTERS:
        after = CoarseLock(filter=kind, reference=VIEWS.project(whole)).begin(RUN)(whole, 0.0)
        torch.testing.assert_close(after, whole, rtol=0, atol=1e-12)


def test_the_start_is_the_reference_where_none_is_given():
    whole, start = noise(1, 4, 32, 96), VIEWS.project(noise(1, 4, 32, 96, seed=2))
    run = OperatorRun(RUN.average, RUN.views_of, RUN.luminance, start)
    given_, told = (CoarseLock(reference=r).begin(run)(whole, 0.0) for r in (start, None))
    assert torch.equal(given_, told)


@given(progress=st.floats(0, 1), until=st.floats(0.01, 1))
def test_it_ends(progress: float, until: float):
    held, faded = CoarseLock(0.8, until), CoarseLock(0.8, until, fade=True)
    assert held.alpha(progress) == (0.8 if progress < until else 0)
    assert 0 <= faded.alpha(progress) <= held.alpha(progress)
    assert faded.alpha(0) == 0.8
    if progress >= until:
        cells = noise(1, 4, 32, 96)
        assert CoarseLock(until=until, reference=VIEWS.project(cells)).begin(RUN)(cells, progress) is cells


@pytest.mark.parametrize("kind", FILTERS)
@given(level=st.integers(1, 5), seed=st.integers(0, 5), height=st.integers(3, 21))
def test_low_passes_keep_constants_and_what_is_not_seen_is_no_part(kind, level: int, seed: int, height: int):
    seen = (noise(2, 1, height, 19, seed=seed) > -0.5).double()
    constant = torch.full((2, 3, height, 19), 0.7, dtype=torch.float64)
    torch.testing.assert_close(
        low_pass(constant, seen, kind, level), 0.7 * seen.expand(2, 3, -1, -1), rtol=0, atol=1e-9
    )
    picture, other = noise(2, 3, height, 19, seed=seed), noise(2, 3, height, 19, seed=seed + 9)
    mixed = torch.where(seen > 0, picture, other)
    torch.testing.assert_close(low_pass(mixed, seen, kind, level), low_pass(picture, seen, kind, level))


def test_haar_is_idempotent():
    picture, seen = noise(2, 3, 21, 19), (noise(2, 1, 21, 19, seed=1) > -0.5).double()
    once = low_pass(picture, seen, "haar", 2)
    torch.testing.assert_close(low_pass(once, seen, "haar", 2), once, rtol=0, atol=1e-12)


def test_views_are_changed_by_what_changes_alone():
    views = VIEWS.project(noise(1, 4, 32, 96))
    assert Operation(RUN, lambda cells, progress: cells).views(views, 0.5) is views
    shifted = Operation(RUN, lambda cells, progress: cells + progress).views(views, 0.5)
    torch.testing.assert_close(shifted, views + 0.5)


class Adds:
    """An operator that adds a number, then its progress."""

    def __init__(self, number: float, factor: float = 1.0) -> None:
        self.number, self.factor = number, factor

    def begin(self, run: OperatorRun) -> Change:
        return lambda cells, progress: self.factor * cells + self.number


def test_a_chain_acts_in_order():
    cells = noise(1, 4, 32, 96)
    chain = Chain((Adds(1.0), Chain((Adds(0.0, 2.0), Adds(3.0)))))
    torch.testing.assert_close(chain.begin(RUN)(cells, 0.0), 2 * (cells + 1) + 3)


def test_what_a_mask_keeps_is_kept_to_the_bit():
    cells = noise(1, 4, 32, 96)
    free = torch.zeros(1, 1, 32, 96, dtype=torch.float64)
    free[..., :40], free[..., 40] = 1.0, 0.25
    after = Operation.begin(Adds(1.0), replace(RUN, free=free)).cells(cells, 0.0)
    assert torch.equal(after[..., 41:], cells[..., 41:])
    torch.testing.assert_close(after[..., :41], (cells + free)[..., :41])


@pytest.mark.parametrize(
    "wrong, said",
    [
        (dict(strength=1.5), "strength 1.5: use 0"),
        (dict(until=-0.1), "until -0.1 is no part of a run"),
        (dict(level=0), "level 0: use 1"),
        (dict(filter="box"), "filter 'box' is unknown; use one of haar, gauss"),
        (dict(channels="red"), "channels 'red' is unknown"),
    ],
)
def test_wrong_values_are_refused(wrong: dict, said: str):
    with pytest.raises(ValueError, match=f"^{said}"):
        CoarseLock(**wrong)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="nothing to keep the drawing of"):
        CoarseLock().begin(RUN)
    with pytest.raises(ValueError, match="a reference of 5 latents of 8 x 8 cells for 5 views of 32 x 32"):
        CoarseLock(reference=noise(5, 4, 8, 8)).begin(RUN)
    with pytest.raises(ValueError, match="set channels to all"):
        CoarseLock(reference=noise(5, 4, 32, 32)).begin(OperatorRun(RUN.average, RUN.views_of))
    with pytest.raises(ValueError, match="3 channels, the model's 4"):
        CoarseLock(channels="all", reference=noise(5, 3, 32, 32)).begin(RUN)(noise(1, 4, 32, 96), 0.0)
