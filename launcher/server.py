"""Start a host on a free port over its own base folder, wait until it answers, and stop it whatever happens."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from . import hosts, small_models, workspace
from .errors import HostError

ADDRESS = "127.0.0.1"
GUARD = Path(__file__).resolve().parent / "guard.py"
START_TIMEOUT = 600.0  # seconds: the first start on a slow disk compiles and reads all of torch
# A proxy in the environment must not see requests to our own machine.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    """A TCP port nobody listens on at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port``."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError:
            return False
    return True


@dataclass
class Server:
    """A running host. ``output`` is the folder its files appear in; ``log`` everything it printed; ``cut`` ends its
    lifeline."""

    process: subprocess.Popen[bytes]
    port: int
    base: Path
    output: Path
    log: Path
    cut: Callable[[], None] | None = None

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.port}"

    def get(self, path: str, timeout: float = 60.0) -> bytes:
        """Body of a GET request. Raises urllib.error.URLError or OSError."""
        with _direct.open(self.url + path, timeout=timeout) as answer:
            return bytes(answer.read())

    def post(self, path: str, body: object, timeout: float = 60.0) -> tuple[int, bytes]:
        """(status, body) of a POST of JSON; HTTP errors are returned, not raised."""
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        try:
            with _direct.open(request, timeout=timeout) as answer:
                return int(answer.status), bytes(answer.read())
        except urllib.error.HTTPError as error:
            return int(error.code), error.read()

    def alive(self) -> bool:
        return self.process.poll() is None

    def log_text(self) -> str:
        """What the host printed so far."""
        try:
            return self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def died(self) -> HostError:
        """The error to raise when the host stopped on its own: its last words and exit code."""
        return HostError(f"the host stopped with exit code {self.process.poll()}: {self.last_line()}")

    def last_line(self) -> str:
        lines = [line for line in self.log_text().splitlines() if line.strip()]
        return lines[-1].strip() if lines else "it printed nothing"

    def stop(self, patience: float = 10.0) -> None:
        """Ask the host to stop, then insist. Returns when its process is gone."""
        # A guard is not ended itself where that can be helped: not every system ends its host along with it.
        actions = (self._interrupt, self.cut or self.process.terminate, self.process.kill)
        # What the background of a shell starts ignores Ctrl-C, and so do its hosts.
        for action in actions[signal.getsignal(signal.SIGINT) == signal.SIG_IGN :]:
            if self.process.poll() is not None:
                return
            with contextlib.suppress(OSError):
                action()
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        self.process.wait()

    def _interrupt(self) -> None:
        if os.name == "nt":
            self.process.send_signal(getattr(signal, "CTRL_BREAK_EVENT"))  # noqa: B009  (exists on Windows only)
        else:
            self.process.send_signal(signal.SIGINT)


@dataclass(frozen=True)
class Start:
    """How the process is started. ``lifeline``: the reading end of a pipe; the host ends when the last writing end is
    closed, so also when whoever holds it is killed; ``cut`` closes that. ``environ``: more variables."""

    lifeline: int | None = None
    cut: Callable[[], None] | None = None
    environ: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def running(
    host: hosts.Host,
    root: Path,
    output: Path,
    *,
    base: Path | None = None,
    port: int | None = None,
    cpu: bool = True,
    more_models: Path | None = None,
    how: Start | None = None,
) -> Iterator[Server]:
    """A host serving this pack, for the length of a ``with`` block.

    ``base`` None: a fresh folder in the system's temporary directory, deleted at the end. ``more_models``: a folder of
    models beside the user's own. Raises HostError with the host's last line when it does not come up.
    """
    temporary = base is None
    base = Path(tempfile.mkdtemp(prefix="synctweedies-")) if base is None else base
    output.mkdir(parents=True, exist_ok=True)
    process = None
    try:
        workspace.build(base, root, host.models(root))
        port = port or free_port()
        log = base / "host.log"
        command = [*host.command(base, port, cpu), "--output-directory", str(output.absolute())]
        if more_models is not None:
            command += ["--extra-model-paths-config", str(small_models.paths_config(more_models, base))]
        with log.open("wb") as sink:
            process = _start(command, base, sink, how or Start())
        server = Server(process, port, base, output.absolute(), log, how.cut if how else None)
        try:
            _wait_until_ready(server)
            yield server
        finally:
            server.stop()
    finally:
        (workspace.discard if temporary else workspace.unlink)(base)


def _start(command: list[str], base: Path, sink: BinaryIO, how: Start) -> subprocess.Popen[bytes]:
    if how.lifeline is not None:
        command = [sys.executable, str(GUARD), *command]
    # Threads that spin for long while they wait for each other burn four times the time where others want the cores,
    # too; those that do not spin at all take half as long again where nobody does.
    environ = {"GOMP_SPINCOUNT": "1000", **os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    environ |= how.environ
    try:
        # Its own process group: Ctrl-C in the terminal reaches only run.py, which then stops the host in order.
        return subprocess.Popen(
            command,
            cwd=base,
            stdin=subprocess.DEVNULL if how.lifeline is None else how.lifeline,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=os.name != "nt",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    except OSError as error:
        raise HostError(f"cannot start the host with {command[0]}: {error}") from error


def _wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if not server.alive():
            raise server.died()
        try:
            server.get("/system_stats", timeout=5.0)
            return
        except (OSError, urllib.error.URLError):
            time.sleep(0.2)
    raise HostError(f"the host did not answer within {START_TIMEOUT:.0f} s; its last line: {server.last_line()}")
