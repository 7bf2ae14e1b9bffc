"""One picture of the toy world, with its depth hint and its caption.

Depth is inverse, white near, nothing 0, as MeshViews and PanoramaDepthViews give it to a ControlNet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...renderers.cameras.viewpoints import Viewpoint
from ...renderers.mesh.looks import MeshViews
from . import words
from .materials import GROUNDS, MATERIALS, SKIES, look_up, texture
from .shapes import OBJECTS, shape

Floats = NDArray[np.floating]
Kind = Literal["object", "scene", "material", "landscape", "sky"]

KINDS: dict[Kind, float] = {"object": 0.46, "scene": 0.14, "material": 0.16, "landscape": 0.19, "sky": 0.05}
BACKGROUNDS = {
    "white": (1.0, 1.0, 1.0),
    "black": (0.02, 0.02, 0.02),
    "grey": (0.5, 0.5, 0.5),
    "blue": (0.22, 0.38, 0.78),
    "red": (0.72, 0.14, 0.11),
}
# Zenith and horizon of the skies without clouds.
_GRADIENTS = {
    "blue": ((52, 112, 206), (186, 218, 246)),
    "evening": ((66, 46, 112), (252, 148, 62)),
    "night": ((5, 7, 24), (32, 40, 82)),
}
# Distance of the horizon's mountains, in a hint.
_MOUNTAINS_NEAR = 0.12


@dataclass(frozen=True)
class Seen:
    """What a camera sees of an object, everything [n, n] or [n, n, 3]: the mask, the place on the object (about -1..1),
    the unit normal, how it faces the camera (0..1), and inverse depth, 1 at the nearest and 0 at the farthest."""

    name: str
    side: str
    mask: NDArray[np.bool_]
    place: NDArray[np.float32]
    normal: NDArray[np.float32]
    facing: NDArray[np.float32]
    near: NDArray[np.float32]


@dataclass(frozen=True)
class Example:
    """picture [n, n, 3] in 0..1, hint [n, n] in 0..1, its caption, and what it shows: the object, the material (or the
    ground), the sky or the background, "" for none."""

    picture: Floats
    hint: Floats
    caption: str
    kind: Kind
    object: str
    material: str
    behind: str


def side_word(azimuth: float, elevation: float) -> str:
    """Radians -> the word for where one looks from."""
    if elevation > math.radians(55):
        return "from above"
    turn = abs((math.degrees(azimuth) + 180) % 360 - 180)
    return "from the front" if turn < 45 else "from the back" if turn > 135 else "from the side"


def look_at(rng: np.random.Generator, name: str, n: int) -> Seen:
    """An object from somewhere, nearly filling the frame."""
    mesh, azimuth = shape(name), rng.uniform(-math.pi, math.pi)
    elevation = math.radians(rng.uniform(55, 88) if rng.random() < 0.15 else rng.uniform(-25, 50))
    fov = math.radians(rng.uniform(35, 65))
    distance = rng.uniform(0.86, 1.2) / math.sin(fov / 2)
    camera = Viewpoint.orbit(azimuth, elevation, distance, fov=fov).in_scene(mesh.centre, mesh.radius)
    views = MeshViews(mesh, (camera,), n, n)
    seen = views.fragments[0]
    place = (mesh.vertices[mesh.faces][seen.face.clamp_min(0).long()] * seen.bary[..., None]).sum(-2)
    place = (place - place.new_tensor(mesh.centre)) / mesh.radius
    return Seen(
        name,
        side_word(azimuth, elevation),
        seen.covered.numpy(),
        place.numpy(),
        views.seen_normals(camera, seen).numpy(),
        views.shading(0.0)[0].numpy(),
        views.depth()[0].numpy(),
    )


def _painted(rng: np.random.Generator, seen: Seen, material: str) -> Floats:
    """The object in its material, from three sides (triplanar), lit from the camera."""
    weight = np.abs(seen.normal) ** 6
    weight = weight / np.maximum(weight.sum(-1, keepdims=True), 1e-9)
    x, y, z = np.moveaxis(seen.place * rng.uniform(0.3, 0.46), -1, 0)
    a, b, c, d, e, f = rng.random(6)
    sides = look_up(material, z + a, -y + b), look_up(material, x + c, z + d), look_up(material, x + e, -y + f)
    colour = sum(side * weight[..., i : i + 1] for i, side in enumerate(sides))
    dark = rng.uniform(0.25, 0.5)
    return np.clip(colour * (1 - dark + 1.3 * dark * seen.facing[..., None]), 0, 1)


def _frame(n: int) -> tuple[Floats, Floats]:
    """(x to the right, y up) of the pixels, -1..1."""
    axis = (np.arange(n) + 0.5) / n * 2 - 1
    x, y = np.meshgrid(axis, -axis)
    return x, y


def _sky(rng: np.random.Generator, kind: str, n: int, horizon: float) -> Floats:
    x, y = _frame(n)
    if kind == "cloudy":
        zoom = rng.uniform(0.18, 0.34)
        return look_up("clouds", x * zoom + rng.random(), -y * zoom + rng.random())
    top, bottom = (np.array(c) / 255 for c in _GRADIENTS[kind])
    height = np.clip((y - horizon) / rng.uniform(1.2, 2.0), 0, 1)[..., None]
    sky = bottom * (1 - height) + top * height
    if kind == "night":
        stars = np.kron(rng.random((n // 3, n // 3)) > 0.992, np.ones((3, 3)))[..., None]
        sky = np.where(np.resize(stars, (*sky.shape[:2], 1)) > 0, 0.92, sky)
    return sky


def _ground(rng: np.random.Generator, material: str, n: int, horizon: float) -> tuple[Floats, Floats]:
    """A plane below the horizon -> (its picture, its inverse depth, growing downwards from 0)."""
    x, y = _frame(n)
    below = np.maximum(horizon - y, 1e-3)
    height, lens = rng.uniform(0.8, 1.5), rng.uniform(1.0, 1.6)
    far = height / below
    picture = look_up(material, x * far / lens * 0.3 + rng.random(), -far * 0.3 * lens + rng.random())
    haze = np.clip((far - 2.2) / 6, 0, 1)[..., None]  # (finer than the pixels out there)
    return picture * (1 - haze) + texture(material).mean((0, 1)) * haze, below


def _mountains(rng: np.random.Generator, n: int, horizon: float, sky: str) -> tuple[Floats, NDArray[np.bool_]]:
    """A range on the horizon -> (its picture, where it is)."""
    x, y = _frame(n)
    line, phase = np.zeros(n), rng.random(6) * 2 * np.pi
    for i, wave in enumerate((1.3, 2.1, 3.7, 6.1, 11.0, 19.0)):
        line += np.abs(np.sin(np.pi * wave * x[0] / 2 + phase[i])) / wave
    peak = horizon + 0.08 + 0.3 * rng.uniform(0.7, 1.3) * line / line.max()
    there = (y < peak) & (y >= horizon)
    up = np.clip((y - horizon) / np.maximum(peak - horizon, 1e-3), 0, 1)
    rough = 0.06 * rng.standard_normal((n, n))
    rock, cap = np.array([0.34, 0.34, 0.42]), np.array([0.93, 0.94, 0.98])
    snow = np.clip((up * (peak - horizon) - 0.2 + rough) * 14, 0, 1)[..., None]
    picture = rock * (0.75 + 0.5 * up[..., None] + rough[..., None]) * (1 - snow) + cap * snow
    tint = {"night": 0.35, "evening": 0.8}.get(sky, 1.0)
    return np.clip(picture * tint, 0, 1), there


def _landscape(
    rng: np.random.Generator, material: str, sky: str, n: int, mountains: bool, horizon: float
) -> tuple[Floats, Floats]:
    """-> (picture, inverse depth: 0 in the sky)."""
    picture, near = _ground(rng, material, n, horizon)
    _, y = _frame(n)
    picture = np.where((y < horizon)[..., None], picture, _sky(rng, sky, n, horizon))
    near = np.where(y < horizon, near * rng.uniform(0.45, 0.9), 0.0)
    if mountains:
        there, where = _mountains(rng, n, horizon, sky)
        picture, near = np.where(where[..., None], there, picture), np.where(where, _MOUNTAINS_NEAR, near)
    return picture, np.clip(near, 0, 1)


def _pick(rng: np.random.Generator, names: tuple[str, ...]) -> str:
    return names[int(rng.integers(len(names)))]


def example(rng: np.random.Generator, objects: list[Seen], n: int, kind: Kind | None = None) -> Example:
    """A random picture [n, n, 3]; ``objects``: what ``look_at`` saw at that size."""
    kind = kind or str(rng.choice(list(KINDS), p=list(KINDS.values())))  # pyright: ignore[reportAssignmentType]
    if kind == "material":
        material, zoom = _pick(rng, MATERIALS), rng.uniform(0.17, 0.36)
        x, y = _frame(n)
        picture = look_up(material, x * zoom + rng.random(), -y * zoom + rng.random())
        slope = rng.uniform(-0.5, 0.5, 2) * (rng.random() < 0.5)
        hint = np.clip(rng.uniform(0, 1) + slope[0] * x + slope[1] * y, 0, 1)
        return Example(picture, hint, words.of_material(rng, material), kind, "", material, "")
    sky = _pick(rng, SKIES)
    if kind == "sky":
        return Example(
            _sky(rng, sky, n, rng.uniform(-2.2, -0.9)), np.zeros((n, n)), words.of_sky(rng, sky), kind, "", "", sky
        )
    if kind == "landscape":
        ground, mountains = _pick(rng, GROUNDS), bool(rng.random() < 0.3)
        horizon = rng.uniform(-0.25, 0.5) if mountains else rng.uniform(-0.75, 0.95)
        picture, hint = _landscape(rng, ground, sky, n, mountains, horizon)
        return Example(picture, hint, words.of_landscape(rng, ground, sky, mountains), kind, "", ground, sky)
    seen, material = objects[int(rng.integers(len(objects)))], _pick(rng, MATERIALS)
    there, caption = _painted(rng, seen, material), words.of_object(rng, seen.name, material, seen.side)
    floor = rng.choice([0.0, 0.0, 0.15, 0.3, 0.5])
    near = floor + (rng.uniform(0.75, 1.0) - floor) * seen.near
    if kind == "object":
        behind = str(rng.choice(list(BACKGROUNDS), p=[0.5, 0.125, 0.125, 0.125, 0.125]))
        picture, hint = np.broadcast_to(BACKGROUNDS[behind], (n, n, 3)), np.zeros((n, n))
        caption += words.on_background(rng, behind)
    else:
        behind = _pick(rng, GROUNDS)
        picture, hint = _landscape(rng, behind, sky, n, False, rng.uniform(-0.1, 0.45))
        # (near ground is often nearer than the object)
        hint, near = hint * rng.uniform(0.4, 1.1), near * rng.uniform(0.3, 1.0)
        hint = np.clip(hint, 0, 1)
        caption += words.in_scene(rng, behind, sky)
    mask = seen.mask
    return Example(
        np.where(mask[..., None], there, picture),
        np.where(mask, near, hint),
        caption,
        kind,
        seen.name,
        material,
        behind,
    )


def buffers(rng: np.random.Generator, count: int, n: int) -> list[Seen]:
    """``count`` looks at every object."""
    return [look_at(rng, name, n) for name in OBJECTS for _ in range(count)]
