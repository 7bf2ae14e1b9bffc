"""Colours of sockets: every type that no palette knows has one, to be told apart on dark and on light nodes."""

import re
from pathlib import Path

from helpers.hosting import host  # noqa: F401  (skips where there is no host)
from syncpack.nodes import NODE_CLASS_MAPPINGS

SCRIPT = Path(__file__).resolve().parents[2] / "web" / "looks.js"
COLOURS = dict(re.findall(r"^  (\w+): \"(#[0-9a-f]{6})\",$", SCRIPT.read_text(encoding="utf-8"), re.M))
# Types of the host's own, and of others; those without a colour in its palettes are its business.
HOSTS = {
    *("MODEL", "CLIP", "VAE", "CONDITIONING", "LATENT", "IMAGE", "MASK", "CLIP_VISION", "CONTROL_NET", "NOISE"),
    *("SAMPLER", "GUIDER", "STRING", "INT", "FLOAT", "BOOLEAN", "COMBO", "LOAD3D_CAMERA", "LOAD3D_MODEL_INFO"),
    *("RAFT_FLOW", "OPTICAL_FLOW"),  # of other packs
}
DARK, LIGHT = "#353535", "#ffffff"  # nodes of the dark and of the light palette


def channels(colour):
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def luminance(colour):
    """Relative luminance, as WCAG has it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_type_of_ours_has_a_colour():
    kinds = set()
    for node in NODE_CLASS_MAPPINGS.values():
        declaration = node.DECLARATION
        for value in [*declaration.inputs.values(), *declaration.optional.values(), *declaration.outputs.values()]:
            kinds |= {*str(getattr(value, "kind", "STRING")).split(",")}
    assert {kind for kind in kinds if kind not in HOSTS and not kind.startswith("FILE_3D")} == {*COLOURS}


def test_they_can_be_read_and_told_apart():
    assert all(contrast(colour, node) >= 3 for colour in COLOURS.values() for node in (DARK, LIGHT))
    found = list(COLOURS.values())
    for i, one in enumerate(found):
        for other in found[:i]:
            assert sum(abs(a - b) for a, b in zip(channels(one), channels(other), strict=True)) > 0.3, (one, other)
