"""What fewer model calls will cost, said once a run's first step has shown what a view costs (a run that goes on: its
first one now)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from ...sync_core.time_travel import TimeTravel
from ...sync_core.visits.policy import Visiting

Callback = Callable[[dict[str, Any]], None]


def forecast(visiting: Visiting | None, views: int, travel: TimeTravel, callback: Callback | None) -> Callback | None:
    """The host's callback, which logs after a step how many of ``views`` views the run asks, and for how long. None
    (nothing is left out): the callback as it is."""
    if visiting is None:
        return callback
    heard = list[tuple[int, float]]()

    def told(info: dict[str, Any]) -> None:
        # (from one answer of the model to that of the next step: whatever else a sampler asks for in between is in it)
        if len(heard) < 2:
            heard.append((int(info["i"]), time.monotonic()))
            if len(heard) == 2:
                logging.info("SyncTweedies %s", words(visiting, views, travel, heard[1][0], heard[1][1] - heard[0][1]))
        if callback is not None:
            callback(info)

    return told


def words(visiting: Visiting, views: int, travel: TimeTravel, step: int, seconds: float) -> str:
    """seconds: that a step took, up to ``step``."""
    visits, asked = visiting.visits, visiting.asked(views)
    times = [travel.at(number, len(asked)) for number in range(len(asked))]
    spent = [rows * often for rows, often in zip(asked, times, strict=True)]
    total, whole = sum(spent), views * sum(times)
    share = f", overlap {visits.overlap:g}" if visits.policy in ("turning", "few then all") else ""
    each = seconds / max(asked[step], 1)
    return (
        f"visits {visits.policy}{share}: {'at most ' if visiting.waits else ''}{total} views instead of {whole} "
        f"({100 * total / whole:.0f} %) in {len(asked)} steps; about {_lasting(each * sum(spent[step + 1 :]))} more, "
        f"{_lasting(each * (whole - total))} saved"
    )


def _lasting(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
