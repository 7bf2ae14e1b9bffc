"""What the exemplar painters share: periodic noise, cells, light and tone on a wrapped canvas.

Every array is ``[n, n]`` or ``[n, n, 3]`` with ``n = size * scale``: pictures are painted ``scale`` times too large and
averaged down, which is the anti-aliasing. Lengths are in *output* pixels everywhere, so a painter reads the same at any
``scale``. Axis 0 is y (down), axis 1 is x (right). All fields are periodic in both axes. Colours are linear light in
[0, 1] until `finish`; palettes are written as sRGB hex and go through `hex_colour`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Canvas:
    """A square wrapped sheet: ``size`` output pixels a side, painted at ``scale`` times that."""

    size: int
    scale: int = 3

    @property
    def n(self) -> int:
        return self.size * self.scale

    @cached_property
    def grid(self) -> tuple[Array, Array]:
        """``(y, x)`` of the painted pixels' centres, in output pixels."""
        axis = (np.arange(self.n) + 0.5) / self.scale
        y, x = np.meshgrid(axis, axis, indexing="ij")
        return y, x


def hex_colour(code: str) -> Array:
    """``"a0b1c2"`` (sRGB) as linear light ``[3]``."""
    srgb = np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)]) / 255.0
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def palette(codes: str) -> Array:
    """Space-separated hex colours as ``[count, 3]`` linear light."""
    return np.stack([hex_colour(code) for code in codes.split()])


def ramp(colours: Array, t: Array) -> Array:
    """Colours ``[k, 3]`` at evenly spaced stops, read at t in [0, 1] (clamped): ``t.shape + (3,)``."""
    stops = np.linspace(0, 1, len(colours))
    return np.stack([np.interp(t, stops, colours[:, channel]) for channel in range(3)], axis=-1)


def mix(a: Array, b: Array, t: Array | float) -> Array:
    """``a`` where t is 0, ``b`` where t is 1; a map ``t [n, n]`` is spread over the channels."""
    weight = np.asarray(t)[..., None] if np.ndim(t) == 2 else t
    return a + (b - a) * weight


def smoothstep(low: float, high: float, value: Array) -> Array:
    """0 below ``low``, 1 above ``high``, a cubic between (``low > high`` falls instead)."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def fbm(
    canvas: Canvas,
    rng: np.random.Generator,
    wavelength: float,
    slope: float = 1.6,
    stretch: tuple[float, float] = (1.0, 1.0),
    finest: float = 0.7,
) -> Array:
    """Periodic Gaussian noise, mean 0, deviation 1, made in the frequency domain.

    Amplitude falls as frequency^-slope from ``wavelength`` down to ``finest`` (both output pixels) and is cut above
    ``wavelength``; a slope of 1 is rough, 2.5 is rolling. ``stretch`` (y, x) lengthens the features along an axis.
    """
    fy = np.fft.fftfreq(canvas.n, 1 / canvas.scale)[:, None] * stretch[0]
    fx = np.fft.rfftfreq(canvas.n, 1 / canvas.scale)[None, :] * stretch[1]
    f = np.hypot(fy, fx)
    f[0, 0] = 1.0 / wavelength
    relative = f * wavelength
    amplitude = relative**-slope * np.exp(-(relative**-4.0).clip(max=60)) * np.exp(-((f * finest) ** 2))
    amplitude[0, 0] = 0.0
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((canvas.n, canvas.n))) * amplitude, (canvas.n, canvas.n))
    return field / field.std()


def blur(canvas: Canvas, field: Array, sigma: float) -> Array:
    """Wrapped Gaussian blur, deviation in output pixels; channels are left apart."""
    widths = (sigma * canvas.scale,) * 2 + (0,) * (field.ndim - 2)
    return ndimage.gaussian_filter(field, widths, mode="wrap")


def sample(canvas: Canvas, field: Array, y: Array, x: Array) -> Array:
    """``field`` read at wrapped output-pixel coordinates, bilinear; channels are carried along."""
    at = np.stack([y, x]) * canvas.scale - 0.5
    if field.ndim == 2:
        return ndimage.map_coordinates(field, at, order=1, mode="grid-wrap")
    return np.stack([ndimage.map_coordinates(c, at, order=1, mode="grid-wrap") for c in np.moveaxis(field, -1, 0)], -1)


def shift(canvas: Canvas, field: Array, dy: float, dx: float) -> Array:
    """``field`` moved by (dy, dx) output pixels, to the nearest painted pixel."""
    return np.roll(field, (round(dy * canvas.scale), round(dx * canvas.scale)), axis=(0, 1))


def slopes(canvas: Canvas, height: Array) -> tuple[Array, Array]:
    """Central differences ``(d/dy, d/dx)`` of a height in output pixels: rise per pixel."""
    half = canvas.scale / 2
    dy = (np.roll(height, -1, 0) - np.roll(height, 1, 0)) * half
    dx = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) * half
    return dy, dx


# ---------------------------------------------------------------- cells


@dataclass(frozen=True)
class Cells:
    """A periodic Voronoi division, every field ``[n, n]``: the cell's number, the pixels to its border, and the pixel's
    place relative to the cell's site."""

    label: NDArray[np.intp]
    edge: Array
    offset_y: Array
    offset_x: Array


def scatter(canvas: Canvas, rng: np.random.Generator, count: int, relax: int = 2, aspect: float = 1.0) -> Array:
    """``[count, 2]`` points (y, x), random, then pulled ``relax`` times to their cells' centroids (Lloyd).

    ``aspect`` > 1 measures y longer, as in `cells`, so that wide cells pack well.
    """
    box = np.array([canvas.size * aspect, canvas.size])
    sites = rng.random((count, 2)) * box
    axis = (np.arange(160) + 0.5) / 160
    probe = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2) * box
    for _ in range(relax):
        _, near = KDTree(sites, boxsize=box).query(probe)
        away = (probe - sites[near] + box / 2) % box - box / 2
        hits = np.maximum(np.bincount(near, minlength=count), 1)
        pull = np.stack([np.bincount(near, away[:, i], count) / hits for i in (0, 1)], -1)
        sites = (sites + pull) % box
    return sites / (aspect, 1.0)


def cells(
    canvas: Canvas,
    sites: Array,
    warp: tuple[Array, Array] | None = None,
    aspect: float = 1.0,
    power: float = 2.0,
) -> Cells:
    """Voronoi cells of ``sites``; ``warp`` (dy, dx in pixels) bends the borders, ``aspect`` > 1 widens the cells,
    ``power`` is the metric's exponent (2 round, 4 to 8 blocky)."""
    y, x = canvas.grid
    dy, dx = warp if warp is not None else (np.zeros_like(y), np.zeros_like(x))
    box = np.array([canvas.size * aspect, canvas.size])
    at = np.stack([(y + dy) * aspect, x + dx], -1) % box
    _, label = KDTree(sites * (aspect, 1.0) % box, boxsize=box).query(at.reshape(-1, 2), p=power)
    label = label.reshape(y.shape)
    half = canvas.size / 2
    offset_y = (y + dy - sites[label, 0] + half) % canvas.size - half
    offset_x = (x + dx - sites[label, 1] + half) % canvas.size - half
    return Cells(label, border_distance(canvas, label), offset_y, offset_x)


def border_distance(canvas: Canvas, label: NDArray[np.intp]) -> Array:
    """Distance in output pixels from each pixel to the nearest change of ``label``, around the wrap as well."""
    border = (label != np.roll(label, 1, 0)) | (label != np.roll(label, 1, 1))
    pad = min(canvas.n, 40 * canvas.scale)
    wide = np.pad(~border, pad, mode="wrap")
    distance = cast(Array, ndimage.distance_transform_edt(wide))
    return distance[pad:-pad, pad:-pad] / canvas.scale


# ---------------------------------------------------------------- light


def sunlight(canvas: Canvas, height: Array, light: tuple[float, float, float]) -> Array:
    """Lambert's cosine ``[n, n]`` in [0, 1] for a height map and a direction ``(y, x, z)`` *towards* the light."""
    dy, dx = slopes(canvas, height)
    ly, lx, lz = np.asarray(light) / np.linalg.norm(light)
    return np.clip((lz - ly * dy - lx * dx) / np.sqrt(1 + dy * dy + dx * dx), 0, 1)


def cast_shadow(
    canvas: Canvas, height: Array, light: tuple[float, float, float], reach: float, softness: float = 0.6
) -> Array:
    """Fraction of direct light that arrives, ``[n, n]``: the ray to the light is walked ``reach`` pixels."""
    ly, lx, lz = light
    across = float(np.hypot(ly, lx))
    above = np.full_like(height, -np.inf)
    for step in np.arange(1.0, reach * canvas.scale + 1) / canvas.scale:
        blocker = shift(canvas, height, -ly / across * step, -lx / across * step) - step * lz / across
        np.maximum(above, blocker, out=above)
    return 1 - smoothstep(0.0, softness, above - height)


def openness(canvas: Canvas, height: Array, radii: tuple[float, ...] = (1.5, 4.0, 9.0), strength: float = 0.9) -> Array:
    """Ambient light that reaches each pixel, in (0, 1]: low where the surroundings, at several radii, are higher."""
    closed = sum(np.clip((blur(canvas, height, r) - height) / r, -0.25, 1.5) for r in radii)
    return np.clip(np.exp(-strength * np.asarray(closed)), 0.04, 1.25)


def finish(
    canvas: Canvas, colour: Array, exposure: float = 1.0, contrast: float = 1.0, sharpen: float = 0.35
) -> Picture:
    """Linear light ``[n, n, 3]`` to an 8-bit sRGB picture ``[size, size, 3]``.

    Averages down to output pixels, sharpens a little, rolls highlights off, raises contrast about middle grey.
    """
    s = canvas.scale
    small = np.clip(colour * exposure, 0, None).reshape(canvas.size, s, canvas.size, s, 3).mean((1, 3))
    small = np.where(small < 0.6, small, 1 - 0.4 * np.exp(-(small - 0.6) / 0.4))
    srgb = np.where(small <= 0.0031308, small * 12.92, 1.055 * np.maximum(small, 1e-9) ** (1 / 2.4) - 0.055)
    srgb += sharpen * (srgb - ndimage.gaussian_filter(srgb, (0.8, 0.8, 0), mode="wrap"))
    srgb = 0.5 + (srgb - 0.5) * contrast
    return (np.clip(srgb, 0, 1) * 255 + 0.5).astype(np.uint8)
