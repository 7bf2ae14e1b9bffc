"""Pictures for ControlNets: each against a formula on shapes whose views are known."""

import math
from dataclasses import replace

import pytest
import torch
from helpers.meshes import box, torus
from syncpack.renderers.cameras.orbits import Lens, orbit
from syncpack.renderers.cameras.viewpoints import Orbit
from syncpack.renderers.mesh.looks import MeshViews, corner_normals
from syncpack.renderers.mesh.material import Part
from syncpack.renderers.mesh.part_textures import read_texture

CAMERAS = orbit(Lens(60, 2), step=90, tops=((0, 40),))


def views(mesh, cameras=CAMERAS, size=(32, 48)):
    return MeshViews.of(mesh, Orbit(cameras, size[1], size[0]))


def test_depth_is_inverse_near_white_background_black():
    seen = views(torus())
    depth, mask = seen.depth(), seen.mask()
    for picture, inside, found in zip(depth, mask.bool(), seen.fragments, strict=True):
        inverse = 1 / found.depth[inside]
        expected = (inverse - inverse.min()) / (inverse.max() - inverse.min())
        assert torch.allclose(picture[inside], expected) and float(picture[~inside].max()) == 0
        assert float(picture.max()) == 1
        # The whitest pixel is the nearest.
        assert int(picture.argmax()) == int(found.depth.argmin())


def test_joint_depth_gives_a_place_one_grey():
    mesh = torus()
    seen = views(mesh)
    joint = seen.depth("joint", floor=0.2)
    inverse = torch.stack([1 / f.depth for f in seen.fragments])
    inside = seen.mask().bool()
    scale = (inverse[inside].max() - inverse[inside].min()) / 0.8
    assert torch.allclose(joint[inside], 0.2 + (inverse[inside] - inverse[inside].min()) / scale, atol=1e-6)
    assert float(joint[~inside].max()) == 0 and float(joint.max()) == 1
    # Seen from the side, the ring's near rim comes nearer to the camera than anything seen from the front.
    front, side = (float(joint[i].max()) for i in (0, 1))
    assert side > front + 0.1


def test_blur_is_the_references_kernel():
    seen = views(box())
    sharp, soft = seen.depth(), seen.depth(blur=True)
    line = torch.exp(-0.5 * (torch.arange(-2, 3) / 2.0) ** 2)
    kernel = torch.outer(line, line) / line.sum() ** 2
    row, column = 16, 20
    window = sharp[0, row - 2 : row + 3, column - 2 : column + 3]
    assert float(soft[0, row, column]) == pytest.approx(float((window * kernel).sum()), abs=1e-6)
    assert float(soft.max()) <= 1


def test_a_flat_face_has_one_depth():
    flat = box((1, 1, 1e-9))
    seen = views(flat, orbit(Lens(60, 3), step=180, tops=()))
    assert bool((seen.depth()[seen.mask() > 0] == 1).all())


def test_normals_of_a_box():
    seen = views(box())
    camera, world = seen.normals("camera"), seen.normals("world")
    # View 1 stands at +X and faces the +X side.
    assert camera[1, 16, 24].tolist() == pytest.approx([0.5, 0.5, 1.0], abs=1e-6)
    assert world[1, 16, 24].tolist() == pytest.approx([1.0, 0.5, 0.5], abs=1e-6)
    assert camera[0, 0, 0].tolist() == [0.5, 0.5, 1.0] and world[0, 0, 0].tolist() == [0, 0, 0]
    # From above in front, the top's normal points up and to the camera: (0, cos 40, sin 40).
    top = (world[4] - torch.tensor([0.5, 1.0, 0.5])).abs().amax(-1) < 1e-3
    assert int(top.sum()) > 20
    expected = [0.5, 0.5 + 0.5 * math.cos(math.radians(40)), 0.5 + 0.5 * math.sin(math.radians(40))]
    assert camera[4][top].mean(0).tolist() == pytest.approx(expected, abs=1e-4)


def test_red_is_right_or_left():
    right = views(torus(48, 48)).normals("camera")[1]
    left = views(torus(48, 48)).normals("camera, red to the left")[1]
    inside = views(torus(48, 48)).mask()[1] > 0
    columns = torch.arange(48.0).expand(32, 48)[inside]
    # Seen from the side the torus is a bar, round to both sides.
    assert float(torch.corrcoef(torch.stack([columns, right[..., 0][inside]]))[0, 1]) > 0.8
    assert torch.allclose(left[..., 0][inside], 1 - right[..., 0][inside], atol=1e-6)
    assert torch.allclose(left[..., 1:][inside], right[..., 1:][inside], atol=1e-6)


def test_smooth_normals_of_a_torus_and_sharp_ones_of_a_box():
    mesh = torus(96, 48, bumps=0.0)
    found = corner_normals(mesh)
    point = mesh.vertices[mesh.faces].double()
    ring = torch.nn.functional.normalize(point * torch.tensor([1.0, 1.0, 0.0]), dim=-1)
    exact = torch.nn.functional.normalize(point - ring, dim=-1)
    assert float((found.double() * exact).sum(-1).min()) > 0.999
    cube = box()
    assert torch.allclose(corner_normals(cube), cube.face_normals[:, None].expand(-1, 3, 3), atol=1e-6)
    # With its corners joined the creases stay sharp; with a wide crease they become round.
    place, joined = torch.unique(cube.vertices, dim=0, return_inverse=True)
    welded = replace(cube, vertices=place, faces=joined[cube.faces])
    assert torch.allclose(corner_normals(welded), corner_normals(cube), atol=1e-6)
    assert float((corner_normals(welded, 100) * welded.face_normals[:, None]).sum(-1).max()) < 0.9
    file = torch.nn.functional.normalize(welded.vertices, dim=1)
    assert torch.equal(corner_normals(replace(welded, normals=file)), file[welded.faces])


def test_position_is_the_place_in_the_box():
    mesh = torus()
    seen = views(mesh)
    found = seen.position()
    low, high = mesh.used.amin(0), mesh.used.amax(0)
    rig = Orbit(CAMERAS, 48, 32)
    for camera, picture, fragments in zip(rig.in_scene(mesh.centre, mesh.radius), found, seen.fragments, strict=True):
        place = low + picture * (high - low)
        row, column, depth = camera.pixels(place, 32, 48)
        inside = fragments.covered
        grid = torch.meshgrid(torch.arange(32) + 0.5, torch.arange(48) + 0.5, indexing="ij")
        assert float((row - grid[0])[inside].abs().max()) < 1e-3
        assert float((column - grid[1])[inside].abs().max()) < 1e-3
        assert torch.allclose(depth[inside], fragments.depth[inside], atol=1e-4)
        assert float(picture[~inside].max()) == 0


def test_shading_is_brightest_where_faced():
    shading = views(box()).shading(ambient=0.1)
    assert float(shading[0, 16, 24]) == pytest.approx(1, abs=2e-3) and float(shading[0, 0, 0]) == 0
    flat = views(box(), (Lens(60, 2, orthographic=True).at(30, 0),)).shading(ambient=0.1)[0]
    values = flat[flat > 0].unique()
    expected = sorted(0.1 + 0.9 * math.cos(math.radians(a)) for a in (30, 60))
    assert [float(values.min()), float(values.max())] == pytest.approx(expected, abs=1e-5)


def test_textures_of_parts_are_shown():
    colours = torch.rand(6, 3, generator=torch.Generator().manual_seed(0))
    mesh = box(parts=6)
    parts = [Part(str(i), colours[i].expand(4, 4, 3)) for i in range(5)] + [Part("5", None, (*colours[5].tolist(), 1))]
    parts[0] = Part("0", colours[0].expand(4, 4, 3), (0.5, 1, 1, 1))
    seen = views(replace(mesh, parts=tuple(parts))).texture((0, 0, 0))
    for view, side in enumerate((4, 0, 5, 1)):
        expected = colours[side] * (torch.tensor([0.5, 1, 1]) if side == 0 else 1)
        assert torch.allclose(seen[view, 16, 24], expected, atol=1e-6)
        assert float(seen[view, 0, 0].max()) == 0


def test_texture_look_up_is_bilinear_between_centres_and_repeats():
    texture = torch.rand(5, 7, 3, generator=torch.Generator().manual_seed(1))
    uv = torch.tensor([[2.5 / 7, 1 - 3.5 / 5], [3.0 / 7, 1 - 3.5 / 5], [1 + 2.5 / 7, -1 - 3.5 / 5], [0.0, 0.3]])
    found = read_texture(texture, uv.double())
    assert torch.allclose(found[0], texture[3, 2], atol=1e-5)
    assert torch.allclose(found[1], (texture[3, 2] + texture[3, 3]) / 2, atol=1e-5)
    assert torch.allclose(found[2], found[0], atol=1e-5)
    assert torch.allclose(found[3], (texture[3, 0] + texture[3, 6]) / 2, atol=1e-5)


def test_bad_choices():
    with pytest.raises(ValueError, match="range 'both' is unknown"):
        views(box()).depth("both")
    with pytest.raises(ValueError, match="floor 1 is outside"):
        views(box()).depth(floor=1.0)
    with pytest.raises(ValueError, match="'tangent' are unknown"):
        views(box()).normals("tangent")
