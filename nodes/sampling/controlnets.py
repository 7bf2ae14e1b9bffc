"""ControlNets over the run, as nodes."""

from __future__ import annotations

from typing import Any

from ..engine.controlnets import CURVES, StrengthCurve, schedule_strength
from ..host.errors import named


def _factor(default: float, tooltip: str) -> tuple[str, dict[str, Any]]:
    return ("FLOAT", {"default": default, "min": 0.0, "max": 10.0, "step": 0.01, "tooltip": tooltip})


def _percent(default: float, tooltip: str) -> tuple[str, dict[str, Any]]:
    return ("FLOAT", {"default": default, "min": 0.0, "max": 1.0, "step": 0.001, "tooltip": tooltip})


class ControlStrengthSchedule:
    CATEGORY = "SyncTweedies/conditioning"
    DESCRIPTION = (
        "Changes the strength of the attached ControlNets step by step, say from 0.7 to 0.9 of what they were applied "
        "with. Works with any sampler node; costs nothing, and saves the ControlNet's time where the factor is 0."
    )
    RETURN_TYPES = ("CONDITIONING", "CONDITIONING")
    RETURN_NAMES = ("positive", "negative")
    OUTPUT_TOOLTIPS = (
        "The same prompts; all ControlNets attached so far follow the schedule.",
        "The same for the negative prompts.",
    )
    FUNCTION = "schedule"
    SEARCH_ALIASES = ["controlnet strength over time", "conditioning scale", "synctweedies"]

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "positive": ("CONDITIONING", {"tooltip": "From ControlNetApplyAdvanced; chains too."}),
                "negative": ("CONDITIONING", {"tooltip": "From ControlNetApplyAdvanced; chains too."}),
                "start": _factor(0.7, "Factor on the ControlNets' strength at start_percent and before."),
                "end": _factor(0.9, "Factor on the ControlNets' strength at end_percent and after."),
                "curve": (
                    list(CURVES),
                    {
                        "tooltip": "How the factor goes from start to end: in a straight line, in half a wave (slow at "
                        "both ends), or constant = it stays at start and switches at end_percent."
                    },
                ),
                "start_percent": _percent(
                    0.0, "Where the change begins, as a fraction of the run like in ControlNetApplyAdvanced."
                ),
                "end_percent": _percent(1.0, "Where the change ends, as a fraction of the run."),
            }
        }

    def schedule(
        self,
        positive: Any,
        negative: Any,
        start: float,
        end: float,
        curve: str,
        start_percent: float,
        end_percent: float,
    ) -> tuple[Any, Any]:
        with named("ControlStrengthSchedule"):
            shape = StrengthCurve(start, end, curve, start_percent, end_percent)  # pyright: ignore[reportArgumentType]
            return schedule_strength(positive, negative, shape)[:2]


NODES = {"ControlStrengthSchedule": ControlStrengthSchedule}
NAMES = {"ControlStrengthSchedule": "Control Strength Schedule"}
