"""Views of splats as the solvers take them: one block each, with its transpose and what its pixels count."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ....sync_core.linear_map import LinearMap
from ....sync_core.views import Composite
from ..background import background_pixels
from ..weights.tiles import ViewWeights


@dataclass(frozen=True)
class Block:
    """One view: ``forward`` [pixels, K]; ``backward``, its stored transpose; ``alpha``, ``weights`` float32
    [pixels, 1]; ``behind`` int64 [pixels], the pixel whose value is taken for what shines through."""

    forward: LinearMap
    backward: LinearMap
    alpha: Tensor
    weights: Tensor
    behind: Tensor

    @property
    def composite(self) -> Composite:
        """How its pixels mix splats and background."""
        return Composite(self.alpha[:, 0], self.behind)

    @property
    def squared(self) -> Tensor:
        """float32 [K, 1]: its part of the diagonal of F^T W F."""
        return self.backward.with_weights(self.backward.weights**2).apply(self.weights)

    @property
    def weighted(self) -> LinearMap:
        """F^T W [K, pixels]."""
        return self.backward.with_weights(self.backward.weights * self.weights[:, 0][self.backward.indices.long()])

    @staticmethod
    def of(view: ViewWeights, height: int, width: int) -> Block:
        behind = background_pixels(view.alpha.reshape(1, height, width))[0]
        return Block(view.map, view.map.transpose(), view.alpha[:, None], pixel_weights(view.alpha)[:, None], behind)


def pixel_weights(alpha: Tensor) -> Tensor:
    """How much a pixel counts that shows alpha of the splats. Where other things shine through, its colour says less
    about them than a plain share: counted by alpha alone, silhouettes take on the background's colour (a white one
    costs 4 dB over a whole ball)."""
    return alpha.clamp_min(0.1) ** 8
