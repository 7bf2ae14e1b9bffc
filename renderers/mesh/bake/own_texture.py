"""The texture of a space taken from the mesh's own parts, and given back to them."""

from __future__ import annotations

from torch import Tensor

from ..base_colour import WHITE, repainted
from ..mesh import Mesh
from ..part_textures import part_colours
from ..space import MeshTexture
from ..uvs.uv_raster import Texels
from .bake import picture_of
from .chart_borders import borders


def own_texture(space: MeshTexture, grid: Texels) -> Tensor:
    """float32 [H, W, 3]: what the file's textures show, as the picture of the space. A texture that has its tile's size
    and nothing to be multiplied with is copied to the bit; others are read at the texels. grid: the texels of that
    picture."""
    picture = picture_of(grid, part_colours(space.mesh, grid.face, grid.bary), borders(space, grid))
    atlas = space.atlas
    for number, part in enumerate(space.mesh.parts):
        rows, columns = atlas.tile(number)
        whole = len(space.mesh.parts) == 1 or atlas.columns * atlas.rows > 1
        fits = part.texture is not None and part.texture.shape[:2] == picture[rows, columns].shape[:2]
        if whole and fits and part.colour[:3] == WHITE and space.mesh.colours is None:
            assert part.texture is not None
            picture[rows, columns] = part.texture[..., :3].to(picture)
    return picture


def with_texture(space: MeshTexture, picture: Tensor) -> Mesh:
    """The mesh with a picture [H, W, 3] of the space in place of its parts' textures, each part its tile; as
    ``repainted``: parts stay as opaque as they were. Raises ValueError for a picture of another size."""
    if tuple(picture.shape[:2]) != (space.height, space.width):
        raise ValueError(
            f"a texture of {picture.shape[1]} x {picture.shape[0]} does not fit a space of {space.width} x "
            f"{space.height}"
        )
    atlas, colour = space.atlas, picture[..., :3].float()
    tiled = atlas.columns * atlas.rows > 1
    whole = colour[atlas.tile(0)].contiguous()
    count = len(space.mesh.parts)
    return repainted(
        space.mesh, [colour[atlas.tile(number)].contiguous() if tiled else whole for number in range(count)]
    )
