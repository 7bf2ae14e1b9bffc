"""Chunks over several devices: who gets what by their speed, who takes over what, and what is settled beforehand.

The host's threads are stood in for by calls in the order in which made-up clocks say that devices are free.
"""

import heapq

import pytest
import torch
from helpers import hosting  # noqa: F401  (the host first)
from syncpack.nodes.engine.chunks.dealing import FORGIVEN, Dealing, Pace

pytestmark = pytest.mark.host


class Clocks:
    """``host.Devices`` with a speed for each, in rows a second, and no threads. ``full``: the most rows of a call."""

    def __init__(self, *speeds, full=None):
        self.speeds, self.full = speeds, full or {}
        self.made, self.ends = [], [0.0] * len(speeds)

    def deal(self, take, took):
        running = []
        now, idle = 0.0, list(range(len(self.speeds)))
        while True:
            for lane in list(idle):
                job = take(lane)
                if job is not None:
                    result = job()
                    idle.remove(lane)
                    took_time = 0.0 if isinstance(result, MemoryError) else len(self.called) / self.speeds[lane]
                    heapq.heappush(running, (now + took_time, lane, now, self.called, result))
            if not running:
                return
            now, lane, began, rows, result = heapq.heappop(running)
            idle = sorted([*idle, lane])
            if not isinstance(result, MemoryError):
                self.made.append((lane, rows))
                self.ends[lane] = now
            took(lane, result, now - began)

    def call(self, rows, lane):
        self.called = rows
        if len(rows) > self.full.get(lane, 99):
            raise MemoryError("full")
        return [torch.tensor(rows)]


def dealt(pace, devices, rows, size=99, unit=1, groups=None):
    """The chunks of one evaluation as (device, rows), in the order in which they ended."""
    devices.made = []
    pieces = [(group, rows[n : n + unit]) for group, rows in (groups or [(0, list(range(rows)))])
              for n in range(0, len(rows), unit)]  # fmt: skip
    work = Dealing(pace, len(devices.speeds), size, None)
    work.deal(pieces, unit)
    parts = work.run(devices, devices.call)
    assert sorted(row for chunk, _ in parts for row in chunk) == sorted(row for _, piece in pieces for row in piece)
    assert all(result[0].tolist() == chunk for chunk, result in parts)
    return devices.made


def test_devices_alike_get_the_same_chunks_whoever_is_faster_today():
    cut = set()
    for speeds in ((1.0, 1.05), (1.05, 1.0), (1.0, 1.0)):
        pace = Pace()
        for _ in range(4):
            made = dealt(pace, Clocks(*speeds), 9, size=2)
            cut.add(tuple(sorted(tuple(rows) for _, rows in made)))
    assert cut == {((0, 1), (2, 3), (4,), (5, 6), (7, 8))}


def test_a_slow_device_gets_less_from_the_third_evaluation_on():
    pace, ends = Pace(), []
    for _ in range(4):
        devices = Clocks(3.0, 1.0)
        made = dealt(pace, devices, 12)
        ends.append(max(devices.ends))
    assert sorted(made) == [(0, list(range(9))), (1, [9, 10, 11])]
    assert ends == [6.0, 6.0, 3.0, 3.0], "the first two are dealt in halves: one to warm up, one to be measured"


def test_who_is_free_takes_what_others_have_not_begun():
    devices = Clocks(4.0, 1.0)
    made = dealt(Pace(), devices, 12, size=1)
    assert [lane for lane, _ in made].count(1) == 3 and max(devices.ends) <= 3.0 and len(made) == 12
    assert made[-1][1] != [11], "what is taken over is the end of the other's share"


def test_a_slow_device_takes_over_only_what_it_ends_sooner():
    pace = Pace(rates={0: 10.0, 1: 1.0}, warm=True)
    assert dealt(pace, Clocks(10.0, 1.0), 8, size=4) == [(0, [0, 1, 2, 3]), (0, [4, 5, 6, 7])]
    assert pace.rates[1] == FORGIVEN, "and is thought of better next time"
    assert Pace(rates={0: 10.0, 1: 1.0}).shares(23, 2) == [21, 2]
    assert Pace().shares(5, 3) == [2, 2, 1] and Pace(rates={0: 1.1, 1: 1.0}).shares(5, 2) == [3, 2]


def test_a_device_with_less_memory_gets_smaller_chunks_alone():
    pace = Pace()
    made = dealt(pace, Clocks(1.0, 1.0, full={1: 2}), 16, size=8)
    assert pace.limits == {1: 2} and max(len(rows) for lane, rows in made if lane == 0) == 8
    assert max(len(rows) for lane, rows in made if lane == 1) <= 2
    assert all(len(rows) <= 2 for lane, rows in dealt(pace, Clocks(1.0, 1.0), 16, size=8) if lane == 1)


def test_groups_stay_whole_and_apart():
    groups = [("a", [0, 1, 2, 3, 4]), ("b", [5, 6])]
    for full in ({}, {0: 2}):
        for _, rows in dealt(Pace(), Clocks(1.0, 1.0, full=full), 7, size=4, unit=2, groups=groups):
            assert len({row > 4 for row in rows}) == 1 and rows[0] in (0, 2, 4, 5) and rows[-1] in (1, 3, 4, 6)
