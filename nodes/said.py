"""Reports that can be read in the node itself, not only through a link to a node that shows text."""

from __future__ import annotations

import functools
from typing import Any


def readable(node: type) -> type:
    """The node, with its output ``report``, if it has one, sent to the front end as well: ``web/reports.js`` shows it.

    ``node`` is a class with RETURN_NAMES and FUNCTION whose function returns a tuple. What it returns itself is
    unchanged; the class that comes back wraps it in what the host takes for a result with something to show.
    """
    names: tuple[str, ...] = getattr(node, "RETURN_NAMES", ())
    if "report" not in names:
        return node
    at, plain = names.index("report"), getattr(node, getattr(node, "FUNCTION"))  # noqa: B009  (the host's attribute)

    @functools.wraps(plain)
    def run(self: Any, **inputs: Any) -> dict[str, Any]:
        result = plain(self, **inputs)
        return {"ui": {"report": [result[at]]}, "result": result}

    return type(
        node.__name__, (node,), {"FUNCTION": "run_readable", "run_readable": run, "__module__": node.__module__}
    )
