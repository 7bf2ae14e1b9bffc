"""Whether a tile's recipe still fits its workflow: nodes, inputs and choices that it names. Needs no host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .recipe import Tile, is_wire

ROOT = Path(__file__).resolve().parents[2]
_CONTRACT: dict[str, Any] = json.loads((ROOT / "tests" / "data" / "node_contract.json").read_text(encoding="utf-8"))


def faults(tile: Tile) -> list[str]:
    """What a recipe names and what is not there."""
    path = ROOT / "workflows" / f"{tile.workflow}.json"
    if not path.is_file():
        return [f"no workflow {tile.workflow}"]
    nodes = json.loads(path.read_text(encoding="utf-8"))["nodes"]
    kinds = {str(node["id"]): str(node["type"]) for node in nodes}
    titles = {str(node["id"]): str(node.get("title") or _display(node["type"])) for node in nodes}
    kinds |= {key: node.kind for key, node in tile.more.items()}
    found: list[str] = []
    for text in tile.set:
        target, _, value = text.partition("=")
        node, _, name = target.rpartition(".")
        key = _key(node, kinds, titles)
        if key is None:
            found.append(f"{text}: no node or several are called {node}")
        else:
            found += [f"{text}: {fault}" for fault in _input(kinds[key], name, value)]
    for target, source in tile.wires.items():
        node, _, name = target.rpartition(".")
        key = _key(node, kinds, titles)
        found += [f"{target}: no such node"] if key is None else [f"{target}: {f}" for f in _input(kinds[key], name)]
        found += _output(source, kinds)
    for key, node in tile.more.items():
        for name, value in node.inputs.items():
            wire = isinstance(value, str) and is_wire(value)
            found += [f"{key}: {fault}" for fault in _input(node.kind, name, None if wire else str(value))]
            found += _output(str(value), kinds) if wire else []
    return found + _output(tile.show, kinds)


def _display(kind: str) -> str:
    return _CONTRACT.get(kind, {}).get("display_name", kind)


def _key(node: str, kinds: dict[str, str], titles: dict[str, str]) -> str | None:
    """As launcher/overrides.py finds a node: by its id, its title, its type; only one may fit."""
    if node in kinds:
        return node
    titled = [key for key, title in titles.items() if title == node]
    fitting = titled or [key for key, kind in kinds.items() if kind == node]
    return fitting[0] if len(fitting) == 1 else None


def _input(kind: str, name: str, value: str | None = None) -> list[str]:
    if kind not in _CONTRACT:
        return []  # a node of the host's
    entry = _CONTRACT[kind]["inputs"].get(name)
    if entry is None:
        return [f"{kind} has no input {name}"]
    choices = entry.get("choices")
    if value is not None and isinstance(choices, list) and value not in choices:
        return [f"{kind}.{name} has no choice {value}"]
    return []


def _output(source: str, kinds: dict[str, str]) -> list[str]:
    key, _, slot = source.rpartition(".")
    if key not in kinds or not slot.isdigit():
        return [f"no output {source}"]
    outputs = _CONTRACT.get(kinds[key], {}).get("outputs")
    return [f"{kinds[key]} has no output {slot}"] if outputs is not None and int(slot) >= len(outputs) else []
