"""Views that are added where most is unseen."""

from dataclasses import replace

import pytest
import torch
from helpers.meshes import box, torus
from syncpack.renderers.cameras.orbits import Lens, orbit
from syncpack.renderers.mesh.coverage_rig import cosines, coverage_rig, surface_points
from syncpack.renderers.mesh.mesh import Mesh


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
    found = cosines(mesh, points, face, (camera,))[0] > 0
    # The front sheet's shadow on the back one, from a distance of 3 or with parallel rays.
    half = 0.5 if flat else 0.5 * 3 / 2.5
    hidden = (face >= 2) & (points[:, :2].abs().amax(1) < half)
    edge = ((points[:, :2].abs().amax(1) - half).abs() < 0.02) & (face >= 2)
    assert torch.equal(found[~edge], ~hidden[~edge])
    behind = Lens(60, 3, flat).at(180, 0)
    assert not bool((cosines(mesh, points, face, (behind,)) > 0).any())


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
    plain = (cosines(mesh, points, face, fixed) >= 0.35).any(0).double().mean()
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
