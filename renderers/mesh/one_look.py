"""A mesh as those know it who have one texture, one material, and one of everything for each vertex (ComfyUI's nodes).

Materials of several colours become vertex colours, those of several textures tiles of one picture. Textures that repeat
fit no tile: they too become vertex colours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arrays import distinct, distinct_places, integers
from .base_colour import multiplied, whole_texture
from .material import Maps, Part
from .mesh import Mesh
from .part_textures import part_colours
from .uvs.split import Split, split_seams

_WHITE = (1.0, 1.0, 1.0)
# Around a tile its border is repeated, so that smoothing and smaller copies of the picture do not mix neighbours.
_BORDER = 4
# What a coordinate may lie outside of its texture by, rounding apart.
_SLACK = 1e-4
# Sides of a picture of tiles, pixels: more is shrunk.
_LARGEST = 4096


@dataclass(frozen=True, eq=False)
class OneLook:
    """S vertices. vertices, normals: float32 [S, 3]; faces: int64 [F, 3]; uvs: float32 [S, 2], origin bottom left;
    colours: float32 [S, 3 or 4], encoded as pictures are; texture: float32 [H, W, 3]. Any but the first may be None.
    Opacity of textures and base colours is not kept. maps: what all materials have in common."""

    vertices: Tensor
    faces: Tensor
    uvs: Tensor | None
    normals: Tensor | None
    colours: Tensor | None
    texture: Tensor | None
    maps: Maps


def one_look(mesh: Mesh) -> OneLook:
    """A mesh in one material that looks like its own."""
    looks, look_of_face = _looks(mesh)
    if len(looks) == 1:
        return _plain(mesh, looks[0])
    tiled = _in_tiles(mesh, looks, look_of_face) if any(_shows_texture(mesh, look) for look in looks) else None
    return tiled or _in_vertex_colours(mesh, looks, look_of_face)


def _looks(mesh: Mesh) -> tuple[list[Part], Tensor]:
    """(Parts that look different and have faces, int64 [F] into them)."""
    found: dict[object, int] = {}
    parts: list[Part] = []
    number = torch.zeros(len(mesh.parts), dtype=torch.int64)
    for index in integers(distinct(mesh.part_of_face)):
        part = mesh.parts[index]
        maps = tuple(id(v) if isinstance(v, Tensor) else v for v in vars(part.maps).values())
        key = (id(part.texture), part.colour[:3], maps)
        if key not in found:
            found[key] = len(parts)
            parts.append(part)
        number[index] = found[key]
    return parts, number[mesh.part_of_face]


def _shows_texture(mesh: Mesh, part: Part) -> bool:
    return part.texture is not None and mesh.has_uvs


def _plain(mesh: Mesh, part: Part) -> OneLook:
    split = split_seams(mesh)
    texture = _tinted(part) if _shows_texture(mesh, part) else None
    colours = None if mesh.colours is None else mesh.colours[split.origin]
    if texture is None and part.colour[:3] != _WHITE:
        own = torch.tensor(part.colour[:3]).expand(len(split.vertices), 3)
        colours = _times(colours, own)
    return _made(split, colours, texture, part.maps)


def _made(split: Split, colours: Tensor | None, texture: Tensor | None, maps: Maps) -> OneLook:
    return OneLook(split.vertices, split.faces, split.uvs, split.normals, colours, texture, maps)


def _tinted(part: Part) -> Tensor:
    """float32 [H, W, 3]: a part's texture with its base colour in it."""
    whole = whole_texture(part)
    assert whole is not None
    return whole[..., :3].float().contiguous()


def _times(colours: Tensor | None, others: Tensor) -> Tensor:
    """Colours [S, 3 or 4] and [S, 3], multiplied as all base colours are."""
    if colours is None:
        return others.clone()
    return torch.cat([multiplied(colours[:, :3], others), colours[:, 3:]], 1)


def _in_vertex_colours(mesh: Mesh, looks: list[Part], look_of_face: Tensor) -> OneLook:
    """Every vertex in the colour that its part, or its part's texture, has there."""
    split = split_seams(mesh, look_of_face)
    corner = split.faces.reshape(-1)
    none = len(corner)
    first = torch.full((len(split.vertices),), none).scatter_reduce(0, corner, torch.arange(none), "amin")
    used = first < none
    at = first[used]
    shown = torch.ones(len(split.vertices), 3)
    bare = replace(mesh, colours=None)
    shown[used] = part_colours(bare, at // 3, F.one_hot(at % 3, 3).float())
    colours = None if mesh.colours is None else mesh.colours[split.origin]
    return _made(split, _times(colours, shown), None, _shared(looks, pictures=True))


def _in_tiles(mesh: Mesh, looks: list[Part], look_of_face: Tensor) -> OneLook | None:
    """Every texture a tile of one picture; None where one repeats, so that no tile holds it."""
    columns = math.ceil(math.sqrt(len(looks)))
    rows = math.ceil(len(looks) / columns)
    sizes = [part.texture.shape[:2] for part in looks if part.texture is not None]
    high, wide = (max(size[axis] for size in sizes) for axis in (0, 1))
    high, wide = min(high, _LARGEST // rows - 2 * _BORDER), min(wide, _LARGEST // columns - 2 * _BORDER)
    uv = mesh.uvs.double()[mesh.face_uvs]
    textured = torch.tensor([part.texture is not None for part in looks])[look_of_face]
    # (a texture repeats: a face may lie a whole number of it away)
    uv = uv - torch.floor(uv.amin(1, keepdim=True) + _SLACK)
    if min(high, wide) < 1 or not bool((uv[textured] <= 1 + _SLACK).all()):
        return None
    step = torch.tensor([wide + 2 * _BORDER, high + 2 * _BORDER], dtype=torch.float64)
    place = torch.stack([look_of_face % columns, look_of_face // columns], 1).double()
    inner = torch.stack([uv[..., 0], 1 - uv[..., 1]], -1).clamp(0, 1) * torch.tensor([wide, high])
    at = ((place * step + _BORDER)[:, None] + inner) / (step * torch.tensor([columns, rows]))
    flat, number = distinct_places(torch.stack([at[..., 0], 1 - at[..., 1]], -1).reshape(-1, 2), 0)
    moved = replace(mesh, uvs=flat.float(), face_uvs=number.reshape(-1, 3))
    tiles = [_tile(part, high, wide) for part in looks]
    tiles += [torch.zeros_like(tiles[0])] * (columns * rows - len(tiles))
    picture = torch.cat([torch.cat(tiles[row * columns : (row + 1) * columns], 1) for row in range(rows)])
    split = split_seams(moved)
    colours = None if mesh.colours is None else mesh.colours[split.origin]
    return _made(split, colours, picture, _shared(looks, pictures=False))


def _tile(part: Part, high: int, wide: int) -> Tensor:
    """float32 [high + border, wide + border, 3]: a part's texture, or its colour."""
    if part.texture is None:
        picture = torch.tensor(part.colour[:3])[:, None, None].expand(3, high, wide)
    else:
        picture = _tinted(part).movedim(-1, 0)
        if picture.shape[1:] != (high, wide):
            picture = F.interpolate(picture[None], size=(high, wide), mode="bilinear", antialias=True)[0]
    return F.pad(picture[None], (_BORDER,) * 4, mode="replicate")[0].movedim(0, -1)


def _shared(looks: list[Part], pictures: bool) -> Maps:
    """What all parts have in common of what they have beside a base colour; maps lie on coordinates that are kept."""
    all_maps = [look.maps for look in looks]
    first = all_maps[0]
    kept = {name: v for name, v in vars(first).items() if all(_same(getattr(m, name), v) for m in all_maps)}
    if not pictures:
        kept = {name: v for name, v in kept.items() if not isinstance(v, Tensor)}
    # Numbers that multiply a map mean nothing without it.
    for picture, numbers in (("metallic_roughness", ("metallic", "roughness")), ("emissive", ("emission",))):
        if kept.get(picture) is None and any(getattr(m, picture) is not None for m in all_maps):
            for name in numbers:
                kept.pop(name, None)
    return Maps(**kept)


def _same(a: object, b: object) -> bool:
    return a is b if isinstance(a, Tensor) or isinstance(b, Tensor) else a == b
