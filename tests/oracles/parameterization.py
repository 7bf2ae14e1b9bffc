"""What a model predicts, and how it turns into x0: eps, v and flow velocity from one (alpha, sigma) pair.

A noise level says ``x = alpha x0 + sigma e`` with ``e ~ N(0, I)``. All conventions in use are such pairs:

==========  =============  ==============  =================================================
convention  alpha          sigma           who uses it
==========  =============  ==============  =================================================
VE          1              sigma           k-diffusion and ComfyUI, for EPS and V models
VP          sqrt(abar)     sqrt(1 - abar)  DDPM, DDIM, the SyncTweedies paper
flow        1 - sigma      sigma           rectified flow (SD3, Flux)
==========  =============  ==============  =================================================

VE and VP are the same process seen at two scales (``x_ve = x_vp / alpha``); x0 and e are the same in both.
Notation of Kim et al., SyncTweedies (arXiv 2403.14370): phi gives x0 from the noise (Tweedie), psi is the DDIM step.
"""

import enum
import math
from dataclasses import dataclass

import torch
from torch import Tensor

_ROUNDING = 1e-6  # sigmas arrive as float32: 1.0000001 is one


def _unit(value: float, name: str) -> float:
    """``value`` within [0, 1]; float32 rounding just outside is clamped, anything else is refused."""
    if not -_ROUNDING <= value <= 1.0 + _ROUNDING:
        raise ValueError(f"{name} must be between 0 and 1, got {value}")
    return min(max(value, 0.0), 1.0)


@dataclass(frozen=True)
class Level:
    """A noise level: ``x = alpha x0 + sigma e``. Both are plain floats, at least 0, not both 0.

    Raises:
        ValueError: a negative or non-finite number, or alpha = sigma = 0.
    """

    alpha: float
    sigma: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.alpha) and math.isfinite(self.sigma)) or min(self.alpha, self.sigma) < 0.0:
            raise ValueError(f"a noise level needs finite alpha and sigma >= 0, got {self.alpha} and {self.sigma}")
        if self.alpha == 0.0 and self.sigma == 0.0:
            raise ValueError("a noise level with alpha = sigma = 0 holds neither signal nor noise")

    @classmethod
    def ve(cls, sigma: float) -> "Level":
        """Variance exploding: alpha is 1."""
        return cls(1.0, float(sigma))

    @classmethod
    def vp(cls, alpha_bar: float) -> "Level":
        """Variance preserving: ``alpha_bar`` in [0, 1] is the cumulative product of (1 - beta)."""
        alpha_bar = _unit(float(alpha_bar), "alpha_bar")
        return cls(math.sqrt(alpha_bar), math.sqrt(1.0 - alpha_bar))

    @classmethod
    def flow(cls, sigma: float) -> "Level":
        """Rectified flow: ``sigma`` in [0, 1] is the share of noise."""
        sigma = _unit(float(sigma), "flow sigma")
        return cls(1.0 - sigma, sigma)

    @property
    def norm(self) -> float:
        """sqrt(alpha^2 + sigma^2): standard deviation of x when x0 has standard deviation 1; 1 for VP."""
        return math.hypot(self.alpha, self.sigma)

    @property
    def ve_sigma(self) -> float:
        """sigma / alpha: the VE level of equal signal-to-noise ratio; infinite for pure noise."""
        return self.sigma / self.alpha if self.alpha > 0.0 else math.inf

    @property
    def is_ve(self) -> bool:
        return self.alpha == 1.0

    @property
    def is_flow(self) -> bool:
        return abs(self.alpha + self.sigma - 1.0) <= _ROUNDING


class Prediction(enum.Enum):
    """What a network returns."""

    X0 = "x0"
    EPS = "eps"  # the noise e
    V = "v"  # (alpha e - sigma x0) / norm: Salimans and Ho's v, the same number for a VP level and its VE twin
    FLOW = "flow"  # e - x0: the velocity of rectified flow


def tweedie(x: Tensor, eps: Tensor, level: Level) -> Tensor:
    """phi: x0 from the noise, ``(x - sigma eps) / alpha``.

    Raises:
        ValueError: alpha = 0 (flow at sigma 1): x then holds no signal, and eps does not determine x0.
    """
    if level.alpha == 0.0:
        raise ValueError("x0 cannot be read from the noise at alpha = 0 (flow sigma 1): average the velocity instead")
    return (x - level.sigma * eps) / level.alpha


def noise_of(x: Tensor, x0: Tensor, level: Level) -> Tensor:
    """Inverse of phi: ``(x - alpha x0) / sigma``.

    Raises:
        ValueError: sigma = 0: x then holds no noise.
    """
    if level.sigma == 0.0:
        raise ValueError("there is no noise to recover at sigma = 0")
    return (x - level.alpha * x0) / level.sigma


def velocity(x: Tensor, x0: Tensor, level: Level) -> Tensor:
    """Flow velocity ``e - x0``; for a flow level this is ``(x - x0) / sigma``. ValueError at sigma = 0."""
    return noise_of(x, x0, level) - x0


def direction(x: Tensor, denoised: Tensor, level: Level) -> Tensor:
    """``(x - denoised) / sigma``: the slope dx/dsigma that k-diffusion samplers integrate.

    For a VE level it is the noise e; for a flow level the very same expression is the velocity e - x0. That is why
    replacing ``denoised`` by its synchronised value serves both kinds of model.

    Raises:
        ValueError: sigma = 0, or a level that is neither VE nor flow (the slope has another form there).
    """
    if not (level.is_ve or level.is_flow):
        raise ValueError(f"direction needs a VE or flow level, got {level}: divide x by alpha first")
    if level.sigma == 0.0:
        raise ValueError("there is no direction at sigma = 0")
    return (x - denoised) / level.sigma


def to_denoised(kind: Prediction, value: Tensor, x: Tensor, level: Level) -> Tensor:
    """x0 from a prediction. ValueError only for EPS at alpha = 0; v and flow velocity are defined at every level."""
    if kind is Prediction.X0:
        return value
    if kind is Prediction.EPS:
        return tweedie(x, value, level)
    if kind is Prediction.V:
        return (level.alpha / level.norm**2) * x - (level.sigma / level.norm) * value
    return (x - level.sigma * value) / (level.alpha + level.sigma)


def to_noise(kind: Prediction, value: Tensor, x: Tensor, level: Level) -> Tensor:
    """The noise e from a prediction. ValueError only for X0 at sigma = 0."""
    if kind is Prediction.X0:
        return noise_of(x, value, level)
    if kind is Prediction.EPS:
        return value
    if kind is Prediction.V:
        return (level.sigma / level.norm**2) * x + (level.alpha / level.norm) * value
    return (x + level.alpha * value) / (level.alpha + level.sigma)


def convert(source: Prediction, target: Prediction, value: Tensor, x: Tensor, level: Level) -> Tensor:
    """A prediction of one kind expressed as another, at the same noisy ``x`` [any shape].

    Raises:
        ValueError: EPS to another kind at alpha = 0; X0 to another kind at sigma = 0.
    """
    if source is target:
        return value
    if target is Prediction.X0:
        return to_denoised(source, value, x, level)
    if target is Prediction.EPS:
        return to_noise(source, value, x, level)
    x0, eps = to_denoised(source, value, x, level), to_noise(source, value, x, level)
    if target is Prediction.V:
        return (level.alpha * eps - level.sigma * x0) / level.norm
    return eps - x0


@dataclass(frozen=True)
class Coefficients:
    """The deterministic step psi between two levels: ``x' = c x + e x0``.

    ``c = sigma'/sigma`` is what the step does to anything x0 does not know of; ``e = alpha' - alpha sigma'/sigma``.
    """

    c: float
    e: float

    @classmethod
    def between(cls, level: Level, next_level: Level) -> "Coefficients":
        """Coefficients from ``level`` to ``next_level`` (either may be noisier).

        Raises:
            ValueError: ``level.sigma`` = 0: the noise to rescale is not there.
        """
        if level.sigma == 0.0:
            raise ValueError("a deterministic step cannot start at sigma = 0")
        c = next_level.sigma / level.sigma
        return cls(c, next_level.alpha - level.alpha * c)

    def apply(self, x: Tensor, x0: Tensor) -> Tensor:
        """psi(x, x0), elementwise."""
        return self.c * x + self.e * x0


def scaled_linear_alphas_cumprod(start: float = 0.00085, end: float = 0.012, train_steps: int = 1000) -> Tensor:
    """alpha_bar of Stable Diffusion's schedule, float64 [train_steps]: sqrt(beta) runs linearly from start to end."""
    betas = torch.linspace(math.sqrt(start), math.sqrt(end), train_steps, dtype=torch.float64).square()
    return torch.cumprod(1.0 - betas, dim=0)


def leading_timesteps(steps: int, train_steps: int = 1000, offset: int = 1) -> list[int]:
    """DDIM timesteps, noisiest first, with 'leading' spacing: 30 steps give 958, 925, ..., 34, 1.

    Raises:
        ValueError: ``steps`` outside 1 .. train_steps, or an offset that leads past the last timestep.
    """
    if not 1 <= steps <= train_steps:
        raise ValueError(f"steps must be between 1 and {train_steps}, got {steps}")
    timesteps = [k * (train_steps // steps) + offset for k in reversed(range(steps))]
    if offset < 0 or timesteps[0] >= train_steps:
        raise ValueError(
            f"offset {offset} leads outside the {train_steps} timesteps: use fewer steps or another offset"
        )
    return timesteps


def ddim_levels(
    steps: int, alphas_cumprod: Tensor | None = None, offset: int = 1, final_alpha_bar: float | None = None
) -> list[Level]:
    """The ``steps + 1`` VP levels of a DDIM run, noisiest first.

    ``alphas_cumprod`` [train_steps] defaults to :func:`scaled_linear_alphas_cumprod`. The last level is alpha_bar_0 as
    in Stable Diffusion's own configuration, which leaves a little noise (sigma / alpha = 0.029); with
    ``final_alpha_bar`` 1 the run ends noise-free, as k-diffusion samplers and DeepFloyd do.
    """
    table = scaled_linear_alphas_cumprod() if alphas_cumprod is None else alphas_cumprod
    levels = [Level.vp(float(table[t])) for t in leading_timesteps(steps, table.shape[0], offset)]
    return [*levels, Level.vp(float(table[0]) if final_alpha_bar is None else final_alpha_bar)]
