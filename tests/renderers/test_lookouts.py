"""Sets of cameras: whole spheres without a hole, the reference's ring, cameras written down."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from syncpack.renderers.cameras.lookouts import custom, fibonacci, ring, sphere
from syncpack.renderers.cameras.looks import Look, pixels_of
from syncpack.renderers.panorama.space import equirect_directions


def views_per_cell(looks, rows=90):
    directions = equirect_directions(rows, 2 * rows)
    return sum(pixels_of(look, directions, 64, 64)[2].long() for look in looks)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([sphere, fibonacci]), st.floats(50, 120), st.floats(0, 0.5))
def test_whole_spheres_have_no_hole(build, fov, overlap):
    looks = build(fov, overlap)
    assert int(views_per_cell(looks).min()) >= 1
    assert all(look.fov == pytest.approx(math.radians(fov)) for look in looks)


@pytest.mark.parametrize("build", [sphere, fibonacci])
@pytest.mark.parametrize("fov", [60, 72, 80, 90, 100])
def test_the_promised_coverage(build, fov):
    """Every cell of a fine map, poles and seam included, for the fields of view that the help page names."""
    assert int(views_per_cell(build(fov, 0.1), 256).min()) >= 1


def test_more_overlap_takes_more_views():
    for build in (sphere, fibonacci):
        counts = [len(build(75, overlap)) for overlap in (0.0, 0.25, 0.5)]
        assert counts == sorted(counts) and counts[0] < counts[2]
    assert len(sphere(90, 0.25)) == 17


def test_the_reference_ring():
    """39.2 % of the pixels, 17.7 % by one view and 21.5 % by two by the exact frames."""
    looks = ring(45, 72)
    assert [round(math.degrees(look.azimuth)) for look in looks] == [0, 45, 90, 135, 180, -135, -90, -45]
    seen = views_per_cell(looks, 512)
    assert float((seen > 0).float().mean()) == pytest.approx(0.392, abs=0.002)
    assert set(seen.unique().tolist()) == {0, 1, 2}
    assert float((seen == 2).float().mean()) == pytest.approx(0.22, abs=0.01)


def test_rings():
    assert len(ring(50, 60)) == 8, "a step that does not divide 360 is narrowed"
    two = ring(90, 60, (-30.0, 30.0), start=10)
    assert len(two) == 8 and math.degrees(two[0].azimuth) == pytest.approx(10)
    assert sorted({round(math.degrees(look.elevation)) for look in two}) == [-30, 30]


def test_cameras_written_down():
    looks = custom("0 0\n# a comment\n45, 30 100  # up\n\n-90 -10 60 15", 80)
    assert looks == (
        Look.degrees(0, 0, 80),
        Look.degrees(45, 30, 100),
        Look.degrees(-90, -10, 60, 15),
    )


@pytest.mark.parametrize(
    "text, message",
    [("", "no camera"), ("0 0\nnorth", "line 2 'north'"), ("0", "line 1 '0'"), ("0 95", "elevation 95")],
)
def test_lines_that_are_no_camera(text, message):
    with pytest.raises(ValueError, match=message):
        custom(text, 90)


def test_bad_rigs():
    for call, message in (
        (lambda: ring(0, 60), "azimuth step 0"),
        (lambda: sphere(180), "field of view 180"),
        (lambda: fibonacci(90, 1.0), "overlap 1"),
        (lambda: sphere(6, 0.5), "thousands"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_angles_are_normalised():
    for look in (*sphere(60), *fibonacci(60), *ring(30, 60)):
        assert -math.pi <= look.azimuth <= math.pi
    assert torch.isfinite(views_per_cell(fibonacci(60)).float()).all()
