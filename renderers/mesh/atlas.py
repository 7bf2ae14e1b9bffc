"""Where the parts of a mesh lie in one picture of its texture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from .mesh import Mesh

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

    def places(self, mesh: Mesh) -> Tensor:
        """float64 [F, 3, 2]: (x, y) of every face's corners as fractions of the picture, from the left and the top.

        Raises ValueError for a mesh without texture coordinates, or with such that reach outside the square.
        """
        if not mesh.has_uvs:
            raise ValueError(f"mesh '{mesh.name}' has no texture coordinates; unwrap it first")
        low, high = float(mesh.uvs[mesh.face_uvs].min()), float(mesh.uvs[mesh.face_uvs].max())
        if not (low >= -_SLACK and high <= 1 + _SLACK):
            raise ValueError(
                f"texture coordinates of mesh '{mesh.name}' reach from {low:.3g} to {high:.3g}, outside 0 to 1 "
                "(tiled); unwrap it first"
            )
        uv = mesh.uvs.double()[mesh.face_uvs].clamp(0, 1)
        tile_wide, tile_high = self.tile_size
        part = mesh.part_of_face if self.columns * self.rows > 1 else torch.zeros_like(mesh.part_of_face)
        left = (part % self.columns * tile_wide)[:, None]
        top = (part // self.columns * tile_high)[:, None]
        x = (left + uv[..., 0] * tile_wide) / self.width
        y = (top + (1 - uv[..., 1]) * tile_high) / self.height
        return torch.stack([x, y], -1)


def charts(mesh: Mesh) -> Tensor:
    """int64 [F]: the chart each face belongs to, 0 to C - 1: faces that hang together in the texture."""
    faces = mesh.face_uvs
    label = torch.arange(len(faces))
    while True:
        least = torch.full((len(mesh.uvs),), len(faces), dtype=torch.int64)
        least.scatter_reduce_(0, faces.reshape(-1), label.repeat_interleave(3), "amin")
        new = least[faces].amin(1)
        new = new[new]
        if torch.equal(new, label):
            # (parts may use the same coordinates)
            pair = label * len(mesh.parts) + mesh.part_of_face
            return torch.unique(pair, return_inverse=True)[1]
        label = new
