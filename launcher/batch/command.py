"""`run.py batch`: read the table, check all of it, run what is not done, say what came of it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .. import hosts, small_models
from ..errors import LauncherError, UsageError
from ..venv import say
from . import on_ray
from .host_worker import HostWorker, Spec
from .jobs import Problems, Row, read
from .journal import Journal
from .plan import Job, Planner, Workflows
from .runner import Runner
from .show import Show
from .summary import INDEX, Summary
from .worker import Worker

CARRIED = ("COMFYUI_DIR", "COMFYUI_MODELS", "SYNCTWEEDIES_PYTHON")
LATE = 3.0  # seconds after which the reading of a model file is said


@dataclass(frozen=True)
class Options:
    """The command line. ``ray``: None for this process alone, '' to start Ray here, else an address; ``gpus``: for
    each worker, None for what is usual; ``arguments``: all of it as typed, to start again elsewhere."""

    table: Path
    output: Path | None = None
    kind: str | None = None
    ray: str | None = None
    workers: int | None = None
    gpus: float | None = None
    retries: int = 2
    stall: float = 1800.0
    only_list: bool = False
    again: bool = False
    arguments: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises UsageError."""
        for name, value, least in (
            ("--workers", self.workers, 1),
            ("--gpus-per-worker", self.gpus, 0),
            ("--retries", self.retries, 0),
            ("--stall", self.stall, 1),
        ):
            if value is not None and not value >= least:
                raise UsageError(f"{name} {value}: {least} or more was expected")


def run(root: Path, options: Options) -> int:
    """The whole command; returns the exit code. Raises LauncherError for what stops it before the first job."""
    options.check()
    problems = Problems(options.table.name)
    rows = read(options.table, problems)
    workflows = Workflows(root, options.table.absolute().parent)
    workflows.load(rows, problems)
    problems.check()
    directory = hosts.choose(options.kind, root, os.environ)[1]
    journal = Journal(options.output or Path("output") / options.table.stem)
    if options.only_list:
        options = replace(options, ray=None)  # one host of this machine is enough
    if options.ray is not None:
        on_ray.move_to_ray(root, options.kind, options.ray, options.arguments)
    result: list[str] = []  # printed when the workers have ended: Ray prints, too
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: print("\n".join(result), flush=True) if result else None)
        if not options.only_list:
            stack.enter_context(journal)
        workers = stack.enter_context(_crew(root, options, workflows, rows, journal))
        began = time.monotonic()
        facts = workers[0].open(with_info=True, note=say)
        say(f"{facts.versions['host']} host up in {time.monotonic() - began:.0f} s")
        for line in facts.warnings:
            say(f"warning: {line}")
        inputs = (directory / "input",) if directory else ()
        jobs = Planner(facts.info, workflows, inputs, root / "assets", _hashes(workers[0])).jobs(rows, problems)
        problems.check()
        if options.only_list:
            result += _listed(jobs, journal, options.again)
            return 0
        summary = _work(options, jobs, workers, journal, result)
        return LauncherError.code if summary.count("failed") else 0


def _hashes(worker: Worker) -> Callable[[str], Mapping[str, str]]:
    """The worker's ``model_hashes``, which says so when a large file takes its time."""

    def hashes(name: str) -> Mapping[str, str]:
        late = threading.Timer(LATE, say, [f"reading {name} for its hash, which is then remembered ..."])
        late.daemon = True
        late.start()
        try:
            return worker.model_hashes(name)
        finally:
            late.cancel()

    return hashes


def _work(
    options: Options, jobs: Sequence[Job], workers: Sequence[Worker], journal: Journal, result: list[str]
) -> Summary:
    """Run what is not done; ``result`` gets the table, after an interrupt too."""
    todo = [job for job in jobs if options.again or not journal.is_done(job)]
    chosen = workers[: len(todo)]
    show = Show(len(todo), len(chosen))
    runner = Runner(todo, chosen, journal, show, options.retries)
    began = time.monotonic()
    try:
        if todo:
            runner.run()
    finally:
        show.close()
        again = {job.id for job in todo}
        before = {job.id: record for job in jobs if job.id not in again and (record := journal.record(job.id))}
        seconds = time.monotonic() - began
        summary = Summary(jobs, again, before | runner.records, seconds, len(chosen))
        with contextlib.suppress(OSError):
            summary.write(journal.folder)
        result += [*summary.table(), str(journal.folder / INDEX)]
    return summary


def _listed(jobs: Sequence[Job], journal: Journal, again: bool) -> list[str]:
    """A line for each job: what would become of it, its id, workflow and settings."""
    lines: list[str] = []
    for job in jobs:
        record = journal.record(job.id)
        state = "done" if journal.is_done(job) and not again else "to run" if record is None else "to run again"
        settings = " ".join(f"{name}={value}" for name, value in job.settings.items())
        lines.append(f"{state:12}  {job.id}  {job.workflow}  {settings}".rstrip())
    counted = sum(line.startswith("done") for line in lines)
    return [*lines, f"{len(lines) - counted} to run, {counted} done"]


@contextlib.contextmanager
def _crew(
    root: Path, options: Options, workflows: Workflows, rows: Sequence[Row], journal: Journal
) -> Iterator[Sequence[Worker]]:
    """The workers, none of them open, for a ``with`` block that ends all of them."""
    spec = Spec(
        root=str(root),
        kind=options.kind,
        small=tuple(small_models.named_in(workflows.drawings.values(), _values(rows))),
        stall=options.stall,
        environ={name: os.environ[name] for name in CARRIED if name in os.environ},
    )
    if options.ray is not None:
        wishes = on_ray.Wishes(options.workers, options.gpus, options.retries)
        with on_ray.crew(spec, journal, options.ray, wishes) as workers:
            yield workers
        return
    workers = [HostWorker(one) for one in _local(spec, options)]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.close()


def _values(rows: Sequence[Row]) -> list[str]:
    return [str(setting.value) for row in rows for setting in row.settings]


def _local(spec: Spec, options: Options) -> list[Spec]:
    """Workers in this process: one, with all GPUs; several have some each. Raises UsageError for too few GPUs."""
    count = 1 if options.only_list else options.workers or 1
    specs = [spec] * count
    if options.gpus == 0:
        return [replace(one, cpu=True) for one in specs]
    there = _gpus() if count > 1 or options.gpus else []
    if not there and not options.gpus:
        return specs
    each = options.gpus or 1.0
    if count * each > len(there):
        raise UsageError(f"{count} workers of {each:g} GPUs each need {count * each:g}; there are {len(there)}")
    shares = [there[int(n * each) : max(int((n + 1) * each), int(n * each) + 1)] for n in range(count)]
    return [
        replace(one, cpu=False, forced={"CUDA_VISIBLE_DEVICES": ",".join(share)})
        for one, share in zip(specs, shares, strict=True)
    ]


def _gpus() -> list[str]:
    """Names of the NVIDIA GPUs that a process started here would see."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip()]
    try:
        asked = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, errors="replace", timeout=30)
    except (OSError, subprocess.SubprocessError):
        return []
    lines = [line for line in asked.stdout.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(lines))]
