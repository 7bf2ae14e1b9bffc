"""Panoramas as pictures: joined from views, and the files they are read from and written to."""

from __future__ import annotations

import itertools
import logging
from typing import Any

import torch
from torch import Tensor

from ...renderers.panorama.depth import Meaning, depth_hints
from ...renderers.panorama.depth_files import read_depth
from ...renderers.panorama.equirect import check_equirect_picture
from ...renderers.panorama.fill import Filling, fill_equirect
from ...renderers.panorama.gpano import SphereMetadata
from ...renderers.panorama.space import Lookout
from ...renderers.panorama.stitch import stitch_looks
from ...renderers.pictures import Range
from ...renderers.scene import Scene
from ..engine.vae import GivenViews
from ..files import input_file
from ..saving import Workflow, jpeg_bytes, png_bytes, save_files

PANORAMA_FORMATS = ("jpg", "png")
# Endings of depth files that come with the pack.
SHIPPED_DEPTH = (".npy",)


def need_cameras(rig: Any) -> Lookout:
    """The rig, when it is one of cameras in a panorama. Raises ValueError for windows and others."""
    if not isinstance(rig, Lookout):
        raise ValueError(
            f"a rig of {rig.kind} does not look into a panorama; set ViewRig's kind to ring, sphere, fibonacci or "
            "custom"
        )
    return rig


def stitch_equirect(
    space: Any,
    rig: Any,
    given: GivenViews,
    detail: float,
    holes: Filling,
) -> tuple[Tensor, Tensor]:
    """Views -> (panoramas [B, H, W, C], of a video all of its frames, coverage [B, H, W]: 1 where some view looks, 0
    where the picture is filled).

    detail: see ``stitch_looks``. Raises ValueError without views, and when their number is not the rig's.
    """
    looks, scene = need_cameras(rig).looks, Scene(space, rig)
    stream, total, each = given.pictures("stitch"), given.count, len(scene.view_places())
    if total == 0 or total % each:
        raise ValueError(f"{total} views do not match a rig of {each} views; connect all views of this rig")
    pictures: list[Tensor] = []
    masks: list[Tensor] = []
    for _ in range(total // len(looks)):
        part = itertools.islice(stream, len(looks))
        joined = stitch_looks(looks, part, scene.space.height, scene.space.width, detail)
        seen = joined.weight > 0
        pictures.append(fill_equirect(joined.picture, seen, holes).clamp(0, 1))
        masks.append(seen.float())
    missing = 100 * float((masks[0] == 0).float().mean())
    if missing:
        what = "left black" if holes == "nothing" else f"filled ({holes})"
        logging.warning("EquirectStitch: %.1f %% of the picture is seen by no view and was %s", missing, what)
    return torch.stack(pictures), torch.stack(masks)


def depth_views(rig: Any, name: str, image: Tensor | None, meaning: Meaning, span: Range) -> tuple[Tensor, Tensor]:
    """Depth of a sphere, from a file (of the input folder, else of the pack) or as IMAGE [1, H, W, 3]
    -> (hints [N, h, w, 3], valid [N, h, w]).

    Raises ValueError without a depth, for more than one, and for a picture in false colours.
    """
    cameras = need_cameras(rig)
    if image is not None and name.strip():
        raise ValueError(
            f"both an image and the file '{name}' are given; clear the file's name or disconnect the image"
        )
    if image is None:
        if not name.strip():
            raise ValueError("no depth; give the name of a file in ComfyUI's input folder, or connect an image")
        depth = read_depth(input_file(name, SHIPPED_DEPTH))
    else:
        if image.shape[0] != 1:
            raise ValueError(f"{image.shape[0]} depth images; connect one panorama")
        if float((image - image[..., :1]).abs().max()) > 2 / 255:
            raise ValueError("the depth image is in colour; false colours are not guessed at: connect grey depth")
        check_equirect_picture(image)
        depth = image[0, ..., 0].float()
    hints, valid = depth_hints(depth, cameras, meaning, span)
    return hints[..., None].repeat(1, 1, 1, 3), valid.float()


def save_panoramas(
    images: Tensor,
    prefix: str,
    quality: int,
    full_width: int,
    heading: float,
    format: str = "jpg",
    workflow: Workflow | None = None,
) -> list[dict[str, str]]:
    """Write pictures [B, H, W, C] as JPEG or PNG files with a sphere's metadata to the host's output folder -> what the
    front end needs to show them. C is 1 (grey), 3, or more (the first three are saved).

    Raises ValueError for no pictures, and as ``SphereMetadata`` and ``save_files``.
    """
    if format not in PANORAMA_FORMATS:
        raise ValueError(f"format '{format}' is unknown; use {' or '.join(PANORAMA_FORMATS)}")
    height, width = images.shape[1:3]
    packet = SphereMetadata.of(width, height, full_width, heading).xmp()
    colours = images.expand(-1, -1, -1, 3) if images.shape[3] == 1 else images[..., :3]
    shown: list[dict[str, str]] = []
    for number, image in enumerate(colours):
        jpeg = format == "jpg"
        data = jpeg_bytes(image, quality, workflow, packet) if jpeg else png_bytes(image, workflow, packet)
        shown += save_files(
            prefix, lambda stem, data=data: {f"{stem}.{format}": data}, size=(width, height), batch=number
        )
    return shown
