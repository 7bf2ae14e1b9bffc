"""Meshes found in the host's input folder, made ready for a texture, and saved to its output folder."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from ...renderers.mesh.base_colour import repainted
from ...renderers.mesh.files.load import ENDINGS, load_mesh
from ...renderers.mesh.files.references import referred_files
from ...renderers.mesh.files.save import Format, mesh_files
from ...renderers.mesh.mesh import Mesh
from ...renderers.mesh.uvs.atlas import AtlasLayout, Layout
from ...renderers.mesh.uvs.carry import carry_textures, in_one_part
from ...renderers.mesh.uvs.unwrap import Method, joined, unwrap
from ...renderers.mesh.uvs.uv_check import UvReport, check_uvs
from .. import host
from ..files import ASSETS, content_digest, given_file, input_file, list_files, state_of
from ..host.given_models import NOTHING, model_file
from ..saving import Workflow, save_files

NO_MESH = "(no .glb, .obj, .ply or .stl file in the input folder)"
# Endings of the meshes that come with the pack.
SHIPPED = (".glb",)
_OTHER = f"convert it to {', '.join(ENDINGS)}"

Unwrap = Literal["when needed", "keep", "always"]
UNWRAPS: tuple[Unwrap, ...] = ("when needed", "keep", "always")
Parts = Literal["one texture each", "joint"]
PARTS: tuple[Parts, ...] = ("one texture each", "joint")
TEXTURES = ("load", "ignore")


def list_meshes() -> list[str]:
    """Names that ``read_mesh`` takes, sorted; see ``list_files``."""
    return list_files(ENDINGS, SHIPPED)


def mesh_path(name: str | None, given: str | None = None) -> tuple[Path, Path]:
    """(The file of that name, the folder that its textures must lie in). given: a path from another node instead, see
    ``given_file``. Raises ValueError as ``input_file`` and ``given_file``."""
    if given is not None:
        return given_file(given)
    path = input_file(name or "", SHIPPED, "copy it there, or into its folder 3d")
    return path, ASSETS if path.parent == ASSETS else Path(host.input_folder()).resolve()


def mesh_state(name: str | None, given: str | None = None) -> str:
    """Changes when the content of a mesh's file does, or of a file that it refers to (buffers, materials, textures)."""
    try:
        path, root = mesh_path(name, given)
        others = referred_files(path, root) if root != ASSETS else ()
        return " ".join([content_digest(path), *(f"{other.name} {state_of(other)}" for other in others)])
    except (OSError, ValueError):
        return given or name or ""


@dataclass(frozen=True)
class UvWishes:
    """What is asked of texture coordinates. parts: one texture for each of several materials, or one for all.
    unwrapping: whether they are made anew, by ``method``. size: side of the texture that is to be painted; charts keep
    their distance at that size. time_limit: seconds that making them may take."""

    parts: Parts
    unwrapping: Unwrap
    method: Method
    size: int
    time_limit: float


def read_mesh(
    name: str, wishes: UvWishes, textures: str, given: str | None = None, model: Any = NOTHING
) -> tuple[Mesh, str]:
    """(The mesh of a file of the input folder, ready to be painted; what was found and done, in words).

    textures: whether those that the file names are loaded. given: a path from another node, instead of the name; model:
    a 3D file, instead of both. Raises ValueError as ``mesh_path``, ``model_file``, ``load_mesh`` and ``prepared``.
    """
    known = nullcontext(mesh_path(name, given)) if model is NOTHING else model_file(model, ENDINGS, _OTHER)
    with known as (path, root):
        loaded = load_mesh(path, textures, root)
    mesh, said = prepared(loaded.mesh, wishes)
    return mesh, "\n".join((description(mesh), *(f"{note[0].upper()}{note[1:]}." for note in loaded.notes), *said))


def prepared(mesh: Mesh, wishes: UvWishes) -> tuple[Mesh, tuple[str, ...]]:
    """(The mesh with the parts and texture coordinates asked for, what was found and done).

    Raises ValueError where coordinates are to be kept and are not usable, and as ``unwrap``.
    """
    unwrapping, size = wishes.unwrapping, wishes.size
    joint = wishes.parts == "joint" and len(mesh.parts) > 1
    kept = joined(mesh) if joint else mesh
    report = check_uvs(kept)
    if unwrapping == "keep" or (unwrapping == "when needed" and report.usable):
        if not report.usable:
            raise ValueError(f"{_refusal(report, joint)}; set unwrap to 'when needed', or repair the mesh")
        return in_one_part(mesh, size) if joint else kept, report.lines
    bar = host.ProgressBar(max(len(mesh.parts), 1))

    def tick(done: int, total: int) -> None:
        host.check_interrupt()
        bar.update_absolute(done, total)

    found = unwrap(mesh, wishes.method, size, joint=joint, time_limit=wishes.time_limit, tick=tick)
    said = [] if unwrapping == "always" else [report.lines[0]]
    said.append(f"Unwrapped with {found.method} for a texture of {size} x {size}.")
    if found.warning:
        said.append(f"{found.warning[0].upper()}{found.warning[1:]}.")
    done = carry_textures(mesh, found.mesh, size)
    if any(part.texture is not None for part in done.parts):
        said.append("The file's textures were painted onto the new coordinates.")
    if any(part.maps.normal is not None for part in mesh.parts):
        said.append("Normal maps are left out: they do not fit the new coordinates.")
    return done, (*said, *found.report.lines)


def _refusal(report: UvReport, joint: bool) -> str:
    where = " when the parts share one texture" if joint else ""
    return f"the texture coordinates are not usable{where}: {report.reason}"


def description(mesh: Mesh) -> str:
    """How large a mesh is, in words."""
    x, y, z = mesh.centre
    parts = "" if len(mesh.parts) == 1 else f", {len(mesh.parts)} parts: {', '.join(p.name for p in mesh.parts)}"
    pictures = len({id(p.texture) for p in mesh.parts if p.texture is not None})
    many = "one texture" if pictures == 1 else f"{pictures or 'no'} textures"
    return (
        f"{mesh.name}: {len(mesh.vertices):,} vertices, {len(mesh.faces):,} faces{parts}\n"
        f"Centre {x:.3g}, {y:.3g}, {z:.3g}, radius {mesh.radius:.3g}, {many}."
    )


def save_textured(
    mesh: Mesh, images: Tensor | None, prefix: str, format: Format, layout: Layout, workflow: Workflow | None = None
) -> tuple[Mesh, str, list[dict[str, str]]]:
    """Save to the host's output folder -> (the mesh with its textures, path below that folder, what the front end needs
    to find the files).

    images: [B, H, W, C], one for all parts or one for each, or one with a tile for each part (layout ``tiles``); None
    for the mesh's own textures. workflow: goes into a GLB. Raises ValueError as ``mesh_files`` and ``save_files``.
    """
    if images is not None:
        mesh = textured(mesh, images, layout)
    shown = save_files(prefix, lambda stem: mesh_files(mesh, None, stem, format, workflow))
    return mesh, Path(shown[0]["subfolder"], shown[0]["filename"]).as_posix(), shown


def textured(mesh: Mesh, images: Tensor, layout: Layout) -> Mesh:
    """The mesh with other textures, each part as opaque as ``repainted`` says. Raises ValueError without texture
    coordinates and for a wrong number of images."""
    if not mesh.has_uvs:
        raise ValueError(f"mesh '{mesh.name}' has no texture coordinates; unwrap it first")
    count = len(mesh.parts)
    if images.shape[0] not in (1, count):
        raise ValueError(f"{images.shape[0]} images for a mesh of {count} parts; connect one, or one for each part")
    pictures: Sequence[Tensor] = [images[0]] * count if images.shape[0] == 1 else list(images)
    if images.shape[0] == 1 and layout == "tiles":
        grid = AtlasLayout.of(mesh, layout, images.shape[2], images.shape[1])
        pictures = [images[0][grid.tile(part)] for part in range(count)]
    return repainted(mesh, pictures)
