"""The formulas of edits against what their papers write, and the kernel on pictures that are alike and others."""

import math

import pytest
import torch
from syncpack.sync_core.steering.edits import (
    Descent,
    Edit,
    alike,
    collaborative,
    compared,
    mixed,
    squared_distances,
)
from syncpack.sync_core.steering.features import ConvFeatures
from torch import Tensor


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def posterior(x: Tensor, sigma: float, mean: float, std: float = 0.7, flow: bool = False) -> Tensor:
    """The clean estimate of a Gaussian prior that a prompt moves, bent a little so that nothing is linear."""
    keep = 1 - sigma if flow else 1.0
    gain = keep * std**2 / ((keep * std) ** 2 + sigma**2)
    return mean + gain * (x - keep * mean) + 0.1 * torch.sin(x)


def test_one_plain_step_is_delta_denoising():
    """Noise models: the step is a descent by (sigma - sigma') along eps_tar - eps_src at one noise."""
    source, state, noise = normal(3, 4, 8, 8), normal(3, 4, 8, 8, seed=1), normal(3, 4, 8, 8, seed=2)
    for sigma, after in ((9.0, 6.0), (2.0, 1.3), (0.4, 0.0)):
        src = source + sigma * noise
        tar = src + (state - source)
        wanted, shown = posterior(tar, sigma, 0.8), posterior(src, sigma, -0.5)
        edited = source + (wanted - shown)
        step = state + (after - sigma) * (state - edited) / sigma
        descent = state - (sigma - after) * ((tar - wanted) / sigma - (src - shown) / sigma)
        assert float((step - descent).abs().max()) < 1e-12
        assert float((tar - (state + sigma * noise)).abs().max()) < 1e-12


def test_one_plain_step_is_flowedit():
    """Flow models: (w - D') / s is v_tar - v_src."""
    source, state, noise = normal(3, 4, 8, 8), normal(3, 4, 8, 8, seed=1), normal(3, 4, 8, 8, seed=2)
    for s in (0.95, 0.6, 0.1):
        src = (1 - s) * source + s * noise
        tar = state + src - source
        wanted, shown = posterior(tar, s, 0.8, flow=True), posterior(src, s, -0.5, flow=True)
        velocity = (tar - wanted) / s - (src - shown) / s
        edited = source + (wanted - shown)
        assert float(((state - edited) / s - velocity).abs().max()) < 1e-12


def test_two_views_are_a_third_alike():
    kernel = compared(normal(2, 4, 8, 8), 2)
    assert torch.allclose(kernel, torch.tensor([[[1, 1 / 3], [1 / 3, 1]]], dtype=torch.float64))


def test_the_kernel_is_a_slow_twin_s():
    values = normal(6, 5)
    distances = [[float((a - b).square().sum()) for b in values] for a in values]
    others = sorted(distances[i][j] for i in range(6) for j in range(6) if i != j)
    gamma = math.log(7) / others[(len(others) - 1) // 2]
    twin = torch.tensor([[math.exp(-gamma * d) for d in row] for row in distances], dtype=torch.float64)
    assert torch.allclose(alike(squared_distances(values)), twin, atol=1e-12)
    rows = torch.cat([values, 2 * values]).reshape(12, 5, 1, 1)
    assert torch.allclose(compared(rows, 6)[1], twin, atol=1e-12), "each picture of a batch by itself"


def test_alike_and_other_views():
    """Clean views of two materials: near 1 among their own. Noisy ones: 1 / (N + 1) whatever they show."""
    two = normal(2, 4, 16, 16, seed=3)
    clean = two.repeat_interleave(4, 0) + 0.05 * normal(8, 4, 16, 16, seed=4)
    noisy = clean + 10 * normal(8, 4, 16, 16, seed=5)
    own = torch.block_diag(torch.ones(4, 4), torch.ones(4, 4)).bool()
    others, off = ~own, own & ~torch.eye(8, dtype=torch.bool)
    kernel = compared(clean, 8)[0]
    assert float(kernel[off].min()) > 0.97 and abs(float(kernel[others].mean()) - 1 / 9) < 0.01
    kernel = compared(noisy, 8)[0]
    assert abs(float(kernel[off].mean() - kernel[others].mean())) < 0.02
    assert abs(float(kernel[others].mean()) - 1 / 9) < 0.01


def test_views_of_one_material_are_alike_by_texture():
    """Elsewhere in the material, which the pictures themselves do not show."""
    rough, smooth = normal(1, 4, 32, 32, seed=3), normal(1, 4, 32, 32, seed=4)
    smooth = 2 * torch.nn.functional.avg_pool2d(smooth, 5, 1, 2)
    views = torch.cat(
        [one.roll(shift, (2, 3)) for one in (rough, smooth) for shift in ((0, 0), (5, 9), (13, 2), (3, 30))]
    )
    own = torch.block_diag(torch.ones(4, 4), torch.ones(4, 4)).bool()
    off = own & ~torch.eye(8, dtype=torch.bool)
    by_texture, by_value = compared(views, 8, ConvFeatures.of(4))[0], compared(views, 8)[0]
    assert float(by_texture[off].min()) > 0.9 and float(by_texture[~own].max()) < 0.2
    assert float(by_value[off].min()) < 0.1


def test_mixing():
    changes = normal(6, 2, 4, 4)
    kernel = compared(normal(6, 3, 1, 1, seed=1), 3)
    weights = kernel / kernel.sum(-1, keepdim=True)
    rows = [(b, i) for b in range(2) for i in range(3)]
    slow = torch.stack([torch.einsum("j,jchw->chw", weights[b, i], changes[3 * b : 3 * b + 3]) for b, i in rows])
    assert torch.allclose(mixed(changes, kernel), slow, atol=1e-12)
    assert torch.equal(mixed(changes, compared(changes, 1)), changes), "one view is off"
    same = changes[:1].repeat(3, 1, 1, 1)
    assert torch.allclose(mixed(same, compared(same, 3)), same)


def test_the_published_update_is_that_of_autograd():
    """(1/N) [sum_j K_ij G_j + d/dx_i sum_j k(x_i, x_j)], the derivative with the width held."""
    views, gradients = normal(4, 2, 3, 3), normal(4, 2, 3, 3, seed=1)
    distances = squared_distances(views.flatten(1))
    others = distances[~torch.eye(4, dtype=torch.bool)]
    gamma = math.log(5) / float(others.median())
    for i in range(4):
        x = views[i].clone().requires_grad_(True)
        k = torch.stack([torch.exp(-gamma * (x - other).square().sum()) for other in views])
        k.sum().backward()
        assert x.grad is not None
        wanted = (torch.einsum("j,jchw->chw", k.detach(), gradients) + x.grad) / 4
        got = collaborative(gradients, compared(views, 4), views)[i]
        assert torch.allclose(got, wanted, atol=1e-12)
    assert torch.equal(collaborative(gradients[:1], compared(views[:1], 1), views[:1]), gradients[:1])


def test_rates():
    assert Descent().rate_at(0, "off") == 0.5 and Descent().rate_at(19, "noisy") == 2.0
    assert math.isclose(Descent().rate_at(40, "clean"), 2 * 0.81) and Descent(rate=1.0).rate_at(0, "off") == 1.0


def test_finishing():
    assert [Edit().finishing(steps) for steps in (1, 3, 4, 10, 20)] == [0, 0, 1, 2, 3]
    assert Edit(finish=0.0).finishing(20) == 0 and Edit(finish=1.0).finishing(7) == 7


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: Edit(walk="up"), "walk 'up' is unknown; use one of falling, random"),
        (lambda: Edit(kernel="rbf"), "kernel 'rbf' is unknown"),
        (lambda: Edit(averages=0), "averages 0: use 1"),
        (lambda: Edit(finish=1.5), "finish 1.5 is no part of a run; use 0 to 1"),
        (lambda: Edit(baseline="none"), "set walk to random, or baseline to source"),
        (lambda: Descent(iterations=0), "iterations 0"),
        (lambda: Descent(rate=-1.0), "rate -1: use 0"),
        (lambda: Descent(earliest=0.6), "t_min 0.6 and t_max 0.5"),
        (lambda: Descent(hold=2.0), "hold 2: use 0 (off) to 1"),
    ],
)
def test_values_that_are_none(make, said):
    with pytest.raises(ValueError) as caught:
        make()
    assert said in str(caught.value) and "\n" not in str(caught.value)
