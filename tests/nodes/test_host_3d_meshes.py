"""Every node of the host that takes a MESH, with ours; what it gives, read by us; pictures of both."""

import copy
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.host_nodes import find_node, nodes_that_take, run_found, shown_by
from helpers.hosting import host
from helpers.meshes import box
from helpers.three_d import agree, colours_apart, ours, overlap, rig_of, small_torus, waves
from syncpack.nodes.host.mesh_socket import from_socket, to_socket
from syncpack.nodes.mesh.file_nodes import SaveTexturedMesh, SyncTweediesLoadMesh, SyncTweediesUnwrap
from syncpack.renderers.mesh.files.load import load_mesh
from syncpack.renderers.mesh.material import Maps, Part

pytestmark = pytest.mark.host
if not host.HAS_MESH:
    pytest.skip("this host has no MESH type", allow_module_level=True)

MESH = small_torus()
SIZE = MESH.vertices.amax(0) - MESH.vertices.amin(0)


def voxels():
    """A grid around the mesh, coloured by place."""
    from comfy_api.latest import Types

    resolution = 16
    at = torch.stack(torch.meshgrid(*[torch.arange(resolution)] * 3, indexing="ij"), -1).reshape(-1, 3)
    return Types.VOXEL(at, (at / resolution).float(), resolution)


def same_size(value, atol=0.03):
    found = from_socket(value).used
    assert torch.allclose(found.amax(0) - found.amin(0), SIZE, atol=atol)
    return from_socket(value)


def filled(given):
    kept = torch.ones(len(MESH.faces), dtype=torch.bool)
    half = len(kept) // 2
    kept[[10, 11, 10 + half, 11 + half]] = False
    faces = MESH.faces[kept]
    open_ = replace(MESH, faces=faces, face_uvs=MESH.face_uvs[kept], part_of_face=MESH.part_of_face[kept])
    (made,) = run_found("FillHoles", mesh=to_socket(open_), max_perimeter=10.0, max_vertices=64)
    assert len(from_socket(made).faces) > len(faces)
    agree(made, apart=1)


def welded(given):
    (made,) = run_found("WeldVertices", mesh=given)
    assert len(from_socket(made).vertices) == len(MESH.used), "seams are one again"
    agree(made, apart=1)


def decimated(given):
    (made,) = run_found("DecimateMesh", mesh=given, target_face_count=500)
    assert len(same_size(made).faces) <= 500
    agree(made, apart=1)


def remeshed(given):
    (made,) = run_found("RemeshMesh", mesh=given, resolution=32)
    assert len(same_size(made, 0.1).faces) != len(MESH.faces)


def unwrapped(given):
    (made,) = run_found("UnwrapMesh", mesh=given, resolution=256)
    assert same_size(made).has_uvs and not torch.equal(from_socket(made).uvs, MESH.uvs)
    agree(replace_texture(made), apart=0.03)


def replace_texture(value):
    """A flat picture: charts of new coordinates have borders that the two renderers read in other ways."""
    changed = copy.copy(value)
    changed.texture = torch.tensor([0.2, 0.5, 0.8]).expand(1, 32, 32, 3)
    return changed


def atlas_shown(given):
    (image,) = run_found("RenderUVAtlas", mesh=given, resolution=128)
    corner = MESH.uvs[MESH.face_uvs]
    (a, b), (c, d) = (corner[:, 1] - corner[:, 0]).unbind(1), (corner[:, 2] - corner[:, 0]).unbind(1)
    covered = float((a * d - b * c).abs().sum() / 2)
    assert float((image[0].std(-1) + image[0].mean(-1) > 0.02).float().mean()) == pytest.approx(covered, abs=0.1)


def painted(given):
    (made,) = run_found("PaintMesh", mesh=given, voxel_colors=voxels())
    bare = copy.copy(made)
    bare.texture = None
    colours = from_socket(bare).colours
    assert float((colours - (from_socket(bare).vertices + 0.5)).abs().mean()) < 0.05
    agree(bare, apart=0.03)
    assert torch.equal(from_socket(made).colours, colours) and from_socket(made).parts[0].texture is not None


def baked(given):
    found = run_found("BakeTextureFromVoxel", mesh=given, voxel_colors=voxels(), texture_size=128)
    (made,) = run_found("ApplyTextureToMesh", mesh=given, base_color=found[0])
    assert float((from_socket(made).parts[0].texture - found[0][0]).abs().max()) == 0
    agree(made, apart=0.03)


def texture_taken(given):
    base, metallic, rough, _, _ = run_found("MeshTextureToImage", mesh=given)[:5]
    assert torch.equal(base, MESH.parts[0].texture[None])
    assert metallic.shape[-1] == rough.shape[-1] == 3


def texture_given(given):
    image = 1 - waves()[None]
    maps = {k: torch.full((1, 32, 32, 3), v) for k, v in (("metallic", 0.2), ("roughness", 0.6), ("occlusion", 0.9))}
    bumps = torch.tensor([0.5, 0.5, 1.0]).expand(1, 32, 32, 3)
    (made,) = run_found("ApplyTextureToMesh", mesh=given, base_color=image, normal_map=bumps, **maps)
    part = from_socket(made).parts[0]
    assert torch.allclose(part.texture, image[0])
    assert part.maps.metallic_roughness[0, 0].tolist() == pytest.approx([0.9, 0.6, 0.2])
    assert part.maps.occlusion is part.maps.metallic_roughness and torch.equal(part.maps.normal, bumps[0])
    assert (part.maps.metallic, part.maps.roughness) == (1, 1)
    agree(made)


def bumps_baked(given):
    (image,) = run_found("BakeNormalMapFromMesh", low_poly=given, high_poly=given, resolution=64)
    assert image[0].mean((0, 1)).tolist() == pytest.approx([0.5, 0.5, 1.0], abs=0.05)


def shade_baked(given):
    (image,) = run_found("BakeAmbientOcclusion", low_poly=given, high_poly=given, resolution=64, samples=8)
    assert 0.5 < float(image.mean()) <= 1


def rendered(given):
    agree(given)
    agree(given, width=64, height=96, fov=40.0, distance=3.0)


def smoothed(given):
    for crease in (180.0, 30.0):
        (made,) = run_found("MeshSmoothNormals", mesh=given, crease_angle=crease)
        mesh = same_size(made)
        assert torch.allclose(mesh.normals.norm(dim=1), torch.ones(len(mesh.vertices)), atol=1e-4)
        agree(made)


def saved(given):
    (entry,) = shown_by("SaveGLB", mesh=given, filename_prefix="host/ring")["3d"]
    again = load_mesh(Path(host.folder_of("output"), entry["subfolder"], entry["filename"])).mesh
    same_look(again)


def same_look(again):
    rig = rig_of(MESH)
    for number in (1, 2):
        pair = ours(MESH, rig, number), ours(again, rig, number)
        assert overlap(pair[0][1], pair[1][1]) > 0.995 and colours_apart(*pair) < 0.006


def as_file(given):
    (file,) = run_found("MeshToFile3D", mesh=given)
    defaults = {n: s[1].get("default", s[0][0]) for n, s in SyncTweediesLoadMesh.INPUT_TYPES()["required"].items()}
    found, report = SyncTweediesLoadMesh().load(**defaults, model_3d=file)
    same_look(from_socket(found))
    assert "are fine" in report


def turned(given):
    (made,) = run_found("RotateMesh", mesh=given, mode={"mode": "euler_xyz", "angle_x": 0, "angle_y": 90, "angle_z": 0})
    x, y, z = from_socket(made).vertices[: len(MESH.vertices)].unbind(1)
    assert torch.allclose(torch.stack([-z, y, x], 1), MESH.vertices, atol=1e-5)
    agree(made)


def merged(given):
    (moved,) = run_found(
        "RotateMesh", mesh=given, mode={"mode": "euler_xyz", "angle_x": 90, "angle_y": 0, "angle_z": 0}
    )
    (made,) = run_found("MergeMeshes", meshes={"mesh0": given, "mesh1": moved})
    assert len(from_socket(made).faces) == 2 * len(MESH.faces)
    agree(made)


def told(given):
    passed, text = run_found("GetMeshInfo", mesh=given)[:2]
    assert from_socket(passed) is MESH and f"{len(MESH.faces):,}" in text


CHECKS = {
    "FillHoles": filled,
    "WeldVertices": welded,
    "DecimateMesh": decimated,
    "RemeshMesh": remeshed,
    "UnwrapMesh": unwrapped,
    "RenderUVAtlas": atlas_shown,
    "PaintMesh": painted,
    "BakeTextureFromVoxel": baked,
    "MeshTextureToImage": texture_taken,
    "ApplyTextureToMesh": texture_given,
    "BakeNormalMapFromMesh": bumps_baked,
    "BakeAmbientOcclusion": shade_baked,
    "RenderMesh": rendered,
    "MeshSmoothNormals": smoothed,
    "SaveGLB": saved,
    "MeshToFile3D": as_file,
    "RotateMesh": turned,
    "MergeMeshes": merged,
    "GetMeshInfo": told,
}


def test_no_node_that_takes_meshes_is_forgotten():
    assert set(nodes_that_take(re.compile("^MESH$|Mesh.Input"))) == set(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_the_hosts_node_takes_our_mesh_and_we_take_its(name, folders):
    find_node(name)
    with torch.inference_mode():
        CHECKS[name](to_socket(MESH))


# What was kept beside is used while nothing has changed, and only then


def test_the_socket_is_the_hosts_own_type():
    from comfy_api.latest import Types

    value = to_socket(MESH)
    assert type(value) is Types.MESH and from_socket(value) is MESH
    assert from_socket(copy.copy(value)) is MESH and from_socket(copy.deepcopy(value)) is MESH


def changes():
    def put(name, made):
        def change(value):
            setattr(value, name, made(value))

        return change

    def within(name, change):
        return lambda value: change(getattr(value, name))

    return {
        "vertices": put("vertices", lambda m: m.vertices * 2),
        "a copy": put("vertices", lambda m: m.vertices.clone()),
        "texture": put("texture", lambda m: 1 - m.texture),
        "colours": put("vertex_colors", lambda m: torch.zeros_like(m.vertices)),
        "material": put("material", lambda m: {"metallic_factor": 1.0}),
        "unlit": put("unlit", lambda m: True),
        "no uvs": put("uvs", lambda m: None),
        "in place": within("vertices", lambda t: t.mul_(2)),
        "one value": within("texture", lambda t: t[0, 3, 4].fill_(0)),
        "by numpy": within("vertices", lambda t: t.numpy().__setitem__((0, 0), 0)),
        "swapped rows": within("faces", lambda t: t.copy_(t.flip(1).clone())),
    }


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("name", changes())
def test_a_change_is_never_lost(name, copied):
    with torch.inference_mode():
        value = to_socket(small_torus(8, 6))
        before = from_socket(value)
        value = copy.copy(value) if copied else value
        changes()[name](value)
        found = from_socket(value)
        assert found is not before and torch.equal(found.vertices, value.vertices[0])
        assert found.parts[0].maps.unlit == value.unlit and found.has_uvs == (value.uvs is not None)
        if value.texture is not None:
            assert torch.equal(found.parts[0].texture, value.texture[0])


# Looks


def maps():
    grey = torch.rand(16, 16, 3, generator=torch.Generator().manual_seed(1))
    return Maps(
        metallic_roughness=grey, normal=grey.flip(0), occlusion=grey, emissive=grey.flip(1), metallic=0.5,
        roughness=0.7, emission=(0.5, 1.0, 0.25), normal_scale=0.8, occlusion_strength=0.6, double_sided=False,
    )  # fmt: skip


def pieces(part):
    own = vars(part.maps)
    pictures = {n: v for n, v in own.items() if isinstance(v, torch.Tensor)}
    return pictures, {n: v for n, v in own.items() if n not in pictures}


@pytest.mark.parametrize("through", ["the socket", "the host's file"])
def test_maps_go_there_and_back(through, folders):
    mesh = replace(MESH, parts=(Part("ring", waves(), maps=maps()),))
    value = to_socket(mesh)
    if through == "the socket":
        found = from_socket(copy.copy(replace_vertices(value)))
    else:
        (file,) = run_found("MeshToFile3D", mesh=value)
        (folders / "input" / "a.glb").write_bytes(file.get_bytes())
        found = load_mesh(folders / "input" / "a.glb").mesh
    got, wanted = pieces(found.parts[0]), pieces(mesh.parts[0])
    for name, picture in wanted[0].items():
        # (occlusion is red)
        where = slice(0, 1) if name == "occlusion" else slice(1, 3) if name == "metallic_roughness" else slice(0, 3)
        assert float((got[0][name] - picture)[..., where].abs().max()) < 1.01 / 255, name
    assert got[1].keys() == wanted[1].keys()
    for name, number in wanted[1].items():
        assert got[1][name] == (pytest.approx(number, abs=1e-3) if not isinstance(number, bool) else number), name


def replace_vertices(value):
    value.vertices = value.vertices.clone()
    return value


def test_maps_and_colours_of_the_hosts_mesh_are_saved(folders):
    colours = torch.rand(len(MESH.vertices), 3, generator=torch.Generator().manual_seed(2))
    mesh = replace(MESH, parts=(Part("ring", waves(), maps=maps()),), colours=colours)
    value = replace_vertices(to_socket(mesh))
    kept, _ = SyncTweediesUnwrap().unwrap(value, "keep", "boxes", 64, "one texture each", 60.0)
    file = SaveTexturedMesh().save(kept, "a/b", "glb", "joint")["result"][2]
    again = load_mesh(file.get_source()).mesh
    assert float((again.colours[: len(colours), :3] - colours).abs().max()) < 0.01
    assert {"metallic_roughness", "normal", "occlusion", "emissive"} <= set(pieces(again.parts[0])[0])


def test_vertex_colours_are_shown():
    colours = 0.5 + (MESH.vertices - MESH.vertices.mean(0))
    bare = replace(MESH, parts=(Part("ring"),), colours=colours.clamp(0, 1))
    agree(to_socket(bare))
    agree(replace_vertices(to_socket(bare)))


def many(parts):
    """A box with a material for each side."""
    made = replace(box((0.3, 0.2, 0.25), 6), parts=tuple(parts))
    return replace(made, vertices=made.vertices + torch.tensor([0.1, 0.0, 0.05]))


PLAIN = [Part(str(i), None, (0.1 + 0.15 * i, 0.9 - 0.1 * i, 0.5, 1.0)) for i in range(6)]


def test_materials_of_several_colours_are_vertex_colours():
    value = to_socket(many(PLAIN))
    assert value.texture is None and value.vertex_colors.shape == (1, 24, 3)
    assert from_socket(value).parts == tuple(PLAIN)
    agree(value)
    agree(replace_vertices(value))


def test_materials_of_several_textures_are_tiles():
    pictures = [Part(str(i), waves(32 + 8 * i, 48).roll(i, -1), (1.0, 0.6, 1.0, 1.0)) for i in range(3)]
    mesh = many([*pictures, *PLAIN[3:]])
    value = to_socket(mesh)
    assert value.texture is not None and from_socket(value) is mesh
    agree(value)
    agree(replace_vertices(value))


def test_textures_that_repeat_are_vertex_colours():
    mesh = many([Part(str(i), waves().roll(i, -1)) for i in range(6)])
    value = to_socket(replace(mesh, uvs=mesh.uvs * 3))
    assert value.texture is None and value.vertex_colors is not None and torch.isfinite(value.vertex_colors).all()


def test_a_coloured_part_needs_no_texture():
    agree(to_socket(replace(MESH, parts=(Part("a", None, (0.2, 0.6, 0.4, 1.0)),))))
    agree(to_socket(replace(MESH, parts=(Part("a", waves(), (0.5, 1.0, 0.7, 1.0)),))))


def test_a_dictionary_of_numbers_is_read():
    value = to_socket(replace(MESH, parts=(Part("a"),)))
    value.material = {
        "base_color_factor": [0.5, 0.25, 1.0, 0.4], "metallic_factor": -1.0, "roughness_factor": 0.3,
        "emissive_factor": [1.0, 0.0, 0.0], "emissive_strength": 2.0, "double_sided": False,
    }  # fmt: skip
    part = from_socket(value).parts[0]
    assert part.colour == pytest.approx((0.7354, 0.5371, 1.0, 0.4), abs=1e-3) and part.alpha == "blend"
    assert (part.maps.metallic, part.maps.roughness, part.maps.double_sided) == (0, 0.3, False)
    assert part.maps.emission[0] > 1 and not math.isnan(part.maps.emission[0])
