"""From pictures of splats back to their colours.

With geometry at rest a view is F_i z + (1 - alpha_i) background, linear in the colours z, so what a renderer's
gradient descent looks for is solved for (the model is Kerbl et al.'s of 2023):

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

from ....sync_core.aggregate import METHODS, Method
from ....sync_core.conjugate import conjugate_gradients
from ....sync_core.linear_map import LinearMap
from ....sync_core.views import FAINT
from ..weights.tiles import ViewWeights
from .blocks import Block
from .gram import gram_matrix

# Bytes for one entry of the blocks and their transposes, built one view after the other.
BYTES_PER_ENTRY = 20
# The same with a Gram matrix, which is smaller than the blocks and copied once while it is made.
BYTES_FOR_MANY = 40
# From so many entries a splat on, the Gram matrix is the smaller one (12 views of 256: 208 against 181).
_PICTURES = 150
# A robust fit gives pixels that miss by more than this less weight, as the sum of absolute errors does.
_ROBUST = 0.01
# Pictures that are one scene's (exact: 37 dB on the demo scene, against 28 with the engine's 0.1); clean estimates of a
# model disagree, and there the larger one is nearer to the truth.
RIDGE, ITERATIONS = 0.01, 10


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
    """Multiply F^T W F out once (gram.py), for many solves on one rig; see ``for_many``."""

    @staticmethod
    def of(views: Iterable[ViewWeights], height: int, width: int) -> SplatSolver:
        return SplatSolver(tuple(Block.of(view, height, width) for view in views), height, width)

    @property
    def splats(self) -> int:
        return self.blocks[0].forward.cols

    @property
    def nbytes(self) -> int:
        """Bytes of main memory that the blocks take."""
        return sum(b.forward.nbytes + b.backward.nbytes for b in self.blocks)

    @cached_property
    def seen(self) -> Tensor:
        """float32 [K]: how much all pixels together show of each splat; 0: nothing of it is known."""
        return sum((b.backward.apply(b.weights)[:, 0] for b in self.blocks), torch.zeros(self.splats))

    @cached_property
    def visible(self) -> Tensor:
        """float32 [K]: how many pixels of each splat all views together show, but for pixels that are hardly splats: of
        those not all background is taken out, so that they say too little."""
        return sum((b.backward.apply((b.alpha >= FAINT).float())[:, 0] for b in self.blocks), torch.zeros(self.splats))

    @cached_property
    def diagonal(self) -> Tensor:
        """float32 [K, 1], of F^T W F."""
        return sum((b.squared for b in self.blocks), torch.zeros(self.splats, 1))

    @cached_property
    def _gram(self) -> LinearMap:
        return gram_matrix(self.blocks, self.diagonal)

    @cached_property
    def for_many(self) -> SplatSolver:
        """The same for many solves: by the Gram matrix, made once, where views are pictures, so that it is the smaller
        one. An iteration over 12 views of 512 x 512 is then 12 times as fast, over 30 it is 34 times; views of latents'
        size are faster as they are."""
        entries = sum(block.forward.nnz for block in self.blocks)
        return replace(self, gram=True) if entries >= _PICTURES * self.splats else self

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
        own = self
        if background is not None:
            own = self._even
            behind = background.expand(len(images), self.height, self.width, -1)
            pixels = [_without(_pixels(i), _pixels(b), block.alpha)
                      for i, b, block in zip(images, behind, self.blocks, strict=True)]  # fmt: skip
        else:
            pixels = self.fronts(images)
        ridge = self.ridge if ridge is None else ridge
        if method == "mean":
            z = own._mean(own._back_projected(pixels, False))
        else:
            z = own._solved(pixels, start, ridge)
            for _ in range(rounds):
                z = own._reweighted(pixels, z)._solved(pixels, z, ridge)
        return z if limits is None else z.clamp(*limits)

    def doubting(self, images: Sequence[Tensor], colours: Tensor) -> SplatSolver:
        """The same with pixels of N images [h, w, C] that colours [K, C] miss counting less, as in a robust round."""
        return self._reweighted(self.fronts(images), colours)

    def fronts(self, images: Sequence[Tensor]) -> list[Tensor]:
        """What the pixels of N images [h, w, C] show of the splats alone, float32 [pixels, C] each; the background is
        read where a view shows nothing else."""
        return [block.composite.front(_pixels(image)) for image, block in zip(images, self.blocks, strict=True)]

    @cached_property
    def _even(self) -> SplatSolver:
        """The same with pixels that all count alike: what a silhouette shows is known where its background is."""
        return replace(self, blocks=tuple(replace(b, weights=torch.ones_like(b.weights)) for b in self.blocks))

    def _back_projected(self, pixels: list[Tensor], with_alpha: bool) -> Tensor:
        """F^T W v [K, C]; with_alpha: F^T W alpha v beside it [K, 2 C], in one pass."""
        total = torch.zeros(self.splats, pixels[0].shape[1] * (2 if with_alpha else 1))
        for block, value in zip(self.blocks, pixels, strict=True):
            value = block.weights * value
            total += block.backward.apply(torch.cat([value, block.alpha * value], 1) if with_alpha else value)
        return total

    def _mean(self, sums: Tensor) -> Tensor:
        return torch.where(self.seen[:, None] > 0, sums / self.seen.clamp_min(1e-20)[:, None], 0.0)

    def _solved(self, pixels: list[Tensor], start: Tensor | None, ridge: float) -> Tensor:
        plain, target = self._back_projected(pixels, True).chunk(2, 1)
        mean = self._mean(plain)
        floor = ridge * self.diagonal.mean().clamp_min(1e-20)
        target = target + floor * mean

        def normal(z: Tensor) -> Tensor:
            if self.gram:
                return self._gram.apply(z) + floor * z
            total = floor * z
            for block in self.blocks:
                total += block.backward.apply(block.weights * block.forward.apply(z))
            return total

        first = mean if start is None else start
        return conjugate_gradients(normal, target, self.diagonal + floor, first, self.iterations, self.tolerance)

    def _reweighted(self, pixels: list[Tensor], z: Tensor) -> SplatSolver:
        blocks: list[Block] = []
        for block, value in zip(self.blocks, pixels, strict=True):
            miss = (block.forward.apply(z) - block.alpha * value).abs().mean(1, keepdim=True)
            blocks.append(replace(block, weights=block.weights * _ROBUST / miss.clamp_min(_ROBUST)))
        return replace(self, blocks=tuple(blocks), gram=False)

    def shown(self, colours: Tensor, view: int, own: Tensor) -> Tensor:
        """Colours [K, C] in one view, over the background of that view's ``own`` picture [h, w, C]."""
        block = self.blocks[view]
        behind = block.composite.background(own.reshape(-1, own.shape[-1]).cpu())
        return (block.forward.apply(colours.to(torch.float32)) + behind).reshape(own.shape).to(own)


def _pixels(image: Tensor) -> Tensor:
    """[h, w, C] -> float32 [pixels, C]."""
    return image.reshape(-1, image.shape[-1]).to("cpu", torch.float32)


def _without(pixels: Tensor, behind: Tensor, alpha: Tensor) -> Tensor:
    """The colour of the splats alone where something else shines through: (v - (1 - alpha) b) / alpha. Pixels that show
    no splat get anything: no matrix reads them."""
    return torch.addcmul(pixels, 1 - alpha, behind, value=-1).div_(alpha.clamp_min(1e-6))
