"""FILE_3D in and out, with every node of the host that takes one; links as the host checks them."""

import re
import shutil
from io import BytesIO
from pathlib import Path

import pytest
import torch
from helpers.host_nodes import nodes_that_take, run_found
from helpers.hosting import host, host_module
from helpers.mesh_files import quad_glb
from helpers.splat_files import random_splats
from helpers.three_d import rig_of, small_torus
from syncpack.nodes import NODE_CLASS_MAPPINGS
from syncpack.nodes.files import ASSETS
from syncpack.nodes.host.mesh_socket import from_socket, to_socket
from syncpack.nodes.host.splat_socket import to_splat
from syncpack.nodes.mesh.file_nodes import SaveTexturedMesh, SyncTweediesLoadMesh
from syncpack.nodes.splats.file_nodes import SaveSplats
from syncpack.nodes.views.orbit_nodes import RigCamera
from syncpack.renderers.mesh.files.load import load_mesh

pytestmark = pytest.mark.host
if not host.HAS_FILE_3D:
    pytest.skip("this host has no 3D files", allow_module_level=True)

DEFAULTS = {n: s[1].get("default", s[0][0]) for n, s in SyncTweediesLoadMesh.INPUT_TYPES()["required"].items()}
PLACED = [{"position": dict.fromkeys("xyz", 0.0), "scale": dict.fromkeys("xyz", 1.0),
           "quaternion": {"x": 0.0, "y": 0.0, "z": 0.0, "w": 1.0}}]  # fmt: skip
# What takes files of kinds that nothing here gives or reads.
CLOUDS = {"PreviewPointCloud", "SavePointCloud"}
MESHES = {"Preview3D": "model_file", "Preview3DAdvanced": "model_3d", "SaveGLB": "mesh", "Save3DAdvanced": "model_3d"}
SPLATS = {"PreviewGaussianSplat": "model_3d", "SaveGaussianSplat": "model_3d", "File3DToSplat": "model_3d"}


def a_file(source, kind=""):
    from comfy_api.latest import Types

    return Types.File3D(source, kind)


def load(model, **changes):
    with torch.inference_mode():
        return from_socket(SyncTweediesLoadMesh().load(**{**DEFAULTS, **changes}, model_3d=model)[0])


def test_no_node_that_takes_files_is_forgotten():
    assert set(nodes_that_take(re.compile("FILE_3D|File3D"))) == CLOUDS | set(MESHES) | set(SPLATS)


def fits(given, wanted):
    module = host_module("comfy_execution.validation", "comfy_execution.validation")
    return module.validate_node_input(given, wanted)


def test_links_fit_as_the_host_checks_them():
    kinds = {name: ",".join(found) for name, found in nodes_that_take(re.compile("FILE_3D|File3D")).items()}
    assert all(fits(SaveTexturedMesh.RETURN_TYPES[2], kinds[name]) for name in MESHES)
    assert all(fits(SaveSplats.RETURN_TYPES[2], kinds[name]) for name in (*SPLATS, "SaveGLB"))
    mesh, splats = (
        NODE_CLASS_MAPPINGS[name].INPUT_TYPES()["optional"]["model_3d"][0]
        for name in ("SyncTweediesLoadMesh", "SyncTweediesLoadSplats")
    )
    for given in ("FILE_3D", "FILE_3D_GLB", "FILE_3D_OBJ", "FILE_3D_PLY"):
        assert fits(given, mesh)
    for given in ("FILE_3D", "FILE_3D_SPLAT_ANY", "FILE_3D_PLY", "FILE_3D_SPLAT"):
        assert fits(given, splats)
    assert not fits("FILE_3D_FBX", mesh) and not fits("MESH", mesh)
    node = NODE_CLASS_MAPPINGS["SyncTweediesLoadMesh"]
    assert node.VALIDATE_INPUTS(file="gone.glb", model_3d=None, input_types={"model_3d": "FILE_3D_GLB"}) is True
    assert "model_3d takes" in node.VALIDATE_INPUTS(file="gone.glb", model_3d=None, input_types={"model_3d": "MESH"})
    assert "gone.glb" in node.VALIDATE_INPUTS(file="gone.glb", input_types={})


@pytest.mark.parametrize("name", MESHES)
@pytest.mark.parametrize("format", ["glb", "obj", "ply"])
def test_saved_meshes_go_to_the_hosts_nodes(name, format, folders):
    mesh = small_torus(8, 6)
    file = SaveTexturedMesh().save(to_socket(mesh), "a/b", format, "joint")["result"][2]
    assert file.format == format and Path(file.get_source()).is_file()
    camera = RigCamera().give(rig_of(mesh), 1)[0]
    known = {"camera_info": camera} if name != "SaveGLB" else {}
    if "Advanced" in name:
        known["model_3d_info"] = PLACED
    found = run_found(name, **{MESHES[name]: file}, **known)
    if "Advanced" in name:
        assert found[0] is file and found[2] == camera
    suffixes = {p.suffix for p in folders.rglob("*") if p.is_file() and p.parent.name != "a"}
    assert f".{format}" in suffixes, "the node wrote it"


@pytest.mark.parametrize("name", SPLATS)
@pytest.mark.parametrize("format", ["ply", "splat"])
def test_saved_splats_go_to_the_hosts_nodes(name, format, folders):
    scene = random_splats(30)
    file = SaveSplats().save(to_splat(scene), "a/b", format)["result"][2]
    assert file.format == format
    found = run_found(name, **{SPLATS[name]: file})
    if name == "File3DToSplat":
        assert torch.allclose(found[0].positions[0], scene.positions, atol=1e-5)
    else:
        assert found[0] is file


@pytest.mark.parametrize("stored", ["disk", "memory", "memory without a format"])
def test_a_file_of_another_node_is_read(stored, folders):
    shutil.copy(ASSETS / "teapot.glb", folders / "input" / "pot.glb")
    path = folders / "input" / "pot.glb"
    kind = "" if stored == "memory without a format" else "glb"
    file = a_file(str(path)) if stored == "disk" else a_file(BytesIO(path.read_bytes()), kind)
    mesh = load(file, file="gone.glb")
    assert len(mesh.faces) == len(load_mesh(path).mesh.faces)
    assert mesh.name == ("pot" if stored == "disk" else "model")


def test_textures_beside_a_file_are_read(folders):
    mesh = small_torus(8, 6)
    file = SaveTexturedMesh().save(to_socket(mesh), "a/b", "obj", "joint")["result"][2]
    found = load(file)
    assert float((found.parts[0].texture - mesh.parts[0].texture).abs().max()) < 1 / 255


def test_the_hosts_loader_is_a_road_to_a_mesh(folders):
    (folders / "input" / "3d").mkdir()
    quad_glb().write(folders / "input" / "3d" / "quad.glb")
    file, placed, camera = run_found("Load3DAdvanced", model_file="3d/quad.glb")[:3]
    assert len(load(file).faces) == 2 and placed == [] and camera is None


BAD = {
    "none": (lambda folder: None, "the node that model_3d comes from gives no file"),
    "fbx": (
        lambda folder: a_file(BytesIO(b"Kaydara"), "fbx"),
        "of format 'fbx' cannot be read here: convert",
    ),
    "no format": (lambda folder: a_file(BytesIO(b"what")), "a 3D file that says no format cannot be read here"),
    "gone": (lambda folder: a_file(str(folder / "gone.glb")), "there is no file '.*gone.glb'"),
    "broken": (lambda folder: a_file(BytesIO(b"glTF"), "glb"), "model.glb"),
    "a mesh": (lambda folder: to_socket(small_torus(8, 6)), "a MESH is no 3D file"),
}


@pytest.mark.parametrize("case", BAD)
def test_files_that_cannot_be_read_are_named(case, folders):
    made, said = BAD[case]
    with pytest.raises(ValueError, match=f"^SyncTweediesLoadMesh: .*{said}") as error:
        load(made(folders))
    assert "\n" not in str(error.value)
