"""Readers tried with changed files, one after another in one process, each under watch."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.mutate import mutated

Files = dict[str, bytes]


@dataclass(frozen=True)
class Reader:
    """A reader under attack. seeds: files that it reads well, the one that is opened first in each dict; all of them
    are changed. read: opens the path. refusals: what it may raise, one line that holds ``name_in_message`` of the file
    (its name, or nothing where a text has none)."""

    seeds: Callable[[], list[Files]]
    read: Callable[[Path], object]
    refusals: tuple[type[BaseException], ...] = (ValueError,)
    names_file: bool = True


@dataclass
class Outcome:
    """What happened: how many files were accepted and refused, what else was raised (bytes kept with it), how long the
    slowest took, and how much memory above four times its file plus 64 MB the greediest took (None where it cannot be
    told)."""

    accepted: int = 0
    refused: int = 0
    foreign: list[tuple[int, str]] = field(default_factory=list)
    slowest: float = 0.0
    over: int | None = None

    @property
    def runs(self) -> int:
        return self.accepted + self.refused + len(self.foreign)


class Hang(BaseException):
    """A file took longer than the limit."""


def attack(reader: Reader, runs: int, seed: int, folder: Path, limit: int = 20) -> Outcome:
    """Try ``runs`` changed files. Each run depends on ``seed`` and its number alone, so that it can be repeated.

    Every file lies in ``folder`` while it is read. limit: seconds after which a file counts as a hang.
    """
    seeds, outcome = reader.seeds(), Outcome()
    for number in range(runs):
        try_one(reader, seeds, seed, number, folder, limit, outcome)
    return outcome


def changed(seeds: list[Files], seed: int, number: int) -> Files:
    """The files of one run, the one that is opened first."""
    rng = random.Random(f"{seed}/{number}")
    files = dict(rng.choice(seeds))
    target = next(iter(files)) if rng.random() < 0.8 else rng.choice(list(files))
    other = rng.choice(list(rng.choice(seeds).values()))
    files[target] = mutated(files[target], rng, other)
    return files


def try_one(
    reader: Reader, seeds: list[Files], seed: int, number: int, folder: Path, limit: int, outcome: Outcome
) -> None:
    files = changed(seeds, seed, number)
    place = folder / "fuzz"
    shutil.rmtree(place, ignore_errors=True)
    for name, data in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    path = place / next(iter(files))
    before = _reset_peak()
    began = time.perf_counter()
    try:
        with _deadline(limit):
            reader.read(path)
        outcome.accepted += 1
    except reader.refusals as error:
        text = str(error)
        if "\n" in text or (reader.names_file and path.name not in text) or len(text) > 1000:
            outcome.foreign.append((number, f"not one line with the file's name: {type(error).__name__}: {text[:300]}"))
        else:
            outcome.refused += 1
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # that is what is looked for
        outcome.foreign.append((number, f"{type(error).__name__}: {str(error)[:300]}"))
    outcome.slowest = max(outcome.slowest, time.perf_counter() - began)
    peak = _peak()
    if before is not None and peak is not None:
        over = peak - before - 4 * sum(map(len, files.values())) - (64 << 20)
        outcome.over = over if outcome.over is None else max(outcome.over, over)


@contextmanager
def _deadline(seconds: int) -> Iterator[None]:
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def stop(signum: int, frame: object) -> None:
        raise Hang(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _reset_peak() -> int | None:
    """Begin to watch the largest resident size (Linux) -> the size now, in bytes."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _status("VmRSS")


def _peak() -> int | None:
    return _status("VmHWM")


def _status(key: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:")), None)
