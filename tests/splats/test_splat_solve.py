"""Colours of splats from pictures: against dense float64 systems, and known colours found again."""

import math
from dataclasses import replace

import pytest
import torch
from oracles.splat_twins import ball, fog
from syncpack.renderers.cameras.viewpoints import Viewpoint
from syncpack.renderers.splats.solve.picture_mean import RIDGE, SplatMean
from syncpack.renderers.splats.solve.solve import SplatSolver
from syncpack.renderers.splats.space import SplatColours
from syncpack.renderers.splats.splats import Splats
from torch import Tensor


def cameras(splats: Splats, count: int, distance: float = 2.8) -> list[Viewpoint]:
    """Spread evenly over the sphere around the splats."""
    golden = math.pi * (3 - math.sqrt(5))
    heights = [1 - 2 * (i + 0.5) / count for i in range(count)]
    return [
        Viewpoint.orbit(i * golden, math.asin(y), distance, fov=math.radians(48)).in_scene(splats.centre, splats.radius)
        for i, y in enumerate(heights)
    ]


def solver_of(splats: Splats, count: int, size: int, **space: float) -> SplatSolver:
    colours = SplatColours(splats, backend="torch", **space)
    return SplatSolver.of((colours.weights(v, size, size) for v in cameras(splats, count)), size, size)


def dense(solver: SplatSolver) -> tuple[Tensor, Tensor, Tensor]:
    """float64: F [N*P, K], weights [N*P], alpha [N*P]."""
    rows = []
    for block in solver.blocks:
        matrix = torch.zeros(block.forward.rows, block.forward.cols, dtype=torch.float64)
        matrix[block.forward.row_of_entry, block.forward.indices.long()] = block.forward.weights.double()
        rows.append(matrix)
    stacked = [torch.cat([getattr(b, name)[:, 0] for b in solver.blocks]).double() for name in ("weights", "alpha")]
    return torch.cat(rows), stacked[0], stacked[1]


@pytest.fixture(scope="module")
def small() -> SplatSolver:
    return replace(solver_of(fog(60, size=0.1), 4, 13), ridge=0.1)


def pictures(count: int, size: int, seed: int = 0) -> list[Tensor]:
    return list(torch.rand(count, size, size, 3, generator=torch.Generator().manual_seed(seed)))


def fronts(solver: SplatSolver, images: list[Tensor]) -> list[Tensor]:
    """What pixels show of the splats alone: the background, where it is seen, taken out."""
    found = []
    for block, image in zip(solver.blocks, images, strict=True):
        pixels = image.reshape(-1, 3)
        share = (1 - block.alpha) / block.alpha.clamp(min=0.25)
        found.append(pixels + share * (pixels - pixels[block.behind]))
    return found


def expected(solver: SplatSolver, images: list[Tensor], weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(mean, least squares) by dense float64 algebra."""
    forward, own, alpha = dense(solver)
    back_projection = forward.T * own
    pixels = torch.cat(fronts(solver, images)).double()
    total = back_projection.sum(1, keepdim=True)
    mean = torch.where(total > 0, back_projection @ pixels / total.clamp_min(1e-30), 0.0)
    weights = own if weights is None else weights
    normal = (forward.T * weights) @ forward
    floor = solver.ridge * normal.diagonal().mean()
    target = (forward.T * weights) @ (alpha[:, None] * pixels) + floor * mean
    return mean, torch.linalg.solve(normal + floor * torch.eye(len(normal), dtype=torch.float64), target)


def test_mean_and_least_squares_are_the_dense_ones(small: SplatSolver) -> None:
    images = pictures(4, 13)
    mean, best = expected(small, images)
    torch.testing.assert_close(small(images, "mean").double(), mean, rtol=1e-4, atol=1e-5)
    exact = replace(small, iterations=200, tolerance=1e-7)
    torch.testing.assert_close(exact(images).double(), best, rtol=1e-3, atol=1e-4)
    looser = replace(exact, ridge=0.02)
    torch.testing.assert_close(exact(images, ridge=0.02), looser(images))
    assert float((looser(images) - exact(images)).abs().max()) > 0.02
    # Ten iterations are close already, and a warm start stays where the solution is.
    assert float((small(images).double() - best).abs().max()) < 0.05
    once = replace(small, iterations=1)(images, start=best.float())
    torch.testing.assert_close(once.double(), best, rtol=1e-3, atol=1e-4)


def test_a_known_background_is_taken_out(small: SplatSolver) -> None:
    """Pictures over pink give the colours that pictures without background give."""
    colours = torch.rand(60, 3, generator=torch.Generator().manual_seed(2))
    pink = torch.tensor([1.0, 0.4, 0.7])
    size = (13, 13, 3)
    over = [small.shown(colours, i, pink.expand(size)) for i in range(4)]
    alone = [(b.forward.apply(colours) / b.alpha.clamp_min(1e-6)).reshape(size) for b in small.blocks]
    nothing_behind = torch.arange(13 * 13)
    even = replace(
        small,
        blocks=tuple(replace(b, weights=torch.ones_like(b.weights), behind=nothing_behind) for b in small.blocks),
    )
    for method in ("mean", "least_squares"):
        taken = small(over, method, background=pink)
        torch.testing.assert_close(taken, even(alone, method), rtol=1e-3, atol=1e-3)
        per_view = torch.stack([pink.expand(size)] * 4)
        assert torch.equal(small(over, method, background=per_view), taken)


def test_a_robust_fit_leaves_a_liar_out() -> None:
    """One picture of twelve is black: the sum of absolute errors is moved less by it than that of squares."""
    splats = ball(250, size=0.7)
    solver = solver_of(splats, 12, 24)
    smooth = 0.5 + 0.35 * torch.sin(2 * splats.positions)
    images = [solver.shown(smooth, i, torch.ones(24, 24, 3)) for i in range(12)]
    images[3] = torch.zeros(24, 24, 3)
    known = solver.seen > 1
    errors = []
    for rounds in (0, 3):
        found = solver(images, background=torch.ones(3), rounds=rounds)
        errors.append(float((found - smooth)[known].abs().mean()))
    assert errors[1] < 0.6 * errors[0], errors


def test_known_colours_are_found_again() -> None:
    """30 views: at least 35 dB on splats that are seen; held to the mean, colours stay within what is given."""
    splats = ball(2500)
    smooth = 0.5 + 0.35 * torch.sin(4 * splats.positions)
    full = SplatColours(splats, backend="torch", prune=0.0)
    solver = solver_of(splats, 30, 48)
    images = []
    for viewpoint in cameras(splats, 30):
        view = full.weights(viewpoint, 48, 48)
        images.append((view.map.apply(smooth) + (1 - view.alpha[:, None])).reshape(48, 48, 3))
    found = solver(images, background=torch.ones(3), limits=(0.0, 1.0))
    enough = solver.seen > 0.5
    assert float(enough.float().mean()) > 0.9
    psnr = -10 * math.log10(float((found - smooth)[enough].square().mean()))
    assert psnr >= 35, psnr
    mean = solver(images, "mean", background=torch.ones(3))
    assert psnr > 5 - 10 * math.log10(float((mean - smooth)[enough].square().mean()))
    free = solver(images, background=torch.ones(3))
    assert float(free.min()) > -0.25 and float(free.max()) < 1.25


def test_backgrounds_that_nobody_knows_leave_no_fringes() -> None:
    """Every view over another colour: found nearly as well as when the colours are known, 5 dB better than without
    looking behind."""
    splats = ball(1500)
    smooth = 0.5 + 0.35 * torch.sin(4 * splats.positions)
    solver = solver_of(splats, 16, 40)
    behind = torch.rand(16, 1, 1, 3, generator=torch.Generator().manual_seed(3)).expand(16, 40, 40, 3)
    images = [solver.shown(smooth, i, behind[i]) for i in range(16)]
    enough = solver.seen > 0.5

    def psnr(found: Tensor) -> float:
        return -10 * math.log10(float((found - smooth)[enough].square().mean()))

    unaware = replace(solver, blocks=tuple(replace(b, behind=torch.arange(1600)) for b in solver.blocks))
    known, found = psnr(solver(images, background=behind)), psnr(solver(images))
    assert found > known - 3, (known, found)
    assert found > psnr(unaware(images)) + 5


def test_limits_clamp_and_unseen_splats_are_zero() -> None:
    splats = fog(60, size=0.02)
    # A splat far behind every camera.
    splats = replace(splats, positions=torch.cat([splats.positions[:-1], torch.full((1, 3), 50.0)]))
    solver = solver_of(splats, 3, 16)
    assert float(solver.seen[-1]) == 0
    for method in ("mean", "least_squares"):
        found = solver([p * 4 - 2 for p in pictures(3, 16)], method, limits=(0.0, 1.0))
        assert float(found.min()) == 0 and float(found.max()) <= 1
        assert torch.equal(found[-1], torch.zeros(3))


def test_picture_mean_shows_the_background_once(small: SplatSolver) -> None:
    """Two scenes of four views, added in pieces."""
    first, second = pictures(4, 13, 5), pictures(4, 13, 6)
    mean = SplatMean(small, "mean")
    mean.add(0, torch.stack(first[:3]))
    mean.add(3, torch.stack([first[3], *second]))
    found = mean.views(3, 6)
    places = [(first, 3), (second, 0), (second, 1)]
    for image, (scene, view) in zip(found, places, strict=True):
        given = scene[view]
        block = small.blocks[view]
        behind = given.reshape(-1, 3)[block.behind]
        expected_image = block.forward.apply(small(scene, "mean").clamp(0, 1)) + (1 - block.alpha) * behind
        torch.testing.assert_close(image.reshape(-1, 3), expected_image, rtol=1e-5, atol=1e-6)
    grey = SplatMean(small, "least_squares")
    grey.add(0, torch.full((4, 13, 13, 3), 0.3))
    torch.testing.assert_close(grey.views(0, 4), torch.full((4, 13, 13, 3), 0.3), rtol=1e-4, atol=1e-4)


def test_a_step_starts_where_the_last_one_ended(small: SplatSolver) -> None:
    """Four iterations a step: a fit that goes on comes to where a long one is, one that begins anew does not."""
    colours = 0.3 + 0.4 * torch.rand(60, 3, generator=torch.Generator().manual_seed(7))
    images = torch.stack([small.shown(colours, i, torch.full((13, 13, 3), 0.5)) for i in range(4)])
    short = replace(small, iterations=4, tolerance=0.0)
    long = replace(small, iterations=100, tolerance=1e-7)(list(images), limits=(0.0, 1.0), ridge=RIDGE)
    last: list[Tensor] = []
    misses = []
    for _ in range(6):
        mean = SplatMean(short, "least_squares", last)
        mean.add(0, images)
        mean.views(0, 4)
        last = mean.colours
        misses.append(float((last[0] - long).square().mean().sqrt()))
    assert misses[-1] < 0.2 * misses[0], misses


def test_pictures_of_another_rig_are_refused(small: SplatSolver) -> None:
    with pytest.raises(ValueError, match="3 images of 13 x 13 for 4 views of 13 x 13; connect all decoded views"):
        small(pictures(3, 13))
    with pytest.raises(ValueError, match="4 images of 12 x 12 for 4 views"):
        small(pictures(4, 12))
    with pytest.raises(ValueError, match="'best' is unknown; use one of mean, least_squares"):
        small(pictures(4, 13), "best")  # pyright: ignore[reportArgumentType]
