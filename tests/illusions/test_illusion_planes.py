"""n-to-1: several canonical planes blended into what the views see, against the published Adam path."""

import itertools
import math

import pytest
import torch
from helpers.k_runs import STD, gain_of, gaussian, product, rms, run, ve
from hypothesis import given
from hypothesis import strategies as st
from oracles.illusion_adam import adam_planes
from oracles.parameterization import ddim_levels
from oracles.transposes import adjoint
from oracles.twins import apply_to_views, dense, draw, generator
from syncpack.renderers.illusions.planes import LeastNorm, SharedBlend, SharedWarp
from syncpack.renderers.illusions.space import Illusion, Warps, illusion_views
from syncpack.renderers.illusions.warps import warp
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.noise import polar_noise
from syncpack.sync_core.views import ViewSet
from torch import Tensor

LEVELS = ddim_levels(50, final_alpha_bar=1.0)


def planes(count: int, blend: tuple[tuple[float, ...], ...] = (), names=("identity", "rotate_90"), size=8) -> ViewSet:
    return illusion_views(Illusion(size, size, count), Warps(tuple(map(warp, names)), (), blend), size, size)


def uniform(count: int) -> tuple[float, ...]:
    return (1 / count,) * count


def dirichlet(count: int, seed: int) -> tuple[float, ...]:
    share = -torch.rand(count, generator=generator(seed), dtype=torch.float64).log()
    return tuple((share / share.sum()).tolist())


def pseudo_inverse(views: ViewSet, batch: Tensor) -> Tensor:
    """argmin |z| among argmin |f z - v|, densely."""
    return apply_to_views(torch.linalg.pinv(dense(views.forward)), views, batch)


SIX = ((1.0, 0.0, 0.5), (0.2, -0.8, 0.3))
CASES_OF_BLENDS = {
    "mean of ten": (10, (), ("identity", "rotate_90", "flip_y"), SharedBlend),
    "one blend": (3, ((0.7, 0.2, -0.4),), ("identity", "jigsaw"), SharedBlend),
    "negate": (2, ((0.5, 0.5),), ("identity", "negate"), SharedBlend),
    "own blends, one warp": (3, SIX, ("skew", "skew"), SharedWarp),
    "more views than planes": (2, ((1.0, 0.0), (0.0, 1.0), (0.5, 0.5)), ("flip_x",) * 3, SharedWarp),
    "own blends, own warps": (3, SIX, ("identity", "rotate_90"), LeastNorm),
}


@pytest.mark.parametrize("name", CASES_OF_BLENDS)
def test_planes_are_those_of_least_norm(name: str) -> None:
    count, blend, names, kind = CASES_OF_BLENDS[name]
    size = 16 if "jigsaw" in names else 6
    views = planes(count, blend, names, size)
    assert isinstance(views.combine, kind)
    batch = draw(2 * len(names), 2, size, size)
    found = Aggregator(views)(batch)
    assert found.shape == (2, 2, count * size, size)
    torch.testing.assert_close(found, pseudo_inverse(views, batch), rtol=0, atol=2e-6)
    assert torch.equal(found, Aggregator(views, "least_squares")(batch))


@given(st.integers(1, 4), st.integers(0, 99), st.booleans())
def test_adjoint_and_right_inverse(count: int, seed: int, shared: bool) -> None:
    """<f z, v> = <z, f^T v>; views that can be explained are explained: f A f = f."""
    blend = (dirichlet(count, seed),) if shared else (dirichlet(count, seed), dirichlet(count, seed + 1))
    views = planes(count, blend, size=4)
    z, v = draw(1, 2, 4 * count, 4, seed=seed), draw(2, 2, 4, 4, seed=seed + 1)
    shown = views.project(z)
    assert float((shown * v).sum()) == pytest.approx(float((z * adjoint(views, v)).sum()), abs=1e-5)
    torch.testing.assert_close(views.project(Aggregator(views)(shown)), shown, rtol=0, atol=2e-5)


def test_weights_of_views_count_for_planes() -> None:
    rig = Warps((warp("identity"), warp("flip_x")), (3.0, 1.0))
    views = illusion_views(Illusion(4, 4, 2), rig, 4, 4)
    batch = draw(2, 1, 4, 4)
    z = Aggregator(views)(batch)
    expected = 0.75 * batch[0] + 0.25 * batch[1].flip(2)
    torch.testing.assert_close(views.project(z)[0], expected, rtol=0, atol=1e-6)
    assert torch.equal(z[:, :, :4], z[:, :, 4:])


def start_of(views: ViewSet, case: int, z: Tensor, shared: bool = True) -> Tensor:
    """Views start white and shared (polar), the canonical signal as white planes."""
    return z if case > 3 else polar_noise(views, z, lambda: torch.zeros(0))


def rendered_variance(views: ViewSet, case: int, levels, z: Tensor) -> float:
    """Variance of what the views show at the end, over the prior's."""
    end = run(case, views, gaussian(STD), ve(levels), start_of(views, case, z) / levels[0].alpha)
    shown = views.project(end) if case > 3 else end
    return rms(shown) ** 2 / STD**2


@pytest.mark.parametrize(
    ("count", "blend", "kept"),
    [(2, None, 0.505), (5, None, 0.200), (10, None, 0.100), (10, 1, None)],
)
def test_k9_canonical_states_lose_variance_and_views_do_not(count: int, blend: int | None, kept: float | None) -> None:
    """Cases 1 to 3 keep 1.0 of what a plain run has; 4 and 5 keep sum w^2 (notes: .505 .200 .100, Dirichlet .183)."""
    share = uniform(count) if blend is None else dirichlet(count, blend)
    theory = sum(w * w for w in share)
    views = planes(count, (share,), size=48)
    plain = rms_of_plain(LEVELS)
    z = draw(1, 3, 48 * count, 48, seed=6)
    for case in (1, 2, 3, 4, 5):
        ratio = rendered_variance(views, case, LEVELS, z) / plain
        # 6912 values: standard error 1.7 %.
        assert ratio == pytest.approx(1.0 if case < 4 else theory, rel=0.05), case
        if kept is not None and case > 3:
            assert ratio == pytest.approx(kept, rel=0.06)
    repaired = run(5, views, gaussian(STD), ve(LEVELS), z / math.sqrt(theory) / LEVELS[0].alpha)
    assert rms(views.project(repaired)) ** 2 / STD**2 / plain == pytest.approx(1.0, rel=0.05)


def rms_of_plain(levels) -> float:
    """Variance that a run without synchronisation ends with, over the prior's."""
    gain = product([gain_of(STD, a, b) for a, b in itertools.pairwise(levels)])
    return (gain / STD) ** 2


def test_k9_what_no_view_sees() -> None:
    """The part of z that the blend hides: Case 4 blows it up (8 to 11), Case 5 ends with 1e-17."""
    views = planes(10, size=16)
    z = draw(1, 3, 160, 16, seed=6) / LEVELS[0].alpha
    for case, low, high in ((4, 8.0, 16.0), (5, 0.0, 1e-6)):
        end = run(case, views, gaussian(STD), ve(LEVELS), z)
        hidden = end - end.unflatten(2, (10, 16)).mean(2, keepdim=True).expand(-1, -1, 10, -1, -1).flatten(2, 3)
        assert low <= rms(hidden) <= high, case


def test_case_2_holds_the_variance_of_ten_planes() -> None:
    """Absolute, against the prior's own variance: within 3 % (many steps, so that the solver itself loses little)."""
    levels = ddim_levels(500, final_alpha_bar=1.0)
    views, z = planes(10, size=64), draw(2, 3, 640, 64, seed=6)
    # 24576 values: standard error 0.9 %.
    assert rendered_variance(views, 2, levels, z) == pytest.approx(1.0, rel=0.03)
    assert rendered_variance(views, 5, levels, z) == pytest.approx(0.1, rel=0.04)


@pytest.mark.parametrize("names", [("identity", "rotate_90"), ("identity", "negate")])
def test_the_published_adam_path_only_comes_near(names: tuple[str, ...]) -> None:
    """Ten steps of Adam from random planes, L1, against the closed form: same problem, higher residual."""
    views = planes(10, names=names, size=16)
    picture = draw(1, 3, 16, 16)
    batch = views.project(picture.repeat(1, 1, 10, 1))  # views that agree: residual 0 is possible
    closed = Aggregator(views)(batch)
    near = adam_planes(views, batch, draw(1, 3, 160, 16, seed=1))
    exact, left = (float((views.project(z) - batch).abs().mean()) for z in (closed, near))
    assert exact < 1e-6 < 0.05 < left
    # Given a thousand steps the twin finds the same picture, so it is the same problem.
    late = adam_planes(views, batch, draw(1, 3, 160, 16, seed=1), 1000)
    assert float((views.project(late) - batch).abs().mean()) < 0.1 * left


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: planes(3, ((0.5, 0.5),)), r"^blend \(0.5, 0.5\) does not fit 3 planes; give 3 numbers, not all 0$"),
        (lambda: planes(2, ((0.0, 0.0),)), r"^blend \(0.0, 0.0\) does not fit 2 planes"),
        (lambda: planes(2, ((1.0, 0.0),) * 3), "^3 blends for 2 warps; give one for each, or one for all$"),
        (lambda: Illusion(8, 8, 0), "^planes 0: use 1 "),
    ],
)
def test_bad_blends_are_one_clear_line(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
