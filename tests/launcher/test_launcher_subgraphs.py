"""Subgraphs of saved workflows are opened for the host: nested ones, with the widgets that their nodes show."""

import pytest
from syncpack.launcher.errors import WorkflowError
from syncpack.launcher.overrides import apply, parse
from syncpack.launcher.subgraphs import flattened
from syncpack.launcher.workflow_format import to_api

INFO = {
    "Load": {"input": {"required": {"name": ("STRING", {"default": "a"})}}, "display_name": "Load"},
    "Add": {
        "input": {"required": {"image": ("IMAGE",), "size": ("INT", {"default": 1}), "text": ("STRING", {})}},
        "display_name": "Add",
    },
    "Save": {"input": {"required": {"images": ("IMAGE",)}}, "display_name": "Save"},
}


def socket(name, kind, link=None, widget=False):
    return {"name": name, "type": kind, "link": link} | ({"widget": {"name": name}} if widget else {})


def wire(number, origin, slot, target, at, kind="IMAGE"):
    names = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    return dict(zip(names, (number, origin, slot, target, at, kind), strict=True))


def inner(kind, number=1, **node):
    """A subgraph of one node, whose image and size are inputs."""
    sockets = [socket("image", "IMAGE", 1), socket("size", "INT", 2, True)]
    made = {"id": number, "type": kind, "inputs": sockets, "widgets_values": [5, "inside"], **node}
    return {
        "id": f"in {kind}",
        "inputs": [{"name": "image", "type": "IMAGE"}, {"name": "how_large", "type": "INT"}],
        "nodes": [made],
        "links": [
            wire(1, -10, 0, number, 0),
            wire(2, -10, 1, number, 1, "INT"),
            wire(3, number, 0, -20, 0),
        ],
    }


def outer(kind, definitions, values=(), **node):
    """Load -> a node of the subgraph -> Save."""
    sockets = [socket("image", "IMAGE", 1), socket("how_large", "INT", None, True)]
    return {
        "nodes": [
            {"id": 1, "type": "Load", "widgets_values": ["b"]},
            {"id": 7, "type": kind, "inputs": sockets, "widgets_values": list(values), **node},
            {"id": 9, "type": "Save", "inputs": [socket("images", "IMAGE", 2)]},
        ],
        "links": [[1, 1, 0, 7, 0, "IMAGE"], [2, 7, 0, 9, 0, "IMAGE"]],
        "definitions": {"subgraphs": definitions},
    }


def inputs(workflow):
    return {key: node["inputs"] for key, node in to_api(workflow, INFO).nodes.items()}


def test_a_subgraph_is_what_is_in_it():
    found = inputs(outer("in Add", [inner("Add")]))
    assert found == {
        "1": {"name": "b"},
        "7:1": {"image": ["1", 0], "size": 5, "text": "inside"},
        "9": {"images": ["7:1", 0]},
    }


def test_a_widget_that_its_node_shows_counts():
    assert inputs(outer("in Add", [inner("Add")], [8]))["7:1"]["size"] == 8
    assert inputs(outer("in Add", [inner("Add")], [None]))["7:1"]["size"] == 5
    named = outer("in Add", [inner("Add")])
    named["nodes"][1]["widgets_values"] = {"how_large": 9}
    assert inputs(named)["7:1"]["size"] == 9


def test_a_wire_to_a_shown_widget_counts_more():
    workflow = outer("in Add", [inner("Add")], [8])
    workflow["nodes"].append({"id": 2, "type": "Load", "widgets_values": ["n"]})
    workflow["links"].append([3, 2, 0, 7, 1, "INT"])
    workflow["nodes"][1]["inputs"][1]["link"] = 3
    assert inputs(workflow)["7:1"]["size"] == ["2", 0]


def test_subgraphs_in_subgraphs():
    middle = inner("in Add", 4)
    middle["nodes"][0] |= {"inputs": [socket("image", "IMAGE", 1), socket("how_large", "INT", 2, True)]}
    found = inputs(outer("in in Add", [middle, inner("Add")], [8]))
    assert found["7:4:1"] == {"image": ["1", 0], "size": 8, "text": "inside"} and found["9"] == {"images": ["7:4:1", 0]}


def test_two_of_one_kind_are_two():
    workflow = outer("in Add", [inner("Add")], [8])
    second = {**workflow["nodes"][1], "id": 8, "widgets_values": [3]}
    second["inputs"] = [socket("image", "IMAGE", 4), socket("how_large", "INT", None, True)]
    workflow["nodes"].append(second)
    workflow["links"] = [[1, 1, 0, 7, 0, "IMAGE"], [4, 7, 0, 8, 0, "IMAGE"], [2, 8, 0, 9, 0, "IMAGE"]]
    found = inputs(workflow)
    assert (found["7:1"]["size"], found["8:1"]["size"], found["8:1"]["image"]) == (8, 3, ["7:1", 0])


@pytest.mark.parametrize("mode, images", [(2, {}), (4, {"images": ["1", 0]})])
def test_muted_and_bypassed_ones_are_left_out_whole(mode, images):
    found = inputs(outer("in Add", [inner("Add")], mode=mode))
    assert found == {"1": {"name": "b"}, "9": images}


def test_what_nothing_is_wired_to_is_left_out():
    workflow = outer("in Add", [inner("Add")])
    workflow["nodes"][1]["inputs"][0]["link"] = None
    assert "image" not in inputs(workflow)["7:1"]


def test_one_that_contains_itself_is_refused():
    with pytest.raises(WorkflowError, match="contains itself"):
        flattened(outer("in in Add", [inner("in in Add") | {"id": "in in Add"}]))


def test_widgets_inside_can_be_set_by_the_node_s_name_and_by_its_id():
    for words in ("Add.size=3", "7:1.size=3"):
        prompt = to_api(outer("in Add", [inner("Add")], [8]), INFO)
        assert apply(prompt, [parse(words)]) == {f"--set {words}"}
        assert prompt.nodes["7:1"]["inputs"]["size"] == 3


def test_workflows_without_any_stay_as_they_are():
    workflow = outer("Add", [])
    assert flattened(workflow) is workflow
