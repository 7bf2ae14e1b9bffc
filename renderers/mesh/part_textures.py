"""The look a mesh came with: every part's own texture and base colour, read where a camera sees them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arrays import distinct, integers
from .base_colour import multiplied
from .light import encoded, linear
from .material import Part
from .mesh import Mesh


def read_texture(texture: Tensor, uv: Tensor) -> Tensor:
    """Bilinear look-up of a texture [H, W, C], row 0 at the top, at uv [M, 2] (origin bottom left) -> [M, C].

    It repeats outside 0 to 1, as files mean it. Texel centres lie at half-integers.
    """
    height, width = texture.shape[:2]
    whole = F.pad(texture.movedim(-1, 0)[None].float(), (1, 1, 1, 1), mode="circular")
    column = (uv[:, 0] % 1.0) * width + 1
    row = ((1 - uv[:, 1]) % 1.0) * height + 1
    at = torch.stack([column / (width + 2) * 2 - 1, row / (height + 2) * 2 - 1], -1)[None, None]
    return F.grid_sample(whole, at.float(), align_corners=False)[0, :, 0].T


def part_colours(mesh: Mesh, face: Tensor, bary: Tensor) -> Tensor:
    """What the file shows on faces [M] at barycentrics [M, 3] -> float32 [M, 3].

    Texture, base colour and vertex colours are multiplied, vertex colours mixed as light between vertices;
    what is missing is white. Opacity is not drawn.
    """
    out = torch.empty(len(face), 3)
    part = mesh.part_of_face[face]
    for number in integers(distinct(part)):
        here = torch.nonzero(part == number).squeeze(1)
        out[here] = _one_part(mesh, mesh.parts[number], face[here], bary[here])
    return out.clamp(0, 1)


def _one_part(mesh: Mesh, part: Part, face: Tensor, bary: Tensor) -> Tensor:
    tint = torch.tensor(part.colour[:3])
    if mesh.colours is not None:
        mixed = (linear(mesh.colours[:, :3])[mesh.faces[face]] * bary[..., None].float()).sum(1)
        tint = multiplied(encoded(mixed.clamp_min(0)), tint)
    if part.texture is None or not mesh.has_uvs:
        return tint.expand(len(face), 3)
    uv = (mesh.uvs[mesh.face_uvs[face]].double() * bary.double()[..., None]).sum(1)
    return multiplied(read_texture(part.texture[..., :3], uv), tint)
