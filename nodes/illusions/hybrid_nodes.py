"""More readings of an ambiguous picture: hybrids, warps of one's own, and how planes are blended."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.illusions.space import Warps
from ...renderers.illusions.warps.hybrids import HYBRIDS, hybrid_warps
from ..declare import Choice, Node, Number, Socket, Text, Whole
from ..widgets import PROMPT
from .nodes import CHAIN, READINGS, SAMPLING, SEARCH, WORDS
from .rigs import custom_warp, finished, with_blend, with_reading

_THREE = ("near, middle and far",)
_REFUSE = "refuse says so instead of running."


@Node(
    "Illusion Rig (Hybrid)",
    "illusion",
    inputs={
        "kind": Choice(HYBRIDS).says(
            "What tells the readings apart. near and far (and middle): fine and coarse detail. colour and grey. still "
            "and moving: smeared along a line. mask: inside and outside. blurred, thumbnail: the second reading sees "
            "the whole picture, only coarser."
        ),
        "prompt": PROMPT.says("First reading: near, colour, still, inside the mask, or the whole picture."),
        "second_prompt": PROMPT.says("Second reading: far (middle of three), grey, moving, outside, or coarse."),
    },
    optional={
        "third_prompt": PROMPT.says("near, middle and far: the far reading.").when(kind=_THREE),
        "sigma": Number(2.0, 0.1, 16.0, 0.1)
        .says("Blur between near and far, in sixty-fourths of the picture.")
        .when(kind=("near and far", *_THREE, "blurred")),
        "fine": Number(1.0, 0.0, 16.0, 0.1, advanced=True)
        .says("near, middle and far: blur between near and middle.")
        .when(kind=_THREE),
        "length": Number(7.0, 1.1, 32.0, 0.1, advanced=True)
        .says("still and moving: way of a point, sixty-fourths of the picture.")
        .when(kind=("still and moving",)),
        "angle": Number(45.0, -180.0, 180.0, 1.0, advanced=True)
        .says("still and moving: direction, degrees clockwise.")
        .when(kind=("still and moving",)),
        "factor": Whole(8, 1, 64, advanced=True)
        .says("thumbnail: pixels of a block; must divide the picture.")
        .when(kind=("thumbnail",)),
        "mask": Socket("MASK").says("mask: where the first reading decides; any size."),
    },
    outputs=READINGS,
    search=[*SEARCH, "hybrid image", "factorized diffusion", "near and far", "two images in one"],
)
class IllusionHybrid:
    """A hybrid picture: all its readings at once, told apart by distance, colour, motion or place. Costs one model call
    per reading and step."""

    def build(
        self,
        kind: str,
        prompt: str,
        second_prompt: str,
        third_prompt: str = "",
        sigma: float = 2.0,
        fine: float = 1.0,
        length: float = 7.0,
        angle: float = 45.0,
        factor: int = 8,
        mask: Tensor | None = None,
    ) -> tuple[Warps, str]:
        one = None if mask is None else mask.reshape(-1, *mask.shape[-2:])[0]
        warps = hybrid_warps(kind, sigma, fine, length, angle, factor, one)
        prompts = (prompt, second_prompt, third_prompt)[: len(warps)]
        return finished(Warps(warps, (), (), prompts if any(prompts) else ()))


@Node(
    "Illusion Rig (Custom Warp)",
    "illusion",
    inputs={
        "coordinates": Socket("IMAGE").says(
            "Red: from the left edge (0) to the right (1); green: from the top (0) to the bottom (1). Any size; 8 "
            "bits are good for 256 pixels."
        ),
        **WORDS,
    },
    optional={
        **CHAIN,
        "sampling": SAMPLING,
        "folds": Choice(["refuse", "allow"]).says(
            f"A warp that shows a part of the picture twice, once mirrored: {_REFUSE}"
        ),
        "outside": Choice(["refuse", "background"]).says(
            f"Coordinates outside 0..1: {_REFUSE} background leaves those pixels to the view."
        ),
    },
    outputs={
        **READINGS,
        "report": Socket("STRING").says(
            "How much of the view is background, and how often the picture's cells are seen."
        ),
    },
    search=[*SEARCH, "uv map", "distortion"],
)
class IllusionCustomWarp:
    """A reading of your own: an image that says where every pixel of the view looks in the picture. Costs one model
    call per step."""

    def build(
        self,
        coordinates: Tensor,
        prompt: str,
        rig: Any = None,
        weight: float = 1.0,
        sampling: str = "nearest",
        folds: str = "refuse",
        outside: str = "refuse",
    ) -> tuple[Warps, str, str]:
        made, report = custom_warp(coordinates, sampling, folds, outside)
        return (*with_reading(rig, made, weight, prompt), report)


@Node(
    "Illusion Blend (Planes)",
    "illusion",
    inputs={
        "rig": Socket("VIEW_RIG").says("All readings."),
        "shares": Text("0.5 0.5", multiline=True).says(
            "As many numbers as CanonicalSpace has planes: one line for all readings, or one line for each."
        ),
    },
    outputs={"rig": Socket("VIEW_RIG").says("The same readings, blended so.")},
    search=[*SEARCH, "multiplane", "layers"],
)
class IllusionBlend:
    """For an illusion of several planes: how much of each plane the readings show, instead of their mean. Costs
    nothing; shares that differ from reading to reading take some milliseconds a step."""

    def build(self, rig: Any, shares: str) -> tuple[Warps]:
        return (with_blend(rig, shares),)
