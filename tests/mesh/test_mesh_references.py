"""Files that mesh files refer to, noticed when they change."""

import json
import os

import pytest
from helpers.hosting import host
from syncpack.nodes.mesh.file_nodes import SyncTweediesLoadMesh
from syncpack.nodes.panorama.file_nodes import PanoramaDepthViews
from syncpack.nodes.splats.file_nodes import CameraFileRig
from syncpack.renderers.mesh.files.references import referred_files

pytestmark = pytest.mark.host

GLTF = {"asset": {"version": "2.0"}, "buffers": [{"uri": "scene%20one.bin"}], "images": [{"uri": "textures/base.png"}]}
GLTF["images"].append({"uri": "data:image/png;base64,AAAA"})


def write(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def chunked(tree):
    text = json.dumps(tree).encode()
    return b"glTF" + (2).to_bytes(4, "little") + bytes(4) + len(text).to_bytes(4, "little") + b"JSON" + text


CASES = {
    "subfolders of glTF": ("m/a.gltf", json.dumps(GLTF), ["m/scene one.bin", "m/textures/base.png"]),
    "GLB with files": ("a.glb", chunked(GLTF), ["scene one.bin", "textures/base.png"]),
    "MTL elsewhere, TIFF beside it": (
        "m/a.obj",
        "v 0 0 0\r\nmtllib mats/a b.mtl\r\n",
        {"m/mats/a b.mtl": "newmtl x\nmap_Kd -s 1 1 1 Dif fuse.tif\n", "m/mats/Dif fuse.tif": b"x"},
    ),
    "several libraries, quotes, other letters": (
        "a.obj",
        'mtllib one.mtl two.mtl\nmtllib "three 3.mtl"\n',
        {
            "ONE.mtl": "map_Kd maps\\\\X.PNG",
            "two.mtl": "bump -bm 1 y.png",
            "three 3.mtl": "",
            "Maps/x.png": b"",
            "y.png": b"",
        },
    ),
    "paths of another machine": ("a.obj", "mtllib C:\\\\work\\\\a.mtl", {"a.mtl": "map_d /home/x/t.tga", "t.tga": b""}),
    "other encodings": (
        "a.obj",
        "mtllib Fläche.mtl".encode("latin-1"),
        {"Fläche.mtl": "map_Kd Größe.png", "Größe.png": b""},
    ),
    "lines that end with CR": ("a.obj", "v 0 0 0\rmtllib a.mtl\r", {"a.mtl": "newmtl x\rmap_Kd t.bmp\r", "t.bmp": b""}),
    "PLY": ("a.ply", "ply\ncomment TextureFile t/a b.png\nend_header\ncomment TextureFile no.png", ["t/a b.png"]),
    "none": ("a.stl", "solid mtllib a.mtl", []),
}


@pytest.mark.parametrize("case", CASES)
def test_every_file_that_is_named_is_found(folders, case):
    name, content, others = CASES[case]
    root = folders / "input"
    others = others if isinstance(others, dict) else dict.fromkeys(others, b"x")
    write(root, {name: content, **others, "no.png": b"", "other.mtl": "map_Kd no.png"})
    assert referred_files(root / name, root) == tuple(sorted((root / other).resolve() for other in others))
    before = SyncTweediesLoadMesh.IS_CHANGED(file=name)
    assert SyncTweediesLoadMesh.IS_CHANGED(file=name) == before
    # (the files that a material file names count as long as it is there)
    for other in reversed(list(others)):
        status = (root / other).stat()
        (root / other).write_bytes((root / other).read_bytes() + b"#")
        # A tool that keeps dates hides nothing.
        os.utime(root / other, ns=(status.st_atime_ns, status.st_mtime_ns))
        changed = SyncTweediesLoadMesh.IS_CHANGED(file=name)
        assert changed != before, other
        (root / other).unlink()
        before = SyncTweediesLoadMesh.IS_CHANGED(file=name)
        assert before != changed, f"{other} is gone"
    (root / "no.png").write_bytes(b"changed")
    assert SyncTweediesLoadMesh.IS_CHANGED(file=name) == before, "a file that is not named does not matter"


def test_nothing_outside_is_looked_at(folders):
    write(folders, {"secret.mtl": "", "input/a.obj": "mtllib ../secret.mtl\nmtllib /etc/passwd\nmtllib ..\nmtllib \0"})
    assert referred_files(folders / "input/a.obj", folders / "input") == ()
    write(folders, {"input/a.obj": b"", "input/b.obj": b"mtllib " + b"x " * 50_000, "input/c.glb": b"glTF"})
    for name in ("a.obj", "b.obj", "c.glb"):
        assert referred_files(folders / "input" / name, folders / "input") == ()


def test_a_texture_in_a_subfolder_is_loaded_anew(folders):
    """The layout of downloads: scene.gltf, scene.bin and textures/."""
    root = folders / "input" / "3d" / "scene"
    write(root, {"textures/base.png": b"old"})
    tree = dict(GLTF, images=[{"uri": "textures/base.png"}])
    write(root, {"scene.gltf": json.dumps(tree)})
    before = SyncTweediesLoadMesh.IS_CHANGED(file="3d/scene/scene.gltf")
    write(root, {"textures/base.png": b"new"})
    assert SyncTweediesLoadMesh.IS_CHANGED(file="3d/scene/scene.gltf") != before


def test_other_files_that_nodes_read(folders):
    root = folders / "input"
    write(
        root,
        {"d.png": b"1", "c/transforms.json": "{}", "c/dataparser_transforms.json": "{}", "c/sub/cameras.bin": b"1"},
    )
    for node, name, file in (
        (PanoramaDepthViews, "d.png", "d.png"),
        (CameraFileRig, "c/transforms.json", "c/transforms.json"),
        (CameraFileRig, "c/transforms.json", "c/dataparser_transforms.json"),
        (CameraFileRig, "c", "c/sub/cameras.bin"),
    ):
        before, status = node.IS_CHANGED(file=name), (root / file).stat()
        (root / file).write_bytes(b"2" * status.st_size)
        os.utime(root / file, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert node.IS_CHANGED(file=name) != before, (name, file)
    assert host.folder_of("input") == str(root)
