"""Gradients where none are kept: the host runs nodes under ``torch.inference_mode``, which forbids them.

Inside of it, gradients need their own ordinary tensors: neither what is differentiated nor anything that is multiplied
with it may have been made in inference mode. What comes back is an ordinary input for everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def island() -> Generator[None]:
    """Gradients are kept inside, whatever mode is around."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def ordinary(value: Tensor) -> Tensor:
    """A tensor that gradients may flow past: itself, or a copy of one that was made in inference mode."""
    with torch.inference_mode(False):
        return value.clone() if value.is_inference() else value


def gradient(f: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """(f(x) [N], the gradient of each row's value by its row, as x [N, ...]); rows must not depend on each other.

    What ``f`` uses beside x must be `ordinary`. Raises ValueError for an f through which no gradient flows.
    """
    with island():
        variable = x.detach().clone().requires_grad_()
        values = f(variable)
        if not values.requires_grad:
            raise ValueError("no gradient flows through this function")
        (slope,) = torch.autograd.grad(values.sum(), variable)
        return values.detach(), slope
