"""Splat scenes and recorded cameras: found in the host's input folder, saved to its output folder."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from ...renderers.cameras.frames import TRAINED, trained_frame
from ...renderers.cameras.recorded import camera_rig, chosen, read_cameras
from ...renderers.cameras.viewpoints import Orbit
from ...renderers.splats.files.load_save import FORMATS, SplatFormat, load_splats, scene_bytes
from ...renderers.splats.files.ply_table import with_comments
from ...renderers.splats.splats import Splats
from .. import host
from ..files import content_digest, given_file, input_file, input_path, list_files, state_of
from ..host.given_models import NOTHING, model_file
from ..saving import Workflow, ply_comments, save_files

NO_SCENE = "(no .ply or .splat file in the input folder)"

_ENDINGS = tuple(f".{kind}" for kind in FORMATS)
# Endings of the scenes that come with the pack.
_SHIPPED = (".splat",)
_OTHER = "use Get Splat instead, or Create 3D File with format ply"
# Bytes that reading one splat takes at worst: the file's row, its columns, and what is made of them.
_EACH = 1500


def list_scenes() -> list[str]:
    """Names that ``load_scene`` takes, sorted; see ``list_files``."""
    return list_files(_ENDINGS, _SHIPPED)


def scene_path(name: str | None, given: str | None = None) -> Path:
    """The file of that name, or the one that another node names. Raises ValueError as ``input_file`` and
    ``given_file``."""
    if given is not None:
        return given_file(given)[0]
    return input_file(name or "", _SHIPPED, "copy it there, or into its folder 3d")


def scene_state(name: str | None, given: str | None = None) -> str:
    """Changes when the content of a scene's file does."""
    try:
        return content_digest(scene_path(name, given))
    except (OSError, ValueError):
        return given or name or ""


def load_scene(name: str, given: str | None = None, model: Any = NOTHING) -> tuple[Splats, str]:
    """(The scene of a file, what it is in words). given: a path from another node, instead of the name; model: a 3D
    file, instead of both.

    Raises ValueError as ``scene_path``, ``model_file`` and ``load_splats``, and for more splats than memory holds.
    """
    known = nullcontext((scene_path(name, given), None)) if model is NOTHING else model_file(model, _ENDINGS, _OTHER)
    with known as (path, _):
        splats = load_splats(path, int(host.free_memory(torch.device("cpu")) / _EACH))
    return splats, description(splats)


def description(splats: Splats) -> str:
    x, y, z = splats.centre
    colour = "the same from everywhere" if splats.degree == 0 else f"by direction, harmonics of degree {splats.degree}"
    faint = 100 * float((splats.opacities < 0.05).float().mean())
    return "\n".join(
        (
            f"{splats.name}: {len(splats):,} splats",
            f"centre {x:.3g}, {y:.3g}, {z:.3g}, radius {splats.radius:.3g}",
            f"colour {colour}",
            f"middling size {float(splats.scales.amax(1).median()) / splats.radius:.2g} of the radius",
            f"{faint:.1f} % are nearly transparent",
            *splats.flaws,
        )
    )


def save_scene(
    splats: Splats, prefix: str, kind: SplatFormat, workflow: Workflow | None = None
) -> tuple[str, dict[str, str]]:
    """Save to the host's output folder -> (path below that folder, what the front end needs to find it). workflow: goes
    into the comments of a PLY file."""
    data = scene_bytes(splats, kind)
    if kind == "ply":
        data = with_comments(data, ply_comments(workflow or {}))
    (shown,) = save_files(prefix, lambda stem: {f"{stem}.{kind}": data})
    return Path(shown["subfolder"], shown["filename"]).as_posix(), shown


def recorded_rig(
    name: str, width: int, height: int, every: int, at_most: int, exponent: tuple[float, float]
) -> tuple[Orbit, str]:
    """(Rig of the cameras in a file or folder of the input folder, what was found in words).

    Raises ValueError as ``read_cameras``, and for names that are not there.
    """
    path = input_path(name)
    if not name.strip() or not path.exists():
        raise ValueError(
            f"'{name}' is not in ComfyUI's input folder; copy a transforms.json or a COLMAP folder there and name it"
        )
    shots, bent = read_cameras(path)
    taken = chosen(shots, every, at_most)
    rig = camera_rig(taken, width, height, exponent)
    text = f"{len(taken)} of {len(shots)} cameras, views of {rig.width} x {rig.height} pixels"
    if trained_frame(path) is not None:
        text += f"\nin the coordinates of {TRAINED}, where nerfstudio's exported splats lie"
    if bent:
        logging.warning("CameraFileRig: the lenses of '%s' distort; views are straight, as splats are drawn", path.name)
        text += "\nthe lenses distort, the views do not"
    sizes = {s.size for s in taken}
    if len(sizes) > 1:
        text += f"\npictures of {len(sizes)} sizes: every view shows the whole width of its own"
    return rig, text


def cameras_state(name: str | None) -> str:
    """Changes when a file of cameras does, or one in their folder or beside them that belongs to them."""
    try:
        path = input_path(name or "")
        files = sorted(path.rglob("*")) if path.is_dir() else [path, path.with_name(TRAINED)]
        states = [(p.name, state_of(p)) for p in files if p.suffix in (".json", ".txt", ".bin") and p.is_file()]
    except (OSError, ValueError):
        return name or ""
    return f"{name} {states}"
