"""Colours of texels as a texture picture, and masks painted on a picture or in a view."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .bake import looks
from .chart_borders import Borders
from .mesh_scene import MeshGeometry
from .surface_fill import pad_charts
from .uv_raster import Texels


def picture_of(texels: Texels, values: Tensor, border: Borders | None = None) -> Tensor:
    """Values [T, C] of the texels as a picture [H, W, C]. Cells of ``border`` show their texel of it, all others that
    no chart covers the nearest in the picture."""
    flat = torch.zeros(texels.rows * texels.columns, values.shape[1], dtype=values.dtype)
    known = texels.covered.reshape(-1).clone()
    flat[texels.index] = values
    if border is not None:
        flat[border.cell] = values[border.texel]
        known[border.cell] = True
    shape = (texels.rows, texels.columns)
    return pad_charts(flat.reshape(*shape, -1), known.reshape(shape))


def values_of(texels: Texels, picture: Tensor) -> Tensor:
    """A picture [h, w, C] of the texture's shape, of any size, at the texels [T, C]."""
    size = (texels.rows, texels.columns)
    planes = picture.movedim(-1, 0)[None].float()
    if tuple(planes.shape[2:]) != size:
        planes = F.interpolate(planes, size=size, mode="bilinear", antialias=True)
    return planes[0].movedim(0, -1).reshape(-1, planes.shape[1])[texels.index]


def merge(old: Tensor, new: Tensor, mask: Tensor) -> Tensor:
    """Textures [H, W, C] and a mask [H, W]: new where the mask is 1, between in between; where it is 0 the old one to
    the bit. Raises ValueError for textures of different sizes."""
    if old.shape[:2] != new.shape[:2]:
        raise ValueError(
            f"the previous texture has {old.shape[1]} x {old.shape[0]} pixels, the new one {new.shape[1]} x "
            f"{new.shape[0]}; set the space's texture_size to that of the previous one"
        )
    share = mask.clamp(0, 1)[..., None].to(old)
    mixed = torch.where(share >= 1, new.to(old), old + (new.to(old) - old) * share)
    return torch.where(share > 0, mixed, old)


def mask_from_views(geometry: MeshGeometry, masks: Tensor) -> Tensor:
    """Masks [N, h, w] painted in the rig's views -> float32 [T]: the largest value that a view which sees the texel
    shows there. What lies behind the painted surface is not touched. Raises ValueError for another number of masks."""
    count, space = len(geometry.rig.viewpoints), geometry.space
    if len(masks) != count:
        raise ValueError(f"{len(masks)} masks for {count} views; paint one mask a view, black where nothing is")
    out = torch.zeros(len(geometry.texels(space.height, space.width).index))
    painted = [i for i in range(count) if bool((masks[i] > 0).any())]
    for number, look in zip(painted, looks(geometry, masks.shape[1], masks.shape[2], painted), strict=True):
        value = look.read(masks[number].float().reshape(-1, 1))[:, 0]
        out[look.texel] = torch.maximum(out[look.texel], value)
    return out
