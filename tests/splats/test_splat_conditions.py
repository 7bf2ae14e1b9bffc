"""What is shown of splats: colours by direction, depth, masks, pictures; against gsplat and the float64 twin."""

import math
from dataclasses import replace

import pytest
import torch
from oracles.splat_twins import around, ball, dense_weights, fog
from syncpack.renderers.cameras.viewpoints import Orbit, Viewpoint
from syncpack.renderers.splats.geometry import SplatGeometry
from syncpack.renderers.splats.harmonics import colours_from, harmonics
from syncpack.renderers.splats.looks import depth_hints, expected_depth, renders
from syncpack.renderers.splats.space import SplatColours
from syncpack.renderers.splats.splats import SH_DC, Splats
from syncpack.renderers.splats.weights.project import project
from torch import Tensor


def directions(count: int) -> Tensor:
    draws = torch.randn(count, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.nn.functional.normalize(draws, dim=-1)


def geometry(splats: Splats, size: int = 16) -> SplatGeometry:
    rig = Orbit((around(splats), around(splats, 2.0, -0.4)), size, size, units="scene")
    return SplatGeometry(SplatColours(splats, backend="torch", prune=0.0), rig)


def test_harmonics_are_gsplats() -> None:
    gsplat = pytest.importorskip("gsplat.cuda._torch_impl", reason="gsplat is not installed")
    looks = directions(50)
    coefficients = torch.randn(50, 25, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for degree in range(5):
        ours = torch.einsum("nb,nbc->nc", harmonics(looks, degree), coefficients[:, : (degree + 1) ** 2])
        torch.testing.assert_close(ours, gsplat._spherical_harmonics(degree, looks, coefficients), rtol=1e-6, atol=1e-6)


def test_harmonics_are_orthonormal_on_the_sphere() -> None:
    """By a quadrature that is exact for their products: Gauss-Legendre in z, equal steps around."""
    z, weight = (torch.from_numpy(a) for a in __import__("numpy").polynomial.legendre.leggauss(8))
    around_z = torch.arange(16, dtype=torch.float64) * math.pi / 8
    ring = (1 - z * z).sqrt()[:, None]
    looks = torch.stack([ring * around_z.cos(), ring * around_z.sin(), z[:, None].expand(8, 16)], -1).reshape(-1, 3)
    values = harmonics(looks, 4)
    share = weight.repeat_interleave(16) * math.pi / 8
    torch.testing.assert_close(values.T @ (values * share[:, None]), torch.eye(25, dtype=torch.float64))
    assert float(values[0, 0]) == pytest.approx(SH_DC)


def test_colours_turn_with_the_direction() -> None:
    """A first-degree coefficient along z lights what is looked at along +z."""
    splats = ball(50)
    sh = torch.zeros(50, 4, 3)
    sh[:, 2] = 0.5
    splats = replace(splats, sh=sh)
    ahead = colours_from(splats, Viewpoint((0, 0, -1000.0)))
    against = colours_from(splats, Viewpoint((0, 0, 1000.0)))
    assert float(ahead.min()) > 0.7 and float(against.max()) < 0.3
    flat = colours_from(splats, Viewpoint((0, 0, 3.0), span=2.0))
    assert float((flat - against).abs().max()) < 1e-2
    assert torch.equal(colours_from(ball(50), around(splats)), ball(50).colours)


def test_renders_depth_and_masks_are_the_twins() -> None:
    splats = fog(150)
    scene = geometry(splats)
    pictures, alpha = renders(scene, (1.0, 0.5, 0.0))
    depth, alpha_of_depth = expected_depth(scene)
    for i, camera in enumerate(scene.viewpoints):
        slow = dense_weights(project(splats, camera, 16, 16), 150)
        total = slow.sum(1, keepdim=True)
        picture = slow @ splats.colours.double() + (1 - total) * torch.tensor([1.0, 0.5, 0.0]).double()
        torch.testing.assert_close(pictures[i].reshape(-1, 3).double(), picture, rtol=0, atol=1e-5)
        torch.testing.assert_close(alpha[i].reshape(-1, 1).double(), total, rtol=0, atol=1e-5)
        away = -camera.camera_space(splats.positions.double())[:, 2:]
        expected = torch.where(total > 1e-3, slow @ away / total.clamp_min(1e-9), 0.0)
        seen = total[:, 0] > 1e-3
        torch.testing.assert_close(depth[i].reshape(-1, 1)[seen].double(), expected[seen], rtol=1e-4, atol=1e-4)
    assert torch.equal(alpha_of_depth.clamp(0, 1), alpha)


def test_near_is_white_and_background_black() -> None:
    splats = ball(600, far=0.0)
    near = Viewpoint.orbit(0, 0, 2.0).in_scene(splats.centre, splats.radius)
    far = Viewpoint.orbit(0, 0, 4.0).in_scene(splats.centre, splats.radius)
    scene = SplatGeometry(SplatColours(splats, backend="torch"), Orbit((near, far), 24, 24, units="scene"))
    joint, alpha = depth_hints(scene, "joint")
    single, _ = depth_hints(scene, "per view")
    assert float(joint[0].max()) == 1 and float(joint[1].max()) < 0.6
    assert float(single[0].max()) == 1 and float(single[1].max()) == 1
    middle = joint[0, 11:13, 11:13].mean()
    rim = joint[0][(alpha[0] > 0.5) & (joint[0] < middle - 0.3)]
    assert rim.numel() > 10
    assert bool((joint[alpha <= 0.01] == 0).all()) and bool((alpha <= 0.01).any())
    assert float(joint.min()) == 0
