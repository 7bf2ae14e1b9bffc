"""The ways through a run, of one signature: walk(run, call, x) -> the last state of the sampler.

``call``: the host's call of a sampler function, prepared for chunks of views. x: the view batch in the host's shape,
noised. Which way is the plan's (`walk_of`).
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from ..run import Run, SyncSettings
from ..sampler_call import SamplerCall
from .descent import walk_random
from .falling import walk_falling
from .stepwise import walk_stepwise
from .stochastic import walk_stochastic

Walk = Callable[[Run, SamplerCall, Tensor], Tensor]


def walk_of(settings: SyncSettings) -> Walk:
    """The way that a run takes."""
    if settings.edit is not None:
        return walk_falling if settings.edit.edit.walk == "falling" else walk_random
    return walk_stepwise if settings.plan.stochastic is None else walk_stochastic
