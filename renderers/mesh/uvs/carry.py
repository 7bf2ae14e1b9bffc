"""A mesh's old textures on its new texture coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...arrays import distinct, integers
from ..base_colour import PICTURES, multiplied, same_look
from ..material import Part
from ..mesh import Mesh
from .covered import covered_texels
from .unwrap import joined

# Texels around charts that repeat the chart's border, so that nothing of the background is seen in between.
_GUTTER = 8


def carry_textures(old: Mesh, new: Mesh, size: int) -> Mesh:
    """``new`` with the look of ``old``, painted into textures of ``size`` x ``size``.

    Both have the same faces in the same order; old texture coordinates may repeat their texture or overlap. Parts
    without a texture are painted in their colour; nothing is painted where one colour says it all: ``new`` is then
    returned as it is. Colours are sampled bilinearly at the texels' centres, so a texture of about the old density
    loses a little sharpness. Other maps are carried as colours are, but for normal maps, which would need other
    tangents. Vertex colours stay on the vertices.
    """
    parts = tuple(_carried(old, new, number, size) for number in range(len(new.parts)))
    return new if all(a is b for a, b in zip(parts, new.parts, strict=True)) else replace(new, parts=parts)


def in_one_part(mesh: Mesh, size: int) -> Mesh:
    """A mesh whose parts fit beside each other in one texture, as one part: with the look that they share, or with one
    texture painted from theirs, at least as large as the largest of them."""
    one = joined(mesh)
    if same_look(mesh.parts):
        return replace(one, parts=(replace(mesh.parts[0], name=mesh.name),))
    sides = [max(p.texture.shape[:2]) for p in mesh.parts if p.texture is not None]
    return carry_textures(mesh, one, max([size, *sides]))


def _carried(old: Mesh, new: Mesh, number: int, size: int) -> Part:
    """Part ``number`` of ``new``."""
    part, faces = new.parts[number], (new.part_of_face == number).nonzero()[:, 0]
    owners = [old.parts[i] for i in integers(distinct(old.part_of_face[faces]))]
    if not owners:
        return part
    textured = old.has_uvs
    kinds = [k for k in _KINDS if any(_needed(k, p, owners[0], textured) for p in owners)]
    if not kinds and len(new.parts) == len(old.parts):
        return part
    alpha = max((p.alpha for p in owners), key=("opaque", "mask", "blend").index)
    channels = 4 if alpha != "opaque" else 3
    painted = _painted(old, new, faces, size, kinds, channels)
    first = owners[0]
    maps = replace(
        first.maps,
        **dict.fromkeys(PICTURES),
        double_sided=any(p.maps.double_sided for p in owners),
        unlit=all(p.maps.unlit for p in owners),
    )
    for kind in kinds[("colour" in kinds) :]:
        maps = replace(maps, **{kind: painted[kind][..., :3].contiguous()}, **_PAINTED[kind])
    colour, texture = ((1.0,) * 4, painted["colour"]) if "colour" in painted else (first.colour, None)
    return replace(part, texture=texture, colour=colour, alpha=alpha, cutoff=first.cutoff, maps=maps)


_KINDS = ("colour", "metallic_roughness", "occlusion", "emissive")
# Numbers that go into painted maps.
_PAINTED: dict[str, dict[str, Any]] = {
    "metallic_roughness": {"metallic": 1.0, "roughness": 1.0},
    "occlusion": {"occlusion_strength": 1.0},
    "emissive": {"emission": (1.0, 1.0, 1.0)},
}


def _needed(kind: str, part: Part, first: Part, textured: bool) -> bool:
    """Whether a part has a picture of this kind, or other numbers than the first one."""
    if kind == "colour":
        differs = (part.colour, part.alpha, part.cutoff) != (first.colour, first.alpha, first.cutoff)
        return differs or (textured and part.texture is not None)
    return (textured and getattr(part.maps, kind) is not None) or _factor(kind, part) != _factor(kind, first)


def _factor(kind: str, part: Part) -> tuple[float, ...]:
    maps = part.maps
    if kind == "metallic_roughness":
        return 1.0, maps.roughness, maps.metallic
    return maps.emission if kind == "emissive" else (1.0, 1.0, 1.0)


def _painted(old: Mesh, new: Mesh, faces: Tensor, size: int, kinds: Sequence[str], channels: int) -> dict[str, Tensor]:
    """kind -> picture [size, size, 3 or 4]."""
    if not kinds:
        return {}
    corner = new.uvs[new.face_uvs[faces]].double()
    pictures = {kind: torch.zeros(size * size, channels if kind == "colour" else 3) for kind in kinds}
    known = torch.zeros(size * size, dtype=torch.bool)
    for local, texel in covered_texels(corner, size):
        centre = torch.stack([texel % size, texel // size], 1).double().add(0.5) / size
        face = faces[local]
        uv = torch.zeros(len(face), 2)
        if old.has_uvs:
            uv = (_barycentric(corner[local], centre)[..., None] * old.uvs[old.face_uvs[face]]).sum(1).float()
        owner = old.part_of_face[face]
        for number in integers(distinct(owner)):
            mine = owner == number
            for kind, picture in pictures.items():
                picture[texel[mine]] = _values(kind, old.parts[number], uv[mine], picture.shape[1], old.has_uvs)
        known[texel] = True
    # Row 0 of a picture is its top, where v is 1.
    shown = known.reshape(size, size).flip(0)
    return {k: _with_gutter(p.reshape(size, size, -1).flip(0), shown) for k, p in pictures.items()}


def _barycentric(corner: Tensor, point: Tensor) -> Tensor:
    """[n, 3, 2], [n, 2] -> [n, 3]."""
    a, b, c = corner.unbind(1)
    whole = _cross(b - a, c - a)
    found = torch.stack([_cross(c - b, point - b), _cross(a - c, point - c), _cross(b - a, point - a)], 1)
    return found / torch.where(whole == 0, 1.0, whole)[:, None]


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _values(kind: str, part: Part, uv: Tensor, channels: int, textured: bool) -> Tensor:
    """[n, channels]: what a part says at texture coordinates [n, 2]; its pictures repeat."""
    if kind == "colour":
        found = _sampled(part.texture if textured else None, uv, channels)
        found = multiplied(found, torch.tensor(part.colour)[:channels])
        if channels == 4 and part.alpha == "opaque":
            found = torch.cat([found[:, :3], torch.ones(len(found), 1)], 1)
        if channels == 4 and part.alpha == "mask":
            found = torch.cat([found[:, :3], (found[:, 3:] >= part.cutoff).float()], 1)
        return found
    found = _sampled(getattr(part.maps, kind) if textured else None, uv, 3)
    if kind == "occlusion":
        return 1 + part.maps.occlusion_strength * (found - 1)
    factor = torch.tensor(_factor(kind, part))
    return multiplied(found, factor) if kind == "emissive" else found * factor


def _sampled(picture: Tensor | None, uv: Tensor, channels: int) -> Tensor:
    """Bilinear, white where there is none."""
    if picture is None:
        return torch.ones(len(uv), channels)
    texture = picture.float()[..., :channels]
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
