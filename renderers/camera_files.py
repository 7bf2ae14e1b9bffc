"""Cameras that were recorded with a scene, as a rig: transforms.json, cameras.json and COLMAP."""

from __future__ import annotations

from pathlib import Path

from .camera_colmap import colmap_files, read_colmap
from .camera_frames import in_trained_frame, trained_frame
from .camera_lists import read_listed
from .camera_shots import Shot
from .viewpoints import Orbit

# Sides of views are multiples of this, as models want them.
_STEP = 8
_TALLEST = 16384


def read_cameras(path: Path) -> tuple[tuple[Shot, ...], bool]:
    """The cameras of a transforms.json or cameras.json, of one of COLMAP's files, or of a folder that holds any
    -> (cameras, whether their lenses distort, which views do not follow). Where nerfstudio's
    dataparser_transforms.json lies beside them, they are in the coordinates it leads to (camera_frames.py).

    Raises ValueError when there are none, and for files that are damaged or of other cameras.
    """
    frame = trained_frame(path)
    if path.is_file() and path.suffix.lower() == ".json":
        return _placed(read_listed(path), frame, path)
    if path.is_file() and path.suffix.lower() not in (".bin", ".txt"):
        raise ValueError(f"file '{path.name}' is no list of cameras; use a transforms.json or a COLMAP folder")
    folder = path if path.is_dir() else path.parent
    if (found := colmap_files(folder)) is not None:
        return _placed(read_colmap(*found), frame, None)
    listed = [*sorted(folder.glob("transforms*.json")), *folder.glob("cameras.json")]
    if path.is_dir() and listed:
        return _placed(read_listed(listed[0]), frame, listed[0])
    raise ValueError(
        f"'{path.name}' holds no cameras: no transforms.json, no cameras.json, no cameras and images of COLMAP "
        "(both .txt or both .bin)"
    )


def _placed(
    read: tuple[tuple[Shot, ...], bool], frame: Path | None, listed: Path | None
) -> tuple[tuple[Shot, ...], bool]:
    # (a trainer's cameras.json is in its splats' coordinates already)
    if frame is None or (listed is not None and listed.name == "cameras.json"):
        return read
    return in_trained_frame(read[0], frame, listed), read[1]


def chosen(shots: tuple[Shot, ...], every: int = 1, at_most: int = 0) -> tuple[Shot, ...]:
    """Every k-th camera, and of those at most so many, spread evenly over the list (0: all).

    Raises ValueError for a step below 1.
    """
    if every < 1 or at_most < 0:
        raise ValueError(f"every {every}-th camera, at most {at_most}: use 1 or more, and 0 for all")
    taken = shots[::every]
    if 0 < at_most < len(taken):
        taken = tuple(taken[i * len(taken) // at_most] for i in range(at_most))
    return taken


def camera_rig(
    shots: tuple[Shot, ...], width: int, height: int = 0, exponent: tuple[float, float] = (1.0, 1.0)
) -> Orbit:
    """Recorded cameras as a rig in the scene's coordinates. height 0: in the proportions of the first picture, a
    multiple of 8. Every view shows the whole width of its camera's picture."""
    if height < 1:
        wide, high = shots[0].size if shots[0].size[0] else (1, 1)
        height = max(_STEP, round(width * high / wide / _STEP) * _STEP)
        if height > _TALLEST:
            raise ValueError(
                f"views of {width} x {height} pixels, in the proportions of '{shots[0].name}' ({wide} x {high}), "
                "are too large; set a height, or repair the file"
            )
    return Orbit(tuple(s.viewpoint(width, height) for s in shots), width, height, "scene", exponent)
