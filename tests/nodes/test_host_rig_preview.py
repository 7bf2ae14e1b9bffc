"""The nodes that show rigs and splats: pictures of every space, files and cameras for the front end, bad input."""

import pytest
import torch
from helpers.hosting import one_line
from helpers.meshes import box
from syncpack.nodes.host.mesh_socket import to_socket
from syncpack.nodes.host.splat_socket import to_splat
from syncpack.nodes.viewers.nodes import SyncTweediesPreview360, SyncTweediesPreviewMesh, SyncTweediesPreviewSplats
from syncpack.nodes.views.report import RigPreview
from syncpack.renderers.cameras import orbits
from syncpack.renderers.cameras.looks import Look
from syncpack.renderers.cameras.viewpoints import Orbit
from syncpack.renderers.illusions.space import Illusion, Warps
from syncpack.renderers.illusions.warps import FlipY, Identity
from syncpack.renderers.mesh.space import MeshTexture
from syncpack.renderers.panorama.space import Lookout, Panorama
from syncpack.renderers.plane.space import Plane, Windows
from syncpack.renderers.splats.files.load_save import load_splats
from syncpack.renderers.splats.space import SplatColours
from syncpack.renderers.splats.splats import Splats

pytestmark = pytest.mark.host

CAMERAS = Orbit(orbits.orbit_sphere(26), 64, 48)
LOOKOUT = Lookout((Look.degrees(0, 0, 90), Look.degrees(180, 0, 90)), 64, 64)
WINDOWS = Windows(64, 64, 32, 32)


def cloud(count=300):
    generator = torch.Generator().manual_seed(0)
    return Splats(
        torch.randn(count, 3, generator=generator),
        torch.full((count, 3), 0.15),
        torch.tensor([1.0, 0, 0, 0]).repeat(count, 1),
        torch.rand(count, generator=generator) * 0.5 + 0.5,
        torch.randn(count, 4, 3, generator=generator),
    )


SCENES = {
    "plane": (Plane(128, 64), WINDOWS, (256, 136)),
    "panorama": (Panorama(128, 64), LOOKOUT, (256, 128)),
    "illusion": (Illusion(64, 64), Warps((Identity(), FlipY())), None),
    "mesh": (MeshTexture(box(), 64, 64), CAMERAS, None),
    "splats": (SplatColours(cloud()), CAMERAS, None),
}


@pytest.mark.parametrize("name", SCENES)
def test_every_space_has_a_picture_of_its_views(name, temp_folder):
    space, rig, size = SCENES[name]
    made = RigPreview().draw(space, rig, 256)
    (picture,) = made["result"]
    assert picture.ndim == 4 and picture.shape[0] == 1 and picture.shape[-1] == 3 and picture.dtype == torch.float32
    assert 250 <= max(picture.shape[1:3]) <= 256 and float(picture.min()) >= 0 and float(picture.max()) <= 1
    assert size is None or tuple(picture.shape[1:3]) == size[::-1]
    (shown,) = made["ui"]["images"]
    assert (temp_folder / shown["subfolder"] / shown["filename"]).exists()
    colourful = (picture.amax(-1) - picture.amin(-1) > 0.2).float().mean()
    assert float(colourful) > 0.003, "views are drawn in colours"


def test_the_mesh_is_seen_in_the_middle_and_turns(temp_folder):
    space, rig, _ = SCENES["mesh"]
    straight, turned = (RigPreview().draw(space, rig, 256, turn)["result"][0][0] for turn in (0.0, 45.0))
    high, wide = straight.shape[:2]
    middle = straight[high // 2 - 8 : high // 2 + 8, wide // 2 - 8 : wide // 2 + 8]
    assert float(middle.mean()) > 0.3, "a grey solid on dark paper"
    assert straight.shape != turned.shape or float((straight - turned).abs().max()) > 0.3


def test_a_rig_that_does_not_fit_is_refused():
    with pytest.raises(ValueError) as error:
        RigPreview().draw(Plane(128, 64), CAMERAS)
    one_line(error.value, "RigPreview", "orbit cameras", "windows")


def test_splats_are_written_as_they_lie(temp_folder):
    scene = cloud()
    socket = to_splat(scene)
    made = SyncTweediesPreviewSplats().show(socket, "+z", "classic", CAMERAS)
    assert made["result"] == (socket,)
    (shown,) = made["ui"]["splats"]
    file = shown["file"]
    assert file["type"] == "temp" and file["filename"].endswith(".splat")
    path = temp_folder / file["subfolder"] / file["filename"]
    assert path.stat().st_size == 32 * len(scene)
    found = load_splats(path)
    assert torch.equal(found.positions, scene.positions) and torch.allclose(found.colours, scene.colours, atol=0.003)
    assert shown["axes"] == [[1, 0, 0], [0, 0, 1], [0, -1, 0]] and shown["sharp"] is False
    assert shown["radius"] == pytest.approx(scene.radius) and shown["centre"] == pytest.approx(list(scene.centre))
    rig = made["ui"]["rig"]
    assert len(rig) == 26 and rig[3]["label"] == pytest.approx(list(CAMERAS.viewpoints[3].position), abs=1e-5)


def test_without_a_rig_nothing_is_said_of_one(temp_folder):
    made = SyncTweediesPreviewSplats().show(to_splat(cloud()), "-y")
    assert set(made["ui"]) == {"splats"} and made["ui"]["splats"][0]["sharp"] is True
    assert set(SyncTweediesPreviewMesh().show(to_socket(box()))["ui"]) == {"meshes"}
    assert set(SyncTweediesPreview360().show(torch.zeros(1, 8, 16, 3))["ui"]) == {"panoramas"}


def test_a_mesh_and_a_panorama_show_their_views(temp_folder):
    rig = SyncTweediesPreviewMesh().show(to_socket(box()), rig=CAMERAS)["ui"]["rig"]
    assert [one["number"] for one in rig] == list(range(26)) and "stand" in rig[0]
    rig = SyncTweediesPreview360().show(torch.zeros(1, 8, 16, 3), LOOKOUT)["ui"]["rig"]
    assert [one["label"] for one in rig] == [pytest.approx([0, 0, -1]), pytest.approx([0, 0, 1], abs=1e-6)]


@pytest.mark.parametrize(
    "node, given, rig, words",
    [
        (SyncTweediesPreviewSplats, lambda: {"splats": to_splat(cloud()), "up": "-y"}, WINDOWS, "OrbitRig's or"),
        (SyncTweediesPreviewMesh, lambda: {"mesh": to_socket(box())}, LOOKOUT, "OrbitRig's or"),
        (SyncTweediesPreview360, lambda: {"image": torch.zeros(1, 8, 16, 3)}, CAMERAS, "ViewRig's kind"),
    ],
)
def test_views_of_another_space_are_refused(node, given, rig, words, temp_folder):
    with pytest.raises(ValueError) as error:
        node().show(**given(), rig=rig)
    one_line(error.value, node.__name__, words)
    assert not any(temp_folder.rglob("*.*")), "nothing is written"
