"""What cameras see of a mesh, as pictures and figures."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from ..counts import RigSight, heat
from .bake.own_texture import with_texture
from .coverage import mesh_coverage, mesh_coverage_lines, mesh_hole_warning
from .space import MeshTexture
from .turntable import turntable
from .viewed import Viewed

# Side of the pictures.
_SHOWN = 768


def mesh_sight(viewed: Viewed) -> RigSight:
    """The best cosine of every texel on the texture, and on the mesh from four sides: pictures [2, h, w, 3]."""
    found = mesh_coverage(viewed)
    values = found.heat
    coloured = heat(values, *values.shape)
    space = viewed.space
    shown = MeshTexture(space.mesh, values.shape[1], values.shape[0], layout=space.layout)
    front = math.degrees(viewed.rig.front)
    sides = list(turntable(with_texture(shown, coloured), 2, _SHOWN // 2, _SHOWN // 2, 20, front + 30, "none"))
    sides += list(turntable(with_texture(shown, coloured), 2, _SHOWN // 2, _SHOWN // 2, -35, front - 60, "none"))
    sheet = torch.cat([torch.cat(sides[:2], 1), torch.cat(sides[2:], 1)])
    flat = F.interpolate(coloured.movedim(-1, 0)[None], size=(_SHOWN, _SHOWN), mode="nearest")[0].movedim(0, -1)
    lines = mesh_coverage_lines(viewed, found)
    return RigSight(torch.stack([flat, sheet]), "\n".join(lines), mesh_hole_warning(found))
