"""Cameras of the host's 3D viewer and nodes, read and given out: pictures of both sides."""

import math
from dataclasses import replace

import pytest
import torch
from helpers.host_nodes import find_node, run_found
from helpers.hosting import host
from helpers.three_d import colours_apart, ours, overlap, small_torus, theirs
from oracles.splat_twins import ball
from syncpack.nodes.host.mesh_socket import to_socket
from syncpack.nodes.host.splat_socket import to_splat
from syncpack.nodes.splats.view_nodes import SplatViews
from syncpack.nodes.views.orbit_nodes import OrbitRig, RigCamera
from syncpack.renderers.mesh.space import MeshTexture
from syncpack.renderers.splats.space import SplatColours
from syncpack.renderers.splats.splats import SH_DC

pytestmark = pytest.mark.host
if not host.HAS_MODEL_INFO:
    pytest.skip("this host does not say where its 3D viewer puts models", allow_module_level=True)

MESH = small_torus()
SPACE = MeshTexture(MESH, 64, 64, backend="torch")
ORBIT = {"mode": "orbit", "yaw": 35.0, "pitch": 25.0, "distance": 1.6}
AIM = {"target_x": 0.05, "target_y": 0.1, "target_z": 0.0}
CAMERAS = {
    "orbit": {"mode": ORBIT, **AIM},
    "zoomed": {"mode": ORBIT, **AIM, "zoom": 1.5, "fov": 50.0},
    "look at": {"mode": {"mode": "look_at", "position_x": -1.0, "position_y": -0.5, "position_z": 0.9}, **AIM},
    "from behind": {"mode": {**ORBIT, "yaw": 200.0, "pitch": -30.0}, **AIM},
}
PLACED = [
    {
        "position": {"x": 0.3, "y": -0.2, "z": 0.1},
        "quaternion": {"x": 0.0, "y": math.sin(0.4), "z": 0.0, "w": math.cos(0.4)},
        "scale": {"x": 1.7, "y": 1.7, "z": 1.7},
    }
]


def made_camera(**wishes):
    find_node("CreateCameraInfo")
    return run_found("CreateCameraInfo", **wishes)[0]


def rig_with(camera, width=96, height=72, **more):
    widgets = {"kind": "camera", "width": width, "height": height, "fov": 60.0, "distance": 2.0, "framing": "reference"}
    return OrbitRig().build(**{**widgets, "front": 0.0, **more}, camera=camera)


@pytest.mark.parametrize("with_space", [True, False])
@pytest.mark.parametrize("name", CAMERAS)
def test_a_camera_of_the_host_shows_us_what_it_shows_the_host(name, with_space):
    camera = made_camera(**CAMERAS[name])
    rig, _ = rig_with(camera, space=SPACE if with_space else None)
    pair = ours(MESH, rig, 1), theirs(to_socket(MESH), camera, 96, 72)
    assert overlap(pair[0][1], pair[1][1]) > 0.98 and colours_apart(*pair) < 0.02


def test_a_model_that_was_moved_in_the_viewer():
    camera = made_camera(mode={**ORBIT, "distance": 3.0}, target_x=0.4, target_y=0.0)
    rig, _ = rig_with(camera, space=SPACE, model_3d_info=PLACED)
    pair = ours(MESH, rig, 1), theirs(to_socket(MESH), camera, 96, 72, model_3d_info=PLACED)
    assert overlap(pair[0][1], pair[1][1]) > 0.98 and colours_apart(*pair) < 0.02
    assert overlap(ours(MESH, rig_with(camera, space=SPACE)[0], 1)[1], pair[0][1]) < 0.8, "it was moved indeed"
    back, _, _ = RigCamera().give(rig, 1, SPACE, PLACED)
    assert [back["position"][a] for a in "xyz"] == pytest.approx([camera["position"][a] for a in "xyz"], abs=1e-5)
    assert [back["quaternion"][a] for a in "xyzw"] == pytest.approx([camera["quaternion"][a] for a in "xyzw"], abs=1e-5)


@pytest.mark.parametrize("projection", ["perspective", "orthographic"])
def test_a_camera_that_is_given_out_comes_back(projection):
    rig, _ = rig_with(None, kind="orbit_sphere", views=5, space=SPACE, projection=projection)
    for number in range(1, 6):
        camera, width, height = RigCamera().give(rig, number, SPACE)
        (again,) = rig_with(camera, width, height, space=SPACE)[0].viewpoints
        assert again.pixels(MESH.vertices[:9].double(), 72, 96)[0].tolist() == pytest.approx(
            rig.viewpoints[number - 1].pixels(MESH.vertices[:9].double(), 72, 96)[0].tolist(), abs=1e-3
        )
        assert (again.span is None) == (projection == "perspective")


def test_every_view_of_a_rig_is_the_hosts_picture():
    """The reference's ten cameras, at a camera whose axis the host does not turn (it looks straight down otherwise)."""
    rig, _ = rig_with(None, kind="orbit", azimuth_step=120.0, elevations="0, 40", space=SPACE, top_cameras=False)
    for number in range(1, len(rig.viewpoints) + 1):
        camera, width, height = RigCamera().give(rig, number, SPACE)
        pair = ours(MESH, rig, number), theirs(to_socket(MESH), camera, width, height)
        assert overlap(pair[0][1], pair[1][1]) > 0.98, number


# Splats


def solid():
    """Splats that hide what is behind them; where they lie differs from every turned or mirrored scene."""
    splats = ball(12000, far=0.35)
    points = splats.positions * torch.tensor([1.0, 0.6, 0.8]) + torch.tensor([0.4, -0.3, 0.2])
    # (colours that change slowly: the two renderers blend in other ways)
    sh = ((torch.nn.functional.normalize(points, dim=1) * 0.4) / SH_DC)[:, None]
    return replace(splats, positions=points, opacities=torch.full((12000,), 0.98), sh=sh)


def splat_pair(splats, rig, camera, up="-y"):
    space = SplatColours(replace(splats, up=up), backend="torch")
    images, _, alpha, _ = SplatViews().render(space, rig, "#204060", "joint")
    shown = run_found(
        "RenderSplat",
        splat=to_splat(splats),
        width=96,
        height=72,
        camera_info=camera,
        sharpen=1.0,
        background="#204060",
    )
    return (images[0], alpha[0]), (shown[0][0].float(), shown[1][0].float())


@pytest.mark.parametrize("up", ["-y", "+y", "+z"])
@pytest.mark.parametrize("camera_type", ["perspective", "orthographic"])
def test_a_camera_of_the_host_shows_splats_alike(camera_type, up):
    splats = solid()
    camera = made_camera(
        mode={**ORBIT, "distance": 4.5}, target_x=0.4, target_y=0.3, target_z=-0.2, roll=20.0, camera_type=camera_type
    )
    for space in (SplatColours(replace(splats, up=up), backend="torch"), None):
        pair = splat_pair(splats, rig_with(camera, space=space)[0], camera, up)
        assert overlap(pair[0][1], pair[1][1]) > 0.93 and colours_apart(*pair) < 0.06


def test_a_rigs_camera_shows_the_host_splats_alike():
    splats = solid()
    space = SplatColours(replace(splats, up="+z"), backend="torch")
    rig, _ = rig_with(None, kind="orbit_sphere", views=4, space=space)
    for number in (1, 3):
        camera, _, _ = RigCamera().give(rig, number, space)
        one = replace(rig, viewpoints=rig.viewpoints[number - 1 : number])
        pair = splat_pair(splats, one, camera, "+z")
        assert overlap(pair[0][1], pair[1][1]) > 0.93 and colours_apart(*pair) < 0.06


# What cannot be


def test_views_of_another_shape_say_so():
    camera = {**made_camera(**CAMERAS["orbit"]), "aspect": 2.0}
    assert "the viewer is 2.00 times as wide as high" in rig_with(camera, space=SPACE)[1]
    assert "viewer" not in rig_with({**camera, "aspect": 96 / 72}, space=SPACE)[1]


def test_cameras_that_cannot_be_are_refused():
    camera = made_camera(**CAMERAS["orbit"])
    uneven = [{**PLACED[0], "scale": {"x": 1, "y": 2, "z": 1}}]
    with pytest.raises(ValueError, match=r"^OrbitRig: the model is scaled by 1, 2, 1 in the viewer"):
        rig_with(camera, space=SPACE, model_3d_info=uneven)
    with pytest.raises(ValueError, match=r"^OrbitRig: the viewer's camera stands where the file has it; connect"):
        rig_with(camera, kind="orbit")
    rig, _ = rig_with(None, kind="orbit", space=SPACE)
    with pytest.raises(ValueError, match=r"^RigCamera: there is no view 11; this rig has views 1 to 10"):
        RigCamera().give(rig, 11, SPACE)
    with pytest.raises(ValueError, match=r"^RigCamera: the rig's cameras stand around an object; connect"):
        RigCamera().give(rig, 1)


@pytest.mark.parametrize("projection", ["perspective", "orthographic"])
def test_a_tight_view_is_a_part_of_the_picture(projection):
    """At the same scale, its pixels moved."""
    rig, _ = rig_with(None, kind="orbit", framing="tight", space=SPACE, projection=projection)
    points = (MESH.vertices[::7].double() - torch.tensor(MESH.centre)) / MESH.radius
    for number, own in enumerate(rig.viewpoints, 1):
        camera, width, height = RigCamera().give(rig, number, SPACE)
        (seen,) = rig_with(camera, width, height, space=SPACE)[0].viewpoints
        was, now = own.pixels(points, 72, 96)[:2], seen.pixels(points, height, width)[:2]
        for before, after, more in zip(was, now, (height - 72, width - 96), strict=True):
            assert float((after - before).std()) < 1e-3
            assert -1e-3 <= float((after - before).mean()) <= more + 1e-3
