"""What the queue knows of a worker, and what a worker says of a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .plan import Job

DONE, FAILED, LOST = "done", "failed", "lost"
Note = Callable[[str], None]


def unheard(words: str) -> None:
    """A Note where nobody listens."""


@dataclass(frozen=True)
class Output:
    """A file that a job made; ``name`` below the job's folder, with slashes."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Report:
    """How one run of a job ended.

    ``state``: DONE; FAILED, an error of the workflow, which would come again; LOST, the worker died or hung, and the
    job may run again elsewhere. ``error`` is one line, ``log`` what stands behind it. ``seconds`` of the run alone.
    ``memory``: MiB at the peak, by kind.
    """

    state: str
    error: str = ""
    log: str = ""
    outputs: tuple[Output, ...] = ()
    texts: tuple[str, ...] = ()
    seconds: float = 0.0
    memory: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    worker: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What an open worker says of itself: /object_info of its host (only when asked for), versions, and what a user
    should know."""

    info: Mapping[str, Any]
    versions: Mapping[str, str]
    warnings: tuple[str, ...] = ()


class Worker(Protocol):
    """Runs one job at a time. All but ``stop`` are called by one thread at a time."""

    def open(self, with_info: bool = False, note: Note = unheard) -> Facts:
        """Make ready; again after a loss. ``note`` hears what it waits for. Raises HostError when that is not
        possible."""
        ...

    def model_hashes(self, name: str) -> Mapping[str, str]:
        """Of the model files that an open worker's host may mean by ``name``: place -> sha256. Raises HostError."""
        ...

    def run(self, job: Job, part: Path, note: Note) -> Report:
        """Run a job and leave its files in the empty folder ``part``; ``note`` hears what is going on."""
        ...

    def stop(self) -> None:
        """End everything at once, from any thread and for good; what runs is reported as lost."""
        ...

    def close(self) -> None:
        """End in order, when nothing runs."""
        ...
