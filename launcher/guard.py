"""A program that runs another one and ends it when its own standard input ends: ``python guard.py COMMAND...``.

Whoever holds the other end of that pipe may be killed by any signal: no host stays behind. The number of the process
is written to host.pid in the working directory. Standard library only, and nothing of this pack.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType

PID_FILE = "host.pid"
PATIENCE = 3.0  # seconds between asking the program to end and ending it


def main(command: list[str]) -> int:
    """The program's exit code; 128 + n, and a line that says so, when signal n ended it."""
    if hasattr(signal, "pthread_sigmask"):  # Ray blocks SIGINT for what it starts, and children inherit that
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
    asked: list[int] = []
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):  # before the child, which would inherit that one is ignored
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, frame: asked.append(number))
    linux = sys.platform.startswith("linux")
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent if linux else None)

    def hand_on(number: int, frame: FrameType | None) -> None:
        if os.name != "nt":  # there the whole group has got it
            with contextlib.suppress(OSError):
                child.send_signal(number)

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), hand_on)
    for number in asked:
        hand_on(number, None)
    Path(PID_FILE).write_text(str(child.pid), encoding="ascii")
    threading.Thread(target=_watch, args=(child,), daemon=True).start()
    code = child.wait()
    if code < 0:
        print(f"\nended by signal {-code}", flush=True)
    return code if code >= 0 else 128 - code


def _watch(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(PATIENCE)
        return
    child.kill()


def _die_with_parent() -> None:
    """Linux ends the program when this one is killed outright."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1: PR_SET_PDEATHSIG (linux/prctl.h)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # the watching thread still reads
