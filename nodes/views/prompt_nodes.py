"""Prompts for some of the views, and for some of the picture."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.scene import Scene
from .. import host
from ..host.errors import named
from ..sampling.sampler import SCENE
from .prompts import Conditioning, canonical_prompt, view_prompts


class ViewPrompts:
    CATEGORY = "SyncTweedies/conditioning"
    DESCRIPTION = (
        "A prompt for each view: by number, by direction, or by place on the canvas. For the SyncTweedies samplers: "
        "others would mix the prompts. Costs one text encoding for each different prompt; the model's work is the same."
    )
    RETURN_TYPES = ("CONDITIONING", "CONDITIONING", "STRING")
    RETURN_NAMES = ("positive", "negative", "report")
    OUTPUT_TOOLTIPS = (
        "Each entry holds for its views only.",
        "The same for the negative prompts.",
        "Which view gets which prompt, one a line.",
    )
    FUNCTION = "build"
    SEARCH_ALIASES = ["directional prompt", "prompt per view", "regional prompt", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        text = {"multiline": True, "dynamicPrompts": True}
        return {
            "required": {
                "clip": ("CLIP", {"tooltip": "Encodes the prompts."}),
                **SCENE,
                "prompts": (
                    "STRING",
                    {
                        "default": "left: a stone wall\nright: a meadow",
                        "tooltip": "One a line, 'views: text'. Views: 0, 1-3; left, right, center, top, bottom; for "
                        "cameras front, side, back, left, right, top, bottom; azimuth -45..45, elevation 30..90; "
                        "x 0..0.3, y 0.5..1 of the canvas; blanks mean and, commas mean or. The first line that names "
                        "a view holds; a line without views, or with *, is for all the others.",
                        **text,
                    },
                ),
                "negative": (
                    "STRING",
                    {"default": "", "tooltip": "What the views should not show; the same syntax.", **text},
                ),
            },
            "optional": {
                "prefix": (
                    "STRING",
                    {"default": "", "tooltip": "Put before every positive prompt, e.g. the subject.", **text},
                ),
                "suffix": (
                    "STRING",
                    {"default": "", "tooltip": "Put behind every positive prompt, e.g. the style.", **text},
                ),
            },
        }

    def build(
        self, clip: Any, space: Any, rig: Any, prompts: str, negative: str, prefix: str = "", suffix: str = ""
    ) -> tuple[Conditioning, Conditioning, str]:
        with named("ViewPrompts"):
            encode = host.text_encoder(clip)
            made = view_prompts(encode, Scene(space, rig), prompts, prefix, suffix, negative)
            return made.positive, made.negative, made.report


class CanonicalPrompt:
    CATEGORY = "SyncTweedies/conditioning"
    DESCRIPTION = (
        "A prompt for a part of the whole picture, painted as a mask over it: every view gets its share of the mask. "
        "For the SyncTweedies samplers. Costs one more evaluation of each view that sees the mask, in every step."
    )
    RETURN_TYPES = ("CONDITIONING",)
    OUTPUT_TOOLTIPS = ("The entries of 'other', then the masked ones.",)
    FUNCTION = "build"
    SEARCH_ALIASES = ["regional prompt", "ConditioningSetMask", "paint prompt", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                **SCENE,
                "conditioning": ("CONDITIONING", {"tooltip": "What the masked part should show."}),
                "mask": (
                    "MASK",
                    {
                        "tooltip": "Over the whole picture, in its proportions; any resolution. One, or one for each "
                        "canonical picture."
                    },
                ),
                "strength": (
                    "FLOAT",
                    {
                        "default": 1.0,
                        "min": 0.0,
                        "max": 10.0,
                        "step": 0.01,
                        "tooltip": "Weight against other prompts at the same place: 1 and an unmasked prompt mix half "
                        "and half.",
                    },
                ),
                "set_cond_area": (
                    ["default", "mask bounds"],
                    {
                        "tooltip": "default: the whole view is evaluated. mask bounds: only the rectangle around the "
                        "view's part of the mask; cheaper for small masks, but the model sees nothing else."
                    },
                ),
            },
            "optional": {
                "other": (
                    "CONDITIONING",
                    {"tooltip": "Prompts for the rest of the picture; parts without any prompt become grey."},
                )
            },
        }

    def build(
        self,
        space: Any,
        rig: Any,
        conditioning: Conditioning,
        mask: Tensor,
        strength: float,
        set_cond_area: str,
        other: Conditioning | None = None,
    ) -> tuple[Conditioning]:
        with named("CanonicalPrompt"):
            bounds = set_cond_area == "mask bounds"
            return (canonical_prompt(Scene(space, rig), conditioning, mask, strength, bounds, other),)


NODES = {"ViewPrompts": ViewPrompts, "CanonicalPrompt": CanonicalPrompt}
NAMES = {"ViewPrompts": "View Prompts", "CanonicalPrompt": "Canonical Prompt"}
