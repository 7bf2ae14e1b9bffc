"""What a camera sees of a mesh: for every pixel the nearest face, where on it, and how far away."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor

from ...cameras.viewpoints import Viewpoint
from ...compiled import backend_behind
from .fragments import Fragments, homogeneous, near_plane
from .scan import Triangles, facing, fragments, triangles

Backend = Literal["auto", "torch", "numba", "pytorch3d"]
BACKENDS: tuple[Backend, ...] = ("auto", "torch", "numba", "pytorch3d")

_NOTHING = torch.iinfo(torch.int64).max


@torch.no_grad()
def rasterise(
    vertices: Tensor,
    faces: Tensor,
    viewpoint: Viewpoint,
    height: int,
    width: int,
    backend: Backend = "auto",
    cull: bool = False,
) -> Fragments:
    """The view of a camera in the scene's own coordinates.

    vertices: float [V, 3]; faces: int [F, 3], counter-clockwise seen from outside. Faces are drawn from both sides
    unless ``cull``, which leaves out those seen from behind. Faces that reach behind the camera are cut. Of faces at
    the same depth the first is seen. backend ``auto``: numba where it can be imported, otherwise torch; ``torch`` runs
    on the device of ``vertices`` (on the CPU where that has no float64), the others on the CPU.

    Raises ValueError for an index outside the vertices, vertices that are no numbers, a size without pixels, or a
    backend that is unknown or not installed.
    """
    if height < 1 or width < 1:
        raise ValueError(f"a view of {width} x {height} has no pixels; use e.g. 512 x 512")
    check_faces(vertices, faces)
    device = vertices.device
    vertices, faces, backend = _placed(vertices, faces, backend)
    if backend == "pytorch3d":
        from .raster_pytorch3d import rasterise_pytorch3d

        seen = rasterise_pytorch3d(vertices, faces, viewpoint, height, width, cull)
    else:
        ready = _in_view(vertices, faces, viewpoint, height, width, cull)
        if backend == "numba":
            from . import raster_numba

            seen = Fragments(*raster_numba.seen(ready, height, width))
        else:
            seen = _seen(ready, _nearest(ready, height, width), height, width)
    return Fragments(seen.face.to(device), seen.bary.to(device), seen.depth.to(device))


@torch.no_grad()
def depth_buffer(
    vertices: Tensor, faces: Tensor, viewpoint: Viewpoint, height: int, width: int, backend: Backend = "auto"
) -> tuple[Tensor, Tensor]:
    """Only (face int32, depth float32), [h, w] each, as ``rasterise`` gives them; raises as it does."""
    device = vertices.device
    check_faces(vertices, faces)
    vertices, faces, backend = _placed(vertices, faces, backend)
    if backend == "pytorch3d":
        seen = rasterise(vertices, faces, viewpoint, height, width, backend)
        return seen.face.to(device), seen.depth.to(device)
    ready = _in_view(vertices, faces, viewpoint, height, width, False)
    if backend == "numba":
        from . import raster_numba

        item, depth = raster_numba.z_buffer(ready, height, width)
    else:
        nearest = _nearest(ready, height, width).reshape(height, width)
        nothing = nearest == _NOTHING
        item = torch.where(nothing, -1, nearest & 0xFFFFFFFF)
        depth = torch.where(nothing, torch.inf, (nearest >> 32).to(torch.int32).view(torch.float32))
    # One more entry, the last, is what -1 names.
    names = torch.cat([ready.face.to(torch.int32), ready.face.new_full((1,), -1, dtype=torch.int32)])
    return names[item].to(device), depth.to(device)


def _placed(vertices: Tensor, faces: Tensor, backend: Backend) -> tuple[Tensor, Tensor, Backend]:
    """Backend, and the mesh where it runs."""
    backend = chosen_backend(backend)
    if backend != "torch" or vertices.device.type == "mps":
        vertices, faces = vertices.cpu(), faces.cpu()
    return vertices, faces, backend


def check_faces(vertices: Tensor, faces: Tensor) -> None:
    """Raises ValueError for what would make a kernel read foreign memory, or show nothing without a reason."""
    if vertices.ndim != 2 or vertices.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3:
        raise ValueError(f"vertices {tuple(vertices.shape)} and faces {tuple(faces.shape)} are not [V, 3] and [F, 3]")
    if faces.numel() and (int(faces.min()) < 0 or int(faces.max()) >= len(vertices)):
        raise ValueError(f"a face index lies outside the {len(vertices)} vertices; repair the mesh")
    if not bool(torch.isfinite(vertices).all()):
        raise ValueError("the mesh has vertices that are no numbers (NaN or infinite); repair it")


def chosen_backend(backend: Backend) -> Literal["torch", "numba", "pytorch3d"]:
    """The backend that runs. Raises ValueError for one that is unknown or not installed."""
    found = backend_behind("rasteriser", backend, BACKENDS, lambda missing: " here; use auto or torch")
    return cast('Literal["torch", "numba", "pytorch3d"]', found)


def _in_view(vertices: Tensor, faces: Tensor, viewpoint: Viewpoint, height: int, width: int, cull: bool) -> Triangles:
    points, depth = homogeneous(vertices.double(), viewpoint, height, width)
    faces = faces.long()
    corners, depths = points[faces], depth[faces]
    # (faces without area are not drawn)
    solid = torch.stack([(corners[:, i] != corners[:, i - 1]).any(1) for i in range(3)]).all(0)
    near = near_plane(depths[solid])
    ready = triangles(corners, depths, height, width, near, viewpoint.span is None)
    return ready.only(facing(corners)[ready.face]) if cull else ready


def _nearest(ready: Triangles, height: int, width: int) -> Tensor:
    """int64 [h * w]: bits of the least depth, and below them the triangle (index into ``ready``) that has it."""
    nearest = torch.full((height * width,), _NOTHING, dtype=torch.int64, device=ready.face.device)
    for item, row, column in fragments(ready):
        depth = ready.depth_at(item, row, column)
        # Positive floats sort as their bits do: one integer holds depth and, for equal depths, the order of faces.
        key = (depth.view(torch.int32).long() << 32) | item
        nearest.scatter_reduce_(0, row * width + column, key, "amin")
    return nearest


def _seen(ready: Triangles, nearest: Tensor, height: int, width: int) -> Fragments:
    device = nearest.device
    face = torch.full((height * width,), -1, dtype=torch.int32, device=device)
    bary = torch.zeros(height * width, 3, device=device)
    depth = torch.full((height * width,), torch.inf, device=device)
    pixel = torch.nonzero(nearest != _NOTHING).squeeze(1)
    found = nearest[pixel]
    item = found & 0xFFFFFFFF
    face[pixel] = ready.face[item].to(torch.int32)
    bary[pixel] = ready.barycentrics(item, pixel // width, pixel % width).float()
    depth[pixel] = (found >> 32).to(torch.int32).view(torch.float32)
    return Fragments(face.reshape(height, width), bary.reshape(height, width, 3), depth.reshape(height, width))
