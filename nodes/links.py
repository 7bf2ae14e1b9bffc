"""Inputs that may be linked where a widget stands, and what can be said of inputs before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def links_fit(node: Any, received: dict[str, Any] | None, *texts: str) -> str:
    """Why a link does not fit its input; empty when all do.

    For a VALIDATE_INPUTS that takes ``input_types``, which ends the host's own check of types: the inputs ``texts``,
    lists of choices, then take text as well. received: type of what is linked, by input; None on hosts that do not say.
    """
    groups = node.INPUT_TYPES()
    kinds = {name: spec[0] for group in ("required", "optional") for name, spec in groups.get(group, {}).items()}
    for name, got in (received or {}).items():
        wanted = kinds.get(name)
        if wanted is None or (name in texts and _fits(got, "STRING")) or _fits(got, wanted):
            continue
        return f"{name} takes {'COMBO' if isinstance(wanted, list) else wanted}, and {got} is linked to it"
    return ""


def file_fits(
    node: Any, check: Callable[..., Any], file: str | None, given: bool, received: dict[str, Any] | None
) -> bool | str:
    """VALIDATE_INPUTS of a node that takes a ``file`` of a list, or one that another node gives: True, or why not.

    check: raises ValueError for a file that cannot be read; not asked where it is linked (None: not known yet) or where
    another node's file is ``given``. received: as ``links_fit`` takes it.
    """
    return links_fit(node, received, "file") or file is None or given or said(check, file)


def _fits(got: Any, wanted: Any) -> bool:
    """As the host sees it: commas make unions; '*', and types of newer nodes that follow others', fit all."""
    if got == wanted or any("*" in str(kind) or "MATCHTYPE" in str(kind) for kind in (got, wanted)):
        return True
    if isinstance(wanted, list) or isinstance(got, list):
        return (isinstance(got, list) and isinstance(wanted, list)) or "COMBO" in (got, wanted)
    return bool({t.strip() for t in str(got).split(",")} & {t.strip() for t in str(wanted).split(",")})


def said(check: Callable[..., Any], *values: Any) -> bool | str:
    """What a check has to say as a host wants to hear it before a run: True, or the sentence."""
    try:
        check(*values)
    except ValueError as error:
        return str(error)
    return True
