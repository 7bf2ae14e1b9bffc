"""The texture of a space taken from the mesh's own parts, and given back to them."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from .chart_borders import borders
from .material import Part
from .mesh import Mesh
from .mesh_space import MeshTexture
from .part_textures import part_colours
from .texture import picture_of
from .uv_raster import Texels

_WHITE = (1.0, 1.0, 1.0)


def own_texture(space: MeshTexture, grid: Texels) -> Tensor:
    """float32 [H, W, 3]: what the file's textures show, as the picture of the space. A texture that has its tile's size
    and no base colour is copied to the bit; others are read at the texels. grid: the texels of that picture."""
    picture = picture_of(grid, part_colours(space.mesh, grid.face, grid.bary), borders(space, grid))
    atlas = space.atlas
    for number, part in enumerate(space.mesh.parts):
        rows, columns = atlas.tile(number)
        whole = len(space.mesh.parts) == 1 or atlas.columns * atlas.rows > 1
        fits = part.texture is not None and part.texture.shape[:2] == picture[rows, columns].shape[:2]
        if whole and fits and part.colour[:3] == _WHITE:
            assert part.texture is not None
            picture[rows, columns] = part.texture[..., :3].to(picture)
    return picture


def with_texture(space: MeshTexture, picture: Tensor) -> Mesh:
    """The mesh with a picture [H, W, 3] of the space in place of its parts' textures, each part its tile. Opacity of a
    part's texture and base colour stays. Raises ValueError for a picture of another size."""
    if tuple(picture.shape[:2]) != (space.height, space.width):
        raise ValueError(
            f"a texture of {picture.shape[1]} x {picture.shape[0]} does not fit a space of {space.width} x "
            f"{space.height}"
        )
    atlas = space.atlas
    parts: list[Part] = []
    for number, part in enumerate(space.mesh.parts):
        tile = picture[atlas.tile(number)][..., :3].float().contiguous()
        if part.texture is not None and part.texture.shape[2] == 4:
            alpha = part.texture[..., 3:].movedim(-1, 0)[None].float()
            alpha = F.interpolate(alpha, size=tuple(tile.shape[:2]), mode="bilinear", antialias=True)
            tile = torch.cat([tile, alpha[0].movedim(0, -1)], -1)
        parts.append(replace(part, texture=tile, colour=(*_WHITE, part.colour[3])))
    return replace(space.mesh, parts=tuple(parts))
