"""The splat nodes: files in and out, recorded cameras, and the socket of newer hosts."""

import json
import math
import os
from types import SimpleNamespace

import pytest
import torch
from hosting import host_module, one_line
from splat_files import ply, random_splats, stored
from syncpack.nodes.splat_file_nodes import CameraFileRig, SaveSplats, SyncTweediesLoadSplats
from syncpack.nodes.splat_files import list_scenes
from syncpack.nodes.splat_socket import Splat, splats_of

pytestmark = pytest.mark.host


@pytest.fixture
def folders(tmp_path):
    """The host's folders, for this test only."""
    folder_paths = host_module("folder_paths", "comfy.cmd.folder_paths")
    kinds = ("output", "input")
    before = {kind: getattr(folder_paths, f"get_{kind}_directory")() for kind in kinds}
    for kind in kinds:
        (tmp_path / kind).mkdir()
        getattr(folder_paths, f"set_{kind}_directory")(str(tmp_path / kind))
    yield tmp_path
    for kind in kinds:
        getattr(folder_paths, f"set_{kind}_directory")(before[kind])


# Files


def test_scenes_are_found_and_loaded(folders):
    (folders / "input" / "3d" / "more").mkdir(parents=True)
    for name in ("a.ply", "3d/b.PLY", "3d/more/c.ply"):
        (folders / "input" / name).write_bytes(ply(stored(9, 9)))
    (folders / "input" / "note.txt").write_text("no scene")
    assert list_scenes() == ["3d/b.PLY", "3d/more/c.ply", "a.ply", "lighthouse.splat"]
    assert SyncTweediesLoadSplats.INPUT_TYPES()["required"]["file"][0] == list_scenes()
    for name in list_scenes()[:3]:
        splat, report = SyncTweediesLoadSplats().load(name)
        assert len(splat.scene) == 9 and splat.sh.shape == (1, 9, 4, 3)
        assert "9 splats" in report and "degree 1" in report


def test_the_shipped_scene_loads_without_a_file(folders):
    splat, report = SyncTweediesLoadSplats().load("lighthouse.splat")
    assert 20_000 < len(splat.scene) < 50_000 and "same from everywhere" in report
    (folders / "input" / "lighthouse.splat").write_bytes(bytes(16) + bytes([128, 63] * 4) + bytes([255] * 8))
    assert len(SyncTweediesLoadSplats().load("lighthouse.splat")[0].scene) == 1, "one's own comes first"


def test_a_changed_file_is_loaded_again(folders):
    path = folders / "input" / "a.ply"
    path.write_bytes(ply(stored(9)))
    before, stat = SyncTweediesLoadSplats.IS_CHANGED(file="a.ply"), path.stat()
    path.write_bytes(ply(stored(9, seed=1)))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_size == stat.st_size and SyncTweediesLoadSplats.IS_CHANGED(file="a.ply") != before
    path.write_bytes(ply(stored(9)))
    assert SyncTweediesLoadSplats.IS_CHANGED(file="a.ply") == before
    assert SyncTweediesLoadSplats.IS_CHANGED(file="gone.ply") == "gone.ply"


@pytest.mark.parametrize(
    "name, words",
    [
        ("gone.ply", ("'gone.ply' is not in ComfyUI's input folder", "copy it there")),
        ("../output/x.ply", ("lies outside", "copy it there")),
        ("mesh.ply", ("is a point cloud", "3DGS")),
        ("bricks.png", ("'bricks.png' is not in",)),
    ],
)
def test_bad_files_are_named(folders, name, words):
    (folders / "input" / "mesh.ply").write_bytes(ply({a: stored(4)[a] for a in "xyz"}))
    (folders / "output" / "x.ply").write_bytes(ply(stored(4)))
    with pytest.raises(ValueError) as caught:
        SyncTweediesLoadSplats().load(name)
    one_line(caught.value, "SyncTweediesLoadSplats", *words)


def test_saved_files_are_the_loaded_ones(folders):
    content = ply(stored(9, 45))
    (folders / "input" / "a.ply").write_bytes(content)
    splat, _ = SyncTweediesLoadSplats().load("a.ply")
    for number in (1, 2):
        made = SaveSplats().save(splat, "scenes/mine", "ply")
        same, file = made["result"]
        assert same is splat and file == f"scenes/mine_{number:05}_.ply"
        assert (folders / "output" / file).read_bytes() == content
        shown = {"filename": f"mine_{number:05}_.ply", "subfolder": "scenes", "type": "output"}
        assert made["ui"] == {"3d": [shown], "text": [file]}
    file = SaveSplats().save(splat, "scenes/mine", "splat")["result"][1]
    assert (folders / "output" / file).stat().st_size == 9 * 32


# The socket


def test_the_socket_has_what_newer_hosts_read():
    """Batch first, opacities with an axis of their own."""
    splats = random_splats(7, 4)
    splat = Splat(splats)
    shapes = {"positions": (1, 7, 3), "scales": (1, 7, 3), "rotations": (1, 7, 4), "opacities": (1, 7, 1)}
    assert {name: tuple(getattr(splat, name).shape) for name in shapes} == shapes
    assert splat.sh.shape == (1, 7, 4, 3) and splat.counts is None and len(repr(splat)) < 60
    assert splats_of(splat) is splats


@pytest.mark.parametrize("padded", [False, True])
def test_splats_of_a_newer_host(padded, folders):
    splats = random_splats(7, 4)
    fields = {f: getattr(Splat(splats), f) for f in ("positions", "scales", "rotations", "opacities", "sh")}
    if padded:
        fields = {f: torch.cat([v, torch.zeros_like(v[:, :2])], 1) for f, v in fields.items()}
    made = SimpleNamespace(**fields, counts=torch.tensor([7]) if padded else None)
    read = splats_of(made)
    for field in fields:
        assert torch.equal(getattr(read, field), getattr(splats, field)), field
    assert SaveSplats().save(made, "x", "ply")["result"] == (made, "x_00001_.ply")


def test_other_objects_are_refused():
    splat = Splat(random_splats(7))
    two = SimpleNamespace(**{f: getattr(splat, f).repeat(2, 1, 1) for f in ("positions", "scales", "rotations")},
                          opacities=splat.opacities, sh=splat.sh)  # fmt: skip
    for value, words in ((two, ("2 scenes", "one scene")), ({"samples": 1}, ("no positions", "LoadSplats"))):
        with pytest.raises(ValueError) as caught:
            SaveSplats().save(value, "x", "ply")
        one_line(caught.value, "SaveSplats", *words)


# Recorded cameras


def frames(count):
    pose = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 4], [0, 0, 0, 1]]
    return [{"file_path": f"r_{i}", "transform_matrix": [[*r[:3], r[3] + i] for r in pose]} for i in range(count)]


def test_recorded_cameras(folders):
    path = folders / "input" / "lego" / "transforms.json"
    path.parent.mkdir()
    content = {"camera_angle_x": 0.7, "w": 640, "h": 480, "frames": frames(20)}
    path.write_text(json.dumps(content))
    rig, views, report = CameraFileRig().build("lego/transforms.json", 320, 0, 5, 1)
    assert views == 5 == len(rig.viewpoints) and (rig.width, rig.height, rig.units) == (320, 240, "scene")
    assert [v.position[0] for v in rig.viewpoints] == [0, 4, 8, 12, 16] and rig.viewpoints[0].fov == pytest.approx(0.7)
    assert report == "5 of 20 cameras, views of 320 x 240 pixels"
    assert CameraFileRig().build("lego", 320, 0, 5, 1)[0] == rig
    rig, views, _ = CameraFileRig().build("lego", 64, 64, 0, 3, 2.0, 6.0)
    assert views == 7 and rig.height == 64 and rig.exponent == (2.0, 6.0)

    before = CameraFileRig.IS_CHANGED(file="lego", width=64)
    path.write_text(json.dumps({**content, "k1": 0.1, "frames": [*frames(2), {**frames(1)[0], "w": 480}]}))
    assert CameraFileRig.IS_CHANGED(file="lego", width=64) != before
    assert CameraFileRig().build("lego", 64, 0, 0, 1)[2].splitlines()[1:] == [
        "the lenses distort, the views do not",
        "pictures of 2 sizes: every view shows the whole width of its own",
    ]


@pytest.mark.parametrize(
    "name, words",
    [
        ("", ("not in ComfyUI's input folder",)),
        ("gone", ("'gone' is not in", "COLMAP")),
        ("../output", ("lies outside",)),
        ("empty", ("'empty' holds no cameras", "transforms.json")),
    ],
)
def test_missing_cameras_are_named(folders, name, words):
    (folders / "input" / "empty").mkdir()
    with pytest.raises(ValueError) as caught:
        CameraFileRig().build(name, 320, 0, 5, 1)
    one_line(caught.value, "CameraFileRig", *words)


# What a scene knows of its cameras


def orbit(units, **pose):
    from syncpack.renderers.viewpoints import Orbit, Viewpoint

    return Orbit((Viewpoint.orbit(math.radians(30), math.radians(20), 2.5, **pose),), 64, 64, units)


@pytest.mark.parametrize("up", ["+y", "-y", "+z", "-z", "+x", "-x"])
def test_the_scenes_up_is_up_in_its_views(up):
    splats = random_splats(200, up=up, positions=torch.randn(200, 3) + 5)
    (camera,) = splats.cameras(orbit("object"))
    axis = torch.zeros(3, dtype=torch.float64)
    axis["xyz".index(up[1])] = splats.radius * (1 if up[0] == "+" else -1)
    centre = torch.tensor(splats.centre, dtype=torch.float64)
    row, column, depth = camera.pixels(torch.stack([centre, centre + axis]), 64, 64)
    assert row[0] == pytest.approx(32, abs=1e-3) and depth[0] == pytest.approx(2.5 * splats.radius, rel=1e-5)
    assert row[1] < 25 and column.tolist() == pytest.approx([32, 32], abs=1e-3)
    (stands,) = splats.upright(orbit("object"))
    (recorded,) = splats.upright(type(orbit("object"))((camera,), 64, 64, "scene"))
    for place in (stands, recorded):
        assert math.degrees(place.azimuth) == pytest.approx(30) and math.degrees(place.elevation) == pytest.approx(20)
    assert splats.cameras(orbit("scene")) == orbit("scene").viewpoints


def test_strays_do_not_move_the_middle():
    g = torch.Generator().manual_seed(0)
    places = torch.rand(2000, 3, generator=g) - 0.5
    clean = random_splats(2000, positions=places)
    places = places.clone()
    places[:20] += 500
    stray = random_splats(2000, positions=places)
    assert stray.centre == pytest.approx(clean.centre, abs=0.02) and stray.radius == pytest.approx(
        clean.radius, rel=0.03
    )
    assert clean.radius == pytest.approx(0.72, abs=0.05)
    faint = random_splats(2000, positions=places, opacities=torch.where(torch.arange(2000) < 1000, 1e-6, 0.9))
    assert abs(faint.centre[0]) < 0.05, "what is hardly there does not count"
    assert random_splats(1).radius > 0


def test_geometry_alone_makes_the_fingerprint():
    splats = random_splats()
    assert splats.recoloured(torch.rand(40, 3)).fingerprint == splats.fingerprint
    assert random_splats(seed=1).fingerprint != splats.fingerprint
