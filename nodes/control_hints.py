"""Are there as many ControlNet hints as views? The host would repeat or drop hints without a word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from .tagged_conds import Conds


def chain(control: Any) -> Iterator[Any]:
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
