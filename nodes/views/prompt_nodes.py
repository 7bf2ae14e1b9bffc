"""Prompts for some of the views, and for some of the picture."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.scene import Scene
from .. import host
from ..declare import Choice, Node, Number, Socket, Switch
from ..widgets import PROMPT, SCENE
from .journeys import BLENDS, WAYS, Journey, journey
from .prompts import Conditioning, canonical_prompt, view_prompts


@Node(
    "View Prompts",
    "conditioning",
    inputs={
        "clip": Socket("CLIP").says("Encodes the prompts."),
        **SCENE,
        "prompts": PROMPT.given(default="left: a stone wall\nright: a meadow").says(
            "One a line, 'views: text'. Views: 0, 1-3; left, right, center, top, bottom; for cameras front, side, "
            "back, left, right, top, bottom; azimuth -45..45, elevation 30..90; x 0..0.3, y 0.5..1 of the canvas; "
            "blanks mean and, commas mean or. The first line that names a view holds; a line without views, or with "
            "*, is for all the others."
        ),
        "negative": PROMPT.says("What the views should not show; the same syntax."),
    },
    optional={
        "prefix": PROMPT.says("Put before every positive prompt, e.g. the subject."),
        "suffix": PROMPT.says("Put behind every positive prompt, e.g. the style."),
    },
    outputs={
        "positive": Socket("CONDITIONING").says("Each entry holds for its views only."),
        "negative": Socket("CONDITIONING").says("The same for the negative prompts."),
        "report": Socket("STRING").says("Which view gets which prompt, one a line."),
    },
    search=["directional prompt", "prompt per view", "regional prompt"],
)
class ViewPrompts:
    """A prompt for each view: by number, by direction, or by place on the canvas. For the SyncTweedies samplers: others
    would mix the prompts. Costs one text encoding for each different prompt; the model's work is the same."""

    def build(
        self, clip: Any, space: Any, rig: Any, prompts: str, negative: str, prefix: str = "", suffix: str = ""
    ) -> tuple[Conditioning, Conditioning, str]:
        encode = host.text_encoder(clip)
        made = view_prompts(encode, Scene(space, rig), prompts, prefix, suffix, negative)
        return made.positive, made.negative, made.report


@Node(
    "Canonical Prompt",
    "conditioning",
    inputs={
        **SCENE,
        "conditioning": Socket("CONDITIONING").says("What the masked part should show."),
        "mask": Socket("MASK").says(
            "Over the whole picture, in its proportions; any resolution. One, or one for each canonical picture."
        ),
        "strength": Number(1.0, 0.0, 10.0).says(
            "Weight against other prompts at the same place: 1 and an unmasked prompt mix half and half."
        ),
        "set_cond_area": Choice(["default", "mask bounds"], advanced=True).says(
            "default: the whole view is evaluated. mask bounds: only the rectangle around the view's part of the "
            "mask; cheaper for small masks, but the model sees nothing else."
        ),
    },
    optional={
        "other": Socket("CONDITIONING").says(
            "Prompts for the rest of the picture; parts without any prompt become grey."
        ),
        "alone": Number(0.0, 0.0, 1.0, 0.05, advanced=True).says(
            "Fraction of the steps in which this prompt sees nothing but its own part, on a plain colour, so that its "
            "subject keeps to the mask (MultiDiffusion: 0.4). 0: off. Not for a background's prompt."
        ),
    },
    outputs={"CONDITIONING": Socket("CONDITIONING").says("The entries of 'other', then the masked ones.")},
    search=["regional prompt", "ConditioningSetMask", "paint prompt"],
)
class CanonicalPrompt:
    """A prompt for a part of the whole picture, painted as a mask over it: every view gets its share of the mask. For
    the SyncTweedies samplers. Costs one more evaluation of each view that sees the mask, in every step."""

    def build(
        self,
        space: Any,
        rig: Any,
        conditioning: Conditioning,
        mask: Tensor,
        strength: float,
        set_cond_area: str,
        other: Conditioning | None = None,
        alone: float = 0.0,
    ) -> tuple[Conditioning]:
        bounds = set_cond_area == "mask bounds"
        return (canonical_prompt(Scene(space, rig), conditioning, mask, strength, bounds, other, alone),)


@Node(
    "Prompt Journey",
    "conditioning",
    inputs={
        **SCENE,
        "first": Socket("CONDITIONING").says("The prompt where the journey begins."),
        "last": Socket("CONDITIONING").says("The prompt where it ends."),
        "way": Choice(WAYS).says(
            "left to right: windows by their place, cameras from the front (first) around both sides to the back "
            "(last). top to bottom: windows by their place, cameras from the highest to the lowest."
        ),
        "begin": Number(0.0, 0.0, 1.0, 0.05).says("Fraction of the way up to which all is the first prompt."),
        "end": Number(1.0, 0.0, 1.0, 0.05).says("Fraction of the way from which on all is the last prompt."),
        "there_and_back": Switch(False).says(
            "The last prompt in the middle of the canvas, the first at both edges: for canvases that wrap. Cameras "
            "go there and back as it is."
        ),
        "blend": Choice(BLENDS).says(
            "prompts: their encodings are mixed, at no cost. estimates: what the model makes of both is mixed; each "
            "view between the ends costs twice as much."
        ),
    },
    outputs={
        "CONDITIONING": Socket("CONDITIONING").says("Each entry holds for its views only."),
        "report": Socket("STRING").says("How much of which prompt each view gets, one a line."),
    },
    search=["prompt travel", "prompt blend", "conditioning average", "lerp"],
)
class PromptJourney:
    """Goes from one prompt to another over the views of a rig: each gets the mixture of its place. For the SyncTweedies
    samplers: others would mix the prompts in every view. Costs nothing, or up to twice the model's work (blend)."""

    def build(
        self,
        space: Any,
        rig: Any,
        first: Conditioning,
        last: Conditioning,
        way: Any,
        begin: float,
        end: float,
        there_and_back: bool,
        blend: Any,
    ) -> tuple[Conditioning, str]:
        return journey(Scene(space, rig), first, last, Journey(way, begin, end, there_and_back, blend))
