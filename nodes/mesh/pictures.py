"""Meshes as pictures: what ControlNets are shown, textures from views, frames of a turning object, what a rig sees."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...renderers.colours import background_of
from ...renderers.mesh.bake.bake import Baked, Weighting, bake, mask_from_views, merge, picture_of, values_of
from ...renderers.mesh.bake.chart_borders import borders
from ...renderers.mesh.bake.own_texture import own_texture, with_texture
from ...renderers.mesh.bake.surface_fill import Filling, fill_surface
from ...renderers.mesh.geometry import MeshGeometry
from ...renderers.mesh.inside import check_outside
from ...renderers.mesh.looks import MeshViews, NormalSpace
from ...renderers.mesh.mesh import Mesh
from ...renderers.mesh.space import MeshTexture
from ...renderers.mesh.turntable import turntable
from ...renderers.pictures import Range
from ...renderers.scene import Scene
from .. import host
from ..engine.vae import GivenViews
from ..views.pictures import check_proportions

BLENDS = ("two bands", "average", "best view")
MASKS = ("texture", "views")


def need_mesh(space: Any, rig: Any) -> MeshGeometry:
    """The mesh and its cameras. Raises ValueError for other spaces and rigs, and for a camera inside the mesh."""
    if not isinstance(space, MeshTexture):
        raise ValueError(f"a space of kind {getattr(space, 'kind', type(space).__name__)} is no mesh; use MeshSpace's")
    geometry = Scene(space, rig).geometry
    assert isinstance(geometry, MeshGeometry)
    space.kept.get(("outside", geometry.rig.viewpoints), lambda: check_outside(space.mesh, geometry.cameras()))
    return geometry


def space_texture(space: MeshTexture) -> Tensor:
    """float32 [1, H, W, 3]: the look a mesh came with, as the picture of its space."""
    return own_texture(space, space.texels(space.height, space.width))[None]


def condition_images(
    space: Any, rig: Any, depth_range: Range, depth_floor: float, soft: bool, normals: NormalSpace, background: str
) -> tuple[Tensor, ...]:
    """(depth, normal, mask [N, h, w], position, texture, shading) of every view, images [N, h, w, 3]; see MeshViews."""
    geometry, colour = need_mesh(space, rig), background_of(background)
    views = MeshViews.of(geometry.space.mesh, geometry.rig, geometry.space.backend)
    depth = views.depth(depth_range, soft, depth_floor)
    return (
        _grey(depth),
        views.normals(normals),
        views.mask(),
        views.position(),
        views.texture(colour),
        _grey(views.shading()),
    )


def _grey(pictures: Tensor) -> Tensor:
    return pictures[..., None].repeat(1, 1, 1, 3)


@dataclass(frozen=True)
class BakeWishes:
    """The widgets of MeshTextureBake."""

    blend: str = "two bands"
    exponent: float = 6.0
    detail: float = 4.0
    border: float = 2.0
    fill: Filling = "smooth"
    mask_on: str = "texture"


def bake_textures(
    space: Any,
    rig: Any,
    wishes: BakeWishes,
    given: GivenViews,
    mask: Tensor | None = None,
    previous: Tensor | None = None,
) -> tuple[Tensor, Tensor, Mesh, str]:
    """Views -> (textures [B, H, W, 3], coverage [B, H, W]: 1 where some view sees the texel, the mesh with the first
    texture, a report).

    mask: on the texture [1, H, W], or one a view [N, h, w]: only where it is not 0 the texture changes; the rest keeps
    every bit of ``previous``, or of the mesh's own texture. Raises ValueError without views, and when their number is
    not the rig's.
    """
    if wishes.blend not in BLENDS:
        raise ValueError(f"blend '{wishes.blend}' is unknown; use one of {', '.join(BLENDS)}")
    geometry = need_mesh(space, rig)
    count = len(geometry.rig.viewpoints)
    if given.images is not None:
        check_proportions(given.images, geometry.rig)
    stream, total = given.pictures("bake"), given.count
    if total == 0 or total % count:
        raise ValueError(f"{total} views do not match a rig of {count} views; connect all views of this rig")
    changed = None if mask is None else _changed(geometry, wishes, mask)
    old = None if previous is None and changed is None else _previous(geometry, previous)
    textures: list[Tensor] = []
    masks: list[Tensor] = []
    lines: list[str] = []
    for number in range(total // count):
        found = _baked(geometry, wishes, itertools.islice(stream, count))
        texture, seen = _finished(geometry, wishes, found, old, changed)
        textures.append(texture)
        masks.append(seen)
        lines += bake_lines(found, number if total > count else None)
    result = with_texture(geometry.space, textures[0])
    return torch.stack(textures), torch.stack(masks), result, "\n".join(lines)


def _baked(geometry: MeshGeometry, wishes: BakeWishes, images: Any) -> Baked:
    weighting: Weighting = "best view" if wishes.blend == "best view" else "cosine"
    detail = wishes.detail if wishes.blend == "two bands" else 0.0
    pictures = (image[..., :3] for image in images if host.check_interrupt() is None)
    found = bake(geometry, pictures, wishes.exponent, weighting, detail, wishes.border)
    if not bool(torch.isfinite(found.colours).all()):
        raise ValueError("the views hold NaN or infinity; a VAE in half precision often makes them: use --fp32-vae")
    return found


def _finished(
    geometry: MeshGeometry, wishes: BakeWishes, found: Baked, old: Tensor | None, changed: Tensor | None
) -> tuple[Tensor, Tensor]:
    """(texture [H, W, 3], coverage [H, W])."""
    space = geometry.space
    grid = geometry.texels(space.height, space.width)
    colours = fill_surface(grid.position, grid.normal, found.colours, found.seen, wishes.fill).clamp(0, 1)
    texture = picture_of(grid, colours, borders(space, grid))
    if old is not None and changed is not None:
        texture = merge(old, texture, changed)
    elif old is not None:
        texture = merge(old, texture, picture_of(grid, found.seen[:, None].float(), borders(space, grid))[..., 0])
    flat = torch.zeros(space.height * space.width)
    flat[grid.index] = found.seen.float()
    return texture, flat.reshape(space.height, space.width)


def _changed(geometry: MeshGeometry, wishes: BakeWishes, mask: Tensor) -> Tensor:
    """float32 [H, W]: where the texture may change."""
    if wishes.mask_on not in MASKS:
        raise ValueError(f"mask_on '{wishes.mask_on}' is unknown; use one of {', '.join(MASKS)}")
    space = geometry.space
    grid = geometry.texels(space.height, space.width)
    masks = mask.reshape(-1, *mask.shape[-2:]).float()
    if wishes.mask_on == "views":
        return picture_of(grid, mask_from_views(geometry, masks)[:, None], borders(space, grid))[..., 0]
    if len(masks) != 1:
        raise ValueError(f"{len(masks)} masks on one texture; connect one, or set mask_on to views")
    if tuple(masks.shape[1:]) == (space.height, space.width):
        return masks[0]
    return picture_of(grid, values_of(grid, masks[0][..., None]))[..., 0]


def _previous(geometry: MeshGeometry, previous: Tensor | None) -> Tensor:
    """float32 [H, W, 3]: the texture that keeps its bits."""
    if previous is None:
        return space_texture(geometry.space)[0]
    picture, space = previous[0, ..., :3].float().cpu(), geometry.space
    if tuple(picture.shape[:2]) == (space.height, space.width):
        return picture
    planes = F.interpolate(
        picture.movedim(-1, 0)[None], size=(space.height, space.width), mode="bilinear", antialias=True
    )
    return planes[0].movedim(0, -1)


def bake_lines(found: Baked, number: int | None = None) -> list[str]:
    """What to tell of a bake, a figure a line."""
    prefix = "" if number is None else f"texture {number}: "
    # (a view that sees nothing well has no figure)
    differing = [(math.inf if math.isnan(of) else of, i) for i, of in enumerate(found.of_view)]
    psnr, worst = min(differing)
    lines = [f"{prefix}{100 * found.share:.1f} % of the texels are seen by some view"]
    if math.isnan(found.agreement):
        lines.append("views do not overlap: no agreement to measure")
    elif math.isinf(found.agreement):
        lines.append("views agree exactly where they overlap")
    else:
        lines.append(
            f"views agree by {found.agreement:.1f} dB where two see a texel well; view {worst} differs most from the "
            f"texture ({psnr:.1f} dB)"
        )
    return lines


def turntable_frames(mesh: Mesh, frames: int, height: int, width: int, background: str, **view: Any) -> Tensor:
    """float32 [frames, h, w, 3]; see ``turntable``."""
    pictures: list[Tensor] = []
    for frame in turntable(mesh, frames, height, width, background=background_of(background), **view):
        host.check_interrupt()
        pictures.append(frame)
    return torch.stack(pictures).clamp(0, 1)
