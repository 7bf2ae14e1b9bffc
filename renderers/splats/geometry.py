"""Splats and the cameras around them, as a scene asks for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...sync_core.aggregate import Method
from ...sync_core.linear_map import LinearMap
from ...sync_core.views import Composite, ViewSet
from ...sync_core.walked import Views
from ..cameras.backgrounds import Background
from ..cameras.viewpoints import Orbit, Viewpoint
from ..cells import check_multiple
from ..counts import RigCoverage, RigSight, Words, coverage_on_cells, heat_square, sight
from ..directions import ViewPlace, orbit_places
from ..geometry import Geometry, Wing
from ..neighbours import angles_between
from ..picture_means import MeanWish, PictureMeans
from ..pictures import contact_sheet
from .background import background_pixels
from .drawn import splat_drawing
from .memory import check_memory, estimated_entries, free_memory
from .solve.blocks import pixel_weights
from .solve.picture_mean import SplatMean
from .solve.solve import BYTES_FOR_MANY, BYTES_PER_ENTRY, SplatSolver
from .space import SplatColours
from .weights.project import project
from .weights.tiles import ViewWeights
from .weights.weights import pooled

# Peak main memory for one entry of the maps of latents, built, averaged and applied.
_BYTES_OF_MAPS = 120
# A latent's cell is the mean of at most this many by this many pixels.
_PARTS = 4
# Views whose entries are estimated, spread over the rig.
_SAMPLED = 4
# What flat looks count at least: a splat that nobody sees straight still takes the colours that are seen.
_LEAST = 1e-4
# A view sees a splat that shows this share of what the best view shows of it.
_WELL = 0.35


@dataclass(frozen=True, eq=False)
class SplatGeometry(Geometry):
    """See ``Geometry``. Canonical pictures are [B, C, 1, K]. Views are not weighted by the rig's exponent:
    not all splats have a surface to measure angles from, and what a view sees of one counts; the space's ``facing``
    weighs pixels by the splats that do."""

    space: SplatColours
    rig: Orbit

    @property
    def size(self) -> tuple[int, int]:
        return self.space.width, self.space.height

    @property
    def view_size(self) -> tuple[int, int]:
        return self.rig.width, self.rig.height

    @property
    def background(self) -> Background | None:
        return self.rig.background

    @property
    def viewpoints(self) -> tuple[Viewpoint, ...]:
        """The cameras in the scene's coordinates."""
        return self.space.splats.cameras(self.rig)

    def grid(self, cell: int) -> tuple[int, int]:
        return self.space.grid(cell)

    def views(self, cell: int, finer: int) -> ViewSet:
        """Raises ValueError for cameras that see nothing, and when the maps do not fit the free memory."""
        check_multiple("view width", self.rig.width, cell)
        check_multiple("view height", self.rig.height, cell)
        height, width = (size // cell * finer for size in (self.rig.height, self.rig.width))
        canonical = self.space.grid(max(1, cell // finer))
        # Splats much smaller than a latent's cell would each be too faint there to count: a cell is the mean of pixels.
        parts = min(_PARTS, max(1, cell // finer))
        key = ("views", self.viewpoints, height, width, canonical)
        return self.space.kept.get(key, lambda: self._views(height, width, canonical, parts))

    def _views(self, height: int, width: int, canonical: tuple[int, int], parts: int) -> ViewSet:
        columns = canonical[0] * canonical[1]
        fine = self._weights(height * parts, width * parts, _BYTES_OF_MAPS // parts, columns)
        found = [pooled(weights, width * parts, parts, self.space.prune) for weights in fine]
        starts = torch.tensor([0, *(w.map.nnz for w in found)]).cumsum(0)
        offsets = [torch.zeros(1, dtype=torch.int32)]
        offsets += [w.map.offsets[1:] + int(start) for w, start in zip(found, starts, strict=False)]
        alpha = torch.cat([w.alpha for w in found])
        forward = LinearMap(
            torch.cat(offsets).to(torch.int32),
            torch.cat([w.map.indices for w in found]),
            torch.cat([w.map.weights for w in found]),
            found[0].map.cols,
        )
        pixels = torch.arange(len(found))[:, None] * (height * width)
        behind = (background_pixels(alpha.reshape(-1, height, width)) + pixels).reshape(-1)
        weights = pixel_weights(alpha)
        if self.space.facing:
            weights = weights * self._straightness(found, alpha).pow(self.space.facing).clamp_min(_LEAST)
        return ViewSet(forward, canonical, height, width, weights, composite=Composite(alpha, behind))

    def _straightness(self, found: Sequence[ViewWeights], alpha: Tensor) -> Tensor:
        """float32 [N*h*w]: how straight views look at what their pixels show, 1 where no view looks straighter."""
        beyond = found[0].map.cols - len(self.space.splats)
        cosines = torch.stack([F.pad(self.space.straightness(v), (0, beyond)) for v in self.viewpoints])
        shown = torch.stack([torch.zeros_like(cosines[0]) for _ in found])
        for amount, weights in zip(shown, found, strict=True):
            amount.index_add_(0, weights.map.indices.long(), weights.map.weights)
        # (compared with the best look at each splat: least squares hold what counts little to a mean, which is soft)
        best = (cosines * (shown >= _WELL * shown.amax(0))).amax(0)
        shares = (cosines / best.clamp_min(1e-3)).clamp_max(1)
        pixels = [w.map.apply(share[:, None])[:, 0] for w, share in zip(found, shares, strict=True)]
        return (torch.cat(pixels) / alpha.clamp_min(1e-6)).clamp(0, 1)

    def _weights(self, height: int, width: int, each: int, columns: int | None = None) -> Iterator[ViewWeights]:
        """View after view; ``each``: bytes an entry will take. Raises ValueError as ``views``."""
        self.check(height, width, each)
        for number, viewpoint in enumerate(self.viewpoints):
            found = self.space.weights(viewpoint, height, width, columns)
            if found.map.nnz == 0:
                raise ValueError(self._blind(number))
            yield found

    def check(self, height: int, width: int, each: int = BYTES_PER_ENTRY) -> None:
        """Raise ValueError when views of this size would take more memory than is free, by an estimate."""
        viewpoints, splats = self.viewpoints, self.space.splats
        step = max(1, len(viewpoints) // _SAMPLED)
        sample = [
            estimated_entries(project(splats, v, height, width, self.space.rule), self.space.prune)
            for v in viewpoints[::step]
        ]
        entries = sum(sample) * len(viewpoints) // len(sample)
        check_memory(splats.name, entries, each, len(viewpoints), len(splats), free_memory(), max(sample))

    def _blind(self, number: int) -> str:
        place = self.places()[number]
        x, y, z = self.viewpoints[number].position
        return (
            f"camera {number + 1} of {len(self.viewpoints)} ({place or 'straight up or down'}; at {x:.3g}, {y:.3g}, "
            f"{z:.3g}) sees none of the splats '{self.space.splats.name}'; remove it, or move it further away and "
            "towards them"
        )

    def solver(self, many: bool = False) -> SplatSolver:
        """What solves for colours from pictures of the rig's size; many: at every step of a run
        (``SplatSolver.for_many``). Raises ValueError as ``views``."""
        height, width = self.rig.height, self.rig.width
        key = ("solver", self.viewpoints, height, width)
        each = BYTES_FOR_MANY if many else BYTES_PER_ENTRY
        build = lambda: SplatSolver.of(self._weights(height, width, each), height, width)  # noqa: E731
        found: SplatSolver = self.space.kept.get(key, build)
        return found.for_many if many else found

    def places(self) -> tuple[ViewPlace, ...]:
        return orbit_places(self.space.splats.upright(self.rig), self.rig.front)

    def distances(self, cell: int) -> Tensor:
        return angles_between(torch.tensor([view.backward for view in self.rig.viewpoints], dtype=torch.float64))

    def cell_of(self, rows: int, columns: int) -> int:
        if self.grid(rows) == (rows, columns):
            return rows
        raise ValueError(
            f"a canonical latent of {columns} x {rows} cells does not hold {self.space.width} splats; encode "
            "SplatSpace's colours with ExemplarModel's VAE, or leave canonical unconnected"
        )

    def on_canvas(self, pictures: Tensor, what: str = "picture") -> Tensor:
        rows, columns = pictures.shape[-2:]
        if (columns, rows) == self.size:
            return pictures
        raise ValueError(
            f"a {what} of {columns} x {rows} is none of {self.space.width} splats, which have one pixel each; connect "
            "SplatMask, or SplatSpace's colours"
        )

    def mask_cells(self, mask: Tensor, views: Views) -> Tensor:
        """A mask over splats, [.., 1, K] in the file's order, on the grid of ``views``. Raises ValueError for a
        picture, which has no place for splats."""
        if tuple(mask.shape[-2:]) == views.canonical:
            return mask
        width = self.space.width
        if tuple(mask.shape[-2:]) != (1, width):
            raise ValueError(
                f"a mask of {mask.shape[-1]} x {mask.shape[-2]} does not say which of {width} splats it means; use a "
                f"mask of {width} x 1, a value for each"
            )
        return self.space.laid_out(mask.squeeze(-2), views.canonical[0])

    def means(self, wish: MeanWish) -> PictureMeans:
        return SplatMeans(self, wish.plan.method)

    def preview(self, clean: Tensor, whole: Callable[[], Tensor]) -> Tensor:
        """A list of colours is no picture; the views are."""
        return contact_sheet(clean[: len(self.rig.viewpoints)])

    def real_cells(self, views: Views) -> Tensor:
        """The last places of a grid hold no splat."""
        return torch.arange(views.cells) < len(self.space.splats)

    def coverage(self) -> RigCoverage:
        found = coverage_on_cells(self.views)
        return RigCoverage(self.space.in_order(found.per_cell)[None], found.area[:1])

    @property
    def words(self) -> Words:
        holes = (
            "are seen by no view (inside of the object, below it, or hidden); add cameras for those that matter, e.g. "
            "by OrbitRig's kind coverage"
        )
        return Words(f"{self.space.width} splats", "splats", "splat", holes)

    def sight(self) -> RigSight:
        """A square, one pixel a splat."""
        found = self.coverage()
        picture = heat_square(found.per_cell[0])
        return sight(found, picture, self.words, len(self.rig.viewpoints), self.view_size)

    def drawing(self, size: int, turn: float) -> Tensor:
        """The splats in grey with the cameras around them."""
        return splat_drawing(self.space, self.rig, size, turn)

    def count_picture(self, counts: Tensor, cell: int) -> Tensor:
        """A square, one pixel a splat."""
        return heat_square(self.space.in_order(counts))

    def look(self, picture: Tensor) -> Tensor:
        """[B, C, 1, K] -> [B*N, C, h, w]; background is 0. Views are made one at a time and not kept."""
        batch, channels = picture.shape[:2]
        columns = picture.reshape(batch * channels, -1).T
        size = (self.rig.height, self.rig.width)
        seen = [
            self.space.weights(v, *size).map.apply(columns.to("cpu")).T.reshape(batch, channels, *size)
            for v in self.viewpoints
        ]
        return torch.stack(seen, 1).flatten(0, 1).to(picture.device)

    def stitch(self, cell: int, images: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
        """Solved for by least squares; the picture is [1, K, C], its weight what all views together see of a splat."""
        solver = self.solver()
        given = list(images)
        solver.check(len(given), tuple(given[0].shape[:2]) if given else (0, 0))
        return solver(given, limits=(0.0, 1.0))[None], solver.seen[None]

    def seam_ratio(self, picture: Tensor, cell: int) -> float:
        """nan: colours of splats lie next to no other in the picture [C, rows, columns]."""
        return math.nan


@dataclass
class SplatMeans:
    """See ``PictureMeans``. A solve starts from the colours of the step before."""

    geometry: SplatGeometry
    method: Method
    _colours: Sequence[Tensor] = ()

    def begin(self, total: int, progress: float) -> SplatMean:
        return SplatMean(self.geometry.solver(many=self.method != "mean"), self.method, self._colours)

    def keep(self, mean: SplatMean) -> None:
        self._colours = mean.colours


WING = Wing(SplatColours, Orbit, SplatGeometry, "splats", "connect OrbitRig or CameraFileRig")
