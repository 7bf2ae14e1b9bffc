"""Single sampler steps on explicit values: what the processes are proven against.

Each takes the state ``x`` at ``level`` and a clean estimate ``x0`` of the same shape and gives the state at
``next_level``. The direction is always recomputed from (x, x0), never taken from the network's noise: with a
synchronised x0 the two differ. Levels may be VE, VP or flow; only signal and noise amplitudes matter.
"""

import math

from oracles.parameterization import Coefficients, Level, noise_of
from torch import Tensor


def ddim_step(x: Tensor, x0: Tensor, level: Level, next_level: Level) -> Tensor:
    """Deterministic DDIM (Song et al. 2021, eta = 0): psi. Euler's step for a VE or flow level is the same formula.

    Raises:
        ValueError: ``level.sigma`` = 0.
    """
    return Coefficients.between(level, next_level).apply(x, x0)


def fresh_noise_std(level: Level, next_level: Level, eta: float = 1.0) -> float:
    """Standard deviation of the noise that a stochastic step adds: eta times that of the posterior q(x' | x, x0).

    ``eta sigma' sqrt(1 - r^2)`` with ``r = alpha sigma' / (alpha' sigma)``. For VE levels this is the ``sigma_up`` of
    k-diffusion's ancestral samplers; for VP levels DDIM's ``eta sqrt((1-abar')/(1-abar) (1-abar/abar'))``.

    Raises:
        ValueError: eta outside [0, 1], ``level.sigma`` = 0, or a next level that is noisier.
    """
    if not 0.0 <= eta <= 1.0:
        raise ValueError(f"eta must be between 0 and 1, got {eta}")
    if level.sigma == 0.0:
        raise ValueError("a stochastic step cannot start at sigma = 0")
    # Cross-multiplied so that alpha' = 0 (flow at sigma 1) needs no division.
    kept, limit = level.alpha * next_level.sigma, next_level.alpha * level.sigma
    if kept > limit * (1.0 + 1e-12):
        raise ValueError(f"a stochastic step must go to a less noisy level, got {level} to {next_level}")
    ratio = kept / limit if limit > 0.0 else 1.0
    return eta * next_level.sigma * math.sqrt(max(0.0, 1.0 - ratio * ratio))


def renoised_step(x: Tensor, x0: Tensor, level: Level, next_level: Level, noise: Tensor, fresh: float) -> Tensor:
    """A step that swaps part of the old noise for ``fresh`` times new ``noise`` and keeps the level's total.

    ``x' = alpha' x0 + sqrt(sigma'^2 - fresh^2) e + fresh noise`` with ``e = (x - alpha x0) / sigma``.
    ``fresh`` in [0, sigma']: 0 is DDIM, sigma' forgets the old noise altogether (StochSync).

    Raises:
        ValueError: ``fresh`` outside [0, sigma'], or ``level.sigma`` = 0.
    """
    if not 0.0 <= fresh <= next_level.sigma * (1.0 + 1e-12):
        raise ValueError(f"fresh noise must be between 0 and the next sigma {next_level.sigma}, got {fresh}")
    old = math.sqrt(max(0.0, next_level.sigma**2 - fresh**2))
    return next_level.alpha * x0 + old * noise_of(x, x0, level) + fresh * noise


def ddim_eta_step(x: Tensor, x0: Tensor, level: Level, next_level: Level, noise: Tensor, eta: float) -> Tensor:
    """DDIM with eta in [0, 1] (Song et al. 2021, eq. 12 and 16): 0 is :func:`ddim_step`, 1 is DDPM.

    For VE levels it is also k-diffusion's Euler ancestral step. ``noise`` is standard normal, shaped like ``x``;
    for synchronised views it must be the shared canonical noise. Raises ValueError as :func:`fresh_noise_std`.
    """
    return renoised_step(x, x0, level, next_level, noise, fresh_noise_std(level, next_level, eta))


def posterior_step(x: Tensor, x0: Tensor, level: Level, next_level: Level, noise: Tensor) -> Tensor:
    """Ancestral (DDPM) step: a draw from q(x' | x, x0) (Ho et al. 2020, eq. 6 and 7), 'fixed small' variance.

    Written as Bayes' rule gives it: precision-weighted mean of what x says of x' and of what x0 says.

    Raises:
        ValueError: ``level.sigma`` = 0, ``next_level.alpha`` = 0, or a next level that is noisier.
    """
    if next_level.alpha == 0.0:
        raise ValueError("an ancestral step cannot end in pure noise (alpha = 0)")
    std = fresh_noise_std(level, next_level)
    from_x = (level.alpha / next_level.alpha) * (next_level.sigma / level.sigma) ** 2
    from_x0 = next_level.alpha - level.alpha * from_x
    return from_x * x + from_x0 * x0 + std * noise
