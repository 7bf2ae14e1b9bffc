"""Views that are added where most is unseen; points in views: where, how far, hidden or not, and what they read."""

import math
from dataclasses import replace

import pytest
import torch
from meshes import box, torus
from syncpack.renderers.mesh.coverage_rig import cosines, coverage_rig, surface_points
from syncpack.renderers.mesh.mesh import Mesh
from syncpack.renderers.mesh.point_view import buffer_size, look_at_points, taps, visible
from syncpack.renderers.mesh.raster import rasterise
from syncpack.renderers.orbits import Lens, orbit
from syncpack.renderers.viewpoints import Viewpoint


def sheets():
    """Two squares behind each other that face +Z, the front one smaller; the back one's own back is never painted."""
    square = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    points = torch.cat([0.5 * square + torch.tensor([0, 0, 0.5]), square])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    none = torch.zeros(0, 2), torch.zeros(0, 3, dtype=torch.int64)
    return Mesh(points, torch.cat([faces, faces + 4]), *none, torch.zeros(4, dtype=torch.int64))


def test_points_are_even_over_the_surface():
    mesh = replace(box((1, 1, 1)), vertices=box().vertices * torch.tensor([3.0, 1.0, 1.0]))
    points, face = surface_points(mesh, 7000)
    assert float((points.abs() - torch.tensor([3.0, 1.0, 1.0])).abs().amin(1).max()) < 1e-9
    # Sides have areas 4 (x) and 12 (y, z): 2 : 6 : 6 of 28.
    sides = torch.bincount(face // 2, minlength=6) / 7000
    assert sides.tolist() == pytest.approx([1 / 14] * 2 + [3 / 14] * 4, abs=2e-3)
    on_top = points[face // 2 == 2][:, [0, 2]]
    histogram = torch.histogramdd(on_top, [6, 2], range=[-3.0, 3.0, -1.0, 1.0])[0]
    assert float(histogram.max() / histogram.min()) < 1.2


@pytest.mark.parametrize("flat", [False, True])
def test_what_is_hidden_is_not_visible(flat):
    mesh, camera = sheets(), Lens(60, 3, flat).at(0, 0)
    points, face = surface_points(mesh, 4000)
    found = cosines(mesh, points, mesh.face_normals[face].double(), (camera,), 256)[0] > 0
    # The front sheet's shadow on the back one, from a distance of 3 or with parallel rays.
    half = 0.5 if flat else 0.5 * 3 / 2.5
    hidden = (face >= 2) & (points[:, :2].abs().amax(1) < half)
    edge = ((points[:, :2].abs().amax(1) - half).abs() < 0.02) & (face >= 2)
    assert torch.equal(found[~edge], ~hidden[~edge])
    behind = Lens(60, 3, flat).at(180, 0)
    assert not bool((cosines(mesh, points, mesh.face_normals[face].double(), (behind,), 256) > 0).any())


def test_visibility_agrees_with_rays_on_a_torus():
    mesh = torus(64, 32)
    points, face = surface_points(mesh, 3000)
    camera = Lens(45, 3).at(30, 35).in_scene(mesh.centre, mesh.radius)
    normals = mesh.face_normals[face].double()
    found = cosines(mesh, points, normals, (camera,), 1024)[0] > 0
    seen = look_at_points(camera, points, normals, 1024, 1024)
    # A ray from the point to the camera meets no other face (all faces, all points, in pieces).
    eye = torch.tensor(camera.position, dtype=torch.float64)
    corners = mesh.vertices.double()[mesh.faces]
    a, e1, e2 = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    free = torch.ones(len(points), dtype=torch.bool)
    for i in torch.nonzero(seen.inside).squeeze(1).tolist():
        way = eye - points[i]
        p = torch.linalg.cross(way.expand_as(e2), e2)
        det = (e1 * p).sum(1)
        s = (points[i] - a) / torch.where(det.abs() < 1e-12, torch.inf, det)[:, None]
        u = (s * p).sum(1)
        q = torch.linalg.cross(s, e1)
        v, t = (way * q).sum(1), (e2 * q).sum(1)
        free[i] = not bool(((u >= 0) & (v >= 0) & (u + v <= 1) & (t > 1e-4) & (det.abs() > 1e-12)).any())
    wrong = (found != (free & seen.inside)).double().mean()
    assert float(wrong) < 0.01


def test_taps_read_their_own_surface():
    """The sheets again: a view red on the front sheet, green on the back one, blue behind; nothing mixes."""
    mesh = sheets()
    camera = Lens(60, 3).at(12, 7)
    seen = rasterise(mesh.vertices, mesh.faces, camera, 48, 48)
    colours = torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]])
    image = colours[torch.where(seen.covered, seen.face.long(), 4)].reshape(-1, 3)
    points, face = surface_points(mesh, 5000)
    view = look_at_points(camera, points, mesh.face_normals[face].double(), 48, 48)
    buffer = rasterise(mesh.vertices, mesh.faces, camera, *buffer_size(48, 48)).depth
    found = taps(camera, view, seen.depth)
    good = visible(camera, view, buffer) & found.usable
    assert torch.allclose(found.read(image)[good], colours[face[good]], atol=1e-6)
    assert float(good.double().mean()) > 0.7
    # A plain bilinear look-up would mix at the border of the front sheet.
    share = (found.weight > 0).double().mean(1)
    assert bool((share[good] < 1).any())


def test_taps_are_bilinear():
    mesh, camera = sheets(), Lens(60, 3, orthographic=True).at(0, 0)
    seen = rasterise(mesh.vertices, mesh.faces, camera, 40, 40)
    row, column = torch.meshgrid(torch.arange(40) + 0.5, torch.arange(40) + 0.5, indexing="ij")
    points, face = surface_points(mesh, 500)
    view = look_at_points(camera, points, mesh.face_normals[face].double(), 40, 40)
    found = taps(camera, view, seen.depth)
    inner = (face < 2) & (points[:, :2].abs().amax(1) < 0.4)
    read = found.read(torch.stack([row, column], -1).reshape(-1, 2).double())
    assert torch.allclose(read[inner], torch.stack([view.row, view.column], -1)[inner], atol=1e-5)


def test_greedy_views_of_a_box():
    """Six sides: from far away three are seen at once, so two opposite corners see all."""
    cameras, reached = coverage_rig(box(), Lens(30, 6), target=0.99, most=12, flattest=0.2)
    assert len(cameras) == 2 and reached.shares[-1] == pytest.approx(1, abs=3e-3)
    assert reached.reachable == pytest.approx(1, abs=1e-3) and "target 99 % of that reached" in reached.text
    assert list(reached.shares) == sorted(reached.shares)


def test_greedy_views_beat_the_orbit_on_a_torus():
    mesh = torus()
    lens = Lens(60, 2)
    cameras, reached = coverage_rig(mesh, lens, target=0.99, most=10)
    points, face = surface_points(mesh, 5000)
    fixed = tuple(v.in_scene(mesh.centre, mesh.radius) for v in orbit(lens))
    plain = (cosines(mesh, points, mesh.face_normals[face].double(), fixed, 512) >= 0.35).any(0).double().mean()
    assert reached.shares[-1] >= float(plain) and len(cameras) <= 10
    few, less = coverage_rig(mesh, lens, target=0.99, most=3)
    assert few == cameras[:3] and "not reached: allow more views" in less.text


def test_bad_targets_and_hidden_meshes():
    with pytest.raises(ValueError, match=r"target 1\.5 is outside"):
        coverage_rig(box(), target=1.5)
    with pytest.raises(ValueError, match="0 views see nothing"):
        coverage_rig(box(), most=0)
    inside_out = replace(box(), faces=box().faces.flip(1))
    with pytest.raises(ValueError, match="turned inside out"):
        coverage_rig(inside_out)


def test_pixels_scale_with_the_buffer():
    assert buffer_size(512, 512) == (1024, 1024) and buffer_size(96, 64) == (1056, 704)
    assert buffer_size(2048, 100) == (2048, 100)
    assert math.isclose(Viewpoint((0, 0, 2)).half_size(96, 64)[1], Viewpoint((0, 0, 2)).half_size(1056, 704)[1])
