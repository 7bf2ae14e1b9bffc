"""What PyTorch3D documents of ``rasterize_meshes``, slow and readable, for one mesh and one face a pixel.

Its screen: +X to the left, +Y up, both -1 to 1 along the shorter side of the picture (centres of its pixels half a
pixel inside), +Z away from the camera. With ``perspective_correct`` x and y are those of a perspective picture, so that
a corner at depth z stands at (x z, y z, z); otherwise at (x, y, z). Nothing nearer than ``z_clip_value`` is drawn.
``cull_backfaces`` leaves out faces whose corners run clockwise as they are seen. The answer holds -1 where nothing is:
the face, its depth, the weights of its corners, and distances to edges, which are not made here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def rasterize_meshes(
    points: Floats,
    faces: npt.NDArray[np.int64],
    *,
    image_size: tuple[int, int],
    blur_radius: float = 0.0,
    faces_per_pixel: int = 8,
    bin_size: int | None = None,
    perspective_correct: bool = False,
    cull_backfaces: bool = False,
    z_clip_value: float | None = None,
) -> tuple[npt.NDArray[np.int64], Floats, Floats, None]:
    """points [V, 3], faces [F, 3] -> (face [1, H, W, 1], depth [1, H, W, 1], weights [1, H, W, 1, 3], None)."""
    assert blur_radius == 0 and faces_per_pixel == 1, "blurred edges and further faces are not made here"
    height, width = image_size
    shorter = min(height, width)
    x = (width - 1 - 2 * np.arange(width)) / shorter
    y = (height - 1 - 2 * np.arange(height)) / shorter
    across, up = np.meshgrid(x, y)
    face = np.full((height, width), -1)
    depth, bary = np.full((height, width), -1.0), np.full((height, width, 3), -1.0)
    nearest = np.full((height, width), np.inf)
    for number, corner in enumerate(points[faces]):
        place = corner * [[1, 1, 1]]
        if perspective_correct:
            place[:, :2] *= place[:, 2:]
        # What is seen at (x, y): the line from the camera through it, or the line straight ahead from there.
        flat = place.copy() if perspective_correct else np.column_stack([place[:, :2], np.ones(3)])
        turn = np.linalg.det(flat)
        if turn == 0 or (cull_backfaces and turn > 0):  # (seen with +X to the right, these run clockwise)
            continue
        weight = np.stack([across, up, np.ones_like(up)], -1) @ np.linalg.inv(flat)
        inside = (weight >= 0).all(-1)
        weight = np.where(inside[..., None], weight, 1.0)
        weight = weight / weight.sum(-1, keepdims=True)
        far = weight @ place[:, 2]
        seen = inside & (far < nearest) & (far >= (0.0 if z_clip_value is None else z_clip_value))
        nearest[seen], face[seen], depth[seen], bary[seen] = far[seen], number, far[seen], weight[seen]
    return face[None, :, :, None], depth[None, :, :, None], bary[None, :, :, None], None
