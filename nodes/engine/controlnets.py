"""The strength of ControlNets as a function of the run's progress, in effect at every model call.

A scheduled ControlNet is a copy whose class is the original's with two more duties: it learns the model's noise levels
when the host prepares the run, and sets its strength from the level of each call. So it works with whatever evaluates
it (ControlNet, ControlLora, T2I-Adapter, chains; a plain KSampler too), and its copies are scheduled as well.

Hints are attached as the host does. Are there as many of them as views? The host would repeat or drop hints without
a word.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

from torch import Tensor

from ..host.objects import Control, Network
from .tagged_conds import Conds


def chain(control: Control) -> Iterator[Control]:
    """A ControlNet and those it is chained to, the last applied first."""
    while control is not None:
        yield control
        control = getattr(control, "previous_controlnet", None)


def check_hints(conds: Conds, views: int, rows: int) -> None:
    """Raise ValueError when a ControlNet has hints for other than one, all ``views``, or all ``rows`` of the batch.

    rows: views times canonical pictures. ControlNets that choose hints by themselves (``sub_idxs``) are left alone.
    """
    for entries in conds:
        for entry in entries or ():
            for control in chain(entry.get("control")):
                hint = getattr(control, "cond_hint_original", None)
                if isinstance(hint, Tensor) and not hasattr(control, "sub_idxs"):
                    _check(hint.shape[0], views, rows)


def _check(hints: int, views: int, rows: int) -> None:
    if hints not in (1, views, rows):
        raise ValueError(
            f"a ControlNet has {hints} hint images for {views} views; connect an IMAGE batch of {views} "
            "(SyncTweediesViewImages cuts one), or one image for all"
        )


def with_hint(
    prompts: tuple[list[Any], list[Any]],
    control_net: Any,
    images: Tensor,
    strength: float,
    span: tuple[float, float],
    vae: Any = None,
) -> tuple[list[Any], list[Any]]:
    """The prompts, (positive, negative), with a ControlNet that looks at images [N, h, w, 3] in the part ``span`` of
    the run (fractions of it); ControlNets that are attached already stay. vae: for those that look at latents."""
    hint = images.movedim(-1, 1)
    # Releases of 2024 know no ControlNets that look at latents.
    more = {"vae": vae} if "vae" in inspect.signature(control_net.set_cond_hint).parameters else {}
    made: dict[int, Any] = {}

    def hinted(before: Any) -> Any:
        if id(before) not in made:
            made[id(before)] = control_net.copy().set_cond_hint(hint, strength, span, **more)
            made[id(before)].set_previous_controlnet(before)
        return made[id(before)]

    def attached(prompt: list[Any]) -> list[Any]:
        return [
            [text, {**values, "control": hinted(values.get("control")), "control_apply_to_uncond": False}]
            for text, values in prompt
        ]

    return attached(prompts[0]), attached(prompts[1])


Curve = Literal["linear", "cosine", "constant"]
CURVES: tuple[Curve, ...] = ("linear", "cosine", "constant")
_HALVINGS = 40


@dataclass(frozen=True)
class StrengthCurve:
    """A factor on a ControlNet's strength: ``start`` until ``start_percent`` of the run, ``end`` from ``end_percent``
    on, and between them a straight line (linear), half a wave (cosine), or still ``start`` (constant).

    Percents are fractions of the model's timesteps, as in the host's ControlNetApplyAdvanced. Raises ValueError when
    they do not lie in order within 0..1.
    """

    start: float
    end: float
    curve: Curve = "linear"
    start_percent: float = 0.0
    end_percent: float = 1.0

    def __post_init__(self) -> None:
        if self.curve not in CURVES:
            raise ValueError(f"curve '{self.curve}' is unknown; use one of {', '.join(CURVES)}")
        if not 0 <= self.start_percent <= self.end_percent <= 1:
            raise ValueError(
                f"the strength cannot change from {self.start_percent:g} to {self.end_percent:g} of the run; "
                "use 0 <= start_percent <= end_percent <= 1"
            )

    def at(self, progress: float) -> float:
        """The factor at ``progress``, 0 (noise) to 1 (clean)."""
        if progress >= self.end_percent:
            return self.end
        if progress <= self.start_percent or self.curve == "constant":
            return self.start
        share = (progress - self.start_percent) / (self.end_percent - self.start_percent)
        if self.curve == "cosine":
            share = (1 - math.cos(math.pi * share)) / 2
        return self.start + (self.end - self.start) * share


def progress_of(sigma: float, percent_to_sigma: Callable[[float], float]) -> float:
    """The fraction of the model's timesteps at which its noise level has fallen to ``sigma``, by bisection.

    percent_to_sigma: the host's own falling function, so that this holds for every kind of model.
    """
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if percent_to_sigma(middle) > sigma:
            low = middle
        else:
            high = middle
    return (low + high) / 2


class ScheduledControl:
    """Mixed into the class of a ControlNet by `scheduled`; never made by itself. What ``super()`` is, is the host's."""

    strength_curves: tuple[StrengthCurve, ...]
    percent_to_sigma: Callable[[float], float] | None
    progress: dict[float, float]
    """Of the noise levels met so far; shared by all copies in a run."""
    strength: float
    previous_controlnet: Control

    def pre_run(self, model: Network, percent_to_timestep_function: Callable[[float], float]) -> None:
        self.percent_to_sigma, self.progress = percent_to_timestep_function, {}
        cast(Any, super()).pre_run(model, percent_to_timestep_function)

    def cleanup(self) -> None:
        self.percent_to_sigma, self.progress = None, {}
        cast(Any, super()).cleanup()

    def copy(self) -> Control:
        made = cast(Any, super()).copy()
        made.__class__ = type(self)  # the host's copies are of the class it knows
        made.strength_curves = self.strength_curves
        made.percent_to_sigma, made.progress = self.percent_to_sigma, self.progress
        return made

    def factor(self, sigma: float) -> float:
        """What the strength is multiplied with at a noise level."""
        if self.percent_to_sigma is None:
            raise ValueError("the scheduled ControlNet was not prepared for this run; update ComfyUI")
        if sigma not in self.progress:
            self.progress[sigma] = progress_of(sigma, self.percent_to_sigma)
        return math.prod(curve.at(self.progress[sigma]) for curve in self.strength_curves)

    def get_control(self, x_noisy: Any, t: Any, *args: Any, **kwargs: Any) -> Any:
        factor, strength = self.factor(float(t.reshape(-1)[0])), self.strength
        if factor == 0:  # no need to run the network
            previous = self.previous_controlnet
            return None if previous is None else previous.get_control(x_noisy, t, *args, **kwargs)
        self.strength = strength * factor
        try:
            return cast(Any, super()).get_control(x_noisy, t, *args, **kwargs)
        finally:
            self.strength = strength


def scheduled(control: Control, curve: StrengthCurve, made: dict[int, Control]) -> Control:
    """A scheduled copy of a ControlNet and of all it is chained to; weights and hints are shared.

    made: copies by the id of their original, so that conditionings which share a ControlNet still share it (else the
    host evaluates them one by one). A ControlNet that is scheduled already follows both curves.
    """
    if control is None:
        return None
    if id(control) not in made:
        part = control.copy()
        if isinstance(part, ScheduledControl):
            part.strength_curves = (*part.strength_curves, curve)
        else:
            kind = cast("type[Any]", type(part))
            part.__class__ = type(f"Scheduled{kind.__name__}", (ScheduledControl, kind), {})
            part.strength_curves, part.percent_to_sigma, part.progress = (curve,), None, {}
        part.previous_controlnet = scheduled(control.previous_controlnet, curve, made)
        made[id(control)] = part
    return made[id(control)]


def schedule_strength(positive: Any, negative: Any, curve: StrengthCurve) -> tuple[Any, Any, int]:
    """(positive, negative, number of ControlNets) with every attached ControlNet scheduled; the inputs are untouched.

    Raises ValueError when neither CONDITIONING has a ControlNet.
    """
    made: dict[int, Control] = {}
    sides: list[Any] = []
    for side in (positive, negative):
        sides.append([[tokens, _scheduled_options(options, curve, made)] for tokens, options in side])
    if not made:
        raise ValueError("no ControlNet is attached to positive or negative; put this node after ControlNetApply")
    return sides[0], sides[1], len(made)


def _scheduled_options(options: dict[str, Any], curve: StrengthCurve, made: dict[int, Control]) -> dict[str, Any]:
    if not any(True for _ in chain(options.get("control"))):
        return options
    return {**options, "control": scheduled(options["control"], curve, made)}
