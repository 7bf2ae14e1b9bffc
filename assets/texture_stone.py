"""Painters of hard ground: a dry-stone wall, old bricks, river pebbles, tree bark."""

from __future__ import annotations

import numpy as np

from .texture_tools import (
    Array,
    Canvas,
    Picture,
    blur,
    cast_shadow,
    cells,
    fbm,
    finish,
    hex_colour,
    mix,
    openness,
    palette,
    ramp,
    sample,
    scatter,
    smoothstep,
    sunlight,
)

SUN = (-0.62, -0.5, 0.75)


def lit(
    canvas: Canvas, albedo: Array, height: Array, reach: float, ambient: str = "8fa3c4", sun: str = "fff0d2"
) -> Array:
    """``albedo`` under a warm sun from the upper left and a cool sky, shaded and shadowed by ``height`` (pixels)."""
    direct = sunlight(canvas, height, SUN) * cast_shadow(canvas, height, SUN, reach)
    sky = openness(canvas, height)
    return albedo * (1.55 * direct[..., None] * hex_colour(sun) + 0.62 * sky[..., None] * hex_colour(ambient))


def stone_wall(canvas: Canvas, rng: np.random.Generator) -> Picture:
    """Dry-stone wall: rounded, tilted blocks of mixed rock, dark joints with moss, lichen spots, cracks."""
    count = round((canvas.size / 19.0) ** 2)
    sites = scatter(canvas, rng, count, relax=1, aspect=1.6)
    warp = (0.75 * fbm(canvas, rng, 18, 2.4), 0.75 * fbm(canvas, rng, 18, 2.4))
    stones = cells(canvas, sites, warp, aspect=1.6, power=3.5)
    label = stones.label
    joint = 0.75 + 0.25 * fbm(canvas, rng, 20, 2.0).clip(-1.5, 2)
    inside = stones.edge - joint
    bevel = rng.uniform(2.4, 5.0, count)[label]
    dome = 1 - (1 - np.clip(inside / bevel, 0, 1)) ** 2.2
    grain = fbm(canvas, rng, 6, 1.3, finest=1.0)
    facets = 0.55 * fbm(canvas, rng, 13, 2.6) + 0.5 * np.abs(fbm(canvas, rng, 15, 2.8))
    tilt_y, tilt_x = rng.normal(0, 0.10, (2, count))
    height = 4.2 + rng.normal(0, 1.0, count)[label] + tilt_y[label] * stones.offset_y + tilt_x[label] * stones.offset_x
    height = dome * (height + 0.9 * facets + 0.08 * grain)
    crack = smoothstep(0.07, 0.0, np.abs(fbm(canvas, rng, 26, 2.2))) * smoothstep(0.5, 1.2, fbm(canvas, rng, 34, 2.2))
    height -= 0.8 * crack * dome

    rocks = palette("a9a196 8c8f94 b9a98a 98846c 6f7681 a88f7c c8bda6 6d6a66 8c9488 b08f66 7d8794 9c7f6c")
    tint = rocks[rng.integers(0, len(rocks), count)] * rng.uniform(0.75, 1.2, (count, 1))
    albedo = tint[label] * (1 + 0.12 * grain + 0.15 * fbm(canvas, rng, 14, 1.8))[..., None]
    rust = smoothstep(0.6, 1.9, fbm(canvas, rng, 24, 2.0))
    albedo = mix(albedo, hex_colour("a8713f") * (1 + 0.15 * grain[..., None]), 0.6 * rust)
    spots = fbm(canvas, rng, 11, 2.0, finest=1.3) + 0.8 * fbm(canvas, rng, 40, 2.4)
    albedo = mix(albedo, hex_colour("ccd3b0") * (1 + 0.1 * grain[..., None]), 0.75 * smoothstep(1.5, 1.9, spots))
    gold = smoothstep(2.2, 2.5, fbm(canvas, rng, 10, 2.2, finest=1.3) + 0.5 * fbm(canvas, rng, 40, 2.4))
    albedo = mix(albedo, hex_colour("d59a2e"), 0.8 * gold)
    albedo = mix(hex_colour("3d342b") * (1 + 0.3 * grain[..., None]), albedo, smoothstep(-0.2, 0.8, inside))
    tufts = fbm(canvas, rng, 3.5, 1.2, finest=0.8)
    moss = smoothstep(0.1, 0.9, fbm(canvas, rng, 30, 2.2) + 0.25 * tufts) * smoothstep(3.0, 0.6, inside + 0.5 * tufts)
    albedo = mix(albedo, hex_colour("71842f") * (1 + 0.3 * tufts[..., None]), 0.9 * moss)
    height += moss * (0.9 + 0.3 * tufts)
    return finish(canvas, lit(canvas, albedo, height, 7), exposure=1.02, contrast=1.04)


def bricks(canvas: Canvas, rng: np.random.Generator) -> Picture:
    """Old brickwork in running bond: chipped edges, a tint for each brick, pale mortar, soot and lime stains."""
    y, x = canvas.grid
    rows, columns = canvas.size // 16, canvas.size // 32
    y = y + 0.55 * fbm(canvas, rng, 40, 2.2) + 0.22 * fbm(canvas, rng, 6, 1.4)
    x = x + 0.55 * fbm(canvas, rng, 40, 2.2) + 0.22 * fbm(canvas, rng, 6, 1.4)
    v = y / 16.0 + 0.5  # the wrap runs through a course, not along a joint
    row = np.floor(v).astype(int) % rows
    nudge = rng.uniform(-0.06, 0.06, rows)
    u = x / 32.0 + 0.25 + 0.5 * (row % 2) + nudge[row]
    column = np.floor(u).astype(int) % columns
    label = row * columns + column
    count = rows * columns
    local_y, local_x = (v - np.floor(v) - 0.5) * 16, (u - np.floor(u) - 0.5) * 32
    small = rng.uniform(0.0, 0.7, (2, count))
    edge_y, edge_x = 8 - np.abs(local_y) - small[0][label], 16 - np.abs(local_x) - small[1][label]
    corner = np.minimum(np.minimum(edge_y, edge_x), (edge_y + edge_x) * 0.62 - 0.4)
    chips = np.clip(fbm(canvas, rng, 9, 2.0) - 1.0, 0, None) * 2.6 + 0.18 * fbm(canvas, rng, 5, 1.8)
    inside = corner - 0.7 - chips
    body = smoothstep(-0.15, 1.5, inside)
    grain = fbm(canvas, rng, 5, 1.3, finest=1.1)
    pits = smoothstep(1.9, 2.6, fbm(canvas, rng, 6, 1.9, finest=1.3))
    tilt = rng.normal(0, 0.05, (2, count))
    height = body * (2.1 + rng.normal(0, 0.4, count)[label] + tilt[0][label] * local_y + tilt[1][label] * local_x * 0.5)
    height += body * (0.36 * fbm(canvas, rng, 14, 2.5) + 0.04 * grain - 0.35 * pits)
    height += (1 - body) * 0.12 * fbm(canvas, rng, 5, 1.3, finest=1.0)

    clay = palette("94503f a25f4a 8b4a3c ac7355 7c463d 77504a a8775c 8c5b4a b8937a 6a4a4a 96604c 5e4a4c")
    tint = clay[rng.integers(0, len(clay), count)] * rng.uniform(0.8, 1.2, (count, 1))
    streak = fbm(canvas, rng, 8, 1.5, stretch=(1.0, 2.2))
    albedo = tint[label] * (1 + 0.07 * grain + 0.2 * streak)[..., None]
    burnt = smoothstep(0.2, 1.6, fbm(canvas, rng, 15, 2.0) + rng.normal(0, 1.1, count)[label] - 0.6)
    albedo = mix(albedo, hex_colour("47353a") * (1 + 0.2 * grain[..., None]), 0.75 * burnt)
    pale = smoothstep(0.4, 2.0, fbm(canvas, rng, 12, 1.8))
    albedo = mix(albedo, albedo * 1.5, 0.6 * pale)
    lime = smoothstep(1.2, 3.4, fbm(canvas, rng, 14, 1.7, finest=1.0) + 0.9 * fbm(canvas, rng, 44, 2.4))
    albedo = mix(albedo, hex_colour("d9c9b4"), 0.7 * lime)
    mortar = hex_colour("b5a893") * (1 + 0.12 * fbm(canvas, rng, 4, 1.2) + 0.16 * fbm(canvas, rng, 18, 2.0))[..., None]
    moss = smoothstep(0.7, 1.5, fbm(canvas, rng, 24, 2.0) + 0.2 * grain)
    mortar = mix(mortar, hex_colour("66763c"), 0.8 * moss)
    albedo = mix(mortar, albedo, body)
    return finish(canvas, lit(canvas, albedo, height, 5), exposure=0.95, contrast=1.06)


def pebbles(canvas: Canvas, rng: np.random.Generator) -> Picture:
    """River pebbles in layers: smooth ellipsoids of many rocks, some veined or speckled, wet and shadowed."""
    n = canvas.n
    height = np.full((n, n), -2.0) + 0.4 * fbm(canvas, rng, 4, 1.2)
    label = np.zeros((n, n), dtype=np.intp)
    local = np.zeros((n, n, 2))
    sizes = np.concatenate([rng.uniform(2.2, 4.0, 420), rng.uniform(4.0, 7.0, 190), rng.uniform(7.5, 12.5, 62)])
    places = np.concatenate([scatter(canvas, rng, k, relax=r) for k, r in ((420, 1), (190, 2), (62, 3))])
    for index, (radius, place) in enumerate(zip(sizes, places, strict=True), start=1):
        squash, angle = rng.uniform(0.62, 0.95), rng.uniform(0, np.pi)
        exponent, ripple, phase = rng.uniform(2.0, 2.7), rng.uniform(0, 0.09), rng.uniform(0, 2 * np.pi)
        reach = int(np.ceil((radius + 1.5) * canvas.scale))
        ys = (np.arange(-reach, reach + 1) + int(place[0] * canvas.scale)) % n
        xs = (np.arange(-reach, reach + 1) + int(place[1] * canvas.scale)) % n
        oy, ox = np.meshgrid(*[np.arange(-reach, reach + 1) / canvas.scale] * 2, indexing="ij")
        a = (np.cos(angle) * ox + np.sin(angle) * oy) / radius
        b = (-np.sin(angle) * ox + np.cos(angle) * oy) / (radius * squash)
        r = (np.abs(a) ** exponent + np.abs(b) ** exponent) ** (1 / exponent)
        r = r * (1 + ripple * np.sin(3 * np.arctan2(b, a) + phase))
        base = rng.normal(0, 0.7) - 0.9 + 0.14 * radius
        bulge = (
            base
            + 0.62 * radius * squash * np.sqrt(np.clip(1 - r**2.3, 0, None))
            + 0.03 * (ox * rng.normal() + oy * rng.normal())
        )
        window = np.ix_(ys, xs)
        wins = (r < 1) & (bulge > height[window])
        height[window] = np.where(wins, bulge, height[window])
        label[window] = np.where(wins, index, label[window])
        local[window] = np.where(wins[..., None], np.stack([a, b], -1), local[window])
    count = len(sizes) + 1
    rocks = palette(
        "8d8f92 6b7078 b9b2a4 a08a72 59606b c9bda6 8a5f4d 77816f d8d2c6 4d4b4e a3745a 98a0a6 b79b6e 6e5a55 7f95a0"
    )
    tint = rocks[rng.integers(0, len(rocks), count)] * rng.uniform(0.8, 1.2, (count, 1))
    tint[0] = hex_colour("4c4236")
    fine, broad = fbm(canvas, rng, 2.5, 0.6), fbm(canvas, rng, 10, 1.6)
    albedo = tint[label] * (1 + 0.11 * broad)[..., None]
    speckled = (rng.random(count) < 0.35)[label]
    albedo *= 1 + np.where(speckled, 0.3, 0.09)[..., None] * fine[..., None]
    banded = (rng.random(count) < 0.3)[label]
    spin, pitch = rng.uniform(0, np.pi, count)[label], rng.uniform(4, 9, count)[label]
    along = np.cos(spin) * local[..., 0] + np.sin(spin) * local[..., 1] + 0.10 * broad
    veins = smoothstep(0.55, 0.95, np.sin(pitch * along + rng.uniform(0, 6, count)[label]))
    albedo = np.where(banded[..., None], mix(albedo, np.minimum(albedo * 1.9, 0.8), 0.6 * veins), albedo)
    colour = lit(canvas, albedo, height, 9)
    half = np.array(SUN) / np.linalg.norm(SUN) + (0, 0, 1)
    gloss = sunlight(canvas, blur(canvas, height, 0.35), tuple(half)) ** 60 * cast_shadow(canvas, height, SUN, 6)
    colour += 0.16 * gloss[..., None] * (label > 0)[..., None]
    return finish(canvas, colour, exposure=0.95, contrast=1.05)


def bark(canvas: Canvas, rng: np.random.Generator) -> Picture:
    """Old oak bark: long plates between deep forking furrows, cross cracks, flaky layers, lichen and moss."""
    y, x = canvas.grid
    count = round(canvas.size**2 / (13 * 42))
    sites = scatter(canvas, rng, count, relax=1, aspect=0.3)
    bend_y, bend_x = 5.0 * fbm(canvas, rng, 30, 2.4), 1.5 * fbm(canvas, rng, 30, 2.4, stretch=(1.6, 1.0))
    bend_x += 0.45 * fbm(canvas, rng, 7, 1.8, stretch=(1.5, 1.0))
    plates = cells(canvas, sites, (bend_y, bend_x), aspect=0.3)
    label = plates.label
    fibre = sample(canvas, fbm(canvas, rng, 4.5, 1.3, stretch=(5.0, 1.0), finest=0.8), y + bend_y, x + bend_x)
    ridges = sample(canvas, np.abs(fbm(canvas, rng, 11, 2.0, stretch=(4.0, 1.0))), y + bend_y, x + bend_x)
    grain = fbm(canvas, rng, 5, 1.3, finest=1.0)
    width = np.clip(1.0 + 0.55 * fbm(canvas, rng, 26, 2.0), 0.2, None)
    inside = np.clip(plates.edge - width, 0, None)
    dome = 1 - np.exp(-inside / 2.1)
    cross = np.abs(fbm(canvas, rng, 17, 2.2, stretch=(0.8, 2.0)))
    split = smoothstep(0.12, 0.02, cross) * smoothstep(0.8, 2.2, inside)
    lean = rng.normal(0, 0.12, count)[label] * plates.offset_x
    height = dome * (6.0 + rng.normal(0, 0.9, count)[label] + lean + 1.2 * np.minimum(ridges, 1.3) + 0.25 * fibre)
    height += 0.06 * grain + 0.25 * fibre * (1 - dome) - 1.5 * split
    step = 1.25
    level = height / step + 0.35 * fbm(canvas, rng, 22, 2.0)
    shelf = np.floor(level) + smoothstep(0.2, 1.0, level - np.floor(level))
    height = 0.65 * height + 0.35 * step * shelf

    t = np.clip(height / 8.0 + 0.05 * fibre, 0, 1)
    wood = palette("20150f 4c3220 7b5537 93745a a39281 b9ad9c")
    albedo = ramp(wood, t) * (1 + 0.17 * fibre + 0.08 * grain)[..., None]
    albedo *= rng.uniform(0.82, 1.15, (count, 1))[label]
    warm = smoothstep(0.2, 1.5, fbm(canvas, rng, 18, 2.0, stretch=(2.0, 1.0))) * smoothstep(1.0, 0.5, t)
    albedo = mix(albedo, hex_colour("8f5a38") * (1 + 0.25 * fibre[..., None]), 0.5 * warm)
    patchy = fbm(canvas, rng, 9, 1.5, finest=1.0) + 0.7 * fbm(canvas, rng, 40, 2.4)
    lichen = smoothstep(1.0, 1.5, patchy) * smoothstep(0.4, 0.7, t)
    albedo = mix(albedo, hex_colour("b3c4a4") * (1 + 0.12 * grain[..., None]), 0.75 * lichen)
    tufts = fbm(canvas, rng, 3.5, 1.2, finest=0.8)
    moss = smoothstep(0.8, 1.5, fbm(canvas, rng, 26, 2.0, stretch=(1.5, 1.0)) + 0.2 * tufts) * smoothstep(0.95, 0.55, t)
    albedo = mix(albedo, hex_colour("6a7638") * (1 + 0.3 * tufts[..., None]), 0.85 * moss)
    height += 0.5 * moss * (1 + 0.4 * tufts)
    return finish(canvas, lit(canvas, albedo, height, 8), exposure=1.05, contrast=1.05)
