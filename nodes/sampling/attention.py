"""Views that look at each other inside the model."""

from __future__ import annotations

from typing import Any

from ...renderers.scene import Scene
from ..declare import Choice, Node, Number, Socket, Switch, Unless, Whole
from ..engine.attention import CrossView, with_cross_view_attention
from ..widgets import SCENE


@Node(
    "Cross-view Attention",
    "sampling",
    inputs={
        "model": Socket("MODEL").says(
            "A model of the SD1, SD2 or SDXL family; in a ComfyUI of late 2025 or newer also Flux, SD3, Qwen-Image, "
            "Wan, Z-Image, HiDream and other transformers. LoRAs, IPAdapter and PAG can stay on it."
        ),
        **SCENE,
        "weight": Number(1.0, 0.0, 1.0).says(
            "How much of each self-attention sees other views. 0 = the model as it is, at no cost."
        ),
        "neighbours": Whole(2, 0, 64).says(
            "How many other views each view sees: those that overlap it most, then the nearest ones. Each costs "
            "another attention. 0 = views by themselves (MultiDiffusion); all of them = a transformer paints the whole "
            "canvas at once."
        ),
        "reference": Whole(-1, -1, 4096).says(
            "A view that all others see too, counted from 0; -1 for none (and no cost)."
        ),
        "reference_weight": Number(1.0, 0.0, 10.0, advanced=True)
        .says("Weight of the reference against the neighbours: 1 = as much as these together.")
        .when(reference=Unless(-1)),
        "start": Number(0.0, 0.0, 1.0, advanced=True).says(
            "Begin at this fraction of the run, counted as in the host's ControlNet nodes (0 = noise)."
        ),
        "end": Number(0.8, 0.0, 1.0).says(
            "Stop at this fraction of the run; afterwards every view sees only itself, at no cost."
        ),
        "reference_end": Number(0.2, 0.0, 1.0, advanced=True)
        .says("Stop looking at the reference at this fraction of the run.")
        .when(reference=Unless(-1)),
        "max_tokens": Whole(4096, 0, 2**20, advanced=True).says(
            "Layers with more tokens per view than this are left alone, which bounds the cost. 4096 is every layer of "
            "512-pixel views in SD1 and of 1024-pixel views in SDXL. 0 = no limit."
        ),
        "group": Whole(0, 0, 4096, advanced=True).says(
            "Views see only others of their group of so many consecutive views, and a group always goes through the "
            "model together: views_per_batch must be at least this. 0 = all views of a picture."
        ),
    },
    optional={
        "overlaps": Switch(True, advanced=True).says(
            "A place that several views show weighs as much as one that a single view shows: log(number of views) is "
            "taken off. Off: each view's tokens count in full, as published for SyncMVD."
        ),
        "positions": Choice(("canvas", "own"), advanced=True).says(
            "For transformers (Flux, Qwen-Image, ...): canvas = each view is told where on the canvas it lies, and "
            "cameras by where they look; also with 0 neighbours. own = each view believes to be the whole picture. "
            "U-Nets know no positions."
        ),
        "entropy_scale": Switch(False, advanced=True).says(
            "Sharpen attention over more tokens than one view has by sqrt(log(tokens seen) / log(tokens of a view)), "
            "against blur and repetition on large canvases."
        ),
    },
    outputs={"MODEL": Socket("MODEL").says("A copy of the model; the one you connected stays as it is.")},
    search=["attention sharing", "syncmvd", "reference attention"],
)
class CrossViewAttention:
    """Lets every view look at its neighbours and at a reference view inside the model, so that views agree in style and
    content before they are averaged. U-Nets (SD1, SD2, SDXL) and transformers (Flux, Qwen-Image, Wan and more), which
    are also told where their views lie. Costs attention over three to four times the tokens."""

    def patch(
        self,
        model: Any,
        space: Any,
        rig: Any,
        weight: float,
        neighbours: int,
        reference: int,
        reference_weight: float,
        start: float,
        end: float,
        reference_end: float,
        max_tokens: int,
        group: int,
        overlaps: bool = True,
        positions: str = "canvas",
        entropy_scale: bool = False,
    ) -> tuple[Any]:
        if reference < 0:  # what only a reference is asked about
            reference_weight, reference_end = 0.0, 0.0
        wanted = CrossView(
            weight=weight,
            neighbours=neighbours,
            reference=reference,
            reference_weight=reference_weight,
            start=start,
            end=end,
            reference_end=reference_end,
            most_tokens=max_tokens,
            group=group,
            once=overlaps,
            on_canvas=positions == "canvas",
            entropy=entropy_scale,
        )
        return (with_cross_view_attention(model, Scene(space, rig), wanted),)
