"""A part's base colour: texture times colour times vertex colours (glTF 2.0, 3.9.2).

Multiplied as they are encoded; products of light (which the standard means) differ by a few steps of 255, in the dark.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from .material import Part
from .mesh import Mesh

WHITE = (1.0, 1.0, 1.0)


def multiplied(picture: Tensor, colour: Tensor) -> Tensor:
    """Encoded colours [..., 3 or 4] times a colour that broadcasts with them, as they are encoded -> the same shape.
    The same tensor where the colour is white."""
    return picture if bool((colour == 1).all()) else picture * colour


def whole_texture(part: Part) -> Tensor | None:
    """The texture with the part's colour in it, float [H, W, 3 or 4]: 4 only where the part is not opaque and opacity
    varies or is below 1. None without a texture. The same tensor where nothing changes."""
    texture = part.texture
    if texture is None:
        return None
    if part.alpha == "opaque":
        texture = texture[..., :3] if texture.shape[-1] == 4 else texture
    elif texture.shape[-1] == 3 and part.colour[3] < 1:
        texture = torch.cat([texture, torch.ones_like(texture[..., :1])], -1)
    return multiplied(texture, torch.tensor(part.colour)[: texture.shape[-1]])


def same_look(parts: Sequence[Part]) -> bool:
    """Whether parts differ in nothing but their names."""
    return all(_look(part) == _look(parts[0]) for part in parts)


def _look(part: Part) -> tuple[object, ...]:
    pictures = (part.texture, *(getattr(part.maps, name) for name in PICTURES))
    plain = replace(part.maps, **dict.fromkeys(PICTURES))
    return (*map(_content, pictures), part.colour, part.alpha, part.cutoff, plain)


PICTURES = ("metallic_roughness", "normal", "occlusion", "emissive")


def _content(picture: Tensor | None) -> bytes | None:
    if picture is None:
        return None
    data = picture.detach().cpu().contiguous().numpy()
    return hashlib.sha256(repr((data.shape, data.dtype)).encode() + data.tobytes()).digest()


def repainted(mesh: Mesh, pictures: Sequence[Tensor | None]) -> Mesh:
    """The mesh with one new picture [H, W, 3 or 4] for each part; None leaves a part as it is.

    A picture of three channels is the colour alone: how opaque the part is stays as it was, the old texture's opacity
    included. One of four is the opacity too: an opaque part becomes a blended one where the picture is clear somewhere.
    Base colours and vertex colours have gone into the new picture and multiply it no more; other maps stay.
    """
    parts = tuple(_painted(part, new) for part, new in zip(mesh.parts, pictures, strict=True))
    done = replace(mesh, parts=parts)
    if mesh.colours is None or all(new is None for new in pictures):
        return done
    painted = torch.tensor([new is not None for new in pictures])[mesh.part_of_face]
    colours = mesh.colours.clone()
    # A vertex that only painted parts use; one that others use too keeps its colour for them.
    free = torch.ones(len(colours), dtype=torch.bool)
    free[mesh.faces[~painted].reshape(-1)] = False
    colours[free, :3] = 1
    return replace(done, colours=None if bool((colours == 1).all()) else colours)


def _painted(part: Part, new: Tensor | None) -> Part:
    if new is None:
        return part
    if new.dim() != 3 or new.shape[-1] not in (3, 4):
        raise ValueError(f"a texture of shape {tuple(new.shape)} is no picture; use height x width x 3 or 4")
    if new.shape[-1] == 4:
        clear = part.alpha == "opaque" and bool((new[..., 3] < 1).any())
        return replace(part, texture=new, colour=(*WHITE, 1.0), alpha="blend" if clear else part.alpha)
    if part.alpha != "opaque" and part.texture is not None and part.texture.shape[2] == 4:
        old = part.texture[..., 3:].movedim(-1, 0)[None].float()
        if old.shape[2:] != new.shape[:2]:
            old = F.interpolate(old, size=tuple(new.shape[:2]), mode="bilinear", antialias=True)
        new = torch.cat([new, old[0].movedim(0, -1).to(new)], -1)
    return replace(part, texture=new, colour=(*WHITE, part.colour[3]))
