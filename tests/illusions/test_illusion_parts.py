"""Hybrid images: the parts are linear, add up to the picture, and every view decides its own."""

import math

import pytest
import torch
from helpers.k_runs import run, ve
from hypothesis import given
from hypothesis import strategies as st
from oracles.parameterization import ddim_levels
from oracles.twins import F64, draw
from syncpack.renderers.illusions.space import Illusion, Warps, illusion_views
from syncpack.renderers.illusions.warps import (
    Colour,
    Grayscale,
    HighBand,
    Identity,
    LowBand,
    Masked,
    MiddleBand,
    Motion,
    Still,
)
from syncpack.renderers.illusions.warps.motion import motion_kernel
from syncpack.renderers.pictures import filtered
from syncpack.renderers.scene import Scene
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.synchronizer import Synchronizer, SyncPlan
from syncpack.sync_core.variance import VarianceCorrection, gaussian

FAMILIES = {
    "two bands": (LowBand(), HighBand()),
    "three bands": (LowBand(2.0, fine=1.0), MiddleBand(1.0, 2.0), HighBand(1.0)),
    "colour": (Grayscale(), Colour()),
    "motion": (Motion(), Still()),
}


def mirrored(i: int, length: int) -> int:
    i %= 2 * length
    return i if i < length else 2 * length - 1 - i


@pytest.mark.parametrize("shape", [(3, 5), (1, 1), (5, 3), (9, 9)])
def test_filters_equal_a_loop_over_pixels(shape: tuple[int, int]) -> None:
    picture, kernel = draw(2, 3, 7, 6), draw(*shape, seed=1)
    expected = torch.zeros_like(picture)
    for r in range(7):
        for c in range(6):
            for i in range(shape[0]):
                for j in range(shape[1]):
                    a, b = mirrored(r + i - shape[0] // 2, 7), mirrored(c + j - shape[1] // 2, 6)
                    expected[:, :, r, c] += kernel[i, j] * picture[:, :, a, b]
    torch.testing.assert_close(filtered(picture, kernel), expected, rtol=0, atol=1e-12)


def test_bands_equal_factorized_diffusions_formulas() -> None:
    """At 64 pixels: low = G2 x, high = x - G2 x; of three: high = x - G1 x, low = G2 G1 x, the middle is the rest."""
    x = draw(1, 3, 64, 64)

    def blurred(picture: torch.Tensor, sigma: float) -> torch.Tensor:
        kernel = gaussian(sigma)
        return filtered(picture, kernel[:, None] * kernel)

    torch.testing.assert_close(LowBand(2.0).part(x), blurred(x, 2), rtol=0, atol=1e-12)
    low, middle, high = (w.part(x) for w in FAMILIES["three bands"])
    torch.testing.assert_close(high, x - blurred(x, 1), rtol=0, atol=1e-12)
    torch.testing.assert_close(low, blurred(blurred(x, 1), 2), rtol=0, atol=1e-12)
    torch.testing.assert_close(middle, x - high - low, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("angle", "along"), [(0, (0, 1)), (90, (1, 0)), (45, (1, 1)), (135, (1, -1))])
def test_motion_smears_along_its_direction(angle: int, along: tuple[int, int]) -> None:
    kernel = motion_kernel(7.0, angle)
    assert float(kernel.sum()) == pytest.approx(1)
    index = torch.nonzero(kernel) - kernel.shape[0] // 2
    assert bool(((index[:, 0] * along[1] - index[:, 1] * along[0]).abs() <= 1).all())
    assert torch.equal(kernel, kernel.flip(0, 1))
    assert float(index.double().norm(dim=1).max()) >= 2
    assert torch.equal(motion_kernel(0.5, angle), torch.ones(1, 1, dtype=F64))


@pytest.mark.parametrize(("side", "cells"), [(64, 7), (128, 15), (192, 21), (256, 29)])
def test_motion_is_that_of_factorized_diffusion(side: int, cells: int) -> None:
    """Its kernel at every size: the diagonal of 7 cells of 64, made odd; away from the edges the very same picture."""
    torch.testing.assert_close(motion_kernel(7.0 * side / 64, 45), torch.eye(cells, dtype=F64) / cells)
    x = draw(1, 3, side, side, seed=4)
    reach = cells // 2
    slow = sum(x.roll((-k, -k), (-2, -1)) for k in range(-reach, reach + 1)) / cells
    inside = slice(reach, side - reach)
    got = Motion().part(x)
    torch.testing.assert_close(got[..., inside, inside], slow[..., inside, inside], rtol=0, atol=1e-12)
    torch.testing.assert_close(got + Still().part(x), x, rtol=0, atol=1e-12)


@given(st.floats(-400, 400), st.floats(0, 20))
def test_motion_kernels_are_lines_of_weight_one(angle: float, pixels: float) -> None:
    kernel = motion_kernel(pixels, angle)
    side = kernel.shape[0]
    assert side % 2 == 1 and float(kernel.sum()) == pytest.approx(1) and float(kernel.min()) >= 0
    torch.testing.assert_close(kernel, kernel.flip(0, 1), rtol=0, atol=1e-6)
    y, x = torch.nonzero(kernel > 0, as_tuple=True)
    turn = math.radians(angle)
    off = (y - side // 2) * math.cos(turn) - (x - side // 2) * math.sin(turn)
    assert float(off.abs().max()) <= 1.0001


@pytest.mark.parametrize("family", FAMILIES)
@given(st.integers(4, 40), st.integers(4, 40), st.integers(0, 99))
def test_parts_are_linear_and_add_up(family: str, high: int, wide: int, seed: int) -> None:
    parts = FAMILIES[family]
    x, y = draw(1, 3, high, wide, seed=seed), draw(1, 3, high, wide, seed=seed + 1)
    torch.testing.assert_close(sum(w.part(x) for w in parts), x, rtol=0, atol=1e-11)
    for w in parts:
        torch.testing.assert_close(w.part(x - 2 * y), w.part(x) - 2 * w.part(y), rtol=0, atol=1e-11)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_view_decides_its_part(family: str) -> None:
    parts = FAMILIES[family]
    views = illusion_views(Illusion(32, 32), Warps(parts), 32, 32)
    batch = draw(2 * len(parts), 3, 32, 32)
    z = Aggregator(views)(batch)
    assert z.shape == (2, 3, 32, 32)
    for b in range(2):
        expected = sum(w.part(batch[b * len(parts) + i][None]) for i, w in enumerate(parts))
        torch.testing.assert_close(z[b], expected[0], rtol=0, atol=1e-11)
    torch.testing.assert_close(views.project(z)[: len(parts)], z[:1].expand(len(parts), -1, -1, -1))
    consistent, _ = Synchronizer(SyncPlan(), views).sync(batch)
    torch.testing.assert_close(Synchronizer(SyncPlan(), views).sync(consistent)[0], consistent, rtol=0, atol=1e-11)


@pytest.mark.parametrize("family", FAMILIES)
def test_five_cases_are_one_trajectory_for_hybrids(family: str) -> None:
    """A f = I, so all cases are one trajectory, with A a sum of parts; averaging x0 is averaging noise, as flow models
    need."""
    parts, levels = FAMILIES[family], ve(ddim_levels(20, final_alpha_bar=1.0))
    views = illusion_views(Illusion(16, 16), Warps(parts), 16, 16)
    targets = draw(len(parts), 3, 16, 16, seed=4)

    def denoise(x: torch.Tensor, sigma: float) -> torch.Tensor:
        return torch.tanh(x / math.hypot(1, sigma)) + targets

    z = levels[0] * draw(1, 3, 16, 16)
    ends = []
    for case in (1, 2, 3, 4, 5):
        end = run(case, views, denoise, levels, views.project(z) if case < 4 else z)
        ends.append(Aggregator(views)(end) if case < 4 else end)
    assert max(float((e - ends[0]).abs().max()) for e in ends) < 1e-11 * float(ends[0].abs().max())


def test_a_hybrid_of_two_priors_has_the_low_band_of_one_and_the_detail_of_the_other() -> None:
    levels = ve(ddim_levels(20, final_alpha_bar=1.0))
    views = illusion_views(Illusion(64, 64), Warps((LowBand(), HighBand())), 64, 64)
    pictures = draw(2, 3, 64, 64, seed=4)
    z = run(2, views, lambda x, sigma: pictures.to(x), levels, views.project(levels[0] * draw(1, 3, 64, 64)))[:1]
    torch.testing.assert_close(z, LowBand().part(pictures[:1]) + HighBand().part(pictures[1:]), rtol=0, atol=1e-10)


def test_masks_split_the_picture_by_place() -> None:
    mask = torch.zeros(32, 32)
    mask[:, :16] = 1
    mask[:, 16:20] = 0.25
    views = illusion_views(Illusion(32, 32), Warps((Masked(mask=mask), Masked(mask=mask, invert=True))), 32, 32)
    batch = draw(2, 3, 32, 32)
    expected = mask * batch[0] + (1 - mask) * batch[1]
    torch.testing.assert_close(Aggregator(views)(batch)[0], expected, rtol=0, atol=1e-7)
    assert float(Masked(mask=mask).weights(16, 16).sum()) == pytest.approx(float(mask.sum()) / 4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Warps((LowBand(), HighBand(1.0))).check(),
            "^parts low_band, high_band do not add up to the picture; use pairs",
        ),
        (lambda: Scene(Illusion(8, 8), Warps((LowBand(),))), "^parts low_band do not add up"),
        (lambda: Warps((LowBand(), Identity())).check(), "^warps low_band, identity: some own a part of the picture"),
        (lambda: Warps(FAMILIES["colour"], (1.0, 2.0)).check(), "^parts of a picture have no weights or blends"),
        (lambda: illusion_views(Illusion(32, 32, 2), Warps(FAMILIES["colour"]), 32, 32), "planes do not go together"),
        (lambda: LowBand(0.0), "^sigma 0: use more than 0, up to 16 sixty-fourths"),
        (lambda: Motion(1.0), "^length 1, angle 45: use a length above 1"),
        (
            lambda: VarianceCorrection(
                Aggregator(illusion_views(Illusion(8, 8), Warps(FAMILIES["colour"]), 8, 8)), 0.5
            ),
            "^variance_correction 0.5 repairs weighted means",
        ),
    ],
)
def test_bad_rigs_are_one_clear_line(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
