"""Wrappers: the host's way to put something around a model, on releases that have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    import comfy.patcher_extension as patcher_extension
except ImportError:  # 2024: models cannot carry wrappers
    patcher_extension = None

HAS_WRAPPERS = patcher_extension is not None
WRAPPER_KEY = "sync_tweedies"


def add_wrapper(model: Any, kind: str, wrapper: Callable[..., Any]) -> None:
    """Register one of the host's wrappers on a (cloned) model, replacing ours if it is there already."""
    assert patcher_extension is not None
    wrapper_type = getattr(patcher_extension.WrappersMP, kind)
    model.remove_wrappers_with_key(wrapper_type, WRAPPER_KEY)
    model.add_wrapper_with_key(wrapper_type, WRAPPER_KEY, wrapper)


def with_wrapper(model_options: dict[str, Any], kind: str, wrapper: Callable[..., Any]) -> dict[str, Any]:
    """A copy of model_options that carries one more wrapper for this run only."""
    assert patcher_extension is not None
    wrapper_type = getattr(patcher_extension.WrappersMP, kind)
    options = dict(model_options)
    transformer = dict(options.get("transformer_options", {}))
    wrappers = {k: dict(v) for k, v in transformer.get("wrappers", {}).items()}
    wrappers.setdefault(wrapper_type, {})[WRAPPER_KEY] = [wrapper]
    transformer["wrappers"] = wrappers
    options["transformer_options"] = transformer
    return options


def has_wrapper(model_options: dict[str, Any], kind: str) -> bool:
    """Whether model_options carry wrappers of that kind; False where the host has none, or not this kind."""
    wrapper_type = getattr(getattr(patcher_extension, "WrappersMP", None), kind, None)
    wrappers = model_options.get("transformer_options", {}).get("wrappers", {})
    return wrapper_type is not None and any(wrappers.get(wrapper_type, {}).values())
