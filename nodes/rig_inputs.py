"""What the widgets of CanonicalSpace and ViewRig mean."""

from __future__ import annotations

from ..renderers.illusions.rig import Illusion
from ..renderers.lookouts import custom, elevations_of, fibonacci, ring, sphere
from ..renderers.panorama import Lookout, Panorama
from ..renderers.plane import Plane, Windows
from ..renderers.scene import CanonicalSpace, ViewRig

SPACE_KINDS = ("plane", "panorama", "illusion")
RIG_KINDS = ("windows", "ring", "sphere", "fibonacci", "custom")
EXAMPLE_CAMERAS = "# azimuth elevation [fov [roll]], degrees\n0 0\n90 0\n180 0\n-90 0\n0 90 100\n0 -90 100"


def space_from(kind: str, width: int, height: int, wrap_x: bool, wrap_y: bool, planes: int = 1) -> CanonicalSpace:
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
) -> ViewRig:
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
