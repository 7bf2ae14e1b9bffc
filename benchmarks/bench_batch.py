"""Batches: what `run.py batch` costs over the same prompts posted to a warm host by hand, what a second worker gives,
and how long 10,000 jobs would take on many workers that die now and then.

The first two run on the host at hand: EmptyImage, blurred and saved, with no model; they need two idle cores and take
two minutes. The third is a model of the queue. With the output folder of a batch as its argument the script tells how
long 10,000 jobs that take as long as those in it would need.
"""

from __future__ import annotations

import contextlib
import heapq
import io
import json
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

JOBS, SIZE, ROUNDS, PAIRS = 8, 1024, 15, 6
LIMIT = 150.0  # seconds after which three pairs are enough
WORKERS = (1, 4, 16, 64, 256)
DEATHS, RESTART = 1.0, 60.0  # of a worker an hour, and seconds that it is away for


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
    on the same host, in turns, so that what else the machine does is the same for both."""
    from syncpack.launcher import client
    from syncpack.launcher.workflow_format import ApiPrompt

    def by_hand(worker: Any, number: int) -> float:
        began = time.perf_counter()
        client.run_prompt(worker.running(), ApiPrompt(prompt(number), {}, {}), None, lambda *_: None)
        return time.perf_counter() - began

    hand: list[float] = []
    added: list[float] = []
    with warm([spec]) as (workers, journal):
        for turn in range(ROUNDS):
            if turn % 2:
                queue = queue_seconds(workers, journal, 2 * turn, 1)
                hand.append(by_hand(workers[0], 2 * turn + 1))
            else:
                hand.append(by_hand(workers[0], 2 * turn))
                queue = queue_seconds(workers, journal, 2 * turn + 1, 1)
            added.append(queue - hand[-1])
    return statistics.median(hand), statistics.median(added)


def second_worker(root: str) -> list[float]:
    """Jobs an hour of two workers over those of one, each host with one thread: pairs, in turns, each pair with the
    same number of jobs for each worker. The one is each of the two in turn."""
    from syncpack.launcher.batch.host_worker import Spec

    spec = Spec(root, cpu=True, forced={"OMP_NUM_THREADS": "1"})  # the hosts' alone
    gains: list[float] = []
    with warm([spec, spec]) as (workers, journal):
        began = time.perf_counter()
        for turn in range(PAIRS):
            if turn >= 3 and time.perf_counter() - began > LIMIT:
                break
            alone = workers[turn % 2 : turn % 2 + 1]
            first = 10_000 * (turn + 1)
            counts = ((alone, JOBS), (workers, 2 * JOBS))
            took: dict[int, float] = {}
            for crew, count in counts if turn % 4 < 2 else reversed(counts):
                took[count] = queue_seconds(crew, journal, first + count, count)
            gains.append(2 * took[JOBS] / took[2 * JOBS])
    return gains


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


def seconds_of(folder: Path) -> list[float]:
    """How long the jobs took that are done in the output folder of a batch. Raises ValueError when there are none."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*/job.json")]
    found = [float(record["seconds"]) for record in records if record["state"] == "done"]
    if not found:
        raise ValueError(f"{folder} holds no job that is done: the output folder of a batch was expected")
    return found


def forecast(seconds: list[float], deaths: float = DEATHS) -> list[float]:
    """Hours for 10,000 jobs that take as long as these, by the number of workers."""
    return [round(simulated_hours(10_000, workers, seconds, deaths, RESTART), 2) for workers in WORKERS]


def run() -> dict[str, object]:
    """Overhead, the gain of a second worker, and hours of 10,000 jobs of a minute with a death an hour and worker."""
    from syncpack.launcher.batch.host_worker import Spec

    root = str(HERE.parent)
    hand, added = overhead(Spec(root, cpu=True))
    gains = second_worker(root)
    return {
        "seconds of a job by hand": hand,
        "milliseconds that the queue adds": 1000 * added,
        "overhead": added / hand,
        "jobs per hour, two workers / one, a thread each": statistics.median(gains),
        "the same, pair by pair": gains,
        "workers": list(WORKERS),
        "hours for 10,000 jobs of a minute": forecast([60.0]),
    }


def main(words: list[str]) -> None:
    from run_all import table

    if words:
        seconds = seconds_of(Path(words[0]))
        figures: dict[str, object] = {"jobs": len(seconds), "seconds, on average": statistics.mean(seconds)}
        figures |= {"workers": list(WORKERS), "hours for 10,000 such jobs": forecast(seconds)}
        figures["without deaths"] = forecast(seconds, 0.0)
    else:
        figures = run()
    print(table({"batch": {"seconds": 0.0, "figures": figures}}))


if __name__ == "__main__":
    main(sys.argv[1:])
