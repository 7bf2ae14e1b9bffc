"""Every warp once more, one pixel at a time: which (row, column, weight) a view pixel reads."""

import math

import torch
from syncpack.renderers.illusions.warp import Warp

Reads = list[tuple[int, int, float]]


def order_of(count: int, seed: int) -> list[int]:
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()


def reads(w: Warp, r: int, c: int, high: int, wide: int) -> Reads:
    """What the pixel (r, c) of warp ``w``'s view reads in a picture of high x wide."""
    return TWINS[w.name](w, r, c, high, wide)


def one(r: int, c: int) -> Reads:
    return [(r, c, 1.0)]


def skew(w, r, c, high, wide) -> Reads:
    return one((r - int(w.slope * (c - wide / 2))) % high, c)


def blocks(r, c, high, wide, rows, columns, order, margin) -> Reads:
    h, v = high // rows, wide // columns
    top, left = ((high - rows * h) // 2, (wide - columns * v) // 2) if margin else (0, 0)
    if not (top <= r < top + rows * h and left <= c < left + columns * v):
        return one(r, c)
    i, j = (r - top) // h, (c - left) // v
    source = order[i * columns + j]
    return one(top + source // columns * h + (r - top) % h, left + source % columns * v + (c - left) % v)


def patches(w, r, c, high, wide) -> Reads:
    return blocks(r, c, high, wide, w.patches, w.patches, order_of(w.patches**2, w.seed), True)


def pixels(w, r, c, high, wide) -> Reads:
    rows, columns = high // w.block, wide // w.block
    if r >= rows * w.block or c >= columns * w.block:
        return one(r, c)
    source = order_of(rows * columns, w.seed)[r // w.block * columns + c // w.block]
    return one(source // columns * w.block + r % w.block, source % columns * w.block + c % w.block)


def inner_circle(w, r, c, high, wide) -> Reads:
    y, x = r + 0.5 - high / 2, c + 0.5 - wide / 2
    return one(high - 1 - r, wide - 1 - c) if y * y + x * x < (w.radius * min(high, wide)) ** 2 else one(r, c)


def square_hinge(w, r, c, high, wide) -> Reads:
    side = min(high, wide) // w.count
    i, j = r // side, c // side
    if i >= high // side or j >= wide // side:
        return one(r, c)
    a, b = r - i * side, c - j * side
    a, b = (side - 1 - b, a) if (i + j) % 2 == 0 else (b, side - 1 - a)
    return one(i * side + a, j * side + b)


def hinge_in_three(w, r, c, high, wide) -> Reads:
    panel = wide // 3
    if c < panel:
        return one(high - 1 - r, panel - 1 - c)
    if c >= wide - panel:
        return one(high - 1 - r, 2 * wide - panel - 1 - c)
    return one(r, c)


def sample(w, y, x, high, wide) -> Reads:
    """Nearest cell, or the four around (y, x); 0.5 is the first centre."""
    if math.isnan(y) or not (0 <= y <= high and 0 <= x <= wide):
        return []
    if w.sampling == "nearest":
        return one(min(int(y), high - 1), min(int(x), wide - 1))
    found = []
    for i in (0, 1):
        for j in (0, 1):
            a, b = math.floor(y - 0.5) + i, math.floor(x - 0.5) + j
            share = (1 - abs(y - 0.5 - a)) * (1 - abs(x - 0.5 - b))
            found.append((min(max(a, 0), high - 1), min(max(b, 0), wide - 1), share))
    return found


def rotate(w, r, c, high, wide) -> Reads:
    y, x, angle = r + 0.5 - high / 2, c + 0.5 - wide / 2, math.radians(w.angle)
    if w.name == "inner_rotate" and math.hypot(y, x) >= w.radius * min(high, wide):
        return one(r, c)
    y, x = math.cos(angle) * y - math.sin(angle) * x, math.cos(angle) * x + math.sin(angle) * y
    return sample(w, round(y + high / 2, 6), round(x + wide / 2, 6), high, wide)


def polar(w, r, c, high, wide) -> Reads:
    angle = ((c + 0.5) / wide * 2 - 1) * math.pi
    radius = (1 - (r + 0.5) / high) * min(high, wide) / 2
    return sample(w, high / 2 - radius * math.cos(angle), wide / 2 + radius * math.sin(angle), high, wide)


def cylinder(w, r, c, high, wide) -> Reads:
    """By reflection: a ray (0, -cos e, -sin e) meets the mirror at height z and goes on to the table."""
    side = min(high, wide)
    radius, slope = w.radius * side, math.radians(30)
    u = ((c + 0.5) / wide * 2 - 1) * math.sin(math.radians(60)) * radius
    normal = (u / radius, math.sqrt(1 - (u / radius) ** 2))
    z = (1 - (r + 0.5) / high) * (side / 2 - radius) * math.tan(slope)
    ray = (0.0, -math.cos(slope), -math.sin(slope))
    into = ray[0] * normal[0] + ray[1] * normal[1]
    out = (ray[0] - 2 * into * normal[0], ray[1] - 2 * into * normal[1], ray[2])
    t = -z / out[2]
    x, y = radius * normal[0] + t * out[0], radius * normal[1] + t * out[1]
    return sample(w, high / 2 + y, wide / 2 + x, high, wide)


def cone(w, r, c, high, wide) -> Reads:
    """By reflection: a ray straight down meets the cone, whose height makes the tip show the picture's rim."""
    side = min(high, wide)
    base, rim = w.radius * side, side / 2
    y, x = r + 0.5 - high / 2, c + 0.5 - wide / 2
    away = math.hypot(y, x)
    rho = away / (side / 2) * base
    if rho > base or away == 0:
        return []
    # rim = tall * 2 base tall / (tall^2 - base^2)
    tall = base * math.sqrt(rim / (rim - 2 * base))
    normal = (tall / math.hypot(tall, base), base / math.hypot(tall, base))
    out = (2 * normal[1] * normal[0], -1 + 2 * normal[1] * normal[1])  # the ray (0, -1) reflected
    reach = rho + tall * (1 - rho / base) * out[0] / -out[1]
    return sample(w, high / 2 + reach * y / away, wide / 2 + reach * x / away, high, wide)


def custom(w, r, c, high, wide) -> Reads:
    x, y = w.coordinates[r, c, :2].double().tolist()
    return sample(w, y * high, x * wide, high, wide)


def mirrored(i: int, length: int) -> int:
    i %= 2 * length
    return i if i < length else 2 * length - 1 - i


def blur(w, r, c, high, wide) -> Reads:
    sigma = w.sigma * min(high, wide) / 64
    reach = math.ceil(3 * sigma)
    line = [math.exp(-0.5 * (d / sigma) ** 2) for d in range(-reach, reach + 1)]
    found = []
    for i, a in enumerate(line):
        for j, b in enumerate(line):
            found.append((mirrored(r + i - reach, high), mirrored(c + j - reach, wide), a * b / sum(line) ** 2))
    return found


def scale(w, r, c, high, wide) -> Reads:
    f = w.factor
    return [(r // f * f + i, c // f * f + j, 1 / f**2) for i in range(f) for j in range(f)]


TWINS = {
    "identity": lambda w, r, c, h, v: one(r, c),
    "flip_x": lambda w, r, c, h, v: one(r, v - 1 - c),
    "flip_y": lambda w, r, c, h, v: one(h - 1 - r, c),
    "rotate_90": lambda w, r, c, h, v: one(h - 1 - c, r),
    "rotate_180": lambda w, r, c, h, v: one(h - 1 - r, v - 1 - c),
    "rotate_270": lambda w, r, c, h, v: one(c, h - 1 - r),
    "negate": lambda w, r, c, h, v: [(r, c, -1.0)],
    "skew": skew,
    "patch_permute": patches,
    "pixel_permute": pixels,
    "inner_circle": inner_circle,
    "square_hinge": square_hinge,
    "hinge_in_three": hinge_in_three,
    "rotate": rotate,
    "inner_rotate": rotate,
    "polar": polar,
    "cylinder_mirror": cylinder,
    "cone_mirror": cone,
    "custom": custom,
    "blur": blur,
    "scale": scale,
}
