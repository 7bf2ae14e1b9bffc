"""``--set NODE.INPUT=VALUE``: change widgets of a converted workflow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .errors import UsageError
from .workflow_format import ApiPrompt


@dataclass(frozen=True)
class Override:
    """``node`` is an id or a title, ``name`` a widget; ``text`` is what was typed, for messages."""

    node: str
    name: str
    value: Any
    text: str


def parse(text: str) -> Override:
    """'KSampler.steps=5' or '12.seed=3'. The value is read as JSON when possible, else kept as text.

    The node part may hold dots: the last dot before the first '=' counts. Raises UsageError.
    """
    words, equals, value = text.partition("=")
    try:
        node, name = target(words)
    except UsageError:
        equals = node = name = ""
    if not equals:
        raise UsageError(f"--set {text}: NODE.INPUT=VALUE was expected, for example KSampler.steps=5")
    return Override(node, name, value_of(value.strip()), f"--set {text}")


def target(words: str) -> tuple[str, str]:
    """'KSampler.steps' -> (node, widget). The node may hold dots: the last one counts. Raises UsageError."""
    node, dot, name = words.strip().rpartition(".")
    if not (dot and node.strip() and name.strip()):
        raise UsageError(f"{words}: NODE.INPUT was expected, for example KSampler.steps")
    return node.strip(), name.strip()


def value_of(text: str) -> Any:
    """A typed value: as JSON when it is some, else the text itself."""
    if text in ("True", "False"):  # as Python users write it; a host would take any other text as true
        return text == "True"
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return text


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")  # Python's json would read NaN and Infinity, a host's does not


def apply(prompt: ApiPrompt, overrides: Sequence[Override]) -> set[str]:
    """Change ``prompt`` in place; returns the texts of the overrides whose node this workflow has.

    An overridden widget that was fed by a wire is cut from it. Raises UsageError when a title is ambiguous or the node
    has no such widget.
    """
    used: set[str] = set()
    for override in overrides:
        keys = matching(prompt, override.node)
        if not keys:
            continue
        if len(keys) > 1:
            raise UsageError(f"{override.text}: several nodes are called that, use an id: {', '.join(keys)}")
        widgets = prompt.widgets[keys[0]]
        if override.name not in widgets or not override.name:
            names = ", ".join(name for name in widgets if name) or "none"
            raise UsageError(f"{override.text}: node {keys[0]} has no widget {override.name!r}; it has: {names}")
        prompt.nodes[keys[0]]["inputs"][override.name] = override.value
        used.add(override.text)
    return used


def matching(prompt: ApiPrompt, node: str) -> list[str]:
    if node in prompt.nodes:
        return [node]
    titled = [key for key, title in prompt.titles.items() if title == node]
    return titled or [key for key, body in prompt.nodes.items() if body["class_type"] == node]


def unmatched(overrides: Sequence[Override], used: set[str], prompts: Sequence[ApiPrompt]) -> None:
    """Raises UsageError for an override that none of the workflows had a node for, naming the nodes there are."""
    names = dict.fromkeys(f"{key} ({title})" for prompt in prompts for key, title in prompt.titles.items())
    for override in overrides:
        if override.text not in used:
            known = ", ".join(names) or "none"
            raise UsageError(f"{override.text}: no node has the id or title {override.node!r}; there is: {known}")
