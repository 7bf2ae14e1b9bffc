"""Painters of growing things: a flowering meadow and a forest floor, stroke by stroke, back to front."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .texture_tools import (
    Array,
    Canvas,
    Picture,
    blur,
    fbm,
    finish,
    hex_colour,
    mix,
    palette,
    scatter,
    shift,
    smoothstep,
)


class Layer:
    """A sheet of opaque wrapped polygons to lay over a picture, with a soft shadow under it."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.image = Image.new("RGBA", (canvas.n, canvas.n))
        self.draw = ImageDraw.Draw(self.image)

    def polygon(self, points: Array, colour: Array) -> None:
        """Fill ``points [k, 2]`` (y, x in output pixels) with linear ``colour [3]``, on every wrap that it touches."""
        n = self.canvas.n
        at = points[:, ::-1] * self.canvas.scale
        fill = (*(np.clip(np.sqrt(np.clip(colour, 0, 1)), 0, 1) * 255 + 0.5).astype(int).tolist(), 255)
        low, high = np.floor(at.min(0) / n).astype(int), np.floor(at.max(0) / n).astype(int)
        for wrap_x in range(low[0], high[0] + 1):
            for wrap_y in range(low[1], high[1] + 1):
                self.draw.polygon([(float(x), float(y)) for x, y in at - (wrap_x * n, wrap_y * n)], fill=fill)

    def over(self, picture: Array, drop: tuple[float, float], soft: float, dark: float) -> Array:
        """``picture`` under this layer: first its shadow (moved by ``drop`` (y, x), blurred), then its paint."""
        rgba = np.asarray(self.image, dtype=np.float64) / 255
        cover = rgba[..., 3]
        shadow = blur(self.canvas, shift(self.canvas, cover, *drop), soft)
        return mix(picture * (1 - dark * shadow[..., None]), rgba[..., :3] ** 2, cover)


def ribbon(
    layer: Layer, root: Array, heading: float, length: float, width: float, bend: float, colours: Array, steps: int = 7
) -> None:
    """A tapering bent blade from ``root``: its left half takes ``colours[0]`` to ``[1]``, its right half a darker tone.

    ``heading`` is the angle from +x (radians, y down), ``bend`` the total turn along the blade.
    """
    t = np.linspace(0, 1, steps + 1)
    angle = heading + bend * t
    along = np.stack([np.sin(angle), np.cos(angle)], -1) * (length / steps)
    spine = root + np.concatenate([np.zeros((1, 2)), np.cumsum(along[:-1], 0)])
    side = np.stack([np.cos(angle), -np.sin(angle)], -1) * (0.5 * width * (1 - t**1.8) * (0.7 + 0.9 * t**0.6))[:, None]
    facing = 1 if side[0] @ np.array([-0.62, -0.5]) > 0 else -1
    for i in range(steps):
        tone = colours[0] + (colours[1] - colours[0]) * (i + 0.5) / steps
        for sign, shade in ((facing, 1.12), (-facing, 0.74)):
            a, b = spine[i], spine[i + 1]
            layer.polygon(np.stack([a, b, b + sign * side[i + 1], a + sign * side[i]]), tone * shade)


def flower(
    layer: Layer, rng: np.random.Generator, at: Array, radius: float, petals: int, petal: Array, heart: Array
) -> None:
    """A flower seen from above and a little from the side; petals on the lit side are brighter."""
    squash, spin, turn = rng.uniform(0.72, 1.0), rng.uniform(0, 2 * np.pi), rng.uniform(0, np.pi)
    t = np.linspace(0, 2 * np.pi, 14)
    rotate = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    press = rotate @ np.diag([1.0, squash]) @ rotate.T
    for k in rng.permutation(petals):
        angle = spin + 2 * np.pi * k / petals + rng.normal(0, 0.06)
        reach, breadth = radius * rng.uniform(0.86, 1.08), radius * 1.9 / petals
        u, v = reach * (0.56 + 0.46 * np.cos(t)), breadth * np.sin(t) * (1 + 0.25 * np.cos(t))
        shape = np.stack([u * np.sin(angle) + v * np.cos(angle), u * np.cos(angle) - v * np.sin(angle)], -1)
        light = 1 + 0.2 * np.dot([np.sin(angle), np.cos(angle)], [-0.78, -0.62])
        layer.polygon(at + shape @ press, petal * light * rng.uniform(0.88, 1.0))
        inner = shape * (0.62, 0.62)
        layer.polygon(at + inner @ press, petal * light * 0.86)
    disc = np.stack([np.sin(t), np.cos(t)], -1) @ press
    layer.polygon(at + radius * 0.30 * disc, heart * 0.55)
    layer.polygon(at + radius * 0.26 * disc - radius * 0.04, heart)


def meadow(canvas: Canvas, rng: np.random.Generator) -> Picture:
    """Summer meadow from above: bent grass in drifts of many greens, daisies, poppies, cornflowers, buttercups."""
    earth = fbm(canvas, rng, 9, 1.4)
    picture = hex_colour("1d2a12") * (1 + 0.35 * earth[..., None])
    greens = palette("5f8a2c 7ba33a 4c7a2e 8fb548 3f6b33 a3b84e 6d9440 b3b562 557f3e 84a83c")
    drift = fbm(canvas, rng, 50, 2.4)
    depth = 9
    for level in range(depth):
        near = (level + 1) / depth
        layer = Layer(canvas)
        for root in scatter(canvas, rng, 230, relax=0):
            local = drift[int(root[0] * canvas.scale) % canvas.n, int(root[1] * canvas.scale) % canvas.n]
            heading = -np.pi / 2 + 0.55 * local + rng.normal(0, 0.55)
            tone = greens[int(np.clip(rng.normal(5 + 1.2 * local, 2.6), 0, 9))] * rng.uniform(0.75, 1.15)
            if rng.random() < 0.06:
                tone = hex_colour("c9b76a") * rng.uniform(0.7, 1.0)
            light = 0.22 + 0.85 * near
            colours = np.stack([tone * light * 0.45, tone * light * 1.15])
            ribbon(layer, root, heading, rng.uniform(15, 34), rng.uniform(1.3, 2.7), rng.normal(0, 0.7), colours)
        picture = layer.over(picture, (1.6, 1.3), 1.1, 0.62)
        if level in (4, 6, 8):
            bloom = Layer(canvas)
            for count, radius, petals, petal, heart in (
                (9, 5.6, 12, "f6f4ee", "f2b51d"),
                (6, 6.3, 5, "d9391f", "2b1a1c"),
                (7, 4.8, 8, "5a6fd8", "3a2470"),
                (11, 3.6, 5, "f7d02c", "d98d12"),
                (6, 4.2, 6, "bb6ccb", "f0d878"),
            ):
                for at in scatter(canvas, rng, count, relax=1):
                    hue = hex_colour(petal) * rng.uniform(0.85, 1.0) * (0.45 + 0.55 * near)
                    flower(bloom, rng, at, radius * rng.uniform(0.8, 1.12), petals, hue, hex_colour(heart))
            picture = bloom.over(picture, (2.2, 1.8), 1.3, 0.6)
    picture *= 1 + 0.05 * fbm(canvas, rng, 40, 2.4)[..., None]
    return finish(canvas, picture, exposure=1.25, contrast=1.04)


LEAF_OUTLINES = (
    # (half-width along the leaf, lobes, lobe depth): beech, birch, oak
    ((0.0, 0.62, 0.9, 1.0, 0.92, 0.7, 0.35, 0.0), 0, 0.0),
    ((0.0, 0.9, 1.0, 0.88, 0.68, 0.45, 0.2, 0.0), 9, 0.10),
    ((0.0, 0.4, 0.62, 0.82, 0.98, 1.0, 0.7, 0.0), 4, 0.42),
)


def leaf(layer: Layer, rng: np.random.Generator, at: Array, length: float, tone: Array) -> None:
    """A fallen leaf, curled: two halves lit differently, paler veins, a stalk, a darker rim."""
    widths, lobes, notch = LEAF_OUTLINES[rng.integers(len(LEAF_OUTLINES))]
    t = np.linspace(0, 1, 37)
    broad = rng.uniform(0.28, 0.38) * length * np.interp(t, np.linspace(0, 1, len(widths)), widths)
    broad = broad * (1 - notch * (0.5 + 0.5 * np.cos(2 * np.pi * lobes * t))) if lobes else broad
    angle, bend = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.5)
    turn = angle + bend * t
    steps = np.stack([np.sin(turn), np.cos(turn)], -1) * (length / 36)
    spine = at + np.cumsum(steps, 0) - steps.sum(0) / 2
    side = np.stack([np.cos(turn), -np.sin(turn)], -1)
    tilt = rng.uniform(0.1, 0.34)
    for sign in (1.0, -1.0):
        light = 1 + tilt * np.sign(sign * (side[18] @ np.array([-0.78, -0.62])))
        rim = spine + sign * side * (broad * rng.uniform(0.8, 1.0))[:, None]
        layer.polygon(np.concatenate([spine, rim[::-1]]), tone * light * 0.72)
        core = spine + (rim - spine) * 0.82
        layer.polygon(np.concatenate([spine, core[::-1]]), tone * light)
        glow = spine + (rim - spine) * 0.5
        layer.polygon(np.concatenate([spine[3:30], glow[3:30][::-1]]), tone * light * 1.13)
        for k in range(5, 30, 5):
            tip = spine[min(k + 5, 36)] + (rim[min(k + 5, 36)] - spine[min(k + 5, 36)]) * 0.85
            across = np.array([0.18, 0.18]) * side[k][::-1]
            layer.polygon(np.stack([spine[k] - across, spine[k] + across, tip]), np.minimum(tone * light * 0.6, 1))
    stalk = spine[0] - steps[0] * 36 * 0.22 * np.linspace(1, 0, 4)[:, None]
    line = np.concatenate([stalk, spine[:34]])
    thick = 0.34 * np.linspace(1.0, 0.25, len(line))[:, None] * np.concatenate([np.repeat(side[:1], 4, 0), side[:34]])
    layer.polygon(np.concatenate([line - thick, (line + thick)[::-1]]), np.minimum(tone * 1.55 + 0.03, 1))


def moss_star(layer: Layer, rng: np.random.Generator, at: Array, radius: float, tone: Array) -> None:
    """A haircap moss plant from above: a star of short pointed leaves, brightest at its heart."""
    rays = int(rng.integers(7, 10))
    for k in range(rays):
        heading = 2 * np.pi * (k + rng.uniform(-0.2, 0.2)) / rays
        light = 1 + 0.25 * np.dot([np.sin(heading), np.cos(heading)], [-0.78, -0.62])
        ribbon(
            layer,
            at,
            heading,
            radius * rng.uniform(0.8, 1.1),
            radius * 0.42,
            rng.normal(0, 0.3),
            np.stack([tone * 1.25, tone * 0.8]) * light,
            3,
        )


def forest_floor(canvas: Canvas, rng: np.random.Generator) -> Picture:
    """Autumn forest floor: cushions of star moss, fallen leaves from gold to wine red in layers, a few twigs."""
    cushion = fbm(canvas, rng, 40, 2.4)
    picture = hex_colour("241a10") * (1 + 0.4 * fbm(canvas, rng, 5, 1.2)[..., None])
    golds = palette("d9952c c8752a b4532a 8f3a26 e0b544 a8662f 7a4a2c c95f28 9c7a3a 6e3230 d6a862")
    greens = palette("5f7f2a 7a9a34 4b6f2c 94ad45 6a8a3c")

    def leaves(count: int, light: float) -> Layer:
        layer = Layer(canvas)
        for at in scatter(canvas, rng, count, relax=1):
            leaf(layer, rng, at, rng.uniform(15, 25), golds[rng.integers(len(golds))] * light * rng.uniform(0.75, 1.1))
        return layer

    for light in (0.32, 0.46, 0.62):
        picture = leaves(85, light).over(picture, (1.3, 1.0), 0.9, 0.6)
    for level in range(4):
        stars = Layer(canvas)
        for at in scatter(canvas, rng, 400, relax=0):
            if (
                cushion[int(at[0] * canvas.scale) % canvas.n, int(at[1] * canvas.scale) % canvas.n]
                > 0.05 + 0.12 * level
            ):
                tone = greens[rng.integers(len(greens))] * (0.4 + 0.22 * level) * rng.uniform(0.8, 1.1)
                moss_star(stars, rng, at, rng.uniform(3.0, 4.8), tone)
        picture = stars.over(picture, (1.2, 1.0), 0.8, 0.55)
    twigs = Layer(canvas)
    for at in scatter(canvas, rng, 16, relax=1):
        bark = hex_colour("7d6a55") * rng.uniform(0.5, 1.0)
        ribbon(
            twigs,
            at,
            rng.uniform(0, 2 * np.pi),
            rng.uniform(18, 34),
            rng.uniform(1.2, 2.0),
            rng.normal(0, 0.4),
            np.stack([bark, bark * 0.8]),
        )
    picture = twigs.over(picture, (1.6, 1.3), 0.8, 0.6)
    for count, light in ((30, 0.8), (26, 0.95), (18, 1.06)):
        picture = leaves(count, light).over(picture, (2.0, 1.7), 1.2, 0.62)
    dapple = 1 + 0.16 * smoothstep(-0.4, 0.8, fbm(canvas, rng, 45, 2.4)) - 0.08
    return finish(canvas, picture * dapple[..., None], exposure=1.2, contrast=1.04)
