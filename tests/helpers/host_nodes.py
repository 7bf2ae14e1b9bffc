"""The host's own nodes, run as its executor runs them, whichever kind they are and wherever a host keeps them."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from helpers.hosting import host_module


def node_class(module: str, name: str) -> Any:
    """The class of a node in comfy_extras.nodes_<module>, or wherever else this host keeps it; skips the test where it
    has none."""
    try:
        found = _extras(f"nodes_{module}")
    except ModuleNotFoundError:
        return find_node(name)
    return getattr(found, name) if hasattr(found, name) else find_node(name)


def find_node(name: str) -> Any:
    """The class of a node, in whichever file of comfy_extras; skips the test where the host has none."""
    for path in _files():
        if re.search(rf"^class {name}\b", path.read_text(encoding="utf-8"), re.M):
            return getattr(_extras(path.stem), name)
    pytest.skip(f"this host has no {name}")


def _extras(stem: str) -> ModuleType:
    return host_module(f"comfy_extras.{stem}", f"comfy_extras.nodes.{stem}")


def _files() -> list[Path]:
    package = host_module("comfy_extras", "comfy_extras.nodes")
    return sorted(path for folder in package.__path__ for path in Path(folder).glob("nodes_*.py"))


def outputs_of(node: Any, **inputs: Any) -> Any:
    if not hasattr(node, "define_schema"):
        return getattr(node(), node.FUNCTION)(**inputs)
    # (as the executor does: a class of its own, with what is hidden)
    ready = node.PREPARE_CLASS_CLONE(None) if hasattr(node, "PREPARE_CLASS_CLONE") else node
    return ready.execute(**inputs)


def run_host_node(module: str, name: str, **inputs: Any) -> Any:
    """The first output of a node."""
    return outputs_of(node_class(module, name), **inputs)[0]


def run_found(name: str, **inputs: Any) -> Any:
    """All outputs of a node wherever the host keeps it; what is not given has the default of its widget."""
    node = find_node(name)
    return outputs_of(node, **{**defaults_of(node), **inputs})


def shown_by(name: str, **inputs: Any) -> dict[str, Any]:
    """What a node hands to the front end."""
    found = run_found(name, **inputs)
    return found["ui"] if isinstance(found, dict) else found.ui


def defaults_of(node: Any) -> dict[str, Any]:
    """What widgets hold before a user touches them. A choice with widgets of its own is a dictionary, as the executor
    makes it."""
    if not hasattr(node, "define_schema"):
        return {}
    return {i.id: _default(i) for i in _schema(node).inputs if _default(i) is not None}


def _default(made: Any) -> Any:
    options = getattr(made, "options", None)
    if options and hasattr(options[0], "inputs"):
        return {made.id: options[0].key, **{i.id: _default(i) for i in options[0].inputs}}
    if options:
        return getattr(made, "default", None) or options[0]
    return {} if made.get_io_type() == "LOAD_3D" else getattr(made, "default", None)


def _schema(node: Any) -> Any:
    return node.GET_SCHEMA() if hasattr(node, "GET_SCHEMA") else node.define_schema()


def nodes_that_take(mark: re.Pattern[str]) -> dict[str, set[str]]:
    """Ids of nodes of this kind of host (with schemas) with an input whose type matches, and those types. Inputs that
    grow with what is connected count too."""
    found: dict[str, set[str]] = {}
    for path in _files():
        if not mark.search(path.read_text(encoding="utf-8")):
            continue
        for node in _nodes_of(path.stem):
            kinds = {kind for made in _schema(node).inputs for kind in _kinds(made) if mark.search(kind)}
            if kinds:
                found[_schema(node).node_id] = kinds
    return found


def _nodes_of(stem: str) -> Iterator[Any]:
    module = _extras(stem)
    if not hasattr(module, "comfy_entrypoint"):
        return
    made = module.comfy_entrypoint()
    extension = asyncio.run(made) if inspect.iscoroutine(made) else made
    yield from asyncio.run(extension.get_node_list())


def _kinds(made: Any) -> set[str]:
    template = getattr(made, "template", None)
    grown = _kinds(template.input) if hasattr(template, "input") else set()
    chosen = {
        kind for o in getattr(made, "options", None) or () for i in getattr(o, "inputs", ()) for kind in _kinds(i)
    }
    return {*str(made.get_io_type()).split(","), *grown, *chosen}


def base_node(name: str) -> Any:
    """A node of the host's main file."""
    return getattr(host_module("nodes", "comfy.nodes.base_nodes"), name)
