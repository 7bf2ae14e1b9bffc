"""ComfyUI's saved workflow (UI format: nodes, links, widgets_values) -> the prompt a host runs (API format).

The file that a front end opens is the very file that run.py runs. What a front end does when it queues a prompt is
done here from /object_info: widget values by position, links through Reroute, PrimitiveNode and bypassed nodes, muted
nodes left out, subgraphs opened (subgraphs.py). Not done: group nodes (an error says so), dynamic prompts (``{a|b}``
is passed as text).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from .errors import UsageError, WorkflowError
from .subgraphs import flattened
from .widgets import Widget, values_of, widgets_of

NEVER, BYPASS = 2, 4  # LiteGraph node modes; 0 is "always"
NOTES = frozenset({"Note", "MarkdownNote"})
VIRTUAL = NOTES | {"Reroute", "PrimitiveNode"}

Json = dict[str, Any]


class Link(NamedTuple):
    """One wire: from output ``slot`` of node ``origin`` (a node id)."""

    origin: str
    slot: int


@dataclass(frozen=True)
class ApiPrompt:
    """What is posted to a host: node id -> {class_type, inputs}; with the names people know the nodes by.

    ``titles`` node id -> title; ``widgets`` node id -> widget name -> Widget.
    """

    nodes: dict[str, Json]
    titles: dict[str, str]
    widgets: dict[str, dict[str, Widget]]


def load(path: Path) -> Json:
    """A workflow file as JSON. Raises UsageError when it is missing or no JSON object."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read workflow {path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"workflow {path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise UsageError(f"workflow {path} is not a workflow: a JSON object was expected")
    return data


def is_api_format(workflow: Mapping[str, Any]) -> bool:
    """Whether this is already a prompt (saved with "Export (API)")."""
    return bool(workflow) and all(isinstance(v, dict) and "class_type" in v for v in workflow.values())


def to_api(workflow: Json, object_info: Mapping[str, Json]) -> ApiPrompt:
    """Convert a workflow for the host whose /object_info is given.

    Raises WorkflowError for node types that this host does not have and for what is not supported.
    """
    if is_api_format(workflow):
        return _wrap_api(workflow, object_info)
    graph = _Graph(flattened(workflow))
    prompt = ApiPrompt({}, {}, {})
    missing: list[str] = []
    for key, node in graph.nodes.items():
        kind = str(node.get("type", ""))
        if kind in VIRTUAL or node.get("mode", 0) in (NEVER, BYPASS):
            continue
        if kind not in object_info:
            missing.append(f"{kind} (node {key})")
            continue
        info = object_info[kind]
        widgets = widgets_of(info, node)
        inputs = values_of(widgets, node.get("widgets_values"))
        inputs.update(graph.linked_inputs(node))
        prompt.nodes[key] = {"class_type": kind, "inputs": inputs}
        prompt.titles[key] = str(node.get("title") or info.get("display_name") or kind)
        prompt.widgets[key] = {widget.name: widget for widget in widgets}
    if missing:
        raise WorkflowError("this host has no node of type " + ", ".join(missing))
    return prompt


def _wrap_api(workflow: Json, object_info: Mapping[str, Json]) -> ApiPrompt:
    prompt = ApiPrompt({}, {}, {})
    for key, node in workflow.items():
        kind = str(node["class_type"])
        info = object_info.get(kind, {})
        prompt.nodes[key] = {"class_type": kind, "inputs": dict(node.get("inputs", {}))}
        prompt.titles[key] = str(node.get("_meta", {}).get("title") or info.get("display_name") or kind)
        prompt.widgets[key] = {widget.name: widget for widget in widgets_of(info, {})}
    return prompt


class _Graph:
    """Nodes and wires of one workflow, with wires followed through what exists only in the front end."""

    def __init__(self, workflow: Json) -> None:
        nodes = workflow.get("nodes")
        if not isinstance(nodes, list):
            raise WorkflowError("this file is no workflow: it has no list of nodes")
        self.nodes: dict[str, Json] = {str(node["id"]): node for node in nodes}
        self.links: dict[int, Link] = {}
        for link in workflow.get("links") or []:
            if isinstance(link, dict):  # schema version 1
                self.links[int(link["id"])] = Link(str(link["origin_id"]), int(link["origin_slot"]))
            else:  # version 0.4: [id, origin, slot, target, slot, type]
                self.links[int(link[0])] = Link(str(link[1]), int(link[2]))

    def linked_inputs(self, node: Json) -> Json:
        """Input name -> [node id, output slot], or the literal of a PrimitiveNode, for every connected input."""
        found: Json = {}
        for socket in node.get("inputs") or []:
            known, value = self._source(socket.get("link"), str(socket.get("type", "*")))
            if known:
                found[str(socket["name"])] = value
        return found

    def _source(self, link_id: int | None, wanted: str) -> tuple[bool, Any]:
        """(whether anything feeds this wire, what): follows virtual and bypassed nodes up to a real one."""
        seen: set[int] = set()
        while link_id is not None and link_id in self.links and link_id not in seen:
            seen.add(link_id)
            origin, slot = self.links[link_id]
            node = self.nodes.get(origin)
            if node is None or node.get("mode", 0) == NEVER:
                return False, None
            if node.get("type") == "PrimitiveNode":
                values = node.get("widgets_values") or []
                return bool(values), values[0] if values else None
            if node.get("type") == "Reroute":
                link_id = ((node.get("inputs") or [{}])[0]).get("link")
            elif node.get("mode", 0) == BYPASS:
                link_id = _bypassed(node, slot, wanted)
            else:
                return True, [origin, slot]
        return False, None


def _bypassed(node: Json, slot: int, wanted: str) -> int | None:
    """The wire a bypassed node passes on: the input in the same position if its type fits, else the first that fits."""
    sockets: list[Json] = node.get("inputs") or []
    candidates = sockets[slot : slot + 1] + sockets
    for socket in candidates:
        if str(socket.get("type")) == wanted or "*" in (str(socket.get("type")), wanted):
            return socket.get("link")
    return None
