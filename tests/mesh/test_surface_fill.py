"""Holes are filled along the surface: smooth, by place and normal, never across a thin sheet or to another chart."""

import math

import pytest
import torch
from syncpack.renderers.mesh.bake.surface_fill import FILLINGS, fill_surface, pad_charts


def sphere_points(count=20000):
    i = torch.arange(count).double() + 0.5
    z = 1 - 2 * i / count
    turn = math.pi * (3 - math.sqrt(5)) * i
    r = (1 - z * z).sqrt()
    return torch.stack([r * turn.cos(), r * turn.sin(), z], 1).float()


def test_a_smooth_colour_goes_on_through_a_hole():
    """x and y are nearly harmonic in a small cap; the fill must be far better than the border's mean."""
    points = sphere_points()
    colours = torch.stack([0.5 + 0.3 * points[:, 0], 0.5 + 0.3 * points[:, 1], torch.full((len(points),), 0.25)], 1)
    seen = points[:, 2] < 0.85
    found = fill_surface(points, points, colours, seen, "smooth")
    assert torch.equal(found[seen], colours[seen])
    error = (found - colours)[~seen]
    assert float(error.abs().max()) < 0.03
    assert float(error[:, 2].abs().max()) < 1e-6
    rough = fill_surface(points, points, colours, seen, "nearest")[~seen] - colours[~seen]
    assert float(error.square().mean()) < 0.2 * float(rough.square().mean())


@pytest.mark.parametrize("how", ["smooth", "nearest"])
def test_a_thin_sheet_has_two_sides(how):
    """Front red with a hole, back blue, a hundredth apart: the hole stays red."""
    line = torch.linspace(-1, 1, 80)
    x, y = torch.meshgrid(line, line, indexing="ij")
    front = torch.stack([x, y, torch.zeros_like(x)], -1).reshape(-1, 3)
    back = front - torch.tensor([0.0, 0.0, 0.01])
    normals = torch.tensor([[0.0, 0.0, 1.0]]).expand_as(front)
    points, facing = torch.cat([front, back]), torch.cat([normals, -normals])
    colours = torch.zeros(len(points), 3)
    colours[: len(front), 0] = 1
    colours[len(front) :, 2] = 1
    seen = torch.ones(len(points), dtype=torch.bool)
    seen[: len(front)] = front[:, :2].norm(dim=1) > 0.5
    found = fill_surface(points, facing, colours, seen, how)
    assert float(found[~seen][:, 0].min()) > 0.97 and float(found[~seen][:, 2].max()) < 0.03


def test_a_cubes_underside_takes_its_sides_colours():
    line = (torch.arange(40) + 0.5) / 20 - 1
    a, b = (t.reshape(-1) for t in torch.meshgrid(line, line, indexing="ij"))
    points, facing, colours = [], [], []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            face = torch.zeros(len(a), 3)
            face[:, axis], face[:, (axis + 1) % 3], face[:, (axis + 2) % 3] = sign, a, b
            points.append(face)
            facing.append(torch.zeros(len(a), 3).index_fill_(1, torch.tensor(axis), sign))
            # The top is white, sides are grey, the underside is not seen.
            colours.append(torch.full((len(a), 1), 1.0 if (axis, sign) == (1, 1.0) else 0.3))
    points, facing, colours = torch.cat(points), torch.cat(facing), torch.cat(colours)
    under = points[:, 1] == -1
    found = fill_surface(points, facing, colours, ~under, "smooth")
    assert float((found[under] - 0.3).abs().max()) < 1e-3


def test_what_is_alone_gets_the_nearest_colour():
    """A part of its own that nobody sees."""
    main, alone = sphere_points(2000), sphere_points(500) * 0.2 + torch.tensor([3.0, 0.0, 0.0])
    points = torch.cat([main, alone])
    facing = torch.cat([main, sphere_points(500)])
    colours = (0.5 + 0.4 * points[:, :1]).clamp(0, 1)
    seen = torch.arange(len(points)) < len(main)
    for how in ("smooth", "nearest"):
        found = fill_surface(points, facing, colours, seen, how)[~seen]
        assert (
            bool(torch.isfinite(found).all()) and float(found.min()) >= 0.1 - 1e-6 and float(found.max()) <= 0.9 + 1e-6
        )


def test_nothing_seen_and_unknown_ways():
    points = sphere_points(50)
    nobody = torch.zeros(50, dtype=torch.bool)
    for how in FILLINGS:
        assert float(fill_surface(points, points, torch.ones(50, 3), nobody, how).max()) == 0
    with pytest.raises(ValueError, match="'sideways' is unknown; use one of smooth"):
        fill_surface(points, points, torch.ones(50, 3), nobody, "sideways")


def test_charts_are_padded_with_their_own_colour():
    picture = torch.zeros(20, 30, 3)
    charts = torch.zeros(20, 30, dtype=torch.bool)
    charts[5:15, 3:10] = charts[5:15, 20:27] = True
    picture[:, :15, 0], picture[:, 15:, 1] = 1, 1
    padded = pad_charts(torch.where(charts[..., None], picture, 0.0), charts)
    assert torch.equal(padded, picture)
    assert torch.equal(pad_charts(picture, torch.zeros_like(charts)), picture)
