"""New texture coordinates for meshes without usable ones: by xatlas in a process of its own, or by boxes."""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ...arrays import Array, distinct_places, tensor_of
from ...files.leftovers import private_folder
from ..base_colour import PICTURES
from ..material import Part
from ..mesh import Mesh
from .boxes import unwrap_boxes
from .uv_check import UvReport, check_uvs

Method = Literal["auto", "xatlas", "boxes"]
METHODS: tuple[Method, ...] = ("auto", "xatlas", "boxes")
# Called about five times a second with (parts done, parts); what it raises ends the unwrapping.
Tick = Callable[[int, int], None]

SLOW = 100_000
_WORKER = Path(__file__).resolve().parent / "xatlas_worker.py"


class XatlasFailed(ValueError):
    """xatlas crashed, gave up, or took too long."""


def has_xatlas() -> bool:
    return importlib.util.find_spec("xatlas") is not None


def joined(mesh: Mesh) -> Mesh:
    """The same mesh with one part; its texture coordinates are kept and mean nothing where parts had their own."""
    if len(mesh.parts) == 1:
        return mesh
    return replace(mesh, parts=(Part(mesh.name),), part_of_face=torch.zeros_like(mesh.part_of_face))


@dataclass(frozen=True)
class Unwrapped:
    """A mesh with new texture coordinates; the method that made them; what they are like; what the user should know,
    empty if nothing."""

    mesh: Mesh
    method: Method
    report: UvReport
    warning: str = ""


def unwrap(
    mesh: Mesh,
    method: Method = "auto",
    size: int = 1024,
    padding: int = 4,
    joint: bool = False,
    time_limit: float = 300.0,
    tick: Tick | None = None,
) -> Unwrapped:
    """A mesh with new texture coordinates: vertices, faces and normals unchanged, seams only in ``uvs``.

    Every part gets a texture of its own, or, with ``joint``, all of them one. Charts lie at least ``padding`` texels
    apart and half as far from the border, for textures of ``size`` x ``size`` and larger. The parts' old textures do
    not fit any more and are dropped.

    method: ``xatlas`` (best: few charts with little stretch, about 10 s for 50,000 faces), ``boxes`` (needs nothing
    installed: charts projected along the axes, more seams), ``auto``: xatlas when it is installed, boxes otherwise and
    where xatlas fails, takes too long, or makes charts that lie over each other (faces that are there twice) or are no
    numbers (pieces very far apart).

    Raises ValueError when xatlas is asked for and not installed, fails as described, or takes longer than
    ``time_limit`` seconds, and when boxes make nothing usable either.
    """
    if method not in METHODS:
        raise ValueError(f"method '{method}' is unknown; use {', '.join(METHODS)}")
    if size < 16 or not 0 <= padding <= size // 8:
        raise ValueError(
            f"padding {padding} at texture size {size}: use a size of 16 or more, padding at most an eighth"
        )
    mesh = joined(mesh) if joint else mesh
    places = (mesh.vertices.double() - torch.tensor(mesh.centre, dtype=torch.float64)) / mesh.radius
    pieces = [(mesh.part_of_face == i).nonzero()[:, 0] for i in range(len(mesh.parts))]
    pieces = [piece for piece in pieces if len(piece)]
    jobs = [_own_vertices(places, mesh.faces[piece]) for piece in pieces]
    tick = tick or _nothing
    warning = ""
    chosen: Method = method
    if method == "auto":
        chosen = "xatlas" if has_xatlas() else "boxes"
        if chosen == "boxes":
            warning = "xatlas is not installed, so the mesh was unwrapped by boxes, with more seams"
    made: tuple[Mesh, UvReport] | None = None
    if chosen == "xatlas":
        if len(mesh.faces) > SLOW:
            logging.warning("unwrapping %d faces may take minutes; fewer faces unwrap much faster", len(mesh.faces))
        try:
            made = _checked(_with_uvs(mesh, pieces, _by_xatlas(jobs, size, padding, time_limit, tick)), "xatlas")
        except XatlasFailed as error:
            if method != "auto":
                raise
            chosen, warning = "boxes", f"{error}; boxes were used, with more seams"
    if made is None:
        found: list[tuple[Tensor, Tensor]] = []
        for i, (vertices, faces) in enumerate(jobs):
            tick(i, len(jobs))
            found.append(unwrap_boxes(vertices, faces, size, padding))
        made = _checked(_with_uvs(mesh, pieces, found), "boxes")
    if warning:
        logging.warning("%s", warning)
    return Unwrapped(made[0], chosen, made[1], warning)


def _with_uvs(mesh: Mesh, pieces: list[Tensor], found: list[tuple[Tensor, Tensor]]) -> Mesh:
    """The mesh with (uvs [T, 2], face_uvs) for each of its pieces (faces [n]), and without textures."""
    uvs: list[Tensor] = []
    face_uvs = torch.zeros_like(mesh.faces)
    count = 0
    for piece, (own, index) in zip(pieces, found, strict=True):
        face_uvs[piece] = index + count
        uvs.append(own)
        count += len(own)
    parts = tuple(replace(p, texture=None, maps=replace(p.maps, **dict.fromkeys(PICTURES))) for p in mesh.parts)
    return replace(mesh, uvs=torch.cat(uvs), face_uvs=face_uvs, parts=parts)


def _checked(mesh: Mesh, method: Method) -> tuple[Mesh, UvReport]:
    """Raises XatlasFailed or ValueError for coordinates that nothing can be painted with."""
    report = check_uvs(mesh)
    if report.usable:
        return mesh, report
    if method == "xatlas":
        raise XatlasFailed(f"what xatlas made is not usable: {report.reason} (repair the mesh, or use boxes)")
    raise ValueError(f"what boxes made is not usable: {report.reason}; repair the mesh (merge doubles, remove slivers)")


def _nothing(done: int, total: int) -> None:
    pass


def _own_vertices(vertices: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Only the vertices that these faces use, places that several share joined: a seam of the file's own is none."""
    used, index = distinct_places(faces)
    places, same = distinct_places(vertices[used].float(), 0)
    return places, same[index]


def _by_xatlas(
    jobs: list[tuple[Tensor, Tensor]], size: int, padding: int, time_limit: float, tick: Tick
) -> list[tuple[Tensor, Tensor]]:
    if not has_xatlas():
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise ValueError(
            "xatlas is not installed; install it into ComfyUI's Python with 'python -m pip install xatlas' (on Python "
            f"{version} this needs a compiler where no wheel exists: 3.14 and later, Linux on ARM), or use boxes"
        )
    with private_folder() as folder:
        job, result = folder / "job.npz", folder / "result.npz"
        arrays: dict[str, Array] = {}
        for i, (vertices, faces) in enumerate(jobs):
            arrays[f"vertices_{i}"] = vertices.numpy().astype(np.float32)
            arrays[f"faces_{i}"] = faces.numpy().astype(np.uint32)
        settings = {"count": len(jobs), "size": size, "padding": padding, "cost": 2.0}
        np.savez(job, **(arrays | {k: np.asarray(v) for k, v in settings.items()}))  # pyright: ignore[reportArgumentType]
        _run([sys.executable, str(_WORKER), str(job), str(result)], folder, len(jobs), time_limit, tick)
        with np.load(result) as found:
            return [(tensor_of(found[f"uvs_{i}"]), tensor_of(found[f"face_uvs_{i}"])) for i in range(len(jobs))]


def _run(command: list[str], folder: Path, total: int, time_limit: float, tick: Tick) -> None:
    """Run the worker to its end, ticking; it is killed when time is up or ``tick`` raises."""
    out, err = folder / "out", folder / "err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            command,
            stdout=stdout,
            stderr=stderr,
            stdin=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # no console window on Windows
        )
    began = time.monotonic()
    try:
        while True:
            tick(out.read_bytes().count(b"done"), total)
            try:
                code = process.wait(0.2)
                break
            except subprocess.TimeoutExpired:
                if time.monotonic() - began > time_limit:
                    raise XatlasFailed(
                        f"xatlas took longer than {time_limit:.0f} s (reduce the faces, raise the limit, or use boxes)"
                    ) from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if code != 0:
        lines = err.read_text(errors="replace").strip().splitlines() or [f"it ended with code {code}"]
        raise XatlasFailed(f"xatlas could not unwrap the mesh: {lines[-1]} (repair the mesh, or use boxes)")
    tick(total, total)
