"""Meshes: in from files, unwrapped, and out again with their textures."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.mesh.files.save import FORMATS
from ...renderers.mesh.uvs.atlas import LAYOUTS
from ...renderers.mesh.uvs.unwrap import METHODS
from .. import host
from ..declare import Choice, Node, Number, Socket, Whole
from ..host.given_models import NOTHING
from ..host.mesh_socket import from_socket, to_socket
from ..links import file_fits, said
from ..saving import check_prefix, workflow_of
from ..widgets import FILE_PREFIX, GIVEN_PATH, WORKFLOW
from .files import (
    NO_MESH,
    PARTS,
    TEXTURES,
    UNWRAPS,
    UvWishes,
    list_meshes,
    mesh_path,
    mesh_state,
    prepared,
    read_mesh,
    save_textured,
)

_GIVEN_MODEL = Socket("FILE_3D,FILE_3D_GLB,FILE_3D_GLTF,FILE_3D_OBJ,FILE_3D_STL,FILE_3D_PLY").says(
    "Instead of a file's name: a 3D file from another node, as Load 3D gives it. Hosts before 2026 have none."
)
_PARTS = Choice(PARTS, default="one texture each").says(
    "Of a mesh with several materials: every part keeps a texture of its own, or all share one (joint)."
)
_MAY_UNWRAP = tuple(choice for choice in UNWRAPS if choice != "keep")
_METHOD = Choice(METHODS, default="auto", advanced=True).says(
    "xatlas: few charts with little stretch; pip install xatlas. boxes: projected along the axes, needs nothing, more "
    "seams. auto: xatlas where it is installed and works."
)
_SIZE = Whole(1024, 64, 8192, 64).says(
    "Smallest texture that will be painted: new charts lie at least 4 of its texels apart."
)
_LIMIT = Number(300.0, 1.0, 7200.0, 1.0, advanced=True).says(
    "Seconds after which xatlas is stopped. 50,000 faces take about 15 seconds."
)


@Node(
    "Load Mesh (SyncTweedies)",
    "mesh",
    inputs={
        "file": Choice(lambda: list_meshes() or [NO_MESH]).says(
            "A file in ComfyUI's input folder or below its folder 3d; teapot.glb comes with this pack."
        ),
        "unwrap": Choice(UNWRAPS, default="when needed").says(
            "Make new texture coordinates: when those of the file are not usable, never (then they must be), or always."
        ),
        "method": _METHOD.when(unwrap=_MAY_UNWRAP),
        "texture_size": _SIZE,
        "parts": _PARTS.given(advanced=True),
        "file_textures": Choice(TEXTURES, default="load", advanced=True).says(
            "The textures that the file names: load them, or ignore them (also where they are missing)."
        ),
        "time_limit": _LIMIT.when(unwrap=_MAY_UNWRAP),
    },
    optional={"path": GIVEN_PATH, "model_3d": _GIVEN_MODEL},
    outputs={
        "mesh": Socket("MESH").says(
            "The mesh, for the mesh nodes of this pack and for nodes of ComfyUI that take meshes."
        ),
        "report": Socket("STRING").says(
            "What the file holds, what its texture coordinates are like, and what was done."
        ),
    },
    search=["load 3d", "glb", "obj", "ply", "stl", "uv"],
)
class SyncTweediesLoadMesh:
    """A mesh from a GLB, glTF, OBJ, PLY, STL or OFF file, with its texture coordinates checked, and new ones made where
    they are missing or not usable. Costs about a second, and some more to unwrap."""

    @classmethod
    def IS_CHANGED(cls, file: str | None = "", path: str | None = None, **_: Any) -> str:
        return mesh_state(file, path)

    @classmethod
    def VALIDATE_INPUTS(
        cls, file: str | None = None, path: str | None = "", model_3d: Any = NOTHING, input_types: Any = None
    ) -> bool | str:
        return file_fits(cls, mesh_path, file, path != "" or model_3d is not NOTHING, input_types)

    def load(
        self,
        file: str,
        unwrap: Any,
        method: Any,
        texture_size: int,
        parts: Any,
        file_textures: str,
        time_limit: float,
        path: str | None = None,
        model_3d: Any = NOTHING,
    ) -> tuple[Any, str]:
        wishes = UvWishes(parts, unwrap, method, texture_size, time_limit)
        mesh, report = read_mesh(file, wishes, file_textures, path, model_3d)
        return to_socket(mesh), report


@Node(
    "Unwrap Mesh (SyncTweedies)",
    "mesh",
    inputs={
        "mesh": Socket("MESH").says("A mesh of this pack or of ComfyUI."),
        "unwrap": Choice(UNWRAPS, default="always").says(
            "always: make new ones. when needed: only where those it has are not usable. keep: check them only."
        ),
        "method": _METHOD.given(advanced=False).when(unwrap=_MAY_UNWRAP),
        "texture_size": _SIZE,
        "parts": _PARTS.given(advanced=True),
        "time_limit": _LIMIT.when(unwrap=_MAY_UNWRAP),
    },
    outputs={
        "mesh": Socket("MESH").says("The mesh with its texture coordinates."),
        "report": Socket("STRING").says("What they are like, and what was done."),
    },
    search=["uv", "xatlas", "atlas"],
)
class SyncTweediesUnwrap:
    """New texture coordinates for a mesh of another node; vertices and faces stay as they are. Costs about a second for
    10,000 faces."""

    def unwrap(
        self, mesh: Any, unwrap: Any, method: Any, texture_size: int, parts: Any, time_limit: float
    ) -> tuple[Any, str]:
        found, lines = prepared(from_socket(mesh), UvWishes(parts, unwrap, method, texture_size, time_limit))
        return to_socket(found), "\n".join(lines)


@Node(
    "Save Textured Mesh",
    "mesh",
    inputs={
        "mesh": Socket("MESH").says("The mesh to save."),
        "filename_prefix": FILE_PREFIX.given(default="SyncTweedies/mesh"),
        "format": Choice(FORMATS, default="glb").says(
            "glb: one file for Blender, games and the web. obj: with .mtl and .png files. ply: one texture, and "
            "vertex colours for viewers that know no textures."
        ),
        "layout": Choice(LAYOUTS, default="joint").says(
            "Of one image for several parts: joint, all use the whole of it; tiles, each has a tile of its own."
        ),
    },
    optional={
        "texture": Socket("IMAGE").says(
            "Textures: one for all parts, or one for each. Without it, those that the mesh has."
        )
    },
    hidden=WORKFLOW,
    outputs={
        "mesh": Socket("MESH").says("The mesh with the texture that was saved."),
        "file": Socket("STRING").says("Path of the file below ComfyUI's output folder, for Preview 3D."),
        "model_3d": Socket("FILE_3D").says("The saved file, for nodes of newer ComfyUI that take 3D files."),
    },
    search=["save glb", "export", "obj", "ply", "texture"],
    output_node=True,
)
class SaveTexturedMesh:
    """Saves a mesh with its texture as GLB, OBJ or PLY, in the coordinates of the file it came from; a GLB holds the
    workflow as well. Costs what writing a PNG costs."""

    @classmethod
    def VALIDATE_INPUTS(cls, filename_prefix: str | None = None) -> bool | str:
        return said(check_prefix, filename_prefix)

    def save(
        self,
        mesh: Any,
        filename_prefix: str,
        format: Any,
        layout: Any,
        texture: Tensor | None = None,
        prompt: Any = None,
        extra_pnginfo: Any = None,
    ) -> dict[str, Any]:
        origin = workflow_of(prompt, extra_pnginfo)
        saved, file, shown = save_textured(from_socket(mesh), texture, filename_prefix, format, layout, origin)
        return {"ui": {"3d": shown, "text": [file]}, "result": (to_socket(saved), file, host.saved_file_3d(file))}
