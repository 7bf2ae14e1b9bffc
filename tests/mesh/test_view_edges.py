"""Pixels of one surface hang together; smoothing is a bell on it and never leaves it."""

import math

import pytest
import torch
from syncpack.renderers.mesh.bake.view_edges import Links, from_edge, smoothed


def test_links_stop_at_outlines_and_steps():
    depths = torch.full((4, 6), math.inf)
    depths[1:, 1:] = 2.0
    depths[1:, 4:] = 3.0
    links = Links.of(depths)
    assert links.right[2].tolist() == [False, True, True, False, True]
    assert links.down[:, 2].tolist() == [False, True, True]
    assert bool(Links.of(torch.linspace(2, 2.5, 40).expand(3, 40)).right.all())


def test_distance_from_edges():
    depths = torch.full((9, 15), 2.0)
    depths[:, 10:] = 3.0
    found = from_edge(Links.of(depths))
    assert found[4].tolist() == [1, 2, 3, 4, 5, 4, 3, 2, 1, 0, 0, 1, 2, 2, 1]
    assert float(found[0].max()) == 1


@pytest.mark.parametrize("size", [1.0, 2.5, 4.0, 8.0, 16.0])
def test_a_point_becomes_a_bell(size):
    side = 129
    links = Links.of(torch.full((side, side), 2.0))
    image = torch.zeros(side, side, 1)
    image[64, 64] = 1
    found = smoothed(image, links, size)[..., 0].double()
    assert float(found.sum()) == pytest.approx(1, abs=1e-5) and float(found.min()) >= 0
    place = torch.arange(side).double() - 64
    for line in (found.sum(0), found.sum(1)):
        spread = math.sqrt(float((line * place.square()).sum()))
        assert spread == pytest.approx(size, rel=0.15)


def test_nothing_crosses_and_constants_stay():
    depths = torch.full((40, 40), 2.0)
    depths[:, 20:] = 3.0
    image = torch.zeros(40, 40, 3)
    image[:, 20:] = torch.tensor([0.3, 0.7, 0.1])
    assert torch.equal(smoothed(image, Links.of(depths), 6.0), image)
    depths[10:20, 10:20] = math.inf
    image[10:20, 10:20] = 9.0
    assert torch.equal(smoothed(image, Links.of(depths), 6.0), image)


def test_small_views():
    for size in ((1, 1), (1, 5), (3, 2)):
        image = torch.rand(*size, 3)
        assert torch.isfinite(smoothed(image, Links.of(torch.full(size, 2.0)), 30.0)).all()
