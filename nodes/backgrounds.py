"""Colours behind objects in pictures, by name."""

from __future__ import annotations

BACKGROUNDS = {"white": (1.0, 1.0, 1.0), "grey": (0.5, 0.5, 0.5), "black": (0.0, 0.0, 0.0)}


def background_of(name: str) -> tuple[float, float, float]:
    """A colour by name or as #rrggbb. Raises ValueError for what is neither."""
    plain = name.strip().lower()
    if plain in BACKGROUNDS:
        return BACKGROUNDS[plain]
    digits = plain.removeprefix("#")
    try:
        if len(digits) != 6:
            raise ValueError
        red, green, blue = (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    except ValueError:
        raise ValueError(f"background '{name}' is no colour; use {', '.join(BACKGROUNDS)} or e.g. #8090a0") from None
    return red, green, blue
