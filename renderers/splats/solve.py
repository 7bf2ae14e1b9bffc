"""From pictures of splats back to their colours.

With geometry at rest a view is F_i z + (1 - alpha_i) background, linear in the colours z, so what a renderer's
gradient descent looks for is solved for (Kerbl et al. 2023 for the model; methods.md K12 for the solve):

``mean``           F^T W v / F^T W 1, the normalised back-projection: one pass over the views.
``least_squares``  the z that shows the views best, held to that mean where views say little: CG on
                   (F^T W F + floor) z = F^T W t + floor mean, floor a small part (``ridge``) of the mean diagonal.

Views are kept as one block each: a view's own pixels fit a processor's cache, a stacked map's do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ...sync_core.aggregate import METHODS, Method
from ...sync_core.conjugate import conjugate_gradients
from ...sync_core.linear_map import LinearMap
from ...sync_core.views import Composite
from .background import background_pixels
from .weights import ViewWeights

# Bytes for one entry of the blocks and their transposes, built one view after the other.
BYTES_PER_ENTRY = 20
# A robust fit gives pixels that miss by more than this less weight, as the sum of absolute errors does.
_ROBUST = 0.01
# Pictures that are one scene's (exact: 37 dB on the demo scene, against 28 with the engine's 0.1); clean estimates of a
# model disagree, and there the larger one is nearer to the truth.
RIDGE, ITERATIONS = 0.01, 10


@dataclass(frozen=True)
class Block:
    """One view: ``forward`` [pixels, K]; ``backward``, its stored transpose; ``alpha``, ``weights`` float32
    [pixels, 1]; ``behind`` int64 [pixels], the pixel whose value is taken for what shines through."""

    forward: LinearMap
    backward: LinearMap
    alpha: Tensor
    weights: Tensor
    behind: Tensor


@dataclass(frozen=True)
class SplatSolver:
    """Solves for the colours of K splats from pictures of N views, all of one size."""

    blocks: tuple[Block, ...]
    height: int
    width: int
    ridge: float = RIDGE
    iterations: int = ITERATIONS
    tolerance: float = 1e-4
    gram: bool = False
    """Multiply F^T W F out once: slow to make, then two to three times faster a solve. For many solves on one rig."""

    @staticmethod
    def of(views: Iterable[ViewWeights], height: int, width: int) -> SplatSolver:
        return SplatSolver(tuple(_block(view, height, width) for view in views), height, width)

    @property
    def splats(self) -> int:
        return self.blocks[0].forward.cols

    @cached_property
    def seen(self) -> Tensor:
        """float32 [K]: how much all pixels together show of each splat; 0: nothing of it is known."""
        return sum((b.backward.apply(b.weights)[:, 0] for b in self.blocks), torch.zeros(self.splats))

    @cached_property
    def diagonal(self) -> Tensor:
        """float32 [K, 1], of F^T W F."""
        return sum((_squared(b) for b in self.blocks), torch.zeros(self.splats, 1))

    @cached_property
    def _gram(self) -> LinearMap:
        from scipy import sparse

        total = None
        for block in self.blocks:
            forward = block.forward.with_weights(
                block.forward.weights * block.weights[:, 0].sqrt()[block.forward.row_of_entry]
            )
            matrix = sparse.csr_matrix(
                (forward.weights.numpy(), forward.indices.numpy(), forward.offsets.numpy()),
                (forward.rows, forward.cols),
            )
            product = (matrix.T @ matrix).tocsr()
            total = product if total is None else total + product
        assert total is not None
        parts = (torch.from_numpy(a) for a in (total.indptr, total.indices, total.data))
        return LinearMap(*parts, cols=self.splats)

    def check(self, count: int, size: tuple[int, ...]) -> None:
        """Raise ValueError for pictures of another number or size [h, w]."""
        if count != len(self.blocks) or size != (self.height, self.width):
            raise ValueError(
                f"{count} images of {size[1]} x {size[0]} for {len(self.blocks)} views of {self.width} x "
                f"{self.height}; connect all decoded views of this rig"
            )

    def __call__(
        self,
        images: Sequence[Tensor],
        method: Method = "least_squares",
        start: Tensor | None = None,
        background: Tensor | None = None,
        rounds: int = 0,
        limits: tuple[float, float] | None = None,
        ridge: float | None = None,
    ) -> Tensor:
        """N images [h, w, C] -> colours [K, C]; splats that no view shows are 0.

        start: colours [K, C] to start from instead of the mean. background: what shines through, [C] or [N, h, w, C];
        None: unknown, the nearest pixel of a view that shows nothing else is taken for it, and pixels where much
        shines through count little. rounds: so many further solves in which
        pixels that miss count less (sum of absolute errors instead of squares). limits: clamp to (low, high).
        ridge: in place of the solver's own. Raises ValueError when number or size of the images do not fit.
        """
        if method not in METHODS:
            raise ValueError(f"aggregation '{method}' is unknown; use one of {', '.join(METHODS)}")
        sizes = {tuple(image.shape[:2]) for image in images}
        self.check(len(images), max(sizes, default=(0, 0)))
        self.check(len(images), min(sizes, default=(0, 0)))
        pixels = [image.reshape(-1, image.shape[-1]).to("cpu", torch.float32) for image in images]
        own = self
        if background is not None:
            own = self._even
            behind = background.expand(len(images), self.height, self.width, -1).flatten(1, 2).to("cpu", torch.float32)
            pixels = [_without(p, b, block.alpha) for p, b, block in zip(pixels, behind, self.blocks, strict=True)]
        else:
            pixels = [Composite(b.alpha[:, 0], b.behind).front(p) for p, b in zip(pixels, self.blocks, strict=True)]
        ridge = self.ridge if ridge is None else ridge
        z = own._mean(pixels)
        if method == "least_squares":
            z = own._solved(pixels, z, z if start is None else start, ridge)
            for _ in range(rounds):
                robust = own._reweighted(pixels, z)
                z = robust._solved(pixels, robust._mean(pixels), z, ridge)
        return z if limits is None else z.clamp(*limits)

    @cached_property
    def _even(self) -> SplatSolver:
        """The same with pixels that all count alike: what a silhouette shows is known where its background is."""
        return replace(self, blocks=tuple(replace(b, weights=torch.ones_like(b.weights)) for b in self.blocks))

    def _mean(self, pixels: list[Tensor]) -> Tensor:
        total = torch.zeros(self.splats, pixels[0].shape[1])
        for block, value in zip(self.blocks, pixels, strict=True):
            total += block.backward.apply(block.weights * value)
        return torch.where(self.seen[:, None] > 0, total / self.seen.clamp_min(1e-20)[:, None], 0.0)

    def _solved(self, pixels: list[Tensor], mean: Tensor, start: Tensor, ridge: float) -> Tensor:
        floor = ridge * self.diagonal.mean().clamp_min(1e-20)
        target = floor * mean
        for block, value in zip(self.blocks, pixels, strict=True):
            target = target + block.backward.apply(block.weights * block.alpha * value)

        def normal(z: Tensor) -> Tensor:
            if self.gram:
                return self._gram.apply(z) + floor * z
            total = floor * z
            for block in self.blocks:
                total += block.backward.apply(block.weights * block.forward.apply(z))
            return total

        return conjugate_gradients(normal, target, self.diagonal + floor, start, self.iterations, self.tolerance)

    def _reweighted(self, pixels: list[Tensor], z: Tensor) -> SplatSolver:
        blocks: list[Block] = []
        for block, value in zip(self.blocks, pixels, strict=True):
            miss = (block.forward.apply(z) - block.alpha * value).abs().mean(1, keepdim=True)
            blocks.append(replace(block, weights=block.weights * _ROBUST / miss.clamp_min(_ROBUST)))
        return replace(self, blocks=tuple(blocks), gram=False)

    def shown(self, colours: Tensor, view: int, own: Tensor) -> Tensor:
        """Colours [K, C] in one view, over the background of that view's ``own`` picture [h, w, C]."""
        block = self.blocks[view]
        behind = Composite(block.alpha[:, 0], block.behind).background(own.reshape(-1, own.shape[-1]).cpu())
        return (block.forward.apply(colours.to(torch.float32)) + behind).reshape(own.shape).to(own)


def _block(view: ViewWeights, height: int, width: int) -> Block:
    behind = background_pixels(view.alpha.reshape(1, height, width))[0]
    return Block(view.map, view.map.transpose(), view.alpha[:, None], pixel_weights(view.alpha)[:, None], behind)


def pixel_weights(alpha: Tensor) -> Tensor:
    """How much a pixel counts that shows alpha of the splats. Where other things shine through, its colour says less
    about them than a plain share: counted by alpha alone, silhouettes take on the background's colour (a white one
    costs 4 dB over a whole ball)."""
    return alpha.clamp_min(0.1) ** 8


def _squared(block: Block) -> Tensor:
    return block.backward.with_weights(block.backward.weights**2).apply(block.weights)


def _without(pixels: Tensor, behind: Tensor, alpha: Tensor) -> Tensor:
    """The colour of the splats alone where something else shines through: (v - (1 - alpha) b) / alpha."""
    return torch.where(alpha > 0, (pixels - (1 - alpha) * behind) / alpha.clamp_min(1e-6), pixels)
