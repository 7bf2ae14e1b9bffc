"""The workflow format (UI format to prompt, widget values) and --set."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syncpack.launcher import overrides
from syncpack.launcher.commands import find_workflows
from syncpack.launcher.errors import UsageError, WorkflowError
from syncpack.launcher.widgets import SEED_CONTROLS, Widget, values_of, widgets_of
from syncpack.launcher.workflow_format import ApiPrompt, load, to_api

DATA = Path(__file__).resolve().parent / "data"
CORE = DATA / "core_image.json"
# Written by hand: what a host says of a few node classes (two of them as the two kinds of host describe a sampler, with
# and without `control_after_generate` and `input_order`), and the prompt that the editor makes of core_image.json.
INFO = json.loads((DATA / "object_info.json").read_text(encoding="utf-8"))
CORE_API = json.loads((DATA / "core_image_api.json").read_text(encoding="utf-8"))


def test_conversion_equals_the_hand_written_prompt():
    """Reroute, PrimitiveNode, a bypassed node, a muted node and a note, all in one file."""
    prompt = to_api(load(CORE), INFO)
    assert prompt.nodes == CORE_API
    assert prompt.titles["1"] == "Red" and prompt.titles["7"] == "Save Image" and prompt.titles["6"] == "ImageBlur"


def test_an_api_file_passes_unchanged():
    assert to_api(CORE_API, INFO).nodes == CORE_API


def test_links_as_objects_are_read_like_lists():
    workflow = load(CORE)
    names = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    workflow["links"] = [dict(zip(names, link, strict=True)) for link in workflow["links"]]
    assert to_api(workflow, INFO).nodes == CORE_API


@pytest.mark.parametrize("kind", ["OlderSampler", "NewerSampler"])
@pytest.mark.parametrize(
    ("saved", "seed", "steps", "name", "denoise"),
    [
        ([7, "randomize", 30, "euler", 0.5], 7, 30, "euler", 0.5),
        ([7, "fixed", 30, "fixed", 0.5], 7, 30, "fixed", 0.5),
        ([7, 30, "fixed", 0.5], 7, 30, "fixed", 0.5),  # a file without seed controls
        ([7, "increment", 30, "euler"], 7, 30, "euler", 1.0),  # older than the last widget
        ([2**64 - 1, "fixed", 30, "euler", 0.25], 2**64 - 1, 30, "euler", 0.25),
        ({"seed": 3, "steps": 4, "sampler_name": "euler"}, 3, 4, "euler", 1.0),
        (None, 0, 20, "euler", 1.0),
    ],
)
def test_seed_control_takes_a_place_but_is_no_input(kind, saved, seed, steps, name, denoise):
    expected = {"seed": seed, "steps": steps, "sampler_name": name, "denoise": denoise}
    assert values_of(widgets_of(INFO[kind], {}), saved) == expected


def test_seed_control_word_that_is_the_next_widgets_own_value():
    choice = Widget("mode", "COMBO", {}, ("fixed", "free"))
    assert values_of([Widget("seed", "INT"), choice], [1, "fixed"]) == {"seed": 1, "mode": "fixed"}
    assert values_of([Widget("seed", "INT"), choice], [1, "randomize", "free"]) == {"seed": 1, "mode": "free"}
    assert values_of([Widget("seed", "INT"), choice], [1, "fixed", "fixed"]) == {"seed": 1, "mode": "fixed"}


def test_combo_with_control_and_filter():
    combo = Widget("file", "COMBO", {"control_after_generate": True}, ("a", "b"))
    assert values_of([combo, Widget("n", "INT")], ["b", "increment-wrap", "*.png", 5]) == {"file": "b", "n": 5}


def test_upload_button_takes_a_place():
    info = {
        "input": {
            "required": {"image": [["a.png"], {"image_upload": True}]},
            "optional": {"n": ["INT", {"default": 1}]},
        }
    }
    assert values_of(widgets_of(info, {}), ["a.png", "image", 4]) == {"image": "a.png", "n": 4}


widget_lists = st.lists(
    st.tuples(st.sampled_from(["INT", "FLOAT", "BOOLEAN"]), st.booleans(), st.integers(0, 99)), max_size=6
)


@given(widget_lists, st.sampled_from(sorted(SEED_CONTROLS)))
def test_any_mix_of_seeds_and_numbers_is_read_back(rows, word):
    widgets, saved, expected = [], [], {}
    for number, (kind, control, value) in enumerate(rows):
        widgets.append(Widget(f"w{number}", kind, {"control_after_generate": control}))
        saved += [value, word] if control else [value]
        expected[f"w{number}"] = value
    assert values_of(widgets, saved) == expected


def graph(nodes, links):
    return {"nodes": nodes, "links": links}


def node(key, kind, links=(), mode=0, values=None, types=()):
    inputs = [{"name": n, "type": t, "link": k} for (n, t), k in zip(types, links, strict=True)]
    return {"id": key, "type": kind, "mode": mode, "inputs": inputs, "widgets_values": values or []}


IMAGES = (("images", "IMAGE"),)


def test_muted_source_leaves_the_input_out():
    prompt = to_api(
        graph([node(1, "Source", mode=2), node(2, "PreviewImage", [1], types=IMAGES)], [[1, 1, 0, 2, 0, "IMAGE"]]), INFO
    )
    assert prompt.nodes == {"2": {"class_type": "PreviewImage", "inputs": {}}}


def test_bypass_takes_the_first_input_of_the_wanted_type():
    nodes = [
        node(1, "Source"),
        node(2, "Source"),
        node(3, "Mixer", [1, 2], mode=4, types=(("mask", "MASK"), ("image", "IMAGE"))),
        node(4, "PreviewImage", [3], types=IMAGES),
    ]
    links = [[1, 1, 0, 3, 0, "MASK"], [2, 2, 1, 3, 1, "IMAGE"], [3, 3, 0, 4, 0, "IMAGE"]]
    assert to_api(graph(nodes, links), INFO).nodes["4"]["inputs"] == {"images": ["2", 1]}


def test_a_circle_of_reroutes_ends():
    nodes = [
        node(1, "Reroute", [2], types=(("", "*"),)),
        node(2, "Reroute", [1], types=(("", "*"),)),
        node(3, "PreviewImage", [3], types=IMAGES),
    ]
    links = [[1, 1, 0, 2, 0, "*"], [2, 2, 0, 1, 0, "*"], [3, 2, 0, 3, 0, "*"]]
    assert to_api(graph(nodes, links), INFO).nodes["3"]["inputs"] == {}


def test_unknown_nodes_are_named():
    with pytest.raises(WorkflowError, match=r"Foo \(node 1\), Bar \(node 2\)"):
        to_api(graph([node(1, "Foo"), node(2, "Bar")], []), INFO)
    with pytest.raises(WorkflowError, match="no list of nodes"):
        to_api({"version": 0.4}, INFO)


# --- --set and names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("KSampler.steps=5", ("KSampler", "steps", 5)),
        ("12.seed=3", ("12", "seed", 3)),
        ("v1.5 model.name=a=b.png", ("v1.5 model", "name", "a=b.png")),
        ("A.text=", ("A", "text", "")),
        ("A.on=false", ("A", "on", False)),
        ("A.on=False", ("A", "on", False)),
        ('A.text="5"', ("A", "text", "5")),
        ("A.text=NaN", ("A", "text", "NaN")),
        ("A.x=0.5", ("A", "x", 0.5)),
    ],
)
def test_set_is_parsed(text, expected):
    found = overrides.parse(text)
    assert (found.node, found.name, found.value) == expected
    assert type(found.value) is type(expected[2])


@pytest.mark.parametrize("text", ["steps=5", "KSampler.steps", ".steps=5", "KSampler.=5", ""])
def test_bad_set_is_refused(text):
    with pytest.raises(UsageError, match=r"NODE\.INPUT=VALUE"):
        overrides.parse(text)


def set_on_core(*texts):
    prompt = to_api(load(CORE), INFO)
    changes = [overrides.parse(text) for text in texts]
    overrides.unmatched(changes, overrides.apply(prompt, changes), [prompt])
    return prompt.nodes


def test_set_by_title_class_and_id_and_over_a_wire():
    nodes = set_on_core("Red.width=9", "SaveImage.filename_prefix=x", "6.sigma=2.5", "Upscale Image.width=70")
    assert nodes["1"]["inputs"]["width"] == 9
    assert nodes["7"]["inputs"]["filename_prefix"] == "x"
    assert nodes["6"]["inputs"]["sigma"] == 2.5
    assert nodes["5"]["inputs"]["width"] == 70  # a PrimitiveNode fed it


def test_set_errors_name_node_and_widgets():
    with pytest.raises(
        UsageError, match=r"no node has the id or title 'Blue'; there is: 1 \(Red\), 5 \(Upscale Image\)"
    ):
        set_on_core("Blue.width=1")
    with pytest.raises(UsageError, match=r"no widget 'image'; it has: blur_radius, sigma"):
        set_on_core("6.image=1")
    twice = ApiPrompt({"1": {"class_type": "A"}, "2": {"class_type": "A"}}, {"1": "T", "2": "T"}, {"1": {}, "2": {}})
    with pytest.raises(UsageError, match="use an id: 1, 2"):
        overrides.apply(twice, [overrides.parse("T.x=1")])


def test_workflow_names(tmp_path):
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "wide.json").write_text("{}")
    wide = tmp_path / "workflows" / "wide.json"
    assert find_workflows(["wide", "wide.json", str(wide)], tmp_path) == [wide, wide, wide]
    with pytest.raises(UsageError, match="no workflow 'tall'; there is: wide"):
        find_workflows(["tall"], tmp_path)
    (tmp_path / "broken.json").write_text("[")
    with pytest.raises(UsageError, match="is not JSON"):
        load(tmp_path / "broken.json")
