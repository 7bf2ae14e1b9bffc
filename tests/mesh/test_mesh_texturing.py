"""The mesh nodes as the host calls them: space, rig, hints, bake, edit, turntable, report."""

import logging
from dataclasses import replace

import pytest
import torch
from helpers.host_vaes import PatchVae
from helpers.hosting import one_line
from helpers.meshes import box, smooth_colour, torus
from syncpack.nodes import host
from syncpack.nodes.host.mesh_socket import from_socket, to_socket
from syncpack.nodes.mesh.bake_nodes import MeshTextureBake
from syncpack.nodes.mesh.nodes import MeshSpace, MeshTurntable, MeshViews
from syncpack.nodes.mesh.pictures import need_mesh
from syncpack.nodes.views.orbit_nodes import OrbitRig
from syncpack.nodes.views.report import RigReport
from syncpack.renderers.cameras.orbits import orbit
from syncpack.renderers.cameras.viewpoints import Orbit
from syncpack.renderers.colours import background_of
from syncpack.renderers.mesh.looks import MeshViews as Renders
from syncpack.renderers.mesh.material import Part
from syncpack.renderers.mesh.space import MeshTexture
from syncpack.renderers.plane.space import Plane, Windows
from syncpack.renderers.scene import Scene

pytestmark = pytest.mark.host

BASE = {"kind": "orbit", "width": 64, "height": 64, "fov": 60.0, "distance": 2.0, "framing": "reference", "front": 0.0}
BAKE = {"blend": "two bands", "exponent": 6.0, "detail": 4.0, "fill": "smooth"}


@pytest.fixture(scope="module")
def space():
    return MeshSpace().build(to_socket(torus()), 96, 0)[0]


@pytest.fixture(scope="module")
def rig():
    return OrbitRig().build(**BASE)[0]


@pytest.fixture(scope="module")
def views(space, rig):
    mesh = space.mesh

    def at(face, bary):
        return smooth_colour((mesh.vertices[mesh.faces[face]] * bary[..., None]).sum(1))

    return Renders.of(mesh, rig).painted((0.0, 0.0, 0.0), at)


def test_space_and_rig(rig):
    texture = torch.rand(64, 64, 3, generator=torch.Generator().manual_seed(0))
    mesh = replace(torus(), parts=(Part("skin", texture),))
    space, picture = MeshSpace().build(to_socket(mesh), 64, 48)
    assert isinstance(space, MeshTexture) and (space.width, space.height, space.latent_size) == (64, 64, 48)
    assert torch.equal(picture[0], texture)
    assert rig == Orbit(orbit(), 64, 64)
    geometry = need_mesh(space, rig)
    assert len(Scene(space, rig).view_places()) == 10 and geometry.space is space


@pytest.mark.parametrize(
    ("change", "count"),
    [
        ({"azimuth_step": 90.0, "elevations": "0, 40", "top_cameras": False}, 8),
        ({"kind": "orbit_sphere", "views": 14}, 14),
        ({"kind": "custom", "cameras": "0 0\n90 10 3\n# no\n180 -20 2 40"}, 3),
        ({"kind": "coverage", "views": 5}, 5),
    ],
)
def test_kinds_of_rigs(space, change, count):
    wishes = {**BASE, **change, "exponent": 0.0, "exponent_end": 6.0, "projection": "orthographic"}
    rig, report = OrbitRig().build(**wishes, space=space)
    assert len(rig.viewpoints) == count and rig.exponent == (0.0, 6.0)
    assert report.startswith(f"{count} views of 64 x 64") and "of the views' pixels" in report
    assert all(v.span is not None for v in rig.viewpoints)
    assert ("of the surface" in report) == (change.get("kind") == "coverage")


def test_the_front_turns_cameras_and_words(space):
    turned, _ = OrbitRig().build(**{**BASE, "front": 180.0})
    places = Scene(space, turned).view_places()
    assert places[0].azimuth == 0 and abs(turned.viewpoints[0].position[2] + 2) < 1e-6
    custom, _ = OrbitRig().build(**{**BASE, "kind": "custom", "front": 90.0, "cameras": "0 0\n-90 0"})
    assert [p.azimuth for p in Scene(space, custom).view_places()] == [0, -90]
    assert custom.viewpoints[0].position[0] == pytest.approx(2)


def test_tight_frames_of_a_fitted_shape():
    space, _ = MeshSpace().build(to_socket(box((0.3, 1.0, 0.3))), 96, 0)
    loose, _ = OrbitRig().build(**{**BASE, "width": 256, "height": 256})
    rig, report = OrbitRig().build(
        **{**BASE, "width": 256, "height": 256, "framing": "tight"}, aspect="fitted", space=space
    )
    assert rig.width % 64 == rig.height % 64 == 0 and "fitted views have" in report
    used = [Renders.of(space.mesh, r).mask().mean() for r in (loose, rig)]
    assert float(used[1]) > 1.8 * float(used[0])


def test_fov_is_across_the_shorter_side():
    wide, _ = OrbitRig().build(**{**BASE, "width": 128})
    tall, _ = OrbitRig().build(**{**BASE, "height": 128})
    for rig, size in ((wide, (64, 128)), (tall, (128, 64))):
        across, down = rig.viewpoints[0].half_size(*size)
        assert min(across, down) == pytest.approx(3**-0.5)


def test_a_viewers_camera_alone_or_added(space):
    camera = {
        "position": {"x": 0.0, "y": 3.0, "z": 9.0},
        "target": {"x": 0.0, "y": 2.0, "z": 0.0},
        "zoom": 1,
        "cameraType": "perspective",
    }
    alone, _ = OrbitRig().build(**{**BASE, "kind": "camera"}, space=space, camera=camera)
    added, _ = OrbitRig().build(**BASE, space=space, camera=camera)
    assert len(alone.viewpoints) == 1 and len(added.viewpoints) == 11
    if host.HAS_MODEL_INFO:  # (its viewer leaves models where they are, so that the orbit's size must be known)
        with pytest.raises(ValueError, match="OrbitRig: the viewer's camera stands where the file has it; connect the"):
            OrbitRig().build(**BASE, camera=camera)
    else:
        assert len(OrbitRig().build(**BASE, camera=camera)[0].viewpoints) == 11


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "camera"}, "kind camera needs a camera"),
        ({"kind": "coverage"}, "shape; connect MeshSpace's space"),
        ({"framing": "tight"}, "framing tight depends"),
        ({"aspect": "fitted"}, "set framing to tight"),
        ({"kind": "windows"}, "kind 'windows' is unknown"),
        ({"elevations": "high"}, "elevation 'high' is not a number"),
        ({"space": Plane(64, 64)}, "space of kind plane is no object"),
        ({"distance": 0.1, "framing": "tight", "mesh": True}, "too near"),
        ({"distance": 0.75, "mesh": True}, "camera 2 stands inside of mesh 'torus'"),
    ],
)
def test_bad_rigs(space, change, words):
    wishes = {**BASE, **{k: v for k, v in change.items() if k != "mesh"}}
    if "mesh" in change:
        wishes["space"] = space
    with pytest.raises(ValueError) as caught:
        OrbitRig().build(**wishes)
    one_line(caught.value, "OrbitRig", words)


def test_hints(space, rig):
    depth, normal, mask, position, texture, shading = MeshViews().render(space, rig, background="#ff8000")
    for picture in (depth, normal, position, texture, shading):
        assert picture.shape == (10, 64, 64, 3) and float(picture.min()) >= 0 and float(picture.max()) <= 1
    assert mask.shape == (10, 64, 64)
    assert texture[0, 0, 0].tolist() == pytest.approx([1, 128 / 255, 0])
    soft = MeshViews().render(space, rig, soft_depth=False)[0]
    assert float((soft - depth).abs().max()) > 0.05
    with pytest.raises(ValueError) as caught:
        MeshViews().render(Plane(64, 64), Windows(64, 64, 32, 32, "flat"))
    one_line(caught.value, "MeshViews", "use MeshSpace's")


def test_a_bake_of_images(space, rig, views):
    texture, coverage, mesh, report = MeshTextureBake().bake(space, rig, images=views, **BAKE)
    assert texture.shape == (1, 96, 96, 3) and coverage.shape == (1, 96, 96)
    grid = need_mesh(space, rig).texels(96, 96)
    error = (texture[0].reshape(-1, 3)[grid.index] - smooth_colour(grid.position))[coverage.reshape(-1)[grid.index] > 0]
    assert float(error.square().mean()) < 1e-3
    assert torch.equal(from_socket(mesh).parts[0].texture, texture[0])
    assert "of the texels are seen" in report and "views agree by" in report
    both = MeshTextureBake().bake(space, rig, images=torch.cat([views, 1 - views]), **BAKE)
    assert both[0].shape[0] == 2 and torch.equal(both[0][0], texture[0]) and "texture 1:" in both[3]


def test_an_edit_keeps_every_bit_outside_the_mask(space, rig, views):
    old = torch.rand(1, 96, 96, 3, generator=torch.Generator().manual_seed(2))
    mask = torch.zeros(1, 96, 96)
    mask[:, 30:60, 30:60] = 1
    new = MeshTextureBake().bake(space, rig, images=views, mask=mask, previous=old, **BAKE)[0]
    outside = mask[0] == 0
    assert torch.equal(new[0][outside], old[0][outside])
    full = MeshTextureBake().bake(space, rig, images=views, **BAKE)[0]
    assert torch.equal(new[0][~outside], full[0][~outside])
    # Painted in a view: only what it shows changes.
    painted = torch.zeros(10, 64, 64)
    painted[0, 20:44, 20:60] = 1
    some = MeshTextureBake().bake(space, rig, images=views, mask=painted, mask_on="views", previous=old, **BAKE)[0]
    changed = float((some != old).any(-1).float().mean())
    assert 0.005 < changed < 0.4


def test_what_no_view_sees_stays_as_it_was(space, views):
    front, _ = OrbitRig().build(**{**BASE, "kind": "custom", "cameras": "0 0"})
    old = torch.rand(1, 96, 96, 3, generator=torch.Generator().manual_seed(3))
    new, coverage, *_ = MeshTextureBake().bake(space, front, images=views[:1], previous=old, **BAKE)
    grid = need_mesh(space, front).texels(96, 96)
    unseen = coverage[0].reshape(-1)[grid.index] == 0
    assert bool(unseen.any())
    assert torch.equal(new[0].reshape(-1, 3)[grid.index][unseen], old[0].reshape(-1, 3)[grid.index][unseen])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": None}, "nothing to bake; connect views with a vae, or images"),
        ({"images": torch.zeros(7, 64, 64, 3)}, "7 views do not match a rig of 10 views"),
        ({"images": torch.zeros(10, 32, 64, 3)}, "images of 64 x 32 for views of 64 x 64; keep"),
        ({"images": torch.full((10, 64, 64, 3), torch.nan)}, "NaN"),
        ({"blend": "max"}, "blend 'max' is unknown"),
        ({"fill": "grow"}, "fill 'grow' is unknown"),
        ({"mask": torch.ones(3, 96, 96)}, "3 masks on one texture"),
        ({"mask": torch.ones(3, 64, 64), "mask_on": "views"}, "3 masks for 10 views"),
    ],
)
def test_bad_bakes(space, rig, views, change, words):
    with pytest.raises(ValueError) as caught:
        MeshTextureBake().bake(space, rig, **{**BAKE, "images": views, **change})
    one_line(caught.value, "MeshTextureBake", words)


def test_latents_are_decoded(space, rig, views):
    vae = PatchVae()
    baked = MeshTextureBake().bake(space, rig, views={"samples": vae.encode(views)}, vae=vae, **BAKE)[0]
    assert torch.allclose(baked, MeshTextureBake().bake(space, rig, images=views, **BAKE)[0], atol=1e-6)


def test_a_turntable_of_the_result(space, rig, views):
    mesh = MeshTextureBake().bake(space, rig, images=views, **BAKE)[2]
    (frames,) = MeshTurntable().turn(mesh, 3, 48, 32, "black", elevation=0.0, start=0.0, light="none")
    assert frames.shape == (3, 32, 48, 3) and float(frames[:, 0, 0].max()) == 0 and float(frames.max()) > 0.5
    with pytest.raises(ValueError) as caught:
        MeshTurntable().turn(mesh, 3, 48, 32, "sky", elevation=0.0, start=0.0, light="none")
    one_line(caught.value, "MeshTurntable", "background 'sky' is no colour")
    assert background_of(" Grey ") == (0.5, 0.5, 0.5)


def test_the_report(space, rig, temp_folder, caplog):
    with caplog.at_level(logging.WARNING):
        made = RigReport().report(MeshSpace().build(to_socket(box()), 96, 0)[0], rig)
    count, pictures, text = made["result"]
    assert count == 10 and pictures.shape == (2, 768, 768, 3)
    assert "surface seen 83.3 %" in text and "warning: 16.7 %" in caplog.text
    assert len(made["ui"]["images"]) == 2 and len(list(temp_folder.rglob("*.png"))) == 2
