"""The queue: deals jobs to workers, runs again what a dying worker lost, and stops without losing what is done."""

from __future__ import annotations

import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ..errors import HostError, LauncherError
from .journal import Journal
from .plan import Job
from .worker import DONE, FAILED, LOST, Report, Worker

PAUSE = 1.0  # seconds before a worker that did not start is tried again, more each time
GRACE = 20.0  # seconds that workers have to end after an interrupt


class Watcher(Protocol):
    """Hears what happens; called from several threads, one at a time."""

    def working(self, seat: int, words: str) -> None:
        """What a worker is doing, '' for nothing."""
        ...

    def ended(self, job: Job, record: Mapping[str, Any]) -> None:
        """A job is done or failed for good; ``record`` as in job.json."""
        ...

    def told(self, words: str) -> None:
        """Something that a user should know."""
        ...

    def tick(self) -> None:
        """Some time has passed."""
        ...


class Deal:
    """Which job goes to whom. A worker gets jobs like its last one as long as there are some, then those that most
    are left of and that no other worker is at; a job that it lost last of all."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._waiting: dict[str, list[Job]] = {}
        self._last: dict[int, str] = {}
        self._lost_by: dict[str, set[int]] = {}
        for job in jobs:
            self._waiting.setdefault(job.group, []).append(job)

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def take(self, seat: int) -> Job | None:
        """The next job for a worker, None when none waits."""
        others = Counter(group for other, group in self._last.items() if other != seat)

        def order(group: str) -> tuple[bool, bool, float]:
            mine = self._last.get(seat) == group
            fresh = any(seat not in self._lost_by.get(job.id, ()) for job in self._waiting[group])
            return not fresh, not mine, -len(self._waiting[group]) / (1 + others[group])

        if not self._waiting:
            return None
        group = min(self._waiting, key=order)
        jobs = self._waiting[group]
        number = next((n for n, job in enumerate(jobs) if seat not in self._lost_by.get(job.id, ())), 0)
        job = jobs.pop(number)
        if not jobs:
            del self._waiting[group]
        self._last[seat] = group
        return job

    def give_back(self, job: Job, seat: int) -> None:
        """A job that ``seat`` lost waits again, before others of its kind."""
        self._lost_by.setdefault(job.id, set()).add(seat)
        self._waiting.setdefault(job.group, []).insert(0, job)


@dataclass
class Seat:
    """A worker and its thread. ``ready``: it was opened, and has lost nothing since."""

    number: int
    worker: Worker
    ready: bool = False
    thread: threading.Thread | None = None


class Runner:
    """Runs jobs on workers until all are done or failed. ``records`` afterwards: id -> what job.json says."""

    def __init__(
        self, jobs: Sequence[Job], workers: Sequence[Worker], journal: Journal, watcher: Watcher, retries: int
    ) -> None:
        self.records: dict[str, Mapping[str, Any]] = {}
        self._seats = [Seat(number, worker) for number, worker in enumerate(workers)]
        self._journal, self._watcher, self._retries = journal, watcher, retries
        self._deal = Deal(jobs)
        self._left = len(jobs)
        self._attempts: Counter[str] = Counter()
        self._changed = threading.Condition()  # guards all of the above
        self._stopping = False
        self._told_of_waiting = False
        self._why: list[str] = []  # workers that gave up

    def run(self) -> None:
        """Returns when nothing is left to do. Raises HostError when no worker is left, and KeyboardInterrupt after all
        workers have ended."""
        for seat in self._seats:
            seat.thread = threading.Thread(target=self._work, args=(seat,), daemon=True)
            seat.thread.start()
        try:
            while self._left and any(seat.thread.is_alive() for seat in self._seats if seat.thread):
                with self._changed:
                    self._changed.wait(0.2)
                    self._watcher.tick()
            if self._left:
                raise HostError(f"no worker is left: {'; '.join(dict.fromkeys(self._why))}")
        finally:
            self._stop()

    def _stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if not self._left:  # they end by themselves, but for one that is still starting
            for seat in self._seats:
                self._join(seat, 0.5)
        for seat in self._seats:
            if seat.thread is not None and seat.thread.is_alive():
                seat.worker.stop()
        deadline = time.monotonic() + GRACE
        for seat in self._seats:
            self._join(seat, max(deadline - time.monotonic(), 0.0))

    def _join(self, seat: Seat, seconds: float) -> None:
        if seat.thread is not None:
            seat.thread.join(seconds)

    def _work(self, seat: Seat) -> None:
        """A worker's thread."""
        while self._ready(seat):
            job = self._next(seat)
            if job is None:
                return
            try:
                self._run(seat, job)
            except Exception as error:  # one job must not take the others along
                self._finish(seat, job, Report(FAILED, f"{type(error).__name__}: {error}", traceback.format_exc()))

    def _ready(self, seat: Seat) -> bool:
        """Open the worker, several times if need be; False when it gives up or nothing is left to do."""
        if seat.ready:
            return not self._stopping
        for attempt in range(self._retries + 1):
            if self._stopping or not self._left:
                return False
            try:
                with self._changed:
                    self._watcher.working(seat.number, "starting")
                seat.worker.open(note=self._waits(seat))
                seat.ready = True
                return True
            except Exception as error:  # a thread that ends without a word would leave the others waiting
                said = str(error) if isinstance(error, LauncherError) else f"{type(error).__name__}: {error}"
                with self._changed:
                    if self._stopping:
                        return False
                    self._watcher.told(f"worker {seat.number}: {said}")
                    if attempt == self._retries:
                        self._why.append(said)
                        return False
                    self._changed.wait(PAUSE * (attempt + 1))
        return False

    def _next(self, seat: Seat) -> Job | None:
        with self._changed:
            self._watcher.working(seat.number, "")
            while not self._stopping and self._left:
                job = self._deal.take(seat.number)
                if job is not None:
                    self._watcher.working(seat.number, job.id)
                    return job
                self._changed.wait()  # another worker may lose its job
        return None

    def _run(self, seat: Seat, job: Job) -> None:
        part = self._journal.part(job)
        try:
            report = seat.worker.run(job, part, self._note(seat, job))
            seat.ready = report.state != LOST
            with self._changed:
                self._attempts[job.id] += 1
                attempts = self._attempts[job.id]
                if report.state != DONE and self._stopping:
                    return
                if report.state == LOST and attempts <= self._retries:
                    self._watcher.told(f"{job.id}: {report.error}; it is run again ({attempts} of {self._retries})")
                    self._deal.give_back(job, seat.number)
                    self._changed.notify_all()
                    return
            if report.state == LOST:
                runs = "one run" if attempts == 1 else f"{attempts} runs"
                report = replace(report, error=f"given up after {runs}: {report.error}")
            self._finish(seat, job, report, part)
        finally:
            self._journal.drop(part)

    def _waits(self, seat: Seat) -> Callable[[str], None]:
        def note(words: str) -> None:
            with self._changed:
                self._watcher.working(seat.number, f"starting ({words})")
                if not self._told_of_waiting:  # once for all: many may wait, and each again and again
                    self._watcher.told(f"worker {seat.number}: {words}")
                self._told_of_waiting = True

        return note

    def _note(self, seat: Seat, job: Job) -> Callable[[str], None]:
        def note(words: str) -> None:
            with self._changed:
                self._watcher.working(seat.number, f"{job.id} {words}".rstrip())

        return note

    def _finish(self, seat: Seat, job: Job, report: Report, part: Any = None) -> None:
        attempts = max(self._attempts[job.id], 1)
        try:
            if report.state == DONE:
                record = self._journal.keep(job, report, part, attempts)
            else:
                record = self._journal.fail(job, report, attempts)
        except OSError as error:
            said = f"its files cannot be kept: {error.strerror or error}"
            record = {"id": job.id, "state": "failed", "error": said, "seconds": report.seconds, "outputs": []}
        with self._changed:
            self.records[job.id] = record
            self._left -= 1
            self._watcher.ended(job, record)
            self._changed.notify_all()
