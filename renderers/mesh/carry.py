"""A mesh's old textures on its new texture coordinates."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from .material import Part
from .mesh import Mesh
from .uv_count import texels

# Texels around charts that repeat the chart's border, so that nothing of the background is seen in between.
_GUTTER = 8


def carry_textures(old: Mesh, new: Mesh, size: int) -> Mesh:
    """``new`` with the look of ``old``, painted into textures of ``size`` x ``size``.

    Both have the same faces in the same order; old texture coordinates may repeat their texture or overlap. Parts
    without a texture are painted in their colour; where no part has one, ``new`` is returned as it is. Colours are
    sampled bilinearly at the texels' centres, so a texture of about the old density loses a little sharpness.
    """
    if not old.has_uvs or all(part.texture is None for part in old.parts):
        return new
    channels = max(part.texture.shape[-1] for part in old.parts if part.texture is not None)
    parts = tuple(
        replace(part, texture=_painted(old, new, number, size, channels), colour=(1.0, 1.0, 1.0, 1.0))
        for number, part in enumerate(new.parts)
    )
    return replace(new, parts=parts)


def _painted(old: Mesh, new: Mesh, number: int, size: int, channels: int) -> Tensor:
    faces = (new.part_of_face == number).nonzero()[:, 0]
    corner = new.uvs[new.face_uvs[faces]].double()
    picture, known = torch.zeros(size * size, channels), torch.zeros(size * size, dtype=torch.bool)
    for local, texel in texels(corner, size):
        centre = torch.stack([texel % size, texel // size], 1).double().add(0.5) / size
        face = faces[local]
        uv = (_barycentric(corner[local], centre)[..., None] * old.uvs[old.face_uvs[face]]).sum(1).float()
        owner = old.part_of_face[face]
        for part in owner.unique().tolist():
            mine = owner == part
            picture[texel[mine]] = _colours(old.parts[part], uv[mine], channels)
        known[texel] = True
    # Row 0 of a picture is its top, where v is 1.
    return _with_gutter(picture.reshape(size, size, channels).flip(0), known.reshape(size, size).flip(0))


def _barycentric(corner: Tensor, point: Tensor) -> Tensor:
    """[n, 3, 2], [n, 2] -> [n, 3]."""
    a, b, c = corner.unbind(1)
    whole = _cross(b - a, c - a)
    found = torch.stack([_cross(c - b, point - b), _cross(a - c, point - c), _cross(b - a, point - a)], 1)
    return found / torch.where(whole == 0, 1.0, whole)[:, None]


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _colours(part: Part, uv: Tensor, channels: int) -> Tensor:
    """[n, channels]: what a part looks like at texture coordinates [n, 2]; its texture repeats."""
    if part.texture is None:
        return torch.tensor(part.colour[:channels]).expand(len(uv), channels)
    texture = part.texture.float()
    if texture.shape[-1] < channels:
        texture = torch.cat([texture, torch.ones_like(texture[..., :1])], -1)
    height, width = texture.shape[:2]
    x, y = uv[:, 0] * width - 0.5, (1 - uv[:, 1]) * height - 0.5
    left, top = x.floor(), y.floor()
    fx, fy = (x - left)[:, None], (y - top)[:, None]
    columns = [(left.long() + k) % width for k in (0, 1)]
    rows = [(top.long() + k) % height for k in (0, 1)]
    upper = texture[rows[0], columns[0]] * (1 - fx) + texture[rows[0], columns[1]] * fx
    lower = texture[rows[1], columns[0]] * (1 - fx) + texture[rows[1], columns[1]] * fx
    return upper * (1 - fy) + lower * fy


def _with_gutter(picture: Tensor, known: Tensor) -> Tensor:
    """[H, W, C] with what is unknown filled: near charts by the mean of known neighbours, further away by the mean."""
    if not bool(known.any()):
        return picture
    rest = picture[known].mean(0)
    values = picture.movedim(-1, 0)[None]
    weight = known.float()[None, None]
    for _ in range(_GUTTER):
        total = F.avg_pool2d(values * weight, 3, 1, 1)
        count = F.avg_pool2d(weight, 3, 1, 1)
        grown = (weight == 0) & (count > 0)
        values = torch.where(grown, total / count.clamp_min(1e-6), values)
        weight = torch.where(grown, 1.0, weight)
    values = torch.where(weight > 0, values, rest[None, :, None, None])
    return values[0].movedim(0, -1).clamp(0, 1).contiguous()
