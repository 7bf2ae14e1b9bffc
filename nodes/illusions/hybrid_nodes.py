"""More readings of an ambiguous picture: hybrids, warps of one's own, and how planes are blended."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.illusions.space import Warps
from ...renderers.illusions.warps.hybrids import HYBRIDS, hybrid_warps
from ..host.errors import named
from .nodes import LINES, PROMPT, READING, SAMPLING, SEARCH, Reading, number, whole
from .rigs import custom_warp, finished, with_blend, with_reading


class IllusionHybrid(Reading):
    DESCRIPTION = (
        "A hybrid picture: all its readings at once, told apart by distance, colour, motion or place. Costs one model "
        "call per reading and step."
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        def words(what: str) -> tuple[str, dict[str, Any]]:
            return "STRING", {"default": "", "tooltip": what, **LINES}

        return {
            "required": {
                "kind": (
                    list(HYBRIDS),
                    {
                        "tooltip": "What tells the readings apart. near and far (and middle): fine and coarse detail. "
                        "colour and grey. still and moving: smeared along a line. mask: inside and outside. blurred, "
                        "thumbnail: the second reading sees the whole picture, only coarser."
                    },
                ),
                "prompt": words("First reading: near, colour, still, inside the mask, or the whole picture."),
                "second_prompt": words("Second reading: far (middle of three), grey, moving, outside, or coarse."),
            },
            "optional": {
                "third_prompt": words("near, middle and far: the far reading."),
                "sigma": number(2.0, 0.1, 16.0, "Blur between near and far, in sixty-fourths of the picture.", 0.1),
                "fine": number(1.0, 0.0, 16.0, "near, middle and far: blur between near and middle.", 0.1),
                "length": number(
                    7.0, 1.1, 32.0, "still and moving: way of a point, sixty-fourths of the picture.", 0.1
                ),
                "angle": number(45.0, -180.0, 180.0, "still and moving: direction, degrees clockwise.", 1.0),
                "factor": whole(8, 1, 64, "thumbnail: pixels of a block; must divide the picture."),
                "mask": ("MASK", {"tooltip": "mask: where the first reading decides; any size."}),
            },
        }

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
        with named("IllusionHybrid"):
            one = None if mask is None else mask.reshape(-1, *mask.shape[-2:])[0]
            warps = hybrid_warps(kind, sigma, fine, length, angle, factor, one)
            prompts = (prompt, second_prompt, third_prompt)[: len(warps)]
            return finished(Warps(warps, (), (), prompts if any(prompts) else ()))


class IllusionCustomWarp(Reading):
    DESCRIPTION = (
        "A reading of your own: an image that says where every pixel of the view looks in the picture. Costs one model "
        "call per step."
    )
    RETURN_TYPES = ("VIEW_RIG", "STRING", "STRING")
    RETURN_NAMES = ("rig", "advice", "report")
    OUTPUT_TOOLTIPS = (
        *Reading.OUTPUT_TOOLTIPS,
        "How much of the view is background, and how often the picture's cells are seen.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        refuse = "refuse says so instead of running."
        return {
            "required": {
                "coordinates": (
                    "IMAGE",
                    {
                        "tooltip": "Red: from the left edge (0) to the right (1); green: from the top (0) to the "
                        "bottom (1). Any size; 8 bits are good for 256 pixels."
                    },
                ),
                **PROMPT,
            },
            "optional": {
                **READING,
                "sampling": SAMPLING,
                "folds": (
                    ["refuse", "allow"],
                    {"tooltip": f"A warp that shows a part of the picture twice, once mirrored: {refuse}"},
                ),
                "outside": (
                    ["refuse", "background"],
                    {"tooltip": f"Coordinates outside 0..1: {refuse} background leaves those pixels to the view."},
                ),
            },
        }

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
        with named("IllusionCustomWarp"):
            made, report = custom_warp(coordinates, sampling, folds, outside)
            return (*with_reading(rig, made, weight, prompt), report)


class IllusionBlend:
    CATEGORY = "SyncTweedies/illusion"
    DESCRIPTION = (
        "For an illusion of several planes: how much of each plane the readings show, instead of their mean. Costs "
        "nothing; shares that differ from reading to reading take some milliseconds a step."
    )
    RETURN_TYPES = ("VIEW_RIG",)
    RETURN_NAMES = ("rig",)
    OUTPUT_TOOLTIPS = ("The same readings, blended so.",)
    FUNCTION = "build"
    SEARCH_ALIASES = [*SEARCH, "multiplane", "layers"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "rig": ("VIEW_RIG", {"tooltip": "All readings."}),
                "shares": (
                    "STRING",
                    {
                        "default": "0.5 0.5",
                        "multiline": True,
                        "tooltip": "As many numbers as CanonicalSpace has planes: one line for all readings, or one "
                        "line for each.",
                    },
                ),
            }
        }

    def build(self, rig: Any, shares: str) -> tuple[Warps]:
        with named("IllusionBlend"):
            return (with_blend(rig, shares),)


NODES = {"IllusionHybrid": IllusionHybrid, "IllusionCustomWarp": IllusionCustomWarp, "IllusionBlend": IllusionBlend}
NAMES = {
    "IllusionHybrid": "Illusion Rig (Hybrid)",
    "IllusionCustomWarp": "Illusion Rig (Custom Warp)",
    "IllusionBlend": "Illusion Blend (Planes)",
}
