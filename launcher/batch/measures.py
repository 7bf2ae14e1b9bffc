"""What a host process took, and whether it still moves."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..client import BROKEN
from ..server import Server

MIB = 1 << 20


def reset_peak(process: int | None) -> None:
    """Forget the peak of a process's memory so far, where the system can (Linux)."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{process}/clear_refs").write_text("5", encoding="ascii")


def memory(server: Server, process: int | None) -> dict[str, float]:
    """MiB. 'host': peak of the process since ``reset_peak``; 'device': what torch keeps reserved on an accelerator
    after the job. Each only where it can be known."""
    found: dict[str, float] = {}
    with contextlib.suppress(OSError, ValueError, IndexError):
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
        found["host"] = round(int(status.partition("VmHWM:")[2].split()[0]) / 1024, 1)
    with contextlib.suppress(*BROKEN, ValueError, KeyError, TypeError):
        devices: list[Any] = json.loads(server.get("/system_stats"))["devices"]
        reserved = [int(device["torch_vram_total"]) for device in devices if device["type"] != "cpu"]
        if reserved:
            found["device"] = round(sum(reserved) / MIB, 1)
    return found


class Watch:
    """Calls ``on_hang`` once when ``alive`` was not called for ``patience`` seconds inside a ``with`` block."""

    def __init__(self, patience: float, on_hang: Callable[[], None]) -> None:
        self.hung = False
        self._patience, self._on_hang = patience, on_hang
        self._last = time.monotonic()
        self._over = threading.Event()

    def alive(self) -> None:
        self._last = time.monotonic()

    def __enter__(self) -> Watch:
        self.alive()
        threading.Thread(target=self._wait, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _wait(self) -> None:
        while not self._over.wait(min(self._patience / 4, 5.0)):
            if time.monotonic() - self._last > self._patience:
                self.hung = True
                self._on_hang()
                return
