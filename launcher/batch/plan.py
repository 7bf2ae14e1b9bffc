"""From the rows of a table to jobs that a host can run, with every mistake found before anything starts."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from .. import commands, overrides, workflow_format
from ..errors import LauncherError, UsageError, WorkflowError
from ..widgets import SEED_NAMES, Widget
from ..workflow_format import ApiPrompt
from .inputs import Files, InputFile
from .jobs import Problems, Row

# Makes each job's saving nodes new to a host, which would not save again what it has saved; nodes never see it.
MARK = "batch_job"
MODEL_ENDINGS = (".safetensors", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".gguf", ".sft")


@dataclass(frozen=True)
class Job:
    """What a worker needs to run one row.

    ``nodes``, ``titles``: the prompt; ``drawing``: the workflow as a front end saves it; ``files``: what the host's
    input folder must hold, those that it has anyway apart (``shipped``, name -> sha256); ``models``: place -> sha256 of
    the model files; ``key``: hash of everything that decides what the job makes; ``group``: the same for jobs that
    share workflow and models.
    """

    id: str
    line: int
    workflow: str
    settings: Mapping[str, Any]
    nodes: Mapping[str, Mapping[str, Any]]
    titles: Mapping[str, str]
    drawing: Any
    files: tuple[InputFile, ...]
    shipped: Mapping[str, str]
    key: str
    group: str
    models: Mapping[str, str] = field(default_factory=dict)

    def seeds(self) -> dict[str, Any]:
        """'Title (id).input' -> value of every seed in the prompt."""
        return {
            f"{self.titles[key]} ({key}).{name}": value
            for key, node in self.nodes.items()
            for name, value in node["inputs"].items()
            if name in SEED_NAMES and not isinstance(value, list)
        }


@dataclass
class Workflows:
    """The workflow files that rows name, each read once. ``beside``: the folder of the table."""

    root: Path
    beside: Path
    paths: dict[str, Path] = field(default_factory=dict)
    drawings: dict[Path, Any] = field(default_factory=dict)

    def load(self, rows: Sequence[Row], problems: Problems) -> None:
        """Find and read all of them; needs no host."""
        for row in rows:
            try:
                if row.workflow not in self.paths:
                    path = self.beside / row.workflow
                    if not (path.suffix == ".json" and path.is_file()):
                        [path] = commands.find_workflows([row.workflow], self.root)
                    if path not in self.drawings:
                        self.drawings[path] = workflow_format.load(path)
                    self.paths[row.workflow] = path
            except UsageError as error:
                problems.add(row.line, error)


@dataclass(frozen=True)
class Planner:
    """Makes jobs of rows for the host whose /object_info is ``info``.

    ``inputs``: folders where values of workflows may name files, beside the workflow's own and the table's;
    ``assets``: the folder whose pictures every host has; ``model_hashes``: as a worker's.
    """

    info: Mapping[str, Any]
    workflows: Workflows
    inputs: tuple[Path, ...]
    assets: Path
    model_hashes: Callable[[str], Mapping[str, str]] = lambda name: {}
    files: Files = field(default_factory=Files)
    hashed: dict[str, Mapping[str, str]] = field(default_factory=dict)
    converted: dict[Path, ApiPrompt | WorkflowError] = field(default_factory=dict)

    def jobs(self, rows: Sequence[Row], problems: Problems) -> list[Job]:
        """A job for every row that can run; what is wrong with the others goes to ``problems``."""
        found: list[Job] = []
        for row in rows:
            try:
                found.append(self._job(row))
            except (LauncherError, OSError) as error:
                problems.add(row.line, error)
        return found

    def _job(self, row: Row) -> Job:
        path = self.workflows.paths[row.workflow]
        prompt = self._prompt(path)
        used = overrides.apply(prompt, row.settings)
        overrides.unmatched(row.settings, used, [prompt])
        changed = {(_key_of(prompt, setting), setting.name): setting.text for setting in row.settings}
        files: dict[str, InputFile] = {}
        shipped: dict[str, str] = {}
        models: list[str] = []
        for key, node in prompt.nodes.items():
            for name, value in node["inputs"].items():
                widget = prompt.widgets[key].get(name)
                if widget is None or isinstance(value, list):
                    continue
                said = changed.get((key, name))
                taken = self._files(widget, value, said, path)
                files |= {file.name: file for file in taken}
                if taken:
                    value = taken[0].name
                else:
                    value = _checked(widget, value, said, f"{prompt.titles[key]} (node {key}).{name}")
                    if isinstance(value, str) and widget.kind == "COMBO" and (self.assets / value).is_file():
                        shipped[value] = self.files.sha256(self.assets / value)
                node["inputs"][name] = value
                if isinstance(value, str) and value.lower().endswith(MODEL_ENDINGS):
                    models.append(value)
        places = {place: digest for name in models for place, digest in self._models(name).items()}
        # (where a host keeps a model does not decide what it makes)
        content = [sorted(places.values())] if places else []
        key = _hash([prompt.nodes, {name: file.sha256 for name, file in files.items()}, shipped, *content])
        for node in prompt.nodes.values():
            if self.info[node["class_type"]].get("output_node"):
                node["inputs"][MARK] = row.id
        return Job(
            id=row.id,
            line=row.line,
            workflow=row.workflow,
            settings={f"{setting.node}.{setting.name}": setting.value for setting in row.settings},
            nodes=prompt.nodes,
            titles=prompt.titles,
            drawing=self.workflows.drawings[path],
            files=tuple(files.values()),
            shipped=shipped,
            key=key,
            group=_hash([str(path), models]),
            models=places,
        )

    def _models(self, name: str) -> Mapping[str, str]:
        if name not in self.hashed:
            self.hashed[name] = self.model_hashes(name)
        return self.hashed[name]

    def _prompt(self, path: Path) -> ApiPrompt:
        """A copy that may be changed. Raises WorkflowError."""
        if path not in self.converted:
            try:
                prompt = workflow_format.to_api(self.workflows.drawings[path], self.info)
                named = {key: f"{node['class_type']} (node {key})" for key, node in prompt.nodes.items()}
                unknown = [words for key, words in named.items() if prompt.nodes[key]["class_type"] not in self.info]
                if unknown:  # saved with "Export (API)"
                    raise WorkflowError("this host has no node of type " + ", ".join(unknown))
                lacking = [
                    f"{words}: {name}" for key, words in named.items() for name in self._lacks(prompt.nodes[key])
                ]
                if lacking:
                    raise WorkflowError("required inputs are not there: " + ", ".join(lacking))
                self.converted[path] = prompt
            except WorkflowError as error:
                self.converted[path] = error
        found = self.converted[path]
        if isinstance(found, WorkflowError):
            raise WorkflowError(f"{path.name}: {found}")
        return ApiPrompt(copy.deepcopy(found.nodes), found.titles, found.widgets)

    def _lacks(self, node: Mapping[str, Any]) -> list[str]:
        """Required inputs that the workflow neither sets nor wires."""
        required: Mapping[str, Any] = (self.info[node["class_type"]].get("input") or {}).get("required") or {}
        # Types of the host's own making, as lists that grow, go by other names in a prompt.
        plain = [name for name, spec in required.items() if not str(spec[0]).startswith("COMFY_")]
        return [name for name in plain if name not in node["inputs"]]

    def _files(self, widget: Widget, value: Any, said: str | None, workflow: Path) -> tuple[InputFile, ...]:
        """The files that a value names, if any: what the table says is looked up beside the table first, what the
        workflow says on the host first."""
        if not isinstance(value, str) or widget.kind not in ("COMBO", "STRING"):
            return ()
        if value in widget.choices and value.lower().endswith(MODEL_ENDINGS):
            return ()
        table = self.workflows.beside
        if said is not None:
            return self.files.find(value, (table, *self.inputs))
        if widget.kind == "STRING" or value in widget.choices:
            return ()
        return self.files.find(value, (workflow.parent, table, *self.inputs))


def _key_of(prompt: ApiPrompt, setting: overrides.Override) -> str:
    return overrides.matching(prompt, setting.node)[0]


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _checked(widget: Widget, value: Any, said: str | None, where: str) -> Any:
    """The value for the host. Raises UsageError for one that the host would refuse.

    A value of the workflow itself (``said`` None) is refused only when it is a file that the host does not have: nodes
    may take more than their lists show.
    """
    label = said or f"{where}={value}"
    if widget.kind == "COMBO" and widget.choices and value not in widget.choices:
        same = [choice for choice in widget.choices if str(choice) == str(value)]
        if same:
            return same[0]
        if _is_upload(widget):
            raise UsageError(f"{label}: there is no such file, neither beside the table nor in the input folder")
        if said is not None or _is_file_name(value):
            known = ", ".join(map(str, widget.choices[:12])) + (", ..." if len(widget.choices) > 12 else "")
            raise UsageError(f"{label}: this host knows no {value!r} there; it has: {known}")
    if said is None:
        return value
    if widget.kind == "BOOLEAN" and not isinstance(value, bool):
        raise UsageError(f"{label}: true or false was expected")
    if widget.kind in ("INT", "FLOAT"):
        return _number(widget, value, label)
    return value


def _number(widget: Widget, value: Any, label: str) -> Any:
    whole = widget.kind == "INT"
    if isinstance(value, bool) or not isinstance(value, int | float) or (whole and value != int(value)):
        raise UsageError(f"{label}: a {'whole ' if whole else ''}number was expected")
    low, high = widget.options.get("min"), widget.options.get("max")
    if (low is not None and value < low) or (high is not None and value > high):
        words = [f"{word} {bound}" for word, bound in (("at least", low), ("at most", high)) if bound is not None]
        raise UsageError(f"{label}: a number of {' and '.join(words)} was expected")
    return int(value) if whole else value


def _is_upload(widget: Widget) -> bool:
    return any(name.endswith("_upload") and on for name, on in widget.options.items())


def _is_file_name(value: Any) -> bool:
    return isinstance(value, str) and 1 < len(PurePosixPath(value).suffix) < 13 and not value.endswith(".")
