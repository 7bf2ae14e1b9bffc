"""Views of a mesh painted into its texture: every texel reads the views that see it.

Colours of texels as a texture picture, and masks painted on a picture or in a view.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ...pictures import TwoBands
from ..looks import corner_normals, to_camera
from ..maps.maps import Screen, pixel_taps
from ..maps.surface import Surface, surface
from ..uvs.uv_raster import Texels
from ..viewed import Viewed
from .chart_borders import Borders
from .surface_fill import pad_charts
from .view_edges import Links, from_edge, smoothed

Weighting = Literal["cosine", "best view"]
WEIGHTINGS: tuple[Weighting, ...] = ("cosine", "best view")

# How decidedly the straightest view wins the fine detail.
_DECISION = 24.0
# Least cosine between the normals of a texel and of a pixel that it reads.
_BEND = 0.4
# Views are compared where both see a texel at no flatter an angle.
_WELL = 0.5


@dataclass(frozen=True)
class Sight:
    """What one view knows of the texels: which it sees (int64 [m]), where they read it (pixels int64 [m, 4] and weights
    [m, 4] that sum to 1), the cosine of the angle [m], and how many pixels from an outline, a step in depth or the
    frame they are [m]. links: of the view's pixels."""

    texel: Tensor
    pixel: Tensor
    weight: Tensor
    cosine: Tensor
    from_edge: Tensor
    links: Links

    def read(self, flat: Tensor) -> Tensor:
        """Values of the view's pixels [h * w, C] at the texels [m, C]."""
        return (flat[self.pixel] * self.weight[..., None]).sum(1)


@torch.no_grad()
def sights(geometry: Viewed, height: int, width: int, which: Sequence[int] | None = None) -> Iterator[Sight]:
    """Of the rig's cameras (``which`` of them; None: all) with views of ``width`` x ``height`` pixels, one at a time.

    A texel is seen as ``seen_points`` says. It reads only pixels that show its own surface, so that no colour of the
    background or of another part reaches it; where there are none it is not seen.
    """
    space, cameras = geometry.space, geometry.cameras()
    grid = geometry.texels(space.height, space.width)
    smooth = F.normalize((corner_normals(space.mesh)[grid.face] * grid.bary[..., None]).sum(1), dim=-1)
    for number in range(len(cameras)) if which is None else which:
        camera = cameras[number]
        view = surface(space.mesh, space.places, camera, height, width, space.backend)
        seen = geometry.seen(grid, camera, height, width)
        screen = Screen.of(view)
        pixel, weight = pixel_taps(seen, grid, view, screen, camera, "bilinear")
        weight = weight * _same_side(space.mesh.face_normals, grid.face[seen.point], view, screen.number[pixel].long())
        total = weight.sum(1, keepdim=True)
        use = total[:, 0] > 1e-3
        seen, pixel, weight = seen.only(use), pixel[use], (weight / total.clamp_min(1e-3))[use]
        facing = (to_camera(camera, grid.position[seen.point]) * smooth[seen.point]).sum(1)
        # From behind, the other side's normal counts; where only the smooth one is turned away, the face's own.
        facing = torch.where(facing.abs() > 1e-3, facing.abs(), seen.cosine)
        row = (seen.row * height).long().clamp_max(height - 1)
        column = (seen.column * width).long().clamp_max(width - 1)
        links = Links.of(_depths(view))
        yield Sight(seen.point, pixel, weight, facing.clamp(1e-3, 1).float(), from_edge(links)[row, column], links)


def _same_side(normals: Tensor, face: Tensor, view: Surface, number: Tensor) -> Tensor:
    """bool [m, 4]: pixels (numbers among those of the surface, -1 none) whose faces lie as the texels' own [m] do:
    beyond a sharp edge a pixel may be near, but shows another side."""
    there = normals[view.face[number.clamp_min(0)]]
    return (there * normals[face][:, None]).sum(-1).abs() > _BEND


def _depths(view: Surface) -> Tensor:
    """float32 [h, w], inf at the background."""
    flat = torch.full((view.height * view.width,), torch.inf)
    flat[view.pixel] = view.depth.float()
    return flat.reshape(view.height, view.width)


@dataclass(frozen=True)
class Baked:
    """colours: float32 [T, C] of the texels, 0 where no view sees one. seen: bool [T]. cosine: float32 [T], the best at
    which a view sees it. agreement: PSNR in dB between views on texels that several see well (nan when there are none,
    inf when they agree); of_view: of each view against what was baked."""

    colours: Tensor
    seen: Tensor
    cosine: Tensor
    agreement: float
    of_view: tuple[float, ...]

    @property
    def share(self) -> float:
        """Of the texels that some view sees."""
        return float(self.seen.double().mean()) if len(self.seen) else 0.0


@torch.no_grad()
def bake(
    geometry: Viewed,
    images: Iterable[Tensor],
    exponent: float = 6.0,
    weighting: Weighting = "cosine",
    detail: float = 4.0,
    border: float = 2.0,
) -> Baked:
    """Images [h, w, C] of the rig's cameras, in their order and all of one size -> the colours of the texels of the
    space's picture.

    weighting: cosine averages by the cosine of the viewing angle to the power ``exponent`` (6: SyncMVD's bake), best
    view takes the view that sees a texel at the largest cosine. detail: above 0, structures finer than about that many
    view pixels come from the straightest view while coarser ones are averaged, so that views which differ in detail do
    not blur or ghost (two-band blend: Brown and Lowe, 2007); 0 averages everything. border: pixels beside an outline
    count less, as their colours are mixed with what lies behind. Raises ValueError for an unknown weighting, an
    exponent outside 0 to 32, or when there are more or fewer images than cameras.
    """
    if weighting not in WEIGHTINGS:
        raise ValueError(f"weighting '{weighting}' is unknown; use one of {', '.join(WEIGHTINGS)}")
    if not 0 <= exponent <= 32:
        raise ValueError(f"exponent {exponent:g} is outside 0 to 32; 6 is usual")
    stream, count = iter(images), len(geometry.rig.viewpoints)
    texels = len(geometry.texels(geometry.space.height, geometry.space.width).index)
    blend: _Blend | None = None
    pending: Iterator[Sight] | None = None
    for number in range(count):
        image = next(stream, None)
        if image is None:
            raise ValueError(f"{number} images for a rig of {count} views; connect all views of the same rig")
        if blend is None or pending is None:
            blend = _Blend(texels, image.shape[2], exponent, weighting, detail, border)
            pending = sights(geometry, image.shape[0], image.shape[1])
        blend.add(next(pending), image.float())
    if blend is None or next(stream, None) is not None:
        raise ValueError(f"more images than the rig's {count} views; connect views of the same rig")
    return blend.baked()


class _Blend:
    """Sums over the views so far, for every texel."""

    def __init__(
        self, count: int, channels: int, exponent: float, weighting: Weighting, detail: float, border: float
    ) -> None:
        self.border = max(border, 1e-3)
        self.exponent, self.best_only = exponent, weighting == "best view"
        self.detail = 0.0 if self.best_only else detail
        self.bands = TwoBands(count, channels, self.detail > 0)
        self.cosine = torch.zeros(count)
        # Of the views that see a texel well: how many, their sum, and the sum of their squares.
        self.well = torch.zeros(count)
        self.total, self.square = torch.zeros(count, channels, dtype=torch.float64), torch.zeros(count).double()
        self.kept: list[tuple[Tensor, Tensor]] = []

    def add(self, sight: Sight, image: Tensor) -> None:
        flat = image.reshape(-1, image.shape[2])
        full = sight.read(flat)
        here, straight = sight.texel, sight.cosine * (sight.from_edge / self.border).clamp(1e-3, 1)
        if self.best_only:
            better = straight > self.bands.weight[here]
            self.bands.weight[here[better]] = straight[better]
            self.bands.sums[here[better]] = full[better] * straight[better, None]
        else:
            # Beside an outline a blur is one-sided, and differs from that of views which see further.
            reach = max(self.border, 2 * self.detail)
            inner = (sight.from_edge / reach).clamp(1e-4, 1).square()
            weight = (sight.cosine.double().pow(self.exponent).float() * inner).clamp_min(1e-20)
            coarse = full
            if self.detail > 0:
                coarse = sight.read(smoothed(image, sight.links, self.detail).reshape(flat.shape))
                decided = straight.double().pow(max(_DECISION, self.exponent)).float().clamp_min(1e-30)
                self.bands.add_fine(here, full - coarse, decided)
            self.bands.add(here, coarse, weight)
        self.cosine[here] = torch.maximum(self.cosine[here], sight.cosine)
        well = (sight.cosine >= _WELL) & (sight.from_edge >= self.border)
        there, value = here[well], full[well].double()
        self.well[there] += 1
        self.total[there] += value
        self.square[there] += value.square().sum(1)
        self.kept.append((there, full[well]))

    def baked(self) -> Baked:
        seen, colours = self.bands.weight > 0, self.bands.mean()
        several = self.well >= 2
        count = self.well[several].double()
        spread = self.square[several] - self.total[several].square().sum(1) / count
        # The mean squared difference of two of n values is twice their variance with n - 1.
        pairs = (2 * spread / (count - 1) / colours.shape[1]).clamp_min(0)
        of_view = tuple(_psnr((value - colours[here]).square()) for here, value in self.kept)
        return Baked(colours, seen, self.cosine, _psnr(pairs), of_view)


def _psnr(squares: Tensor) -> float:
    if not squares.numel():
        return math.nan
    error = float(squares.double().mean())
    # Below half a millionth of the range is rounding.
    return math.inf if error < 2.5e-13 else -10 * math.log10(error)


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


def mask_from_views(geometry: Viewed, masks: Tensor) -> Tensor:
    """Masks [N, h, w] painted in the rig's views -> float32 [T]: the largest value that a view which sees the texel
    shows there. What lies behind the painted surface is not touched. Raises ValueError for another number of masks."""
    count, space = len(geometry.rig.viewpoints), geometry.space
    if len(masks) != count:
        raise ValueError(f"{len(masks)} masks for {count} views; paint one mask a view, black where nothing is")
    out = torch.zeros(len(geometry.texels(space.height, space.width).index))
    painted = [i for i in range(count) if bool((masks[i] > 0).any())]
    for number, sight in zip(painted, sights(geometry, masks.shape[1], masks.shape[2], painted), strict=True):
        value = sight.read(masks[number].float().reshape(-1, 1))[:, 0]
        out[sight.texel] = torch.maximum(out[sight.texel], value)
    return out
