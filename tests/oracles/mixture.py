"""A mixture of isotropic Gaussians with its exact denoiser: the smallest prior whose denoiser is not linear."""

from dataclasses import dataclass

import torch
from oracles.parameterization import Level
from oracles.precision import matching
from syncpack.sync_core.quality import accumulator_dtype
from torch import Tensor


@dataclass(frozen=True, eq=False)
class GaussianMixturePrior:
    """x0 ~ sum_k weight_k N(mean_k, std_k^2 I).

    ``means`` [K, ...] has the shape of one signal after the component axis, ``stds`` [K] >= 0 (0: the mean itself),
    ``weights`` [K] >= 0 of any positive sum. Make one with :meth:`make`, which checks and normalises.
    """

    means: Tensor
    stds: Tensor
    weights: Tensor

    @classmethod
    def make(cls, means: Tensor, stds: Tensor | float = 0.0, weights: Tensor | None = None) -> "GaussianMixturePrior":
        """A single ``stds`` serves all components; without ``weights`` they are equal.

        Raises:
            ValueError: no components, lengths that do not fit, negative numbers, or weights that sum to 0.
        """
        means = means.to(torch.float64)
        if means.ndim < 2 or means.shape[0] == 0:
            raise ValueError(f"means must be [K, ...] with K >= 1, got {tuple(means.shape)}")
        count = means.shape[0]
        spread = torch.as_tensor(stds, dtype=torch.float64)
        spread = spread.expand(count) if spread.ndim == 0 else spread
        share = torch.ones(count, dtype=torch.float64) if weights is None else weights.to(torch.float64)
        if spread.shape != (count,) or share.shape != (count,):
            raise ValueError(f"{count} means need as many stds and weights, got {spread.numel()} and {share.numel()}")
        if not bool((spread >= 0).all()) or not bool((share >= 0).all()) or not float(share.sum()) > 0.0:
            raise ValueError("stds and weights of a mixture must be at least 0, and the weights must not all be 0")
        return cls(means, spread, share / share.sum())

    def denoise(self, x: Tensor, level: Level) -> Tensor:
        """Tweedie's estimate E[x0 | x] for ``x`` [N, ...], float32 or float64; at sigma = 0 that is x / alpha.

        Raises:
            ValueError: ``x`` is not shaped like the means.
        """
        self._check(x)
        if level.sigma == 0.0:
            return x / level.alpha
        total = self._total(level)
        share = self.responsibilities(x, level)
        # E[x0 | x, k] = (sigma^2 m_k + alpha std_k^2 x) / total_k: no difference of near-equal numbers.
        to_mean = share * matching(level.sigma**2 / total, share)
        to_x = (share * matching(level.alpha * self.stds.square() / total, share)).sum(dim=1)
        means = matching(self.means, x).reshape(self.means.shape[0], -1)
        pulled = to_mean.to(x.dtype) @ means
        return pulled.reshape(x.shape) + to_x.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1)) * x

    def score(self, x: Tensor, level: Level) -> Tensor:
        """Gradient of log p(x) of the noisy marginal, shaped like ``x``: the responsibility-weighted component scores.

        Raises:
            ValueError: sigma = 0 with a component of no spread (no density), or a wrong shape.
        """
        self._check(x)
        total = self._total(level)
        if bool((total == 0).any()):
            raise ValueError("the marginal has no density: a component has neither spread nor noise")
        pull = self.responsibilities(x, level) / matching(total, x).to(accumulator_dtype(x.device))
        means = matching(self.means, x).reshape(self.means.shape[0], -1)
        towards = level.alpha * (pull.to(x.dtype) @ means)
        return towards.reshape(x.shape) - pull.sum(dim=1).to(x.dtype).reshape(-1, *[1] * (x.ndim - 1)) * x

    def responsibilities(self, x: Tensor, level: Level) -> Tensor:
        """Posterior probability of each component [N, K] (float64 where the device has it); rows sum to 1.

        Raises:
            ValueError: sigma = 0 with a component of no spread, or a wrong shape.
        """
        self._check(x)
        total = self._total(level)
        if bool((total == 0).any()):
            raise ValueError("no posterior: a component has neither spread nor noise")
        wide = accumulator_dtype(x.device)
        # One component at a time: memory stays at one signal batch, and exact differences (not |x|^2 - 2 x.m + |m|^2)
        # keep float32 accurate. Sums run wide because log-densities of large images are large and nearly equal.
        means = matching(self.means, x)
        square = torch.stack([(x - level.alpha * mean).square().flatten(1).sum(1, dtype=wide) for mean in means], dim=1)
        size = self.means[0].numel()
        constant = self.weights.log() - 0.5 * size * (total.log() - total.log().mean())
        logits = constant.to(wide).to(x.device) - 0.5 * square / total.to(wide).to(x.device)
        return torch.softmax(logits, dim=1)

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """``count`` draws [count, ...], float64 on the CPU."""
        chosen = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        white = torch.randn((count, *self.means.shape[1:]), generator=generator, dtype=torch.float64)
        return self.means[chosen] + self.stds[chosen].reshape(-1, *[1] * (white.ndim - 1)) * white

    def _total(self, level: Level) -> Tensor:
        """Variance of each component's noisy marginal [K], float64 on the CPU."""
        return level.alpha**2 * self.stds.square() + level.sigma**2

    def _check(self, x: Tensor) -> None:
        if x.shape[1:] != self.means.shape[1:]:
            raise ValueError(
                f"this mixture is over [N, {', '.join(map(str, self.means.shape[1:]))}], got {tuple(x.shape)}"
            )
