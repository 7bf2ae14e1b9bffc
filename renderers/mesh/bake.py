"""Views of a mesh painted into its texture: every texel reads the views that see it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..viewpoints import Viewpoint
from .mesh import Mesh
from .normals import corner_normals
from .point_view import Taps, buffer_size, look_at_points, taps, to_camera, visible
from .raster import Backend, depth_buffer
from .uv_raster import Texels

Weighting = Literal["cosine", "best view"]
WEIGHTINGS: tuple[Weighting, ...] = ("cosine", "best view")

# How decidedly the straightest view wins the fine detail.
_DECISION = 24.0
# Neighbouring pixels whose depths differ by more than this part lie on different surfaces.
_STEP = 0.03
# Views are compared where both see a texel at no flatter an angle.
_WELL = 0.5


@dataclass(frozen=True)
class Look:
    """What one view knows of the texels: which it sees (int64 [m]), where they read it, the cosine of the angle [m],
    and how many pixels from an outline, a step in depth or the frame they are [m]."""

    texel: Tensor
    taps: Taps
    cosine: Tensor
    from_edge: Tensor


@torch.no_grad()
def looks(
    mesh: Mesh,
    texels: Texels,
    cameras: Sequence[Viewpoint],
    height: int,
    width: int,
    backend: Backend = "auto",
) -> Iterator[Look]:
    """Of each camera (in the mesh's coordinates) with views of ``width`` x ``height`` pixels, one at a time.

    A texel is seen where it faces the camera and nothing is nearer, by a depth buffer of at least 1024 pixels; it reads
    only pixels that see its own surface, so that no colour of the background or of another part reaches it.
    """
    smooth = (corner_normals(mesh)[texels.face] * texels.bary[..., None]).sum(1)
    place, normal = texels.position.double(), texels.normal.double()
    smooth = F.normalize(smooth, dim=-1).double()
    for camera in cameras:
        high = depth_buffer(mesh.vertices, mesh.faces, camera, *buffer_size(height, width), backend)
        own = depth_buffer(mesh.vertices, mesh.faces, camera, height, width, backend)
        every = look_at_points(camera, place, normal, height, width)
        texel = torch.nonzero(visible(camera, every, high)).squeeze(1)
        seen = look_at_points(camera, place[texel], normal[texel], height, width)
        read = taps(camera, seen, own)
        cosine = (to_camera(camera, place[texel]) * smooth[texel]).sum(1).clamp(1e-3, 1)
        edge = _from_edge(own)[seen.row.long(), seen.column.long()]
        use = read.usable
        yield Look(texel[use], Taps(read.pixel[use], read.weight[use].float()), cosine[use].float(), edge[use])


def _from_edge(depths: Tensor) -> Tensor:
    """float32 [h, w]: pixels from the nearest pixel beside an outline, a step in depth, or the frame; 0 on it."""
    from scipy.ndimage import distance_transform_edt

    height, width = depths.shape
    edge = torch.zeros(height + 2, width + 2, dtype=torch.bool)
    edge[[0, -1]] = True
    edge[:, [0, -1]] = True
    inner = edge[1:-1, 1:-1]
    near = torch.where(torch.isinf(depths), 0.0, 1 / depths)
    for axis in (0, 1):
        one, two = near.narrow(axis, 0, near.shape[axis] - 1), near.narrow(axis, 1, near.shape[axis] - 1)
        step = (one - two).abs() > _STEP * torch.maximum(one, two)
        inner.narrow(axis, 0, near.shape[axis] - 1).logical_or_(step)
        inner.narrow(axis, 1, near.shape[axis] - 1).logical_or_(step)
    far: Any = distance_transform_edt(~edge.numpy())
    return torch.from_numpy(far)[1:-1, 1:-1].float()


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
    mesh: Mesh,
    texels: Texels,
    cameras: Sequence[Viewpoint],
    images: Iterable[Tensor],
    exponent: float = 6.0,
    weighting: Weighting = "cosine",
    detail: float = 4.0,
    border: float = 2.0,
    backend: Backend = "auto",
) -> Baked:
    """Images [h, w, C] of ``cameras`` (in the mesh's coordinates), in their order -> the colours of the texels.

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
    stream = iter(images)
    blend: _Blend | None = None
    pending: Iterator[Look] | None = None
    for number in range(len(cameras)):
        image = next(stream, None)
        if image is None:
            raise ValueError(f"{number} images for a rig of {len(cameras)} views; connect all views of the same rig")
        if blend is None or pending is None:
            blend = _Blend(len(texels.index), image.shape[2], exponent, weighting, detail, border)
            pending = looks(mesh, texels, cameras, image.shape[0], image.shape[1], backend)
        blend.add(next(pending), image.float())
    if blend is None or next(stream, None) is not None:
        raise ValueError(f"more images than the rig's {len(cameras)} views; connect views of the same rig")
    return blend.baked()


class _Blend:
    """Sums over the views so far, for every texel."""

    def __init__(
        self, count: int, channels: int, exponent: float, weighting: Weighting, detail: float, border: float
    ) -> None:
        self.border = max(border, 1e-3)
        self.exponent, self.best_only = exponent, weighting == "best view"
        self.detail = 0.0 if self.best_only else detail
        self.weight, self.sums = torch.zeros(count), torch.zeros(count, channels)
        self.fine_weight = torch.zeros(count if self.detail > 0 else 0)
        self.fine = torch.zeros(count if self.detail > 0 else 0, channels)
        self.cosine = torch.zeros(count)
        # Of the views that see a texel well: how many, their sum, and the sum of their squares.
        self.well = torch.zeros(count)
        self.total, self.square = torch.zeros(count, channels, dtype=torch.float64), torch.zeros(count).double()
        self.kept: list[tuple[Tensor, Tensor]] = []

    def add(self, look: Look, image: Tensor) -> None:
        flat = image.reshape(-1, image.shape[2])
        full = look.taps.read(flat)
        here, straight = look.texel, look.cosine * (look.from_edge / self.border).clamp(1e-3, 1)
        if self.best_only:
            better = straight > self.weight[here]
            self.weight[here[better]] = straight[better]
            self.sums[here[better]] = full[better] * straight[better, None]
        else:
            # Beside an outline a blur is one-sided, and differs from that of views which see further.
            reach = max(self.border, 2 * self.detail)
            inner = (look.from_edge / reach).clamp(1e-4, 1).square()
            weight = (look.cosine.double().pow(self.exponent).float() * inner).clamp_min(1e-20)
            coarse = full
            if self.detail > 0:
                coarse = look.taps.read(_blurred(image, look, self.detail).reshape(flat.shape))
                decided = straight.double().pow(max(_DECISION, self.exponent)).float().clamp_min(1e-30)
                self.fine_weight[here] += decided
                self.fine[here] += decided[:, None] * (full - coarse)
            self.weight[here] += weight
            self.sums[here] += weight[:, None] * coarse
        self.cosine[here] = torch.maximum(self.cosine[here], look.cosine)
        well = (look.cosine >= _WELL) & (look.from_edge >= self.border)
        there, value = here[well], full[well].double()
        self.well[there] += 1
        self.total[there] += value
        self.square[there] += value.square().sum(1)
        self.kept.append((there, full[well]))

    def baked(self) -> Baked:
        seen = self.weight > 0
        colours = torch.where(seen[:, None], self.sums / self.weight.clamp_min(1e-30)[:, None], 0.0)
        if self.detail > 0:
            colours += torch.where(seen[:, None], self.fine / self.fine_weight.clamp_min(1e-38)[:, None], 0.0)
        several = self.well >= 2
        count = self.well[several].double()
        spread = self.square[several] - self.total[several].square().sum(1) / count
        # The mean squared difference of two of n values is twice their variance with n - 1.
        pairs = (2 * spread / (count - 1) / self.sums.shape[1]).clamp_min(0)
        of_view = tuple(_psnr((value - colours[here]).square()) for here, value in self.kept)
        return Baked(colours, seen, self.cosine, _psnr(pairs), of_view)


def _psnr(squares: Tensor) -> float:
    if not squares.numel():
        return math.nan
    error = float(squares.double().mean())
    # Below half a millionth of the range is rounding.
    return math.inf if error < 2.5e-13 else -10 * math.log10(error)


def _blurred(image: Tensor, look: Look, size: float) -> Tensor:
    """An image [h, w, C] under a bell with a standard deviation of ``size`` pixels, of the pixels that texels read:
    what is not the object takes no part."""
    height, width, channels = image.shape
    known = torch.zeros(height * width)
    known[look.taps.pixel[look.taps.weight > 0]] = 1
    known = known.reshape(height, width, 1)
    radius = max(1, math.ceil(3 * size))
    line = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / size) ** 2)
    planes = torch.cat([image * known, known], -1).movedim(-1, 0)[None]
    kernel = line[None, None].expand(channels + 1, 1, -1)
    across = F.conv2d(planes, kernel[:, :, None], padding=(0, radius), groups=channels + 1)
    both = F.conv2d(across, kernel[..., None], padding=(radius, 0), groups=channels + 1)
    mean = both[0, :channels] / both[0, channels:].clamp_min(1e-12)
    return torch.where(known > 0, mean.movedim(0, -1), image)
