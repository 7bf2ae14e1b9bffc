"""The host's own nodes, run as its executor runs them, whichever kind they are and wherever a host keeps them."""

from __future__ import annotations

from typing import Any

import pytest
from hosting import host_module


def node_class(module: str, name: str) -> Any:
    """The class of a node in comfy_extras.nodes_<module>; skips the test where the host lacks it."""
    try:
        found = host_module(f"comfy_extras.nodes_{module}", f"comfy_extras.nodes.nodes_{module}")
    except ModuleNotFoundError:
        pytest.skip(f"this host has no {name}")
    if not hasattr(found, name):
        pytest.skip(f"this host has no {name}")
    return getattr(found, name)


def outputs_of(node: Any, **inputs: Any) -> Any:
    return node.execute(**inputs) if hasattr(node, "define_schema") else getattr(node(), node.FUNCTION)(**inputs)


def run_host_node(module: str, name: str, **inputs: Any) -> Any:
    """The first output of a node."""
    return outputs_of(node_class(module, name), **inputs)[0]


def base_node(name: str) -> Any:
    """A node of the host's main file."""
    return getattr(host_module("nodes", "comfy.nodes.base_nodes"), name)
