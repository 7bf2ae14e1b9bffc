"""What hosts read of nodes today ("V1"): attributes of classes, inputs as a dictionary, nodes by id.

The only file that knows these words; a schema of newer hosts would be another one beside it.
"""

# pyright: strict
from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from .declare import LINKED, Choice, Input, Node, Number, Shown, Socket, Switch, Text, Unless, Whole

PACK = "SyncTweedies"
# Types that have a widget unless they are told not to.
_WIDGETS = ("STRING", "INT", "FLOAT", "BOOLEAN")
Specification = tuple[str | list[str], dict[str, Any]]


def mappings(rooms: Iterable[Iterable[type]]) -> tuple[dict[str, type], dict[str, str]]:
    """(Nodes by id, shown names by id) of rooms of nodes. Raises ValueError for a node of which there are two, and for
    a class that is not declared."""
    nodes: dict[str, type] = {}
    names: dict[str, str] = {}
    for node in (node for room in rooms for node in room):
        declaration = getattr(node, "DECLARATION", None)
        if not isinstance(declaration, Node):
            raise ValueError(f"{node.__name__} is no node; declare it with @Node(...)")
        if node.__name__ in nodes or declaration.name in names.values():
            raise ValueError(f"there are two nodes {node.__name__} ({declaration.name}); list each once")
        for name, value in _attributes(declaration, node).items():
            setattr(node, name, value)
        nodes[node.__name__], names[node.__name__] = node, declaration.name
    return nodes, names


def input_types(declaration: Node) -> dict[str, dict[str, Any]]:
    """The inputs of a node as INPUT_TYPES gives them."""
    groups: dict[str, dict[str, Any]] = {
        "required": {name: specification(value) for name, value in declaration.inputs.items()},
        "optional": {name: specification(value) for name, value in declaration.optional.items()},
        "hidden": dict(declaration.hidden),
    }
    return {name: group for name, group in groups.items() if group or name == "required"}


def specification(value: Input) -> Specification:
    """An input as a pair of its type (a list: choices) and its options, of which only those that say something."""
    options: dict[str, Any]
    match value:
        case Socket(kind=kind):
            options = {"forceInput": kind in _WIDGETS or None}
        case Number(default=default, low=low, high=high):
            kind = value.kind
            options = {"default": float(default), "min": float(low), "max": float(high)}
            options |= {"step": float(value.step), "round": value.round}
        case Whole(default=default, low=low, high=high):
            kind = value.kind
            options = {"default": default, "min": low, "max": high, "step": value.step}
            options |= {"control_after_generate": value.after_generate or None}
        case Choice(choices=choices):
            kind = list(choices() if callable(choices) else choices)
            options = {"default": value.default, "labels": dict(value.labels) or None}
        case Switch():
            kind, options = value.kind, {"default": value.default}
        case Text():
            kind, options = value.kind, {"default": value.default}
            options |= {"multiline": value.multiline or None, "dynamicPrompts": value.dynamic or None}
        case _:
            raise TypeError(f"{type(value).__name__} is no kind of input that the host knows")
    options |= {"tooltip": value.tooltip, "advanced": value.advanced or None}
    options |= {"shown_when": {of: _condition(shown) for of, shown in value.shown_when} or None}
    return kind, {name: option for name, option in options.items() if option is not None}


def _condition(shown: Shown) -> dict[str, Any] | list[str]:
    """What web/fold/rules.mjs reads: a list of choices, {"not": a value}, or {"linked": true}."""
    if isinstance(shown, Unless):
        return {"not": shown.value}
    return {"linked": True} if shown == LINKED else list(shown)


def _attributes(declaration: Node, node: type) -> dict[str, Any]:
    method = str(getattr(node, "RUNS", ""))
    attributes: dict[str, Any] = {
        "INPUT_TYPES": classmethod(lambda cls: input_types(declaration)),
        "RETURN_TYPES": tuple(socket.kind for socket in declaration.outputs.values()),
        "RETURN_NAMES": tuple(declaration.outputs),
        "OUTPUT_TOOLTIPS": tuple(socket.tooltip for socket in declaration.outputs.values()),
        "OUTPUT_NODE": declaration.output_node,
        "FUNCTION": method,
        "CATEGORY": f"{PACK}/{declaration.category}",
        "DESCRIPTION": " ".join((node.__doc__ or "").split()),
        "SEARCH_ALIASES": [*declaration.search, PACK.lower()],
    }
    if "report" in declaration.outputs:
        attributes |= {"FUNCTION": "run_readable", "run_readable": _readable(declaration, getattr(node, method))}
    return attributes


def _readable(declaration: Node, function: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """The function, its output ``report`` sent to the front end as well."""
    at = list(declaration.outputs).index("report")

    @functools.wraps(function)
    def run_readable(itself: Any, **inputs: Any) -> dict[str, Any]:
        result = function(itself, **inputs)
        return {"ui": {"report": [result[at]]}, "result": result}

    return run_readable
