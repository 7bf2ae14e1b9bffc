"""Which inputs of a node are widgets, and which entry of ``widgets_values`` belongs to which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

WIDGET_TYPES = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"})
# Values of the widget that front ends add behind a seed. It is saved in widgets_values and is no input of the node.
SEED_CONTROLS = frozenset({"fixed", "increment", "decrement", "randomize", "increment-wrap"})
SEED_NAMES = frozenset({"seed", "noise_seed"})
_UPLOADS = ("image_upload", "video_upload", "animated_image_upload")


@dataclass(frozen=True)
class Widget:
    """One widget: its type word, its options of /object_info and, for a COMBO, the choices. ``name`` "" is a filler
    that takes a place in widgets_values but is no input."""

    name: str
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[Any, ...] = ()

    @property
    def default(self) -> Any:
        """What a front end shows in a new node."""
        if "default" in self.options:
            return self.options["default"]
        if self.choices:
            return self.choices[0]
        return {"INT": 0, "FLOAT": 0.0, "BOOLEAN": False}.get(self.kind, "")

    @property
    def may_have_control(self) -> bool:
        """Whether some front end puts a seed control behind this widget.

        Older ones (the pip host's) go by the name only, newer ones by the option ``control_after_generate`` first.
        """
        if self.options.get("control_after_generate"):
            return True
        return self.kind == "INT" and self.name in SEED_NAMES


def widgets_of(info: Mapping[str, Any], node: Mapping[str, Any]) -> list[Widget]:
    """Widgets of a node class (one entry of /object_info) in the order of its widgets_values.

    ``node``, from the workflow, may name widgets of types that only a newer front end knows.
    """
    declared = info.get("input") or {}
    order = info.get("input_order") or {}
    marked = {str(s["widget"].get("name")) for s in node.get("inputs") or [] if isinstance(s.get("widget"), dict)}
    widgets: list[Widget] = []
    for group in ("required", "optional"):
        specs: Mapping[str, Any] = declared.get(group) or {}
        names = [name for name in order.get(group) or specs if name in specs]
        upload = False
        for name in names:
            widget = _widget(name, specs[name], name in marked)
            if widget is not None:
                widgets.append(widget)
                upload = upload or any(widget.options.get(key) for key in _UPLOADS)
        if upload and group == "required":
            # The upload button stands behind the required widgets and is saved like a value.
            widgets.append(Widget("", "BUTTON"))
    return widgets


def _widget(name: str, spec: Sequence[Any], marked: bool) -> Widget | None:
    kind = spec[0]
    options: Mapping[str, Any] = spec[1] if len(spec) > 1 and isinstance(spec[1], dict) else {}
    if options.get("forceInput"):
        return None
    if isinstance(kind, list):
        return Widget(name, "COMBO", options, tuple(kind))
    kind = str(options.get("widgetType") or kind)
    if kind == "COMBO":
        return Widget(name, "COMBO", options, tuple(options.get("options") or ()))
    return Widget(name, kind, options) if kind in WIDGET_TYPES or marked else None


def values_of(widgets: Sequence[Widget], saved: Any) -> dict[str, Any]:
    """Widget name -> value from a node's ``widgets_values`` (a list by position, or a dict by name).

    What the file does not hold (a widget newer than the file) gets its default. A seed's control value is recognised
    by being one of its words, so files from both kinds of front end, and files without one, are read right.
    """
    if isinstance(saved, dict):
        return {w.name: saved.get(w.name, w.default) for w in widgets if w.name}
    left: list[Any] = list(saved or [])
    found: dict[str, Any] = {}
    for number, widget in enumerate(widgets):
        following = widgets[number + 1 :]
        value = left.pop(0) if left else None
        if widget.name:
            found[widget.name] = widget.default if value is None else value
        if widget.may_have_control and left and _is_control(left, following):
            left.pop(0)
            if widget.kind == "COMBO" and len(left) > len(following) and isinstance(left[0], str):
                left.pop(0)  # combos get a filter text behind their control
    return found


def _is_control(left: Sequence[Any], following: Sequence[Widget]) -> bool:
    if not isinstance(left[0], str) or left[0] not in SEED_CONTROLS:
        return False
    if not following or len(left) > len(following):
        return True
    # The word could be the next widget's own value only if that widget takes it.
    return not (following[0].kind == "STRING" or left[0] in following[0].choices)
