"""Painters of what flows: sunlit shallow water over sand, and a sky of broken clouds."""

from __future__ import annotations

import numpy as np

from .texture_tools import (
    Array,
    Canvas,
    Picture,
    blur,
    cells,
    fbm,
    finish,
    hex_colour,
    mix,
    palette,
    ramp,
    sample,
    scatter,
    shift,
    slopes,
    smoothstep,
    sunlight,
)


def caustics(canvas: Canvas, surface: Array, depth: float, fineness: int = 2) -> Array:
    """Light that a wavy surface throws on a flat bed ``depth`` pixels below: ``[n, n]``, mean 1.

    Rays on a regular grid, ``fineness`` squared a painted pixel, are bent by the surface's slope (small-angle Snell,
    (1 - 1/1.33) of the slope) and their landing places counted bilinearly.
    """
    n, k = canvas.n, canvas.n * fineness
    dy, dx = slopes(canvas, surface)
    axis = (np.arange(k) + 0.5) / fineness / canvas.scale
    y, x = np.meshgrid(axis, axis, indexing="ij")
    bend = depth * (1 - 1 / 1.33)
    bend_y, bend_x = bend * sample(canvas, dy, y, x), bend * sample(canvas, dx, y, x)
    y, x = (y - bend_y) * canvas.scale - 0.5, (x - bend_x) * canvas.scale - 0.5
    y0, x0 = np.floor(y).astype(np.int64), np.floor(x).astype(np.int64)
    light = np.zeros(n * n)
    for oy in (0, 1):
        for ox in (0, 1):
            weight = np.abs(1 - oy - (y - y0)) * np.abs(1 - ox - (x - x0))
            light += np.bincount(((y0 + oy) % n * n + (x0 + ox) % n).ravel(), weight.ravel(), n * n)
    return light.reshape(n, n) / fineness**2


def water(canvas: Canvas, rng: np.random.Generator) -> Picture:
    """Shallow sea in the sun: a caustic net over rippled sand and weed, turquoise to blue, a little sky."""
    y, x = canvas.grid
    surface = fbm(canvas, rng, 33, 4.0)
    dy, dx = slopes(canvas, surface)
    curvature = float(np.hypot(slopes(canvas, dy)[0], slopes(canvas, dx)[1]).std())
    focus = 0.46 / curvature / (1 - 1 / 1.33)
    net = np.stack([blur(canvas, caustics(canvas, surface, focus * f), 0.35) for f in (0.92, 1.0, 1.1)], -1)

    furrows = fbm(canvas, rng, 7, 2.6, stretch=(0.7, 2.2))
    furrows = sample(canvas, furrows, y + 5 * fbm(canvas, rng, 50, 3.0), x)
    patches = fbm(canvas, rng, 30, 2.2)
    sand = hex_colour("ead9a6") * (1 + 0.11 * furrows + 0.05 * fbm(canvas, rng, 5, 1.3, finest=1.0))[..., None]
    weed = hex_colour("6f9478") * (1 + 0.25 * furrows[..., None])
    bottom = mix(sand, weed, 0.75 * smoothstep(0.3, 1.5, patches)) * (0.24 + 0.60 * np.minimum(net, 6.0))
    bottom = sample(canvas, bottom, y - 2.5 * dy, x - 2.5 * dx)

    deep = np.clip(0.66 + 0.26 * fbm(canvas, rng, 40, 2.4), 0.25, 1.4)[..., None]
    colour = bottom * np.exp(-deep * np.array([2.5, 0.46, 0.22]))
    colour += hex_colour("0878ad") * (1 - np.exp(-0.95 * deep))
    relief = 1.6 * surface + 0.10 * fbm(canvas, rng, 14, 3.5)
    sky = smoothstep(0.84, 1.0, sunlight(canvas, relief, (0.55, 0.25, 0.9)))
    colour = mix(colour, hex_colour("a9d4ee"), 0.20 * sky)
    return finish(canvas, colour, exposure=1.0, contrast=1.12)


def cloudy_sky(canvas: Canvas, rng: np.random.Generator) -> Picture:
    """Fair-weather cumulus: billowing lit tops, blue-grey undersides, thin veils in a deep blue sky."""
    bend = 1.6 * fbm(canvas, rng, 26, 2.4), 1.6 * fbm(canvas, rng, 26, 2.4)
    base = 1.1 * fbm(canvas, rng, 52, 2.3, stretch=(0.78, 1.2))
    puff = np.zeros_like(base)
    for count, radius, weight in ((110, 14.0, 1.0), (380, 7.5, 0.6), (1300, 4.2, 0.34)):
        near = cells(canvas, scatter(canvas, rng, count, relax=1), bend)
        reach = np.hypot(near.offset_y, near.offset_x) / radius
        puff += weight * np.sqrt(np.clip(1 - reach**2, 0, 1))
    thick = 1.0 * base + blur(canvas, puff, 0.7) - 1.35 + 0.13 * fbm(canvas, rng, 14, 1.5)
    cover = smoothstep(-0.25, 0.5, thick)
    dense = smoothstep(-0.1, 1.6, thick)

    sun = np.array([-0.92, -0.39])
    deep = np.zeros_like(thick)
    for step in np.arange(1.0, 19.0, 1.5):
        deep += shift(canvas, blur(canvas, dense, 0.5 + 0.09 * step), *(-sun * step)) * 1.5
    light = np.exp(-0.20 * blur(canvas, deep, 0.8))
    form = sunlight(canvas, 4.0 * blur(canvas, np.clip(thick, 0, None), 0.7), (-0.92, -0.39, 0.8))
    glow = 0.16 + 0.62 * light + 0.40 * (form - 0.45) + 0.18 * (1 - dense)
    tones = palette("6d7f9c 8c9bb4 b3bccb d8dadd f2ece2 fff9ee")
    cloud = ramp(tones, smoothstep(-0.02, 0.95, glow))

    blue = ramp(palette("1f5dad 3878c6 5c9bdb"), 0.5 + 0.25 * fbm(canvas, rng, 50, 2.4))
    veil = smoothstep(-0.3, 2.6, fbm(canvas, rng, 28, 1.9, stretch=(0.6, 1.3), finest=1.2) + 0.6 * base)
    blue = mix(blue, hex_colour("dfeaf4"), 0.5 * veil)
    return finish(canvas, mix(blue, cloud, cover), exposure=1.0, contrast=1.05, sharpen=0.25)
