"""Readings of an ambiguous picture, chained to a rig: a node for each family of warps."""

from __future__ import annotations

from typing import Any

from ...renderers.illusions.sampled import WARP_SAMPLINGS
from ...renderers.illusions.space import Warps
from ...renderers.illusions.warps import warp as make_warp
from ..host.errors import named
from .rigs import with_reading

LINES = {"multiline": True, "dynamicPrompts": True}
SEARCH = ["ambiguous image", "visual anagrams", "optical illusion", "synctweedies"]
PROMPT: dict[str, Any] = {
    "prompt": (
        "STRING",
        {"default": "", "tooltip": "What this reading shows; IllusionPrompts encodes it for this reading.", **LINES},
    )
}
READING: dict[str, Any] = {
    "rig": ("VIEW_RIG", {"tooltip": "The readings so far. Empty: this is the first one."}),
    "weight": (
        "FLOAT",
        {
            "default": 1.0,
            "min": 0.0,
            "max": 100.0,
            "step": 0.05,
            "tooltip": "How much this reading counts against the others where they disagree.",
        },
    ),
}
SAMPLING = (
    list(WARP_SAMPLINGS),
    {
        "default": "nearest",
        "tooltip": "How the view reads the picture. nearest keeps noise as it is. bilinear mixes four pixels. "
        "lod blurs where the view shows the picture smaller and leaves fine detail to readings that see it.",
        "advanced": True,
    },
)


def number(default: float, low: float, high: float, tooltip: str, step: float = 0.01) -> tuple[str, dict[str, Any]]:
    return "FLOAT", {"default": default, "min": low, "max": high, "step": step, "tooltip": tooltip}


def whole(default: int, low: int, high: int, tooltip: str) -> tuple[str, dict[str, Any]]:
    return "INT", {"default": default, "min": low, "max": high, "tooltip": tooltip}


_ANGLE = "Degrees clockwise."
_RADIUS = "Radius as a share of the shorter side."
SHUFFLE = (
    "INT",
    {
        "default": 0,
        "min": 0,
        "max": 2**32 - 1,
        "tooltip": "Number of the shuffle: the same number gives the same pieces.",
    },
)


class Reading:
    """Outputs that all readings have."""

    CATEGORY = "SyncTweedies/illusion"
    RETURN_TYPES = ("VIEW_RIG", "STRING")
    RETURN_NAMES = ("rig", "advice")
    OUTPUT_TOOLTIPS = (
        "The readings so far, this one last; connect to the next illusion node, or to sampler and prompts.",
        "One line a reading: what it does to pixels, and whether latents can be averaged; then what to connect.",
    )
    FUNCTION = "build"
    SEARCH_ALIASES = SEARCH


class IllusionRig(Reading):
    DESCRIPTION = (
        "One reading of the picture: as it is, flipped, turned, negative or skewed. Chain these for as many readings "
        "as you like. Costs one model call per reading and step."
    )
    WARPS = (
        "identity", "flip_y", "flip_x", "rotate_90", "rotate_180", "rotate_270", "negate", "skew", "rotate"
    )  # fmt: skip

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        name = (
            list(cls.WARPS),
            {
                "tooltip": "identity: as it is. flip_y: upside down. flip_x: left and right change sides. rotate_90 to "
                "270: clockwise (square pictures). negate: negative. skew: columns slide down. rotate: by any angle; "
                "corners show nothing."
            },
        )
        return {
            "required": {"warp": name, **PROMPT},
            "optional": {
                **READING,
                "angle": number(45.0, -360.0, 360.0, f"rotate: {_ANGLE}", 1.0),
                "slope": number(1.5, -8.0, 8.0, "skew: rows that a column slides further than the one before.", 0.1),
                "sampling": SAMPLING,
            },
        }

    def build(
        self,
        warp: str,
        prompt: str,
        rig: Any = None,
        weight: float = 1.0,
        angle: float = 45.0,
        slope: float = 1.5,
        sampling: str = "nearest",
    ) -> tuple[Warps, str]:
        with named("IllusionRig"):
            values = {"rotate": {"angle": angle, "sampling": sampling}, "skew": {"slope": slope}}
            return with_reading(rig, make_warp(warp, **values.get(warp, {})), weight, prompt)


class IllusionShuffle(Reading):
    DESCRIPTION = (
        "A reading in which pieces of the picture change places: patches, single pixels, or a jigsaw of 16 pieces. "
        "Costs one model call per step."
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        name = (
            ["jigsaw", "patch_permute", "pixel_permute"],
            {
                "tooltip": "jigsaw: 4 x 4 pieces with knobs, turned too (square pictures). patch_permute: a grid of "
                "patches. pixel_permute: small blocks everywhere; looks like noise in between."
            },
        )
        return {
            "required": {"warp": name, **PROMPT, "shuffle": SHUFFLE},
            "optional": {
                **READING,
                "patches": whole(8, 1, 256, "patch_permute: patches along a side."),
                "block": whole(1, 1, 256, "pixel_permute: side of a block in pixels (cells of a latent model)."),
            },
        }

    def build(
        self,
        warp: str,
        prompt: str,
        shuffle: int,
        rig: Any = None,
        weight: float = 1.0,
        patches: int = 8,
        block: int = 1,
    ) -> tuple[Warps, str]:
        with named("IllusionShuffle"):
            values = {"patch_permute": {"patches": patches}, "pixel_permute": {"block": block}}
            return with_reading(rig, make_warp(warp, seed=shuffle, **values.get(warp, {})), weight, prompt)


class IllusionHinge(Reading):
    DESCRIPTION = (
        "A reading in which parts of the picture turn: a disc in the middle, squares on hinges, outer panels. Costs "
        "one model call per step."
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        name = (
            ["inner_circle", "inner_rotate", "square_hinge", "hinge_in_three"],
            {
                "tooltip": "inner_circle: the disc upside down. inner_rotate: the disc by any angle, which repeats "
                "some pixels and loses others. square_hinge: squares turned by quarters, in turn. "
                "hinge_in_three: three panels, the outer two upside down."
            },
        )
        return {
            "required": {"warp": name, **PROMPT},
            "optional": {
                **READING,
                "radius": number(0.375, 0.01, 0.5, f"inner_circle, inner_rotate: {_RADIUS}"),
                "angle": number(45.0, -360.0, 360.0, f"inner_rotate: {_ANGLE}", 1.0),
                "count": whole(3, 1, 64, "square_hinge: squares along the shorter side."),
                "sampling": SAMPLING,
            },
        }

    def build(
        self,
        warp: str,
        prompt: str,
        rig: Any = None,
        weight: float = 1.0,
        radius: float = 0.375,
        angle: float = 45.0,
        count: int = 3,
        sampling: str = "nearest",
    ) -> tuple[Warps, str]:
        with named("IllusionHinge"):
            values = {
                "inner_circle": {"radius": radius},
                "inner_rotate": {"radius": radius, "angle": angle, "sampling": sampling},
                "square_hinge": {"count": count},
            }
            return with_reading(rig, make_warp(warp, **values.get(warp, {})), weight, prompt)


class IllusionMirror(Reading):
    DESCRIPTION = (
        "A reading that appears in a mirror standing on the picture (anamorphosis), or when its disc is unrolled. "
        "Costs one model call per step."
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        name = (
            ["cylinder_mirror", "cone_mirror", "polar"],
            {
                "tooltip": "cylinder_mirror: an upright mirror cylinder in the middle. cone_mirror: a cone seen from "
                "above, which turns the ring around it inside out. polar: the disc unrolled to a strip."
            },
        )
        radius = number(0.125, 0.01, 0.49, f"cylinder_mirror, cone_mirror: of the mirror. {_RADIUS}")
        return {
            "required": {"warp": name, **PROMPT},
            "optional": {**READING, "radius": radius, "sampling": (SAMPLING[0], {**SAMPLING[1], "default": "lod"})},
        }

    def build(
        self,
        warp: str,
        prompt: str,
        rig: Any = None,
        weight: float = 1.0,
        radius: float = 0.125,
        sampling: str = "lod",
    ) -> tuple[Warps, str]:
        with named("IllusionMirror"):
            values = {} if warp == "polar" else {"radius": radius}
            return with_reading(rig, make_warp(warp, sampling=sampling, **values), weight, prompt)


NODES = {
    "IllusionRig": IllusionRig,
    "IllusionShuffle": IllusionShuffle,
    "IllusionHinge": IllusionHinge,
    "IllusionMirror": IllusionMirror,
}
NAMES = {
    "IllusionRig": "Illusion Rig (Flip, Turn)",
    "IllusionShuffle": "Illusion Rig (Shuffle)",
    "IllusionHinge": "Illusion Rig (Circle, Hinge)",
    "IllusionMirror": "Illusion Rig (Mirror)",
}
