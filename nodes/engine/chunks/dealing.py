"""Chunks of views on several devices at once: each begins with its share, by how fast it has been in this run, and
takes over from others what they have not begun.

Which rows make a chunk is settled before the first one runs, so devices of one kind, on which every chunk comes out the
same, make the same picture whoever was faster this time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from torch import Tensor

from ... import host
from .fitting import too_much

# What evaluates rows of a batch, on one of several devices.
Call = Callable[[list[int], int | None], list[Tensor]]

ALIKE = 1.2  # devices whose speeds differ by less count as equally fast
FORGIVEN = 1.25  # a device that got nothing is thought faster by this each time: one slow moment is no verdict


@dataclass
class Pace:
    """What is known of each device in a run, by its number. ``rates``: rows a second; ``limits``: the most rows of a
    call that its memory holds, where one was too large."""

    rates: dict[int, float] = field(default_factory=dict[int, float])
    limits: dict[int, int] = field(default_factory=dict[int, int])
    warm: bool = False

    def rate(self, lane: int) -> float:
        """Relative speed; 1 for all as long as nothing is known, or where they are alike."""
        known = self.rates.values()
        return 1.0 if not known or max(known) < ALIKE * min(known) else self.rates.get(lane, max(known))

    def shares(self, pieces: int, lanes: int) -> list[int]:
        """How many of so many equal pieces each device gets, so that the last one ends soonest."""
        got = [0] * lanes
        for _ in range(pieces):
            lane = min(range(lanes), key=lambda n: (got[n] + 1) / self.rate(n))
            got[lane] += 1
        return got

    def learn(self, rows: Sequence[int], seconds: Sequence[float]) -> None:
        """From one evaluation of the model, the first one apart: devices warm up in it."""
        if self.warm:
            for lane, (count, took) in enumerate(zip(rows, seconds, strict=True)):
                if count and took > 0:
                    new = count / took
                    self.rates[lane] = (self.rates.get(lane, new) + new) / 2
                elif lane in self.rates:
                    self.rates[lane] *= FORGIVEN
        self.warm = True


class Dealing:
    """One evaluation of the model on ``lanes`` devices, in calls of at most ``size`` rows."""

    def __init__(self, pace: Pace, lanes: int, size: int, progress: Callable[[int, int], None] | None) -> None:
        self.pace, self._size, self._progress = pace, size, progress
        self._waiting = [deque[list[int]]() for _ in range(lanes)]
        self._parts: list[tuple[list[int], list[Tensor]]] = []
        self._alone: list[list[int]] = []
        self._under_way: dict[int, list[int]] = {}
        self._rows, self._seconds = [0] * lanes, [0.0] * lanes
        self._unit = 1

    def deal(self, pieces: Sequence[tuple[object, list[int]]], unit: int) -> None:
        """Give each device its share of ``pieces``: (what chunks may not mix, rows that stay together)."""
        self._unit = unit
        left = iter(pieces)
        for lane, share in enumerate(self.pace.shares(len(pieces), len(self._waiting))):
            kind: object = None
            chunk: list[int] = []
            for _ in range(share):
                key, rows = next(left)
                if not chunk or key != kind or len(chunk) + len(rows) > self._most(lane):
                    kind, chunk = key, []
                    self._waiting[lane].append(chunk)
                chunk += rows

    def run(self, devices: host.Devices, call: Call) -> list[tuple[list[int], list[Tensor]]]:
        """(Rows, results) of all chunks, in no particular order. Raises MemoryError for what fits nowhere."""

        def take(lane: int) -> Callable[[], list[Tensor] | BaseException] | None:
            host.check_interrupt()
            chunk = self._next(lane)
            if chunk is None:
                return None
            self._under_way[lane] = chunk
            return partial(host.within_memory, partial(call, chunk, lane))

        devices.deal(take, self._took)
        self.pace.learn(self._rows, self._seconds)
        for chunk in self._alone:
            self._parts.append((chunk, host.once_more(partial(call, chunk, None), too_much(len(chunk)))))
            self._told()
        return self._parts

    def _most(self, lane: int) -> int:
        return min(self._size, self.pace.limits.get(lane, self._size))

    def _next(self, lane: int) -> list[int] | None:
        """The device's own next chunk, else the last one of another's that it would end sooner than that one."""
        own = self._waiting[lane]
        if not own:
            times = [sum(map(len, chunks)) / self.pace.rate(n) for n, chunks in enumerate(self._waiting)]
            other = max(range(len(times)), key=times.__getitem__)
            if not times[other] or len(self._waiting[other][-1]) / self.pace.rate(lane) > times[other]:
                return None
            own.append(self._waiting[other].pop())
        chunk = own.popleft()
        fits = max(self._unit, self._most(lane) // self._unit * self._unit)
        if len(chunk) > fits:
            own.appendleft(chunk[fits:])
            chunk = chunk[:fits]
        return chunk

    def _took(self, lane: int, result: list[Tensor] | BaseException, seconds: float) -> None:
        chunk = self._under_way.pop(lane)
        if not isinstance(result, BaseException):
            self._parts.append((chunk, result))
            self._rows[lane] += len(chunk)
            self._seconds[lane] += seconds
            self._told()
            return
        host.empty_cache()
        if len(chunk) > self._unit:
            self.pace.limits[lane] = max(self._unit, len(chunk) // 2)
            self._waiting[lane].appendleft(chunk)
        else:
            self._alone.append(chunk)  # gets a second chance when nothing else runs

    def _told(self) -> None:
        if self._progress is not None:
            left = len(self._alone) + len(self._under_way) + sum(map(len, self._waiting))
            self._progress(len(self._parts), len(self._parts) + left)
