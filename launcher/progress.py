"""One progress bar per workflow, on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from .workflow_format import ApiPrompt

WIDTH = 24
PAUSE = 15.0  # seconds between lines that are not on a terminal


class Progress:
    """Turns a host's messages into a bar: nodes done, and inside a sampling node its steps.

    On a terminal one line is redrawn; elsewhere a line is written when another node starts, and every PAUSE seconds.
    """

    def __init__(self, name: str, prompt: ApiPrompt, stream: TextIO | None = None) -> None:
        self._name = name
        self._titles = prompt.titles
        self._total = max(len(prompt.nodes), 1)
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._began = time.monotonic()
        self._done: set[str] = set()
        self._node: str | None = None
        self._steps = (0, 0)
        self._drawn = 0
        self._written = 0.0

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """A message of the host, by its type."""
        if kind == "execution_cached":
            self._done.update(str(node) for node in data.get("nodes") or [])
        elif kind == "executing":
            if self._node is not None:
                self._done.add(self._node)
            self._node = None if data.get("node") is None else str(data["node"])
            self._steps = (0, 0)
            self._written = 0.0
        elif kind == "progress":
            self._steps = (int(data.get("value", 0)), int(data.get("max", 0)))
        else:
            return
        if self._live:
            self._redraw()
        elif self._node is not None and time.monotonic() - self._written > PAUSE:
            self._written = time.monotonic()
            self._write(self.line() + "\n")

    def fraction(self) -> float:
        """Share of the nodes that are done, the current one counted by its steps; in [0, 1]."""
        value, most = self._steps
        inside = min(value / most, 1.0) if most > 0 and self._node is not None else 0.0
        return min((len(self._done) + inside) / self._total, 1.0)

    def line(self) -> str:
        """The bar as text."""
        filled = int(self.fraction() * WIDTH + 1e-9)
        seconds = int(time.monotonic() - self._began)
        text = f"{self._name} [{'#' * filled}{'-' * (WIDTH - filled)}] {seconds // 60}:{seconds % 60:02d}"
        if self._node is not None:
            text += f" {self._titles.get(self._node, self._node)}"
            if self._steps[1] > 0:
                text += f" {self._steps[0]}/{self._steps[1]}"
        return text

    def close(self, outcome: str) -> None:
        """Last line: 'done', 'failed' or 'stopped', with the seconds it took."""
        if outcome == "done":
            self._done, self._node = {str(number) for number in range(self._total)}, None
        seconds = time.monotonic() - self._began
        bar = self.line().rpartition("]")[0] + "]"
        self._write(f"{bar} {outcome} in {seconds:.1f} s".ljust(self._drawn) + "\n")

    def _redraw(self) -> None:
        text = self.line()[:100]
        self._write(text.ljust(self._drawn) + "\r")
        self._drawn = len(text)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
