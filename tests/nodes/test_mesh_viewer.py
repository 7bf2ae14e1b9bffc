"""The mesh viewer's reader and camera (JavaScript, run by node where it is installed) against the pack's own."""

import base64
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.glb_files import Builder
from helpers.javascript import needs_node, run
from helpers.saved_meshes import save_mesh
from syncpack.renderers.cameras.viewpoints import Viewpoint
from syncpack.renderers.mesh.files.load import load_mesh
from syncpack.renderers.mesh.material import Part
from syncpack.renderers.mesh.mesh import Mesh

pytestmark = needs_node

SQUARE = [[0, 0, 0], [2, 0, 0], [2, 1, 0], [0, 1, 0.5]]
UVS = [[0, 1], [1, 1], [1, 0], [0, 0]]
TWO = [0, 1, 2, 0, 2, 3]


def read(path):
    """What the reader makes of a file; arrays as lists."""
    return run(
        "preview_mesh/glb.mjs",
        f"""const {{ readFileSync }} = await import("node:fs");
        const bytes = readFileSync({json.dumps(str(path))});
        const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
        try {{
          const model = g.readGlb(file);
          const list = (array) => array && [...array];
          model.pieces = model.pieces.map((p) => ({{ ...p, positions: list(p.positions), normals: list(p.normals),
            uvs: list(p.uvs), colours: list(p.colours), indices: list(p.indices) }}));
          model.pictures = await Promise.all(model.pictures.map(async (picture) =>
            [picture.type, Buffer.from(await picture.arrayBuffer()).toString("base64")]));
          return model;
        }} catch (error) {{ return {{ refused: error.shown ?? error.stack }}; }}""",
    )


def rows(values, width=3):
    return torch.tensor(values, dtype=torch.float64).reshape(-1, width)


def written(tmp_path, builder):
    path = tmp_path / "built.glb"
    path.write_bytes(builder.file())
    return path


def corners(model):
    """World positions of all faces' corners [F, 3, 3]."""
    return torch.cat([rows(p["positions"])[torch.tensor(p["indices"])].reshape(-1, 3, 3) for p in model["pieces"]])


def area(faces):
    """Normals as long as twice the faces' areas, whichever corner comes first."""
    return torch.linalg.cross(faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0])


def same_as_python(path):
    """The faces that the viewer reads are those that ``load_mesh``, which shares no code with it, reads."""
    found, mesh = read(path), load_mesh(path).mesh
    expected = mesh.vertices[mesh.faces].double()
    ours = corners(found)
    assert torch.allclose(ours.sort(1).values, expected.sort(1).values, atol=1e-5)
    assert torch.allclose(area(ours), area(expected), atol=1e-5), "and they face the same way"
    assert found["faces"] == len(mesh.faces)
    assert np.allclose(found["centre"], mesh.centre, atol=1e-5)
    assert found["radius"] == pytest.approx(mesh.radius, rel=1e-5)
    return found


def two_parts():
    """Two triangles and a stray vertex: one part with a texture, one with a colour."""
    return Mesh(
        torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.25], [50, 50, 50]]),
        torch.tensor([[0, 1, 2], [0, 2, 3]]),
        torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]]),
        torch.tensor([[0, 1, 2], [0, 2, 3]]),
        torch.tensor([0, 1]),
        (
            Part("brick", torch.rand(8, 16, 3, generator=torch.Generator().manual_seed(0))),
            Part("red", None, (1, 0.5, 0, 1)),
        ),
        normals=torch.tensor([[0.0, 0, 1]]).repeat(5, 1),
    )


def test_our_own_files_are_read_as_written(tmp_path):
    mesh = two_parts()
    (path,) = save_mesh(mesh, None, tmp_path / "two")
    found = same_as_python(path)
    first, second = found["pieces"]
    assert torch.allclose(rows(first["positions"]), mesh.vertices.double())
    assert torch.allclose(rows(first["uvs"], 2)[:4], (mesh.uvs * torch.tensor([1, -1]) + torch.tensor([0, 1])).double())
    assert torch.allclose(rows(first["normals"]), mesh.normals.double())
    assert (first["indices"], second["indices"]) == ([0, 1, 2], [0, 2, 3])
    assert first["material"] == {
        "colour": [1, 1, 1, 1], "picture": 0, "wrap": ["CLAMP_TO_EDGE"] * 2, "nearest": False, "alpha": "OPAQUE",
        "cutoff": 0.5,
    }  # fmt: skip
    assert second["material"]["picture"] == -1 and second["colours"] is None
    assert second["material"]["colour"] == pytest.approx([1, 0.21404, 0, 1], abs=1e-4), "linear light"
    ((kind, data),) = found["pictures"]
    assert kind == "image/png" and base64.b64decode(data).startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", None])
def test_every_kind_of_index(tmp_path, kind):
    built = Builder()
    place = SQUARE if kind else np.asarray(SQUARE)[TWO]
    primitive = {"attributes": {"POSITION": built.accessor(place, "f4")}}
    if kind:
        primitive["indices"] = built.accessor(TWO, kind)
    built.node(mesh=built.mesh(primitive))
    assert same_as_python(written(tmp_path, built))["faces"] == 2


@pytest.mark.parametrize("mode", [5, 6])
def test_strips_and_fans(tmp_path, mode):
    built = Builder()
    circle = [[math.cos(a), math.sin(a), a / 9] for a in range(6)]
    primitive = {"attributes": {"POSITION": built.accessor(circle, "f4")}, "mode": mode}
    built.node(mesh=built.mesh(primitive))
    assert same_as_python(written(tmp_path, built))["faces"] == 4


def test_nodes_move_turn_scale_and_mirror(tmp_path):
    built = Builder()
    normals = [[0, 0, 1]] * 4
    attributes = {"POSITION": built.accessor(SQUARE, "f4"), "NORMAL": built.accessor(normals, "f4")}
    mesh = built.mesh({"attributes": attributes, "indices": built.accessor(TWO, "u1")})
    half = math.sqrt(0.5)
    child = built.node(root=False, mesh=mesh, rotation=[half, 0, 0, half], scale=[1, 2, -3])
    built.node(children=[child], translation=[5, 0, -1])
    matrix = [0, 1, 0, 0, -1, 0, 0, 0, 0, 0, 0.5, 0, 7, 8, 9, 1]
    built.node(mesh=mesh, matrix=matrix)
    found = same_as_python(written(tmp_path, built))
    # A quarter turn about x takes +z to -y; whatever their sign, normals stay across the surface.
    for piece, axis in zip(found["pieces"], (1, 2), strict=True):
        unit = rows(piece["normals"])
        assert torch.allclose((unit / unit.norm(dim=1, keepdim=True)).abs()[:, axis], torch.ones(4).double())


def test_a_slanted_normal_stays_across_a_squeezed_surface(tmp_path):
    built = Builder()
    slope, across = [[0, 0, 0], [1, 0, 1], [0, 1, 0]], [[-1, 0, 1]] * 3
    attributes = {"POSITION": built.accessor(slope, "f4"), "NORMAL": built.accessor(across, "f4")}
    built.node(mesh=built.mesh({"attributes": attributes}), scale=[4, 1, 1])
    (piece,) = same_as_python(written(tmp_path, built))["pieces"]
    place, normal = rows(piece["positions"]), rows(piece["normals"])
    assert torch.allclose((place[1:] - place[:1]) @ normal.T, torch.zeros(2, 3).double(), atol=1e-6)


def test_interleaved_normalised_and_coloured_vertices(tmp_path):
    built = Builder()
    place, uv = built.interleaved(SQUARE, UVS)
    colours = built.accessor([[255, 0, 51, 0]] * 4, "u1", normalized=True)
    built.tree["accessors"][colours]["type"] = "VEC3"  # three of four bytes: the fourth is padding
    built.tree["bufferViews"][-1]["byteStride"] = 4
    half = built.accessor(np.asarray(UVS) * 65535, "u2", normalized=True)
    one = {
        "attributes": {"POSITION": place, "TEXCOORD_0": uv, "COLOR_0": colours},
        "indices": built.accessor(TWO, "u2"),
    }
    two = {"attributes": {"POSITION": place, "TEXCOORD_0": half}, "indices": built.accessor(TWO, "u2")}
    built.node(mesh=built.mesh(one, two))
    first, second = same_as_python(written(tmp_path, built))["pieces"]
    assert first["uvs"] == second["uvs"] == [float(v) for row in UVS for v in row]
    assert torch.allclose(rows(first["colours"], 4), torch.tensor([1, 0, 0.2, 1], dtype=torch.float64))
    assert second["colours"] is None


def test_materials(tmp_path):
    built = Builder()
    picture = built.view(b"\xff\xd8 not really")
    built.tree |= {
        "images": [{"bufferView": picture, "mimeType": "image/jpeg"}],
        "samplers": [{"magFilter": 9728, "wrapS": 33648}],
        "textures": [{"source": 0, "sampler": 0}],
        "materials": [
            {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}, "alphaMode": "MASK", "alphaCutoff": 0.25},
            {"alphaMode": "BLEND"},
        ],
    }
    place = built.accessor(SQUARE[:3], "f4")
    built.node(mesh=built.mesh(*({"attributes": {"POSITION": place}, "material": m} for m in (0, 1))))
    found = read(written(tmp_path, built))
    first, second = (p["material"] for p in found["pieces"])
    assert first == {
        "colour": [1, 1, 1, 1], "picture": 0, "wrap": ["MIRRORED_REPEAT", "REPEAT"], "nearest": True, "alpha": "MASK",
        "cutoff": 0.25,
    }  # fmt: skip
    assert second["alpha"] == "BLEND" and second["picture"] == -1
    assert found["pictures"] == [["image/jpeg", base64.b64encode(b"\xff\xd8 not really").decode()]]


def a_square():
    built = Builder()
    primitive = {"attributes": {"POSITION": built.accessor(SQUARE, "f4")}, "indices": built.accessor(TWO, "u2")}
    built.node(mesh=built.mesh(primitive))
    return built


def test_our_materials_reach_the_viewer(tmp_path):
    """Opacity, a colour that multiplies a texture, and vertex colours, in linear light."""
    clear = torch.zeros(4, 4, 4)
    parts = (Part("wall", clear, (0.5, 1, 1, 1)), Part("leaf", clear, alpha="mask", cutoff=0.25))
    mesh = replace(two_parts(), parts=parts, colours=torch.full((5, 3), 0.5))
    found = read(save_mesh(mesh, None, tmp_path / "two")[0])
    first, second = (p["material"] for p in found["pieces"])
    assert (first["alpha"], second["alpha"], second["cutoff"]) == ("OPAQUE", "MASK", 0.25)
    assert first["picture"] == second["picture"] == 0
    assert first["colour"] == pytest.approx([0.21404, 1, 1, 1], abs=1e-4)
    assert found["pieces"][0]["colours"][:4] == pytest.approx([0.21404] * 3 + [1], abs=1e-4)


def test_chunks_may_follow_at_once(tmp_path):
    whole = a_square().file()
    size = int.from_bytes(whole[12:16], "little")
    text, body = whole[20 : 20 + size].rstrip(), whole[20 + size :]
    text += b" " * ((3 - len(text)) % 4)
    for padding, name in ((b"", "tight"), (b" ", "padded")):
        chunks = len(text).to_bytes(4, "little") + b"JSON" + text + padding + body
        path = tmp_path / f"{name}.glb"
        path.write_bytes(whole[:8] + (12 + len(chunks)).to_bytes(4, "little") + chunks)
        assert same_as_python(path)["faces"] == 2


def test_nodes_that_share_children_do_not_hang(tmp_path):
    built = a_square()
    built.tree["nodes"] = [{"children": [i + 1, i + 1]} for i in range(24)] + [{"mesh": 0}]
    assert "damaged" in read(written(tmp_path, built))["refused"]


def draco(built):
    built.tree["extensionsRequired"] = ["KHR_draco_mesh_compression"]


def beyond(built):
    built.tree["accessors"][1]["count"] = 7


def foreign_index(built):
    built.tree["meshes"][0]["primitives"][0]["indices"] = built.accessor([0, 1, 4], "u1")


def circle(built):
    built.tree["nodes"][0]["children"] = [0]


def nothing(built):
    built.tree["meshes"][0]["primitives"][0]["mode"] = 1


def other_length(built):
    built.tree["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"] = built.accessor(UVS[:3], "f4")


def no_numbers(built):
    built.tree["meshes"][0]["primitives"][0]["attributes"]["POSITION"] = built.accessor([[math.nan] * 3] * 4, "f4")


@pytest.mark.parametrize(
    "spoil, words",
    [
        (draco, "KHR_draco_mesh_compression"),
        (beyond, "cut off or damaged"),
        (foreign_index, "cut off or damaged"),
        (circle, "cut off or damaged"),
        (other_length, "cut off or damaged"),
        (no_numbers, "no numbers"),
        (nothing, "no triangles"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(tmp_path, spoil, words):
    built = a_square()
    spoil(built)
    refused = read(written(tmp_path, built))["refused"]
    assert refused.startswith("The mesh cannot be shown: ") and words in refused and "\n" not in refused


def test_cut_off_files_are_refused_in_words(tmp_path):
    whole, path = a_square().file(), tmp_path / "cut.glb"
    for data in (b"", b"solid not a GLB file at all", whole[:100], whole[:-8], b"glTF" + b"\2\0\0\0" * 20):
        path.write_bytes(data)
        assert (
            read(path)["refused"].startswith("The mesh cannot be shown: it is no GLB file")
            or "damaged" in (read(path)["refused"])
        )


LOOKS = [
    {"azimuth": 0, "elevation": 0, "distance": 2.75, "target": [0, 0, 0]},
    {"azimuth": 130, "elevation": -35, "distance": 2, "target": [0.3, -0.2, 0.1]},
    {"azimuth": -60, "elevation": 90, "distance": 1.5, "target": [0, 0.5, 0]},
    {"azimuth": 20, "elevation": 10, "distance": 0.4, "target": [-0.7, 0.1, 0.6]},
]


def camera(look, width, height):
    across = math.tan(math.radians(45) / 2) * width / min(width, height)
    return Viewpoint.orbit(
        *(math.radians(look[k]) for k in ("azimuth", "elevation")), look["distance"], tuple(look["target"]),
        fov=2 * math.atan(across),
    )  # fmt: skip


@pytest.mark.parametrize("width, height", [(300, 200), (120, 240)])
def test_the_camera_is_a_rigs_camera(width, height):
    points = torch.nn.functional.normalize(
        torch.randn(50, 3, generator=torch.Generator().manual_seed(1)).double(), dim=1
    )
    found = run(
        "viewer/orbit.mjs",
        f"""return {json.dumps(LOOKS)}.map((look) => {{
          const m = g.projection(look, {width}, {height});
          return {json.dumps(points.tolist())}.map((p) =>
            [0, 1, 2, 3].map((row) => m[row] * p[0] + m[4 + row] * p[1] + m[8 + row] * p[2] + m[12 + row]));
        }});""",
    )
    for look, clip in zip(LOOKS, torch.tensor(found, dtype=torch.float64), strict=True):
        row, column, depth = camera(look, width, height).pixels(points, height, width)
        x, y, z, w = clip.unbind(-1)
        assert torch.allclose(w, depth)
        before = depth > 0.05
        assert int(before.sum()) > 10
        assert torch.allclose(((x / w + 1) * width / 2)[before], column[before], atol=1e-6)
        assert torch.allclose(((1 - y / w) * height / 2)[before], row[before], atol=1e-6)
        assert bool((z.abs() <= w)[before].all()), "nothing of the object is cut off in depth"


def test_what_is_moved_follows_the_pointer():
    found = run(
        "viewer/orbit.mjs",
        """const look = { azimuth: 40, elevation: 25, distance: 1.7, target: [0.1, 0.2, 0] };
        const seen = (m, p) => [0, 1, 3].map((row) =>
          m[row] * p[0] + m[4 + row] * p[1] + m[8 + row] * p[2] + m[12 + row]);
        const after = g.projection(g.panned(look, 30, -12, 400, 200), 400, 200);
        const [x, y, w] = seen(after, look.target);
        const turned = g.dragged(look, 50, 20, 400, 200);
        const far = g.panned(look, 1e6, 0, 9, 9).target;
        return [(x / w) * 200, (-y / w) * 100, turned.azimuth, turned.elevation, far];""",
    )
    assert found[0] == pytest.approx(30, abs=1e-9) and found[1] == pytest.approx(-12, abs=1e-9)
    assert found[2] == pytest.approx(40 - 45) and found[3] == pytest.approx(25 + 18)
    assert math.hypot(*found[4]) == pytest.approx(2), "the object is never lost"


def test_looks_stay_in_range_and_start_shows_everything():
    found = run(
        "viewer/orbit.mjs",
        """const high = { ...g.START, azimuth: 170, elevation: 80 };
        return [g.turned(high, 20, 30), g.zoomed(high, 100).distance, g.zoomed(high, 1e-4).distance,
          g.SIDES.map((_, i) => g.axes(g.from(high, i)).back.map(Math.round)), g.START, g.FOV];""",
    )
    assert (found[0]["azimuth"], found[0]["elevation"]) == (-170, 90)
    assert found[1:3] == [20, 0.05]
    assert found[3] == [[0, 0, 1], [1, 0, 0], [0, 0, -1], [-1, 0, 0], [0, 1, 0], [0, -1, 0]]
    assert found[4]["distance"] * math.sin(math.radians(found[5] / 2)) > 1, "a sphere of radius 1 fits"
