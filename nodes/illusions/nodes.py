"""Readings of an ambiguous picture, chained to a rig: a node for each family of warps."""

from __future__ import annotations

from typing import Any

from ...renderers.illusions.sampled import WARP_SAMPLINGS
from ...renderers.illusions.space import Warps
from ...renderers.illusions.warps import warp as make_warp
from ..declare import Choice, Inputs, Node, Number, Socket, Whole
from ..widgets import PROMPT
from .rigs import with_reading

SEARCH = ["ambiguous image", "visual anagrams", "optical illusion"]
WORDS: Inputs = {"prompt": PROMPT.says("What this reading shows; IllusionPrompts encodes it for this reading.")}
CHAIN: Inputs = {
    "rig": Socket("VIEW_RIG").says("The readings so far. Empty: this is the first one."),
    "weight": Number(1.0, 0.0, 100.0, 0.05, advanced=True).says(
        "How much this reading counts against the others where they disagree."
    ),
}
SAMPLING = Choice(WARP_SAMPLINGS, default="nearest", advanced=True).says(
    "How the view reads the picture. nearest keeps noise as it is. bilinear mixes four pixels. lod blurs where the "
    "view shows the picture smaller and leaves fine detail to readings that see it."
)


_ANGLE = "Degrees clockwise."
_RADIUS = "Radius as a share of the shorter side."
_FLAT = ("identity", "flip_y", "flip_x", "rotate_90", "rotate_180", "rotate_270", "negate", "skew", "rotate")


# What every reading gives.
READINGS = {
    "rig": Socket("VIEW_RIG").says(
        "The readings so far, this one last; connect to the next illusion node, or to sampler and prompts."
    ),
    "advice": Socket("STRING").says(
        "One line a reading: what it does to pixels, and whether latents can be averaged; then what to connect."
    ),
}


@Node(
    "Illusion Rig (Flip, Turn)",
    "illusion",
    inputs={
        "warp": Choice(_FLAT).says(
            "identity: as it is. flip_y: upside down. flip_x: left and right change sides. rotate_90 to 270: "
            "clockwise (square pictures). negate: negative. skew: columns slide down. rotate: by any angle; corners "
            "show nothing."
        ),
        **WORDS,
    },
    optional={
        **CHAIN,
        "angle": Number(45.0, -360.0, 360.0, 1.0).says(f"rotate: {_ANGLE}").when(warp=("rotate",)),
        "slope": Number(1.5, -8.0, 8.0, 0.1)
        .says("skew: rows that a column slides further than the one before.")
        .when(warp=("skew",)),
        "sampling": SAMPLING.when(warp=("rotate",)),
    },
    outputs=READINGS,
    search=[*SEARCH, "upside down", "flip", "rotate", "mirror image", "negative"],
)
class IllusionRig:
    """One reading of the picture: as it is, flipped, turned, negative or skewed. Chain these for as many readings as
    you like. Costs one model call per reading and step."""

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
        values = {"rotate": {"angle": angle, "sampling": sampling}, "skew": {"slope": slope}}
        return with_reading(rig, make_warp(warp, **values.get(warp, {})), weight, prompt)


@Node(
    "Illusion Rig (Shuffle)",
    "illusion",
    inputs={
        "warp": Choice(["jigsaw", "patch_permute", "pixel_permute"]).says(
            "jigsaw: 4 x 4 pieces with knobs, turned too (square pictures). patch_permute: a grid of patches. "
            "pixel_permute: small blocks everywhere; looks like noise in between."
        ),
        **WORDS,
        "shuffle": Whole(0, 0, 2**32 - 1).says("Number of the shuffle: the same number gives the same pieces."),
    },
    optional={
        **CHAIN,
        "patches": Whole(8, 1, 256).says("patch_permute: patches along a side.").when(warp=("patch_permute",)),
        "block": Whole(1, 1, 256)
        .says("pixel_permute: side of a block in pixels (cells of a latent model).")
        .when(warp=("pixel_permute",)),
    },
    outputs=READINGS,
    search=[*SEARCH, "jigsaw", "puzzle", "permutation"],
)
class IllusionShuffle:
    """A reading in which pieces of the picture change places: patches, single pixels, or a jigsaw of 16 pieces. Costs
    one model call per step."""

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
        values = {"patch_permute": {"patches": patches}, "pixel_permute": {"block": block}}
        return with_reading(rig, make_warp(warp, seed=shuffle, **values.get(warp, {})), weight, prompt)


@Node(
    "Illusion Rig (Circle, Hinge)",
    "illusion",
    inputs={
        "warp": Choice(["inner_circle", "inner_rotate", "square_hinge", "hinge_in_three"]).says(
            "inner_circle: the disc upside down. inner_rotate: the disc by any angle, which repeats some pixels and "
            "loses others. square_hinge: squares turned by quarters, in turn. hinge_in_three: three panels, the outer "
            "two upside down."
        ),
        **WORDS,
    },
    optional={
        **CHAIN,
        "radius": Number(0.375, 0.01, 0.5)
        .says(f"inner_circle, inner_rotate: {_RADIUS}")
        .when(warp=("inner_circle", "inner_rotate")),
        "angle": Number(45.0, -360.0, 360.0, 1.0).says(f"inner_rotate: {_ANGLE}").when(warp=("inner_rotate",)),
        "count": Whole(3, 1, 64).says("square_hinge: squares along the shorter side.").when(warp=("square_hinge",)),
        "sampling": SAMPLING.when(warp=("inner_rotate",)),
    },
    outputs=READINGS,
    search=[*SEARCH, "inner circle", "rotating disc", "hinge"],
)
class IllusionHinge:
    """A reading in which parts of the picture turn: a disc in the middle, squares on hinges, outer panels. Costs one
    model call per step."""

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
        values = {
            "inner_circle": {"radius": radius},
            "inner_rotate": {"radius": radius, "angle": angle, "sampling": sampling},
            "square_hinge": {"count": count},
        }
        return with_reading(rig, make_warp(warp, **values.get(warp, {})), weight, prompt)


@Node(
    "Illusion Rig (Mirror)",
    "illusion",
    inputs={
        "warp": Choice(["cylinder_mirror", "cone_mirror", "polar"]).says(
            "cylinder_mirror: an upright mirror cylinder in the middle. cone_mirror: a cone seen from above, which "
            "turns the ring around it inside out. polar: the disc unrolled to a strip."
        ),
        **WORDS,
    },
    optional={
        **CHAIN,
        "radius": Number(0.125, 0.01, 0.49)
        .says(f"cylinder_mirror, cone_mirror: of the mirror. {_RADIUS}")
        .when(warp=("cylinder_mirror", "cone_mirror")),
        "sampling": SAMPLING.given(default="lod"),
    },
    outputs=READINGS,
    search=[*SEARCH, "anamorphosis", "anamorphic", "cylinder mirror"],
)
class IllusionMirror:
    """A reading that appears in a mirror standing on the picture (anamorphosis), or when its disc is unrolled. Costs
    one model call per step."""

    def build(
        self,
        warp: str,
        prompt: str,
        rig: Any = None,
        weight: float = 1.0,
        radius: float = 0.125,
        sampling: str = "lod",
    ) -> tuple[Warps, str]:
        values = {} if warp == "polar" else {"radius": radius}
        return with_reading(rig, make_warp(warp, sampling=sampling, **values), weight, prompt)
