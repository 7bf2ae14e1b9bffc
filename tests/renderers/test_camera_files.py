"""Cameras recorded with a scene: every file says the same of the same cameras, and damaged files are refused."""

import json
import math
import struct

import numpy as np
import pytest
import torch
from helpers.work import calls
from hypothesis import given, settings
from hypothesis import strategies as st
from syncpack.renderers.cameras.recorded import camera_rig, chosen, read_cameras

MODELS = {"SIMPLE_PINHOLE": 0, "PINHOLE": 1, "SIMPLE_RADIAL": 2, "RADIAL": 3, "OPENCV": 4, "OPENCV_FISHEYE": 5}


def rotation(seed):
    """A random rotation, 3 x 3."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def quaternion(matrix):
    """w, x, y, z of a rotation, by its eigenvector: not the pack's formula."""
    values, vectors = np.linalg.eig(matrix)
    axis = np.real(vectors[:, np.argmin(abs(values - 1))])
    side = np.linalg.svd(axis[None])[2][1]
    turned = matrix @ side
    angle = math.atan2(axis @ np.cross(side, turned), side @ turned)
    return np.array([math.cos(angle / 2), *(math.sin(angle / 2) * axis)])


def seen(points, axes, place, focal, size, principal):
    """Pixels (column, row) of points by the pinhole formula; axes: columns right, down, forward in the world."""
    local = (points - place) @ axes
    return local[:, :2] / local[:, 2:] * focal + np.array(principal)


class Camera:
    """One camera as the tests know it."""

    def __init__(self, seed, size=(640, 480), focal=700.0, centred=True):
        self.axes, self.place = rotation(seed), np.random.default_rng(seed + 1).normal(size=3) * 3
        self.size, self.focal, self.name = size, focal, f"picture {seed:03}.png"
        self.principal = (size[0] / 2, size[1] / 2) if centred else (size[0] * 0.4, size[1] * 0.55)

    @property
    def points(self):
        """Some points in front of the camera."""
        local = np.random.default_rng(5).uniform([-0.3, -0.3, 1.7], [0.3, 0.3, 2.3], (20, 3))
        return local @ self.axes.T + self.place

    def matches(self, shot):
        """Pixels of the points, in views of the picture's proportions and of others."""
        wide, high = self.size
        true = seen(self.points, self.axes, self.place, self.focal, self.size, self.principal)
        for width, height in ((wide, high), (128, 96), (64, 64)):
            view = shot.viewpoint(width, height)
            row, column, depth = view.pixels(torch.tensor(self.points), height, width)
            assert bool((depth > 0).all())
            scale = width / wide
            expected = (true - [wide / 2, high / 2]) * scale + [width / 2, height / 2]
            assert torch.stack([column, row], 1).numpy() == pytest.approx(expected, abs=1e-4 * width)

    def opengl(self):
        pose = np.eye(4)
        pose[:3] = np.column_stack([self.axes * [1, -1, -1], self.place])
        return pose.tolist()


def write_blender(folder, cameras, shared=None, **top):
    frames = [{"file_path": c.name, "transform_matrix": c.opengl(), **(shared(c) if shared else {})} for c in cameras]
    path = folder / "transforms.json"
    path.write_text(json.dumps({**top, "frames": frames}))
    return path


def lens(camera, model):
    f, c = camera.focal, camera.principal
    return {
        "SIMPLE_PINHOLE": (f, *c),
        "PINHOLE": (f, f, *c),
        "SIMPLE_RADIAL": (f, *c, 0.01),
        "RADIAL": (f, *c, 0.01, 0.02),
        "OPENCV": (f, f, *c, 0, 0, 0, 0),
        "OPENCV_FISHEYE": (f, f, *c, 0, 0, 0, 0),
    }[model]


def write_text(folder, cameras, model):
    lines = ["# Camera list with one line of data per camera:"]
    for i, c in enumerate(cameras):
        lines.append(" ".join(str(v) for v in (i + 1, model, *c.size, *lens(c, model))))
    (folder / "cameras.txt").write_text("\n".join(lines) + "\n")
    lines = ["# Image list with two lines of data per image:"]
    for i, c in enumerate(cameras):
        turn = quaternion(c.axes.T) * (1 + i)
        lines.append(" ".join(str(v) for v in (9 - i, *turn, *(-c.axes.T @ c.place), i + 1, c.name)))
        lines.append("10.5 20.5 -1 30.5 40.5 7" if i else "")
    (folder / "images.txt").write_text("\n".join(lines) + "\n")
    return folder


def write_binary(folder, cameras, model):
    content = struct.pack("<Q", len(cameras))
    for i, c in enumerate(cameras):
        values = lens(c, model)
        content += struct.pack(f"<IiQQ{len(values)}d", i + 1, MODELS[model], *c.size, *values)
    (folder / "cameras.bin").write_bytes(content)
    content = struct.pack("<Q", len(cameras))
    for i, c in enumerate(cameras):
        content += struct.pack("<I7dI", 9 - i, *quaternion(c.axes.T), *(-c.axes.T @ c.place), i + 1)
        content += c.name.encode() + b"\0" + struct.pack("<Q", i) + struct.pack("<ddq", 1.0, 2.0, -1) * i
    (folder / "images.bin").write_bytes(content)
    return folder


CAMERAS = [Camera(s, centred=s % 2 == 0) for s in range(4)]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_the_twins_quaternion_is_the_rotation(seed):
    matrix = rotation(seed)
    w, *v = quaternion(matrix)
    point = np.array([0.3, -1.2, 0.7])
    turned = point + 2 * np.cross(v, np.cross(v, point) + w * point)
    assert turned == pytest.approx(matrix @ point, abs=1e-6)


@pytest.mark.parametrize("model", ["SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV"])
@pytest.mark.parametrize("write, below", [(write_text, "."), (write_binary, "sparse/0"), (write_text, "sparse")])
def test_colmap(tmp_path, model, write, below):
    (tmp_path / below).mkdir(parents=True, exist_ok=True)
    write(tmp_path / below, CAMERAS, model)
    shots, bent = read_cameras(tmp_path)
    assert [s.name for s in shots] == [c.name for c in CAMERAS] and bent == ("RADIAL" in model)
    for shot, camera in zip(shots, CAMERAS, strict=True):
        camera.matches(shot)
    direct, _ = read_cameras(tmp_path / below / f"images.{'bin' if write is write_binary else 'txt'}")
    assert direct == shots


def test_blender(tmp_path):
    """One field of view for all, sizes unknown: square pictures with the axis in their middle."""
    cameras = [Camera(s, size=(800, 800), focal=1111.1) for s in range(3)]
    shots, bent = read_cameras(write_blender(tmp_path, cameras, camera_angle_x=2 * math.atan(400 / 1111.1)))
    assert not bent and shots[0].size == (0, 0)
    for shot, camera in zip(shots, cameras, strict=True):
        camera.matches(shot)
    assert camera_rig(shots, 256).height == 256


def test_transforms_with_a_lens_each(tmp_path):
    """As nerfstudio writes them: focal length, size and principal point with every frame."""
    cameras = [Camera(1, (640, 480), 500, False), Camera(2, (480, 640), 900, False)]

    def per_frame(c):
        (w, h), (cx, cy) = c.size, c.principal
        return dict(fl_x=c.focal, fl_y=c.focal, cx=cx, cy=cy, w=w, h=h)

    shots, bent = read_cameras(write_blender(tmp_path, cameras, per_frame, camera_model="OPENCV", k1=0.02))
    assert bent
    for shot, camera in zip(shots, cameras, strict=True):
        camera.matches(shot)
    assert read_cameras(tmp_path)[0] == shots, "found in its folder"


def test_a_width_alone_says_the_field_of_view(tmp_path):
    cameras = [Camera(1, (640, 640), 500)]
    (shot,), _ = read_cameras(write_blender(tmp_path, cameras, fl_x=500.0, w=640))
    assert shot.size == (0, 0)
    cameras[0].matches(shot)


def test_a_trainers_own_list(tmp_path):
    cameras = [Camera(s) for s in range(3)]
    entries = [
        dict(img_name=c.name, position=c.place.tolist(), rotation=c.axes.tolist(), fx=c.focal, width=640, height=480)
        for c in cameras
    ]
    (tmp_path / "cameras.json").write_text(json.dumps(entries))
    for shot, camera in zip(read_cameras(tmp_path)[0], cameras, strict=True):
        camera.matches(shot)


def test_all_files_agree(tmp_path):
    cameras = [Camera(s) for s in range(3)]
    rigs = []
    for kind in ("text", "binary", "blender"):
        (folder := tmp_path / kind).mkdir()
        if kind == "blender":
            write_blender(folder, cameras, fl_x=700.0, w=640, h=480)
        else:
            {"text": write_text, "binary": write_binary}[kind](folder, cameras, "PINHOLE")
        rigs.append(camera_rig(read_cameras(folder)[0], 320))
    assert rigs[0].units == "scene" and (rigs[0].width, rigs[0].height) == (320, 240)
    for rig in rigs[1:]:
        for one, other in zip(rigs[0].viewpoints, rig.viewpoints, strict=True):
            for field in ("position", "right", "up", "shift"):
                assert getattr(one, field) == pytest.approx(getattr(other, field), abs=1e-6)
            assert one.fov == pytest.approx(other.fov)


@given(st.integers(1, 300), st.integers(1, 9), st.integers(0, 60))
def test_choosing_cameras(count, every, at_most):
    """Evenly over the list, as the reference takes 50 of 200: every fourth."""
    numbers = chosen(tuple(range(count)), every, at_most)
    assert all(n % every == 0 for n in numbers) and list(numbers) == sorted(set(numbers)) and numbers[0] == 0
    kept = -(-count // every)
    assert len(numbers) == (min(kept, at_most) if at_most else kept)
    if len(numbers) > 1:
        steps = np.diff(numbers) / every
        assert steps.max() - steps.min() <= 1


def test_the_reference_takes_every_fourth():
    assert chosen(tuple(range(200)), 1, 50) == tuple(range(0, 200, 4))
    with pytest.raises(ValueError, match="use 1 or more"):
        chosen((1, 2), 0)


# Refused

POSE = Camera(0).opengl()
MIRRORED = (np.array(POSE) * [1, 1, -1, 1]).tolist()


@pytest.mark.parametrize(
    "content, words",
    [
        ("{", ("is no JSON", "transforms.json")),
        ("[]", ("no list of cameras",)),
        ('{"camera_angle_x": 1, "frames": []}', ("no list of cameras",)),
        ({"frames": [{"transform_matrix": POSE}]}, ("camera '0'", "camera_angle_x", "field of view")),
        ({"camera_angle_x": 4, "frames": [{"transform_matrix": POSE}]}, ("camera_angle_x",)),
        ({"camera_angle_x": "wide", "frames": [{"transform_matrix": POSE}]}, ("camera_angle_x 'wide'",)),
        ({"camera_angle_x": 1, "frames": [{"file_path": "a"}]}, ("camera 'a'", "no transform_matrix")),
        ({"camera_angle_x": 1, "frames": [{"transform_matrix": [[1, 2], [3, 4]]}]}, ("(2, 2)", "4 x 4")),
        ({"camera_angle_x": 1, "frames": [{"transform_matrix": MIRRORED}]}, ("mirrored", "OpenGL")),
        ({"camera_angle_x": 1, "frames": [{"transform_matrix": np.zeros((4, 4)).tolist()}]}, ("without a direction",)),
        ({"camera_angle_x": 1, "frames": [{"transform_matrix": np.full((4, 4), 1e999).tolist()}]}, ("no numbers",)),
        ({"camera_angle_x": 1, "frames": [{"transform_matrix": np.triu(np.ones((4, 4))).tolist()}]}, ("skewed",)),
        ({"camera_angle_x": 1, "camera_model": "OPENCV_FISHEYE", "frames": [{"transform_matrix": POSE}]}, ("FISHEYE",)),
        ({"camera_angle_x": 1, "frames": [{"transform_matrix": [[10**400] * 4] * 4}]}, ("no transform_matrix of",)),
        ({"camera_angle_x": 1, "w": 10**400, "frames": [{"transform_matrix": POSE}]}, ("w '1000", "repair the file")),
        ([{"img_name": "a", "position": [0, 0, 0]}], ("camera 'a'", "no rotation")),
        ([{"position": [0, 0], "rotation": np.eye(3).tolist()}], ("3 x 3",)),
        ([{"position": [0, 0, 0], "rotation": np.eye(3).tolist(), "fx": 9}], ("0 x 0", "add width and height")),
        ([{"position": [0, 0, 0], "rotation": np.eye(3).tolist(), "width": 8, "height": 8}], ("focal length 0",)),
    ],
)
def test_lists_refused(tmp_path, content, words):
    path = tmp_path / "transforms.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ValueError) as caught:
        read_cameras(path)
    assert "\n" not in str(caught.value) and all(w in str(caught.value) for w in (*words, "transforms.json"))


def damage(folder, name, change):
    path = folder / name
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize("name", ["cameras.bin", "images.bin"])
@pytest.mark.parametrize("cut", [1, 9, 60])
def test_cut_off_binaries_are_refused(tmp_path, name, cut):
    write_binary(tmp_path, CAMERAS, "PINHOLE")
    damage(tmp_path, name, lambda content: content[:-cut])
    with pytest.raises(ValueError, match=f"'{name}' is cut off.*export"):
        read_cameras(tmp_path)


@pytest.mark.parametrize(
    "name, change, words",
    [
        ("cameras.txt", lambda c: c.replace(b"1 PINHOLE", b"1 FOV"), ("cut off", "export the model again")),
        ("cameras.txt", lambda c: c.replace(b"\n1 PIN", b"\n7 PIN"), ("names camera 1", "not there")),
        ("cameras.txt", lambda c: c.replace(b" 640 480 ", b" 0 0 "), ("camera of 0 x 0 pixels", "export the model")),
        ("images.txt", lambda c: b"# empty\n", ("no images",)),
        ("images.txt", lambda c: c.replace(b"\n9 ", b"\n9 x "), ("cut off",)),
        ("images.txt", lambda c: b"1 0 0 0 0 1 2 3 1 a.png\n\n", ("quaternion that is zero",)),
        ("images.txt", lambda c: b"1 1 0 0 0 nan 2 3 1 a.png\n\n", ("no numbers",)),
    ],
)
def test_colmap_refused(tmp_path, name, change, words):
    write_text(tmp_path, CAMERAS, "PINHOLE")
    damage(tmp_path, name, change)
    with pytest.raises(ValueError) as caught:
        read_cameras(tmp_path)
    assert "\n" not in str(caught.value) and all(w in str(caught.value) for w in words), str(caught.value)


@pytest.mark.parametrize("write", [write_text, write_binary])
def test_fisheyes_are_refused_by_name(tmp_path, write):
    with pytest.raises(ValueError, match=r"OPENCV_FISHEYE.*SIMPLE_PINHOLE, PINHOLE.*undistort"):
        read_cameras(write(tmp_path, CAMERAS, "OPENCV_FISHEYE"))


def test_places_without_cameras(tmp_path):
    with pytest.raises(ValueError, match="holds no cameras"):
        read_cameras(tmp_path)
    (tmp_path / "cameras.txt").write_text("")
    with pytest.raises(ValueError, match="holds no cameras"):
        read_cameras(tmp_path / "cameras.txt")
    (tmp_path / "a.xml").write_text("")
    with pytest.raises(ValueError, match="no list of cameras"):
        read_cameras(tmp_path / "a.xml")


@pytest.mark.parametrize("size", [(10**9, 480), (640, 10**19), (10**12, 10**12)])
@pytest.mark.parametrize("kind", ["blender", "text", "binary"])
def test_pictures_that_cannot_be(tmp_path, size, kind):
    camera = Camera(0, size=size)
    if kind == "blender":
        write_blender(tmp_path, [camera], fl_x=700.0, w=size[0], h=size[1])
    else:
        {"text": write_text, "binary": write_binary}[kind](tmp_path, [camera], "PINHOLE")
    with pytest.raises(ValueError, match=r"picture of .* pixels; they must be 1 to 1000000") as caught:
        read_cameras(tmp_path)
    assert "file '" in str(caught.value) and "\n" not in str(caught.value)


def test_views_of_impossible_proportions(tmp_path):
    shots, _ = read_cameras(write_blender(tmp_path, [Camera(0)], fl_x=700.0, w=10, h=100_000))
    with pytest.raises(ValueError, match=r"views of 512 x 5120000 pixels.*are too large; set a height"):
        camera_rig(shots, 512)
    assert camera_rig(shots, 512, 512).height == 512


def test_json_that_is_nested_too_deeply(tmp_path):
    (tmp_path / "transforms.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match=r"'transforms.json' is nested too deeply"):
        read_cameras(tmp_path)
    (tmp_path / "transforms.json").write_text('{"w": ' + "9" * 9000 + "}")
    with pytest.raises(ValueError, match=r"'transforms.json' is no JSON"):
        read_cameras(tmp_path)


def test_many_cameras_are_read_in_linear_time(tmp_path):
    """Ten times as many take ten times the work."""
    pose = Camera(0).opengl()
    work = []
    for count in (100, 1000):
        frames = [{"file_path": f"r_{i}", "transform_matrix": pose} for i in range(count)]
        (tmp_path / "transforms.json").write_text(json.dumps({"camera_angle_x": 0.7, "frames": frames}))
        assert len(read_cameras(tmp_path)[0]) == count
        work.append(calls(lambda: read_cameras(tmp_path)))
    assert work[1] < 10.5 * work[0]


@pytest.mark.parametrize("write", [write_text, write_binary])
def test_cameras_that_took_no_picture_do_not_matter(tmp_path, write):
    write(tmp_path, CAMERAS[:2], "PINHOLE")
    name = "cameras.txt" if write is write_text else "cameras.bin"
    content = (tmp_path / name).read_bytes()
    if write is write_text:
        content += b"9 OPENCV_FISHEYE 640 480 500 500 320 240 0 0 0 0\n10 SIMPLE_DIVISION 640 480 500 320 240 0.1\n"
    else:
        content = struct.pack("<Q", 3) + content[8:] + struct.pack("<IiQQ8d", 9, 5, 640, 480, 1, 1, 2, 2, 1, 0, 0, 0)
    (tmp_path / name).write_bytes(content)
    shots, bent = read_cameras(tmp_path)
    assert len(shots) == 2 and not bent


def test_newer_models_are_named(tmp_path):
    write_binary(tmp_path, CAMERAS[:1], "PINHOLE")
    damage(tmp_path, "cameras.bin", lambda c: c[:12] + struct.pack("<i", 13) + c[16:])
    with pytest.raises(ValueError, match=r"'cameras.bin' holds a camera of the model number 13, which is newer"):
        read_cameras(tmp_path)
    (tmp_path / "cameras.bin").unlink()
    write_text(tmp_path, CAMERAS[:1], "PINHOLE")
    damage(tmp_path, "cameras.txt", lambda c: b"1 SIMPLE_DIVISION 640 480 500 320 240 0.01\n")
    with pytest.raises(ValueError, match=r"'cameras.txt' holds a camera of the model SIMPLE_DIVISION; only persp"):
        read_cameras(tmp_path)


def test_images_without_lines_of_points(tmp_path):
    """Some tools leave them out, and no image is lost by that."""
    write_text(tmp_path, CAMERAS, "PINHOLE")
    whole, _ = read_cameras(tmp_path)
    damage(tmp_path, "images.txt", lambda c: b"\n".join(line for line in c.split(b"\n") if b".png" in line))
    assert read_cameras(tmp_path)[0] == whole


@pytest.mark.parametrize("kind", ["blender", "folder", "colmap"])
def test_cameras_go_where_nerfstudio_trained(tmp_path, kind):
    """x_trained = scale M x, of what was seen in the original coordinates; pixels stay."""
    cameras = [Camera(s) for s in range(3)]
    before, whole = np.eye(4), np.eye(4)
    before[:3] = np.column_stack([rotation(20), [0.3, -0.2, 0.5]])
    whole[:3] = np.column_stack([rotation(21), [-0.1, 0.7, 0.2]])
    scale = 0.37
    if kind == "colmap":
        path = write_binary(tmp_path, cameras, "PINHOLE")
    else:
        frames = [{"file_path": c.name, "transform_matrix": (before @ np.array(c.opengl())).tolist()} for c in cameras]
        path = tmp_path / "transforms.json"
        content = {"fl_x": 700.0, "w": 640, "h": 480, "frames": frames, "applied_transform": before[:3].tolist()}
        path.write_text(json.dumps(content))
        path = path if kind == "blender" else tmp_path
    recorded, _ = read_cameras(path)
    frame = tmp_path / "dataparser_transforms.json"
    frame.write_text(json.dumps({"transform": whole[:3].tolist(), "scale": scale}))
    shots, _ = read_cameras(path)
    assert shots != recorded and len(shots) == 3
    for shot, camera in zip(shots, cameras, strict=True):
        points = scale * (camera.points @ whole[:3, :3].T + whole[:3, 3])
        row, column, depth = shot.viewpoint(640, 480).pixels(torch.tensor(points), 480, 640)
        true = seen(camera.points, camera.axes, camera.place, camera.focal, camera.size, camera.principal)
        assert bool((depth > 0).all())
        assert torch.stack([column, row], 1).numpy() == pytest.approx(true, abs=1e-2)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"transform": [[2,0,0,0],[0,2,0,0],[0,0,2,0]], "scale": 1}',
                                     '{"transform": [[1,0,0,0],[0,1,0,0],[0,0,1,0]], "scale": 0}'])  # fmt: skip
def test_a_broken_frame_is_named(tmp_path, content):
    path = write_blender(tmp_path, [Camera(0)], fl_x=700.0, w=640, h=480)
    (tmp_path / "dataparser_transforms.json").write_text(content)
    with pytest.raises(ValueError, match=r"file 'dataparser_transforms\.json'"):
        read_cameras(path)
