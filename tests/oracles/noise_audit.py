"""What tells whether noise is as strong and as white as a model expects: figures for tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from oracles.parameterization import Level, noise_of
from syncpack.sync_core.quality import accumulator_dtype
from torch import Tensor


def _wide(value: Tensor) -> Tensor:
    return value.detach().to(accumulator_dtype(value.device))


def variance_ratio(values: Tensor, target: float, mean: Tensor | float | None = None) -> float:
    """Variance of ``values`` (any shape) over ``target``: 1 is right, below 1 lost variance, above 1 inflation.

    About ``mean`` when it is known (broadcast), else about the values' own overall mean.

    Raises:
        ValueError: no values, or a target that is not positive.
    """
    if values.numel() == 0 or not target > 0.0:
        raise ValueError(f"variance_ratio needs values and a positive target, got {values.numel()} values, {target}")
    wide = _wide(values)
    centre = wide.mean() if mean is None else torch.as_tensor(mean).to(dtype=wide.dtype, device=wide.device)
    return float((wide - centre).square().mean()) / target


def lag_autocorrelation(values: Tensor, lag: int, axis: int) -> float:
    """Correlation of ``values`` with themselves ``lag`` steps further along ``axis``; 0 for white noise.

    About the overall mean, normalised by the overall variance; nan for constant values.

    Raises:
        ValueError: ``lag`` outside 1 .. size - 1 of that axis.
    """
    size = values.shape[axis]
    if not 1 <= lag < size:
        raise ValueError(f"lag must be between 1 and {size - 1} on an axis of {size}, got {lag}")
    wide = _wide(values)
    wide = wide - wide.mean()
    variance = float(wide.square().mean())
    if variance == 0.0:
        return math.nan
    return float((wide.narrow(axis, 0, size - lag) * wide.narrow(axis, lag, size - lag)).mean()) / variance


@dataclass(frozen=True)
class NoiseAudit:
    """What is left of ``x`` without its signal, in units of the level's noise.

    ``ratio`` r_t must be 1: above 1 noise was inflated (averaging eps), below 1 variance was lost. The correlations,
    one per lag in ``lags``, must be 0: the model was trained on white noise.
    """

    ratio: float
    lags: tuple[int, ...]
    correlation_x: tuple[float, ...]
    correlation_y: tuple[float, ...]


def noise_audit(x: Tensor, x0: Tensor, level: Level, lags: Sequence[int] = (1,)) -> NoiseAudit:
    """Audit of the noise in ``x`` [..., h, w] given its clean part ``x0`` (true or estimated; an estimate explains some
    of the noise as signal, so its ratio lies a little lower).

    Raises:
        ValueError: sigma = 0, shapes that differ, or a lag that does not fit in h and w.
    """
    if x.shape != x0.shape or x.ndim < 2:
        raise ValueError(
            f"noise_audit needs x and x0 [..., h, w] of one shape, got {tuple(x.shape)}, {tuple(x0.shape)}"
        )
    residual = noise_of(_wide(x), _wide(x0), level)
    return NoiseAudit(
        ratio=float(residual.std(correction=0)),
        lags=tuple(lags),
        correlation_x=tuple(lag_autocorrelation(residual, lag, -1) for lag in lags),
        correlation_y=tuple(lag_autocorrelation(residual, lag, -2) for lag in lags),
    )
