"""What the patches a MODEL carries need of the chunks of views, and which of them cannot work with views.

Views are cut into chunks below guidance where the host allows it: guidance then sees all views at once, and may keep
things from step to step. A patch that hands over what it saw inside the network to a guidance function (Self-Attention
Guidance) needs the opposite: guidance of the very views that went through the network.
"""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor

from ...sync_core.visits.policy import Visits
from .. import host
from ..host.objects import Guider

Function = Callable[..., Any]


def _variables(function: Any) -> dict[str, Any]:
    """Name -> variable (a closure cell) that a function shares with others."""
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    return dict(zip(names, getattr(function, "__closure__", None) or (), strict=False))


def _written(function: Any) -> list[Any]:
    """The shared variables that a function sets."""
    shared = _variables(function)
    if not shared:
        return []
    stored = (i.argval for i in dis.get_instructions(function) if i.opname == "STORE_DEREF")
    return [shared[name] for name in stored if name in shared]


def _guidance(options: dict[str, Any]) -> Iterator[Function]:
    for name in ("sampler_pre_cfg_function", "sampler_post_cfg_function"):
        yield from options.get(name, [])
    for name in ("sampler_cfg_function", "sampler_calc_cond_batch_function"):
        if options.get(name) is not None:
            yield options[name]


def _inside(options: dict[str, Any]) -> Iterator[Function]:
    """Patches that are called within the network."""
    transformer = options.get("transformer_options", {})
    for patches in transformer.get("patches", {}).values():
        yield from patches
    for replaced in transformer.get("patches_replace", {}).values():
        yield from replaced.values()


def guidance_in_chunks(options: dict[str, Any]) -> bool:
    """Whether guidance must be called with the views of one chunk: it reads what a patch wrote inside the network, or
    it evaluates the conditionings itself."""
    read = {id(variable) for function in _guidance(options) for variable in _variables(function).values()}
    written = {id(variable) for function in _inside(options) for variable in _written(function)}
    return bool(read & written) or "sampler_calc_cond_batch_function" in options


def guidance_keeps_state(options: dict[str, Any]) -> bool:
    """Whether guidance remembers something of the views from step to step (momentum, cached steps)."""
    return any(_written(function) for function in _guidance(options)) or host.has_wrapper(options, "PREDICT_NOISE")


def check_visits(options: dict[str, Any], visits: Visits) -> None:
    """Raise ValueError where a patch needs all views of a run in which some are left out."""
    if visits.everywhere:
        return
    if guidance_keeps_state(options):
        raise ValueError(
            f"visits {visits.policy} leave out views that a guidance patch of this model remembers from step to step; "
            "set visits to all, or remove the patch"
        )


def check_patches(options: dict[str, Any], x: Tensor, guider: Guider | None = None) -> None:
    """Raise ValueError when a patch takes the views x [B*N, C, (1,) h, w] for something else.

    guider: whose conditionings are ready for the model (newer hosts look for frames in them).
    """
    handler = options.get("context_handler")
    if handler is None:
        return
    axis = getattr(handler, "dim", 0)
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"context windows along axis {axis} do not fit views of {x.ndim} axes; remove the context windows node "
            "from the model, or set its dim to 0"
        )
    conds = list(getattr(guider, "conds", {}).values())
    if handler.should_use_context(getattr(guider, "inner_model", None), conds, x, x.new_zeros(1), options):
        what = f"the batch of {x.shape[0]} views" if axis in (0, -x.ndim) else f"each of the {x.shape[0]} views"
        raise ValueError(
            f"context windows would cut {what} like the frames of a video; "
            "remove the context windows node from the model, views_per_batch limits the memory instead"
        )
