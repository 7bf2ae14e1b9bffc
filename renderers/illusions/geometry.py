"""A picture and the warps it is read through, as a scene asks for them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...sync_core.aggregate import Aggregator
from ...sync_core.noise import nearest_part
from ...sync_core.views import ViewSet
from ..arrays import unflatten
from ..counts import RigCoverage, Words, coverage_on_cells, heat
from ..directions import ViewPlace
from ..geometry import Geometry, Wing
from ..picture_means import MapMeans, MeanWish, PictureMeans
from .advice import noise_notes
from .drawn import card, readings_drawing
from .frames import GREY
from .space import Illusion, Warps, illusion_views
from .warp import Permutation

_CELL = 8


@dataclass(frozen=True)
class IllusionGeometry(Geometry):
    """See ``Geometry``. Pictures have values 0..1; warps act about the middle grey. Raises ValueError for a rig
    that is not complete."""

    space: Illusion
    rig: Warps

    def __post_init__(self) -> None:
        self.rig.check()

    @property
    def size(self) -> tuple[int, int]:
        return self.space.width, self.space.height

    @property
    def view_size(self) -> tuple[int, int]:
        """The picture's own: warps have no size."""
        return self.size

    def grid(self, cell: int) -> tuple[int, int]:
        return self.space.grid(cell)

    def views(self, cell: int, finer: int) -> ViewSet:
        rows, columns = self.space.view_grid(cell)
        return illusion_views(self.space, self.rig, rows * finer, columns * finer, cell // finer or 1)

    def places(self) -> tuple[ViewPlace, ...]:
        return tuple(ViewPlace(i) for i in range(len(self.rig.warps)))

    @property
    def apart(self) -> str:
        return "the readings of an illusion are meant to show different things; give them one prompt"

    def noise_notes(self, process: int, height: int, width: int) -> list[str]:
        return noise_notes(self.space, self.rig, process, height, width)

    def means(self, wish: MeanWish) -> PictureMeans:
        return MapMeans.of(wish, self.picture_entries, centre=GREY)

    def coverage(self) -> RigCoverage:
        # Pictures for warps may have any size, where the model works on pixels.
        whole = self.space.width % _CELL == 0 and self.space.height % _CELL == 0
        return coverage_on_cells(self.views, _CELL if whole else 1)

    @property
    def words(self) -> Words:
        holes = "is seen by no reading and stays grey; add a reading that shows all of it, e.g. identity"
        return replace(Words.of(self.size), holes=holes)

    def count_picture(self, counts: Tensor, cell: int) -> Tensor:
        """Planes lie below each other."""
        picture = heat(counts, counts.shape[0] * cell, counts.shape[1] * cell)
        return picture[: self.space.planes * self.space.height, : self.space.width].contiguous()

    def drawing(self, size: int, turn: float) -> Tensor:
        """What each reading makes of a card."""
        width, height, planes = self.space.width, self.space.height, self.space.planes
        cards = [card(width, height, plane, planes) for plane in range(planes)]
        seen = self.look(torch.cat(cards, 1)[None])
        return readings_drawing(cards, seen, [warp.name for warp in self.rig.warps], size)

    def blended(self, picture: Tensor) -> Tensor:
        """The planes [B, C, n * H, W] as each view's warp gets them: [B, N, C, H, W]."""
        planes = unflatten(picture, 2, (self.space.planes, -1)) - GREY
        blends = torch.tensor(self.rig.blends(self.space.planes)).to(picture)
        return torch.einsum("vn,bcnhw->bvchw", blends, planes) + GREY

    def look(self, picture: Tensor) -> Tensor:
        if picture.shape[1] == 1:
            return self._look_at_mask(picture)
        alone = self.space.planes == 1 and not self.rig.blend
        pictures = None if alone else self.blended(picture)
        seen: list[Tensor] = []
        for number, warp in enumerate(self.rig.warps):
            one = picture if pictures is None else pictures[:, number]
            # Moving pixels changes no bit of them.
            seen.append(warp.view(one) if isinstance(warp, Permutation) else warp.view(one - GREY) + GREY)
        return torch.stack(seen, 1).flatten(0, 1)

    def _look_at_mask(self, mask: Tensor) -> Tensor:
        """One channel is a mask [B, 1, H, W], the same for all planes: signs do not turn it over, and where a view sees
        nothing it is 0."""
        height, width = mask.shape[-2:]
        columns = mask.reshape(-1, height * width).T
        seen: list[Tensor] = []
        for warp in self.rig.warps:
            warp.check(height, width)
            matrix = warp.map(height, width).to(mask.device)
            seen.append(matrix.with_weights(matrix.weights.abs()).apply(columns).T.reshape(mask.shape))
        return torch.stack(seen, 1).flatten(0, 1)

    def stitch(self, cell: int, images: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
        views = self.views(cell, cell)
        given = list(images)
        size = (views.height, views.width)
        if len(given) != views.count or any(tuple(i.shape[:2]) != size for i in given):
            sizes = ", ".join(sorted({f"{i.shape[1]} x {i.shape[0]}" for i in given}))
            raise ValueError(
                f"{len(given)} images of {sizes or 'no size'} for {views.count} warps of {size[1]} x {size[0]}; "
                "connect all decoded views of this rig"
            )
        batch = torch.stack(given).to("cpu", torch.float32).movedim(-1, 1) - GREY
        picture = Aggregator(views)(batch)[0].movedim(0, -1) + GREY
        cells, pixels, shares = views.contributions()
        weight = torch.zeros(views.cells).index_add_(0, cells, shares.abs().float() * views.weights[pixels])
        return picture, weight.reshape(picture.shape[:2])

    def seam_ratio(self, picture: Tensor, cell: int) -> float:
        """Squared steps of the picture [C, rows, columns] where a warp tears neighbours apart, over those elsewhere;
        nan when nothing is torn, or everything."""
        rows, columns = self.space.view_grid(cell)
        views = illusion_views(Illusion(columns, rows), Warps(self.rig.warps), rows, columns)
        across, down = torn_edges(views)
        flat = unflatten(picture.double(), 1, (self.space.planes, -1)).mean(1)
        found = expected = count = 0.0
        for torn, step in ((across, flat.diff(dim=2)), (down, flat.diff(dim=1))):
            energy = step.square().mean(0).cpu()
            if not bool(torn.any()) or bool(torn.all()):
                continue
            found += float(energy[torn].sum())
            expected += float(energy[~torn].mean()) * int(torn.sum())
            count += 1
        if not count:
            return math.nan
        if expected == 0.0:
            return 1.0 if found == 0.0 else math.inf
        return found / expected


def torn_edges(views: ViewSet) -> tuple[Tensor, Tensor]:
    """bool ([H, W - 1], [H - 1, W]): neighbouring cells that some view shows more than one and a half pixels apart."""
    rows, columns = views.canonical
    nearest = nearest_part(views)
    size = views.height * views.width
    across = torch.zeros(rows, columns - 1, dtype=torch.bool)
    down = torch.zeros(rows - 1, columns, dtype=torch.bool)
    pixel, cell = nearest.row_of_entry, nearest.indices.long()
    for number in range(views.count):
        own = pixel // size == number
        place = torch.full((views.cells,), -1, dtype=torch.int64)
        place[cell[own]] = pixel[own] % size
        place = place.reshape(rows, columns)
        for torn, a, b in ((across, place[:, :-1], place[:, 1:]), (down, place[:-1], place[1:])):
            away = ((a // views.width - b // views.width) ** 2 + (a % views.width - b % views.width) ** 2) > 2.25
            torn |= away & (a >= 0) & (b >= 0)
    return across, down


WING = Wing(Illusion, Warps, IllusionGeometry, "an illusion", "connect IllusionRig")
