"""Progress of a batch for people: a line for each worker and one for the whole, redrawn on a terminal; elsewhere a
line for each job that ends, and one about the whole after a minute without any."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from ..progress import WIDTH
from .plan import Job
from .worker import DONE

QUIET = 60.0  # seconds without a line after which one is written, where nothing is redrawn
NAMED = 4  # workers that such a line tells of


def clock(seconds: float) -> str:
    """'0:07', '12:34', '5:01:10'."""
    whole = int(seconds)
    hours = f"{whole // 3600}:" if whole >= 3600 else ""
    return f"{hours}{whole // 60 % 60:0{2 if hours else 1}d}:{whole % 60:02d}"


def _takes_escapes() -> bool:
    """Whether lines can be redrawn; consoles of Windows have to be asked for that."""
    if sys.platform == "win32":
        import ctypes

        kernel, mode = ctypes.windll.kernel32, ctypes.c_ulong()
        handle = kernel.GetStdHandle(-12)  # of the standard error
        # 4: ENABLE_VIRTUAL_TERMINAL_PROCESSING
        return bool(kernel.GetConsoleMode(handle, ctypes.byref(mode)) and kernel.SetConsoleMode(handle, mode.value | 4))
    return True


class Show:
    """See ``runner.Watcher``."""

    def __init__(self, total: int, workers: int, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty() and _takes_escapes()
        self._total, self._ended, self._failed = total, 0, 0
        self._began = time.monotonic()
        self._words = [("", self._began)] * workers
        self._drawn, self._written = 0, self._began

    def working(self, seat: int, words: str) -> None:
        job, since = self._words[seat]
        same = bool(words) and words.split(" ")[0] == job.split(" ")[0]
        self._words[seat] = (words, since if same else time.monotonic())

    def ended(self, job: Job, record: Mapping[str, Any]) -> None:
        self._ended += 1
        good = record["state"] == DONE
        self._failed += not good
        said = f"done in {record['seconds']:.1f} s" if good else f"failed: {record.get('error', '')}"
        if self._live and good:
            self.tick()
        else:
            self._line(f"{job.id}: {said}" + ("" if self._live else f" ({self.whole()})"))

    def told(self, words: str) -> None:
        self._line(words)

    def tick(self) -> None:
        lines = [
            f"worker {seat}: {words or 'waiting'}" + (f" ({clock(time.monotonic() - since)})" if words else "")
            for seat, (words, since) in enumerate(self._words)
        ]
        if not self._live:
            if time.monotonic() - self._written >= QUIET:
                more = [f"{len(lines) - NAMED} more workers"] if len(lines) > NAMED else []
                self._line("; ".join([self.whole(), *lines[:NAMED], *more]))
            return
        width, height = shutil.get_terminal_size()
        if len(lines) > (most := max(height - 3, 1)):  # what scrolls away cannot be redrawn
            lines[most - 1 :] = [f"{len(lines) - most + 1} more workers"]
        filled = int(WIDTH * self._ended / max(self._total, 1) + 1e-9)
        lines.append(f"[{'#' * filled}{'-' * (WIDTH - filled)}] {self.whole()}")
        self._erase()
        self._stream.write("".join(f"{line[: width - 1]}\n" for line in lines))
        self._stream.flush()
        self._drawn = len(lines)

    def whole(self) -> str:
        """'12 of 40, 1 failed, 3:20 left'."""
        took = time.monotonic() - self._began
        text = f"{self._ended} of {self._total}" + (f", {self._failed} failed" if self._failed else "")
        if 0 < self._ended < self._total:
            text += f", {clock(took / self._ended * (self._total - self._ended))} left"
        return text

    def close(self) -> None:
        """Take the lines away."""
        self._erase()
        self._stream.flush()

    def _line(self, text: str) -> None:
        self._erase()
        self._written = time.monotonic()
        self._stream.write(text + "\n")
        self._stream.flush()

    def _erase(self) -> None:
        if self._drawn:
            self._stream.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0
