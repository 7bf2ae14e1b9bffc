"""Paint the exemplar pictures: ``python -m assets.make_exemplars [NAME ...] [--output DIR]`` from the repository root.

Eight square, tileable 8-bit sRGB textures for the exemplar prior, drawn by code alone (numpy, scipy, Pillow): the same
seed gives the same picture. Needs the ``dev`` extra; the committed PNGs need nothing.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from .texture_fluid import cloudy_sky, water
from .texture_plants import forest_floor, meadow
from .texture_stone import bark, bricks, pebbles, stone_wall
from .texture_tools import Canvas, Picture

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Exemplar:
    """One picture: its file stem, side in pixels, painter, and the take of its seed that was liked best."""

    name: str
    size: int
    painter: Callable[[Canvas, np.random.Generator], Picture]
    take: int = 0

    def paint(self) -> Picture:
        """The picture, ``[size, size, 3]`` uint8. Its random numbers depend on name and take only."""
        rng = np.random.Generator(np.random.PCG64([zlib.crc32(self.name.encode()), self.take]))
        return self.painter(Canvas(self.size), rng)


EXEMPLARS = (
    Exemplar("stone_wall", 192, stone_wall, take=2),
    Exemplar("meadow", 192, meadow),
    Exemplar("water", 192, water, take=1),
    Exemplar("bark", 192, bark, take=2),
    Exemplar("bricks", 192, bricks, take=2),
    Exemplar("cloudy_sky", 192, cloudy_sky, take=5),
    Exemplar("pebbles", 192, pebbles, take=1),
    Exemplar("forest_floor", 192, forest_floor, take=1),
)


def main(arguments: list[str] | None = None) -> None:
    """Paint the named exemplars (all by default) and print the path of each file written."""
    names = [exemplar.name for exemplar in EXEMPLARS]
    parser = argparse.ArgumentParser(description="Paint the tileable exemplar textures.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of: {', '.join(names)} (default: all)")
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder for the PNG files (default: this script's)")
    chosen = parser.parse_args(arguments)
    unknown = sorted(set(chosen.names) - set(names))
    if unknown:
        parser.error(f"unknown exemplar {', '.join(unknown)}; choose from {', '.join(names)}")
    chosen.output.mkdir(parents=True, exist_ok=True)
    for exemplar in EXEMPLARS:
        if not chosen.names or exemplar.name in chosen.names:
            path = chosen.output / f"{exemplar.name}.png"
            Image.fromarray(exemplar.paint()).save(path, optimize=True)
            print(path)


if __name__ == "__main__":
    main()
