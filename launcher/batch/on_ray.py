"""Workers as actors of Ray, here or on a cluster. The only file that imports Ray, and only when it is asked for.

An actor owns one host on its machine. Ray starts a killed actor anew, wherever there is room, and runs its job again.
Input files travel with the job. Outputs are written straight to the output folder where the actor's machine has it
(it finds a token there under the same path), else they travel back through Ray's object store.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import hosts
from ..errors import HostError, LauncherError, UsageError, WorkflowError
from ..venv import say
from .host_worker import HostWorker, Spec
from .inputs import InputFile, sha256_of
from .plan import Job
from .worker import DONE, FAILED, LOST, Facts, Note, Report

if TYPE_CHECKING:
    from .journal import Journal

REQUIREMENT = "ray>=2.10"
ANSWER = 5.0  # seconds in which an address must answer


def has_ray(python: str) -> bool:
    """Whether an interpreter can import Ray."""
    return subprocess.run([python, "-c", "import ray"], capture_output=True).returncode == 0


def move_to_ray(root: Path, kind: str | None, arguments: Sequence[str]) -> None:
    """Go on in an interpreter that has Ray: this one, or the hosts' (then run.py starts again there and this call does
    not return). Raises UsageError with what to install."""
    _set_variables(os.environ)
    with contextlib.suppress(ImportError):
        import ray  # noqa: F401

        return
    python = hosts.prepare(kind, root, os.environ).python
    if not has_ray(python):
        raise UsageError(f'--ray needs Ray, which is not installed: {python} -m pip install "{REQUIREMENT}"')
    command = [python, str(root / "run.py"), *arguments]
    if os.name == "nt":
        sys.exit(subprocess.run(command).returncode)
    os.execv(python, command)


def _set_variables(environ: MutableMapping[str, str]) -> None:
    """What Ray reads when it is imported, unless the user has set it."""
    environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    token = Path(environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    if environ.get("RAY_AUTH_TOKEN") or token.is_file():
        environ.setdefault("RAY_AUTH_MODE", "token")  # what `ray start` asks for since 2026


@dataclass(frozen=True)
class Shared:
    """A file of the output folder, by which an actor sees whether it has that folder under the same path."""

    path: str
    content: str

    def is_here(self) -> bool:
        try:
            return Path(self.path).read_text(encoding="ascii") == self.content
        except (OSError, UnicodeDecodeError):
            return False


class Actor:
    """What runs in a process of Ray: a HostWorker, opened when it is needed, also after the process was killed."""

    def __init__(self, spec: Spec, shared: Shared) -> None:
        self._contents: Mapping[str, Any] = {}
        self._first = True  # run in this life of the process
        self._shared, self._worker = shared, HostWorker(spec, self._bring)

    def open(self, with_info: bool) -> Facts | str:
        """The facts, or why there are none (errors of other classes than Ray's own do not cross machines well)."""
        try:
            return self._worker.open(with_info)
        except LauncherError as error:
            return str(error)

    def run(self, job: Job, part: str, contents: Mapping[str, Any]) -> tuple[Report, dict[str, bytes]]:
        """``contents``: sha256 -> reference of an input file's bytes. Outputs by name where ``part`` is not here."""
        self._contents = contents
        here = self._shared.is_here()
        folder = Path(part) if here else Path(tempfile.mkdtemp(prefix="synctweedies-made-"))
        try:
            for left in folder.iterdir():  # of a run of this job whose process was killed
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            report = self._worker.run(job, folder, lambda words: None)
            again = self._first and _ray().get_runtime_context().was_current_actor_reconstructed
            self._first = False
            made = {} if here else {output.name: (folder / output.name).read_bytes() for output in report.outputs}
            return replace(report, runs=report.runs + again), made
        finally:
            self._contents = {}
            if not here:
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        self._worker.close()

    def _bring(self, file: InputFile, target: Path) -> None:
        target.write_bytes(_ray().get(self._contents[file.sha256]))


class RayWorker:
    """See ``worker.Worker``: an actor as the queue sees it."""

    def __init__(self, make: Any, spec: Spec, shared: Shared, retries: int) -> None:
        self._make, self._spec, self._shared, self._retries = make, spec, shared, retries
        self._actor: Any = None
        self._stopped = False

    def open(self, with_info: bool = False) -> Facts:
        """Waits for room on the cluster. Raises HostError."""
        ray = _ray()
        try:
            if self._actor is None:
                self._actor = self._make.remote(self._spec, self._shared)
            answer = ray.get(self._actor.open.remote(with_info))
        except ray.exceptions.RayError as error:
            self._kill()
            raise HostError(_line(error)) from error
        if isinstance(answer, str):
            raise HostError(answer)
        return answer

    def run(self, job: Job, part: Path, note: Note) -> Report:
        ray = _ray()
        try:
            contents = {file.sha256: ray.put(_content(file)) for file in job.files}
        except WorkflowError as error:
            return Report(FAILED, str(error))
        try:
            report, made = ray.get(self._actor.run.remote(job, str(part), contents))
        except ray.exceptions.RayTaskError as error:
            return Report(FAILED, _line(error), str(error))
        except ray.exceptions.RayError as error:  # Ray has tried as often as it may
            self._kill()
            return Report(LOST, _line(error), runs=self._retries + 1)
        if report.state == DONE:
            for name, content in made.items():
                target = part / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        return report

    def stop(self) -> None:
        """Kills the actor; its host ends with it."""
        self._stopped = True
        self._kill()

    def close(self) -> None:
        """The host stops in order, if it does within a few seconds."""
        if self._actor is not None:
            with contextlib.suppress(Exception):
                _ray().get(self._actor.close.remote(), timeout=15)
        self._kill()

    def _kill(self) -> None:
        actor, self._actor = self._actor, None
        if actor is not None:
            with contextlib.suppress(Exception):
                _ray().kill(actor, no_restart=True)


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
        share = _shares([node["Resources"] for node in ray.nodes() if node["Alive"]], wishes)
        make = ray.remote(
            num_cpus=share.cores,
            num_gpus=share.gpus,
            max_restarts=-1,
            max_task_retries=wishes.retries,
            scheduling_strategy="SPREAD",
        )(Actor)
        shared = Shared(*journal.token())
        spec = replace(spec, cpu=None if share.gpus else True)
        workers = [RayWorker(make, spec, shared, wishes.retries) for _ in range(share.workers)]
        try:
            yield workers
        finally:
            for worker in workers:
                worker.close()
    finally:
        ray.shutdown()


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


def _shares(machines: Sequence[Mapping[str, float]], wishes: Wishes) -> Shares:
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


def _connect(address: str, wishes: Wishes) -> None:
    ray = _ray()
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if not address:
        say("starting Ray")
        cores = max(os.cpu_count() or 1, wishes.workers or 1)
        ray.init(address="local", num_cpus=cores, include_dashboard=False, **quiet)
        return
    _knock(address)
    try:
        ray.init(address=address, **quiet)
    except Exception as error:  # of many classes, by what is wrong
        hint = "; a cluster that wants a token needs it here, too: RAY_AUTH_TOKEN" if "connect" in str(error) else ""
        raise HostError(f"cannot join the Ray at {address}: {_line(error)}{hint}") from error


def _knock(address: str) -> None:
    """Raises HostError when nobody listens at host:port, where Ray itself would wait for minutes."""
    words = address.removeprefix("ray://")
    name, colon, port = words.rpartition(":")
    if words == "auto":
        return
    if not (colon and name and port.isdigit()):
        raise UsageError(f"--ray {address}: host:port was expected, for example 10.0.0.5:6379")
    try:
        socket.create_connection((name.strip("[]"), int(port)), timeout=ANSWER).close()
    except OSError as error:
        raise HostError(f"nobody answers at {address}: {error}") from error


def _content(file: InputFile) -> bytes:
    try:
        content = Path(file.path).read_bytes()
        if sha256_of(Path(file.path)) != file.sha256:
            raise WorkflowError(f"input file {file.path} has changed since the jobs were read")
    except OSError as error:
        raise WorkflowError(f"input file {file.path} cannot be read: {error.strerror}") from error
    return content


def _line(error: BaseException) -> str:
    """The first line of an error of Ray, which are long, with the last one where that is the cause."""
    text = re.sub(r"\x1b\[[\d;]*m", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    return lines[0] if len(lines) == 1 else f"{lines[0]} ... {lines[-1]}"


def _ray() -> Any:
    import ray

    return ray
