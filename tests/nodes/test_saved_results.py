"""Results on disk: under new names each time, whole, and with the workflow that they came from."""

import io
import json
import logging
import struct

import numpy as np
import pytest
import torch
from helpers.hosting import comfy, host
from helpers.mesh_files import quad_glb
from helpers.saved_meshes import save_mesh
from helpers.splat_files import ply, random_splats, stored
from PIL import Image
from syncpack.nodes import saving
from syncpack.nodes.host.mesh_socket import to_socket
from syncpack.nodes.host.splat_socket import Splat
from syncpack.nodes.mesh.file_nodes import SaveTexturedMesh
from syncpack.nodes.panorama.file_nodes import SavePanorama
from syncpack.nodes.splats.file_nodes import SaveSplats
from syncpack.renderers.mesh.files.load import load_mesh
from syncpack.renderers.splats.files.load_save import load_splats

pytestmark = pytest.mark.host

PROMPT = {"1": {"class_type": "SavePanorama", "inputs": {"text": "Größe 茶"}}}
WORKFLOW = {"nodes": [{"id": 1, "widgets_values": [float("nan"), "a: b"]}], "version": 0.4}
HIDDEN = {"prompt": PROMPT, "extra_pnginfo": {"workflow": WORKFLOW, "more": [1]}}
PANORAMA = {"quality": 95, "full_width": 0, "heading": 0.0}


def a_mesh(folders):
    quad_glb().write(folders / "input" / "quad.glb")
    return load_mesh(folders / "input" / "quad.glb").mesh


def panorama(batch=1):
    return torch.rand(batch, 32, 64, 3, generator=torch.Generator().manual_seed(1))


def same(text, value):
    return json.dumps(json.loads(text)) == json.dumps(value)


# Names


@pytest.mark.parametrize("format", ("glb", "obj", "ply"))
@pytest.mark.parametrize("prefix", ("ver/teapot v1.5", "ver/mesh.final", "end/name.", "a.glb", "x 2  y/t .b 1"))
def test_a_dot_in_the_prefix_is_part_of_the_name(folders, format, prefix):
    mesh, texture = to_socket(a_mesh(folders)), torch.rand(1, 8, 8, 3)
    folder, _, name = prefix.rpartition("/")
    contents = []
    for number in (1, 2):
        given = dict(filename_prefix=prefix, format=format, layout="joint", texture=texture)
        file = SaveTexturedMesh().save(mesh, **given)["result"][1]
        assert file == f"{folder}/{name}_{number:05}_.{format}".lstrip("/")
        contents.append((folders / "output" / file).read_bytes())
        again = load_mesh(folders / "output" / file, root=folders / "output").mesh
        assert again.parts[0].texture is not None, "its texture is found again"
    files = {p.name for p in (folders / "output" / folder).iterdir()}
    endings = {"glb": ["glb"], "obj": ["obj", "mtl", "png"], "ply": ["ply", "png"]}[format]
    assert files == {f"{name}_{n:05}_.{ending}" for n in (1, 2) for ending in endings}
    assert contents[0] == (folders / "output" / f"{prefix}_00001_.{format}").read_bytes()


def test_names_that_only_end_alike_stay_apart(folders, tmp_path):
    mesh = a_mesh(folders)
    for name, file in (("t v1.5", "t v1.5.glb"), ("t v1.6", "t v1.6.glb"), ("t.obj", "t.obj.glb"), ("a.GLB", "a.glb")):
        assert save_mesh(mesh, None, tmp_path / name)[0].name == file


def save_picture(prefix, batch=1, **more):
    return SavePanorama().save(panorama(batch), prefix, **PANORAMA, **more)["ui"]["images"]


def test_batches_and_variables_of_the_host(folders):
    first, second = (save_picture("p/a%batch_num%", 2) for _ in range(2))
    assert [f["filename"] for f in first] == ["a0_00001_.jpg", "a1_00001_.jpg"]
    assert [f["filename"] for f in second] == ["a0_00002_.jpg", "a1_00002_.jpg"], "nothing is overwritten"
    assert [f["filename"] for f in save_picture("p/b", 2)] == ["b_00001_.jpg", "b_00002_.jpg"]
    (file,) = save_picture("%width%x%height%/%date:yyyy%")
    assert file["subfolder"] == "64x32" and file["filename"][:2] == "20" and len(file["filename"]) == 15
    (file,) = save_picture("")
    assert file["filename"] == "SyncTweedies_00001_.jpg"


@pytest.mark.parametrize("node", (SaveTexturedMesh, SavePanorama, SaveSplats))
def test_prefixes_are_refused_before_the_run(folders, node):
    assert node.VALIDATE_INPUTS(filename_prefix=None) is True and node.VALIDATE_INPUTS(filename_prefix="a/b.c") is True
    for prefix in ("../a", "a" * 300, "a\0", "/etc/a"):
        said = node.VALIDATE_INPUTS(filename_prefix=prefix)
        assert isinstance(said, str) and "\n" not in said and len(said) < 300
    with pytest.raises(ValueError, match=r"^SavePanorama: a name of 300 bytes is too long"):
        save_picture("a" * 300)


def test_a_full_disk_leaves_no_cut_picture(folders, monkeypatch):
    class Full(io.FileIO):
        def write(self, data):
            super().write(data[: len(data) // 2])
            raise OSError(28, "No space left on device")

    (folders / "output" / "p").mkdir()
    monkeypatch.setattr(type(folders), "open", lambda path, mode: Full(path, mode.replace("b", "")))
    for format in ("jpg", "png"):
        with pytest.raises(ValueError, match=rf"^SavePanorama: the file 'a_00001_.{format}' could not be written"):
            save_picture("p/a", format=format)
    with pytest.raises(ValueError, match=r"^SaveSplats: .*No space left on device\); free space on the disk"):
        SaveSplats().save(Splat(random_splats()), "p/b", "ply")
    monkeypatch.undo()
    assert list((folders / "output" / "p").iterdir()) == []


# The workflow


def test_a_png_is_read_by_the_page(folders):
    (file,) = save_picture("a", format="png", **HIDDEN)
    data = (folders / "output" / file["filename"]).read_bytes()
    texts, at = {}, 8
    while at < len(data):  # as the page reads chunks
        (length,), kind = struct.unpack_from(">I", data, at), data[at + 4 : at + 8]
        if kind in (b"tEXt", b"iTXt"):
            name, _, text = data[at + 8 : at + 8 + length].partition(b"\0")
            texts[name.decode("latin-1")] = text
        at += 12 + length
    assert same(texts["prompt"], PROMPT) and same(texts["workflow"], WORKFLOW) and same(texts["more"], [1])
    assert b'GPano:ProjectionType="equirectangular"' in texts["XML:com.adobe.xmp"]
    with Image.open(io.BytesIO(data)) as picture:
        assert np.array_equal(np.asarray(picture), (panorama()[0] * 255).round().byte().numpy())


def test_a_jpeg_has_it_where_the_page_reads_webp(folders):
    (file,) = save_picture("a", **HIDDEN)
    data = (folders / "output" / file["filename"]).read_bytes()
    assert data.index(b"Exif\0\0") < data.index(b"http://ns.adobe.com/xap/1.0/") < data.index(b"GPano")
    with Image.open(io.BytesIO(data)) as picture:
        exif = picture.getexif()
        assert same(exif[0x0110].removeprefix("prompt:"), PROMPT)
        assert same(exif[0x010F].removeprefix("workflow:"), WORKFLOW) and same(exif[0x010E].removeprefix("more:"), [1])


@pytest.mark.parametrize("long, kept", [("prompt", {"workflow", "more"}), ("workflow", set())])
def test_what_does_not_fit_in_a_jpeg_is_told(folders, caplog, long, kept):
    given = {"prompt": PROMPT, "workflow": WORKFLOW, "more": [1], long: ["x" * 70_000]}
    hidden = {"prompt": given.pop("prompt"), "extra_pnginfo": given}
    with caplog.at_level(logging.WARNING):
        (file,) = save_picture("a", **hidden)
    assert f"the {long} is too long for a JPEG file" in caplog.text
    with Image.open(folders / "output" / file["filename"]) as picture:
        found = {str(text).partition(":")[0] for tag, text in picture.getexif().items() if tag in (0x10E, 0x10F, 0x110)}
    assert found == kept
    (file,) = save_picture("a", format="png", **hidden)
    with Image.open(folders / "output" / file["filename"]) as picture:
        assert {"prompt", "workflow", "more"} <= set(picture.text)


def test_a_glb_has_it_as_the_hosts_own(folders):
    file = SaveTexturedMesh().save(to_socket(a_mesh(folders)), "a", "glb", "joint", **HIDDEN)["result"][1]
    data = (folders / "output" / file).read_bytes()
    tree = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    extras = tree["asset"]["extras"]
    assert same(extras["prompt"], PROMPT) and same(extras["workflow"], WORKFLOW) and same(extras["more"], [1])
    assert load_mesh(folders / "output" / file).notes == ()


def saved_splats(folders, splats, prefix="a", **hidden):
    return folders / "output" / SaveSplats().save(Splat(splats), prefix, "ply", **hidden)["result"][1]


def test_splats_have_it_in_comments_and_keep_their_bytes(folders):
    data = ply(stored()).replace(b"element vertex", b"comment mine\ncomment prompt {}\nelement vertex", 1)
    (folders / "input" / "s.ply").write_bytes(data)
    splats = load_splats(folders / "input" / "s.ply")
    plain, tagged = saved_splats(folders, splats), saved_splats(folders, splats, **HIDDEN)
    head, _, rows = tagged.read_bytes().partition(b"end_header\n")
    assert plain.read_bytes() == data and data.endswith(rows)
    words = [line.split(" ", 2) for line in head.decode().split("\n") if line.startswith("comment ")]
    assert [w[1] for w in words].count("prompt") == 1, "that of an earlier save is replaced"
    found = {w[1]: w[2] for w in words if len(w) == 3}
    assert same(found["prompt"], PROMPT) and same(found["workflow"], WORKFLOW) and ["comment", "mine"] in words
    assert torch.equal(load_splats(tagged).sh, splats.sh)


def test_a_long_workflow_leaves_headers_that_viewers_read(folders):
    hidden = {"prompt": PROMPT, "extra_pnginfo": {"workflow": ["x" * 50_000]}}
    data = saved_splats(folders, random_splats(bands=16), **hidden).read_bytes()
    assert data.index(b"end_header") < 10_000 and b"comment prompt" in data and b"comment workflow" not in data


@pytest.fixture
def no_metadata():
    """The host as if started with --disable-metadata."""
    before = getattr(comfy.cli_args.args, "disable_metadata", False)
    comfy.cli_args.args.disable_metadata = True
    yield
    comfy.cli_args.args.disable_metadata = before


def test_nothing_is_said_where_the_user_wants_none(folders, no_metadata):
    assert host.metadata_disabled() and saving.workflow_of(**HIDDEN) == {}
    (picture,) = save_picture("a", **HIDDEN)
    mesh = SaveTexturedMesh().save(to_socket(a_mesh(folders)), "b", "glb", "joint", **HIDDEN)["result"][1]
    splats = saved_splats(folders, random_splats(), "c", **HIDDEN)
    for path in (folders / "output" / picture["filename"], folders / "output" / mesh, splats):
        assert not any(word in path.read_bytes() for word in (b"class_type", b"workflow", b"extras")), path.name


def test_nodes_that_save_ask_for_it():
    for node in (SaveTexturedMesh, SavePanorama, SaveSplats):
        assert node.INPUT_TYPES()["hidden"] == {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}
