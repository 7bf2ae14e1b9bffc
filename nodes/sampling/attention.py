"""Views that look at each other inside the model."""

from __future__ import annotations

from typing import Any

from ...renderers.scene import Scene
from ..engine.attention import CrossView, with_cross_view_attention
from ..host.errors import named
from .sampler import SCENE


def _part(default: float, tooltip: str, most: float = 1.0) -> tuple[str, dict[str, Any]]:
    return ("FLOAT", {"default": default, "min": 0.0, "max": most, "step": 0.01, "tooltip": tooltip})


class CrossViewAttention:
    CATEGORY = "SyncTweedies/sampling"
    DESCRIPTION = (
        "Lets every view look at its neighbours and at a reference view inside the model, so that views agree in style "
        "and content before they are averaged. SD1, SD2 and SDXL models. Costs attention over three to four times the "
        "tokens."
    )
    RETURN_TYPES = ("MODEL",)
    OUTPUT_TOOLTIPS = ("A copy of the model; the one you connected stays as it is.",)
    FUNCTION = "patch"
    SEARCH_ALIASES = ["attention sharing", "syncmvd", "reference attention", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "model": (
                    "MODEL",
                    {"tooltip": "A model of the SD1, SD2 or SDXL family. LoRAs, IPAdapter and PAG can stay on it."},
                ),
                **SCENE,
                "weight": _part(
                    1.0, "How much of each self-attention sees other views. 0 = the model as it is, at no cost."
                ),
                "neighbours": (
                    "INT",
                    {
                        "default": 2,
                        "min": 0,
                        "max": 64,
                        "tooltip": "How many other views each view sees: those that overlap it most, then the nearest "
                        "ones. Each costs another attention.",
                    },
                ),
                "reference": (
                    "INT",
                    {
                        "default": -1,
                        "min": -1,
                        "max": 4096,
                        "tooltip": "A view that all others see too, counted from 0; -1 for none (and no cost).",
                    },
                ),
                "reference_weight": _part(
                    1.0, "Weight of the reference against the neighbours: 1 = as much as these together.", 10.0
                ),
                "start": _part(
                    0.0, "Begin at this fraction of the run, counted as in the host's ControlNet nodes (0 = noise)."
                ),
                "end": _part(
                    0.8, "Stop at this fraction of the run; afterwards every view sees only itself, at no cost."
                ),
                "reference_end": _part(0.2, "Stop looking at the reference at this fraction of the run."),
                "max_tokens": (
                    "INT",
                    {
                        "default": 4096,
                        "min": 0,
                        "max": 2**20,
                        "tooltip": "Layers with more tokens per view than this are left alone, which bounds the cost. "
                        "4096 is every layer of 512-pixel views in SD1 and of 1024-pixel views in SDXL. 0 = no limit.",
                        "advanced": True,
                    },
                ),
                "group": (
                    "INT",
                    {
                        "default": 0,
                        "min": 0,
                        "max": 4096,
                        "tooltip": "Views see only others of their group of so many consecutive views, and a group "
                        "always goes through the model together: views_per_batch must be at least this. "
                        "0 = all views of a picture.",
                    },
                ),
            }
        }

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
    ) -> tuple[Any]:
        with named("CrossViewAttention"):
            wanted = CrossView(
                weight, neighbours, reference, reference_weight, start, end, reference_end, max_tokens, group
            )
            return (with_cross_view_attention(model, Scene(space, rig), wanted),)


NODES = {"CrossViewAttention": CrossViewAttention}
NAMES = {"CrossViewAttention": "Cross-view Attention"}
