"""The tables of inputs and outputs in a node's help page, made from the node itself."""

from __future__ import annotations

import re
from typing import Any

_HEAD = re.compile(r"## Inputs\n.*?(?=\n## (?!Outputs)|\Z)", re.S)


def tables(node: Any, hosts_lists: tuple[list[str], ...]) -> str:
    """Sections "Inputs" and "Outputs" of a help page. hosts_lists: choices that are the host's, and differ by host."""
    lines = [
        "## Inputs",
        "",
        "| Parameter | Description | Type | Required | Default | Range |",
        "|---|---|---|---|---|---|",
    ]
    groups = node.INPUT_TYPES()
    for group in ("required", "optional"):
        for name, (kind, options) in groups.get(group, {}).items():
            lines.append(_row(name, kind, options, group == "required", hosts_lists))
    lines += ["", "## Outputs", "", "| Output | Description | Type |", "|---|---|---|"]
    names = getattr(node, "RETURN_NAMES", None) or node.RETURN_TYPES
    for name, kind, tooltip in zip(names, node.RETURN_TYPES, node.OUTPUT_TOOLTIPS, strict=True):
        lines.append(f"| `{name}` | {tooltip} | {kind} |")
    return "\n".join(lines) + "\n"


def _row(name: str, kind: Any, options: dict[str, Any], required: bool, hosts_lists: tuple[list[str], ...]) -> str:
    default, span = options.get("default", ""), ""
    if isinstance(kind, list):
        if kind in hosts_lists or not kind:
            span = "the host's"
        else:
            span = ", ".join(kind) if len(kind) < 9 else f"{len(kind)} choices"
            default = options.get("default", kind[0])
    elif "min" in options:
        span = f"{options['min']} to {options['max']}"
    shown = str(default).replace("\n", " / ")
    return (
        f"| `{name}` | {options['tooltip']} | {'COMBO' if isinstance(kind, list) else kind} | "
        f"{'yes' if required else 'no'} | {shown if shown != '' else '-'} | {span or '-'} |"
    )


def with_tables(page: str, made: str) -> str:
    """A help page with its two tables replaced. Raises ValueError for a page that has none."""
    if not _HEAD.search(page):
        raise ValueError("the page has no section '## Inputs'")
    return _HEAD.sub(lambda _: made, page)
