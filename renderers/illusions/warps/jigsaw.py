"""A jigsaw of 16 pieces, put together another way.

The cut is the same after a quarter turn of the whole puzzle, pixel for pixel. So the four corners have one shape, each
in another turn, and so have the four inner pieces and the two kinds of edge pieces: within such a family every piece
fits every place, and any rearrangement moves whole pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...arrays import integers
from ..frames import splat
from ..warp import Permutation, centres, turned
from .patches import seeded_order

# One (row, column) of each family of four; the others follow by quarter turns of the puzzle.
FAMILIES = ((0, 0), (1, 1), (0, 1), (0, 2))
# (row, column, across) of one border of each family of borders: between (row, column) and its right (across) or lower
# neighbour.
BORDERS = ((0, 0, True), (0, 1, True), (0, 2, True), (1, 0, True), (1, 1, True), (1, 2, True))
KNOB = 0.2  # radius of a knob, in pieces
REACH = 0.12  # how far its centre lies beyond the border


def _turn_cell(row: int, column: int, turns: int) -> tuple[int, int]:
    for _ in range(turns % 4):
        row, column = column, 3 - row
    return row, column


@dataclass(frozen=True)
class Jigsaw(Permutation):
    """4 x 4 pieces with knobs, shuffled within corners, inner and edge pieces. ``seed``: of cut and shuffle. Square
    pictures of 16 pixels or more."""

    seed: int = 0

    name = "jigsaw"
    square = True

    @property
    def smallest(self) -> int:
        return 16

    def pieces(self, side: int) -> Tensor:
        """int64 [side, side]: family * 4 + turns of the piece each cell belongs to; -1 is the centre of an odd side."""
        numbers = torch.zeros(4, 4, dtype=torch.int64)
        for family, (row, column) in enumerate(FAMILIES):
            for turns in range(4):
                numbers[_turn_cell(row, column, turns)] = family * 4 + turns
        # Only one quarter is cut by geometry; the others are its exact turns.
        high, wide = side // 2, (side + 1) // 2
        y = ((torch.arange(high) + 0.5) / side * 4)[:, None].expand(high, wide)
        x = ((torch.arange(wide) + 0.5) / side * 4).expand(high, wide)
        quarter = numbers[y.long(), x.long()]
        for knob_y, knob_x, owner in self._knobs():
            quarter = torch.where(torch.hypot(y - knob_y, x - knob_x) < KNOB, numbers[owner], quarter)
        result = torch.full((side, side), -1, dtype=torch.int64)
        for turns in range(4):
            renamed = quarter // 4 * 4 + (quarter + turns) % 4
            whole = torch.full((side, side), -1, dtype=torch.int64)
            whole[:high, :wide] = renamed
            result = torch.maximum(result, torch.rot90(whole, -turns))
        return result

    def _knobs(self) -> list[tuple[float, float, tuple[int, int]]]:
        """(row, column of the knob's centre in pieces, the piece it belongs to), all 24."""
        outward = torch.rand(len(BORDERS), generator=torch.Generator().manual_seed(self.seed)) < 0.5
        found: list[tuple[float, float, tuple[int, int]]] = []
        for (row, column, _), out in zip(BORDERS, integers(outward), strict=True):
            y, x = row + 0.5, column + 1 + (REACH if out else -REACH)
            owner = (row, column) if out else (row, column + 1)
            for turns in range(4):
                found.append((y, x, _turn_cell(*owner, turns)))
                y, x = x, 4 - y
        return found

    def moves(self) -> Tensor:
        """int64 [16]: how many quarters the piece family * 4 + turns goes around the puzzle (and turns)."""
        goes = torch.stack([seeded_order(4, self.seed * 4 + family) for family in range(4)])
        return ((goes - torch.arange(4)) % 4).flatten()

    def rearranged(self, grid: Tensor) -> Tensor:
        pieces, moves = self.pieces(grid.shape[0]), self.moves()
        result = grid.clone()
        for turns in range(4):
            moved = (pieces >= 0) & (moves[pieces.clamp_min(0)] == turns)
            here = torch.rot90(moved, -turns)
            result[here] = torch.rot90(grid, -turns)[here]
        return result

    def frame(self, picture: Tensor, t: float) -> Tensor:
        side = picture.shape[-1]
        pieces = self.pieces(side).flatten()
        quarters = torch.where(self.moves() == 3, -1, self.moves())
        quarters = torch.where(pieces < 0, 0, quarters[pieces.clamp_min(0)]).double()
        # A piece flies straight, and turns about itself on the way.
        home = [(float("nan"), float("nan"))] * 16
        for family, place in enumerate(FAMILIES):
            for turns in range(4):
                row, column = _turn_cell(*place, turns)
                home[family * 4 + turns] = ((row + 0.5) * side / 4, (column + 0.5) * side / 4)
        from_row, from_column = torch.tensor([*home, (side / 2, side / 2)], dtype=torch.float64)[pieces].unbind(-1)
        full = (side / 2, side / 2)
        to_row, to_column = turned(from_row, from_column, full, quarters * math.pi / 2)
        row, column = turned(*centres(side, side), (from_row, from_column), quarters * math.pi / 2 * t)
        level = (pieces * 7 % 16).double() / 16
        return splat(picture, row + t * (to_row - from_row), column + t * (to_column - from_column), level)
