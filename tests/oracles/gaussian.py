"""A Gaussian prior with its exact denoiser: the model whose every answer is known."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from oracles.parameterization import Level
from oracles.precision import matching
from torch import Tensor


@dataclass(frozen=True, eq=False)
class GaussianPrior:
    """x0 ~ N(mean, S). Make one with :meth:`diagonal`, :meth:`full`, :meth:`from_eigen` or :meth:`ar1`.

    ``mean`` broadcasts against a signal. With ``basis`` None, ``variance`` holds element variances that broadcast
    against a signal. With a basis [D, D], eigenvectors in columns, ``variance`` [D] holds the eigenvalues and the
    covariance acts on the trailing axes whose sizes are ``block`` (product D); axes before them, the batch included,
    are independent copies. Numbers are kept in float64 and follow the dtype and device of the signal.
    """

    mean: Tensor
    variance: Tensor
    basis: Tensor | None = None
    block: tuple[int, ...] = ()

    @classmethod
    def diagonal(cls, mean: Tensor | float, std: Tensor | float) -> "GaussianPrior":
        """Independent elements; ``mean`` and ``std`` >= 0 broadcast against a signal. ValueError for a negative std."""
        std64 = torch.as_tensor(std, dtype=torch.float64)
        if not bool((std64 >= 0).all()):
            raise ValueError("the standard deviation of a Gaussian prior must be at least 0")
        return cls(torch.as_tensor(mean, dtype=torch.float64), std64.square())

    @classmethod
    def full(cls, mean: Tensor | float, covariance: Tensor, block: tuple[int, ...] | None = None) -> "GaussianPrior":
        """Covariance matrix [D, D] over the trailing axes ``block`` (default: the last axis, of size D).

        Raises:
            ValueError: not square, not symmetric, or with an eigenvalue clearly below 0.
        """
        matrix = covariance.to(torch.float64)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"a covariance must be a square matrix, got shape {tuple(matrix.shape)}")
        scale = float(matrix.abs().max()) if matrix.numel() else 0.0
        if not torch.allclose(matrix, matrix.T, rtol=0.0, atol=1e-6 * scale):
            raise ValueError("a covariance must be symmetric")
        # torch's stubs leave linalg.eigh untyped.
        eigh = cast("Callable[[Tensor], tuple[Tensor, Tensor]]", torch.linalg.eigh)  # pyright: ignore[reportUnknownMemberType]
        values, vectors = eigh(0.5 * (matrix + matrix.T))
        if bool((values < -1e-6 * scale).any()):
            raise ValueError(f"a covariance must have no negative eigenvalue, got {float(values.min())}")
        return cls.from_eigen(mean, vectors, values.clamp_min(0.0), block)

    @classmethod
    def from_eigen(
        cls, mean: Tensor | float, basis: Tensor, variance: Tensor, block: tuple[int, ...] | None = None
    ) -> "GaussianPrior":
        """Eigenvectors in the columns of ``basis`` [D, D] (orthonormal) and eigenvalues ``variance`` [D] >= 0.

        Raises:
            ValueError: shapes that do not fit each other or ``block``, a basis that is not orthonormal, a value < 0.
        """
        basis, variance = basis.to(torch.float64), variance.to(torch.float64)
        size = variance.numel()
        shape = (size,) if block is None else tuple(block)
        if variance.ndim != 1 or basis.shape != (size, size) or math.prod(shape) != size:
            raise ValueError(
                f"basis {tuple(basis.shape)}, variance {tuple(variance.shape)} and block {shape} do not fit together"
            )
        if not torch.allclose(basis.T @ basis, torch.eye(size, dtype=torch.float64), rtol=0.0, atol=1e-5):
            raise ValueError("the basis of a Gaussian prior must be orthonormal")
        if bool((variance < 0).any()):
            raise ValueError("the eigenvalues of a covariance must be at least 0")
        return cls(torch.as_tensor(mean, dtype=torch.float64), variance, basis, shape)

    @classmethod
    def ar1(cls, length: int, correlation: float, std: float = 1.0, mean: Tensor | float = 0.0) -> "GaussianPrior":
        """Stationary AR(1) along the last axis: covariance ``std^2 correlation^|i - j|``.

        Raises:
            ValueError: ``length`` below 1 or ``correlation`` outside (-1, 1).
        """
        if length < 1 or not -1.0 < correlation < 1.0:
            raise ValueError(f"AR(1) needs length >= 1 and |correlation| < 1, got {length} and {correlation}")
        index = torch.arange(length, dtype=torch.float64)
        lag = (index[:, None] - index[None, :]).abs()
        return cls.full(mean, std**2 * torch.tensor(correlation, dtype=torch.float64) ** lag)

    def denoise(self, x: Tensor, level: Level) -> Tensor:
        """Tweedie's estimate E[x0 | x] for ``x`` [N, ...], float32 or float64.

        ``mean + S alpha (alpha^2 S + sigma^2)^-1 (x - alpha mean)``; a direction without variance stays at the mean.
        """
        mean = matching(self.mean, x)
        total = level.alpha**2 * self.variance + level.sigma**2
        gain = torch.where(total > 0, level.alpha * self.variance / total, 0.0)
        return mean + self._scale(x - level.alpha * mean, gain)

    def score(self, x: Tensor, level: Level) -> Tensor:
        """Gradient of log p(x) of the noisy marginal N(alpha mean, alpha^2 S + sigma^2 I), shaped like ``x``.

        Raises:
            ValueError: sigma = 0 with a direction of no variance: the marginal then has no density.
        """
        total = level.alpha**2 * self.variance + level.sigma**2
        if bool((total == 0).any()):
            raise ValueError("the marginal has no density: a direction has neither variance nor noise")
        return -self._scale(x - level.alpha * matching(self.mean, x), total.reciprocal())

    def sample(self, shape: tuple[int, ...], generator: torch.Generator | None = None) -> Tensor:
        """Draws from the prior, float64 on the CPU, of full ``shape`` (batch first, trailing axes = block)."""
        white = torch.randn(shape, generator=generator, dtype=torch.float64)
        if self.basis is None:
            return self.mean + self.variance.sqrt() * white
        # S^1/2 = U L^1/2 U^T; U L^1/2 alone would do, the symmetric root keeps element i of the draw next to cell i.
        return self.mean + self._scale(white, self.variance.sqrt())

    def covariance(self) -> Tensor:
        """The matrix S [D, D], float64; D is the block's size, or the number of given element variances."""
        if self.basis is None:
            return torch.diag(self.variance.reshape(-1))
        return (self.basis * self.variance) @ self.basis.T

    def _scale(self, signal: Tensor, gain: Tensor) -> Tensor:
        """Multiplies each principal direction of ``signal`` by its ``gain``."""
        gain = matching(gain, signal)
        if self.basis is None:
            return signal * gain
        axes = len(self.block)
        if tuple(signal.shape[-axes:]) != self.block:
            raise ValueError(f"this prior covers trailing axes {self.block}, got a signal of {tuple(signal.shape)}")
        basis = matching(self.basis, signal)
        flat = signal.reshape(*signal.shape[:-axes], -1)
        return ((flat @ basis * gain) @ basis.T).reshape(signal.shape)
