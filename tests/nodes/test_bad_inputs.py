"""Pictures, masks, latents and numbers that no node can use: one line that names the node, for every node."""

import inspect
import math

import pytest
import torch
from helpers.hosting import host
from syncpack.nodes import NODE_CLASS_MAPPINGS
from syncpack.nodes.host.errors import SyncError, named
from syncpack.nodes.views.stitch_nodes import SyncReport
from syncpack.renderers.plane.space import Plane, Windows

pytestmark = pytest.mark.host

KINDS = ("IMAGE", "MASK", "LATENT", "FLOAT")
NAN = math.nan
BAD = {
    "IMAGE": [
        *(torch.zeros(*shape) for shape in ((0, 8, 8, 3), (8, 8, 3), (1, 0, 8, 3), (1, 8, 8, 0), (1, 1, 8, 8, 3))),
        torch.full((1, 8, 8, 3), NAN),
        "text",
    ],
    "MASK": [torch.zeros(0, 8, 8), torch.zeros(8), torch.full((1, 8, 8), NAN), [1]],
    "LATENT": [
        *({"samples": torch.zeros(*shape)} for shape in ((0, 4, 8, 8), (2, 4, 0, 8))),
        {"samples": torch.full((1, 4, 8, 8), NAN)},
        torch.zeros(1, 4, 8, 8),
        {},
    ],
    "FLOAT": [NAN],
}


def inputs_of(node):
    groups = node.INPUT_TYPES()
    return {name: spec for group in ("required", "optional") for name, spec in groups.get(group, {}).items()}


CASES = [
    pytest.param(node_id, name, id=f"{node_id}-{name}")
    for node_id, node in sorted(NODE_CLASS_MAPPINGS.items())
    for name, spec in inputs_of(node).items()
    if isinstance(spec[0], str) and spec[0] in KINDS
]


@pytest.mark.parametrize("node_id, name", CASES)
def test_one_line_names_the_node_and_the_input(node_id, name):
    node = NODE_CLASS_MAPPINGS[node_id]
    specs = inputs_of(node)
    given = defaults(node_id)
    for bad in BAD[specs[name][0]]:
        with pytest.raises(SyncError) as caught:
            getattr(node(), node.FUNCTION)(**given | {name: bad})
        text = str(caught.value)
        assert text.startswith(f"{node_id}: ") and name in text and "\n" not in text and len(text) < 300, text


def test_there_are_such_inputs():
    found = {inputs_of(NODE_CLASS_MAPPINGS[c.values[0]])[c.values[1]][0] for c in CASES}
    assert found == set(KINDS) and len(CASES) > 60


def test_what_is_left_out_is_not_looked_at():
    with pytest.raises(SyncError, match=r"^StitchViews: nothing to stitch"):
        NODE_CLASS_MAPPINGS["StitchViews"]().stitch(Plane(64, 64), Windows(64, 64, 64, 64), images=None)


def test_values_given_in_order_are_looked_at_too():
    parameters = list(inspect.signature(SyncReport.report).parameters)
    assert parameters[:4] == ["self", "space", "rig", "views"]
    with pytest.raises(SyncError, match=r"^SyncReport: views is empty"):
        SyncReport().report(None, None, {"samples": torch.zeros(0, 4, 8, 8)})


def test_files_that_the_system_refuses_are_named_in_a_line(tmp_path):
    with pytest.raises(SyncError) as caught, named("X"):
        (tmp_path / ("a" * 300)).read_bytes()
    assert str(caught.value).startswith("X: the file 'aaa") and "File name too long" in str(caught.value)
    assert len(str(caught.value)) < 250 and host is not None


def defaults(node_id):
    required = NODE_CLASS_MAPPINGS[node_id].INPUT_TYPES().get("required", {}).items()
    return {name: o.get("default", kind[0] if isinstance(kind, list) else None) for name, (kind, o) in required}


@pytest.mark.parametrize(
    "node_id", ["SyncTweediesLoadMesh", "SyncTweediesLoadSplats", "CameraFileRig", "PanoramaDepthViews"]
)
@pytest.mark.parametrize("value", ["a" * 5000, "../x", "a\0b", "", "x/" * 3000])
def test_names_of_files_that_are_none(folders, node_id, value):
    node = NODE_CLASS_MAPPINGS[node_id]
    given = {**defaults(node_id), "file": value}
    if "rig" in given:
        given["rig"] = NODE_CLASS_MAPPINGS["ViewRig"]().build(**{**defaults("ViewRig"), "kind": "ring"})[0]
    with pytest.raises(SyncError) as caught:
        getattr(node(), node.FUNCTION)(**given)
    assert str(caught.value).startswith(f"{node_id}: ") and "\n" not in str(caught.value)
    assert len(str(caught.value)) < 450


@pytest.mark.parametrize("node_id", sorted(NODE_CLASS_MAPPINGS))
def test_links_are_no_values_before_the_run(node_id):
    """The host hands None for every input that is linked to VALIDATE_INPUTS and IS_CHANGED."""
    node = NODE_CLASS_MAPPINGS[node_id]
    for what in ("VALIDATE_INPUTS", "IS_CHANGED"):
        if not hasattr(node, what):
            continue
        spec = inspect.getfullargspec(getattr(node, what))
        names = [n for n in inputs_of(node) if n in spec.args or spec.varkw]
        found = getattr(node, what)(**dict.fromkeys(names))
        assert found is True if what == "VALIDATE_INPUTS" else isinstance(found, str)
