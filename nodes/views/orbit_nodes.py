"""Cameras around an object."""

from __future__ import annotations

from typing import Any

from ...renderers.cameras.framing import ASPECTS, FRAMINGS
from ..host.errors import named
from .orbits import EXAMPLE_ORBIT, ORBIT_KINDS, PROJECTIONS, OrbitWishes, orbit_rig
from .rig_camera import rig_camera


def side_widget(default: int, what: str) -> tuple[str, dict[str, Any]]:
    """A width or height in pixels."""
    return ("INT", {"default": default, "min": 16, "max": 8192, "step": 8, "tooltip": what})


class OrbitRig:
    CATEGORY = "SyncTweedies/space"
    DESCRIPTION = (
        "Cameras around an object, which the model denoises together. More views see more of it and cost one model "
        "call each per step; kind coverage takes about a second to choose, a few for splats."
    )
    RETURN_TYPES = ("VIEW_RIG", "STRING")
    RETURN_NAMES = ("rig", "report")
    OUTPUT_TOOLTIPS = (
        "Connect together with MeshSpace's or SplatSpace's space.",
        "How many views, and with a space connected how much of them the object fills.",
    )
    FUNCTION = "build"
    SEARCH_ALIASES = ["cameras", "turntable", "multi view", "3d", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        def number(default: float, low: float, high: float, step: float, tooltip: str) -> tuple[str, dict[str, Any]]:
            limits = {"default": float(default), "min": float(low), "max": float(high), "step": float(step)}
            return ("FLOAT", {**limits, "tooltip": tooltip})

        return {
            "required": {
                "kind": (
                    list(ORBIT_KINDS),
                    {
                        "tooltip": "orbit: around the object, as published. orbit_sphere: evenly from all directions. "
                        "coverage: chosen one by one so that most of it is seen. custom: a list of cameras. "
                        "camera: only the connected camera."
                    },
                ),
                "width": side_widget(512, "Width of a view, image pixels. Use the size the model was trained on."),
                "height": side_widget(512, "Height of a view, image pixels."),
                "fov": number(60, 5, 150, 1, "Field of view in degrees, across the shorter side of a view."),
                "distance": number(
                    2, 0.1, 100, 0.05, "From the object's middle, in its radii. 2 with fov 60 just fits any object."
                ),
                "framing": (
                    list(FRAMINGS),
                    {
                        "tooltip": "reference: the object's sphere fits the view, which often is three quarters "
                        "background. tight: every view is cut to the object, for twice the detail; needs the space."
                    },
                ),
                "front": number(
                    0,
                    -180,
                    180,
                    5,
                    "Azimuth from which the object's front is seen: 0 is +Z, 90 is +X, 180 is -Z. The rig begins "
                    "there, and prompts for front, side and back go by it.",
                ),
            },
            "optional": {
                "azimuth_step": number(45, 5, 360, 1, "orbit: degrees from one camera to the next, around."),
                "elevations": (
                    "STRING",
                    {"default": "0", "tooltip": "orbit: heights of the rings in degrees, e.g. '0, 35, -35'."},
                ),
                "top_cameras": (
                    "BOOLEAN",
                    {"default": True, "tooltip": "orbit: two more from 30 degrees above, in front and behind."},
                ),
                "views": (
                    "INT",
                    {
                        "default": 12,
                        "min": 1,
                        "max": 100,
                        "tooltip": "orbit_sphere: how many cameras. coverage: how many at most.",
                    },
                ),
                "target": number(
                    0.98, 0.1, 1, 0.01, "coverage: stop when this share of what can be seen at all is seen."
                ),
                "cameras": (
                    "STRING",
                    {
                        "default": EXAMPLE_ORBIT,
                        "multiline": True,
                        "tooltip": "custom: one camera a line, azimuth elevation [distance [fov]]; # begins a comment. "
                        "Azimuths count from the front.",
                    },
                ),
                "projection": (
                    list(PROJECTIONS),
                    {"default": "perspective", "tooltip": "orthographic: parallel rays, for CAD-like views."},
                ),
                "margin": number(0.03, 0, 0.4, 0.01, "tight: free part of the view on each side."),
                "aspect": (
                    list(ASPECTS),
                    {
                        "default": "as given",
                        "tooltip": "tight: fitted changes width and height, in steps of 64, to the shape that wastes "
                        "the fewest pixels.",
                    },
                ),
                "exponent": number(
                    1, 0, 32, 0.5, "Views count by the cosine of the viewing angle to this power: at the first step."
                ),
                "exponent_end": number(
                    1, 0, 32, 0.5, "The same at the last step; the power goes from one to the other."
                ),
                "space": (
                    "CANONICAL_SPACE",
                    {"tooltip": "MeshSpace's or SplatSpace's. coverage and tight need it."},
                ),
                "camera": (
                    "LOAD3D_CAMERA",
                    {"tooltip": "A camera of the host's 3D viewer, added to the others; the space places it exactly."},
                ),
                "model_3d_info": (
                    "LOAD3D_MODEL_INFO",
                    {"tooltip": "Where that viewer put the model, from the same node as the camera."},
                ),
            },
        }

    def build(self, space: Any = None, camera: Any = None, model_3d_info: Any = None, **wishes: Any) -> tuple[Any, str]:
        with named("OrbitRig"):
            return orbit_rig(OrbitWishes(**wishes), space, camera, model_3d_info)


class RigCamera:
    CATEGORY = "SyncTweedies/space"
    DESCRIPTION = (
        "One camera of a rig as ComfyUI's own: for Render Mesh, Render Splat and its 3D viewers. Costs nothing."
    )
    RETURN_TYPES = ("LOAD3D_CAMERA", "INT", "INT")
    RETURN_NAMES = ("camera_info", "width", "height")
    OUTPUT_TOOLTIPS = (
        "The camera, where the mesh's or the splats' file has it.",
        "Width of a picture that shows what the view shows (of a tight frame more, at the same scale).",
        "Height of that picture.",
    )
    FUNCTION = "give"
    SEARCH_ALIASES = ["camera info", "load 3d camera", "render mesh", "preview 3d", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        count = {"default": 1, "min": 1, "max": 4096}
        return {
            "required": {
                "rig": ("VIEW_RIG", {"tooltip": "Orbit Rig's or Camera File Rig's."}),
                "view": ("INT", {**count, "tooltip": "Which camera, counted from 1 in rig order."}),
            },
            "optional": {
                "space": (
                    "CANONICAL_SPACE",
                    {"tooltip": "MeshSpace's or SplatSpace's: where the object stands and how large it is."},
                ),
                "model_3d_info": (
                    "LOAD3D_MODEL_INFO",
                    {"tooltip": "Where the 3D viewer that shows it put the model."},
                ),
            },
        }

    def give(
        self, rig: Any, view: int, space: Any = None, model_3d_info: Any = None
    ) -> tuple[dict[str, Any], int, int]:
        with named("RigCamera"):
            return rig_camera(rig, view, space, model_3d_info)


NODES = {"OrbitRig": OrbitRig, "RigCamera": RigCamera}
NAMES = {"OrbitRig": "Orbit Rig", "RigCamera": "Rig Camera"}
