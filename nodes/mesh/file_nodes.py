"""Meshes: in from files, unwrapped, and out again with their textures."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.mesh.files.save import FORMATS
from ...renderers.mesh.uvs.atlas import LAYOUTS
from ...renderers.mesh.uvs.unwrap import METHODS
from .. import host
from ..host.errors import named
from ..host.given_models import MODEL_MESH, NOTHING
from ..host.mesh_socket import from_socket, to_socket
from ..links import GIVEN, file_fits, said
from ..saving import HIDDEN, check_prefix, workflow_of
from .files import (
    NO_MESH,
    PARTS,
    TEXTURES,
    UNWRAPS,
    fingerprint,
    list_meshes,
    mesh_path,
    prepared,
    read_mesh,
    save_textured,
)

MESHES = "SyncTweedies/meshes"

_PARTS = (
    list(PARTS),
    {
        "default": "one texture each",
        "tooltip": "Of a mesh with several materials: every part keeps a texture of its own, or all share one (joint).",
    },
)
_METHOD = (
    list(METHODS),
    {
        "default": "auto",
        "tooltip": "xatlas: few charts with little stretch; pip install xatlas. boxes: projected along the axes, needs "
        "nothing, more seams. auto: xatlas where it is installed and works.",
    },
)
_SIZE = (
    "INT",
    {
        "default": 1024,
        "min": 64,
        "max": 8192,
        "step": 64,
        "tooltip": "Smallest texture that will be painted: new charts lie at least 4 of its texels apart.",
    },
)
_LIMIT = (
    "FLOAT",
    {
        "default": 300.0,
        "min": 1.0,
        "max": 7200.0,
        "step": 1.0,
        "tooltip": "Seconds after which xatlas is stopped. 50,000 faces take about 15 seconds.",
    },
)


class SyncTweediesLoadMesh:
    CATEGORY = MESHES
    DESCRIPTION = (
        "A mesh from a GLB, glTF, OBJ, PLY, STL or OFF file, with its texture coordinates checked, and new ones made "
        "where they are missing or not usable. Costs about a second, and some more to unwrap."
    )
    RETURN_TYPES = ("MESH", "STRING")
    RETURN_NAMES = ("mesh", "report")
    OUTPUT_TOOLTIPS = (
        "The mesh, for the mesh nodes of this pack and for nodes of ComfyUI that take meshes.",
        "What the file holds, what its texture coordinates are like, and what was done.",
    )
    FUNCTION = "load"
    SEARCH_ALIASES = ["load 3d", "glb", "obj", "ply", "stl", "uv", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        tooltip = "A file in ComfyUI's input folder or below its folder 3d; teapot.glb comes with this pack."
        return {
            "required": {
                "file": (list_meshes() or [NO_MESH], {"tooltip": tooltip}),
                "unwrap": (
                    list(UNWRAPS),
                    {
                        "default": "when needed",
                        "tooltip": "Make new texture coordinates: when those of the file are not usable, never (then "
                        "they must be), or always.",
                    },
                ),
                "method": _METHOD,
                "texture_size": _SIZE,
                "parts": _PARTS,
                "file_textures": (
                    list(TEXTURES),
                    {
                        "default": "load",
                        "tooltip": "The textures that the file names: load them, or ignore them (also where they are "
                        "missing).",
                    },
                ),
                "time_limit": _LIMIT,
            },
            "optional": {"path": GIVEN, "model_3d": MODEL_MESH},
        }

    @classmethod
    def IS_CHANGED(cls, file: str | None = "", path: str | None = None, **_: Any) -> str:
        return fingerprint(file, path)

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
        with named("SyncTweediesLoadMesh"):
            wishes = (parts, unwrap, method, texture_size, file_textures, time_limit)
            mesh, report = read_mesh(file, *wishes, path, model_3d)
            return to_socket(mesh), report


class SyncTweediesUnwrap:
    CATEGORY = MESHES
    DESCRIPTION = (
        "New texture coordinates for a mesh of another node; vertices and faces stay as they are. Costs about a second "
        "for 10,000 faces."
    )
    RETURN_TYPES = ("MESH", "STRING")
    RETURN_NAMES = ("mesh", "report")
    OUTPUT_TOOLTIPS = ("The mesh with its texture coordinates.", "What they are like, and what was done.")
    FUNCTION = "unwrap"
    SEARCH_ALIASES = ["uv", "xatlas", "atlas", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        when = "always: make new ones. when needed: only where those it has are not usable. keep: check them only."
        return {
            "required": {
                "mesh": ("MESH", {"tooltip": "A mesh of this pack or of ComfyUI."}),
                "unwrap": (list(UNWRAPS), {"default": "always", "tooltip": when}),
                "method": _METHOD,
                "texture_size": _SIZE,
                "parts": _PARTS,
                "time_limit": _LIMIT,
            }
        }

    def unwrap(
        self, mesh: Any, unwrap: Any, method: Any, texture_size: int, parts: Any, time_limit: float
    ) -> tuple[Any, str]:
        with named("SyncTweediesUnwrap"):
            found, said = prepared(from_socket(mesh), parts, unwrap, method, texture_size, time_limit)
            return to_socket(found), "\n".join(said)


class SaveTexturedMesh:
    CATEGORY = MESHES
    DESCRIPTION = (
        "Saves a mesh with its texture as GLB, OBJ or PLY, in the coordinates of the file it came from; a GLB "
        "holds the workflow as well. Costs what writing a PNG costs."
    )
    RETURN_TYPES = ("MESH", "STRING", "FILE_3D")
    RETURN_NAMES = ("mesh", "file", "model_3d")
    OUTPUT_TOOLTIPS = (
        "The mesh with the texture that was saved.",
        "Path of the file below ComfyUI's output folder, for Preview 3D.",
        "The saved file, for nodes of newer ComfyUI that take 3D files.",
    )
    FUNCTION = "save"
    OUTPUT_NODE = True
    SEARCH_ALIASES = ["save glb", "export", "obj", "ply", "texture", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        kinds = (
            "glb: one file for Blender, games and the web. obj: with .mtl and .png files. ply: one texture, and vertex "
            "colours for viewers that know no textures."
        )
        pictures = "Textures: one for all parts, or one for each. Without it, those that the mesh has."
        tiles = "Of one image for several parts: joint, all use the whole of it; tiles, each has a tile of its own."
        return {
            "required": {
                "mesh": ("MESH", {"tooltip": "The mesh to save."}),
                "filename_prefix": (
                    "STRING",
                    {"default": "SyncTweedies/mesh", "tooltip": "Folder and name in ComfyUI's output folder."},
                ),
                "format": (list(FORMATS), {"default": "glb", "tooltip": kinds}),
                "layout": (list(LAYOUTS), {"default": "joint", "tooltip": tiles}),
            },
            "optional": {"texture": ("IMAGE", {"tooltip": pictures})},
            "hidden": HIDDEN,
        }

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
        with named("SaveTexturedMesh"):
            origin = workflow_of(prompt, extra_pnginfo)
            saved, file, shown = save_textured(from_socket(mesh), texture, filename_prefix, format, layout, origin)
            return {"ui": {"3d": shown, "text": [file]}, "result": (to_socket(saved), file, host.saved_file_3d(file))}


NODES = {
    "SyncTweediesLoadMesh": SyncTweediesLoadMesh,
    "SyncTweediesUnwrap": SyncTweediesUnwrap,
    "SaveTexturedMesh": SaveTexturedMesh,
}
NAMES = {
    "SyncTweediesLoadMesh": "Load Mesh (SyncTweedies)",
    "SyncTweediesUnwrap": "Unwrap Mesh (SyncTweedies)",
    "SaveTexturedMesh": "Save Textured Mesh",
}
