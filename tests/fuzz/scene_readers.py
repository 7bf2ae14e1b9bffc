"""Splat scenes, recorded cameras and depth to be changed."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import numpy as np
from helpers.splat_files import ply, stored
from PIL import Image
from syncpack.renderers.cameras.recorded import read_cameras
from syncpack.renderers.panorama.depth_files import read_depth
from syncpack.renderers.splats.files.load_save import load_splats

from fuzz.attack import Files, Reader

_POSE = [[1, 0, 0, 0.5], [0, 1, 0, 0], [0, 0, 1, 3], [0, 0, 0, 1]]


def _splat() -> list[Files]:
    rng = np.random.default_rng(0)
    rows = np.zeros(20, [("p", "<f4", 3), ("s", "<f4", 3), ("c", "u1", 4), ("r", "u1", 4)])
    rows["p"], rows["s"] = rng.normal(size=(20, 3)), rng.uniform(0.01, 0.1, (20, 3))
    rows["c"], rows["r"] = rng.integers(1, 256, (20, 4)), rng.integers(140, 256, (20, 4))
    return [{"a.splat": rows.tobytes()}]


def _splat_ply() -> list[Files]:
    kinds = ("binary_little_endian", "binary_big_endian", "ascii")
    return [{"a.ply": ply(stored(12, 9), encoding=kind)} for kind in kinds]


def _transforms() -> list[Files]:
    frames = [{"file_path": f"{i}.png", "transform_matrix": _POSE} for i in range(3)]
    content = {"camera_angle_x": 0.7, "w": 64, "h": 48, "applied_transform": _POSE[:3], "frames": frames}
    return [{"transforms.json": json.dumps(content).encode()}]


def _colmap_text() -> list[Files]:
    images = "".join(f"{i} 1 0 0 0 0 0 {i} 1 {i}.jpg\n1.5 2.5 -1\n" for i in range(1, 5))
    return [{"images.txt": images.encode(), "cameras.txt": b"1 PINHOLE 800 600 500 500 400 300\n"}]


def _colmap_binary() -> list[Files]:
    images = struct.pack("<Q", 2)
    for i in range(2):
        images += struct.pack("<I7dI", i, 1, 0, 0, 0, 0, 0, 3, 1) + b"a.jpg\0" + struct.pack("<Qddq", 1, 1, 2, -1)
    cameras = struct.pack("<QIiQQ4d", 1, 1, 1, 800, 600, 500, 500, 400, 300)
    return [{"images.bin": images, "cameras.bin": cameras}]


def _pictures(ending: str) -> list[Files]:
    grey = np.linspace(0, 255, 512).reshape(16, 32).astype(np.uint8)
    kinds = [grey, grey.astype(np.uint16) * 200, np.stack([grey] * 3, -1)]
    files: list[Files] = []
    for values in kinds:
        stream = io.BytesIO()
        Image.fromarray(values).save(stream, "PNG" if ending == "png" else "TIFF")
        files.append({f"a.{ending}": stream.getvalue()})
    return files


def _npy() -> list[Files]:
    stream = io.BytesIO()
    np.save(stream, np.linspace(0, 1, 512, dtype=np.float32).reshape(16, 32))
    return [{"a.npy": stream.getvalue()}]


def _dpt() -> list[Files]:
    return [{"a.dpt": struct.pack("<fii", 202021.25, 8, 4) + bytes(128)}]


def _read_cameras(path: Path) -> object:
    return read_cameras(path)


def _one_of_two(path: Path) -> object:
    """COLMAP's two files refuse by the name of either."""
    try:
        return read_cameras(path)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


SCENE_READERS: dict[str, Reader] = {
    "splat": Reader(_splat, load_splats),
    "splat-ply": Reader(_splat_ply, load_splats),
    "transforms": Reader(_transforms, _read_cameras),
    "colmap-text": Reader(_colmap_text, _one_of_two),
    "colmap-binary": Reader(_colmap_binary, _one_of_two),
    "depth-png": Reader(lambda: _pictures("png"), read_depth),
    "depth-tiff": Reader(lambda: _pictures("tiff"), read_depth),
    "depth-npy": Reader(_npy, read_depth),
    "depth-dpt": Reader(_dpt, read_depth),
}
