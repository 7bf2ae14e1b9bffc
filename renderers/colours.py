"""Colours behind objects in pictures, by name."""

from __future__ import annotations

from .typed import unquoted

BACKGROUNDS = {"white": (1.0, 1.0, 1.0), "grey": (0.5, 0.5, 0.5), "black": (0.0, 0.0, 0.0)}


def background_of(name: str) -> tuple[float, float, float]:
    """A colour by name or as #rrggbb. Raises ValueError for what is neither."""
    plain = unquoted(name).lower()
    if plain in BACKGROUNDS:
        return BACKGROUNDS[plain]
    colour = from_digits(plain.removeprefix("#"))
    if colour is None:
        raise ValueError(f"background '{name}' is no colour; use {', '.join(BACKGROUNDS)} or e.g. #8090a0")
    return colour


def rgb_of(colour: str) -> tuple[float, float, float]:
    """A colour "#rrggbb" or "#rgb" -> 0..1. Raises ValueError for anything else."""
    digits = unquoted(colour).removeprefix("#")
    found = from_digits("".join(2 * d for d in digits) if len(digits) == 3 else digits)
    if found is None:
        raise ValueError(f"colour '{colour}' is no colour; use e.g. #808080")
    return found


def from_digits(digits: str) -> tuple[float, float, float] | None:
    """Six hexadecimal digits as red, green, blue in 0..1; None for anything else."""
    try:
        if len(digits) != 6:
            return None
        red, green, blue = (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    except ValueError:
        return None
    return red, green, blue
