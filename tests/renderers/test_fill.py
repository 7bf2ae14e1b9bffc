"""Holes of a panorama: filled from all around them, over the seam and the poles too."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from syncpack.renderers.panorama.fill import FILLINGS, fill_equirect, nearest_seen
from syncpack.renderers.panorama.space import equirect_directions


def smooth(rows):
    x, y, z = equirect_directions(rows, 2 * rows).float().unbind(-1)
    return torch.stack([0.5 + 0.4 * x, 0.5 + 0.3 * y * z, 0.5 - 0.4 * z], -1)


def patchy(rows, share, seed):
    return torch.rand(rows, 2 * rows, generator=torch.Generator().manual_seed(seed)) < share


@settings(max_examples=60)
@example(2, "smooth", 0.25, 0)
@given(st.integers(2, 20), st.sampled_from(FILLINGS), st.floats(0.05, 0.9), st.integers(0, 99))
def test_what_is_seen_stays_and_fills_stay_in_its_range(rows, how, share, seed):
    picture, seen = smooth(rows), patchy(rows, share, seed)
    filled = fill_equirect(picture, seen, how)
    assert torch.equal(filled[seen], picture[seen])
    if how == "nothing" or not seen.any():
        assert not filled[~seen].any()
    else:
        assert bool((filled >= picture[seen].amin(0) - 1e-5).all())
        assert bool((filled <= picture[seen].amax(0) + 1e-5).all())


def test_a_constant_stays_constant():
    seen = patchy(16, 0.1, 3)
    for how in ("smooth", "nearest"):
        assert torch.allclose(fill_equirect(torch.full((16, 32, 3), 0.3), seen, how), torch.tensor(0.3), atol=1e-6)


@pytest.mark.parametrize("rows, share", [(12, 0.02), (16, 0.2), (15, 0.5)])
def test_the_nearest_is_the_nearest_on_the_sphere(rows, share):
    seen = patchy(rows, share, 5)
    assert seen.any()
    directions = equirect_directions(rows, 2 * rows).reshape(-1, 3).float()
    close = directions @ directions[seen.reshape(-1)].T
    best = torch.acos(close.amax(1).clamp(-1, 1))
    found = nearest_seen(seen).reshape(-1)
    assert bool(seen.reshape(-1)[found].all())
    got = torch.acos((directions * directions[found]).sum(-1).clamp(-1, 1))
    assert float((got - best).max()) < 1.5 * 3.1416 / rows, "no further than a cell or so"
    assert float((got - best > 1e-3).float().mean()) < 0.03, "and nearly always exact"


def test_a_hole_at_the_seam_is_filled_from_both_sides():
    picture = torch.zeros(16, 32, 1)
    picture[:, 16:] = 1.0  # right half white: its end meets the black beginning
    seen = torch.ones(16, 32, dtype=torch.bool)
    seen[4:12, :3] = seen[4:12, -3:] = False
    for how in ("smooth", "nearest"):
        filled = fill_equirect(picture, seen, how)[8, :, 0]
        assert float(filled[2]) < 0.35 and float(filled[-3]) > 0.65, how
    assert float(filled[:3].max()) == 0 and float(filled[-3:].min()) == 1, "nearest: split in the middle of the hole"


def test_a_hole_at_a_pole_is_one_colour():
    """Its border is near from everywhere in it: no streaks along the columns."""
    seen = torch.ones(32, 64, dtype=torch.bool)
    seen[:6] = False
    stripes = (torch.arange(64) // 4 % 2).float().expand(32, 64)[..., None]
    filled = fill_equirect(stripes, seen, "smooth")
    assert float(filled[0].std()) < 0.1 and 0.4 < float(filled[0].mean()) < 0.6


def test_a_smooth_picture_is_guessed_well():
    picture = smooth(64)
    seen = torch.ones(64, 128, dtype=torch.bool)
    seen[20:36, 100:] = seen[20:36, :4] = False
    seen[:8] = False
    filled = fill_equirect(picture, seen, "smooth")
    assert float((filled - picture).abs().max()) < 0.25
    assert float((filled - picture)[~seen].abs().mean()) < 0.06


def test_nobody_looks():
    nothing = torch.zeros(8, 16, dtype=torch.bool)
    for how in FILLINGS:
        assert not fill_equirect(smooth(8), nothing, how).any()


def test_bad_input():
    with pytest.raises(ValueError, match="holes 'magic' is unknown; use one of smooth"):
        fill_equirect(smooth(8), torch.ones(8, 16, dtype=torch.bool), "magic")
    with pytest.raises(ValueError, match="does not fit"):
        fill_equirect(smooth(8), torch.ones(8, 8, dtype=torch.bool), "smooth")
