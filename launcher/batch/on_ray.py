"""Workers as actors of Ray, here or on a cluster. The only file that imports Ray, and only when it is asked for.

An actor owns one host on its machine. Ray starts a killed actor anew, wherever there is room; its job is dealt again by
the queue: Ray would try it as often as it may within seconds, while a machine that has left is not missed yet, and does
not tell how often it ran.
Input files travel with the job. Outputs are written straight to the output folder where the actor's machine has it
(it finds a token there under the same path), else they travel back through Ray's object store.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import hosts
from ..errors import HostError, LauncherError, UsageError, WorkflowError
from ..venv import say
from .addresses import first_line, hushed, knock, why
from .host_worker import HostWorker, Spec
from .inputs import InputFile, sha256_of
from .journal import Journal, Shared
from .plan import Job
from .shares import Wishes, shares_of
from .worker import DONE, FAILED, LOST, Facts, Note, Report, unheard

REQUIREMENT = "ray>=2.10"
ASK = 1.0  # seconds between two questions to an actor how far it is
ROOM, ROOM_AGAIN = 5.0, 60.0  # seconds without room after which that is said, and said again
ENDING = 15.0  # seconds in which hosts must have stopped in order
WORDS = {"words": 1}  # an actor's second thread, which answers while the first one runs a job


def has_ray(python: str) -> bool:
    """Whether an interpreter can import Ray."""
    return subprocess.run([python, "-c", "import ray"], capture_output=True).returncode == 0


def move_to_ray(root: Path, kind: str | None, address: str, arguments: Sequence[str]) -> None:
    """Go on in an interpreter that has Ray: this one, or the hosts' (then run.py starts again there and this call does
    not return). Raises UsageError with what to install."""
    _set_variables(os.environ, bool(address))
    with contextlib.suppress(ImportError):
        import ray  # noqa: F401

        return
    python = hosts.prepare(kind, root, os.environ).python
    if not has_ray(python):
        raise UsageError(f'--ray needs Ray, which is not installed: {python} -m pip install "{REQUIREMENT}"')
    command = [python, str(root / "run.py"), *arguments]
    if os.name != "nt":
        os.execv(python, command)
    sys.exit(_waited_for(subprocess.Popen(command)))


def _waited_for(started: subprocess.Popen[bytes]) -> int:
    """Its exit code. Ctrl-C reaches both, and the other one needs its time to end in order."""
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            return started.wait()


def _set_variables(environ: MutableMapping[str, str], joins: bool) -> None:
    """What Ray reads when it is imported, unless the user has set it."""
    environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if joins:  # it would knock twenty times, for 40 seconds each
        environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "2")
    token = Path(environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    if environ.get("RAY_AUTH_TOKEN") or token.is_file():
        environ.setdefault("RAY_AUTH_MODE", "token")  # what `ray start` asks for since 2026


class Actor:
    """What runs in a process of Ray: a HostWorker, opened when it is needed, also after the process was killed."""

    def __init__(self, spec: Spec, shared: Shared) -> None:
        self._contents: Mapping[str, Any] = {}
        self._words = ""
        self._shared, self._worker = shared, HostWorker(spec, self._bring)

    def words(self) -> str:
        """How far the job is. An answer at all says that the actor has found room."""
        return self._words

    def open(self, with_info: bool) -> Facts | str:
        """The facts, or why there are none (errors of other classes than Ray's own do not cross machines well)."""
        try:
            return self._worker.open(with_info)
        except LauncherError as error:
            return str(error)

    def model_hashes(self, name: str) -> Mapping[str, str] | str:
        """The same."""
        try:
            return self._worker.model_hashes(name)
        except LauncherError as error:
            return str(error)

    def run(self, job: Job, part: str, contents: Mapping[str, Any]) -> tuple[Report, dict[str, bytes]]:
        """``contents``: sha256 -> reference of an input file's bytes. Outputs by name where ``part`` is not here."""
        self._contents = contents
        here = self._shared.is_here()
        folder = Path(part) if here else Path(tempfile.mkdtemp(prefix="synctweedies-made-"))
        try:
            report = self._worker.run(job, folder, self._note)
            made = {} if here else {output.name: (folder / output.name).read_bytes() for output in report.outputs}
            return report, made
        finally:
            self._contents, self._words = {}, ""
            if not here:
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        self._worker.close()

    def _note(self, words: str) -> None:
        self._words = words

    def _bring(self, file: InputFile, target: Path) -> None:
        target.write_bytes(_ray().get(self._contents[file.sha256]))


class RayWorker:
    """See ``worker.Worker``: an actor as the queue sees it. ``share``: what it asks the cluster for."""

    def __init__(self, make: Any, spec: Spec, shared: Shared, share: str) -> None:
        self._make, self._spec, self._shared, self._share = make, spec, shared, share
        self._actor: Any = None
        self._lives = False  # has found room, and was not lost since

    def open(self, with_info: bool = False, note: Note = unheard) -> Facts:
        """Waits for room on the cluster. Raises HostError."""
        ray = _ray()
        try:
            actor = self._actor
            if actor is None:
                actor = self._actor = self._make.remote(self._spec, self._shared)
                asked, waited = _asked(actor), ROOM
                while not ray.wait([asked], timeout=waited)[0]:
                    note(self._room())
                    waited = ROOM_AGAIN
                self._lives = True
            answer = ray.get(actor.open.remote(with_info))
        except ray.exceptions.RayError as error:
            self._kill()
            raise HostError(first_line(error)) from error
        if isinstance(answer, str):
            raise HostError(answer)
        return answer

    def model_hashes(self, name: str) -> Mapping[str, str]:
        """Of the machine that the actor is on."""
        ray = _ray()
        try:
            answer = ray.get(self._actor.model_hashes.remote(name))
        except ray.exceptions.RayError as error:
            raise HostError(first_line(error)) from error
        if isinstance(answer, str):
            raise HostError(answer)
        return answer

    def _room(self) -> str:
        """Why an actor does not answer. It is said again and again: others may use a cluster for hours."""
        free, there = _ray().available_resources(), _ray().cluster_resources()
        told = (f"{free.get(kind, 0.0):g} of {there[kind]:g} {kind}s" for kind in ("CPU", "GPU") if there.get(kind))
        return f"waiting for room on the cluster: it takes {self._share}; free are {' and '.join(told) or 'none'}"

    def run(self, job: Job, part: Path, note: Note) -> Report:
        ray = _ray()
        try:
            contents = {file.sha256: ray.put(_content(file)) for file in job.files}
        except WorkflowError as error:
            return Report(FAILED, str(error))
        actor = self._actor
        if actor is None:
            return Report(LOST, "the worker was stopped")
        try:
            running = actor.run.options(max_task_retries=0).remote(job, str(part), contents)
            self._follow(actor, running, note)
            report, made = ray.get(running)
        except ray.exceptions.RayTaskError as error:
            return Report(FAILED, first_line(error), str(error))
        except ray.exceptions.RayError as error:
            self._kill()
            return Report(LOST, first_line(error))
        if report.state == DONE:
            for name, content in made.items():
                target = part / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        return report

    def _follow(self, actor: Any, running: Any, note: Note) -> None:
        """Until a job ends ``note`` hears how far it is."""
        ray = _ray()
        asked, since = None, 0.0
        while not ray.wait([running], timeout=ASK)[0]:
            if asked is None:
                asked, since = _asked(actor), time.monotonic()
            elif ray.wait([asked], timeout=0)[0]:
                with contextlib.suppress(ray.exceptions.RayError):  # what became of the actor is seen by the job
                    note(ray.get(asked))
                asked = None
            elif time.monotonic() - since > ROOM:  # Ray starts it anew, where there is room
                note(self._room())

    def stop(self) -> None:
        """Kills the actor; its host ends with it."""
        self._kill()

    def ending(self) -> Any:
        """What is ready when the host has stopped in order; None where there is no host."""
        actor = self._actor
        return actor.close.remote() if actor is not None and self._lives else None

    def close(self) -> None:
        """The host stops in order, if it does within a few seconds."""
        _end([self])

    def _kill(self) -> None:
        actor, self._actor, self._lives = self._actor, None, False
        if actor is not None:
            with contextlib.suppress(Exception):
                _ray().kill(actor, no_restart=True)


def _asked(actor: Any) -> Any:
    return actor.words.options(concurrency_group=next(iter(WORDS))).remote()


def _end(workers: Sequence[RayWorker]) -> None:
    """All of them at once."""
    with contextlib.suppress(Exception):
        endings = [ending for worker in workers if (ending := worker.ending()) is not None]
        if endings:
            _ray().wait(endings, num_returns=len(endings), timeout=ENDING)
    for worker in workers:
        worker.stop()


@contextlib.contextmanager
def crew(spec: Spec, journal: Journal, address: str, wishes: Wishes) -> Iterator[list[RayWorker]]:
    """Workers on the cluster at ``address``, or on a Ray of our own for '', for a ``with`` block. Raises UsageError and
    HostError, each with one line."""
    # Ray prints what became of its tasks, and has no switch for that.
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        yield from _crew(spec, journal, address, wishes)


def _crew(spec: Spec, journal: Journal, address: str, wishes: Wishes) -> Iterator[list[RayWorker]]:
    handler = signal.getsignal(signal.SIGTERM)
    _connect(address, wishes)
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, handler)  # Ray has put its own there
    ray = _ray()
    try:
        share = shares_of([node["Resources"] for node in ray.nodes() if node["Alive"]], wishes)
        make = ray.remote(
            num_cpus=share.cores,
            num_gpus=share.gpus,
            max_restarts=-1,
            max_task_retries=wishes.retries,
            scheduling_strategy="SPREAD",
            concurrency_groups=WORDS,
        )(Actor)
        shared = journal.token()
        spec = replace(spec, cpu=None if share.gpus else True)
        workers = [RayWorker(make, spec, shared, share.words()) for _ in range(share.workers)]
        try:
            yield workers
        finally:
            _end(workers)
    finally:
        ray.shutdown()


def _connect(address: str, wishes: Wishes) -> None:
    ray = _ray()
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if not address:
        say("starting Ray")
        cores = max(os.cpu_count() or 1, wishes.workers or 1)
        ray.init(address="local", num_cpus=cores, include_dashboard=False, **quiet)
        return
    knock(address)
    try:
        with hushed():
            ray.init(address=address, **quiet)
    except Exception as error:  # of many classes, by what is wrong
        raise HostError(f"cannot join the Ray at {address}: {why(str(error))}") from error


def _content(file: InputFile) -> bytes:
    try:
        content = Path(file.path).read_bytes()
        if sha256_of(Path(file.path)) != file.sha256:
            raise WorkflowError(f"input file {file.path} has changed since the jobs were read")
    except OSError as error:
        raise WorkflowError(f"input file {file.path} cannot be read: {error.strerror}") from error
    return content


def _ray() -> Any:
    import ray

    return ray
