"""Reports that go to the front end: which nodes, and that nothing else changes."""

import inspect

import pytest
from helpers.hosting import host  # noqa: F401  (skips where there is no host)
from syncpack.nodes import NODE_CLASS_MAPPINGS
from syncpack.nodes.said import readable

pytestmark = pytest.mark.host


class Plain:
    RETURN_TYPES = ("INT", "STRING")
    RETURN_NAMES = ("number", "report")
    FUNCTION = "count"

    def count(self, number: int, more: int = 1):
        return number + more, f"{number} and {more}"


def test_a_report_is_shown_and_passed_on():
    node = readable(Plain)
    run = getattr(node(), node.FUNCTION)
    assert run(number=2) == {"ui": {"report": ["2 and 1"]}, "result": (3, "2 and 1")}
    assert list(inspect.signature(getattr(node, node.FUNCTION)).parameters) == ["self", "number", "more"]
    assert node.__name__ == "Plain" and Plain().count(2) == (3, "2 and 1"), "the node itself is as it was"


def test_a_node_without_a_report_is_left_alone():
    other = type("Other", (Plain,), {"RETURN_NAMES": ("number", "name")})
    assert readable(other) is other


def test_every_node_with_a_report_shows_it():
    reporting = {name for name, node in NODE_CLASS_MAPPINGS.items() if "report" in getattr(node, "RETURN_NAMES", ())}
    assert {"SyncTweediesLoadMesh", "SyncTweediesUnwrap", "OrbitRig", "SyncTweediesLoadSplats"} <= reporting
    assert all(NODE_CLASS_MAPPINGS[name].FUNCTION == "run_readable" for name in reporting)
