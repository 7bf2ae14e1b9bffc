"""Prompts for the readings of an ambiguous picture, and what to do with the finished one."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.illusions.film import EASINGS
from ...renderers.scene import Scene
from .. import host
from ..declare import Choice, Inputs, Node, Socket, Switch, Whole
from ..widgets import PROMPT, SCENE
from .nodes import SEARCH
from .pictures import reading_film, save_films
from .rigs import reading_prompts
from .scores import illusion_report

_IMAGE: Inputs = {
    "image": Socket("IMAGE").says("The finished picture (StitchViews); several planes below each other are blended.")
}


@Node(
    "Illusion Prompts",
    "illusion",
    inputs={
        "clip": Socket("CLIP").says("Encodes the prompts."),
        "rig": Socket("VIEW_RIG").says("All readings, with their prompts."),
        "negative": PROMPT.says("What no reading should show."),
    },
    optional={
        "prefix": PROMPT.says(
            "Put before every prompt, e.g. 'an oil painting of'. One painterly style for all readings helps most."
        ),
        "suffix": PROMPT.says("Put behind every prompt."),
        "prompts": PROMPT.says(
            "Instead of the prompts that the rig carries: one line for each reading, in their order."
        ),
    },
    outputs={
        "positive": Socket("CONDITIONING").says("Each entry holds for its reading only."),
        "negative": Socket("CONDITIONING").says("The negative prompt, for all readings."),
        "report": Socket("STRING").says("Which reading gets which prompt, one a line."),
    },
    search=[*SEARCH, "prompt per view"],
)
class IllusionPrompts:
    """The prompts of an illusion's readings, each for its own view. For the SyncTweedies samplers: others would mix
    them. Costs one text encoding for each different prompt."""

    def build(
        self, clip: Any, rig: Any, negative: str, prefix: str = "", suffix: str = "", prompts: str = ""
    ) -> tuple[Any, Any, str]:
        made = reading_prompts(host.text_encoder(clip), rig, prompts, prefix, suffix, negative)
        return made.positive, made.negative, made.report


@Node(
    "Illusion Frames",
    "illusion",
    inputs={
        **SCENE,
        **_IMAGE,
        "reading": Whole(1, 0, 63).says("Which reading, from 0."),
        "count": Whole(30, 2, 1000).says("Frames of the way there."),
        "easing": Choice(EASINGS).says(
            "smooth: slow at both ends. linear: even. accelerate: faster and faster. spring: swings past the end and "
            "settles."
        ),
        "back": Switch(True).says("Also the way back, so that the film loops."),
        "hold": Whole(10, 0, 1000).says("Frames that each end is held for."),
    },
    outputs={"frames": Socket("IMAGE").says("Connect to SaveAnimatedWEBP, or to a node that saves videos.")},
    search=[*SEARCH, "animation", "gif", "video"],
)
class IllusionFrames:
    """The frames of a film from the picture to one of its readings, and back, for the host's nodes that save
    animations. Costs some milliseconds a frame."""

    def build(
        self, space: Any, rig: Any, image: Tensor, reading: int, count: int, easing: str, back: bool, hold: int
    ) -> tuple[Tensor]:
        return (reading_film(Scene(space, rig), image, reading, count, easing, back, hold),)


@Node(
    "Illusion Preview",
    "illusion",
    inputs={**SCENE, **_IMAGE, "count": Whole(24, 2, 120).says("Frames of each reading.")},
    outputs={"image": Socket("IMAGE").says("The picture, unchanged.")},
    search=[*SEARCH, "animation"],
    output_node=True,
)
class IllusionPreview:
    """Shows the picture and its readings in the graph: press to play from one to the other, drag to go there by hand.
    Costs writing the frames of each reading to the temp folder."""

    def show(self, space: Any, rig: Any, image: Tensor, count: int) -> dict[str, Any]:
        return {"ui": {"illusions": save_films(Scene(space, rig), image, count)}, "result": (image,)}


@Node(
    "Illusion Report",
    "illusion",
    inputs={**SCENE, **_IMAGE},
    optional={
        "views": Socket("IMAGE").says("The sampler's views, decoded: each reading is measured against its own."),
        "clip": Socket("CLIP").says("Text half of a CLIP model, whole (SDXL's, or CLIPLoader's)."),
        "clip_vision": Socket("CLIP_VISION").says("Vision half of the same model (CLIPVisionLoader)."),
    },
    outputs={
        "text": Socket("STRING").says("The figures, one a line."),
        "readings": Socket("IMAGE").says("What each reading shows, in rig order."),
    },
    search=[*SEARCH, "clip score"],
    output_node=True,
)
class IllusionReport:
    """How well each reading is that reading: what the picture keeps of each view and, with your own CLIP models, how
    well it fits its prompt and hides the others. Costs some milliseconds, with CLIP one encoding a reading."""

    def report(
        self,
        space: Any,
        rig: Any,
        image: Tensor,
        views: Tensor | None = None,
        clip: Any = None,
        clip_vision: Any = None,
    ) -> dict[str, Any]:
        text, shown = illusion_report(Scene(space, rig), image, views, clip, clip_vision)
        return {"ui": {"text": [text]}, "result": (text, shown)}
