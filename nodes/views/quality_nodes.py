"""One node for the numbers that must fit together."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..declare import Choice, Node, Number, Socket, Whole
from ..trained import UNKNOWN, trained_for
from ..widgets import MAX_SIDE
from .quality import QUALITIES, RESULTS, Wish, sizes_for


@Node(
    "Size and Quality",
    "views",
    inputs={
        "result": Choice(RESULTS).says(
            "What is made. picture: flat, of any size. panorama: the whole sphere, twice as wide as high. object: the "
            "texture of a mesh, or splats. illusion: one picture with several readings."
        ),
        "quality": Choice(tuple(QUALITIES), default="good").says(
            "draft: 10 steps, few views, to try words. good: 20 steps, views that overlap by half. best: 35 steps, "
            "twice as many views. The size stays."
        ),
        "width": Whole(0, 0, MAX_SIDE, 16).says(
            "Width of the result in pixels, to the next 16; of an object its texture's. 0: four times the model's "
            "pictures (an illusion: one), or the picture's own."
        ),
        "height": Whole(0, 0, MAX_SIDE, 16).says(
            "picture: its height in pixels. 0: one of the model's pictures, or by the picture's proportions. Other "
            "results know their height themselves."
        ),
    },
    optional={
        "model": Socket("MODEL").says("Tells the size of the views, and the guidance; without it 512 and 7."),
        "image": Socket("IMAGE").says("picture: one that is changed; its proportions are kept."),
        "view_size": Whole(0, 0, MAX_SIDE, 16).says(
            "Side of a view in pixels. 0: what the model was trained on (512 for SD 1.5, 1024 for SDXL and newer)."
        ),
        "guidance": Number(0.0, 0.0, 100.0, 0.5).says(
            "cfg. 0: what suits the model (7; 4 for flow models; 1 for Flux). Turbo and lightning models want 1."
        ),
    },
    outputs={
        "width": Socket("INT").says("Of the whole result: Canonical Space's and Mesh Space's width."),
        "height": Socket("INT").says("Of the whole result."),
        "view_size": Socket("INT").says("Width and height of the rig's views."),
        "stride": Socket("INT").says("View Rig's pixels, where spacing is stride."),
        "overlap": Socket("FLOAT").says("How much the views of View Rig overlap."),
        "views": Socket("INT").says("Orbit Rig's views."),
        "steps": Socket("INT").says("The sampler's."),
        "cfg": Socket("FLOAT").says("The sampler's."),
        "report": Socket("STRING").says("What was chosen, in one line."),
    },
    search=["resolution", "preset", "draft", "steps", "view size", "auto size"],
)
class SyncTweediesQuality:
    """The numbers that must fit together - sizes, views, steps, guidance - from one choice and the model. Costs
    nothing: what they cost the sampler is steps times views."""

    def choose(
        self,
        result: str,
        quality: str,
        width: int,
        height: int,
        model: Any = None,
        image: Tensor | None = None,
        view_size: int = 0,
        guidance: float = 0.0,
    ) -> tuple[int, int, int, int, float, int, int, float, str]:
        trained = UNKNOWN if model is None else trained_for(model)
        shown = None if image is None else (int(image.shape[2]), int(image.shape[1]))
        made = sizes_for(Wish(result, quality, width, height, view_size, guidance, shown), trained)
        numbers = made.quality.overlap, made.quality.views, made.quality.steps, made.cfg
        return (made.width, made.height, made.view, made.stride, *numbers, made.told(trained))
