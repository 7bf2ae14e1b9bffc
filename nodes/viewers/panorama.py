"""Panoramas for the viewer in the graph: checked, and written where the front end can fetch them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...renderers.drawing.outlines import for_viewer
from ...renderers.panorama.drawn import sphere_outlines
from ...renderers.panorama.equirect import check_equirect_picture
from .. import host
from ..views.stitch import save_preview


def panorama_views(rig: Any = None) -> dict[str, Any]:
    """Outlines of a rig's views for the front end; nothing without a rig. Raises ValueError as ``sphere_outlines``."""
    return {} if rig is None else {"rig": for_viewer(sphere_outlines(rig))}


def preview_panoramas(pictures: Tensor) -> list[dict[str, str]]:
    """Write pictures [B, H, W, C] in [0, 1] to the host's temp folder -> one entry each for the front end.

    C is 1 (grey), 3, or more (the first three are shown). Raises ValueError for pictures that are no whole sphere or
    hold NaN.
    """
    count, channels = pictures.shape[0], pictures.shape[3]
    if count == 0:
        raise ValueError("no picture to show: the batch is empty; connect an image")
    check_equirect_picture(pictures)
    if bool(torch.isnan(pictures).any()):
        raise ValueError("the image holds NaN; a VAE in half precision often makes them: start with --fp32-vae")
    colours = pictures.expand(-1, -1, -1, 3) if channels == 1 else pictures[..., :3]
    saved: list[dict[str, str]] = []
    for picture in colours:
        host.check_interrupt()
        saved.append(save_preview(picture.float().clamp(0, 1).cpu(), "synctweedies_panorama"))
    return saved
