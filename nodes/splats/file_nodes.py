"""Splat scenes and recorded cameras: in from files, and out again."""

from __future__ import annotations

from typing import Any

from ...renderers.splats.files.load_save import FORMATS
from .. import host
from ..declare import Choice, Node, Number, Socket, Text, Whole
from ..host.given_models import NOTHING
from ..host.splat_socket import splats_of, to_splat
from ..links import file_fits, said
from ..saving import check_prefix, workflow_of
from ..widgets import FILE_PREFIX, GIVEN_PATH, MAX_SIDE, WORKFLOW
from .files import (
    NO_SCENE,
    cameras_state,
    list_scenes,
    load_scene,
    recorded_rig,
    save_scene,
    scene_path,
    scene_state,
)

_GIVEN_MODEL = Socket("FILE_3D,FILE_3D_SPLAT_ANY,FILE_3D_PLY,FILE_3D_SPLAT").says(
    "Instead of a file's name: a 3D file from another node, as Create 3D File gives it. Hosts before 2026 have none."
)


@Node(
    "Load Splats (SyncTweedies)",
    "splats",
    inputs={
        "file": Choice(lambda: list_scenes() or [NO_SCENE]).says(
            "A file in ComfyUI's input folder or below its folder 3d; lighthouse.splat comes with this pack."
        )
    },
    optional={"path": GIVEN_PATH, "model_3d": _GIVEN_MODEL},
    outputs={
        "splats": Socket("SPLAT").says(
            "The scene, for SplatSpace and SplatTurntable, and for nodes of newer ComfyUI that take splats."
        ),
        "report": Socket("STRING").says("How many splats, how large the scene is, and what its colours are."),
    },
    search=["3dgs", "gaussian splatting", "ply"],
)
class SyncTweediesLoadSplats:
    """A 3D Gaussian splatting scene from a .ply (INRIA's and gsplat's layouts) or .splat file. Costs about two seconds
    and 0.6 GB for half a million splats."""

    @classmethod
    def IS_CHANGED(cls, file: str | None = "", path: str | None = None, **_: Any) -> str:
        return scene_state(file, path)

    @classmethod
    def VALIDATE_INPUTS(
        cls, file: str | None = None, path: str | None = "", model_3d: Any = NOTHING, input_types: Any = None
    ) -> bool | str:
        return file_fits(cls, scene_path, file, path != "" or model_3d is not NOTHING, input_types)

    def load(self, file: str, path: str | None = None, model_3d: Any = NOTHING) -> tuple[Any, str]:
        splats, report = load_scene(file, path, model_3d)
        return to_splat(splats), report


@Node(
    "Save Splats",
    "splats",
    inputs={
        "splats": Socket("SPLAT").says("The scene to save."),
        "filename_prefix": FILE_PREFIX.given(default="SyncTweedies/splats"),
        "format": Choice(FORMATS).says(
            "ply: everything, as trainers write it. splat: 32 bytes a splat for web viewers, with one colour each in "
            "8 bits."
        ),
    },
    hidden=WORKFLOW,
    outputs={
        "splats": Socket("SPLAT").says("The scene, unchanged."),
        "file": Socket("STRING").says(
            "Path of the file below ComfyUI's output folder, for a 3D preview that takes a path."
        ),
        "model_3d": Socket("FILE_3D_SPLAT_ANY").says(
            "The saved file, for Preview Splat and other nodes of newer ComfyUI."
        ),
    },
    search=["3dgs", "gaussian splatting", "ply", "export"],
    output_node=True,
)
class SaveSplats:
    """Saves a scene of splats. A scene that was loaded from a file keeps everything but its colours byte for byte; a
    PLY gains comments with the workflow, where there is room. Costs what writing the file costs."""

    @classmethod
    def VALIDATE_INPUTS(cls, filename_prefix: str | None = None) -> bool | str:
        return said(check_prefix, filename_prefix)

    def save(
        self, splats: Any, filename_prefix: str, format: Any, prompt: Any = None, extra_pnginfo: Any = None
    ) -> dict[str, Any]:
        origin = workflow_of(prompt, extra_pnginfo)
        file, shown = save_scene(splats_of(splats), filename_prefix, format, origin)
        return {"ui": {"3d": [shown], "text": [file]}, "result": (splats, file, host.saved_file_3d(file))}


@Node(
    "Camera File Rig",
    "splats",
    inputs={
        "file": Text("transforms.json").says(
            "A file or folder in ComfyUI's input folder: transforms.json, cameras.json, or a folder with COLMAP's "
            "cameras and images (also as sparse/0), text or binary."
        ),
        "width": Whole(512, 8, MAX_SIDE, 8).says(
            "Width of a view, image pixels. It shows the whole width of its camera's picture."
        ),
        "height": Whole(0, 0, MAX_SIDE, 8).says(
            "Height of a view, image pixels. 0 = in the proportions of the first picture."
        ),
        "at_most": Whole(24, 0, 4096).says("How many cameras to take, spread evenly. 0 = all of them."),
        "every": Whole(1, 1, 4096, advanced=True).says("Take only every so-many-th camera, before at_most."),
    },
    optional={
        "exponent_start": Number(1.0, 0.0, 32.0, 0.5, advanced=True).says(
            "How much more a view counts where it looks straight on, at the start."
        ),
        "exponent_end": Number(1.0, 0.0, 32.0, 0.5, advanced=True).says("The same at the end of the sampling."),
    },
    outputs={
        "rig": Socket("VIEW_RIG").says("Connect together with the space of the same scene."),
        "views": Socket("INT").says("Number of views: model calls per step."),
        "report": Socket("STRING").says("How many cameras were found and taken."),
    },
    search=["colmap", "blender", "nerf", "transforms.json"],
)
class CameraFileRig:
    """The cameras that a scene was recorded with as views: from a transforms.json, a trainer's cameras.json or COLMAP's
    files. Every view costs one model call per step."""

    @classmethod
    def IS_CHANGED(cls, file: str | None = "", **_: Any) -> str:
        return cameras_state(file)

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
        rig, report = recorded_rig(file, width, height, every, at_most, (exponent_start, exponent_end))
        return rig, len(rig.viewpoints), report
