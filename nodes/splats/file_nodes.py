"""Splat scenes and recorded cameras: in from files, and out again."""

from __future__ import annotations

from typing import Any

from ...renderers.splats.files.load_save import FORMATS
from .. import host
from ..host.errors import named
from ..host.given_models import MODEL_SPLATS, NOTHING
from ..host.splat_socket import splats_of, to_splat
from ..links import GIVEN, file_fits, said
from ..saving import HIDDEN, check_prefix, workflow_of
from ..views.spaces import MAX_SIDE
from .files import (
    NO_SCENE,
    camera_fingerprint,
    fingerprint,
    list_scenes,
    load_scene,
    recorded_rig,
    save_scene,
    scene_path,
)

SPLATS = "SyncTweedies/splats"


class SyncTweediesLoadSplats:
    CATEGORY = SPLATS
    DESCRIPTION = (
        "A 3D Gaussian splatting scene from a .ply (INRIA's and gsplat's layouts) or .splat file. Costs about two "
        "seconds and 0.6 GB for half a million splats."
    )
    RETURN_TYPES = ("SPLAT", "STRING")
    RETURN_NAMES = ("splats", "report")
    OUTPUT_TOOLTIPS = (
        "The scene, for SplatSpace and SplatTurntable, and for nodes of newer ComfyUI that take splats.",
        "How many splats, how large the scene is, and what its colours are.",
    )
    FUNCTION = "load"
    SEARCH_ALIASES = ["3dgs", "gaussian splatting", "ply", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        tooltip = "A file in ComfyUI's input folder or below its folder 3d; lighthouse.splat comes with this pack."
        return {
            "required": {"file": (list_scenes() or [NO_SCENE], {"tooltip": tooltip})},
            "optional": {"path": GIVEN, "model_3d": MODEL_SPLATS},
        }

    @classmethod
    def IS_CHANGED(cls, file: str | None = "", path: str | None = None, **_: Any) -> str:
        return fingerprint(file, path)

    @classmethod
    def VALIDATE_INPUTS(
        cls, file: str | None = None, path: str | None = "", model_3d: Any = NOTHING, input_types: Any = None
    ) -> bool | str:
        return file_fits(cls, scene_path, file, path != "" or model_3d is not NOTHING, input_types)

    def load(self, file: str, path: str | None = None, model_3d: Any = NOTHING) -> tuple[Any, str]:
        with named("SyncTweediesLoadSplats"):
            splats, report = load_scene(file, path, model_3d)
            return to_splat(splats), report


class SaveSplats:
    CATEGORY = SPLATS
    DESCRIPTION = (
        "Saves a scene of splats. A scene that was loaded from a file keeps everything but its colours byte for byte; "
        "a PLY gains comments with the workflow, where there is room. Costs what writing the file costs."
    )
    RETURN_TYPES = ("SPLAT", "STRING", "FILE_3D_SPLAT_ANY")
    RETURN_NAMES = ("splats", "file", "model_3d")
    OUTPUT_TOOLTIPS = (
        "The scene, unchanged.",
        "Path of the file below ComfyUI's output folder, for a 3D preview that takes a path.",
        "The saved file, for Preview Splat and other nodes of newer ComfyUI.",
    )
    FUNCTION = "save"
    OUTPUT_NODE = True
    SEARCH_ALIASES = ["3dgs", "gaussian splatting", "ply", "export", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "splats": ("SPLAT", {"tooltip": "The scene to save."}),
                "filename_prefix": (
                    "STRING",
                    {"default": "SyncTweedies/splats", "tooltip": "Folder and name in ComfyUI's output folder."},
                ),
                "format": (
                    list(FORMATS),
                    {
                        "tooltip": "ply: everything, as trainers write it. splat: 32 bytes a splat for web viewers, "
                        "with one colour each in 8 bits."
                    },
                ),
            },
            "hidden": HIDDEN,
        }

    @classmethod
    def VALIDATE_INPUTS(cls, filename_prefix: str | None = None) -> bool | str:
        return said(check_prefix, filename_prefix)

    def save(
        self, splats: Any, filename_prefix: str, format: Any, prompt: Any = None, extra_pnginfo: Any = None
    ) -> dict[str, Any]:
        with named("SaveSplats"):
            origin = workflow_of(prompt, extra_pnginfo)
            file, shown = save_scene(splats_of(splats), filename_prefix, format, origin)
            return {"ui": {"3d": [shown], "text": [file]}, "result": (splats, file, host.saved_file_3d(file))}


class CameraFileRig:
    CATEGORY = SPLATS
    DESCRIPTION = (
        "The cameras that a scene was recorded with as views: from a transforms.json, a trainer's cameras.json or "
        "COLMAP's files. Every view costs one model call per step."
    )
    RETURN_TYPES = ("VIEW_RIG", "INT", "STRING")
    RETURN_NAMES = ("rig", "views", "report")
    OUTPUT_TOOLTIPS = (
        "Connect together with the space of the same scene.",
        "Number of views: model calls per step.",
        "How many cameras were found and taken.",
    )
    FUNCTION = "build"
    SEARCH_ALIASES = ["colmap", "blender", "nerf", "transforms.json", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        count = {"min": 0, "max": 4096}
        exponent = {"default": 1.0, "min": 0.0, "max": 32.0, "step": 0.5, "advanced": True}
        return {
            "required": {
                "file": (
                    "STRING",
                    {
                        "default": "transforms.json",
                        "tooltip": "A file or folder in ComfyUI's input folder: transforms.json, cameras.json, or a "
                        "folder with COLMAP's cameras and images (also as sparse/0), text or binary.",
                    },
                ),
                "width": (
                    "INT",
                    {
                        "default": 512,
                        "min": 8,
                        "max": MAX_SIDE,
                        "step": 8,
                        "tooltip": "Width of a view, image pixels. It shows the whole width of its camera's picture.",
                    },
                ),
                "height": (
                    "INT",
                    {
                        "default": 0,
                        "min": 0,
                        "max": MAX_SIDE,
                        "step": 8,
                        "tooltip": "Height of a view, image pixels. 0 = in the proportions of the first picture.",
                    },
                ),
                "at_most": (
                    "INT",
                    {**count, "default": 24, "tooltip": "How many cameras to take, spread evenly. 0 = all of them."},
                ),
                "every": (
                    "INT",
                    {**count, "min": 1, "default": 1, "tooltip": "Take only every so-many-th camera, before at_most."},
                ),
            },
            "optional": {
                "exponent_start": (
                    "FLOAT",
                    {**exponent, "tooltip": "How much more a view counts where it looks straight on, at the start."},
                ),
                "exponent_end": ("FLOAT", {**exponent, "tooltip": "The same at the end of the sampling."}),
            },
        }

    @classmethod
    def IS_CHANGED(cls, file: str | None = "", **_: Any) -> str:
        return camera_fingerprint(file)

    def build(
        self,
        file: str,
        width: int,
        height: int,
        at_most: int,
        every: int,
        exponent_start: float = 1.0,
        exponent_end: float = 1.0,
    ) -> tuple[Any, int, str]:
        with named("CameraFileRig"):
            rig, report = recorded_rig(file, width, height, every, at_most, (exponent_start, exponent_end))
            return rig, len(rig.viewpoints), report


NODES = {
    "SyncTweediesLoadSplats": SyncTweediesLoadSplats,
    "SaveSplats": SaveSplats,
    "CameraFileRig": CameraFileRig,
}
NAMES = {
    "SyncTweediesLoadSplats": "Load Splats (SyncTweedies)",
    "SaveSplats": "Save Splats",
    "CameraFileRig": "Camera File Rig",
}
