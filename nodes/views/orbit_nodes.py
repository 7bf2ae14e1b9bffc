"""Cameras around an object."""

from __future__ import annotations

from typing import Any

from ...renderers.cameras.framing import ASPECTS, FRAMINGS
from ..declare import Choice, Node, Number, Socket, Switch, Text, Whole
from ..widgets import side
from .orbits import EXAMPLE_ORBIT, ORBIT_KINDS, PROJECTIONS, OrbitWishes, orbit_rig
from .rig_camera import rig_camera

# All kinds but the one whose camera comes by a link.
_PLACED = tuple(kind for kind in ORBIT_KINDS if kind != "camera")


@Node(
    "Orbit Rig",
    "views",
    inputs={
        "kind": Choice(ORBIT_KINDS).says(
            "orbit: around the object, as published. orbit_sphere: evenly from all directions. coverage: chosen one "
            "by one so that most of it is seen. custom: a list of cameras. camera: only the connected camera."
        ),
        "width": side(512).says("Width of a view, image pixels. Use the size the model was trained on."),
        "height": side(512).says("Height of a view, image pixels."),
        "fov": Number(60.0, 5.0, 150.0, 1.0)
        .says("Field of view in degrees, across the shorter side of a view.")
        .when(kind=_PLACED),
        "distance": Number(2.0, 0.1, 100.0, 0.05, advanced=True)
        .says("From the object's middle, in its radii. 2 with fov 60 just fits any object.")
        .when(kind=_PLACED),
        "framing": Choice(FRAMINGS).says(
            "reference: the object's sphere fits the view, which often is three quarters background. tight: every "
            "view is cut to the object, for twice the detail; needs the space."
        ),
        "front": Number(0.0, -180.0, 180.0, 5.0).says(
            "Azimuth from which the object's front is seen: 0 is +Z, 90 is +X, 180 is -Z. The rig begins "
            "there, and prompts for front, side and back go by it."
        ),
    },
    optional={
        "azimuth_step": Number(45.0, 5.0, 360.0, 1.0)
        .says("orbit: degrees from one camera to the next, around.")
        .when(kind=("orbit",)),
        "elevations": Text("0")
        .says("orbit: heights of the rings in degrees, e.g. '0, 35, -35'.")
        .when(kind=("orbit",)),
        "top_cameras": Switch(True, advanced=True)
        .says("orbit: two more from 30 degrees above, in front and behind.")
        .when(kind=("orbit",)),
        "views": Whole(12, 1, 100)
        .says("orbit_sphere: how many cameras. coverage: how many at most.")
        .when(kind=("orbit_sphere", "coverage")),
        "target": Number(0.98, 0.1, 1.0, advanced=True)
        .says("coverage: stop when this share of what can be seen at all is seen.")
        .when(kind=("coverage",)),
        "cameras": Text(EXAMPLE_ORBIT, multiline=True)
        .says(
            "custom: one camera a line, azimuth elevation [distance [fov]]; # begins a comment. Azimuths count from "
            "the front."
        )
        .when(kind=("custom",)),
        "projection": Choice(PROJECTIONS, default="perspective", advanced=True)
        .says("orthographic: parallel rays, for CAD-like views.")
        .when(kind=_PLACED),
        "margin": Number(0.03, 0.0, 0.4, advanced=True)
        .says("tight: free part of the view on each side.")
        .when(framing=("tight",)),
        "aspect": Choice(ASPECTS, default="as given", advanced=True).says(
            "tight: fitted changes width and height, in steps of 64, to the shape that wastes the fewest pixels."
        ),
        "exponent": Number(1.0, 0.0, 32.0, 0.5, advanced=True).says(
            "Views count by the cosine of the viewing angle to this power: at the first step."
        ),
        "exponent_end": Number(1.0, 0.0, 32.0, 0.5, advanced=True).says(
            "The same at the last step; the power goes from one to the other."
        ),
        "space": Socket("CANONICAL_SPACE").says("MeshSpace's or SplatSpace's. coverage and tight need it."),
        "camera": Socket("LOAD3D_CAMERA").says(
            "A camera of the host's 3D viewer, added to the others; the space places it exactly."
        ),
        "model_3d_info": Socket("LOAD3D_MODEL_INFO").says(
            "Where that viewer put the model, from the same node as the camera."
        ),
    },
    outputs={
        "rig": Socket("VIEW_RIG").says("Connect together with MeshSpace's or SplatSpace's space."),
        "report": Socket("STRING").says(
            "How many views, and with a space connected how much of them the object fills."
        ),
    },
    search=["cameras", "views", "camera ring", "multi view", "multiview", "mesh cameras", "splat cameras", "3d"],
)
class OrbitRig:
    """Cameras around an object, which the model denoises together. More views see more of it and cost one model call
    each per step; kind coverage takes about a second to choose, a few for splats."""

    def build(self, space: Any = None, camera: Any = None, model_3d_info: Any = None, **wishes: Any) -> tuple[Any, str]:
        return orbit_rig(OrbitWishes(**wishes), space, camera, model_3d_info)


@Node(
    "Rig Camera",
    "views",
    inputs={
        "rig": Socket("VIEW_RIG").says("Orbit Rig's or Camera File Rig's."),
        "view": Whole(1, 1, 4096).says("Which camera, counted from 1 in rig order."),
    },
    optional={
        "space": Socket("CANONICAL_SPACE").says(
            "MeshSpace's or SplatSpace's: where the object stands and how large it is."
        ),
        "model_3d_info": Socket("LOAD3D_MODEL_INFO").says("Where the 3D viewer that shows it put the model."),
    },
    outputs={
        "camera_info": Socket("LOAD3D_CAMERA").says("The camera, where the mesh's or the splats' file has it."),
        "width": Socket("INT").says(
            "Width of a picture that shows what the view shows (of a tight frame more, at the same scale)."
        ),
        "height": Socket("INT").says("Height of that picture."),
    },
    search=["camera info", "load 3d camera", "render mesh", "preview 3d"],
)
class RigCamera:
    """One camera of a rig as ComfyUI's own: for Render Mesh, Render Splat and its 3D viewers. Costs nothing."""

    def give(
        self, rig: Any, view: int, space: Any = None, model_3d_info: Any = None
    ) -> tuple[dict[str, Any], int, int]:
        return rig_camera(rig, view, space, model_3d_info)
