"""Prompts for the readings of an ambiguous picture, and what to do with the finished one."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.illusions.film import EASINGS
from ...renderers.scene import Scene
from .. import host
from ..host.errors import named
from ..sampling.sampler import SCENE
from .nodes import SEARCH
from .pictures import reading_film, save_films
from .rigs import reading_prompts
from .scores import illusion_report

_IMAGE: dict[str, Any] = {
    "image": ("IMAGE", {"tooltip": "The finished picture (StitchViews); several planes below each other are blended."})
}
_LINES: dict[str, Any] = {"multiline": True, "dynamicPrompts": True}


class IllusionPrompts:
    CATEGORY = "SyncTweedies/illusion"
    DESCRIPTION = (
        "The prompts of an illusion's readings, each for its own view. For the SyncTweedies samplers: others would mix "
        "them. Costs one text encoding for each different prompt."
    )
    RETURN_TYPES = ("CONDITIONING", "CONDITIONING", "STRING")
    RETURN_NAMES = ("positive", "negative", "report")
    OUTPUT_TOOLTIPS = (
        "Each entry holds for its reading only.",
        "The negative prompt, for all readings.",
        "Which reading gets which prompt, one a line.",
    )
    FUNCTION = "build"
    SEARCH_ALIASES = [*SEARCH, "prompt per view"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "clip": ("CLIP", {"tooltip": "Encodes the prompts."}),
                "rig": ("VIEW_RIG", {"tooltip": "All readings, with their prompts."}),
                "negative": ("STRING", {"default": "", "tooltip": "What no reading should show.", **_LINES}),
            },
            "optional": {
                "prefix": (
                    "STRING",
                    {
                        "default": "",
                        "tooltip": "Put before every prompt, e.g. 'an oil painting of'. One painterly style for all "
                        "readings helps most.",
                        **_LINES,
                    },
                ),
                "suffix": ("STRING", {"default": "", "tooltip": "Put behind every prompt.", **_LINES}),
                "prompts": (
                    "STRING",
                    {
                        "default": "",
                        "tooltip": "Instead of the prompts that the rig carries: one line for each reading, in their "
                        "order.",
                        **_LINES,
                    },
                ),
            },
        }

    def build(
        self, clip: Any, rig: Any, negative: str, prefix: str = "", suffix: str = "", prompts: str = ""
    ) -> tuple[Any, Any, str]:
        with named("IllusionPrompts"):
            made = reading_prompts(host.text_encoder(clip), rig, prompts, prefix, suffix, negative)
            return made.positive, made.negative, made.report


class IllusionFrames:
    CATEGORY = "SyncTweedies/illusion"
    DESCRIPTION = (
        "The frames of a film from the picture to one of its readings, and back, for the host's nodes that save "
        "animations. Costs some milliseconds a frame."
    )
    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("frames",)
    OUTPUT_TOOLTIPS = ("Connect to SaveAnimatedWEBP, or to a node that saves videos.",)
    FUNCTION = "build"
    SEARCH_ALIASES = [*SEARCH, "animation", "gif", "video"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                **SCENE,
                **_IMAGE,
                "reading": ("INT", {"default": 1, "min": 0, "max": 63, "tooltip": "Which reading, from 0."}),
                "count": ("INT", {"default": 30, "min": 2, "max": 1000, "tooltip": "Frames of the way there."}),
                "easing": (
                    list(EASINGS),
                    {
                        "tooltip": "smooth: slow at both ends. linear: even. accelerate: faster and faster. spring: "
                        "swings past the end and settles."
                    },
                ),
                "back": ("BOOLEAN", {"default": True, "tooltip": "Also the way back, so that the film loops."}),
                "hold": (
                    "INT",
                    {"default": 10, "min": 0, "max": 1000, "tooltip": "Frames that each end is held for."},
                ),
            }
        }

    def build(
        self, space: Any, rig: Any, image: Tensor, reading: int, count: int, easing: str, back: bool, hold: int
    ) -> tuple[Tensor]:
        with named("IllusionFrames"):
            return (reading_film(Scene(space, rig), image, reading, count, easing, back, hold),)


class IllusionPreview:
    CATEGORY = "SyncTweedies/illusion"
    DESCRIPTION = (
        "Shows the picture and its readings in the graph: press to play from one to the other, drag to go there by "
        "hand. Costs writing the frames of each reading to the temp folder."
    )
    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("image",)
    OUTPUT_TOOLTIPS = ("The picture, unchanged.",)
    FUNCTION = "show"
    OUTPUT_NODE = True
    SEARCH_ALIASES = [*SEARCH, "animation"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                **SCENE,
                **_IMAGE,
                "count": ("INT", {"default": 24, "min": 2, "max": 120, "tooltip": "Frames of each reading."}),
            }
        }

    def show(self, space: Any, rig: Any, image: Tensor, count: int) -> dict[str, Any]:
        with named("IllusionPreview"):
            return {"ui": {"illusions": save_films(Scene(space, rig), image, count)}, "result": (image,)}


class IllusionReport:
    CATEGORY = "SyncTweedies/illusion"
    DESCRIPTION = (
        "How well each reading is that reading: what the picture keeps of each view and, with your own CLIP models, "
        "how well it fits its prompt and hides the others. Costs some milliseconds, with CLIP one encoding a reading."
    )
    RETURN_TYPES = ("STRING", "IMAGE")
    RETURN_NAMES = ("text", "readings")
    OUTPUT_TOOLTIPS = ("The figures, one a line.", "What each reading shows, in rig order.")
    FUNCTION = "report"
    OUTPUT_NODE = True
    SEARCH_ALIASES = [*SEARCH, "clip score"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {**SCENE, **_IMAGE},
            "optional": {
                "views": (
                    "IMAGE",
                    {"tooltip": "The sampler's views, decoded: each reading is measured against its own."},
                ),
                "clip": ("CLIP", {"tooltip": "Text half of a CLIP model, whole (SDXL's, or CLIPLoader's)."}),
                "clip_vision": ("CLIP_VISION", {"tooltip": "Vision half of the same model (CLIPVisionLoader)."}),
            },
        }

    def report(
        self,
        space: Any,
        rig: Any,
        image: Tensor,
        views: Tensor | None = None,
        clip: Any = None,
        clip_vision: Any = None,
    ) -> dict[str, Any]:
        with named("IllusionReport"):
            text, shown = illusion_report(Scene(space, rig), image, views, clip, clip_vision)
            return {"ui": {"text": [text]}, "result": (text, shown)}


NODES = {
    "IllusionPrompts": IllusionPrompts,
    "IllusionFrames": IllusionFrames,
    "IllusionPreview": IllusionPreview,
    "IllusionReport": IllusionReport,
}
NAMES = {
    "IllusionPrompts": "Illusion Prompts",
    "IllusionFrames": "Illusion Frames",
    "IllusionPreview": "Illusion Preview",
    "IllusionReport": "Illusion Report",
}
