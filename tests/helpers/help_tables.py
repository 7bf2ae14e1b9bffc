"""The tables of inputs and outputs in a node's help page, made from the node itself.

Two columns: the host's side panel is 300 pixels wide, and cuts off what does not fit.
"""

from __future__ import annotations

import re
from typing import Any

_HEAD = re.compile(r"## Inputs\n.*?(?=\n## (?!Outputs)|\Z)", re.S)


def tables(node: Any, hosts_lists: tuple[list[str], ...]) -> str:
    """Sections "Inputs" and "Outputs" of a help page. hosts_lists: choices that are the host's, and differ by host."""
    lines = ["## Inputs", "", "| Input | What it does |", "|---|---|"]
    groups = node.INPUT_TYPES()
    for group in ("required", "optional"):
        for name, (kind, options) in groups.get(group, {}).items():
            lines.append(_row(name, kind, options, group == "required", hosts_lists))
    lines += ["", "## Outputs", "", "| Output | What it is |", "|---|---|"]
    names = getattr(node, "RETURN_NAMES", None) or node.RETURN_TYPES
    for name, kind, tooltip in zip(names, node.RETURN_TYPES, node.OUTPUT_TOOLTIPS, strict=True):
        lines.append(f"| `{name}`{'' if name == kind else f'<br>{kind}'} | {tooltip} |")
    return "\n".join(lines) + "\n"


def _row(name: str, kind: Any, options: dict[str, Any], required: bool, hosts_lists: tuple[list[str], ...]) -> str:
    chosen = isinstance(kind, list)
    default, span = options.get("default"), ""
    if chosen:
        if kind in hosts_lists or not kind:
            span = "The host's choices"
        else:
            default = options.get("default", kind[0])
            named = ", ".join(f"{word} (the default)" if word == default else word for word in kind)
            span, default = (named, None) if len(kind) < 9 else (f"{len(kind)} choices", default)
    elif "min" in options:
        span = f"{options['min']} to {options['max']}"
    shown = "" if default is None else str(default).replace("\n", " / ")
    told = " ".join(f"{part}." for part in (f"Default {shown}" if shown else "", span) if part)
    words = ("" if chosen else str(kind), "" if required else "optional")
    below = ", ".join(word for word in words if word)
    return f"| `{name}`{f'<br>{below}' if below else ''} | {options['tooltip']}{f' *{told}*' if told else ''} |"


def with_tables(page: str, made: str) -> str:
    """A help page with its two tables replaced. Raises ValueError for a page that has none."""
    if not _HEAD.search(page):
        raise ValueError("the page has no section '## Inputs'")
    return _HEAD.sub(lambda _: made, page)
