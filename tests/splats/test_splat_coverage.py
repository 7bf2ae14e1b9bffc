"""Cameras chosen for splats: fewer than an even rig needs, sides that nothing else shows, hidden ones left out."""

import math
from dataclasses import replace

import pytest
import torch
from oracles.splat_twins import ball
from syncpack.renderers.cameras.orbits import Lens
from syncpack.renderers.cameras.viewpoints import Orbit
from syncpack.renderers.splats.coverage_rig import splat_coverage_rig
from syncpack.renderers.splats.space import SplatColours
from syncpack.renderers.splats.splats import Splats


def shown(splats: Splats, viewpoints) -> torch.Tensor:
    """float [N, K]: pixels of each splat in each view of 128 x 128, from dense weights of another size's space."""
    space = SplatColours(splats, backend="torch", prune=0.0)
    cameras = splats.cameras(Orbit(tuple(viewpoints), 128, 128))
    return torch.stack([space.weights(c, 128, 128).map.transpose().apply(torch.ones(128**2, 1))[:, 0] for c in cameras])


def plate(count: int = 900) -> Splats:
    """Flat splats on a square that faces +Z; a wall of splats close behind it hides them from the back."""
    side = math.isqrt(count)
    x, y = torch.meshgrid(torch.linspace(-1, 1, side), torch.linspace(-1, 1, side), indexing="ij")
    front = torch.stack([x.reshape(-1), y.reshape(-1), torch.full((count,), 0.06)], 1)
    positions = torch.cat([front, front * torch.tensor([1.0, 1.0, -1.0])])
    turn = torch.tensor([1.0, 0, 0, 0]).repeat(2 * count, 1)
    scales = torch.tensor([1.0, 1.0, 0.02]).repeat(2 * count, 1) * (1.2 / side)
    colours = torch.zeros(2 * count, 1, 3)
    return Splats(positions, scales, turn, torch.full((2 * count,), 0.99), colours, up="+y")


def test_two_sides_take_two_cameras():
    space = SplatColours(plate(), backend="torch")
    cameras, reached = splat_coverage_rig(space, Lens(50, 3.0), 0.97, 12)
    assert len(cameras) == 2 and reached.text.endswith("target 97 % of that reached")
    depths = sorted(camera.position[2] for camera in cameras)
    assert depths[0] < -1.5 and depths[1] > 1.5, "one on each side"
    only, less = splat_coverage_rig(space, Lens(50, 3.0), 0.97, 1)
    assert only == cameras[:1] and "not reached: allow more views" in less.text
    assert less.shares[0] == pytest.approx(0.5, abs=0.05)


def test_chosen_cameras_show_a_ball_better_than_as_many_on_a_ring():
    splats = replace(ball(1500), up="+y")
    cameras, reached = splat_coverage_rig(SplatColours(splats, backend="torch"), Lens(50, 2.6), 0.9, 12)
    assert list(reached.shares) == sorted(reached.shares) and 4 <= len(cameras) <= 12
    ring = [Lens(50, 2.6).at(360 * i / len(cameras), 0) for i in range(len(cameras))]
    ours, even = (shown(splats, rig).amax(0) for rig in (cameras, ring))
    little = 0.25 * float(ours.median())
    assert float((ours < little).float().mean()) < 0.5 * float((even < little).float().mean())


def test_bad_wishes_and_splats_that_nobody_sees():
    space = SplatColours(ball(100), backend="torch")
    with pytest.raises(ValueError, match=r"target 1\.5 is outside"):
        splat_coverage_rig(space, target=1.5)
    with pytest.raises(ValueError, match="0 views see nothing"):
        splat_coverage_rig(space, most=0)
    with pytest.raises(ValueError, match="no camera sees the splats of 'ball'; the distance may be too small"):
        splat_coverage_rig(SplatColours(replace(space.splats, opacities=torch.full((100,), 0.0045))), Lens(5, 1e4))
