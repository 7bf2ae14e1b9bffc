"""What moves on a sphere: a motion of equirectangular frames whose left and right edges meet, and whose poles are
places like any other.

Flows are pixels, as everywhere. What is asked of them is worked out with the directions that they lead to: next to a
pole, pixels that are neighbours on the sphere may be half a picture apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arrays import norm
from ..panorama.space import cell_across, check_whole_sphere, equirect_positions
from ..pictures import corners
from ..video.chains import Chain, beginnings, settled
from ..video.motion import Motion, Projection, check_flows, comes_back
from .places import direction_at, directions_of, flow_to, led_to, read_sphere, turn_between, unit


@dataclass(frozen=True, eq=False)
class SphereMotion(Motion):
    """See ``Motion``. Flows go the short way around."""

    projection: ClassVar[Projection] = "panorama"

    @staticmethod
    def of(back: Tensor, ahead: Tensor, loop: bool) -> SphereMotion:
        check_flows(back, ahead)
        check_whole_sphere("a frame", back.shape[2], back.shape[1], "projection flat")
        behind = torch.stack([returns(back[t], ahead[t - 1]) for t in range(len(back))])
        before = torch.stack([returns(ahead[t], back[(t + 1) % len(back)]) for t in range(len(back))])
        if not loop:
            behind[0], before[-1] = False, False
        back, ahead = (torch.stack([flow_to(led_to(each)) for each in flows]) for flows in (back, ahead))
        return SphereMotion(back, ahead, behind, before)

    def on_cells(self, cell: int) -> SphereMotion:
        if cell == 1:
            return self
        (back, behind), (ahead, before) = (
            _pooled(flow, known, cell) for flow, known in ((self.back, self.behind), (self.ahead, self.before))
        )
        return SphereMotion(back, ahead, behind, before)

    def chain(self, flow: Tensor, known: Tensor, order: Iterable[tuple[int, int]]) -> Chain:
        return sphere_chained(flow, known, order)

    def shown_before(self, picture: Tensor, number: int) -> Tensor:
        return read_sphere(picture, led_to(self.back[number]))

    def drawn(self) -> Tensor:
        """Lengths are those on the sphere: near the poles a few steps are many columns."""
        across = torch.stack([self.areas, torch.ones_like(self.areas)], -1)
        return Motion(self.back, self.ahead * across, self.behind, self.before).drawn()

    @property
    def areas(self) -> Tensor:
        """By what a pixel is of the sphere."""
        rows = self.back.shape[1]
        return norm(directions_of(rows, 2 * rows)[:, :1, [0, 2]], -1).float()


def returns(flow: Tensor, reverse: Tensor) -> Tensor:
    """bool [H, W]: whether ``reverse``, of the frame that ``flow`` [H, W, 2] leads to, leads back. Measured on the
    sphere, in pixels of its equator."""
    own = directions_of(*flow.shape[:2])
    pixel = torch.pi / flow.shape[0]
    there = led_to(flow)
    ended = unit(read_sphere(led_to(reverse), there))
    off, gone, came = ((a - b).square().sum(-1) / pixel**2 for a, b in ((ended, own), (there, own), (ended, there)))
    return comes_back(off, gone + came)


def reverse_of(flow: Tensor) -> Tensor:
    """The flow back, [H, W, 2]: from each place to the one that ``flow`` leads from, found step by step; where none
    does, anywhere."""
    own, there = directions_of(*flow.shape[:2]), led_to(flow)
    start = unit(2 * own - there)
    for _ in range(_STEPS):
        start = unit(start - read_sphere(there, start) + own)
    return flow_to(start)


# Steps that a way back is found in: turns of up to 40 degrees a frame are then right to a hundredth of a pixel.
_STEPS = 24


@dataclass(frozen=True)
class SphereChain(Chain):
    """See ``Chain``."""

    def place(self, rows: Tensor, columns: Tensor) -> Tensor:
        height, width = self.cell.shape[1:]
        return cell_across(rows, columns, height, width)


def sphere_chained(flow: Tensor, known: Tensor, order: Iterable[tuple[int, int]]) -> SphereChain:
    """See ``chained``."""
    height, width = known.shape[1:]
    row, column, key, cell = beginnings(*known.shape)
    for frame, source in order:
        y, x = equirect_positions(led_to(flow[frame]), height, width)
        nearest = cell_across(y.floor(), x.floor(), height, width)
        kept = key[source].flatten()[nearest]
        # Where it began lies between where its neighbours did, of those that began in the same frame.
        rows, columns, shares = corners(y, x)
        around = cell_across(rows, columns, height, width)
        alike = key[source].flatten()[around] == kept[..., None]
        began = direction_at(row[source].flatten()[around], column[source].flatten()[around], height, width)
        began = unit((began * (shares * alike)[..., None]).sum(-2))
        y, x = equirect_positions(began, height, width)
        goes = settled(torch.cat([known[frame, :, -1:], known[frame], known[frame, :, :1]], 1))[:, 1:-1]
        there = kept.long() * height * width + cell_across(y.floor(), x.floor(), height, width)
        row[frame] = torch.where(goes, (y - 0.5).float(), row[frame])
        column[frame] = torch.where(goes, (x - 0.5).float(), column[frame])
        key[frame] = torch.where(goes, kept, key[frame])
        cell[frame] = torch.where(goes, cell.flatten()[there], cell[frame])
    return SphereChain(key, row, column, cell)


def _pooled(flow: Tensor, known: Tensor, cell: int) -> tuple[Tensor, Tensor]:
    """The turns of what is known of each cell, frame after frame."""
    rows, columns = flow.shape[1] // cell, flow.shape[2] // cell
    own, middles = directions_of(*flow.shape[1:3]), directions_of(rows, columns)
    flows = list[Tensor]()
    for way, sure in zip(flow, known, strict=True):
        turns = turn_between(own * sure[..., None], led_to(way), cell)
        some = F.max_pool2d(sure.float()[None], cell)[0, ..., None] > 0
        turned = (turns @ middles[..., None])[..., 0]
        flows.append(flow_to(torch.where(some, turned, middles)))
    return torch.stack(flows), F.avg_pool2d(known.float()[:, None], cell)[:, 0] > 0.5
