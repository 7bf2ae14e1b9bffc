"""What a canonical space and a rig know together: the questions that everything above asks, and their usual answers.

A wing (a folder here: plane, panorama, illusions, mesh, splats) answers with a ``Geometry`` of its own. Nothing outside
of it asks of what kind a space is: what differs is a question here.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..sync_core.quality import BANDS
from ..sync_core.views import ViewSet
from ..sync_core.visits.cover import Covers
from ..sync_core.visits.policy import Tilings
from ..sync_core.walked import Views
from .borders import Borders
from .cameras.backgrounds import Background
from .cameras.chosen import Coverage
from .cameras.orbits import Lens
from .cameras.viewpoints import Orbit, Vector, Viewpoint
from .counts import RigCoverage, RigSight, Words, coverage_on_cells, enlarged_heat, heat, sight
from .directions import ViewPlace, middle_of
from .picture_means import MapMeans, MeanWish, PictureMeans, stored_entries
from .pictures import IMAGE, Clip, on_canvas, scaled_to
from .sheets import Sheet, cylinder, on_places, one_place


class Space(Protocol):
    """The picture that all views share, as a value: a frozen dataclass."""

    @property
    def kind(self) -> str:
        """A word for messages, as nodes call it."""
        ...

    @property
    def width(self) -> int:
        """Image pixels."""
        ...

    @property
    def height(self) -> int:
        """Image pixels."""
        ...

    @property
    def borders(self) -> Borders | None:
        """What lies beyond its borders; None where it is no picture that could be looked at as it is."""
        ...


class Rig(Protocol):
    """How views look at a space, as a value: a frozen dataclass."""

    @property
    def kind(self) -> str:
        """A word for messages, as nodes call it."""
        ...


class Geometry(Protocol):
    """What a pair of space and rig knows. cell: image pixels per canonical cell.

    The first questions have no usual answer. A wing inherits the others, which hold no state, or answers them itself.
    """

    # --- each wing's own

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """(width, height) of the canonical picture in image pixels."""

    @property
    @abstractmethod
    def view_size(self) -> tuple[int, int]:
        """(width, height) of every view in image pixels."""

    @abstractmethod
    def grid(self, cell: int) -> tuple[int, int]:
        """(rows, columns) of canonical cells."""

    @abstractmethod
    def views(self, cell: int, finer: int) -> Views:
        """The views on cells of ``cell`` pixels, each divided into ``finer`` x ``finer``."""

    @abstractmethod
    def places(self) -> tuple[ViewPlace, ...]:
        """Where each view is, in rig order."""

    @abstractmethod
    def look(self, picture: Tensor) -> Tensor:
        """A canonical picture [B, C, H, W] of the space's size in pixels -> what the views see [B*N, C, h, w]."""

    @abstractmethod
    def stitch(self, cell: int, images: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
        """The N view images [h, w, C] of one picture -> (picture [H, W, C], weight [H, W], 0 where nobody looks).
        Raises ValueError when number or size do not match the rig."""

    @abstractmethod
    def seam_ratio(self, picture: Tensor, cell: int) -> float:
        """Seam ratio of a canonical signal [C, rows, columns] on cells of ``cell`` pixels (quality.py)."""

    def border_energy(self, picture: Tensor, cell: int) -> tuple[float, ...]:
        """Energy near the borders of views over that elsewhere of a canonical signal [C, rows, columns], of bands from
        fine to coarse (quality.py). Usually nan: borders that cross cells are not measured."""
        return (math.nan,) * BANDS

    # --- the views

    def count(self, cell: int) -> int:
        """How many views there are on cells of ``cell`` pixels."""
        return len(self.places())

    def distances(self, cell: int) -> Tensor:
        """float64 [N, N], symmetric, diagonal 0: how far views are from each other. Usually all equally far."""
        return 1 - torch.eye(self.count(cell), dtype=torch.float64)

    def sheet(self, cell: int) -> Sheet:
        """Where the views lie on one flat sheet. Usually cameras lie on a cylinder, on which a view is a quarter turn
        wide, and what are no cameras all at one place."""
        places, (width, height) = self.places(), self.view_size
        if any(place.elevation is None for place in places):
            return one_place(len(places), height // cell, width // cell)
        return cylinder(places, height // cell, width // cell, math.pi / 2)

    def shown(
        self, cell: int, view: int, others: Sequence[int], grid: tuple[int, int], through: Callable[[], Tensor]
    ) -> Tensor:
        """bool [len(others), *grid]: which places of a view, on its grid of (rows, columns), each of the others shows
        too. ``through``: what maps say of all views, bool [N, N, h, w] of cells."""
        return on_places(through()[view, list(others)], grid)

    def middle(self, cell: int) -> int:
        """The view that others are made to look like, where nobody names one: nearest to the canvas's middle or to the
        front; the first of views that are nowhere."""
        return middle_of(self.places())

    def tilings(self, views: Views, overlap: float) -> Tilings:
        """Sets of its views that see everything, and share about ``overlap`` of a view's side with neighbours."""
        return Covers(views, overlap)

    @property
    def apart(self) -> str:
        """Why views are not meant to look alike, to say where somebody wants them to; empty where they are."""
        return ""

    @property
    def background(self) -> Background | None:
        """What views show behind an object; None where they keep what they make of it."""
        return None

    @property
    def interpolates(self) -> bool:
        """Whether view pixels mix cells, which weakens a canonical signal's noise."""
        return False

    def noise_notes(self, process: int, height: int, width: int) -> list[str]:
        """What to tell before a run of what ``process`` does to noise in views of ``height`` x ``width`` cells, beside
        what is told for every space."""
        return []

    def canvas_views(self, cell: int) -> Views | None:
        """The views of the picture that users hold, where it is not the canonical signal itself; usually None."""
        return None

    def noise_views(self, cell: int) -> Views | None:
        """The views that noise is drawn by, where they share other noise than the canonical signal's; usually None."""
        return None

    @property
    def clip(self) -> Clip:
        """What a view and the canvas are in time; usually single images."""
        return IMAGE

    # --- pictures and masks on the canvas

    @property
    def frames(self) -> int:
        """How many pictures users hold as a batch where the canonical picture has them below each other."""
        return 1

    def cell_of(self, rows: int, columns: int) -> int:
        """Image pixels per cell of a canonical latent of that size; it may be one cell short of the grid, as encoders
        crop sizes that are no multiple of the cell. Raises ValueError when it is of another size."""
        width = self.size[0]
        for cell in (width // columns, width // columns + 1):
            if cell == 0:
                continue
            whole = self.grid(cell)
            if 0 <= whole[0] - rows <= 1 and 0 <= whole[1] - columns <= 1:
                return cell
        raise no_canvas(rows, columns, self.size)

    def on_canvas(self, pictures: Tensor, what: str = "picture") -> Tensor:
        """[B, C, H, W], scaled to the space's size in pixels where it is of another. Raises ValueError for what does
        not show the space, and calls the pictures ``what``."""
        return on_canvas(pictures, self.size, what)

    def cut(self, picture: Tensor, cell: int) -> Tensor:
        """A canonical picture [B, C, H, W] of the space's size -> what the views on cells of ``cell`` pixels see
        [B*N, C, h, w]."""
        return self.look(picture)

    def mask_cells(self, mask: Tensor, views: Views) -> Tensor:
        """A mask [.., H, W] over the space: as it is where it is a picture, else on the grid of ``views``."""
        return mask

    def picture_entries(self, coarse: ViewSet) -> tuple[int, int]:
        """About how many entries maps of pictures have for each pixel of a cell, judged by those of latents:
        (of what views read, of what cells read)."""
        return stored_entries(coarse)

    def means(self, wish: MeanWish) -> PictureMeans:
        """What averages pictures of views during a run. Raises ValueError when that exceeds the free memory."""
        return MapMeans.of(wish, self.picture_entries)

    # --- what is shown and told

    def preview(self, clean: Tensor, whole: Callable[[], Tensor]) -> Tensor:
        """What a run shows of its clean views [B*N, C, (1,) h, w]; ``whole``: their canonical picture."""
        return whole()

    def real_cells(self, views: Views) -> Tensor:
        """bool [K]: which cells of the views' canonical grid are something that can be seen."""
        return torch.ones(views.cells, dtype=torch.bool)

    def coverage(self) -> RigCoverage:
        """How many views see each place, before anything is sampled. Raises ValueError where there are no views."""
        return coverage_on_cells(self.views)

    @property
    def words(self) -> Words:
        """What to call the space's parts, and what to do about holes."""
        return Words.of(self.size)

    def sight(self) -> RigSight:
        """What the rig sees, as pictures and figures."""
        found = self.coverage()
        return sight(found, enlarged_heat(found.per_cell), self.words, len(self.places()), self.view_size)

    def drawing(self, size: int, turn: float) -> Tensor:
        """How the views lie, as a picture [H, W, 3] whose longer side is ``size`` pixels; turn: degrees to go further
        around an object. Usually how many views see each place."""
        return scaled_to(self.sight().pictures[0], size)

    def count_picture(self, counts: Tensor, cell: int) -> Tensor:
        """Counts on the grid for cells of ``cell`` pixels [rows, columns] as a picture [H, W, 3] of the space."""
        (rows, columns), (width, height) = counts.shape, self.size
        # The last cell may stick out of the picture.
        return heat(counts, rows * cell, columns * cell)[:height, :width].contiguous()


@dataclass(frozen=True)
class Wing:
    """How a wing plugs in: which space and rig make which geometry.

    space_name: the space with its article. rigs: what to do about another rig. Raises ValueError for a rig that is not
    complete, where the geometry does.
    """

    space: type[Any]
    rig: type[Any]
    geometry: Callable[[Any, Any], Geometry]
    space_name: str
    rigs: str


@runtime_checkable
class ObjectSpace(Protocol):
    """What spaces of objects that cameras stand around (mesh, splats) know before there is a rig. Cameras are in object
    units, but where said otherwise."""

    @property
    def solid(self) -> bool:
        """Whether frames are to hold all of it; among splats a camera may stand."""
        ...

    def points(self) -> Tensor:
        """float64 [V, 3]: points that frames must hold."""
        ...

    def check_outside(self, viewpoints: Sequence[Viewpoint]) -> None:
        """Raise ValueError for a camera that stands inside of the object and would paint the inside."""
        ...

    def coverage_rig(
        self, lens: Lens, target: float, most: int, start: float
    ) -> tuple[tuple[Viewpoint, ...], Coverage]:
        """At most ``most`` cameras, chosen for what they add until ``target`` (a share) is seen, and what they see.
        start: azimuth of the front, degrees."""
        ...

    def from_viewer(self, camera: Viewpoint) -> Viewpoint:
        """A camera in the coordinates of the host's viewer."""
        ...

    def in_viewer(self, rig: Orbit) -> tuple[tuple[Viewpoint, ...], Vector]:
        """(The rig's cameras, the object's middle) in the coordinates of the host's viewer."""
        ...


def object_space(space: Any) -> ObjectSpace:
    """The space, when it is one of an object. Raises ValueError for others."""
    if not isinstance(space, ObjectSpace):
        kind = getattr(space, "kind", type(space).__name__)
        raise ValueError(f"a space of kind {kind} is no object; use MeshSpace's or SplatSpace's")
    return space


def no_canvas(rows: int, columns: int, size: tuple[int, int]) -> ValueError:
    """For a canonical latent of that many cells, of a canvas of ``size`` (width, height) pixels."""
    return ValueError(
        f"a canonical latent of {columns} x {rows} cells is not a picture of {size[0]} x {size[1]} pixels; scale the "
        "image to the CanonicalSpace's size before encoding"
    )
