"""Where the parts of a mesh lie in one picture of its texture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..mesh import Mesh

Layout = Literal["joint", "tiles"]
LAYOUTS: tuple[Layout, ...] = ("joint", "tiles")

# Texture coordinates this far outside 0..1 are rounding of the file's numbers.
_SLACK = 1e-3


@dataclass(frozen=True)
class AtlasLayout:
    """A picture of ``width`` x ``height`` pixels, cut into a grid of equal tiles of whole pixels, one for each part, in
    reading order. One tile only: every part uses the whole picture (``joint``)."""

    width: int
    height: int
    columns: int = 1
    rows: int = 1

    @staticmethod
    def of(mesh: Mesh, kind: Layout, width: int, height: int) -> AtlasLayout:
        """The layout of a mesh. Raises ValueError for an unknown kind, or a picture too small for its tiles."""
        if kind not in LAYOUTS:
            raise ValueError(f"layout '{kind}' is unknown; use one of {', '.join(LAYOUTS)}")
        count = len(mesh.parts) if kind == "tiles" else 1
        columns = math.ceil(math.sqrt(count))
        rows = math.ceil(count / columns)
        if width < columns or height < rows:
            raise ValueError(f"a texture of {width} x {height} pixels does not hold {count} parts; use a larger one")
        return AtlasLayout(width, height, columns, rows)

    @property
    def tile_size(self) -> tuple[int, int]:
        """(width, height) of a tile in pixels; what is left over at the right and below is not used."""
        return self.width // self.columns, self.height // self.rows

    def tile(self, part: int) -> tuple[slice, slice]:
        """(rows, columns) of the pixels of a part's texture."""
        wide, high = self.tile_size
        row, column = divmod(part, self.columns) if self.columns * self.rows > 1 else (0, 0)
        return slice(row * high, (row + 1) * high), slice(column * wide, (column + 1) * wide)

    def origins(self, mesh: Mesh) -> Tensor:
        """float64 [F, 2]: (x, y) of the upper left corner of every face's tile, as fractions of the picture."""
        wide, high = self.tile_size
        part = mesh.part_of_face if self.columns * self.rows > 1 else torch.zeros_like(mesh.part_of_face)
        left, top = part % self.columns * wide / self.width, part // self.columns * high / self.height
        return torch.stack([left, top], 1).double()

    @property
    def share(self) -> tuple[float, float]:
        """(width, height) of a tile as fractions of the picture."""
        wide, high = self.tile_size
        return wide / self.width, high / self.height

    def places(self, mesh: Mesh) -> Tensor:
        """float64 [F, 3, 2]: (x, y) of every face's corners as fractions of the picture, from the left and the top.

        A texture repeats: coordinates outside 0..1 are moved by whole numbers, so that a face begins in its tile. One
        that reaches over the edge goes on at the other side (``wrapped``). Raises ValueError for a mesh without texture
        coordinates, or with faces that are larger than the texture.
        """
        if not mesh.has_uvs:
            raise ValueError(f"mesh '{mesh.name}' has no texture coordinates; unwrap it first")
        uv = mesh.uvs.double()[mesh.face_uvs]
        if not bool(torch.isfinite(uv).all()):
            raise ValueError(f"texture coordinates of mesh '{mesh.name}' are no numbers (NaN); unwrap it first")
        across = torch.stack([uv[..., 0], 1 - uv[..., 1]], -1)
        repeated = int(((across.amax(1) - across.amin(1)) > 1 + _SLACK).any(1).sum())
        if repeated:
            raise ValueError(
                f"{repeated} faces of mesh '{mesh.name}' are larger than the texture in their coordinates (tiled); "
                "unwrap it first"
            )
        inside = across - (across.amin(1) + _SLACK).floor()[:, None]
        return self.origins(mesh)[:, None] + inside * torch.tensor(self.share).double()

    def wrapped(self, place: Tensor, origin: Tensor) -> Tensor:
        """Places [n, 2] of faces whose tiles begin at ``origin`` [n, 2], brought into their tiles."""
        share = torch.tensor(self.share).to(place)
        local = (place - origin) / share
        return origin + (local - local.floor()) * share
