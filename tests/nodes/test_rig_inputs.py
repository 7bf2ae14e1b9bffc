"""What the widgets of CanonicalSpace and ViewRig mean."""

import math

import pytest
from syncpack.nodes.views.spaces import EXAMPLE_CAMERAS, RIG_KINDS, SPACE_KINDS, rig_from, space_from
from syncpack.renderers.cameras.lookouts import fibonacci, sphere
from syncpack.renderers.cameras.looks import Look
from syncpack.renderers.panorama.space import Lookout, Panorama
from syncpack.renderers.plane.space import Plane, Windows
from syncpack.renderers.scene import Scene


def test_spaces():
    assert space_from("plane", 96, 40, True, False) == Plane(96, 40, True, False)
    assert space_from("panorama", 96, 48, False, False) == Panorama(96, 48)
    assert {space_from(kind, 96, 48, False, False).kind for kind in SPACE_KINDS} == set(SPACE_KINDS)
    with pytest.raises(ValueError, match="96 x 40 is not twice as wide as high; use 88 x 44"):
        space_from("panorama", 96, 40, False, False)
    with pytest.raises(ValueError, match="'cube' is unknown; use one of plane"):
        space_from("cube", 96, 48, False, False)


def test_windows_read_what_they_always_did():
    assert rig_from("windows", 64, 48, "stride", 32, "flat") == Windows(64, 48, 32, 32, "flat")
    assert rig_from("windows", 64, 48, "overlap", 16, "hann") == Windows(64, 48, 48, 32, "hann")
    with pytest.raises(ValueError, match="overlap 48 is the whole window"):
        rig_from("windows", 64, 48, "overlap", 48, "hann")


def test_a_ring_reads_step_and_elevations():
    rig = rig_from("ring", 64, 48, fov=72, azimuth_step=90, elevations=" 0, 45; -45.5 ", sampling="bilinear")
    assert isinstance(rig, Lookout) and (rig.width, rig.height, rig.sampling) == (64, 48, "bilinear")
    assert [(round(math.degrees(k.azimuth)), round(math.degrees(k.elevation), 1)) for k in rig.looks[:4]] == [
        (0, 0),
        (90, 0),
        (180, 0),
        (-90, 0),
    ]
    assert len(rig.looks) == 12 and math.degrees(rig.looks[-1].elevation) == pytest.approx(-45.5)
    with pytest.raises(ValueError, match="elevation 'up' is not a number"):
        rig_from("ring", 64, 64, elevations="0, up")
    with pytest.raises(ValueError, match="elevation '' is not a number"):
        rig_from("ring", 64, 64, elevations="")


def test_whole_spheres_read_fov_and_overlap():
    assert rig_from("sphere", 64, 64, fov=80, view_overlap=0.3) == Lookout(sphere(80, 0.3), 64, 64, "nearest")
    assert rig_from("fibonacci", 64, 64, fov=80, view_overlap=0.3) == Lookout(fibonacci(80, 0.3), 64, 64, "nearest")
    for kind in ("sphere", "fibonacci"):
        with pytest.raises(ValueError, match="square views, not 64 x 48"):
            rig_from(kind, 64, 48)


def test_custom_cameras():
    rig = rig_from("custom", 64, 48, fov=70, cameras="0 0\n90 10 100 5")
    assert isinstance(rig, Lookout)
    assert rig.looks == (Look.degrees(0, 0, 70), Look.degrees(90, 10, 100, 5))
    shown = rig_from("custom", 32, 32, cameras=EXAMPLE_CAMERAS)
    scene = Scene(Panorama(64, 32), shown)
    assert int(scene.views(1).views_per_cell.min()) >= 1, "the example sees the whole sphere"


@pytest.mark.parametrize("fov", [0.0, 180.0, -20.0, math.nan])
@pytest.mark.parametrize("kind", RIG_KINDS[1:])
def test_impossible_fields_of_view(kind, fov):
    with pytest.raises(ValueError):
        rig_from(kind, 64, 64, fov=fov, cameras="0 0")


def test_spaces_and_rigs_that_do_not_fit():
    for kind in RIG_KINDS[1:]:
        with pytest.raises(ValueError, match="cannot look at a plane; set ViewRig's kind to windows"):
            Scene(space_from("plane", 128, 64, False, False), rig_from(kind, 64, 64, cameras=EXAMPLE_CAMERAS))
    with pytest.raises(ValueError, match="set ViewRig's kind to ring, sphere, fibonacci or custom"):
        Scene(space_from("panorama", 128, 64, False, False), rig_from("windows", 64, 64, pixels=32))
    with pytest.raises(ValueError, match="kind 'cube' is unknown"):
        rig_from("cube", 64, 64)
