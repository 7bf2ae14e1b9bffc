"""Errors as users see them: one line that names the node, the value and the fix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class SyncError(ValueError):
    """An error whose message is already complete."""


@contextmanager
def named(node: str) -> Iterator[None]:
    """Put the node's name in front of the message of bad values and of exhausted memory."""
    try:
        yield
    except SyncError:
        raise
    except ValueError as error:
        raise SyncError(f"{node}: {error}") from error
    except MemoryError as error:
        raise MemoryError(f"{node}: {error}") from error


def check_finite(clean: Tensor, sigma: float) -> None:
    """Raise ValueError when an estimate of the model is not a number: averaging would spread it over all views."""
    if not bool(torch.isfinite(clean).all()):
        raise ValueError(
            f"the model returned NaN or infinity at sigma {sigma:.4g}; "
            "use another precision (--fp32-unet), a lower cfg, or check the LoRA and ControlNet strengths"
        )
