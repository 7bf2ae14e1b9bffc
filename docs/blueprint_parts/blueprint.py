"""A blueprint: a part of a workflow as one node, for ComfyUI's node search (``subgraphs/*.json``).

What is in it is what its outputs need: previews, savers and loaders of the workflow stay behind. They are laid out
by the rules that workflows are laid out by (docs/layout).
"""

from __future__ import annotations

import copy
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from layout.looks import GROUP_COLOURS, PACK, dress
from layout.place import lay_nodes
from workflow_graphs import CONTRACT, Graph, sockets_of, widgets_of

NAME = "SyncTweedies"
_NAMES = uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/ComfyUI-SyncTweedies/blueprints")
_INPUT, _OUTPUT = -10, -20
Node = dict[str, Any]


@dataclass
class _Door:
    """An input of the blueprint: what it feeds, [(node, name)]. widget: it shows as one, else as a socket."""

    name: str
    kind: str
    widget: bool
    label: str = ""
    feeds: list[tuple[Node, str]] = field(default_factory=list)


class Blueprint:
    """One blueprint, being made of the workflow of that name.

    Sockets are named by nodes of the workflow (``node``) and by the names of their inputs and outputs, as in Graph.
    """

    def __init__(self, name: str, workflow: str) -> None:
        self.name = name
        self.graph = Graph(workflow)
        self.node = self.graph.node
        self.doors: list[_Door] = []
        self.results: list[tuple[str, Node, str]] = []

    @property
    def title(self) -> str:
        """Its name in the node search, and of its file."""
        return f"{self.name} ({NAME})"

    def add(self, kind: str, title: str = "", /, **widgets: Any) -> Node:
        """A node that the workflow does not have."""
        return self.graph.add(kind, (0, 0), (300, 60), title, **widgets)

    def link(self, source: Node, output: str, target: Node, *inputs: str) -> None:
        """Wires an output to inputs of a node, widgets among them."""
        for name in inputs:
            _socket(target, name)
            self.graph.link(source, output, target, name)

    def takes(self, name: str, source: Node, output: str, label: str = "") -> None:
        """An input in the place of a node's output, wherever that goes."""
        slot = next(i for i, item in enumerate(source["outputs"]) if item["name"] == output)
        door = _Door(name, source["outputs"][slot]["type"], False, label)
        for node in self.graph.data["nodes"]:
            for item in node.get("inputs", []):
                link = next((one for one in self.graph.data["links"] if one[0] == item["link"]), None)
                if link is not None and (link[1], link[2]) == (source["id"], slot):
                    self.graph.unlink(node, item["name"])
                    door.feeds.append((node, item["name"]))
        self.doors.append(door)

    def feeds(self, name: str, target: Node, socket: str) -> None:
        """One more socket that an input feeds."""
        _socket(target, socket)
        next(door for door in self.doors if door.name == name).feeds.append((target, socket))

    def socket(self, name: str, kind: str, *targets: tuple[Node, str], label: str = "") -> None:
        """An input that is a socket."""
        self.doors.append(_Door(name, kind, False, label))
        for target, socket in targets:
            self.feeds(name, target, socket)

    def widget(self, name: str, target: Node, widget: str, label: str = "", **value: Any) -> None:
        """An input that shows as a widget of the blueprint; ``value=``: what it starts from, else the workflow's."""
        kind = CONTRACT[target["type"]]["inputs"][widget]["type"] if target["type"] in CONTRACT else "STRING"
        if value:
            self.graph.set(target, **{widget: value["value"]})
        _socket(target, widget)
        self.doors.append(_Door(name, kind, True, label or name.replace("_", " "), [(target, widget)]))

    def gives(self, name: str, source: Node, output: str) -> None:
        self.results.append((name, source, output))

    def text(self, describes: str, aliases: list[str], note: str) -> str:
        """The file's text. Raises ValueError for inputs that nothing inside reads."""
        self.note = self.add("MarkdownNote", "Read me", text=note)
        kept = self._kept()
        for door in self.doors:
            door.feeds = [(node, name) for node, name in door.feeds if node["id"] in kept]
            if not door.feeds:
                raise ValueError(f"{self.title}: nothing reads the input '{door.name}'")
        subgraph = self._subgraph(kept) | {"category": NAME, "description": describes}
        file = {
            "revision": 0,
            "last_node_id": 1,
            "last_link_id": 0,
            "nodes": [self._outside()],
            "links": [],
            "version": 0.4,
            "definitions": {"subgraphs": [subgraph]},
            "extra": {"BlueprintDescription": describes, "BlueprintSearchAliases": aliases},
        }
        return json.dumps(file, indent=1, ensure_ascii=False) + "\n"

    def _id(self, *parts: str) -> str:
        return str(uuid.uuid5(_NAMES, "/".join((self.name, *parts))))

    def _kept(self) -> set[int]:
        """Ids of what the outputs need, and of the note."""
        waiting, kept = [node["id"] for _, node, _ in self.results], {self.note["id"]}
        while waiting:
            now = waiting.pop()
            if now not in kept:
                kept.add(now)
                waiting += [link[1] for link in self.graph.data["links"] if link[3] == now]
        return kept

    def _outside(self) -> Node:
        """The node that users place."""
        return {
            "id": 1,
            "type": self._id(),
            "pos": [0, 0],
            "size": [400, 60 + 26 * len(self.doors) + 60 * sum(door.kind == "STRING" for door in self.doors)],
            "flags": {},
            "order": 0,
            "mode": 0,
            "inputs": [door_of(door) | {"link": None} for door in self.doors],
            "outputs": [{"name": name, "type": _kind_of(node, out), "links": []} for name, node, out in self.results],
            "properties": {"cnr_id": PACK},
            "widgets_values": [],
            "title": self.title,
        }

    def _subgraph(self, kept: set[int]) -> dict[str, Any]:
        links = [link for link in self.graph.data["links"] if link[1] in kept and link[3] in kept]
        nodes = [copy.deepcopy(node) for node in self.graph.data["nodes"] if node["id"] in kept]
        groups = _laid_out(nodes, links)
        wired = [node for node in nodes if node["id"] != self.note["id"]]
        left, top = min(node["pos"][0] for node in wired), min(node["pos"][1] for node in wired)
        for node in (node for node in nodes if node not in wired):  # left of the inputs, whose wires run beside it then
            node["pos"] = [left - 340 - node["size"][0], top]
        right = max(node["pos"][0] + node["size"][0] for node in nodes)
        by_id = {node["id"]: node for node in nodes}
        wires: list[dict[str, Any]] = []
        for node in nodes:
            for item in [*node.get("inputs", []), *node.get("outputs", [])]:
                item.update({"link": None} if "link" in item else {"links": []})

        def wire(origin: int, slot: int, target: int, at: int, kind: str) -> int:
            number = len(wires) + 1
            names = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
            wires.append(dict(zip(names, (number, origin, slot, target, at, kind), strict=True)))
            if origin in by_id:
                by_id[origin]["outputs"][slot]["links"].append(number)
            if target in by_id:
                by_id[target]["inputs"][at]["link"] = number
            return number

        for _, origin, slot, target, at, kind in links:
            wire(origin, slot, target, at, kind)
        inputs: list[dict[str, Any]] = []
        for slot, door in enumerate(self.doors):
            numbers = [
                wire(_INPUT, slot, node["id"], _slot(node["inputs"], name), door.kind) for node, name in door.feeds
            ]
            shown = door_of(door) | {"id": self._id("input", door.name), "linkIds": numbers}
            inputs.append({k: v for k, v in shown.items() if k != "widget"} | {"pos": [left - 120, top + 20 * slot]})
        outputs: list[dict[str, Any]] = []
        for slot, (name, node, output) in enumerate(self.results):
            kind = _kind_of(node, output)
            number = wire(node["id"], _slot(node["outputs"], output), _OUTPUT, slot, kind)
            made = {"id": self._id("output", name), "name": name, "type": kind, "linkIds": [number]}
            outputs.append(made | {"pos": [right + 120, top + 20 * slot]})
        return {
            "id": self._id(),
            "version": 1,
            "state": {
                "lastGroupId": len(groups),
                "lastNodeId": max(kept),
                "lastLinkId": len(wires),
                "lastRerouteId": 0,
            },
            "revision": 0,
            "config": {},
            "name": self.title,
            "inputNode": {"id": _INPUT, "bounding": [left - 280, top, 160, 40 + 20 * len(inputs)]},
            "outputNode": {"id": _OUTPUT, "bounding": [right + 100, top, 130, 40 + 20 * len(outputs)]},
            "inputs": inputs,
            "outputs": outputs,
            "widgets": [],
            "nodes": sorted(nodes, key=lambda node: node["id"]),
            "groups": groups,
            "links": wires,
            "extra": {},
        }


def _laid_out(nodes: list[Node], links: list[list[Any]]) -> list[dict[str, Any]]:
    """Gives nodes their places and colours -> the groups around them."""
    for node in nodes:
        dress(node)
    groups, _ = lay_nodes({"nodes": nodes, "links": [link[:6] for link in links]})
    for item in groups:
        item["color"], item["font_size"] = GROUP_COLOURS[item["title"].rstrip(" 0123456789")], 24
    return groups


def door_of(door: _Door) -> dict[str, Any]:
    """An input as files have it."""
    named = {"name": door.name, "type": door.kind} | ({"label": door.label} if door.label else {})
    return named | ({"widget": {"name": door.name}} if door.widget else {})


def _socket(node: Node, name: str) -> None:
    """The node's input of that name, made where it is a widget as yet."""
    if any(item["name"] == name for item in node.setdefault("inputs", [])):
        return
    if name in dict(widgets_of(node["type"])):
        kind = CONTRACT[node["type"]]["inputs"][name]["type"] if node["type"] in CONTRACT else _hosts_kind(name)
        node["inputs"].append({"name": name, "type": kind, "link": None, "widget": {"name": name}})
    else:
        kind = dict(sockets_of(node["type"])[0])[name]
        node["inputs"].append({"name": name, "type": kind, "link": None})


def _hosts_kind(name: str) -> str:
    return "INT" if name in ("width", "height") else "STRING"


def _slot(items: list[dict[str, Any]], name: str) -> int:
    return next(slot for slot, item in enumerate(items) if item["name"] == name)


def _kind_of(node: Node, output: str) -> str:
    return str(node["outputs"][_slot(node["outputs"], output)]["type"])
