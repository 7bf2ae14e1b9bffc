"""Workflows with subgraphs as workflows without: what is in a subgraph stands in the place of its node.

Nodes get ids as the front end gives them to the host, ``7:3`` for node 3 in the subgraph of node 7. A widget that the
subgraph's node shows becomes a PrimitiveNode, which the reader of workflows knows.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .errors import WorkflowError

Json = dict[str, Any]

# The doors of a subgraph, where nodes are: what comes in, what goes out.
_INPUT, _OUTPUT = "-10", "-20"
# Muted and bypassed nodes: the reader of workflows deals with them whole.
_LEFT_OUT = (2, 4)
_DEEPEST = 32


class _Link(NamedTuple):
    origin: str
    slot: int
    target: str
    at: int


class _End(NamedTuple):
    """Output ``slot`` of a node of the workflow that is being made."""

    node: str
    slot: int


class _Wire(NamedTuple):
    """Link ``number`` of a graph, to be followed."""

    level: _Level
    number: int


@dataclass(frozen=True)
class _Level:
    """The workflow, or one subgraph of one node. path: what its nodes' ids begin with; doors: where its inputs come
    from; inside: the levels in it, by node."""

    path: str
    graph: Mapping[str, Any]
    doors: list[_End | _Wire | None]
    inside: dict[str, _Level] = field(default_factory=lambda: {})
    links: dict[int, _Link] = field(default_factory=lambda: {})

    def __post_init__(self) -> None:
        for link in self.graph.get("links") or []:
            if isinstance(link, Mapping):
                names = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
                link = [link[name] for name in names]
            number, origin, slot, target, at = link[:5]
            self.links[int(number)] = _Link(str(origin), int(slot), str(target), int(at))

    def end(self, number: int | None) -> _End | None:
        """Where a link comes from, through the doors of subgraphs; None where nothing is wired."""
        level = self
        while number in level.links:
            origin, slot = level.links[number][:2]
            if origin == _INPUT:
                come = level.doors[slot] if slot < len(level.doors) else None
            elif origin in level.inside:
                inner = level.inside[origin]
                goes = (key for key, one in inner.links.items() if (one.target, one.at) == (_OUTPUT, slot))
                come = next((_Wire(inner, key) for key in goes), None)
            else:
                return _End(f"{level.path}{origin}", slot)
            if not isinstance(come, _Wire):
                return come
            level, number = come
        return None


class _Flat:
    """The workflow without subgraphs, being made."""

    def __init__(self, workflow: Json) -> None:
        found = (workflow.get("definitions") or {}).get("subgraphs") or []
        self.definitions: dict[str, Json] = {str(one.get("id")): one for one in found}
        self.nodes: list[Json] = []
        self.links: list[list[Any]] = []
        self._waiting: list[tuple[_Level, Json]] = []
        self._fill(_Level("", workflow, []))
        for level, socket in self._waiting:
            end = level.end(socket["link"])
            socket["link"] = None
            if end is not None:
                socket["link"] = len(self.links) + 1
                self.links.append([socket["link"], end.node, end.slot, "", 0, str(socket.get("type", "*"))])

    def _fill(self, level: _Level) -> None:
        """Adds the nodes of a graph, and of the subgraphs in it."""
        if level.path.count(":") > _DEEPEST:
            raise WorkflowError(f"node {level.path.rstrip(':')} is a subgraph that contains itself")
        for node in level.graph.get("nodes") or []:
            definition = self.definitions.get(str(node.get("type")))
            if definition is None or node.get("mode", 0) in _LEFT_OUT:
                self._copy(level, node)
            else:
                path = f"{level.path}{node['id']}:"
                level.inside[str(node["id"])] = _Level(path, definition, self._doors(level, path, node, definition))
        for inner in level.inside.values():
            self._fill(inner)

    def _copy(self, level: _Level, node: Json) -> None:
        made: Json = {**copy.deepcopy(node), "id": f"{level.path}{node['id']}"}
        self.nodes.append(made)
        sockets: list[Json] = made.get("inputs") or []
        self._waiting += [(level, socket) for socket in sockets if socket.get("link") is not None]

    def _doors(self, level: _Level, path: str, node: Json, definition: Json) -> list[_End | _Wire | None]:
        sockets = {str(socket.get("name")): socket for socket in node.get("inputs") or []}
        shown = _shown(node)
        doors: list[_End | _Wire | None] = []
        for door in definition.get("inputs") or []:
            name = str(door.get("name"))
            link = sockets.get(name, {}).get("link")
            if link is not None:
                doors.append(_Wire(level, int(link)))
            elif name in shown:
                self.nodes.append({"id": f"{path}{name}", "type": "PrimitiveNode", "widgets_values": [shown[name]]})
                doors.append(_End(f"{path}{name}", 0))
            else:
                doors.append(None)
        return doors


def _shown(node: Json) -> Json:
    """Values of the widgets that a subgraph's node shows, by the names of its inputs, without those it leaves alone."""
    names = [str(one["name"]) for one in node.get("inputs") or [] if isinstance(one.get("widget"), Mapping)]
    values: Any = node.get("widgets_values") or []
    if isinstance(values, Mapping):
        return {name: values[name] for name in names if name in values}
    return {name: value for name, value in zip(names, values, strict=False) if value is not None}


def flattened(workflow: Json) -> Json:
    """The workflow with every subgraph's content in its place; one without subgraphs as it is. Raises WorkflowError for
    a subgraph that contains itself."""
    if not (workflow.get("definitions") or {}).get("subgraphs"):
        return workflow
    flat = _Flat(workflow)
    return {**workflow, "nodes": flat.nodes, "links": flat.links, "definitions": {}}
