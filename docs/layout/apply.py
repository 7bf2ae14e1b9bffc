"""A workflow's file laid out: notes, places, colours, groups, routes, models, title and description."""

from __future__ import annotations

import json
from typing import Any

from .looks import GROUP_COLOURS, dress
from .models import need
from .place import lay_nodes
from .routes import lay_links
from .titles import entitle


def lay_out(data: dict[str, Any], name: str) -> str:
    """Change a workflow in place; answers the text of its file."""
    for node in data["nodes"]:
        if node["type"] == "Note":
            node["type"] = "MarkdownNote"
        dress(node)
        need(node)
    groups, tops = lay_nodes(data)
    for item in groups:
        item["color"] = GROUP_COLOURS[item["title"].rstrip(" 0123456789")]
        item["font_size"] = 24
    data["groups"] = groups
    lay_links(data, tops)
    entitle(data, name)
    number(data)
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def number(data: dict[str, Any]) -> None:
    """Nodes numbered in an order in which they can run."""
    done: set[int] = set()
    waiting = list(data["nodes"])
    order = 0
    while waiting:
        ready = next(n for n in waiting if all(link[1] in done for link in data["links"] if link[3] == n["id"]))
        ready["order"] = order
        order += 1
        done.add(ready["id"])
        waiting.remove(ready)
