"""Rotary positions moved after the fact, against positions that were right from the start."""

import math

import pytest
import torch
from syncpack.sync_core.attention.rotary import Rotary


def placed(x, positions, axes, theta):
    """Rotary embedding by complex numbers: x [tokens, C] at positions [tokens, axes]."""
    out, first = x.clone(), 0
    for axis, channels in enumerate(axes):
        for pair in range(channels // 2):
            a = first + 2 * pair
            angle = positions[:, axis] * theta ** (-2 * pair / channels)
            turned = torch.complex(x[:, a], x[:, a + 1]) * torch.polar(torch.ones_like(angle), angle)
            out[:, a], out[:, a + 1] = turned.real, turned.imag
        first += channels
    return out


@pytest.mark.parametrize("rest", [0, 6], ids=["whole heads", "heads with channels that are not turned"])
def test_turns_add_up(rest):
    axes, theta = (4, 6, 8), 256.0
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    x, here = draw(5, sum(axes) + rest), 10 * draw(5, 3)
    shifts = torch.tensor([[0.0, 3.5, -700.0], [2.0, 0.0, 64.0]], dtype=torch.float64)
    turned = Rotary(axes, (theta,) * 3).turn(shifts)(placed(x, here, axes, theta).expand(2, 1, -1, -1))
    for row, shift in enumerate(shifts):
        assert torch.allclose(turned[row, 0], placed(x, here + shift, axes, theta), atol=1e-5)


def test_pairs_may_lie_half_a_head_apart():
    rotary, x = Rotary((4, 6), (256.0, 64.0)), torch.randn(1, 2, 3, 10, generator=torch.Generator().manual_seed(1))
    shift = torch.tensor([[2.0, -5.0]])
    expected = rotary.turn(shift)(x)
    by_halves = Rotary((4, 6), (256.0, 64.0), halves=True).turn(shift)(torch.cat([x[..., ::2], x[..., 1::2]], -1))
    assert torch.allclose(by_halves, torch.cat([expected[..., ::2], expected[..., 1::2]], -1), atol=1e-6)


def test_half_precision_stays():
    x, half_a_turn = torch.randn(1, 2, 3, 2, dtype=torch.bfloat16), Rotary((2,), (1.0,)).turn(torch.tensor([[math.pi]]))
    assert half_a_turn(x).dtype == torch.bfloat16
    assert torch.allclose(half_a_turn(x), -x, atol=1e-2)
