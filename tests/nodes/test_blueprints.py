"""The blueprints are what docs/make_blueprints.py makes of today's workflows, and fit today's nodes."""

from __future__ import annotations

import itertools
import json
import uuid
from typing import Any

import pytest
from helpers.blueprints import FOLDER, NAMES, PACK, ROOT, definition, read
from helpers.hosting import host_module
from helpers.scripts import script
from syncpack.nodes import NODE_CLASS_MAPPINGS

pytestmark = pytest.mark.host

CONTRACT = json.loads((ROOT / "tests" / "data" / "node_contract.json").read_text(encoding="utf-8"))
# What everybody sets: the model, what is made of what, how large and how well.
OFTEN = {"model", "clip", "vae", "control_net", "prompt", "prompt_2", "image", "video", "file", "model_3d"}
OFTEN |= {"width", "height", "texture_size", "seed", "quality"}
MORE = 6
each = pytest.mark.parametrize("name", NAMES)


def nodes(name: str) -> dict[int, dict[str, Any]]:
    return {node["id"]: node for node in definition(name)["nodes"]}


def test_they_are_what_the_script_writes() -> None:
    made = script("make_blueprints").texts()
    assert {file.name for file in FOLDER.glob("*")} == set(made)
    for name, text in made.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, "run docs/make_blueprints.py"


def test_a_typo_in_a_recipe_is_told() -> None:
    blueprint = script("blueprint_parts.blueprint").Blueprint("Wrong", "panorama_text")
    blueprint.gives("image", blueprint.node("EquirectStitch"), "image")
    blueprint.widget("prefix", blueprint.node("SavePanorama"), "filename_prefix")
    with pytest.raises(ValueError, match="nothing reads the input 'prefix'"):
        blueprint.text("", [], "")


@each
def test_its_name_is_found_by_who_types_it(name: str) -> None:
    """ComfyUI's search compares no more than 32 letters."""
    assert name.endswith(PACK) and len(name.removesuffix(PACK)) <= 32
    (node,) = read(name)["nodes"]
    assert node["title"] == definition(name)["name"] == name
    assert definition(name)["category"] == "SyncTweedies" and len(definition(name)["description"]) > 40
    assert "synctweedies" in read(name)["extra"]["BlueprintSearchAliases"]


@each
def test_few_inputs(name: str) -> None:
    found = [item["name"] for item in definition(name)["inputs"]]
    assert {"seed", "quality"} <= set(found)
    assert len(set(found) - OFTEN) <= MORE, sorted(set(found) - OFTEN)


def test_ids_are_nobody_else_s() -> None:
    found = [definition(name)["id"] for name in NAMES]
    for name in NAMES:
        part = definition(name)
        found += [door["id"] for door in (*part["inputs"], *part["outputs"])]
        assert len(nodes(name)) == len(part["nodes"]) and len({link["id"] for link in part["links"]}) == len(
            part["links"]
        )
    assert len(set(found)) == len(found) and all(str(uuid.UUID(one)) == one for one in found)


@each
def test_nodes_and_what_they_are_wired_by_exist(name: str) -> None:
    hosts = host_module("nodes", "comfy.nodes.base_nodes").NODE_CLASS_MAPPINGS
    masks = {"ImageCompositeMasked", "InvertMask"}  # of comfy_extras, on every host
    for node in nodes(name).values():
        kind = node["type"]
        assert kind in NODE_CLASS_MAPPINGS or kind in hosts or kind in {"MarkdownNote", *masks}, kind
        if kind not in CONTRACT:
            continue
        for item in node["inputs"]:
            said = CONTRACT[kind]["inputs"][item["name"]]
            assert item["type"] == said["type"] and (("choices" in said or "default" in said) >= ("widget" in item))
        assert [out["name"] for out in node["outputs"]] == [out for out, _ in CONTRACT[kind]["outputs"]]


@each
def test_wires_join_what_is_there(name: str) -> None:
    part, inside = definition(name), nodes(name)
    for link in part["links"]:
        come = part["inputs"] if link["origin_id"] == -10 else inside[link["origin_id"]]["outputs"]
        goes = part["outputs"] if link["target_id"] == -20 else inside[link["target_id"]]["inputs"]
        given, taken = come[link["origin_slot"]], goes[link["target_slot"]]
        assert given["type"] == link["type"] or given["type"] in taken["type"].split(",")
        assert link["id"] in given.get("links", given.get("linkIds"))
        assert link["id"] == taken.get("link") or link["id"] in taken.get("linkIds", [])
    for door in (*part["inputs"], *part["outputs"]):
        assert door["linkIds"], f"{door['name']} is wired to nothing"
    (node,) = read(name)["nodes"]
    for shown, door in zip(node["inputs"], part["inputs"], strict=True):
        assert (shown["name"], shown["type"]) == (door["name"], door["type"])


@each
def test_what_every_node_needs_is_wired(name: str) -> None:
    for node in nodes(name).values():
        for wanted, said in CONTRACT.get(node["type"], {}).get("inputs", {}).items():
            if said["group"] == "required" and not ("default" in said or "choices" in said or said["type"] == "STRING"):
                linked = [item["link"] for item in node["inputs"] if item["name"] == wanted]
                assert linked and linked[0] is not None, f"{node['type']} lacks {wanted}"


@each
def test_the_note_says_what_to_load(name: str) -> None:
    (note,) = (node for node in nodes(name).values() if node["type"] == "MarkdownNote")
    (text,) = note["widgets_values"]
    assert "**What to load**" in text and text.startswith("# ")
    shown = {item.get("label") or item["name"] for item in definition(name)["inputs"]}
    assert shown & {"control_net"} == set() or "**control_net**" in text


@each
def test_no_node_lies_on_another_inside(name: str) -> None:
    """In either renderer, as docs/layout/boxes.json has measured them."""
    shown = script("layout.boxes").shown
    boxes = [shown(node) for node in nodes(name).values()]
    for a, b in itertools.combinations(boxes, 2):
        assert not (a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3])
