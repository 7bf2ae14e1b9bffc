"""A canonical state whose noise is too weak is noted on every space, as weak as it is measured."""

import json
import logging
import math
import re

import pytest
import torch
from helpers.hosting import Plane, Scene, Windows, gaussian, run_node
from helpers.meshes import torus
from oracles.noise_audit import noise_audit
from oracles.parameterization import Level
from oracles.splat_twins import ball
from syncpack.nodes.engine.notes import weak_noise_note
from syncpack.nodes.views.stitch import report
from syncpack.renderers.cameras.lookouts import ring
from syncpack.renderers.cameras.orbits import orbit
from syncpack.renderers.cameras.viewpoints import Orbit, Viewpoint
from syncpack.renderers.illusions.space import Illusion, Warps
from syncpack.renderers.illusions.warps import warp
from syncpack.renderers.mesh.space import MeshTexture
from syncpack.renderers.panorama.space import Lookout, Panorama
from syncpack.renderers.splats.space import SplatColours
from syncpack.sync_core.noise import seen_noise

pytestmark = pytest.mark.host

CAMERAS = tuple(Viewpoint.orbit(math.pi * i, 0.2, 2.6, fov=math.radians(48)) for i in range(2))
WEAK = {
    "panorama, bilinear": lambda: Scene(Panorama(256, 128), Lookout(ring(90, 90), 128, 128, "bilinear")),
    "mesh, bilinear": lambda: Scene(
        MeshTexture(torus(), 256, 256, backend="torch", sampling="bilinear"), Orbit(orbit(), 128, 128)
    ),
    "splats": lambda: Scene(SplatColours(ball(1200), backend="torch"), Orbit(CAMERAS, 128, 128)),
    "five planes": lambda: Scene(Illusion(128, 128, planes=5), Warps((warp("identity"), warp("flip_x")))),
    "skewed by halves": lambda: Scene(
        Illusion(128, 128),
        Warps((warp("inner_rotate", sampling="bilinear"), warp("inner_rotate", sampling="bilinear"))),
    ),
}
WELL = {
    "windows": lambda: Scene(Plane(192, 64), Windows(64, 64, 32, 64)),
    "panorama, nearest": lambda: Scene(Panorama(256, 128), Lookout(ring(90, 90), 128, 128, "nearest")),
    "mesh, nearest": lambda: Scene(MeshTexture(torus(), 256, 256, backend="torch"), Orbit(orbit(), 128, 128)),
    "flips": lambda: Scene(Illusion(64, 64), Warps((warp("identity"), warp("flip_x"), warp("negate")))),
}
CANONICAL = (4, 5, 6, 49, 50, 51, 52, 53)


def measured(views):
    """Strength of f(z) where views show mostly z, from pictures of white noise."""
    z = torch.randn(64, 1, *views.canonical, generator=torch.Generator().manual_seed(1)).double()
    seen = views.project(z.float()).double().unflatten(0, (64, views.count))[:, :, 0]
    mostly = views.project(torch.ones(1, 1, *views.canonical))[:, 0].abs() > 0.5
    picture = seen[:, mostly][:, None]
    return noise_audit(picture, torch.zeros_like(picture), Level(0.0, 1.0), lags=()).ratio


@pytest.mark.parametrize("name", WEAK)
def test_weak_noise_is_noted_with_its_strength(name):
    scene = WEAK[name]()
    views = scene.views(8)
    strength = measured(views)
    assert strength < 0.9, "or the test shows nothing"
    assert seen_noise(views) == pytest.approx(strength, rel=0.02)
    for number in CANONICAL:
        note = weak_noise_note(scene, number, views)
        assert float(re.search(r"at (\d\.\d\d) of its strength", note)[1]) == pytest.approx(strength, abs=0.02)
        assert f"process {number} " in note and "use process 2" in note and "\n" not in note
        assert ("sampling nearest" in note) == ("bilinear" in name)
    assert not any(weak_noise_note(scene, number, views) for number in (0, 1, 2, 3, 35))
    made = report(scene, torch.randn(views.count, 4, views.height, views.width))
    assert "canonical state's noise" in made.text
    assert json.loads(made.json)["canonical_noise"] == pytest.approx(seen_noise(views))


@pytest.mark.parametrize("name", WELL)
def test_noise_as_strong_as_it_is_needs_no_note(name):
    scene = WELL[name]()
    views = scene.views(8)
    assert seen_noise(views) == pytest.approx(1.0, abs=1e-6) == pytest.approx(measured(views), abs=0.02)
    assert not any(weak_noise_note(scene, number, views) for number in CANONICAL)


@pytest.mark.parametrize(
    "process, name, noted", [(5, "panorama, bilinear", True), (2, "panorama, bilinear", False), (5, "windows", False)]
)
def test_a_run_logs_the_note(caplog, process, name, noted):
    scene = {**WEAK, **WELL}[name]()
    with caplog.at_level(logging.WARNING):
        run_node(gaussian(), scene.space, scene.rig, process=process, steps=1)
    assert any("canonical state, whose noise" in r.message for r in caplog.records) == noted


def test_a_run_of_planes_has_one_note(caplog):
    """What is known of illusions says it already."""
    scene = WEAK["five planes"]()
    with caplog.at_level(logging.WARNING):
        run_node(gaussian(), scene.space, scene.rig, process=5, steps=1)
    notes = [r.message for r in caplog.records if "SyncTweedies: " in r.message]
    assert len(notes) == 1 and "20%" in notes[0]
