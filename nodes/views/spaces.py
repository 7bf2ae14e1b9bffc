"""The canonical space and the rig that looks at it, and what their widgets mean."""

from __future__ import annotations

from typing import Any

from ...renderers.cameras.lookouts import custom, elevations_of, fibonacci, ring, sphere
from ...renderers.geometry import Rig, Space
from ...renderers.illusions.space import Illusion
from ...renderers.panorama.space import SAMPLINGS, Lookout, Panorama
from ...renderers.plane.space import TAPERS, Plane, Windows
from ..declare import Choice, Node, Number, Socket, Switch, Text, Whole
from ..widgets import MAX_SIDE

SPACE_KINDS = ("plane", "panorama", "illusion")
RIG_KINDS = ("windows", "ring", "sphere", "fibonacci", "custom")
_CAMERAS = RIG_KINDS[1:]
EXAMPLE_CAMERAS = "# azimuth elevation [fov [roll]], degrees\n0 0\n90 0\n180 0\n-90 0\n0 90 100\n0 -90 100"


def space_from(kind: str, width: int, height: int, wrap_x: bool, wrap_y: bool, planes: int = 1) -> Space:
    """The space that the widgets describe. Only a plane reads the wrap switches, only an illusion ``planes``.

    Raises ValueError for a kind that is none, and for a size that is no panorama.
    """
    if kind == "plane":
        return Plane(width, height, wrap_x, wrap_y)
    if kind == "panorama":
        return Panorama(width, height)
    if kind == "illusion":
        return Illusion(width, height, planes)
    raise ValueError(f"kind '{kind}' is unknown; use one of {', '.join(SPACE_KINDS)}")


def rig_from(
    kind: str,
    width: int,
    height: int,
    spacing: str = "stride",
    pixels: int = 128,
    weights: str = "hann",
    fov: float = 90.0,
    azimuth_step: float = 45.0,
    elevations: str = "0",
    view_overlap: float = 0.25,
    cameras: str = "",
    sampling: str = "nearest",
) -> Rig:
    """The rig that the widgets describe: ``windows`` reads spacing, pixels and weights, the others read the cameras'
    values (degrees; ``view_overlap`` is a share of a view's width). Raises ValueError on values that make none."""
    if kind == "windows":
        x, y = (pixels, pixels) if spacing == "stride" else (width - pixels, height - pixels)
        if spacing == "overlap" and min(x, y) < 1:
            raise ValueError(f"overlap {pixels} is the whole window of {width} x {height}; use less than its sides")
        return Windows(width, height, x, y, weights)  # pyright: ignore[reportArgumentType] (checked by Windows)
    if kind in ("sphere", "fibonacci") and width != height:
        raise ValueError(f"a rig of kind {kind} needs square views, not {width} x {height}; use {height} x {height}")
    if kind == "ring":
        looks = ring(azimuth_step, fov, elevations_of(elevations))
    elif kind == "sphere":
        looks = sphere(fov, view_overlap)
    elif kind == "fibonacci":
        looks = fibonacci(fov, view_overlap)
    elif kind == "custom":
        looks = custom(cameras, fov)
    else:
        raise ValueError(f"kind '{kind}' is unknown; use one of {', '.join(RIG_KINDS)}")
    return Lookout(looks, width, height, sampling)  # pyright: ignore[reportArgumentType] (checked by Lookout)


@Node(
    "Canonical Space",
    "views",
    inputs={
        "kind": Choice(SPACE_KINDS).says(
            "plane: a flat image of any size. panorama: the whole sphere as an equirectangular image, twice as wide "
            "as high. illusion: one picture that is read in several ways (Illusion nodes)."
        ),
        "width": Whole(1536, 1, MAX_SIDE, 8).says("Width of the whole picture, image pixels."),
        "height": Whole(512, 1, MAX_SIDE, 8).says("Height of the whole picture, image pixels."),
        "wrap_x": Switch(False)
        .says("plane: left and right edge meet, the picture tiles. A panorama always does.")
        .when(kind=("plane",)),
        "wrap_y": Switch(False)
        .says("plane: top and bottom edge meet, the picture tiles vertically.")
        .when(kind=("plane",)),
    },
    optional={
        "planes": Whole(1, 1, 64)
        .says(
            "illusion: as many pictures, all canonical, whose mean is what the readings show (IllusionBlend sets "
            "other shares). 1 = one picture."
        )
        .when(kind=("illusion",))
    },
    outputs={"space": Socket("CANONICAL_SPACE").says("Connect to a sampler, and to the nodes that stitch or report.")},
    search=[
        "canvas",
        "wide image",
        "ultrawide",
        "large image",
        "big image",
        "huge image",
        "banner",
        "tileable",
        "seamless texture",
        "pattern",
        "panorama",
        "360",
        "equirectangular",
        "vr",
        "illusion",
    ],
)
class CanonicalSpace:
    """The picture that all views share. Costs nothing: it only names the kind and the size."""

    def build(self, kind: str, width: int, height: int, wrap_x: bool, wrap_y: bool, planes: int = 1) -> tuple[Space]:
        return (space_from(kind, width, height, wrap_x, wrap_y, planes),)


@Node(
    "View Rig",
    "views",
    inputs={
        "kind": Choice(RIG_KINDS).says(
            "windows: rectangles of a plane, in reading order. The others are cameras in the middle of a panorama. "
            "ring: around the horizon. sphere: rings and both poles, sees all. fibonacci: spread evenly, sees all. "
            "custom: a list of cameras."
        ),
        "width": Whole(512, 1, MAX_SIDE, 8).says(
            "Width of a view, image pixels. Use the size the model was trained on."
        ),
        "height": Whole(512, 1, MAX_SIDE, 8).says("Height of a view, image pixels."),
        "spacing": Choice(["stride", "overlap"])
        .says(
            "windows: what 'pixels' means: stride = the distance from one window to the next, overlap = how much "
            "neighbours share."
        )
        .when(kind=("windows",)),
        "pixels": Whole(128, 0, MAX_SIDE, 8)
        .says(
            "windows: stride or overlap in image pixels, both directions. A last window is added where the canvas "
            "would stick out."
        )
        .when(kind=("windows",)),
        "weights": Choice(TAPERS, advanced=True)
        .says(
            "windows: how much a pixel counts where windows overlap. hann and triangle fade towards the window's "
            "border and leave no seam; flat is the reference's. Cameras always fade, by the angle from their axis."
        )
        .when(kind=("windows",)),
    },
    optional={
        "fov": Number(90.0, 1.0, 179.0, 1.0)
        .says(
            "Cameras: horizontal field of view in degrees. 60 to 100 look natural to models; a wider one needs fewer "
            "views and is coarser."
        )
        .when(kind=_CAMERAS),
        "azimuth_step": Number(45.0, 1.0, 360.0, 1.0)
        .says("ring: degrees from one camera to the next, around.")
        .when(kind=("ring",)),
        "elevations": Text("0")
        .says("ring: heights of the rings in degrees, e.g. '0, 45, -45'. 90 is straight up.")
        .when(kind=("ring",)),
        "view_overlap": Number(0.25, 0.0, 0.9)
        .says(
            "sphere, fibonacci: part of a view's width that its neighbours see too. More joins better and costs more "
            "views."
        )
        .when(kind=("sphere", "fibonacci")),
        "cameras": Text(EXAMPLE_CAMERAS, multiline=True)
        .says(
            "custom: one camera a line, azimuth elevation [fov [roll]] in degrees; # begins a comment. Azimuth 0 is "
            "the middle of the panorama and grows to the right."
        )
        .when(kind=("custom",)),
        "sampling": Choice(SAMPLINGS, default="nearest", advanced=True)
        .says(
            "Cameras: how a view reads the panorama while sampling. nearest, as published, mixes no cells, so fine "
            "grain stays. bilinear is smoother and takes grain at every step."
        )
        .when(kind=_CAMERAS),
    },
    outputs={"rig": Socket("VIEW_RIG").says("Connect together with a CANONICAL_SPACE.")},
    search=["tile", "tiles", "tiled diffusion", "windows", "sliding window", "overlap", "cameras", "panorama", "360"],
)
class ViewRig:
    """The views that the model denoises together. More overlap joins them better and costs one model call per view."""

    def build(self, kind: str, width: int, height: int, **values: Any) -> tuple[Rig]:
        return (rig_from(kind, width, height, **values),)
