"""Errors as users see them: one line that names the node, the value and the fix."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class SyncError(ValueError):
    """An error whose message is already complete."""


@contextmanager
def named(node: str) -> Iterator[None]:
    """Put the node's name in front of the message of bad values, of exhausted memory, and of files that cannot be read
    or written."""
    try:
        yield
    except SyncError:
        raise
    except ValueError as error:
        raise SyncError(f"{node}: {error}") from error
    except OSError as error:
        # (as text it holds the whole path)
        file = os.path.basename(os.fsdecode(error.filename))[:100] if isinstance(error.filename, str | bytes) else ""
        what = f"the file '{file}'" if file else "a file"
        reason = error.strerror or type(error).__name__
        raise SyncError(f"{node}: {what} cannot be used ({reason}); check its name, its rights and the disk") from error
    except MemoryError as error:
        raise MemoryError(f"{node}: {error}") from error


def check_finite(clean: Tensor, sigma: float, whose: str = "") -> None:
    """Raise ValueError when an estimate of the model is not a number: averaging would spread it over all views.
    whose: the prompt's, where a run has several."""
    if not bool(torch.isfinite(clean).all()):
        raise ValueError(
            f"the model returned NaN or infinity {'for ' + whose + ' ' if whose else ''}at sigma {sigma:.4g}; "
            "use another precision (--fp32-unet), a lower cfg, or check the LoRA and ControlNet strengths"
        )
