"""Every node of the host that takes a SPLAT, with ours; what it gives, read by us."""

import copy
import math
import re
from dataclasses import replace

import pytest
import torch
from helpers.host_nodes import nodes_that_take, run_found
from helpers.hosting import host
from helpers.splat_files import save_splats
from helpers.three_d import agree, colours_apart, overlap
from oracles.splat_twins import ball
from syncpack.nodes.host.splat_socket import splats_of, to_splat
from syncpack.nodes.splats.file_nodes import SaveSplats, SyncTweediesLoadSplats
from syncpack.nodes.splats.view_nodes import SplatTurntable
from syncpack.renderers.splats.splats import SH_DC

pytestmark = pytest.mark.host
if not host.HAS_SPLAT:
    pytest.skip("this host has no SPLAT type", allow_module_level=True)

FIELDS = ("positions", "scales", "rotations", "opacities", "sh")


def solid(count=5000):
    splats = ball(count, far=0.35)
    sh = (torch.nn.functional.normalize(splats.positions, dim=1) * 0.4 / SH_DC)[:, None]
    return replace(splats, opacities=torch.full((count,), 0.98), sh=sh)


SCENE = solid()


def alike(found, wanted, near=1e-4):
    for field in FIELDS:
        assert torch.allclose(getattr(found, field), getattr(wanted, field), atol=near), field


def as_file(given):
    (file,) = run_found("SplatToFile3D", splat=given, format="ply")
    alike(splats_of(SyncTweediesLoadSplats().load("", model_3d=file)[0]), SCENE)
    for kind in ("spz", "ksplat"):
        (packed,) = run_found("SplatToFile3D", splat=given, format=kind)
        said = rf"^SyncTweediesLoadSplats: a 3D file of format '{kind}' cannot be read here: use Get Splat"
        with pytest.raises(ValueError, match=said):
            SyncTweediesLoadSplats().load("", model_3d=packed)
        alike_colours(splats_of(run_found("File3DToSplat", model_3d=packed)[0]))


def alike_colours(found):
    assert float((found.colours - SCENE.colours).abs().max()) < 0.02


def rendered(given):
    """A turntable of ours against the host's, frame by frame."""
    size = {"width": 96, "height": 72, "background": "#000000"}
    wishes = {"elevation": 15.0, "start": 20.0, "fov": 40.0, "distance": 4.0, "rule": "antialiased"}
    frames, alpha = SplatTurntable().turn(given, frames=2, up="-y", **wishes, **size)
    x, y, z = SCENE.centre
    # The host counts its field of view across the shorter side, and shows scenes turned by half around X.
    fov = math.degrees(2 * math.atan(math.tan(math.radians(20.0)) * 72 / 96))
    for number in range(2):
        mode = {"mode": "orbit", "yaw": 20.0 + 180 * number, "pitch": 15.0, "distance": 4 * SCENE.radius}
        target = {"target_x": x, "target_y": -y, "target_z": -z}
        (camera,) = run_found("CreateCameraInfo", mode=mode, fov=fov, **target)
        shown, mask = run_found("RenderSplat", splat=given, camera_info=camera, sharpen=1.0, **size)[:2]
        assert overlap(alpha[number], mask[0].float()) > 0.93
        assert colours_apart((frames[number], alpha[number]), (shown[0].float(), mask[0].float())) < 0.05


def moved(given):
    (made,) = run_found(
        "TransformSplat", splat=given, translate_x=2.0, rotate_y=90.0, scale_x=2.0, scale_y=2.0, scale_z=2.0
    )
    found, was = splats_of(made), SCENE.positions
    wanted = 2 * torch.stack([was[:, 2], was[:, 1], -was[:, 0]], 1) + torch.tensor([2.0, 0.0, 0.0])
    assert torch.allclose(found.positions, wanted, atol=1e-4) and found.source is None
    assert found.radius == pytest.approx(2 * SCENE.radius, rel=0.02)


def counted(given):
    passed, count = run_found("GetSplatCount", splat=given)[:2]
    assert splats_of(passed) is SCENE and count == len(SCENE)


def merged(given):
    (more,) = run_found("TransformSplat", splat=given, translate_x=5.0)
    found = splats_of(run_found("MergeSplat", splats={"splat0": given, "splat1": more})[0])
    assert len(found) == 2 * len(SCENE) and torch.equal(found.positions[: len(SCENE)], SCENE.positions)


def meshed(given):
    few = to_splat(solid(1500))
    (made,) = run_found("SplatToMesh", splat=few, resolution=64, kernel=3, min_component=0)
    assert made.unlit and made.vertex_colors is not None
    agree(made, apart=0.03, views=1)


CHECKS = {
    "SplatToFile3D": as_file,
    "RenderSplat": rendered,
    "TransformSplat": moved,
    "GetSplatCount": counted,
    "MergeSplat": merged,
    "SplatToMesh": meshed,
}


def test_no_node_that_takes_splats_is_forgotten():
    assert set(nodes_that_take(re.compile("^SPLAT$|Splat.Input"))) == set(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_the_hosts_node_takes_our_splats_and_we_take_its(name, folders):
    with torch.inference_mode():
        CHECKS[name](to_splat(SCENE))


def test_the_file_travels_along_until_something_changes(folders):
    save_splats(solid(40), folders / "input" / "a.ply")
    with torch.inference_mode():
        value = SyncTweediesLoadSplats().load("a.ply")[0]
        scene = splats_of(value)
        assert scene.source is not None and splats_of(copy.copy(value)) is scene
        again = SaveSplats().save(copy.copy(value), "b", "ply")["result"][2]
        assert again.get_bytes() == (folders / "input" / "a.ply").read_bytes()
        alike(splats_of(run_found("File3DToSplat", model_3d=again)[0]), scene)
        value.opacities.mul_(0.5)
        changed = splats_of(value)
        assert changed is not scene and changed.source is None
        assert math.isclose(float(changed.opacities.max()), 0.49, abs_tol=1e-3)
