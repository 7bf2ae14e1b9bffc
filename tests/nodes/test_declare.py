"""Declarations: what each kind of input becomes, what a declared function does, and what is refused."""

import inspect
from dataclasses import FrozenInstanceError, replace

import pytest
import torch
from helpers.hosting import host  # noqa: F401  (skips where there is no host)
from syncpack.nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS
from syncpack.nodes.declare import (
    LINKED,
    Choice,
    Input,
    Node,
    Number,
    Socket,
    Switch,
    Text,
    Unless,
    Whole,
    defaults,
)
from syncpack.nodes.host.errors import SyncError, named
from syncpack.nodes.v1 import input_types, mappings, specification

pytestmark = pytest.mark.host

NUMBER = {"default": 1.0, "min": 0.0, "max": 2.0, "step": 0.01}
EMITTED = [
    (Socket("MODEL"), "MODEL", {}),
    (Socket("STRING"), "STRING", {"forceInput": True}),
    (Socket("FILE_3D,FILE_3D_GLB"), "FILE_3D,FILE_3D_GLB", {}),
    (Number(1, 0, 2), "FLOAT", NUMBER),
    (Number(1.0, 0.0, 2.0, 0.5, round=0.001), "FLOAT", {**NUMBER, "step": 0.5, "round": 0.001}),
    (Whole(0, -1, 5), "INT", {"default": 0, "min": -1, "max": 5}),
    (Whole(64, 8, 512, 8), "INT", {"default": 64, "min": 8, "max": 512, "step": 8}),
    (Whole(0, 0, 9, after_generate=True), "INT", {"default": 0, "min": 0, "max": 9, "control_after_generate": True}),
    (Choice(("a", "b")), ["a", "b"], {}),
    (Choice({"a": 1, "b": 2}, default="b"), ["a", "b"], {"default": "b"}),
    (Choice(("a", "b"), labels=(("a", "the first"),)), ["a", "b"], {"labels": {"a": "the first"}}),
    (Switch(False).when(kind=("x", "y")), "BOOLEAN", {"default": False, "shown_when": {"kind": ["x", "y"]}}),
    (Switch(False).when(vae=LINKED), "BOOLEAN", {"default": False, "shown_when": {"vae": {"linked": True}}}),
    (Switch(False).when(times=Unless(1)), "BOOLEAN", {"default": False, "shown_when": {"times": {"not": 1}}}),
    (Switch(False), "BOOLEAN", {"default": False}),
    (Switch(True), "BOOLEAN", {"default": True}),
    (Text(), "STRING", {"default": ""}),
    (Text("x", multiline=True), "STRING", {"default": "x", "multiline": True}),
    (Text(multiline=True, dynamic=True), "STRING", {"default": "", "multiline": True, "dynamicPrompts": True}),
]


@pytest.mark.parametrize("value, kind, options", EMITTED, ids=[repr(v) for v, _, _ in EMITTED])
def test_what_an_input_becomes(value, kind, options):
    for said, more in ((value, {}), (replace(value, advanced=True), {"advanced": True})):
        found_kind, found = specification(said.says("Why."))
        assert (found_kind, found) == (kind, {**options, "tooltip": "Why.", **more})
        assert all(type(found[name]) is type(option) for name, option in options.items())
    with pytest.raises(FrozenInstanceError):
        value.tooltip = "changed"


def test_numbers_with_a_fraction_are_floats_for_the_host():
    assert all(isinstance(v, float) for k, v in specification(Number(1, 0, 2, 1))[1].items() if k != "tooltip")


def test_choices_are_looked_up_each_time():
    found = ["a"]
    choice = Choice(lambda: found)
    assert specification(choice)[0] == ["a"] and specification(choice)[0] is not found
    found.append("b")
    assert specification(choice)[0] == ["a", "b"]


def test_unknown_keys_and_kinds_are_refused():
    with pytest.raises(TypeError, match="stepp"):
        Number(1.0, 0.0, 2.0, stepp=1.0)
    with pytest.raises(TypeError, match="multi"):
        Text().given(multi=True)
    with pytest.raises(TypeError, match="Input is no kind of input"):
        specification(Input())


def test_defaults_by_name():
    assert defaults({"a": Number(1.0, 0.0, 2.0), "b": Switch(False), "c": Socket("VAE"), "d": Choice("xy")}) == {
        "a": 1.0,
        "b": False,
    }


SAID = Socket("IMAGE").says("A picture.")
DECLARED = dict(category="here", inputs={"image": SAID}, outputs={"out": SAID})


def declared(name="One Node", **changes):
    @Node(name, **{**DECLARED, **changes})
    class OneNode:
        """What it
        does."""

        def look(self, image, more=1):
            if more == 2:
                raise ValueError("two is too many")
            if more == 3:
                with named("OneNode"):
                    raise ValueError("three is too many")
            return image, more

    return OneNode


MORE = {"optional": {"more": Whole(1, 0, 9).says("How many more.")}}


def test_a_declared_node_is_what_the_host_reads():
    node = declared(**MORE, search=["glass"], output_node=True)
    nodes, names = mappings([(node,)])
    assert nodes == {"OneNode": node} and names == {"OneNode": "One Node"}
    assert node.RETURN_TYPES == ("IMAGE",) and node.RETURN_NAMES == ("out",) and node.OUTPUT_TOOLTIPS == ("A picture.",)
    assert node.CATEGORY == "SyncTweedies/here" and node.DESCRIPTION == "What it does." and node.FUNCTION == "look"
    assert node.OUTPUT_NODE is True and node.SEARCH_ALIASES == ["glass", "synctweedies"]
    assert node.INPUT_TYPES() == {
        "required": {"image": ("IMAGE", {"tooltip": "A picture."})},
        "optional": {"more": ("INT", {"default": 1, "min": 0, "max": 9, "tooltip": "How many more."})},
    }
    assert list(inspect.signature(node.look).parameters) == ["self", "image", "more"]
    picture = torch.zeros(1, 2, 2, 3)
    assert node().look(picture, 4) == (picture, 4) and node().look(image=picture) == (picture, 1)


@pytest.mark.parametrize(
    "shown",
    [
        {"kind": ("a",)},
        {"image": ("a",)},
        {"image": Unless(1)},
        {"more": LINKED},
        {"more": ("a",)},
        {"look": ("a", "c")},
        {"look": ("a", "b")},
    ],
    ids=repr,
)
def test_an_input_that_is_never_shown_or_never_hidden_is_refused(shown):
    look, more = Choice(("a", "b")).says("How."), Whole(1, 0, 9).says("How many more.")

    def made(**conditions):
        @Node("Two", **{**DECLARED, "optional": {"look": look, "more": more.when(**conditions)}})
        class Two:
            """What it does."""

            def look_at(self, image, look="a", more=1):
                return image

    made(look=("a",), image=LINKED)
    with pytest.raises(TypeError, match="Two: 'more' is shown when"):
        made(**shown)


def test_groups_without_inputs():
    @Node("Bare", "here", inputs={}, outputs={"out": SAID}, hidden={"node": "UNIQUE_ID"})
    class Bare:
        def run(self, node=None):
            return (node,)

    assert input_types(Bare.DECLARATION) == {"required": {}, "hidden": {"node": "UNIQUE_ID"}}, (
        "hosts count on the first"
    )


@pytest.mark.parametrize("more, said", [(2, "OneNode: two is too many"), (3, "OneNode: three is too many")])
def test_errors_are_named_once(more, said):
    with pytest.raises(SyncError) as caught:
        declared(**MORE)().look(torch.zeros(1, 2, 2, 3), more)
    assert str(caught.value) == said


def test_inputs_are_looked_at_first():
    with pytest.raises(SyncError, match=r"^OneNode: image is empty"):
        declared(**MORE)().look(torch.zeros(0, 2, 2, 3), 2)
    with pytest.raises(SyncError, match=r"^OneNode: image is str"):
        declared(**MORE)().look(image="x")


def test_a_report_is_shown_and_passed_on():
    node = declared(**MORE, outputs={"out": SAID, "report": Socket("STRING").says("In words.")})
    mappings([(node,)])
    picture = torch.zeros(1, 2, 2, 3)
    shown = getattr(node(), node.FUNCTION)(image=picture, more=5)
    assert shown == {"ui": {"report": [5]}, "result": (picture, 5)}
    assert list(inspect.signature(getattr(node, node.FUNCTION)).parameters) == ["self", "image", "more"]
    assert node().look(picture, 5) == (picture, 5), "the function itself is as it was"
    mappings([(node,)])
    assert getattr(node(), node.FUNCTION)(image=picture, more=5) == shown, "once, however often it is listed"


def test_every_node_with_a_report_shows_it():
    reporting = {name for name, node in NODE_CLASS_MAPPINGS.items() if "report" in node.RETURN_NAMES}
    assert {"SyncTweediesLoadMesh", "SyncTweediesUnwrap", "OrbitRig", "SyncTweediesLoadSplats"} <= reporting
    assert all((node.FUNCTION == "run_readable") is (name in reporting) for name, node in NODE_CLASS_MAPPINGS.items())


def test_a_node_is_registered_once():
    node, same_id, same_name = declared(**MORE), declared("Another Name", **MORE), declared(**MORE)
    same_name.__name__ = "Another"
    for other in (node, same_id, same_name):
        with pytest.raises(ValueError, match="there are two nodes"):
            mappings([(node,), (other,)])
    with pytest.raises(ValueError, match="int is no node"):
        mappings([(int,)])
    assert len(NODE_CLASS_MAPPINGS) == len(set(NODE_CLASS_MAPPINGS.values())) == len(NODE_DISPLAY_NAME_MAPPINGS) > 50
    assert all(node.__name__ == node_id for node_id, node in NODE_CLASS_MAPPINGS.items())


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"inputs": {"image": SAID, "other": SAID}, **MORE}, "OneNode: 'other' is an input or a parameter"),
        ({}, "OneNode: 'more' is an input or a parameter"),
        ({"inputs": {"more": SAID}, "optional": {"image": SAID}}, "OneNode: 'image' may be left out"),
        ({"inputs": {"image": Socket("IMAGE")}, **MORE}, "OneNode: 'image' has no tooltip"),
        ({"outputs": {"out": Socket("IMAGE")}, **MORE}, "OneNode: 'out' has no tooltip"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_declarations_that_do_not_fit_are_refused(changes, said):
    with pytest.raises(TypeError, match=said):
        declared(**changes)


def test_one_function_runs_a_node():
    def other(self):
        return ()

    for functions in ({}, {"one": other, "two": other}):
        with pytest.raises(TypeError, match="Empty: one public function runs a node, not"):
            Node("Empty", "here", inputs={}, outputs={})(type("Empty", (), dict(functions)))
    hooks = {"one": other, "_helper": other, "check_lazy_status": other, "IS_CHANGED": classmethod(lambda cls: "")}
    assert Node("Full", "here", inputs={}, outputs={})(type("Full", (), hooks)).RUNS == "one"


def test_functions_that_take_all_by_name_are_told_all():
    @Node("Rest", "here", inputs={"image": SAID, "more": SAID}, outputs={"out": SAID})
    class Rest:
        def run(self, image, **rest):
            return (rest,)

    picture = torch.zeros(1, 2, 2, 3)
    assert Rest().run(picture, more=picture) == ({"more": picture},)
    with pytest.raises(SyncError, match="more is empty"):
        Rest().run(picture, more=picture[:0])


def test_functions_start_from_what_the_widgets_show():
    """An input that may be left out has one default, whoever runs the node."""
    for node_id, node in NODE_CLASS_MAPPINGS.items():
        parameters = inspect.signature(getattr(node, node.FUNCTION)).parameters
        for name, default in defaults(node.DECLARATION.optional).items():
            if name in parameters:
                assert parameters[name].default == default, f"{node_id}: {name}"
