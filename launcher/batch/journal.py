"""What is done, on disk: a folder for each job that is there whole or not at all.

DIR/<id>/ holds a job's files and job.json, which says how they were made. DIR/<id>.failed/ tells of the last failure of
a job (ids hold no dots). DIR/.batch/ is for what is under way.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import UsageError
from ..venv import say
from .locks import locked, patiently
from .plan import Job
from .worker import DONE, Report

# Of file systems that several machines share: they may be used, without a guard against a second run.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
RECORD, LOG = "job.json", "error.log"


@dataclass(frozen=True)
class Shared:
    """A file of the output folder, by which a worker elsewhere sees whether it has that folder under the same path."""

    path: str
    content: str

    def is_here(self) -> bool:
        try:
            return Path(self.path).read_text(encoding="ascii") == self.content
        except (OSError, UnicodeDecodeError):
            return False


class Journal:
    """The output folder of a run. As a context manager it may be written to, by one run at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._state = self.folder / ".batch"
        self._parts = self._state / "parts"
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Journal:
        """Raises UsageError when the folder cannot be written to, or another run has it."""
        try:
            self._state.mkdir(parents=True, exist_ok=True)
            self._lock()
            shutil.rmtree(self._parts, ignore_errors=True)  # of runs that were killed
            self._parts.mkdir()
        except BlockingIOError:
            raise UsageError(f"another run writes to {self.folder}: wait for it, or choose another --output") from None
        except OSError as error:
            raise UsageError(f"cannot write to {self.folder}: {error.strerror}; choose another --output") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        shutil.rmtree(self._parts, ignore_errors=True)
        self._stack.close()

    def _lock(self) -> None:
        try:
            self._stack.enter_context(locked(self._state / "lock", wait=False))
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            say(f"warning: there are no locks at {self.folder}: see to it that no other run writes there")

    def token(self) -> Shared:
        """A file that is new: who finds it shares this folder."""
        path, content = self._parts / "token", uuid.uuid4().hex
        path.write_text(content, encoding="ascii")
        return Shared(str(path), content)

    def record(self, job_id: str) -> Mapping[str, Any] | None:
        """job.json of a finished job, None when there is none that can be read."""
        return _read(self.folder / job_id / RECORD)

    def is_done(self, job: Job) -> bool:
        """Whether a job was run with these very inputs, and its files still have their sizes."""
        record = self.record(job.id)
        if record is None or record.get("state") != DONE or record.get("key") != job.key:
            return False
        try:
            return all(
                (self.folder / job.id / output["name"]).stat().st_size == output["bytes"]
                for output in record["outputs"]
            )
        except (OSError, KeyError, TypeError):
            return False

    def part(self, job: Job) -> Path:
        """A new empty folder for a job's files, on the same disk as its last place."""
        path = self._parts / f"{job.id}-{uuid.uuid4().hex[:8]}"
        path.mkdir()
        return path

    def keep(self, job: Job, report: Report, part: Path, attempts: int) -> Mapping[str, Any]:
        """Finish a job: job.json beside its files, then all of it in its place in one step. Raises OSError."""
        record = _record(job, report, attempts)
        names = {output.name for output in report.outputs}
        if RECORD in names:
            raise OSError(f"a file of the workflow is called {RECORD}: give its saving node another filename_prefix")
        for output in report.outputs:
            if (part / output.name).stat().st_size != output.bytes:
                raise OSError(f"{output.name} was not written whole")
        _write(part / RECORD, record)
        self._replace(part, self.folder / job.id)
        shutil.rmtree(self.folder / f"{job.id}.failed", ignore_errors=True)
        return record

    def fail(self, job: Job, report: Report, attempts: int) -> Mapping[str, Any]:
        """Tell of a failure in DIR/<id>.failed/; earlier files of the job stay. Raises OSError."""
        part = self.part(job)
        record = _record(job, report, attempts)
        (part / LOG).write_text(f"{report.error}\n\n{report.log}".rstrip() + "\n", encoding="utf-8")
        _write(part / RECORD, record)
        self._replace(part, self.folder / f"{job.id}.failed")
        return record

    def drop(self, part: Path) -> None:
        """Remove the files of a job that did not end."""
        shutil.rmtree(part, ignore_errors=True)

    def _replace(self, part: Path, place: Path) -> None:
        """A folder cannot be renamed over another: between the two steps the job counts as not done."""
        old = self._parts / f"old-{uuid.uuid4().hex[:8]}"
        with contextlib.suppress(FileNotFoundError):
            patiently(lambda: os.rename(place, old))
        try:
            patiently(lambda: os.rename(part, place))
        except OSError:
            with contextlib.suppress(OSError):
                os.rename(old, place)
            raise
        shutil.rmtree(old, ignore_errors=True)


def _record(job: Job, report: Report, attempts: int) -> dict[str, Any]:
    return {
        "id": job.id,
        "state": report.state if report.state == DONE else "failed",
        "key": job.key,
        "workflow": job.workflow,
        "settings": dict(job.settings),
        "seeds": job.seeds(),
        "outputs": [{"name": o.name, "bytes": o.bytes, "sha256": o.sha256} for o in report.outputs],
        "texts": list(report.texts),
        **({"error": report.error} if report.error else {}),
        "seconds": round(report.seconds, 3),
        "peak_memory_mib": dict(report.memory),
        "attempts": attempts,
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "worker": dict(report.worker),
        "versions": dict(report.versions),
        "input_files": {f.name: {"path": f.path, "sha256": f.sha256} for f in job.files}
        | {name: {"path": "assets of the pack", "sha256": digest} for name, digest in job.shipped.items()},
        "model_files": dict(job.models),
        "prompt": job.nodes,
    }


def _write(path: Path, record: Mapping[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(record, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None
