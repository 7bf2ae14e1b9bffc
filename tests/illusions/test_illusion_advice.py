"""Warnings before a run say what then happens: every note is measured, and a rig without one is well."""

import itertools

import pytest
from helpers.k_runs import STD, gain_of, gaussian, product, rms, run, ve
from oracles.parameterization import ddim_levels
from oracles.twins import draw
from syncpack.renderers.illusions.advice import noise_notes
from syncpack.renderers.illusions.space import Illusion, Warps, illusion_views
from syncpack.renderers.illusions.warps import HighBand, LowBand, warp
from syncpack.sync_core.noise import polar_noise

LEVELS = ddim_levels(50, final_alpha_bar=1.0)


def rig(name: str) -> Warps:
    if name == "hybrid":
        return Warps((LowBand(), HighBand()))
    if name == "bilinear":
        return Warps((warp("identity"), warp("inner_rotate", sampling="bilinear")))
    return Warps((warp("identity"), warp(name)))


def shown(space: Illusion, own: Warps, case: int) -> float:
    """Standard deviation of what the views show in the end, over a run without synchronisation."""
    views = illusion_views(space, own, 32, 32)
    z = draw(2, 3, *views.canonical, seed=4)
    start = z if case > 3 else polar_noise(views, z, lambda: draw(4, 3, 32, 32, seed=5))
    end = run(case, views, gaussian(STD), ve(LEVELS), start / LEVELS[0].alpha)
    plain = product([gain_of(STD, a, b) for a, b in itertools.pairwise(LEVELS)])
    return rms(views.project(end) if case > 3 else end) / plain


@pytest.mark.parametrize("name", ["jigsaw", "negate", "inner_rotate", "hybrid"])
@pytest.mark.parametrize("case", [1, 2, 3, 4, 5])
def test_rigs_without_a_note_keep_their_contrast(name: str, case: int) -> None:
    """Hybrids too: their views all show the one picture."""
    if (name, case) == ("inner_rotate", 1):
        notes = noise_notes(Illusion(32, 32), rig(name), 1, 32, 32)
        assert len(notes) == 1 and shown(Illusion(32, 32), rig(name), 1) > 3
        return
    assert noise_notes(Illusion(32, 32), rig(name), case, 32, 32) == []
    assert shown(Illusion(32, 32), rig(name), case) == pytest.approx(1, abs=0.04)


@pytest.mark.parametrize("case", [1, 4])
def test_averaging_the_noise_of_mixing_warps_inflates_it(case: int) -> None:
    notes = noise_notes(Illusion(32, 32), rig("bilinear"), case, 32, 32)
    assert notes[0].startswith(f"process {case} averages noise, and inner_rotate repeats or mixes cells: what the")
    assert shown(Illusion(32, 32), rig("bilinear"), case) > 1.5
    assert noise_notes(Illusion(32, 32), rig("bilinear"), 2, 32, 32) == []


@pytest.mark.parametrize("case", [4, 5])
def test_canonical_states_of_planes_are_flat(case: int) -> None:
    space = Illusion(32, 32, 4)
    assert noise_notes(space, rig("jigsaw"), case, 32, 32) == [
        f"process {case} keeps its state in 4 planes, whose blend shows 25% of its variance: pictures will be flat; "
        "use process 2"
    ]
    assert shown(space, rig("jigsaw"), case) == pytest.approx(0.5, abs=0.03)
    assert noise_notes(space, rig("jigsaw"), 2, 32, 32) == []
    assert shown(space, rig("jigsaw"), 2) == pytest.approx(1, abs=0.03)


def test_a_canonical_state_seen_through_a_blur_is_smooth() -> None:
    notes = noise_notes(Illusion(32, 32), rig("blur"), 5, 32, 32)
    assert len(notes) == 1 and "which is weaker and smoother than noise should be" in notes[0]
    views = illusion_views(Illusion(32, 32), rig("blur"), 32, 32)
    seen = views.project(draw(1, 3, 32, 32))[1]
    assert float(seen.std()) < 0.8 and float((seen[..., 1:] * seen[..., :-1]).mean()) > 0.1


def test_bad_numbers_are_one_clear_line() -> None:
    with pytest.raises(ValueError, match="process"):
        noise_notes(Illusion(32, 32), rig("skew"), 60, 32, 32)
    with pytest.raises(ValueError, match=r"^warp rotate_90 cannot take"):
        noise_notes(Illusion(32, 16), rig("rotate_90"), 2, 16, 32)
