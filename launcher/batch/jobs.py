"""The file of jobs: CSV or JSON lines, one job a row, every problem with its line."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import overrides
from ..errors import UsageError
from ..overrides import Override

CSV_ENDINGS, JSON_ENDINGS = (".csv", ".tsv", ".txt"), (".jsonl", ".ndjson")
_ID = re.compile(r"\w(?:[\w -]*\w)?")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)  # no names of files on Windows
_ID_AT_MOST = 100


@dataclass(frozen=True)
class Row:
    """One job as written. ``line`` counts from 1; ``settings`` are what the row changes, in the order of columns."""

    line: int
    id: str
    workflow: str
    settings: tuple[Override, ...]


@dataclass
class Problems:
    """What is wrong with a file of jobs, found before anything starts."""

    file: str
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, text: object) -> None:
        self.found.append((line, f"{self.file}, line {line}: {text}"))

    @property
    def lines(self) -> list[str]:
        """One for each problem, in the order of the file."""
        return [text for _, text in sorted(self.found, key=lambda problem: problem[0])]

    def check(self) -> None:
        """Raises UsageError, one line for each problem."""
        if self.found:
            raise UsageError("\nerror: ".join(self.lines))


def read(path: Path, problems: Problems) -> list[Row]:
    """The jobs of a file; what cannot be read as a job goes to ``problems``. Raises UsageError when the file itself is
    no table."""
    ending = path.suffix.lower()
    if ending not in CSV_ENDINGS + JSON_ENDINGS:
        raise UsageError(f"{path} is no table of jobs: a name that ends in .csv or .jsonl was expected")
    text = _text(path)
    records = _csv_records(path, text, problems) if ending in CSV_ENDINGS else _json_records(text, problems)
    rows: list[Row] = []
    lines_of: dict[str, int] = {}
    for line, record in records:
        try:
            row = _row(line, record)
        except UsageError as error:
            problems.add(line, error)
            continue
        folded = row.id.casefold()  # some file systems take A and a for one name
        if folded in lines_of and not record.get("id"):
            problems.add(line, f"the same job as line {lines_of[folded]}: give them ids, or leave one out")
        elif folded in lines_of:
            problems.add(line, f"id {row.id!r} is that of line {lines_of[folded]}")
        else:
            lines_of[folded] = line
            rows.append(row)
    if not rows and not problems.found:
        raise UsageError(f"{path} holds no job: a heading and a row for each job were expected")
    return rows


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    coding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(coding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}, line {line}: this is no UTF-8: save it with that encoding") from error


def _csv_records(path: Path, text: str, problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, column -> cell) of every row that has cells; empty cells are left out."""
    heading = next((line for line in text.splitlines() if line.strip()), "")
    # Spreadsheets of half the world write semicolons.
    delimiter = max(",;\t", key=heading.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] | None = None
    before = 0
    try:
        for cells in reader:
            line, before = before + 1, reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns = _columns(path, line, cells)
            elif len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
                problems.add(line, f"{len(cells)} cells below a heading of {len(columns)}: quote cells with commas")
            else:
                pairs = zip(columns, map(str.strip, cells), strict=False)
                yield line, {name: _cell(name, cell) for name, cell in pairs if name and cell}
    except csv.Error as error:
        problems.add(before + 1, f"this is no CSV: {error}")


def _cell(column: str, text: str) -> Any:
    return text if column in ("id", "workflow") else overrides.value_of(text)


def _columns(path: Path, line: int, cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{path}, line {line}: two columns are called {twice!r}")
    if "workflow" not in names:
        raise UsageError(f"{path}, line {line}: no column 'workflow'; there is: {', '.join(filter(None, names))}")
    return names


def _json_records(text: str, problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, words in enumerate(text.split("\n"), 1):
        if not words.strip():
            continue
        try:
            record = json.loads(words, parse_constant=_no_constant, object_pairs_hook=_each_once)
        except ValueError as error:
            problems.add(line, f"this is no JSON: {error}")
            continue
        if isinstance(record, dict):
            yield line, {str(name): value for name, value in record.items() if value is not None}
        else:
            problems.add(line, 'a JSON object was expected: {"workflow": "wide_image"}')


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is none of its numbers")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice!r} is there twice")
    return dict(pairs)


def _row(line: int, record: Mapping[str, Any]) -> Row:
    workflow = str(record.get("workflow", "")).strip()
    if not workflow:
        raise UsageError("no workflow is named")
    settings: list[Override] = []
    for name, value in record.items():
        if name in ("workflow", "id"):
            continue
        try:
            node, widget = overrides.target(name)
        except UsageError:
            raise UsageError(f"column {name!r} is neither workflow, id nor NODE.INPUT") from None
        settings.append(Override(node, widget, value, f"{name}={str(value)[:60]}"))
    name = str(record["id"]).strip() if "id" in record else _own_id(workflow, record)
    if not _ID.fullmatch(name) or _RESERVED.fullmatch(name) or len(name) > _ID_AT_MOST:
        raise UsageError(f"id {name!r} is no name of a folder: letters, digits, - and _ were expected")
    return Row(line, name, workflow, tuple(settings))


def _own_id(workflow: str, record: Mapping[str, Any]) -> str:
    """A name that stays the same when rows are added or sorted."""
    stem = re.sub(r"[^\w-]+", "_", Path(workflow.replace("\\", "/")).stem).strip("_") or "job"
    words = json.dumps({name: value for name, value in record.items() if name != "id"}, sort_keys=True)
    return f"{stem[:60]}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"
