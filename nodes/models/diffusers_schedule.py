"""What a diffusers folder's scheduler says about a network: noise levels, what it predicts, how pixels are clipped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .diffusers_folders import first_line, read_json

# alphas_cumprod of a schedule that ends in pure noise is 0, and its noise level infinite. This is the library's floor.
_SMALLEST = 2.0**-24


@dataclass(frozen=True)
class Clipping:
    """How a pixel model's clean estimate is kept in range, after guidance.

    Static (``ratio`` None): clamped to +-``limit``. Dynamic (Saharia et al. 2022, 2.3): per picture, s is the ``ratio``
    quantile of absolute values, between 1 and ``limit``; values are clamped to +-s and divided by s.
    """

    limit: float
    ratio: float | None = None

    def __call__(self, clean: Tensor) -> Tensor:
        if self.ratio is None:
            return clean.clamp(-self.limit, self.limit)
        flat = clean.float().flatten(1).abs()
        s = torch.quantile(flat, self.ratio, dim=1).clamp(1.0, self.limit)
        s = s.reshape(-1, *[1] * (clean.ndim - 1)).to(clean.dtype)
        return clean.clamp(-s, s) / s


@dataclass(frozen=True)
class NoiseLevels:
    """``alphas_cumprod`` [T] float64, as the network was trained; ``prediction``: epsilon, v_prediction or sample."""

    alphas_cumprod: Tensor
    prediction: str
    clipping: Clipping | None

    def sigmas(self) -> Tensor:
        """Noise levels sqrt((1 - a) / a) [T]."""
        return ((1.0 - self.alphas_cumprod) / self.alphas_cumprod).sqrt()


def read_schedule(file: Path) -> NoiseLevels:
    """The schedule of a scheduler_config.json, with the very betas that diffusers builds from it.

    Raises ValueError (one line) for flow models, for schedulers without discrete noise levels, and for unknown
    predictions.
    """
    config = read_json(file)
    name = str(config.get("_class_name", ""))
    prediction = str(config.get("prediction_type", "epsilon"))
    if "Flow" in name or config.get("use_flow_sigmas") or prediction == "flow_prediction":
        raise ValueError(
            f"the scheduler {name or file.name} is one of flow matching, which U-Nets of this kind are not trained "
            "with; load flow models with the host's own loaders"
        )
    if prediction not in ("epsilon", "v_prediction", "sample"):
        raise ValueError(
            f"prediction_type '{prediction}' in {file.name} is unknown; use epsilon, v_prediction or sample"
        )
    alphas = _alphas_cumprod(name, config)
    if prediction == "epsilon" and float(alphas[-1]) == 0.0:
        raise ValueError(
            f"{file.name} rescales betas to pure noise, where a prediction of noise says nothing; such models have "
            "prediction_type v_prediction"
        )
    alphas = torch.where(alphas > 0.0, alphas, torch.full_like(alphas, _SMALLEST))
    return NoiseLevels(alphas, prediction, _clipping(config))


def _alphas_cumprod(name: str, config: dict[str, Any]) -> Tensor:
    import diffusers as library

    diffusers: Any = library
    scheduler_class: Any = getattr(diffusers, name, None) if name.isidentifier() else None
    if not (isinstance(scheduler_class, type) and issubclass(scheduler_class, diffusers.SchedulerMixin)):
        raise ValueError(f"'{name}' is no scheduler of diffusers; a DDPMScheduler or DDIMScheduler is")
    try:
        # Of the class itself: each has its own defaults for what a config leaves out.
        alphas = getattr(scheduler_class.from_config(config), "alphas_cumprod", None)
    except Exception as error:
        raise ValueError(f"{name} cannot be built from its config ({first_line(error)})") from error
    if not isinstance(alphas, Tensor):
        raise ValueError(
            f"{name} has no discrete noise levels (alphas_cumprod), which this door needs; load the model with the "
            "host's own loaders"
        )
    return alphas.double().cpu()


def _clipping(config: dict[str, Any]) -> Clipping | None:
    if config.get("thresholding"):
        return Clipping(
            float(config.get("sample_max_value", 1.0)), float(config.get("dynamic_thresholding_ratio", 0.995))
        )
    return Clipping(float(config.get("clip_sample_range", 1.0))) if config.get("clip_sample") else None


def clip_after_guidance(clipping: Clipping) -> Callable[[dict[str, Any]], Tensor]:
    """A post-CFG function of the host."""

    def clipped(given: dict[str, Any]) -> Tensor:
        return clipping(given["denoised"])

    return clipped
