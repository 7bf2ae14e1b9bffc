"""What is said about a picture of the toy world, and the words that its model knows."""

from __future__ import annotations

import numpy as np

from ...nodes.models.toy.words import SPECIAL, Words

Random = np.random.Generator

TOKENS = 20
_KNOWN = (
    "a an the of on under and made from with picture background white black grey blue red front back side above "
    "cloudy evening night sky wall field beach sea desert floor forest boards wooden mountains meadow brick stone "
    "bricks grass pebbles water leaves wood sand gold snow lava teapot cube ball vase tower ring"
)
_ALIKE = dict(
    (other, word)
    for word, others in (
        ("a", "an"),
        ("stone", "rock rocks stones cobbles"),
        ("brick", "bricked"),
        ("pebbles", "pebble gravel"),
        ("grass", "lawn grassy"),
        ("meadow", "flowers"),
        ("leaves", "leaf foliage autumn"),
        ("sea", "ocean"),
        ("water", "lake river"),
        ("gold", "golden"),
        ("snow", "snowy"),
        ("lava", "magma"),
        ("sand", "dunes sandy"),
        ("wood", "timber"),
        ("boards", "planks"),
        ("teapot", "pot"),
        ("cube", "box"),
        ("ball", "sphere"),
        ("tower", "lighthouse"),
        ("ring", "torus"),
        ("cloudy", "clouds cloud"),
        ("evening", "sunset dusk twilight"),
        ("night", "stars starry"),
        ("grey", "gray"),
        ("mountains", "mountain hills"),
        ("back", "rear"),
        ("above", "top"),
    )
    for other in others.split()
)
WORDS = Words((*SPECIAL, *_KNOWN.split()), _ALIKE, TOKENS)

# What a material is called as an object's, and what as a whole picture or a ground.
_AS_PLACE = {
    "stone": ("a stone wall", "stone"),
    "bricks": ("a brick wall", "bricks"),
    "grass": ("a meadow", "grass"),
    "pebbles": ("pebbles", "a beach of pebbles"),
    "water": ("water", "the sea"),
    "leaves": ("a forest floor", "leaves"),
    "wood": ("wood", "wooden boards"),
    "sand": ("sand", "a desert"),
    "gold": ("gold", "a gold wall"),
    "snow": ("snow", "a field of snow"),
    "lava": ("lava", "a field of lava"),
}


def _one(rng: Random, *choices: str) -> str:
    return choices[int(rng.integers(len(choices)))]


def of_object(rng: Random, name: str, material: str, side: str) -> str:
    """``a ball of gold``, in one of four ways; ``side`` ("from above") is told for two pictures in five."""
    told = _one(rng, *[f"a {name} of {material}"] * 2, f"a {material} {name}", f"a {name} made of {material}")
    return f"{told} {side}" if rng.random() < 0.4 else told


def on_background(rng: Random, colour: str) -> str:
    """White is what an object stands on when nothing is said, in three pictures of ten."""
    return "" if colour == "white" and rng.random() < 0.3 else f" on a {colour} background"


def in_scene(rng: Random, ground: str, sky: str) -> str:
    return f" on {_one(rng, ground, _AS_PLACE[ground][0])}" + (f" under a {sky} sky" if rng.random() < 0.7 else "")


def of_material(rng: Random, material: str) -> str:
    first, other = _AS_PLACE[material]
    return _one(rng, material, first, other, f"a picture of {material}", f"{material} from above")


def of_landscape(rng: Random, ground: str, sky: str, mountains: bool) -> str:
    first, other = _AS_PLACE[ground]
    return _one(rng, ground, first, other) + (" and mountains" if mountains else "") + f" under a {sky} sky"


def of_sky(rng: Random, sky: str) -> str:
    return _one(rng, f"a {sky} sky", f"the {sky} sky", f"a picture of a {sky} sky")
