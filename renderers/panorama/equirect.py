"""Equirectangular pictures resampled: turned, seen by a camera, cut into a cube and joined again."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from ..cameras.looks import Look, pixels_of, rays
from .space import Lookout, Sampling, check_whole_sphere, equirect_directions, equirect_taps, pixel_taps

Layout = Literal["cross", "row", "faces"]
LAYOUTS: tuple[Layout, ...] = ("cross", "row", "faces")

FACES = ("front", "right", "back", "left", "up", "down")
_LOOKS = tuple(Look.degrees(a, e, 90) for a, e in ((0, 0), (90, 0), (180, 0), (-90, 0), (0, 90), (0, -90)))
# (row, column) of each face in the cross, four faces wide and three high.
_CROSS = ((1, 1), (1, 2), (1, 3), (1, 0), (0, 1), (2, 1))


def read_equirect(picture: Tensor, directions: Tensor, sampling: Sampling = "bilinear") -> Tensor:
    """Colours of an equirectangular picture [B, H, W, C] in directions [..., 3]: [B, ..., C]."""
    batch, rows, columns, channels = picture.shape
    cells, weights = equirect_taps(directions, rows, columns, sampling)
    flat = picture.reshape(batch, rows * columns, channels)
    # One tap at a time: four times less memory than all at once.
    out = sum(flat[:, cells[..., t]] * weights[..., t, None] for t in range(cells.shape[-1]))
    assert isinstance(out, Tensor)
    return out


def look_at(picture: Tensor, look: Look, height: int, width: int, sampling: Sampling = "bilinear") -> Tensor:
    """What a camera sees in an equirectangular picture [B, H, W, C]: [B, height, width, C].

    Nothing is averaged: views much coarser than the picture alias; scale the picture down first.
    """
    return read_equirect(picture, rays(look, height, width), sampling)


def rotate_equirect(picture: Tensor, yaw: float, pitch: float, roll: float) -> Tensor:
    """The picture [B, H, W, C] turned so that what was at azimuth ``yaw`` and elevation ``pitch`` (degrees) is in its
    middle, upright after a roll to the right by ``roll`` degrees. Whole columns of yaw alone move without loss."""
    rows, columns = picture.shape[1:3]
    shift = yaw / 360 * columns
    if pitch % 360 == 0 and roll % 360 == 0 and abs(shift - round(shift)) < 1e-6:
        return picture.roll(-round(shift), 2)
    turned = equirect_directions(rows, columns) @ _turn(yaw, pitch, roll).T
    return read_equirect(picture, turned)


def _turn(yaw: float, pitch: float, roll: float) -> Tensor:
    """Rotation that brings the middle of the picture to (yaw, pitch); any angles, pitch beyond the pole too."""
    flat = Look.degrees(math.remainder(yaw, 360), 0, 90).rotation()
    a, b = math.radians(pitch), math.radians(roll)
    lift = torch.tensor([[1, 0, 0], [0, math.cos(a), -math.sin(a)], [0, math.sin(a), math.cos(a)]], dtype=torch.float64)
    return flat @ lift @ Look(0.0, 0.0, 1.0, b).rotation()


def to_cubemap(picture: Tensor, side: int, layout: Layout = "faces") -> Tensor:
    """[B, H, W, C] -> the six faces (front, right, back, left, up, down) of ``side`` pixels.

    faces: a batch [6B, side, side, C], the faces of one picture together; row: [B, side, 6 side, C]; cross: front in
    the middle of [B, 3 side, 4 side, C], unused corners 0. Raises ValueError for a side without pixels.
    """
    if side < 1:
        raise ValueError(f"cube faces of {side} pixels are none; use a quarter of the panorama's width")
    faces = torch.stack([look_at(picture, look, side, side) for look in _LOOKS], 1)
    batch, _, _, _, channels = faces.shape
    if layout == "faces":
        return faces.reshape(batch * 6, side, side, channels)
    if layout == "row":
        return faces.permute(0, 2, 1, 3, 4).reshape(batch, side, 6 * side, channels)
    cross = faces.new_zeros(batch, 3 * side, 4 * side, channels)
    for face, (row, column) in enumerate(_CROSS):
        cross[:, row * side : (row + 1) * side, column * side : (column + 1) * side] = faces[:, face]
    return cross


def split_cubemap(picture: Tensor) -> Tensor:
    """Faces [B, 6, side, side, C] of a batch of six faces, of a row or of a cross, told apart by their shape.

    Raises ValueError when it is none of them.
    """
    count, height, width, channels = picture.shape
    if width == 6 * height:
        return picture.reshape(count, height, 6, height, channels).permute(0, 2, 1, 3, 4)
    if height % 3 == 0 and width * 3 == height * 4:
        side = height // 3
        parts = [picture[:, r * side : (r + 1) * side, c * side : (c + 1) * side] for r, c in _CROSS]
        return torch.stack(parts, 1)
    if height == width and count % 6 == 0:
        return picture.reshape(count // 6, 6, height, width, channels)
    raise ValueError(
        f"{count} pictures of {width} x {height} are no cube map; use six square faces as a batch, a row of 6 x 1, "
        "or a cross of 4 x 3"
    )


def from_cubemap(faces: Tensor, height: int) -> Tensor:
    """Faces [B, 6, side, side, C] (front, right, back, left, up, down) -> equirectangular [B, height, 2 height, C].

    Every direction reads the one face it meets, at its border the neighbour's first pixel too.
    """
    if height < 2:
        raise ValueError(f"a panorama of {height} rows is none; use twice the face's side")
    batch, _, side, _, channels = faces.shape
    directions = equirect_directions(height, 2 * height).reshape(-1, 3)
    framed = _with_neighbours(faces)
    out = faces.new_zeros(batch, len(directions), channels)
    left = torch.ones(len(directions), dtype=torch.bool)
    for face, look in enumerate(_LOOKS):
        row, column, seen = pixels_of(look, directions, side, side)
        at = torch.nonzero(seen & left).squeeze(1)
        left[at] = False
        index, weight = pixel_taps(row[at] + 1, column[at] + 1, side + 2, side + 2)
        flat = framed[:, face].reshape(batch, -1, channels)
        for tap in range(index.shape[1]):
            out[:, at] += flat[:, index[:, tap]] * weight[:, tap, None]
    return out.reshape(batch, height, 2 * height, channels)


def _with_neighbours(faces: Tensor) -> Tensor:
    """Faces with a frame of one pixel taken from the faces around: [B, 6, side + 2, side + 2, C]."""
    batch, _, side, _, channels = faces.shape
    flat = faces.reshape(batch, 6 * side * side, channels)
    # A face seen a pixel wider all around: its frame looks onto the neighbours.
    wide = 2 * math.atan(1 + 2 / side)
    framed: list[Tensor] = []
    for face, look in enumerate(_LOOKS):
        around = rays(Look(look.azimuth, look.elevation, wide), side + 2, side + 2).reshape(-1, 3)
        source = torch.zeros(len(around), dtype=torch.int64)
        left = torch.ones(len(around), dtype=torch.bool)
        for other in (face, *(i for i in range(6) if i != face)):
            row, column, seen = pixels_of(_LOOKS[other], around, side, side)
            at = torch.nonzero(seen & left).squeeze(1)
            left[at] = False
            nearest = row[at].floor().long().clamp(0, side - 1) * side + column[at].floor().long().clamp(0, side - 1)
            source[at] = other * side * side + nearest
        framed.append(flat[:, source].reshape(batch, side + 2, side + 2, channels))
    return torch.stack(framed, 1)


def check_equirect_picture(picture: Tensor) -> None:
    """Raise ValueError for a picture [B, H, W, ...] that is not twice as wide as high."""
    height, width = picture.shape[1:3]
    check_whole_sphere("a picture", width, height, "an equirectangular picture")


def views_of_equirect(picture: Tensor, rig: Lookout) -> Tensor:
    """An equirectangular picture [B, H, W, C] -> what the rig's cameras see [B*N, h, w, C], the views of one picture
    together, always bilinear. Where it has several pixels for one of a view, blocks of them are averaged first, so that
    nothing aliases.

    Raises ValueError for a picture that is not twice as wide as high.
    """
    check_equirect_picture(picture)
    seen = [look_at(_coarser(picture, look, rig.width), look, rig.height, rig.width) for look in rig.looks]
    return torch.stack(seen, 1).flatten(0, 1)


def _coarser(picture: Tensor, look: Look, width: int) -> Tensor:
    """The picture scaled down by the whole number that brings it nearest to the view's pixels from above."""
    per_radian = width / (2 * math.tan(look.fov / 2))
    most = int(picture.shape[2] / (2 * math.pi) / per_radian + 1e-6)
    factor = next((f for f in range(most, 1, -1) if picture.shape[1] % f == 0), 1)
    if factor == 1:
        return picture
    planes = torch.nn.functional.avg_pool2d(picture.movedim(-1, 1), factor)
    return planes.movedim(1, -1)
