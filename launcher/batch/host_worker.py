"""A worker that owns one host process on a port of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from .. import client, commands, hosts, server, small_models, testing, workspace
from ..errors import HostError, LauncherError, WorkflowError
from ..guard import PID_FILE
from ..progress import Progress
from ..workflow_format import ApiPrompt
from .inputs import InputFile, sha256_of
from .locks import locked, patiently
from .measures import Watch, memory, reset_peak
from .models import Models, folders_of
from .plan import Job
from .worker import DONE, FAILED, LOST, Facts, Note, Output, Report, unheard

_PROGRESS = ("execution_start", "execution_cached", "executing", "progress", "progress_state")
PREFIX, LOCK = "synctweedies-batch-", "worker.lock"  # of temporary folders
YOUNG = 60.0  # seconds in which a folder may not have its lock yet
LOG_AT_MOST = 1 << 20  # bytes of a host's log that are kept of a failed job


@dataclass(frozen=True)
class Spec:
    """How a worker's hosts are started.

    ``root``: the pack; ``kind``: --host; ``cpu``: None asks torch; ``small``: small model files that jobs name;
    ``stall``: seconds without progress after which a host hangs; ``environ``: variables for where the machine has
    none; ``forced``: variables that its hosts get in any case.
    """

    root: str
    kind: str | None = None
    cpu: bool | None = None
    small: tuple[str, ...] = ()
    stall: float = 1800.0
    environ: Mapping[str, str] = field(default_factory=dict)
    forced: Mapping[str, str] = field(default_factory=dict)


def copied(file: InputFile, target: Path) -> None:
    """An input file that this machine has."""
    shutil.copyfile(file.path, target)


class HostWorker:
    """See ``worker.Worker``. ``bring(file, target)`` writes an input file's content to ``target``."""

    def __init__(self, spec: Spec, bring: Callable[[InputFile, Path], None] = copied) -> None:
        self._spec, self._bring = spec, bring
        self._cpu = spec.cpu
        self._stack = contextlib.ExitStack()
        self._server: server.Server | None = None
        self._models: Models | None = None
        self._versions: dict[str, str] = {}
        self._warnings: tuple[str, ...] = ()
        self._lifeline: int | None = None
        self._handling = threading.Lock()  # of the lifeline
        self._stopped = False

    def open(self, with_info: bool = False, note: Note = unheard) -> Facts:
        """Start a host, unless one is running. Raises LauncherError."""
        running = self.running()
        info = client.object_info(running) if with_info else {}
        return Facts(info, self._versions, self._warnings)

    def model_hashes(self, name: str) -> Mapping[str, str]:
        """See ``worker.Worker``."""
        running, own = self.running(), Path(self._spec.root) / ".run"
        if self._models is None:
            folders = folders_of(running, running.base / "models", own / "small-models")
            self._models = Models(folders, own / "model-hashes.json")
        try:
            return self._models.hashes(name)
        except OSError as error:
            raise HostError(f"model file {name} cannot be read: {error.strerror or error}") from error

    def running(self) -> server.Server:
        """The host, started when there is none. Raises LauncherError."""
        if self._server is None or not self._server.alive():
            self.close()
            try:
                self._server = self._start()
            except OSError as error:
                self.close()
                raise HostError(f"cannot start a host: {error}") from error
            except BaseException:
                self.close()
                raise
        return self._server

    def _start(self) -> server.Server:
        spec, root = self._spec, Path(self._spec.root)
        for name, value in spec.environ.items():
            os.environ.setdefault(name, value)
        with locked(root / ".run" / "batch.lock"):  # else workers of one machine would install side by side
            host = hosts.prepare(spec.kind, root, os.environ)
            if self._cpu is None:
                self._cpu = not hosts.has_gpu(host.python)
            small = small_models.provide(host.python, root, spec.small)
        _sweep()
        base = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._stack.callback(workspace.discard, base)
        self._stack.enter_context(locked(base / LOCK))
        with self._handling:
            if self._stopped:
                raise HostError("the worker was stopped")
            reading, self._lifeline = os.pipe()
        try:
            made = base / "made"
            how = server.Start(lifeline=reading, cut=self._cut_lifeline, environ=spec.forced)
            start = server.running(host, root, made, base=base, cpu=self._cpu, more_models=small, how=how)
            running = self._stack.enter_context(start)
        finally:
            os.close(reading)
        self._versions, self._warnings = _versions(host, root, running), tuple(commands.not_loaded(running))
        return running

    def run(self, job: Job, part: Path, note: Note) -> Report:
        """Post the job, wait for its end, and move what it saved into the folder ``part``."""
        began, watch = time.monotonic(), Watch(self._spec.stall, self._cut_lifeline)
        who: dict[str, Any] = {"machine": platform.node(), "process": os.getpid()}

        def ended(state: str, error: object, log: str) -> Report:
            seconds = time.monotonic() - began
            return Report(state, " ".join(str(error).split()), log, (), (), seconds, {}, self._versions, who)

        try:
            running = self.running()
        except LauncherError as error:
            return ended(LOST, error, "")
        who["host_process"] = process = _process(running)
        printed = running.log.stat().st_size
        began = time.monotonic()
        try:
            self._put_inputs(job, running.base / "input")
            _empty(running.output)
            reset_peak(process)
            with watch:
                result = _post(running, job, note, watch)
            seconds, peak = time.monotonic() - began, memory(running, process)
            outputs = _moved(running.output, part)
        except HostError as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.process.wait(2.0)  # a closed connection is the first that is seen of a death
            said = error if running.alive() else running.died()
            log = _printed(running, printed)
            self.close()
            return ended(LOST, f"no progress for {self._spec.stall:.0f} s" if watch.hung else said, log)
        except WorkflowError as error:
            return ended(FAILED, error, error.log or _printed(running, printed))
        except OSError as error:
            return ended(FAILED if running.alive() else LOST, error, _printed(running, printed))
        return Report(DONE, "", "", outputs, result.texts, seconds, peak, self._versions, who)

    def _put_inputs(self, job: Job, folder: Path) -> None:
        for file in job.files:
            target = folder / file.name
            if target.is_file():  # its name holds the hash
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(target.name + ".part")
            try:
                self._bring(file, part)
                if sha256_of(part) != file.sha256:
                    raise WorkflowError(f"input file {file.path} has changed since the jobs were read")
                os.replace(part, target)
            except OSError as error:
                raise WorkflowError(f"input file {file.path} cannot be read: {error.strerror or error}") from error
            finally:
                part.unlink(missing_ok=True)

    def stop(self) -> None:
        """Cut the host's lifeline; it ends within seconds."""
        self._stopped = True
        self._cut_lifeline()

    def _cut_lifeline(self) -> None:
        with self._handling:
            if self._lifeline is not None:
                os.close(self._lifeline)
                self._lifeline = None

    def close(self) -> None:
        """Stop the host in order and remove its folder."""
        self._server = self._models = None
        try:
            self._stack.close()
        finally:
            self._cut_lifeline()


def _sweep() -> None:
    """Remove the folders of workers that were killed: those whose lock nobody holds."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > YOUNG:
                with locked(left / LOCK, wait=False):
                    pass
                workspace.discard(left)


def _post(running: server.Server, job: Job, note: Note, watch: Watch) -> client.Result:
    prompt = ApiPrompt({key: dict(node) for key, node in job.nodes.items()}, dict(job.titles), {})
    bar = Progress(job.id, prompt, io.StringIO())

    def event(kind: str, data: Mapping[str, Any]) -> None:
        if kind in _PROGRESS:
            watch.alive()
        bar.event(kind, data)
        note(bar.line().partition("] ")[2].partition(" ")[2])

    return client.run_prompt(running, prompt, job.drawing, event)


def _process(running: server.Server) -> int | None:
    try:
        return int((running.base / PID_FILE).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _printed(running: server.Server, since: int) -> str:
    """What the host printed after its log had ``since`` bytes."""
    try:
        with running.log.open("rb") as file:
            file.seek(max(since, running.log.stat().st_size - LOG_AT_MOST))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _moved(folder: Path, part: Path) -> tuple[Output, ...]:
    """Every file below ``folder``, now below ``part``."""
    outputs: list[Output] = []
    for path in sorted(file for file in folder.rglob("*") if file.is_file()):
        name = path.relative_to(folder).as_posix()
        target = part / name
        target.parent.mkdir(parents=True, exist_ok=True)
        patiently(partial(shutil.move, str(path), str(target)))
        outputs.append(Output(name, target.stat().st_size, sha256_of(target)))
    return tuple(outputs)


def _versions(host: hosts.Host, root: Path, running: server.Server) -> dict[str, str]:
    """Of the pack, the host, torch and Python, as far as they say."""
    found = {"pack": _pack_version(root), "host": f"{host.kind} "}
    found["host"] += "0.0.1" if host.directory is None else testing.version(host.directory)
    system: Mapping[str, Any] = {}
    with contextlib.suppress(*client.BROKEN, ValueError, KeyError):
        system = json.loads(running.get("/system_stats"))["system"]
    torch = system.get("pytorch_version")
    if torch is None:  # a host of 2024
        code = "import importlib.metadata as m; print(m.version('torch'))"
        asked = subprocess.run([host.python, "-c", code], capture_output=True, text=True, errors="replace")
        torch = asked.stdout.strip() or "unknown"
    return {**found, "torch": str(torch), "python": str(system.get("python_version", "unknown")).split()[0]}


def _pack_version(root: Path) -> str:
    """Of pyproject.toml; with the commit where the pack is a checkout of git."""
    version = "unknown"
    with contextlib.suppress(OSError):
        found = re.search(r'^version = "([^"]+)"', (root / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
        version = found.group(1) if found else version
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        if (root / ".git").exists():
            command = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
            asked = subprocess.run(command, capture_output=True, text=True, timeout=10)
            version += f" ({asked.stdout.strip()})" if asked.returncode == 0 else ""
    return version
