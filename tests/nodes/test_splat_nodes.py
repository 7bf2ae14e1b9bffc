"""The splat nodes: files in and out, recorded cameras, and the socket of newer hosts."""

import json
import math
import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from helpers.hosting import Plane, Windows, one_line
from helpers.splat_files import ply, random_splats, stored
from oracles.splat_twins import ball
from syncpack.nodes.host.splat_socket import Splat, splats_of
from syncpack.nodes.splats.file_nodes import CameraFileRig, SaveSplats, SyncTweediesLoadSplats
from syncpack.nodes.splats.files import list_scenes
from syncpack.nodes.splats.nodes import SplatMask, SplatSpace, SplatTextureBake
from syncpack.nodes.splats.view_nodes import SplatTurntable, SplatViews
from syncpack.nodes.views.orbit_nodes import OrbitRig
from syncpack.renderers.cameras.viewpoints import Orbit, Viewpoint

pytestmark = pytest.mark.host


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
        assert len(splats_of(splat)) == 9 and splat.sh.shape == (1, 9, 4, 3)
        assert "9 splats" in report and "degree 1" in report


def test_the_shipped_scene_loads_without_a_file(folders):
    splat, report = SyncTweediesLoadSplats().load("lighthouse.splat")
    assert 20_000 < len(splats_of(splat)) < 50_000 and "same from everywhere" in report
    (folders / "input" / "lighthouse.splat").write_bytes(bytes(16) + bytes([128, 63] * 4) + bytes([255] * 8))
    assert len(splats_of(SyncTweediesLoadSplats().load("lighthouse.splat")[0])) == 1, "one's own comes first"


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
        ("a\0b.ply", ("is no name of a file",)),
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
        same, file = made["result"][:2]
        assert same is splat and file == f"scenes/mine_{number:05}_.ply"
        assert (folders / "output" / file).read_bytes() == content
        shown = {"filename": f"mine_{number:05}_.ply", "subfolder": "scenes", "type": "output"}
        assert made["ui"] == {"3d": [shown], "text": [file]}
    file = SaveSplats().save(splat, "scenes/mine", "splat")["result"][1]
    assert (folders / "output" / file).stat().st_size == 9 * 32
    with pytest.raises(ValueError) as caught:
        SaveSplats().save(splat, "../elsewhere", "ply")
    one_line(caught.value, "SaveSplats", "'../elsewhere' leads outside of ComfyUI's output folder", "below it")
    assert not list(folders.glob("elsewhere*"))


# The socket


def test_the_socket_has_what_newer_hosts_read():
    """Batch first, opacities with an axis of their own."""
    splats = random_splats(7, 4)
    splat = Splat(splats)
    shapes = {"positions": (1, 7, 3), "scales": (1, 7, 3), "rotations": (1, 7, 4), "opacities": (1, 7, 1)}
    assert {name: tuple(getattr(splat, name).shape) for name in shapes} == shapes
    assert splat.sh.shape == (1, 7, 4, 3) and splat.counts is None and len(repr(splat)) < 60
    assert splats_of(splat) is splats


def test_a_socket_of_pieces_that_do_not_fit():
    splats = random_splats(7)
    fields = {f: getattr(Splat(splats), f) for f in ("positions", "scales", "rotations", "opacities", "sh")}
    with pytest.raises(ValueError, match=r"opacities of shape \(3,\); they must be \(7,\)"):
        splats_of(SimpleNamespace(**{**fields, "opacities": fields["opacities"][:, :3]}))


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
    assert SaveSplats().save(made, "x", "ply")["result"][:2] == (made, "x_00001_.ply")


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
    (recorded,) = splats.upright(Orbit((camera,), 64, 64, "scene"))
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


# The space, its views, and back


@pytest.fixture(scope="module")
def globe():
    """(SPLAT, space, rig of six cameras): a ball, dark grey."""
    splats = ball(600)
    splat = Splat(splats.recoloured(torch.full((600, 3), 0.2)))
    space, _ = SplatSpace().build(splat, "+y", "antialiased", "torch")
    looks = [Viewpoint.orbit(math.pi / 3 * i, 0.9 * (-1) ** i, 2.8, fov=math.radians(48)) for i in range(6)]
    return splat, space, Orbit(tuple(looks), 32, 32)


BAKE = dict(aggregation="least_squares", robust=0, bands="kept", unseen="nearest")


def test_a_space_of_splats(globe):
    splat, space, _ = globe
    same, colours = SplatSpace().build(splat, "-y", "classic")
    assert colours.shape == (1, 1, 600, 3) and float((colours - 0.2).abs().max()) < 1e-6
    assert (same.splats.up, same.rule, same.backend) == ("-y", "classic", "auto") and space.splats.up == "+y"
    assert torch.equal(same.splats.positions, splats_of(splat).positions)


def test_views_of_splats(globe):
    _, space, rig = globe
    images, depth, alpha, masks = SplatViews().render(space, rig, "black", "joint")
    assert images.shape == depth.shape == (6, 32, 32, 3) and torch.equal(masks, alpha)
    assert float((images.amax(-1) - 0.2 * alpha).abs().max()) < 1e-3
    assert float(depth.max()) == pytest.approx(1) and torch.equal(depth[..., 0], depth[..., 2])
    white = SplatViews().render(space, rig, "white", "per view")
    assert float((white[0][alpha == 0] - 1).abs().max()) == 0 and float(white[1].flatten(1).amax(1).min()) > 0.99


def test_splats_by_box_and_by_mask(globe):
    _, space, rig = globe
    box = dict(x=0.0, y=1.0, z=0.0, width=4.0, height=2.0, depth=4.0)
    mask, count = SplatMask().choose(space, **box)
    assert mask.shape == (1, 1, 600) and count == int(mask.sum()) and 200 < count < 400
    _, _, alpha, masks = SplatViews().render(space, rig, "white", "joint", mask)
    assert 0.1 < float(masks.sum() / alpha.sum()) < 0.9
    everything = dict(x=0.0, y=0.0, z=0.0, width=9.0, height=9.0, depth=9.0)
    again, found = SplatMask().choose(space, **everything, rig=rig, masks=(masks > 0.5).float())
    assert float(((again > 0.5) == (mask > 0.5)).float().mean()) > 0.9 and abs(found - count) < 60


def test_views_are_baked(globe):
    splat, space, rig = globe
    wanted = (splats_of(splat).object_positions * 0.4 + 0.5).clamp(0, 1)
    painted = Splat(splats_of(splat).recoloured(wanted))
    target, _ = SplatSpace().build(painted, "+y", "antialiased", "torch")
    images = SplatViews().render(target, rig, "white", "joint")[0]
    baked, report = SplatTextureBake().bake(space, rig, images=images, **BAKE)
    assert "600 of 600 splats painted from 6 views" in report and float(report.split("PSNR of ")[1].split()[0]) > 30
    found = SplatViews().render(SplatSpace().build(baked, "+y", "antialiased", "torch")[0], rig, "white", "joint")[0]
    assert float((found - images).square().mean()) < 1e-3
    mask, count = SplatMask().choose(space, x=0.0, y=1.0, z=0.0, width=4.0, height=2.0, depth=4.0)
    part, report = SplatTextureBake().bake(space, rig, images=images, mask=mask, **BAKE)
    assert f"{count} of 600 splats painted" in report
    unmeant = mask[0, 0] < 0.5
    assert torch.equal(splats_of(part).sh[unmeant], splats_of(splat).sh[unmeant])
    assert not torch.equal(splats_of(part).sh[~unmeant], splats_of(splat).sh[~unmeant])


def test_a_report_without_solid_pixels_names_no_psnr(globe):
    _, _, rig = globe
    space, _ = SplatSpace().build(Splat(random_splats(1, opacities=torch.tensor([0.5]))), "+y", "classic", "torch")
    images = SplatViews().render(space, rig, "white", "joint")[0]
    report = SplatTextureBake().bake(space, rig, images=images, **BAKE)[1]
    assert "nan" not in report and "no pixel shows them alone" in report


def test_a_mask_without_a_batch_is_one_views(globe):
    _, space, rig = globe
    one = Orbit(rig.viewpoints[:1], 32, 32)
    box = dict(x=0.0, y=0.0, z=0.0, width=9.0, height=9.0, depth=9.0)
    mask = torch.zeros(32, 32)
    mask[:16] = 1
    found = [SplatMask().choose(space, **box, rig=one, masks=m)[1] for m in (mask[None], mask, mask[None, None])]
    assert 0 < found[0] < 600 and found == [found[0]] * 3


def test_larger_views_are_baked(globe):
    """Upscaled elsewhere: the same cameras, finer pixels."""
    splat, space, rig = globe
    painted = Splat(splats_of(splat).recoloured((splats_of(splat).object_positions * 0.4 + 0.5).clamp(0, 1)))
    target, _ = SplatSpace().build(painted, "+y", "antialiased", "torch")
    large = SplatViews().render(target, replace(rig, width=64, height=64), "white", "joint")[0]
    baked, _ = SplatTextureBake().bake(space, rig, images=large, **BAKE)
    small = SplatViews().render(target, rig, "white", "joint")[0]
    coarse, _ = SplatTextureBake().bake(space, rig, images=small, **BAKE)
    error = [float((splats_of(b).colours - splats_of(painted).colours).square().mean()) for b in (baked, coarse)]
    assert error[0] < error[1]


def test_orbits_frame_splats_tightly(globe):
    """In object units and upright, as splats are looked at: every view is filled, and nothing is cut off."""
    splat, _, _ = globe
    flat = replace(splats_of(splat), positions=splats_of(splat).positions * torch.tensor([1.0, 0.4, 1.0]))
    space, _ = SplatSpace().build(Splat(flat), "-y", "antialiased", "torch")
    given = dict(kind="orbit", width=48, height=48, fov=60.0, distance=2.5, front=0.0, azimuth_step=120.0)
    rig, report = OrbitRig().build(space=space, framing="tight", **given)
    alpha = SplatViews().render(space, rig, "white", "joint")[2]
    loose = SplatViews().render(space, OrbitRig().build(framing="reference", **given)[0], "white", "joint")[2]
    assert len(rig.viewpoints) == 5 and "frame takes" in report
    assert float(alpha.mean()) > 1.5 * float(loose.mean())
    border = torch.cat([alpha[:, 0], alpha[:, -1], alpha[:, :, 0], alpha[:, :, -1]], 1)
    assert float(border.mean()) < 0.1
    for changes, words in (
        ({"kind": "coverage", "framing": "reference"}, ("kind coverage depends on the object's shape", "SplatSpace")),
        ({"space": Plane(64, 64), "framing": "tight"}, ("plane", "SplatSpace")),
        ({"framing": "tight"}, ("SplatSpace",)),
    ):
        with pytest.raises(ValueError) as caught:
            OrbitRig().build(**{**given, **changes})
        one_line(caught.value, "OrbitRig", *words)


def test_cameras_are_chosen_for_splats(globe):
    splat, _, _ = globe
    space, _ = SplatSpace().build(splat, "-y", "antialiased", "torch")
    given = dict(kind="coverage", width=48, height=48, fov=60.0, distance=2.5, framing="reference")
    rig, report = OrbitRig().build(**given, views=12, target=0.8, front=90.0, space=space)
    assert 3 <= len(rig.viewpoints) <= 12 and "of what the splats show" in report and "% of that reached" in report
    assert rig.front == pytest.approx(math.pi / 2)
    alpha = SplatViews().render(space, rig, "white", "joint")[2]
    assert float(alpha.flatten(1).mean(1).min()) > 0.2


def test_a_turntable(globe):
    splat, _, _ = globe
    view = dict(width=48, height=32, elevation=10.0, start=0.0, fov=40.0, distance=0.0, background="white")
    frames, alpha = SplatTurntable().turn(splat, "+y", "antialiased", frames=3, **view)
    assert frames.shape == (3, 32, 48, 3) and alpha.shape == (3, 32, 48)
    assert float((frames[:, 12:20, 20:28] - 0.2).abs().mean()) < 0.05 and bool((frames[:, 0, 0] == 1).all())


@pytest.mark.parametrize(
    "node, run, words",
    [
        ("SplatViews", lambda s, r: SplatViews().render(Plane(64, 64), r, "white", "joint"), ("plane", "SplatSpace")),
        ("SplatViews", lambda s, r: SplatViews().render(s, Windows(8, 8, 8, 8), "white", "joint"), ("windows",)),
        ("SplatViews", lambda s, r: SplatViews().render(s, r, "white", "joint", torch.ones(1, 8, 8)), ("1 x 8 x 8",)),
        ("SplatMask", lambda s, r: SplatMask().choose(s, 9.0, 0.0, 0.0, 1.0, 1.0, 1.0), ("box", "no splat")),
        ("SplatMask", lambda s, r: SplatMask().choose(s, 0.0, 0.0, 0.0, 9.0, 9.0, 9.0, rig=r), ("connect both",)),
        ("SplatMask", lambda s, r: SplatMask().choose(s, 0.0, 0.0, 0.0, 9.0, 9.0, 9.0, r, torch.zeros(6, 32, 32)),
         ("masks show no splat",)),
        ("SplatTextureBake", lambda s, r: SplatTextureBake().bake(s, r, **BAKE), ("nothing to bake", "vae")),
        ("SplatTextureBake", lambda s, r: SplatTextureBake().bake(s, r, images=torch.ones(5, 32, 32, 3), **BAKE),
         ("5 images for a rig of 6",)),
        ("SplatTextureBake", lambda s, r: SplatTextureBake().bake(s, r, images=torch.ones(6, 32, 64, 3), **BAKE),
         ("64 x 32", "proportions")),
        ("SplatSpace", lambda s, r: SplatSpace().build("scene.ply", "+y", "classic"), ("no positions",)),
    ],
)  # fmt: skip
def test_wrong_inputs_are_named(globe, node, run, words):
    _, space, rig = globe
    with pytest.raises(ValueError) as caught:
        run(space, rig)
    one_line(caught.value, node, *words)
