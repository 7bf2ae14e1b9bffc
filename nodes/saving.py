"""Results written to the host's folders, and the workflow that they came from written into them.

Pictures and meshes carry the workflow as those of the host's own nodes do, so that dragging one onto the page opens it.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..renderers.files.atomic import Contents, write_new
from ..renderers.panorama.gpano import png_xmp, with_exif, with_xmp
from . import host

# The workflow as JSON texts by name: "workflow", "prompt", and what else the page sends.
Workflow = Mapping[str, str]
# Tags of EXIF that the host's page looks through, in the order in which the host fills them.
_PROMPT_TAG, _FIRST_TAG = 0x0110, 0x010F
# Bytes of an APP1 segment that EXIF may take: two count it, six name it.
_EXIF = 65533 - 6
# Bytes of comments in a PLY file's header: some viewers look for its end in the first ten thousand.
_COMMENTS = 8000


def workflow_of(prompt: Any, extra_pnginfo: Any) -> dict[str, str]:
    """The workflow of this run by name, as JSON; nothing where the host was started with --disable-metadata."""
    if host.metadata_disabled():
        return {}
    given = {} if prompt is None else {"prompt": prompt}
    given |= extra_pnginfo if isinstance(extra_pnginfo, dict) else {}
    return {str(name): json.dumps(value) for name, value in given.items()}


def save_files(
    prefix: str, make: Callable[[str], Contents], kind: str = "output", size: tuple[int, int] = (1, 1), batch: int = 0
) -> list[dict[str, str]]:
    """Write new files to the host's folder ``output`` or ``temp`` -> what the front end needs to find them, in order.

    make: contents by file name, for the name without its ending, which has the next free number. size: width and
    height, for %width% and %height% in the prefix; batch: for %batch_num%. Raises ValueError as ``write_new`` and
    ``host.picture_path``.
    """
    folder, name, counter, subfolder = host.picture_path(prefix, *size, kind)
    name = name.replace("%batch_num%", str(batch))
    paths = write_new(Path(folder), lambda number: make(f"{name}_{number:05}_"), counter, kind == "output")
    return [{"filename": path.name, "subfolder": subfolder, "type": kind} for path in paths]


def check_prefix(prefix: str | None) -> None:
    """Raises ValueError, before anything runs, for a prefix that could not be saved under. None: not known yet."""
    if prefix is not None:
        host.check_prefix(prefix, "output")


def png_bytes(picture: Tensor, workflow: Workflow | None = None, xmp: bytes = b"", level: int = 4) -> bytes:
    """A picture [H, W, 3] in [0, 1] as a PNG file. xmp: a packet to put in; level: of compression, 0 to 9."""
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    for name, text in (workflow or {}).items():
        texts.add_text(name, text)
    if xmp:
        png_xmp(texts, xmp)
    encoded = io.BytesIO()
    _image(picture).save(encoded, "PNG", pnginfo=texts, compress_level=level)
    return encoded.getvalue()


def jpeg_bytes(picture: Tensor, quality: int, workflow: Workflow | None = None, xmp: bytes = b"") -> bytes:
    """A picture [H, W, 3] in [0, 1] as a JPEG file at full colour resolution: it may be looked at magnified.

    The workflow goes where the host's WebP files have it; what does not fit in a segment is left out, with a warning.
    """
    encoded = io.BytesIO()
    _image(picture).save(encoded, "JPEG", quality=quality, subsampling=0)
    exif = _exif(workflow or {})
    data = with_exif(encoded.getvalue(), exif) if exif else encoded.getvalue()
    return with_xmp(data, xmp) if xmp else data


def ply_comments(workflow: Workflow) -> list[str]:
    """The workflow as comments of a PLY file, the shortest first, as many as fit in a header that viewers read."""
    lines: list[str] = []
    room = _COMMENTS
    for name, text in sorted(workflow.items(), key=lambda item: len(item[1])):
        line = f"comment {name} {text}"
        room -= len(line)
        if room < 0:
            logging.info("SaveSplats: the %s of %d bytes does not fit in a PLY file's header", name, len(text))
            break
        lines.append(line)
    return lines


def _image(picture: Tensor) -> Any:
    from PIL import Image

    return Image.fromarray((picture.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy())


def _exif(workflow: Workflow) -> bytes:
    """EXIF as the host writes it: "name:JSON" in one tag each. The workflow goes first where not all of it fits."""
    from PIL import Image

    names = sorted(workflow, key=lambda name: (name == "prompt", name != "workflow"))
    while names:
        exif, tag = Image.Exif(), _FIRST_TAG
        for name in names:
            exif[_PROMPT_TAG if name == "prompt" else tag] = f"{name}:{workflow[name]}"
            tag -= name != "prompt"
        data = exif.tobytes().removeprefix(b"Exif\0\0")
        if len(data) <= _EXIF:
            return data
        logging.warning("the %s is too long for a JPEG file and was left out; PNG files hold any length", names.pop())
    return b""
