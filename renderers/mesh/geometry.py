"""The texture of a mesh and the cameras around it, as a scene asks for them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...sync_core.linear_map import LinearMap
from ...sync_core.ramps import WeightRamp, cosine_weights
from ...sync_core.views import ViewSet
from ...sync_core.walked import Views, WalkedViews, too_large
from ..cameras.backgrounds import Background
from ..cameras.viewpoints import Orbit, Viewpoint
from ..cells import check_multiple
from ..counts import RigSight, heat
from ..directions import ViewPlace, orbit_places
from ..geometry import Geometry, Wing
from ..neighbours import angles_between
from ..picture_means import MapMeans, MeanWish, PictureMeans
from .drawn import mesh_drawing
from .maps.maps import Sampling, Screen, forward_map, gather_map, pixel_taps, texel_taps
from .maps.surface import Surface, surface
from .raster.visibility import Seen, seen_points
from .report import mesh_sight
from .space import MeshTexture
from .uvs.seams import texture_seam_ratio
from .uvs.uv_raster import Texels, surface_per_picture
from .walk import CameraWalk, texel_reads

# Longer side of the views that density is measured on.
_PROBE = 192
# Grids are multiples of this many cells.
_STEP = 8
_LARGEST_GRID = 8192


@dataclass(frozen=True)
class MeshGeometry(Geometry):
    """See ``Geometry``. What is built is kept in ``space.kept``, for other scenes of the same space."""

    space: MeshTexture
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
    def interpolates(self) -> bool:
        return self.space.sampling == "bilinear"

    def cameras(self) -> tuple[Viewpoint, ...]:
        """In the coordinates of the mesh."""
        return self.rig.in_scene(self.space.mesh.centre, self.space.mesh.radius)

    def grid(self, cell: int) -> tuple[int, int]:
        """(rows, columns) that latents of ``cell`` pixels a cell are averaged on. Raises ValueError when no camera sees
        the mesh."""
        wide, high = self.space.width, self.space.height
        if self.space.latent_size:
            longer = self.space.latent_size * 8 / cell
        else:
            longer = self._texels_per_width() * self.rig.width / cell * math.sqrt(max(wide, high) / min(wide, high))
        scale = longer / max(wide, high)
        rows, columns = (min(_LARGEST_GRID, max(_STEP, round(side * scale / _STEP) * _STEP)) for side in (high, wide))
        return rows, columns

    def _texels_per_width(self) -> float:
        """Cells along a square grid, for every pixel of a view's width, at which a cell is as large as a pixel."""

        return self._probed()[0]

    def _probed(self) -> tuple[float, float, float]:
        """Of small views: (``_texels_per_width``, how many pixels of all views see the mesh, in views; how much of the
        texture's picture all views see, in pictures)."""

        def build() -> tuple[float, float, float]:
            shrink = min(1.0, _PROBE / max(self.rig.width, self.rig.height))
            height, width = (max(8, round(side * shrink)) for side in (self.rig.height, self.rig.width))
            seen = self.surfaces(height, width)
            per_picture = surface_per_picture(self.space.mesh, self.space.places)
            part = torch.cat([view.area / per_picture[view.face] for view in seen]).double()
            weight = torch.cat([view.cosine for view in seen]).double().square()
            finite = torch.isfinite(part)
            weight[~finite] = 0
            ordered, order = part.sort()
            total = weight[order].cumsum(0)
            median = ordered[int(torch.searchsorted(total, total[-1] / 2))]
            return (
                1 / math.sqrt(max(float(median), 1e-12)) / width,
                len(part) / (height * width),
                min(float(part[finite].sum()), float(len(seen))),
            )

        return self.space.kept.get(("density", self.rig), build)

    def surface_of(self, number: int, height: int, width: int) -> Surface:
        """What one camera sees, at that size. Raises ValueError when it sees nothing of the mesh."""
        space, camera = self.space, self.cameras()[number]
        view = surface(space.mesh, space.places, camera, height, width, space.backend)
        if not view.pixel.numel():
            place = ", ".join(f"{v:.3g}" for v in camera.position)
            raise ValueError(
                f"camera {number} at ({place}) sees nothing of mesh '{space.mesh.name}' "
                f"at {width} x {height}; turn it to the mesh, or move it"
            )
        return view

    def surfaces(self, height: int, width: int) -> list[Surface]:
        """What every camera sees, at that size. Raises as ``surface_of``."""
        return [self.surface_of(number, height, width) for number in range(len(self.rig.viewpoints))]

    def texels(self, rows: int, columns: int) -> Texels:
        """The covered texels of a grid over the texture's picture. Raises ValueError for coordinates that overlap."""
        return self.space.texels(rows, columns)

    def seen(self, grid: Texels, camera: Viewpoint, height: int, width: int) -> Seen:
        """Which texels a camera sees."""
        space = self.space
        return seen_points(
            space.mesh,
            grid.position,
            grid.normal,
            camera,
            height,
            width,
            two_sided=space.two_sided,
            backend=space.backend,
        )

    def views(self, cell: int, finer: int) -> Views:
        walk = self._walk(cell, finer)
        if too_large(self._entries(walk)):
            key = ("walk", self.rig, walk.height, walk.width, walk.canonical, walk.sampling)
            return self.space.kept.get(key, lambda: WalkedViews(walk))
        return self.views_on(walk.height, walk.width, *walk.canonical, walk.sampling)

    def is_walked(self, cell: int, finer: int) -> bool:
        """Whether these views are too many and too large for stored maps (``sync_core/walked.py``)."""
        return too_large(self._entries(self._walk(cell, finer)))

    def _walk(self, cell: int, finer: int) -> CameraWalk:
        check_multiple("view width", self.rig.width, cell)
        check_multiple("view height", self.rig.height, cell)
        height, width = (size // cell * finer for size in (self.rig.height, self.rig.width))
        rows, columns = (size * finer for size in self.grid(cell))
        sampling = self.space.sampling if finer == 1 else "bilinear"
        return CameraWalk(self, height, width, (rows, columns), sampling)

    def _entries(self, walk: CameraWalk) -> int:
        """About how much the maps of all views would hold, both ways."""
        _, pixels, pictures = self._probed()
        read = pixels * walk.height * walk.width + pictures * walk.canonical[0] * walk.canonical[1]
        return round(read * (4 if walk.sampling == "bilinear" else 1))

    def means(self, wish: MeanWish) -> PictureMeans:
        return MapMeans.of(wish, self.picture_entries, unchecked=self.is_walked(wish.cell, wish.cell))

    def views_on(self, height: int, width: int, rows: int, columns: int, sampling: Sampling) -> ViewSet:
        """Views of ``height`` x ``width`` pixels of a grid of ``rows`` x ``columns`` cells.

        A pixel reads its texel (``bilinear``: those around its place). Averaging also lets every texel that a camera
        sees read the view at its own place; with ``nearest``, only where no pixel of that view reads it. Pixels count
        by the cosine of the viewing angle to the rig's first exponent.
        """
        key = ("views", self.rig, height, width, rows, columns, sampling)
        return self.space.kept.get(key, lambda: self._built(height, width, rows, columns, sampling))

    def _built(self, height: int, width: int, rows: int, columns: int, sampling: Sampling) -> ViewSet:
        grid, views = self.texels(rows, columns), self.surfaces(height, width)
        taps = [texel_taps(view, grid, self.space.charts, sampling) for view in views]
        forward = forward_map(views, taps, grid)
        gather = self._gather(grid, views, taps, sampling)
        first, last = self.rig.exponent
        cosines = self._cosines(views)
        ramp = None if first == last else WeightRamp(cosines, first, last)
        return ViewSet(
            forward, (rows, columns), height, width, cosine_weights(cosines, first), gather=gather, ramp=ramp
        )

    def _gather(
        self, grid: Texels, views: list[Surface], taps: list[tuple[Tensor, Tensor]], sampling: Sampling
    ) -> LinearMap:
        points: list[Tensor] = []
        read: list[tuple[Tensor, Tensor]] = []
        for view, camera, (index, _) in zip(views, self.cameras(), taps, strict=True):
            point, own = texel_reads(self, grid, view, camera, index, sampling)
            points.append(point)
            read.append(own)
        return gather_map(points, read, views[0].height * views[0].width, grid)

    def _cosines(self, views: list[Surface]) -> Tensor:
        size = views[0].height * views[0].width
        cosines = torch.zeros(len(views) * size)
        for number, view in enumerate(views):
            cosines[number * size + view.pixel] = view.cosine
        return cosines

    def cosines(self, height: int, width: int) -> Tensor:
        """float32 [N * h * w]: cosine of the viewing angle at every pixel of views of that size, 0 at background."""
        key = ("cosines", self.rig, height, width)
        return self.space.kept.get(key, lambda: self._cosines(self.surfaces(height, width)))

    def places(self) -> tuple[ViewPlace, ...]:
        return orbit_places(self.rig.viewpoints, self.rig.front)

    def distances(self, cell: int) -> Tensor:
        return angles_between(torch.tensor([view.backward for view in self.rig.viewpoints], dtype=torch.float64))

    def cell_of(self, rows: int, columns: int) -> int:
        # The grid of a texture depends on the views, so it is no fixed part of the picture.
        for cell in range(1, min(self.view_size) + 1):
            if self.rig.width % cell == 0 and self.rig.height % cell == 0 and self.grid(cell) == (rows, columns):
                return cell
        raise ValueError(
            f"a canonical latent of {columns} x {rows} cells is not on the grid of this mesh and rig; "
            "leave canonical unconnected, or encode pictures of the views instead"
        )

    def picture_entries(self, coarse: ViewSet) -> tuple[int, int]:
        """Pictures are read and painted with four taps, latents maybe with one."""
        return 4 * int(coarse.covered.sum()), 4 * int(coarse.views_per_cell.sum())

    def real_cells(self, views: Views) -> Tensor:
        """A texture has cells outside of all charts."""
        real = torch.zeros(views.cells, dtype=torch.bool)
        rows, columns = views.canonical
        real[self.texels(rows, columns).index.long()] = True
        return real

    def sight(self) -> RigSight:
        """Two pictures, texture and object: how straight the best view looks at each place."""
        return mesh_sight(self)

    def drawing(self, size: int, turn: float) -> Tensor:
        """The mesh as a grey solid with the cameras around it."""
        return mesh_drawing(self.space.mesh, self.rig, size, turn)

    def count_picture(self, counts: Tensor, cell: int) -> Tensor:
        # (its grid depends on the views, not on the texture)
        return heat(counts, self.space.height, self.space.width)

    def look(self, picture: Tensor) -> Tensor:
        grid = self.texels(self.space.height, self.space.width)
        batch, channels = picture.shape[:2]
        cells = picture.reshape(batch * channels, -1)[:, grid.index.to(picture.device)].T
        height, width = self.rig.height, self.rig.width
        seen: list[Tensor] = []
        for view in self.surfaces(height, width):
            index, weight = texel_taps(view, grid, self.space.charts, "bilinear")
            rows = (cells[index.to(cells.device)] * weight.to(cells)[..., None]).sum(1)
            flat = cells.new_zeros(height * width, batch * channels)
            flat[view.pixel.to(cells.device)] = rows
            seen.append(flat.T.reshape(batch, channels, height, width))
        return torch.stack(seen, 1).flatten(0, 1)

    def stitch(self, cell: int, images: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
        """The texture [H, W, C] that view images [h, w, C] paint, weighted by the cosine to the rig's last exponent."""
        space, count, cameras = self.space, 0, self.cameras()
        grid = self.texels(space.height, space.width)
        total = torch.zeros(len(grid.index))
        sums: Tensor | None = None
        size = (self.rig.height, self.rig.width)
        for image in images:
            if count >= len(cameras) or tuple(image.shape[:2]) != size:
                raise ValueError(
                    f"image {count} of {image.shape[1]} x {image.shape[0]} for a rig of {len(cameras)} views of "
                    f"{size[1]} x {size[0]}; connect all views of the same rig"
                )
            point, pixel, weight, cosine = self._paint(count, grid)
            count += 1
            values = image.reshape(-1, image.shape[2]).float().cpu()
            amount = cosine_weights(cosine, self.rig.exponent[1]) * (weight.sum(1) > 0)
            sums = torch.zeros(len(grid.index), image.shape[2]) if sums is None else sums
            sums[point] += amount[:, None] * (values[pixel] * weight[..., None]).sum(1)
            total[point] += amount
        if sums is None or count != len(cameras):
            raise ValueError(f"{count} images for a rig of {len(cameras)} views; connect all views of the same rig")
        picture = torch.zeros(space.height * space.width, sums.shape[1])
        picture[grid.index] = torch.where(total[:, None] > 0, sums / total.clamp_min(1e-30)[:, None], 0.0)
        weight = torch.zeros(space.height * space.width)
        weight[grid.index] = total
        return picture.reshape(space.height, space.width, -1), weight.reshape(space.height, space.width)

    def _paint(self, number: int, grid: Texels) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What the texels that a camera sees read in its view: (texel [n], pixels and weights [n, 4], cosine [n])."""
        space, camera = self.space, self.cameras()[number]
        view = surface(space.mesh, space.places, camera, self.rig.height, self.rig.width, space.backend)
        seen = self.seen(grid, camera, self.rig.height, self.rig.width)
        pixel, weight = pixel_taps(seen, grid, view, Screen.of(view), camera, "bilinear", space.backend)
        return seen.point, pixel, weight, seen.cosine

    def seam_ratio(self, picture: Tensor, cell: int) -> float:
        grid = self.texels(*self.grid(cell))
        views = self.views(cell, 1)
        return texture_seam_ratio(picture, grid, views)


WING = Wing(MeshTexture, Orbit, MeshGeometry, "a mesh", "connect OrbitRig")
