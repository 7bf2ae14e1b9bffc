"""Depth from EXR files: which of the channels is meant, and its values.

Renderers put depth beside the colours and what else they know of a pixel, as ``Z``, ``depth.Z``, ``ViewLayer.Depth.V``
and the like. A channel that could be something else is never taken for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

# Names of layers, and of channels, that say it.
_DEPTH = ("depth", "zdepth", "z_depth", "depthz", "depth_z")
_SHORT = ("z", "v")
# Parts of a vector: a Z beside them is a coordinate, a V beside a U is one on a surface.
_COMPANIONS = ("x", "y", "u", "w")
_ALPHA = ("a", "alpha")
_COLOURS = (("r", "g", "b"), ("red", "green", "blue"))
# No packing makes a picture more than so many times as small.
_PACKED, _SMALL = 1100, 16 << 20


def depth_channels(names: Sequence[str], file: str) -> tuple[str, ...]:
    """The channel that is depth; or red, green and blue, which are depth only where they are alike.

    names: all channels of a file, with those of their layers in front, parted by dots. By these rules, the first that
    fits: named depth, or in a layer that is; named Z or V alone in its layer, or in a layer named so; the file's
    only one, alpha apart; its only three, when they are red, green and blue. Raises ValueError, with the file's name
    and channels, when none fits or several do.
    """
    parts = {name: name.lower().split(".") for name in names}
    within: dict[tuple[str, ...], set[str]] = {}
    for words in parts.values():
        within.setdefault(tuple(words[:-1]), set()).add(words[-1])
    named = [n for n, w in parts.items() if w[-1] not in _ALPHA and any(part in _DEPTH for part in w[-2:])]
    short = [n for n, w in parts.items() if _says_z(w, within[tuple(w[:-1])])]
    for found in (named, [n for n in short if len(parts[n]) == 1], short):
        colours = _as_colours(found, parts)
        if len(found) == 1 or colours:
            return colours or (found[0],)
        if found:
            raise ValueError(f"'{file}' has several channels of depth ({_listed(found)}); save the one that is meant")
    others = [n for n in names if parts[n][-1] not in _ALPHA]
    if len(others) == 1:
        return (others[0],)
    colours = _as_colours(others, parts)
    if colours:
        return colours
    raise ValueError(
        f"'{file}' has no channel that is called depth, Z or V, but {_listed(names)}; save the depth pass (Z) with it, "
        "or alone"
    )


def _says_z(words: list[str], siblings: set[str]) -> bool:
    if words[-1] in _ALPHA or any(other in siblings for other in _COMPANIONS):
        return False
    if len(words) > 1 and words[-2] in _SHORT:
        return True
    # (a layer that is called something else and has a lone Z or V, as Blender's Mist, is that)
    return words[-1] in _SHORT and (len(words) < 2 or not _is_pass(words[-2]))


def _is_pass(layer: str) -> bool:
    """Whether a layer's name is that of something else with one number a pixel."""
    return any(word in layer for word in ("mist", "index", "shadow", "alpha", "mask", "fog", "vector", "uv"))


def _as_colours(names: Sequence[str], parts: dict[str, list[str]]) -> tuple[str, ...]:
    """Red, green and blue of one layer, when the names are just those."""
    lasts = {parts[n][-1]: n for n in names}
    layers = {tuple(parts[n][:-1]) for n in names}
    for colours in _COLOURS:
        if len(names) == 3 and len(layers) == 1 and set(lasts) == set(colours):
            return tuple(lasts[c] for c in colours)
    return ()


def _listed(names: Sequence[str]) -> str:
    """Names in one line that is not too long."""
    shown = [" ".join(n.split())[:60] for n in list(names)[:12]]
    return ", ".join(shown) + (f" and {len(names) - len(shown)} more" if len(names) > len(shown) else "")


def read_exr(path: Path) -> np.ndarray[Any, Any]:
    """Values of a file's depth channel [H, W]. Raises ValueError without the package OpenEXR, for damaged files, and as
    ``depth_channels``."""
    try:
        import OpenEXR  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ValueError(f"'{path.name}': reading EXR needs the package OpenEXR; install it, or save as NPY") from None
    library: Any = OpenEXR
    try:
        with library.File(str(path), separate_channels=True, header_only=True) as file:
            claimed = sum(_bytes(part) for part in file.parts)
            count = sum(len(part.header["channels"]) for part in file.parts)
        if claimed > max(_SMALL, _PACKED * path.stat().st_size):
            raise MemoryError
        with library.File(str(path), separate_channels=True) as file:
            found = {name: np.asarray(channel.pixels) for name, channel in _named(file.parts)}
        if len(found) < count:  # pixels that cannot be unpacked are left out, and told on the console alone
            raise ValueError
    except Exception:  # the library has no class of its own for damaged files
        raise ValueError(f"'{path.name}' is no EXR, or it is damaged or cut short; save it again") from None
    wanted = [found[name] for name in depth_channels(list(found), path.name)]
    if any(values.ndim != 2 or values.dtype.kind not in "fiu" for values in wanted):
        raise ValueError(f"'{path.name}' holds deep pixels; save depth as one number per pixel")
    same = (np.array_equal(wanted[0], other, equal_nan=True) for other in wanted[1:])
    if not all(same):
        raise ValueError(
            f"'{path.name}' holds colours and no depth ({_listed(list(found))}); save the depth pass (Z) with them"
        )
    return wanted[0]


def _bytes(part: Any) -> int:
    """What a part would take in memory, by its header."""
    low, high = part.header["dataWindow"]
    width, height = (int(high[i]) - int(low[i]) + 1 for i in (0, 1))
    return width * height * 4 * max(1, len(part.header["channels"]))


def _named(parts: Sequence[Any]) -> list[tuple[str, Any]]:
    """(Name, channel) of all; in a file of several parts, a part's name is that of its layer."""
    found: list[tuple[str, Any]] = []
    for part in parts:
        layer = part.name() if len(parts) > 1 else ""
        for name, channel in part.channels.items():
            inside = not layer or name.lower().startswith(f"{layer.lower()}.")
            found.append((name if inside else f"{layer}.{name}", channel))
    return found
