"""Materials: opacity, shared textures, colours that multiply, maps and vertex colours, from file to file."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.mesh_files import QUAD, TWO, Glb, picture, quad_glb
from helpers.meshes import box, ring_of_cameras
from helpers.saved_meshes import save_mesh
from syncpack.nodes.mesh.files import UvWishes, prepared, textured
from syncpack.renderers.mesh.bake.own_texture import with_texture
from syncpack.renderers.mesh.files.load import load_mesh
from syncpack.renderers.mesh.light import to_linear
from syncpack.renderers.mesh.looks import MeshViews
from syncpack.renderers.mesh.material import Maps, Part
from syncpack.renderers.mesh.mesh import Mesh
from syncpack.renderers.mesh.part_textures import part_colours
from syncpack.renderers.mesh.space import MeshTexture

GREY = torch.full((8, 8, 3), 200 / 255)


def tree_of(path):
    data = path.read_bytes()
    return json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]])


def material(path):
    return tree_of(path)["materials"][0]


def square(part: Part, **more) -> Mesh:
    uvs = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    faces = torch.from_numpy(TWO.astype(np.int64)).reshape(2, 3)
    return Mesh(torch.from_numpy(QUAD), faces, uvs, faces, torch.zeros(2, dtype=torch.int64), (part,), **more)


def middle(mesh):
    """The colour in the middle of each face."""
    return part_colours(mesh, torch.arange(len(mesh.faces)), torch.full((len(mesh.faces), 3), 1 / 3))


@pytest.mark.parametrize("mode, more", [("OPAQUE", {}), ("MASK", {"alphaCutoff": 0.25}), ("BLEND", {})])
def test_the_mode_of_opacity_comes_back(tmp_path, mode, more):
    glb = quad_glb(baseColorFactor=[1, 1, 1, 0.5])
    glb.tree["materials"][0] |= {"alphaMode": mode, **more}
    glb.tree["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"] = {"index": glb.texture(picture(mode="RGBA"))}
    mesh = load_mesh(glb.write(tmp_path / "a.glb")).mesh
    found = material(save_mesh(mesh, None, tmp_path / "b")[0])
    assert found.get("alphaMode", "OPAQUE") == mode and found.get("alphaCutoff") == more.get("alphaCutoff")
    assert found["pbrMetallicRoughness"]["baseColorFactor"] == [1, 1, 1, 0.5]
    obj = load_mesh(save_mesh(mesh, None, tmp_path / "c", "obj")[0]).mesh
    assert obj.parts[0].texture.shape[-1] == (3 if mode == "OPAQUE" else 4)


def test_paint_on_an_opaque_mesh_is_opaque(tmp_path):
    """Its old texture's fourth channel was something else than opacity."""
    mesh = replace(box(), parts=(Part("m", torch.rand(8, 8, 4) * torch.tensor([1, 1, 1, 0])),))
    red = torch.tensor([1.0, 0, 0]).expand(16, 16, 3)
    for done in (with_texture(MeshTexture(mesh, 16, 16), red), textured(mesh, red[None], "joint")):
        file = save_mesh(done, None, tmp_path / "a")[0]
        assert "alphaMode" not in material(file)
        assert torch.equal(load_mesh(file).mesh.parts[0].texture, red)


def test_what_pictures_of_three_and_four_channels_mean():
    """Three: colour alone, opacity stays. Four: opacity too."""
    rgba = torch.rand(8, 8, 4)
    leaf = square(Part("leaf", rgba, (0.5, 1, 1, 0.9), "mask", 0.3))
    rgb, clear = torch.rand(1, 8, 8, 3), torch.rand(1, 8, 8, 4)
    kept = textured(leaf, rgb, "joint").parts[0]
    assert torch.equal(kept.texture, torch.cat([rgb[0], rgba[..., 3:]], -1))
    assert (kept.colour, kept.alpha, kept.cutoff) == ((1, 1, 1, 0.9), "mask", 0.3)
    other = textured(leaf, clear, "joint").parts[0]
    assert torch.equal(other.texture, clear[0]) and (other.colour, other.alpha) == ((1, 1, 1, 1), "mask")
    plain = square(Part("wall"))
    assert textured(plain, clear, "joint").parts[0].alpha == "blend"
    assert textured(plain, torch.ones(1, 4, 4, 4), "joint").parts[0].alpha == "opaque"


def eight(same: bool, colours: bool = False) -> Glb:
    glb = Glb()
    data = [picture(seed=0 if same else i, size=(32, 32)) for i in range(8)]
    shift = np.array([2, 0, 0], "<f4")
    primitives = []
    for i in range(8):
        factor = [1, 1, 1, 1] if not colours or i % 2 else [1, 0, 0, 1]
        uvs = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], "<f4") / np.float32(9) + np.float32(i / 9)
        number = glb.material(f"m{i}", glb.texture(data[i]), baseColorFactor=factor, metallicFactor=0.0)
        primitives.append(glb.primitive(points=QUAD + np.float32(i) * shift, uvs=uvs.astype("<f4"), material=number))
    glb.tree["meshes"] = [{"primitives": primitives}]
    return glb


def test_a_texture_of_many_materials_is_one(tmp_path):
    mesh = load_mesh(eight(same=True).write(tmp_path / "a.glb")).mesh
    assert len(mesh.parts) == 8 and len({id(p.texture) for p in mesh.parts}) == 1
    tree = tree_of(save_mesh(mesh, None, tmp_path / "b")[0])
    assert (len(tree["images"]), len(tree["materials"])) == (1, 8)
    assert len(save_mesh(mesh, None, tmp_path / "c", "obj")) == 3
    ply = load_mesh(save_mesh(mesh, None, tmp_path / "d", "ply")[0]).mesh
    assert torch.equal(ply.parts[0].texture, mesh.parts[0].texture)
    copies = replace(mesh, parts=tuple(replace(p, texture=p.texture.clone()) for p in mesh.parts))
    assert len(tree_of(save_mesh(copies, None, tmp_path / "e")[0])["images"]) == 1
    joint, _ = prepared(mesh, UvWishes("joint", "keep", "boxes", 64, 9))
    assert len(joint.parts) == 1 and joint.parts[0].texture is mesh.parts[0].texture


@pytest.mark.parametrize("same, colours", [(False, False), (True, True)])
def test_joining_parts_that_differ_paints_them_into_one_texture(tmp_path, same, colours):
    mesh = load_mesh(eight(same, colours).write(tmp_path / "a.glb")).mesh
    flat = replace(mesh, parts=tuple(replace(p, texture=p.texture.mean((0, 1)).expand(8, 8, 3)) for p in mesh.parts))
    joint, _ = prepared(flat, UvWishes("joint", "keep", "boxes", 128, 9))
    assert len(joint.parts) == 1 and joint.parts[0].texture.shape == (128, 128, 3)
    assert torch.allclose(middle(joint), middle(flat), atol=0.02)


def test_joining_parts_of_colours_only_keeps_the_colours():
    parts = tuple(Part(str(i), None, (i / 5, 1 - i / 5, 0.5, 1.0)) for i in range(6))
    mesh = replace(box(parts=6), parts=parts)
    joint, _ = prepared(mesh, UvWishes("joint", "always", "boxes", 64, 9))
    assert len(joint.parts) == 1 and torch.allclose(middle(joint), middle(mesh), atol=0.01)


@pytest.mark.parametrize("format", ("glb", "obj", "ply"))
def test_a_factor_and_a_texture_are_multiplied_everywhere(tmp_path, format):
    part = Part("m", GREY, (0.5371, 0.5371, 0.5371, 1.0))
    mesh = square(part)
    assert torch.allclose(middle(mesh) * 255, torch.tensor(107.4), atol=0.5)
    again = load_mesh(save_mesh(mesh, None, tmp_path / "a", format)[0]).mesh
    assert torch.allclose(middle(replace(again, colours=None)) * 255, torch.tensor(107.4), atol=0.6)
    if format == "glb":
        base = material(tmp_path / "a.glb")["pbrMetallicRoughness"]
        assert base["baseColorFactor"][0] == pytest.approx(0.25, abs=1e-4) and "baseColorTexture" in base
    unwrapped, _ = prepared(mesh, UvWishes("one texture each", "always", "boxes", 64, 9))
    assert torch.allclose(middle(unwrapped) * 255, torch.tensor(107.4), atol=0.5)


def coloured(width: int) -> Glb:
    glb = Glb()
    primitive = glb.primitive(material=glb.material("m", metallicFactor=0.0))
    light = np.array([[1, 0, 0, 1], [0, 0.214041, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]], "<f4")[:, :width]
    primitive["attributes"]["COLOR_0"] = glb.accessor(np.ascontiguousarray(light[:, :3]))
    glb.tree["meshes"] = [{"primitives": [primitive]}]
    return glb


def test_vertex_colours_are_the_base_colour_and_come_back(tmp_path):
    mesh = load_mesh(coloured(3).write(tmp_path / "a.glb")).mesh
    assert torch.allclose(mesh.colours[1], torch.tensor([0, 0.5, 0]), atol=1e-5)
    at = part_colours(mesh, torch.tensor([0, 0]), torch.tensor([[1.0, 0, 0], [0, 1, 0]]))
    assert torch.allclose(at, mesh.colours[:2], atol=1e-5)
    again = load_mesh(save_mesh(mesh, None, tmp_path / "b")[0]).mesh
    assert torch.allclose(again.colours[:, :3], mesh.colours, atol=1e-6)
    unwrapped, _ = prepared(mesh, UvWishes("one texture each", "always", "boxes", 64, 9))
    assert torch.equal(unwrapped.colours, mesh.colours)
    painted = textured(mesh, torch.rand(1, 8, 8, 3), "joint")
    assert painted.colours is None, "the paint shows what they did"
    assert "1 0 0" in save_mesh(mesh, None, tmp_path / "c", "obj")[0].read_text().splitlines()[2]


def with_maps() -> Glb:
    glb = quad_glb(metallicFactor=0.5, roughnessFactor=0.25)
    orm = glb.texture(picture(seed=1))
    entry = glb.tree["materials"][0]
    entry["pbrMetallicRoughness"] |= {
        "baseColorTexture": {"index": glb.texture(picture(seed=0))},
        "metallicRoughnessTexture": {"index": orm},
    }
    entry |= {
        "normalTexture": {"index": glb.texture(picture(seed=2)), "scale": 0.5},
        "occlusionTexture": {"index": orm, "strength": 0.75},
        "emissiveTexture": {"index": glb.texture(picture(seed=3))},
        "emissiveFactor": [1, 0.5, 0],
        "extensions": {"KHR_materials_emissive_strength": {"emissiveStrength": 4}, "KHR_materials_unlit": {}},
    }
    return glb


def test_maps_and_factors_come_back(tmp_path):
    mesh = load_mesh(with_maps().write(tmp_path / "a.glb")).mesh
    maps = mesh.parts[0].maps
    assert maps.occlusion is maps.metallic_roughness and not maps.double_sided
    for worn in (mesh, textured(mesh, torch.rand(1, 8, 8, 3), "joint")):
        file = save_mesh(worn, None, tmp_path / "b")[0]
        assert len(tree_of(file)["images"]) == 4
        again = load_mesh(file).mesh.parts[0].maps
        for name in ("metallic_roughness", "normal", "occlusion", "emissive"):
            assert torch.equal(getattr(again, name), getattr(maps, name))
        assert again.emission == pytest.approx(maps.emission) and to_linear(again.emission[0]) == pytest.approx(4)
        assert (again.metallic, again.roughness, again.normal_scale, again.occlusion_strength) == (0.5, 0.25, 0.5, 0.75)
        assert again.unlit and not again.double_sided


def test_new_coordinates_carry_maps_but_for_normals(tmp_path):
    flat = torch.tensor([0.5, 0.5, 1.0]).expand(4, 4, 3)
    maps = Maps(flat, flat, flat, flat, 0.5, 0.5, (1.0, 0.5, 0.0))
    mesh = square(Part("m", GREY, maps=maps))
    done, said = prepared(mesh, UvWishes("one texture each", "always", "boxes", 64, 9))
    found = done.parts[0].maps
    assert found.normal is None and any("Normal maps are left out" in line for line in said)
    assert torch.allclose(found.metallic_roughness[32, 32], torch.tensor([0.5, 0.25, 0.5]), atol=0.01)
    assert (found.metallic, found.roughness, found.emission) == (1, 1, (1, 1, 1))
    assert torch.allclose(found.emissive[32, 32], torch.tensor([0.5, 0.25, 0]), atol=0.01)


def test_maps_that_are_amiss_are_left_out_with_a_note(tmp_path):
    glb = with_maps()
    glb.tree["materials"][0]["normalTexture"]["texCoord"] = 1
    glb.tree["images"].append({"uri": "gone.png"})
    glb.tree["textures"].append({"source": len(glb.tree["images"]) - 1})
    glb.tree["materials"][0]["emissiveTexture"]["index"] = len(glb.tree["textures"]) - 1
    loaded = load_mesh(glb.write(tmp_path / "a.glb"))
    maps, said = loaded.mesh.parts[0].maps, " ".join(loaded.notes)
    assert maps.normal is None and maps.emissive is None and maps.metallic_roughness is not None
    assert "normal map" in said and "other texture coordinates" in said and "'gone.png'" in said


@pytest.mark.parametrize("format", ("glb", "obj", "ply"))
def test_a_far_origin_is_added_again(tmp_path, format):
    origin = (448262.125, 5411932.5, 0.0)
    mesh = replace(square(Part("m")), vertices=torch.from_numpy(QUAD) / 10, origin=origin)
    again = load_mesh(save_mesh(mesh, None, tmp_path / "a", format)[0]).mesh
    if format == "glb":
        assert tree_of(tmp_path / "a.glb")["nodes"][0]["translation"] == list(origin)
        where = again.vertices.double() + torch.tensor(again.origin).double()
        assert torch.allclose(where, mesh.vertices.double() + torch.tensor(origin).double(), atol=1e-6)
    else:
        data = (tmp_path / f"a.{format}").read_bytes()
        assert b"448262.225" in data if format == "obj" else b"property double x" in data


def test_normals_without_length_are_made_whole(tmp_path):
    normals = torch.tensor([[0.0, 0, 0], [0, 0, 2], [0, 0, 1], [float("nan"), 0, 0]])
    file = save_mesh(square(Part("m"), normals=normals), None, tmp_path / "a")[0]
    assert torch.allclose(load_mesh(file).mesh.normals, torch.tensor([[0.0, 0, 1]]).repeat(4, 1))


@pytest.mark.parametrize("format", ("glb", "obj", "ply"))
def test_coordinates_that_are_no_numbers_are_not_written(tmp_path, format):
    mesh = square(Part("m"))
    with pytest.raises(ValueError, match="are no numbers"):
        save_mesh(replace(mesh, uvs=mesh.uvs * float("nan")), None, tmp_path / "a", format)
    assert not list(tmp_path.iterdir())


def test_views_show_what_is_multiplied():
    mesh = replace(box(), parts=(Part("m", GREY, (0.5, 1, 1, 1)),), colours=torch.full((24, 3), 0.5))
    seen = MeshViews(mesh, ring_of_cameras(1, 0, 3.0), 16, 16).texture()[0, 8, 8]
    assert torch.allclose(seen * 255, torch.tensor([50.0, 100, 100]), atol=1)
