"""What saved workflows and users rely on: ids, inputs, outputs, texts. Node ids and inputs are for ever.

The snapshot tests/data/node_contract.json and the tables of the help pages are rewritten by running this file with
SYNC_WRITE_CONTRACT=1 (it still fails once); read the diff.
"""

import ast
import importlib.util
import inspect
import json
import os
import re
from pathlib import Path

import pytest
from helpers.help_tables import tables, with_tables
from helpers.hosting import host
from helpers.wishes import WISHES
from syncpack.nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS
from syncpack.nodes.mesh.files import NO_MESH, list_meshes
from syncpack.nodes.models.diffusers_folders import NO_FOLDER, NO_TEXT_FOLDER, list_folders
from syncpack.nodes.splats.files import NO_SCENE, list_scenes

pytestmark = pytest.mark.host

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = Path(__file__).resolve().parents[1] / "data" / "node_contract.json"
NODES = sorted(NODE_CLASS_MAPPINGS.items())
# Choices that differ from machine to machine.
HOSTS_LISTS = (
    host.SAMPLER_NAMES,
    host.SCHEDULER_NAMES,
    list_folders("unet") or [NO_FOLDER],
    list_folders("text_encoder") or [NO_TEXT_FOLDER],
    list_scenes() or [NO_SCENE],
    list_meshes() or [NO_MESH],
)
# Nodes of hosts newer than those tested here.
NEWER = {"UnwrapMesh", "RenderMesh", "SaveGLB", "PreviewGaussianSplat", "SplitImageToTileList", "ImageMergeTileList"}

each_node = pytest.mark.parametrize("node_id, node", NODES, ids=[n for n, _ in NODES])


def inputs_of(node):
    """(group, name, specification) of every input a user sees."""
    groups = node.INPUT_TYPES()
    assert set(groups) <= {"required", "optional", "hidden"}
    return [(g, name, spec) for g in ("required", "optional") for name, spec in groups.get(g, {}).items()]


@each_node
def test_the_node_explains_itself(node_id, node):
    assert re.fullmatch(r"[A-Za-z0-9]+", node_id)
    description = node.DESCRIPTION
    assert description.endswith(".") and len(description) > 40
    assert re.match(r"SyncTweedies/[a-z]+$", node.CATEGORY)


@each_node
def test_there_are_words_to_find_the_node_by(node_id, node):
    assert len(node.SEARCH_ALIASES) > 1, "write search=[...] into its declaration"


@pytest.mark.parametrize("wish, wanted", WISHES.items(), ids=list(WISHES))
def test_what_people_wish_is_found(wish, wanted):
    """As hosts search: in the id, the shown name, or one of the other words. test_browser_fold.py asks a host."""
    found = {
        node_id
        for node_id, node in NODES
        for text in (node_id, NODE_DISPLAY_NAME_MAPPINGS[node_id], *node.SEARCH_ALIASES)
        if wish.lower() in text.lower()
    }
    assert {*wanted} <= found


def test_each_subject_has_one_category():
    names = {node.CATEGORY.removeprefix("SyncTweedies/") for _, node in NODES}
    assert names == {"views", "panorama", "illusion", "mesh", "splats", "video", "sampling", "conditioning", "loaders"}


@each_node
def test_every_input_has_a_tooltip(node_id, node):
    for _, name, spec in inputs_of(node):
        assert len(spec) == 2, f"{name} has no options"
        tooltip = spec[1].get("tooltip", "")
        assert tooltip.endswith(".") and len(tooltip) > 8, f"{name}: '{tooltip}'"


@each_node
def test_every_output_has_a_tooltip(node_id, node):
    assert len(node.OUTPUT_TOOLTIPS) == len(node.RETURN_TYPES) > 0
    assert all(t.endswith(".") for t in node.OUTPUT_TOOLTIPS)
    names = getattr(node, "RETURN_NAMES", None)
    assert names is None or len(names) == len(node.RETURN_TYPES)


@each_node
def test_the_function_takes_what_the_node_asks_for(node_id, node):
    """The host passes inputs by name; optional ones only when they are connected."""
    parameters = inspect.signature(getattr(node, node.FUNCTION)).parameters
    rest = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    names = {name for _, name, _ in inputs_of(node)} | set(node.INPUT_TYPES().get("hidden", {}))
    assert rest or names <= set(parameters)
    for name, parameter in parameters.items():
        if name == "self" or parameter.kind is parameter.VAR_KEYWORD:
            continue
        assert name in names, f"{name} is no input"
        if any(name in node.INPUT_TYPES().get(group, {}) for group in ("optional", "hidden")):
            assert parameter.default is not parameter.empty, f"{name} is optional and has no default"


@each_node
def test_defaults_are_possible_values(node_id, node):
    for _, name, (kind, options) in inputs_of(node):
        default = options.get("default")
        if isinstance(kind, list):
            assert kind and (default is None or default in kind), name
        elif default is not None and kind in ("INT", "FLOAT"):
            assert options["min"] <= default <= options["max"], name


def test_every_node_has_a_display_name():
    assert set(NODE_DISPLAY_NAME_MAPPINGS) == set(NODE_CLASS_MAPPINGS)
    assert len(set(NODE_DISPLAY_NAME_MAPPINGS.values())) == len(NODE_CLASS_MAPPINGS), "two nodes look the same"


def host_sources():
    """The files of the host that define nodes."""
    if checkout := os.environ.get("COMFYUI_DIR"):
        root = Path(checkout)
        return [root / "nodes.py", *root.glob("comfy_extras/*.py"), *root.glob("comfy_api_nodes/*.py")]
    spec = importlib.util.find_spec("comfy_extras.nodes")
    assert spec is not None and spec.submodule_search_locations
    base = importlib.util.find_spec("comfy.nodes.base_nodes")
    assert base is not None and base.origin
    return [Path(base.origin), *Path(next(iter(spec.submodule_search_locations))).glob("*.py")]


def ids_in(source):
    """Node ids that a source file defines: keys of its mappings, and ids in the schemas of newer nodes."""
    found = set(re.findall(r"node_id\s*=\s*[\"'](\w+)[\"']", source))
    for statement in ast.walk(ast.parse(source)):
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Dict):
            names = {t.id for t in statement.targets if isinstance(t, ast.Name)}
            if "NODE_CLASS_MAPPINGS" in names:
                found |= {k.value for k in statement.value.keys if isinstance(k, ast.Constant)}
    return found


def test_ids_are_not_the_hosts():
    taken = set().union(*(ids_in(f.read_text(encoding="utf-8")) for f in host_sources()))
    assert {"KSampler", "SamplerCustomAdvanced", "ImageBlend"} <= taken and len(taken) > 150
    assert not (taken | NEWER) & set(NODE_CLASS_MAPPINGS)


def contract():
    """Ids, inputs (group, type, default; choices of our own lists; whether newer hosts fold them away) and outputs
    of every node."""
    result = {}
    for node_id, node in NODES:
        inputs = {}
        for group, name, (kind, options) in inputs_of(node):
            entry = {"group": group, "type": "COMBO" if isinstance(kind, list) else kind}
            if isinstance(kind, list):
                entry["choices"] = "the host's" if kind in HOSTS_LISTS else kind
            if "default" in options:
                entry["default"] = options["default"]
            if options.get("advanced"):
                entry["advanced"] = True
            inputs[name] = entry
        outputs = list(zip(getattr(node, "RETURN_NAMES", node.RETURN_TYPES), node.RETURN_TYPES, strict=True))
        result[node_id] = {
            "display_name": NODE_DISPLAY_NAME_MAPPINGS[node_id],
            "inputs": inputs,
            "order": list(inputs),
            "outputs": [list(o) for o in outputs],
            "output_node": getattr(node, "OUTPUT_NODE", False),
        }
    return json.loads(json.dumps(result))


def test_the_contract_is_kept():
    """A node's ids, inputs and outputs never change meaning. New inputs go to the end, with a default."""
    now = contract()
    if os.environ.get("SYNC_WRITE_CONTRACT"):
        SNAPSHOT.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
    kept = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert now == kept, "see the head of this file if the change is meant"


@each_node
def test_the_help_page_is_in_step(node_id, node):
    """Its tables are what the node says; rewritten as the snapshot is."""
    page = ROOT / "web" / "docs" / f"{node_id}.md"
    assert page.is_file(), f"write web/docs/{node_id}.md, with a section '## Inputs'"
    text = page.read_text(encoding="utf-8")
    current = with_tables(text, tables(node, HOSTS_LISTS))
    if os.environ.get("SYNC_WRITE_CONTRACT"):
        page.write_text(current, encoding="utf-8")
    assert text == current, "see the head of this file"


@each_node
def test_some_workflow_uses_it(node_id, node):
    workflows = [json.loads(f.read_text(encoding="utf-8")) for f in (ROOT / "workflows").glob("*.json")]
    assert any(n["type"] == node_id for w in workflows for n in w["nodes"]), f"no workflow shows {node_id}"
