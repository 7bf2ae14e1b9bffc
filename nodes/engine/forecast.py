"""What fewer model calls will cost, said once a run's first step has shown what a view costs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from ...sync_core.visits.policy import Visiting

Callback = Callable[[dict[str, Any]], None]


def forecast(visiting: Visiting | None, views: int, callback: Callback | None) -> Callback | None:
    """The host's callback, which logs at the first step how many of ``views`` views the run will ask, and for how long.
    None (nothing is left out): the callback as it is."""
    if visiting is None:
        return callback
    began, asked = time.monotonic(), visiting.asked(views)
    heard = False

    def told(info: dict[str, Any]) -> None:
        nonlocal heard
        if not heard:
            heard = True
            logging.info("SyncTweedies %s", words(visiting, views, time.monotonic() - began, asked))
        if callback is not None:
            callback(info)

    return told


def words(visiting: Visiting, views: int, seconds: float, asked: list[int]) -> str:
    """seconds: that the first step took. asked: by each step."""
    visits, total, whole = visiting.visits, sum(asked), views * len(asked)
    share = f", overlap {visits.overlap:g}" if visits.policy in ("turning", "few then all") else ""
    each = seconds / max(asked[0], 1)
    return (
        f"visits {visits.policy}{share}: {'at most ' if visiting.waits else ''}{total} views instead of {whole} "
        f"({100 * total / whole:.0f} %) in {len(asked)} steps; about {_lasting(each * (total - asked[0]))} more, "
        f"{_lasting(each * (whole - total))} saved"
    )


def _lasting(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
