"""glTF files as people have them: odd containers, animation and skins, compression, and files made to hurt."""

import json
import resource
import struct

import numpy as np
import pytest
import torch
from helpers.mesh_files import QUAD, TWO, Glb, picture, quad_glb
from helpers.work import calls
from syncpack.renderers.mesh.files.load import load_mesh


def loads(tmp_path, glb, name="a.glb"):
    data = glb if isinstance(glb, bytes) else glb.bytes()
    (tmp_path / name).write_bytes(data)
    return load_mesh(tmp_path / name)


def container(text: bytes, body: bytes, pad: bool, counted: bool) -> bytes:
    """A GLB whose JSON chunk has a length that is no multiple of 4."""
    text += b" " * ((3 - len(text)) % 4)
    assert len(text) % 4 == 3
    padding = b" " if pad else b""
    size = len(text) + (len(padding) if counted else 0)
    chunks = struct.pack("<I4s", size, b"JSON") + text + padding + struct.pack("<I4s", len(body), b"BIN\0") + body
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


@pytest.mark.parametrize("pad, counted", [(False, False), (True, False), (True, True)])
def test_chunks_follow_at_once_or_padded(tmp_path, pad, counted):
    glb = quad_glb()
    glb.bytes()
    assert len(loads(tmp_path, container(json.dumps(glb.tree).encode(), glb.body, pad, counted)).mesh.faces) == 2


def test_whole_numbers_may_be_written_with_a_point(tmp_path):
    glb = quad_glb()
    glb.bytes()

    def pointed(value):
        if isinstance(value, dict):
            return {key: pointed(v) for key, v in value.items()}
        if isinstance(value, list):
            return [pointed(v) for v in value]
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    text = json.dumps(pointed(glb.tree)).encode()
    assert b'"POSITION": 0.0' in text
    assert len(loads(tmp_path, container(text, glb.body, True, True)).mesh.faces) == 2


def test_an_animated_file_is_read_in_its_rest_pose(tmp_path):
    glb = quad_glb()
    glb.tree["nodes"] = [{"mesh": 0, "translation": [1, 2, 3]}]
    glb.tree["animations"] = [{"channels": [], "samplers": []}]
    loaded = loads(tmp_path, glb)
    assert np.allclose(loaded.mesh.vertices, QUAD + np.array([1, 2, 3]))
    assert any("animated" in n and "rest pose" in n for n in loaded.notes)


def test_a_skinned_file_is_read_in_its_bind_pose(tmp_path):
    """Its own node does not move it; an armature that is turned as a whole does."""
    glb = quad_glb()
    inverse = np.eye(4, dtype="<f4")
    inverse[3, :3] = [0, -5, 0]  # column by column: the joint stands at (0, 5, 0) when it is bound
    number = glb.accessor(inverse.reshape(1, 16)[:, :1])
    glb.tree["accessors"][number] |= {"bufferView": glb.view(inverse.tobytes()), "type": "MAT4", "count": 1}
    glb.tree["nodes"] = [
        {"mesh": 0, "skin": 0, "translation": [9, 9, 9]},
        {"children": [2], "scale": [2, 2, 2]},
        {"translation": [0, 5, 0]},
    ]
    glb.tree["skins"] = [{"joints": [2], "inverseBindMatrices": number}]
    glb.tree["scenes"] = [{"nodes": [0, 1]}]
    loaded = loads(tmp_path, glb)
    assert np.allclose(loaded.mesh.vertices, QUAD * 2)
    assert any("skinned" in n and "bones and weights are not saved" in n for n in loaded.notes)


def test_compression_that_is_not_declared_is_named(tmp_path):
    glb = quad_glb()
    primitive = glb.tree["meshes"][0]["primitives"][0]
    primitive["extensions"] = {"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {}}}
    glb.tree["extensionsUsed"] = ["KHR_draco_mesh_compression"]
    assert len(loads(tmp_path, glb).mesh.faces) == 2, "there are data beside"
    del glb.tree["accessors"][primitive["attributes"]["POSITION"]]["bufferView"]
    with pytest.raises(ValueError, match="compressed with Draco"):
        loads(tmp_path, glb)
    glb = quad_glb()
    glb.tree["bufferViews"][0] |= {"buffer": 1, "extensions": {"EXT_meshopt_compression": {"buffer": 0}}}
    glb.bytes()
    glb.tree["buffers"].append({"byteLength": 999, "extensions": {"EXT_meshopt_compression": {"fallback": True}}})
    text = json.dumps(glb.tree).encode()
    with pytest.raises(ValueError, match="compressed with meshopt"):
        loads(tmp_path, container(text, glb.body, True, True))


def test_a_piece_without_positions_is_left_out(tmp_path):
    glb = quad_glb()
    glb.tree["meshes"][0]["primitives"].append({"attributes": {}})
    loaded = loads(tmp_path, glb)
    assert len(loaded.mesh.faces) == 2 and "a piece without positions is left out" in loaded.notes


def test_a_node_far_away_keeps_the_shape(tmp_path):
    glb = quad_glb()
    glb.tree["nodes"] = [{"mesh": 0, "translation": [448262.125, 5411932.678, 0], "scale": [0.1, 0.1, 0.1]}]
    mesh = loads(tmp_path, glb).mesh
    a, b, c = mesh.vertices.double()[mesh.faces].unbind(1)
    assert float(torch.linalg.cross(b - a, c - a).norm(dim=1).sum() / 2) == pytest.approx(0.01, rel=1e-6)
    assert np.allclose(mesh.vertices[0].double().numpy() + mesh.origin, [448262.125, 5411932.678, 0], atol=1e-6)


def shared_nodes():
    glb = quad_glb()
    glb.tree["nodes"] = [{"children": [i + 1, i + 1]} for i in range(24)] + [{"mesh": 0}]
    return glb


def many_instances():
    """A mesh of few faces and many vertices, named from many nodes."""
    glb = Glb()
    glb.tree["meshes"] = [{"primitives": [glb.primitive(points=np.zeros((60000, 3), "<f4") + QUAD[1], uvs=None)]}]
    glb.tree["nodes"] = [{"mesh": 0} for _ in range(700)]
    glb.tree["scenes"] = [{"nodes": list(range(700))}]
    return glb


def claims(what, count=2_000_000_000, sparse=False):
    def build():
        glb = quad_glb()
        attributes = glb.tree["meshes"][0]["primitives"][0]["attributes"]
        attributes.setdefault("NORMAL", glb.accessor(QUAD + np.float32(1)))
        head = glb.tree["accessors"][attributes[what]]
        head["count"] = count
        if sparse:
            view = head.pop("bufferView")
            head["sparse"] = {
                "count": 1,
                "indices": {"bufferView": view, "componentType": 5121},
                "values": {"bufferView": view},
            }
        return glb

    return build


def many_placements():
    """One set of coordinates, moved otherwise for each of many materials."""
    glb = Glb()
    first = glb.primitive(points=np.tile(QUAD, (15000, 1)), uvs=np.zeros((60000, 2), "<f4"))
    texture = glb.texture(picture())
    primitives = []
    for i in range(300):
        moved = {"index": texture, "extensions": {"KHR_texture_transform": {"offset": [i, 0]}}}
        primitives.append({**first, "material": glb.material(str(i), baseColorTexture=moved)})
    glb.tree["meshes"] = [{"primitives": primitives}]
    return glb


def many_textures():
    import io

    from PIL import Image

    glb = Glb()
    primitives, data = [], io.BytesIO()
    Image.new("1", (8192, 8192)).save(data, "PNG")
    for i in range(6):
        number = glb.material(str(i), glb.texture(data.getvalue() + bytes([i])))
        primitives.append(glb.primitive(material=number))
    glb.tree["meshes"] = [{"primitives": primitives}]
    return glb


HOSTILE = {
    "nodes that share children": (shared_nodes, "many times over"),
    "one mesh named often": (many_instances, "vertices are more than"),
    "many positions": (claims("POSITION"), "damaged|more than"),
    "many normals": (claims("NORMAL"), "damaged"),
    "many coordinates": (claims("TEXCOORD_0"), "damaged|more than"),
    "many zeros": (claims("NORMAL", 300_000_000, True), "claims 300000000 values"),
    "one set of coordinates placed often": (many_placements, "vertices are more than"),
    "a count that is no number": (claims("NORMAL", 4.5), "damaged"),
    "a count below zero": (claims("NORMAL", -4), "damaged"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_files_made_to_hurt_are_refused_soon(tmp_path, kind):
    build, said = HOSTILE[kind]
    glb = build()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=said) as error:
        loads(tmp_path, glb)
    assert str(error.value).startswith("'a.glb': ") and "\n" not in str(error.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20, "more than 1 GB"

    def again() -> None:
        with pytest.raises(ValueError, match=said):
            loads(tmp_path, glb)

    assert calls(again) < 500_000, "as much as the file claims"


def test_textures_have_a_limit_together(tmp_path, monkeypatch):
    from syncpack.renderers.mesh.files import pictures

    monkeypatch.setattr(pictures, "read_picture", lambda data, what: torch.zeros(1, 1, 3))
    with pytest.raises(ValueError, match="million pixels together"):
        loads(tmp_path, many_textures())


def test_vertices_shared_by_pieces_stay_shared(tmp_path):
    glb = Glb()
    a = glb.primitive(index=TWO[:3], material=glb.material("a"))
    b = {**a, "indices": glb.accessor(TWO[3:]), "material": glb.material("b")}
    glb.tree["meshes"] = [{"primitives": [a, b]}]
    assert loads(tmp_path, glb).mesh.vertices.shape == (4, 3)
