"""Meshes for the viewer in the graph: written as GLB where the front end can fetch them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..renderers.mesh.mesh import Mesh
from ..renderers.mesh.save import save_mesh
from . import host


def save_meshes(mesh: Mesh, pictures: Tensor | None = None) -> list[dict[str, str]]:
    """Write a mesh to the host's temp folder -> one entry for each file, for the front end.

    pictures [B, H, W, C] in [0, 1], C 1 (grey), 3 or 4: textures instead of the mesh's own. B is 1 (for all parts), or
    the number of parts (one each, in order), or several times that: a file for each set. Raises ValueError for another
    number, for an empty batch, for NaN, and as ``save_mesh``.
    """
    saved: list[dict[str, str]] = []
    for textures in _sets(mesh, pictures):
        host.check_interrupt()
        folder, name, counter, subfolder = host.picture_path("synctweedies_mesh", 0, 0)
        (file,) = save_mesh(mesh, textures, Path(folder) / f"{name}_{counter:05}_")
        saved.append({"filename": file.name, "subfolder": subfolder, "type": "temp"})
    return saved


def _sets(mesh: Mesh, pictures: Tensor | None) -> Sequence[list[Tensor] | None]:
    """What each file is painted with."""
    if pictures is None:
        return [None]
    count, parts = len(pictures), len(mesh.parts)
    if count == 0:
        raise ValueError("no texture to show: the batch is empty; connect an image, or nothing for the mesh's own look")
    if count != 1 and count % parts:
        raise ValueError(
            f"{count} textures for a mesh of {parts} parts; connect one for all of them, or one for each part"
        )
    if not bool(torch.isfinite(pictures).all()):
        raise ValueError("the texture holds NaN or infinity; a VAE in half precision often makes them: use --fp32-vae")
    colours = pictures.expand(-1, -1, -1, 3) if pictures.shape[-1] == 1 else pictures[..., :4]
    if count == 1:
        return [[colours[0]] * parts]
    return [list(colours[start : start + parts]) for start in range(0, count, parts)]
