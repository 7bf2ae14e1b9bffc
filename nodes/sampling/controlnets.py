"""ControlNets over the run, as nodes."""

from __future__ import annotations

from typing import Any

from ..declare import Choice, Node, Number, Socket
from ..engine.controlnets import CURVES, StrengthCurve, schedule_strength


@Node(
    "Control Strength Schedule",
    "conditioning",
    inputs={
        "positive": Socket("CONDITIONING").says("From ControlNetApplyAdvanced; chains too."),
        "negative": Socket("CONDITIONING").says("From ControlNetApplyAdvanced; chains too."),
        "start": Number(0.7, 0.0, 10.0).says("Factor on the ControlNets' strength at start_percent and before."),
        "end": Number(0.9, 0.0, 10.0).says("Factor on the ControlNets' strength at end_percent and after."),
        "curve": Choice(CURVES).says(
            "How the factor goes from start to end: in a straight line, in half a wave (slow at both ends), or "
            "constant = it stays at start and switches at end_percent."
        ),
        "start_percent": Number(0.0, 0.0, 1.0, 0.001).says(
            "Where the change begins, as a fraction of the run like in ControlNetApplyAdvanced."
        ),
        "end_percent": Number(1.0, 0.0, 1.0, 0.001).says("Where the change ends, as a fraction of the run."),
    },
    outputs={
        "positive": Socket("CONDITIONING").says(
            "The same prompts; all ControlNets attached so far follow the schedule."
        ),
        "negative": Socket("CONDITIONING").says("The same for the negative prompts."),
    },
    search=["controlnet strength over time", "conditioning scale"],
)
class ControlStrengthSchedule:
    """Changes the strength of the attached ControlNets step by step, say from 0.7 to 0.9 of what they were applied
    with. Works with any sampler node; costs nothing, and saves the ControlNet's time where the factor is 0."""

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
        shape = StrengthCurve(start, end, curve, start_percent, end_percent)  # pyright: ignore[reportArgumentType]
        return schedule_strength(positive, negative, shape)[:2]
