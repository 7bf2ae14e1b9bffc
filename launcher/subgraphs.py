"""Workflows with subgraphs as workflows without: what is in a subgraph stands in the place of its node.

Nodes get ids as the front end gives them to the host, ``7:3`` for node 3 in the subgraph of node 7. A widget that the
subgraph's node shows becomes a PrimitiveNode, which the reader of workflows knows.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .errors import WorkflowError

Json = dict[str, Any]

# The doors of a subgraph, where nodes are.
_INPUT, _OUTPUT = "-10", "-20"
_LEFT_OUT = (2, 4)  # muted, bypassed: the reader of workflows deals with them whole
# A subgraph within a subgraph within ...: no more than this.
_DEEPEST = 32


class _Flat:
    """The workflow without subgraphs, being made. ``links``: [id, origin, slot, target, slot, type]."""

    def __init__(self, workflow: Mapping[str, Any]) -> None:
        found = (workflow.get("definitions") or {}).get("subgraphs") or []
        self.definitions: dict[str, Json] = {str(one.get("id")): one for one in found}
        self.nodes: list[Json] = []
        self.links: list[list[Any]] = []

    def link(self, origin: tuple[str, int], kind: str) -> int:
        self.links.append([len(self.links) + 1, *origin, "", 0, kind])
        return len(self.links)

    def literal(self, key: str, value: Any) -> tuple[str, int]:
        self.nodes.append({"id": key, "type": "PrimitiveNode", "mode": 0, "widgets_values": [value]})
        return key, 0

    def fill(self, graph: Mapping[str, Any], path: str, doors: Sequence[tuple[str, int] | None]) -> _Sources:
        """Adds the nodes of a graph (the workflow, or a subgraph whose inputs come from ``doors``)."""
        if path.count(":") > _DEEPEST:
            raise WorkflowError(f"node {path.rstrip(':')} is a subgraph that contains itself")
        sources = _Sources(graph, path, doors)
        for node in graph.get("nodes") or []:
            node = copy.deepcopy(node)
            definition = self.definitions.get(str(node.get("type")))
            sources.inner[str(node["id"])] = None
            if definition is None or node.get("mode", 0) in _LEFT_OUT:
                self._rewired(node, sources)
                node["id"] = f"{path}{node['id']}"
                self.nodes.append(node)
        for node in graph.get("nodes") or []:
            definition = self.definitions.get(str(node.get("type")))
            if definition is not None and node.get("mode", 0) not in _LEFT_OUT:
                sources.inner[str(node["id"])] = (node, definition)
        return sources

    def _rewired(self, node: Json, sources: _Sources) -> None:
        for item in node.get("inputs") or []:
            number = item.get("link")
            item["link"] = None if number is None else (sources, int(number))

    def expand(self, sources: _Sources) -> None:
        """Fills the subgraphs that a graph's nodes stand for, one after another, and theirs."""
        for key, held in sources.inner.items():
            if held is None:
                continue
            node, definition = held
            path = f"{sources.path}{key}:"
            values = _shown(node)
            doors: list[Any] = []
            for door in definition.get("inputs") or []:
                name = str(door.get("name"))
                given = next((one for one in node.get("inputs") or [] if one.get("name") == name), {})
                if given.get("link") is not None:
                    doors.append((sources, int(given["link"])))
                else:
                    doors.append(self.literal(f"{path}{name}", values[name]) if name in values else None)
            inside = self.fill(definition, path, doors)
            sources.filled[key] = inside
            self.expand(inside)

    def resolve(self) -> None:
        """Gives every input of a node the link to the node that it comes from."""
        for node in self.nodes:
            for item in node.get("inputs") or []:
                if isinstance(item.get("link"), tuple):
                    origin = _origin(*item["link"])
                    kind = str(item.get("type", "*"))
                    item["link"] = None if origin is None else self.link(origin, kind)


class _Sources:
    """Where the wires of one graph come from."""

    def __init__(self, graph: Mapping[str, Any], path: str, doors: Sequence[Any]) -> None:
        self.path, self.doors = path, doors
        self.graph = graph
        self.links = {number: rest for number, *rest in _links(graph)}
        self.inner: dict[str, tuple[Json, Json] | None] = {}
        self.filled: dict[str, _Sources] = {}


def _links(graph: Mapping[str, Any]) -> Iterator[tuple[int, str, int, str, int]]:
    for link in graph.get("links") or []:
        if isinstance(link, Mapping):
            names = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
            number, origin, slot, target, at = (link[name] for name in names)
        else:
            number, origin, slot, target, at = link[:5]
        yield int(number), str(origin), int(slot), str(target), int(at)


def _origin(sources: _Sources, number: int) -> tuple[str, int] | None:
    """The node and slot that a wire comes from, through the doors of subgraphs."""
    while number in sources.links:
        origin, slot = sources.links[number][:2]
        if origin == _INPUT:
            door = sources.doors[slot] if slot < len(sources.doors) else None
        elif origin in sources.filled:
            inside = sources.filled[origin]
            ends = [key for key, rest in inside.links.items() if (rest[2], rest[3]) == (_OUTPUT, slot)]
            door = (inside, ends[0]) if ends else None
        else:
            return f"{sources.path}{origin}", slot
        if door is None or isinstance(door[0], str):
            return door
        sources, number = door
    return None


def _shown(node: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the widgets that a subgraph's node shows, by the names of its inputs; without those it leaves alone."""
    names = [str(one["name"]) for one in node.get("inputs") or [] if isinstance(one.get("widget"), Mapping)]
    values = node.get("widgets_values") or []
    if isinstance(values, Mapping):
        return {name: values[name] for name in names if name in values}
    return {name: value for name, value in zip(names, values, strict=False) if value is not None}


def flattened(workflow: Json) -> Json:
    """The workflow with every subgraph's content in its place; one without subgraphs as it is. Raises WorkflowError for
    a subgraph that contains itself."""
    if not (workflow.get("definitions") or {}).get("subgraphs"):
        return workflow
    flat = _Flat(workflow)
    flat.expand(flat.fill(workflow, "", ()))
    flat.resolve()
    return {**workflow, "nodes": flat.nodes, "links": flat.links, "definitions": {}}
