"""Batches: what `run.py batch` costs over the same prompts posted to a warm host by hand, what a second worker gives,
and how long 10,000 jobs would take on many workers that die now and then.

The first two run on the host at hand: EmptyImage, blurred and saved, with no model. The third is a model of the queue.
"""

from __future__ import annotations

import contextlib
import heapq
import io
import math
import random
import statistics
import sys
import tempfile
import time
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
if "syncpack" not in sys.modules:
    sys.modules["syncpack"] = alias = types.ModuleType("syncpack")
    alias.__path__ = [str(HERE.parent)]

JOBS, SIZE, ROUNDS = 10, 1024, 12
WORKERS = (1, 4, 16, 64, 256)


def prompt(number: int) -> dict[str, dict[str, object]]:
    """A picture of its own, so that no host can answer from its cache."""
    blur = {"image": ["1", 0], "blur_radius": 15, "sigma": 3.0}
    return {
        "1": {"class_type": "EmptyImage", "inputs": {"width": SIZE, "height": SIZE, "batch_size": 1, "color": number}},
        "2": {"class_type": "ImageBlur", "inputs": blur},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "bench"}},
    }


def job(number: int) -> Any:
    from syncpack.launcher.batch.plan import Job

    return Job(f"j{number}", 1, "bench", {}, prompt(number), {}, None, (), {}, str(number), "one")


@contextlib.contextmanager
def warm(specs: Sequence[Any]) -> Iterator[tuple[list[Any], Any]]:
    """(Workers, a journal) for a ``with`` block; every host has run a prompt, since the first is slower."""
    from syncpack.launcher.batch.host_worker import HostWorker
    from syncpack.launcher.batch.journal import Journal

    workers = [HostWorker(spec) for spec in specs]
    try:
        with tempfile.TemporaryDirectory() as folder, Journal(Path(folder)) as journal:
            for number, worker in enumerate(workers):
                worker.open()
                worker.run(job(10**6 + number), journal.part(job(10**6 + number)), lambda words: None)
            yield workers, journal
    finally:
        for worker in workers:
            worker.close()


def queue_seconds(workers: Sequence[Any], journal: Any, first: int, count: int) -> float:
    """Seconds of ``count`` jobs, what is written for each included."""
    from syncpack.launcher.batch.runner import Runner
    from syncpack.launcher.batch.show import Show

    jobs = [job(first + number) for number in range(count)]
    runner = Runner(jobs, workers, journal, Show(count, len(workers), io.StringIO()), 0)
    began = time.perf_counter()
    runner.run()
    took = time.perf_counter() - began
    failed = [record for record in runner.records.values() if record["state"] != "done"]
    if failed:
        raise RuntimeError(str(failed[0].get("error")))
    return took


def overhead(spec: Any) -> tuple[float, float]:
    """(Seconds of a prompt posted by hand, seconds that the queue adds): medians of pairs, one right after the other
    on the same host, so that what else the machine does is the same for both."""
    from syncpack.launcher import client
    from syncpack.launcher.workflow_format import ApiPrompt

    hand: list[float] = []
    added: list[float] = []
    with warm([spec]) as (workers, journal):
        for turn in range(ROUNDS):
            began = time.perf_counter()
            client.run_prompt(workers[0].running(), ApiPrompt(prompt(2 * turn), {}, {}), None, lambda *_: None)
            hand.append(time.perf_counter() - began)
            added.append(queue_seconds(workers, journal, 2 * turn + 1, 1) - hand[-1])
    return statistics.median(hand), statistics.median(added)


def simulated_hours(
    jobs: int, workers: int, seconds: list[float], deaths_per_hour: float, restart: float, seed: int = 0
) -> float:
    """Hours until all jobs are done, by a model of the queue.

    Each job takes one of ``seconds`` at random. A worker dies after an exponential time of mean 1 / ``deaths_per_hour``
    (hours), busy or not; its job waits again and it is away for ``restart`` seconds. What deals the jobs costs nothing.
    """
    chance = random.Random(seed)
    rate = deaths_per_hour / 3600
    waiting = [chance.choice(seconds) for _ in range(jobs)]
    free = [(0.0, number) for number in range(workers)]
    heapq.heapify(free)
    end = 0.0
    # Which job a worker lost matters to nobody: it goes back, and some worker takes it later.
    while waiting:
        now, number = heapq.heappop(free)
        job = waiting.pop()
        death = chance.expovariate(rate) if rate > 0 else float("inf")
        if death < job:
            waiting.append(job)
            heapq.heappush(free, (now + death + restart, number))
        else:
            end = max(end, now + job)
            heapq.heappush(free, (now + job, number))
    return end / 3600


def expected_hours(jobs: int, workers: int, seconds: float, deaths_per_hour: float, restart: float) -> float:
    """The same in closed form, for many jobs of one length: a job that needs t seconds without a death costs
    (exp(r t) - 1) (1 / r + restart) on the average, r deaths a second."""
    rate = deaths_per_hour / 3600
    each = math.expm1(rate * seconds) * (1 / rate + restart) if rate > 0 else seconds
    return jobs * each / workers / 3600


def run() -> dict[str, object]:
    """Overhead, the gain of a second worker, and hours of 10,000 jobs of a minute with a death an hour and worker."""
    from syncpack.launcher.batch.host_worker import Spec

    root = str(HERE.parent)
    hand, added = overhead(Spec(root, cpu=True))
    specs = [Spec(root, cpu=True, forced={"OMP_NUM_THREADS": "1"}) for n in range(2)]
    with warm(specs) as (workers, journal):
        one = queue_seconds(workers[:1], journal, 5000, JOBS)
        two = queue_seconds(workers, journal, 6000, 2 * JOBS) / 2
    hours = [round(simulated_hours(10_000, workers, [60.0], 1.0, 60.0), 2) for workers in WORKERS]
    return {
        "seconds of a job by hand": hand,
        "milliseconds that the queue adds": 1000 * added,
        "overhead": added / hand,
        "jobs per hour, two workers / one, a thread each": one / two,
        "workers": list(WORKERS),
        "hours for 10,000 jobs of a minute": hours,
    }
