"""Fewer model calls: which views the model is asked about at which step."""

from __future__ import annotations

from typing import Any

from ...sync_core.visits.policy import POLICIES, Visits
from ..declare import Choice, Node, Number, Socket, Whole

# What each policy goes by.
_READ = {
    "all": (),
    "turning": ("overlap", "last", "leave"),
    "few then all": ("overlap", "last", "leave"),
    "still changing": ("tolerance", "stale"),
    "auto": ("last", "leave", "budget"),
}


def _those_that_read(name: str) -> tuple[str, ...]:
    return tuple(policy for policy in POLICIES if name in _READ[policy])


@Node(
    "Sync Visits",
    "sampling",
    inputs={
        "policy": Choice(POLICIES, default="turning").says(
            "all: every view at every step. turning: at each step other views, drawn anew, that see the whole picture "
            "about once. few then all: the same until the last part, in which all views are asked. still changing: "
            "views whose part of the picture hardly moves wait for some steps. auto: all views, or turning ones that "
            "share as much as the budget allows."
        ),
        "overlap": Number(0.125, 0.0, 0.5, 0.025)
        .says(
            "How much of a view's side it shares with the next one at least, at a step. 0 = they only touch, which "
            "costs least and leaves seams, above all with samplers that look back (dpmpp_2m)."
        )
        .when(policy=_those_that_read("overlap")),
        "last": Number(0.2, 0.0, 1.0)
        .says(
            "The last part, as a fraction of the steps: turning views share twice as much there, few then all asks all "
            "views."
        )
        .when(policy=_those_that_read("last")),
    },
    optional={
        "tolerance": Number(0.02, 0.0, 1.0, 0.005, advanced=True)
        .says(
            "still changing only: a view waits when its estimate moved by less than this share of the picture's "
            "contrast."
        )
        .when(policy=_those_that_read("tolerance")),
        "stale": Whole(2, 0, 1000, advanced=True)
        .says("still changing only: how many steps a view waits.")
        .when(policy=_those_that_read("stale")),
        "leave": Number(0.2, 0.0, 0.49, advanced=True)
        .says(
            "How much of the picture a step may leave out where that saves a view; it keeps its estimate for a step or "
            "two. For cameras (windows tile without); with euler and ddim, process 2 or 5, others leave nothing out."
        )
        .when(policy=_those_that_read("leave")),
        "budget": Number(1.5, 1.0, 1000.0, 0.1)
        .says(
            "auto only: what a step may cost, in areas of the picture. 1 = as little as possible, about one picture of "
            "this size; 2 = twice that."
        )
        .when(policy=_those_that_read("budget")),
    },
    outputs={"visits": Socket("VISITS").says("Connect to a sampler's visits.")},
    search=["spotdiffusion", "fewer model calls", "faster", "speed", "shifted windows", "skip views"],
)
class SyncVisits:
    """Asks the model about some of the rig's views at each step instead of all: the rig says where views may be, and a
    few of them, drawn anew, make a step. Windows that stand an eighth of their side apart make a picture as good as all
    of them for a fifth of the model calls. Costs nothing."""

    def build(self, policy: Any, overlap: float, last: float, **rare: Any) -> tuple[Visits]:
        given, read = {"overlap": overlap, "last": last, **rare}, _READ.get(policy, ())
        return (Visits(policy, **{name: value for name, value in given.items() if name in read}),)
