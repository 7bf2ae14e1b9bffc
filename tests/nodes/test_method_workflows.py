"""Templates of published methods: what their widgets say is what the table of methods says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers import hosting  # noqa: F401  (which imports the host as tests need it)
from helpers.scripts import script
from syncpack.nodes import NODE_CLASS_MAPPINGS
from syncpack.nodes.sampling.plan import PLAN_INPUTS, PLAN_OPTIONS, PlanWishes
from syncpack.sync_core.presets import PRESETS, Preset

pytestmark = pytest.mark.host

ROOT = Path(__file__).resolve().parents[2]
each_method = pytest.mark.parametrize("method", PRESETS, ids=lambda method: method.name)


def nodes(method: Preset) -> list[tuple[str, dict[str, Any]]]:
    """(type, widgets by name) of the pack's nodes in a method's template, and of the host's that the script knows."""
    graph = json.loads((ROOT / "workflows" / f"{method.workflow}.json").read_text(encoding="utf-8"))
    named = script("workflow_graphs").widget_values
    known = {*NODE_CLASS_MAPPINGS, "ControlNetApplyAdvanced"}
    return [(node["type"], named(node)) for node in graph["nodes"] if node["type"] in known]


def plan_of(widgets: dict[str, Any]) -> Any:
    wished = {k: widgets[k] for k in (*PLAN_INPUTS, *PLAN_OPTIONS) if k in PlanWishes.__dataclass_fields__}
    return PlanWishes(**wished).plan()


@each_method
def test_a_sampler_of_the_template_has_the_settings(method: Preset) -> None:
    samplers = [widgets for kind, widgets in nodes(method) if kind == "SyncTweediesSampler"]
    assert samplers
    said = [(plan_of(w), w["steps"], w["cfg"], w["sampler_name"], w["denoise"]) for w in samplers]
    assert (method.plan, method.steps, method.cfg, method.sampler, method.denoise) in said


@each_method
def test_other_nodes_of_the_template_say_what_the_table_says(method: Preset) -> None:
    others = [widgets for kind, widgets in nodes(method) if kind != "SyncTweediesSampler"]
    missing = {k: v for k, v in method.views.items() if not any(k in w and w[k] == v for w in others)}
    assert missing == {}


@each_method
def test_what_steers_is_wired_as_published(method: Preset) -> None:
    if method.steering is None:
        return
    parts = {"StructureLock": lambda value: value, "SyncCoherence": lambda value: value.pull}
    parts["SyncEdit"] = lambda value: value.edit
    parts["SyncVisits"] = lambda value: value
    found = []
    for kind, widgets in nodes(method):
        if kind in parts:
            node, given = NODE_CLASS_MAPPINGS[kind](), {k: v for k, v in widgets.items() if not k.startswith("after ")}
            found.append(parts[kind](getattr(node, node.FUNCTION)(**given)[0]))
    assert method.steering in found


def test_the_templates_are_what_the_script_writes() -> None:
    for name, text in script("make_methods").texts().items():
        assert (ROOT / "workflows" / f"{name}.json").read_text(encoding="utf-8") == text, "run docs/make_methods.py"


def test_templates_for_other_models_are_what_their_script_writes() -> None:
    for name, text in script("make_model_templates").texts().items():
        path = ROOT / "workflows" / f"{name}.json"
        assert path.read_text(encoding="utf-8") == text, "run docs/make_model_templates.py"


def test_people_can_read_the_table() -> None:
    assert (ROOT / "docs" / "published.md").read_text(encoding="utf-8") == script("make_methods").table()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [method.workflow for method in PRESETS if f"`{method.workflow}`" not in readme] == []
