"""Meshes for the viewer in the graph: written as GLB where the front end can fetch them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ...renderers.drawing.outlines import for_viewer
from ...renderers.mesh.drawn import mesh_outlines
from ...renderers.mesh.files.save import mesh_files
from ...renderers.mesh.mesh import Mesh
from ...renderers.mesh.uvs.atlas import Layout
from .. import host
from ..mesh.files import textured
from ..saving import save_files


def preview_meshes(mesh: Mesh, images: Tensor | None = None, layout: Layout = "joint") -> list[dict[str, str]]:
    """Write a mesh to the host's temp folder -> one entry for each file, for the front end.

    images [B, H, W, C] in [0, 1], C 1 (grey), 3 or 4: textures instead of the mesh's own, laid out as ``textured``
    says. With layout ``joint``, B is 1, or the number of parts, or several times that: a file for each set; with
    ``tiles`` a file for each image. Raises ValueError for another number, for an empty batch, for NaN, and as
    ``textured``.
    """
    saved: list[dict[str, str]] = []
    for worn in _worn(mesh, images, layout):
        host.check_interrupt()
        saved += save_files("synctweedies_mesh", lambda stem, worn=worn: mesh_files(worn, None, stem), "temp")
    return saved


def mesh_views(mesh: Mesh, rig: Any = None) -> dict[str, Any]:
    """The cameras of a rig for the front end; nothing without one. Raises ValueError as ``mesh_outlines``."""
    return {} if rig is None else {"rig": for_viewer(mesh_outlines(mesh, rig))}


def _worn(mesh: Mesh, images: Tensor | None, layout: Layout) -> Iterator[Mesh]:
    """The mesh in each of its looks."""
    if images is None:
        yield mesh
        return
    count, parts = len(images), len(mesh.parts)
    if count == 0:
        raise ValueError("no texture to show: the batch is empty; connect an image, or nothing for the mesh's own look")
    if layout == "joint" and count > 1 and count % parts:
        raise ValueError(
            f"{count} textures for a mesh of {parts} parts; connect one for all of them, or one for each part"
        )
    if not bool(torch.isfinite(images).all()):
        raise ValueError("the texture holds NaN or infinity; a VAE in half precision often makes them: use --fp32-vae")
    colours = images.expand(-1, -1, -1, 3) if images.shape[-1] == 1 else images[..., :4]
    step = parts if layout == "joint" and count > 1 else 1
    for start in range(0, count, step):
        yield textured(mesh, colours[start : start + step], layout)
