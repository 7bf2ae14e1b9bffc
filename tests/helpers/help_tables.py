"""The lists of inputs and outputs in a node's help page, made from the node itself.

A line each, no table: the host's side panel is 240 to 400 pixels wide, and what has columns is cut there, or so narrow
that nobody reads it.
"""

from __future__ import annotations

import re
from typing import Any

_HEAD = re.compile(r"## Inputs\n.*?(?=\n## (?!Outputs)|\Z)", re.S)


def tables(node: Any, hosts_lists: tuple[list[str], ...]) -> str:
    """Sections "Inputs" and "Outputs" of a help page. hosts_lists: choices that are the host's, and differ by host."""
    lines = ["## Inputs", ""]
    groups = node.INPUT_TYPES()
    for group in ("required", "optional"):
        for name, (kind, options) in groups.get(group, {}).items():
            lines.append(_line(name, kind, options, group == "required", hosts_lists))
    lines += ["", "## Outputs", ""]
    names = getattr(node, "RETURN_NAMES", None) or node.RETURN_TYPES
    for name, kind, tooltip in zip(names, node.RETURN_TYPES, node.OUTPUT_TOOLTIPS, strict=True):
        lines.append(f"- `{name}`{'' if name == kind else f' ({kind})'}: {tooltip}")
    return "\n".join(lines) + "\n"


def _line(name: str, kind: Any, options: dict[str, Any], required: bool, hosts_lists: tuple[list[str], ...]) -> str:
    default, told = options.get("default"), ""
    if isinstance(kind, list):
        default = options.get("default", kind[0] if kind else None)
        if kind in hosts_lists or not kind:
            default, told = options.get("default"), "The host's choices"
        elif len(kind) < 9:
            told = ", ".join(f"{word} (the default)" if word == default else str(word) for word in kind)
            default = None
        else:
            told = f"{len(kind)} choices"
    elif "min" in options:
        told = f"{_short(options['min'])} to {_short(options['max'])}"
    shown = "" if default is None else str(default).replace("\n", " / ")
    facts = " ".join(f"{part}." for part in (f"Default {shown}" if shown else "", told) if part)
    words = [word for word in ("" if isinstance(kind, list) else str(kind), "" if required else "optional") if word]
    kinds = f" ({', '.join(words)})" if words else ""
    return f"- `{name}`{kinds}: {options['tooltip']}{f' *{facts}*' if facts else ''}"


def _short(value: float) -> str:
    """Twenty digits would be wider than the panel."""
    return "2^64 - 1" if value == 2**64 - 1 else str(value)


def with_tables(page: str, made: str) -> str:
    """A help page with its two lists replaced. Raises ValueError for a page that has none."""
    if not _HEAD.search(page):
        raise ValueError("the page has no section '## Inputs'")
    return _HEAD.sub(lambda _: made, page)
