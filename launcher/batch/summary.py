"""What a batch came to: a table, summary.json, and index.html with everything that was made."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .plan import Job
from .show import clock
from .worker import DONE

SUMMARY, INDEX = "summary.json", "index.html"
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif")
_STYLE = """body { font: 14px sans-serif; margin: 1em; background: #222; color: #ddd } a { color: #9cf }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); gap: 12px }
figure { margin: 0; padding: 8px; background: #333; overflow-wrap: anywhere }
img { width: 100%; height: 160px; object-fit: contain; background: #111 } .failed { background: #522 }"""


@dataclass
class Summary:
    """States and figures of all jobs of a table. ``records``: id -> job.json, of this run (``ran``) or an earlier one;
    a job without a record was left undone."""

    jobs: Sequence[Job]
    ran: set[str]
    records: Mapping[str, Mapping[str, Any]]
    seconds: float
    workers: int

    def state(self, job: Job) -> str:
        """'done', 'skipped' (done before), 'failed' or 'left'."""
        record = self.records.get(job.id)
        if record is None:
            return "left"
        if record["state"] != DONE:
            return "failed"
        return "done" if job.id in self.ran else "skipped"

    def count(self, state: str) -> int:
        return sum(self.state(job) == state for job in self.jobs)

    def per_hour(self) -> float:
        """Jobs done in this run, an hour."""
        return 3600 * self.count("done") / self.seconds if self.seconds > 0 else 0.0

    def table(self) -> list[str]:
        """The failed jobs with their reasons, and the figures."""
        lines = [
            f"failed: line {job.line}, {job.id}: {self.records[job.id].get('error', '')}"
            for job in self.jobs
            if self.state(job) == "failed"
        ]
        words = ("done", "skipped", "failed", "left", "time", "jobs an hour")
        counts = (*(str(self.count(word)) for word in words[:4]), clock(self.seconds), f"{self.per_hour():.0f}")
        wide = [max(len(word), len(count)) for word, count in zip(words, counts, strict=True)]
        for cells in (words, counts):
            lines.append("  ".join(cell.rjust(width) for cell, width in zip(cells, wide, strict=True)))
        return lines

    def write(self, folder: Path) -> None:
        """summary.json and index.html. Raises OSError."""
        states = {state: self.count(state) for state in ("done", "skipped", "failed", "left")}
        figures = {"seconds": round(self.seconds, 1), "jobs_per_hour": round(self.per_hour(), 1)}
        whole = {**states, **figures, "workers": self.workers}
        whole["jobs"] = [self._entry(job) for job in self.jobs]
        _replace(folder / SUMMARY, json.dumps(whole, indent=1))
        _replace(folder / INDEX, self.page())

    def _entry(self, job: Job) -> dict[str, Any]:
        record = self.records.get(job.id, {})
        entry = {"id": job.id, "line": job.line, "workflow": job.workflow, "state": self.state(job)}
        for name in ("seconds", "attempts", "error"):
            if name in record:
                entry[name] = record[name]
        return {**entry, "outputs": [f"{job.id}/{output['name']}" for output in record.get("outputs", ())]}

    def page(self) -> str:
        """A contact sheet that any browser opens from the disk; pictures load when they come into sight."""
        counted = ", ".join(f"{self.count(state)} {state}" for state in ("done", "skipped", "failed", "left"))
        figures = "\n".join(self._figure(job) for job in self.jobs)
        return (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Batch: {counted}</title>\n'
            f"<style>{_STYLE}</style>\n<p>{counted}</p>\n<main>\n{figures}\n</main></html>\n"
        )

    def _figure(self, job: Job) -> str:
        record, state = self.records.get(job.id, {}), self.state(job)
        names = [f"{job.id}/{output['name']}" for output in record.get("outputs", ())]
        shown = "".join(
            f'<a href="{quote(name)}"><img loading="lazy" src="{quote(name)}" alt=""></a>'
            for name in names
            if name.lower().endswith(_PICTURES)
        )
        links = " ".join(f'<a href="{quote(name)}">{html.escape(Path(name).name)}</a>' for name in names)
        where = f"{job.id}.failed" if state == "failed" else job.id
        told = html.escape(str(record.get("error", ""))) or links
        title = html.escape(", ".join(f"{name} = {value}" for name, value in job.settings.items()))
        return (
            f'<figure class="{state}" title="{title}">{shown}<figcaption><b><a href="{quote(where)}/job.json">'
            f"{html.escape(job.id)}</a></b> {state}<br>{told}</figcaption></figure>"
        )


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
