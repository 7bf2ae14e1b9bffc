"""Square patches, or single pixels, in another order."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..frames import splat
from ..warp import Permutation


def seeded_order(count: int, seed: int) -> Tensor:
    """int64 [count]: a random permutation, the same for the same seed at every call."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def permuted_blocks(grid: Tensor, rows: int, columns: int, order: Tensor) -> Tensor:
    """``rows`` x ``columns`` equal blocks of a grid in another order. What fills no block stays, at the edges."""
    high, wide = grid.shape[0] // rows, grid.shape[1] // columns
    top, left = (grid.shape[0] - rows * high) // 2, (grid.shape[1] - columns * wide) // 2
    inner = grid[top : top + rows * high, left : left + columns * wide]
    blocks = inner.reshape(rows, high, columns, wide).transpose(1, 2).flatten(0, 1)[order]
    result = grid.clone()
    result[top : top + rows * high, left : left + columns * wide] = (
        blocks.reshape(rows, columns, high, wide).transpose(1, 2).reshape(inner.shape)
    )
    return result


@dataclass(frozen=True)
class PatchPermute(Permutation):
    """``patches`` x ``patches`` patches shuffled (Visual Anagrams: 8). A picture that they do not divide keeps a margin
    where it is."""

    patches: int = 8
    seed: int = 0

    name = "patch_permute"
    exact_on_latents = True
    on_latents = "whole cells move unturned; only the borders of patches blend"

    def __post_init__(self) -> None:
        if self.patches < 1:
            raise ValueError(f"patches {self.patches}: use 1 or more along a side, e.g. 8")

    @property
    def smallest(self) -> int:
        return self.patches

    def rearranged(self, grid: Tensor) -> Tensor:
        return permuted_blocks(grid, self.patches, self.patches, seeded_order(self.patches**2, self.seed))

    def frame(self, picture: Tensor, t: float) -> Tensor:
        height, width = picture.shape[-2:]
        # Patches of random height above the table, so that they pass over each other without mixing.
        high, wide = height // self.patches, width // self.patches
        top, left = (height - self.patches * high) // 2, (width - self.patches * wide) // 2
        r, c = torch.arange(height)[:, None] - top, torch.arange(width) - left
        inside = (r >= 0) & (c >= 0) & (r < self.patches * high) & (c < self.patches * wide)
        number = torch.where(inside, r // high * self.patches + c // wide, self.patches**2)
        level = seeded_order(self.patches**2 + 1, self.seed + 1).double() / self.patches**2
        level[-1] = 0
        return splat(picture, *self.positions(height, width, t), level[number].flatten())


@dataclass(frozen=True)
class PixelPermute(Permutation):
    """Blocks of ``block`` x ``block`` pixels shuffled (Visual Anagrams: 1 at 64 pixels, 4 at 256)."""

    block: int = 1
    seed: int = 0

    name = "pixel_permute"

    def __post_init__(self) -> None:
        if self.block < 1:
            raise ValueError(f"block {self.block}: use 1 pixel or more")

    def rearranged(self, grid: Tensor) -> Tensor:
        height, width = grid.shape
        rows, columns = height // self.block, width // self.block
        inner = grid[: rows * self.block, : columns * self.block]
        result = grid.clone()
        if rows and columns:
            order = seeded_order(rows * columns, self.seed)
            result[: rows * self.block, : columns * self.block] = permuted_blocks(inner, rows, columns, order)
        return result
