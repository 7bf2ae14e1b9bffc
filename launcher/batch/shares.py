"""How the processors and GPUs of machines are dealt to workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import UsageError


@dataclass(frozen=True)
class Wishes:
    """How many workers, with how many GPUs each (None: what there is), and how often a lost job runs again."""

    workers: int | None
    gpus: float | None
    retries: int


@dataclass(frozen=True)
class Shares:
    """What each of ``workers`` gets. ``cores``: as many threads Ray lets it use."""

    workers: int
    gpus: float
    cores: int

    def words(self) -> str:
        """'4 cores and 1 GPU'."""
        cores = f"{self.cores} core{'s' if self.cores != 1 else ''}"
        return f"{cores} and {self.gpus:g} GPU{'s' if self.gpus > 1 else ''}" if self.gpus else cores


def shares_of(machines: Sequence[Mapping[str, float]], wishes: Wishes) -> Shares:
    """``machines``: 'CPU' and 'GPU' of each that is there. Raises UsageError for more than they have."""
    have = sum(there.get("GPU", 0.0) for there in machines)
    gpus = (1.0 if have else 0.0) if wishes.gpus is None else wishes.gpus
    if gpus:
        places = [int(there.get("GPU", 0.0) // gpus) for there in machines]
        count = wishes.workers or sum(places)
        if not 0 < count <= sum(places):
            raise UsageError(f"{max(count, 1)} workers of {gpus:g} GPUs each need more than the {have:g} that Ray has")
    else:
        cores = sum(int(there.get("CPU", 0.0)) for there in machines)
        count = wishes.workers or len(machines)
        if count > cores:
            raise UsageError(f"{count} workers need a CPU core each; Ray has {cores}")
        places = [-(-count // len(machines))] * len(machines)
    shares = [int(there.get("CPU", 0.0)) // place for there, place in zip(machines, places, strict=True) if place]
    return Shares(count, gpus, max(min(shares), 0 if gpus else 1))
