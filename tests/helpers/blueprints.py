"""Blueprints of the pack as users place them: with a loader before them and something behind that saves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "subgraphs"
NAMES = sorted(file.stem for file in FOLDER.glob("*.json"))
PACK = " (SyncTweedies)"
_MODEL = {"model": "MODEL", "clip": "CLIP", "vae": "VAE", "control_net": "CONTROL_NET"}
_TOY = [(name, name) for name in _MODEL.values()]
# Node that saves an output, the name of its input, and its widgets.
SAVERS: dict[str, tuple[str, str, list[Any]]] = {
    "IMAGE": ("SaveImage", "images", ["blueprint"]),
    "MESH": ("SaveTexturedMesh", "mesh", ["blueprint", "glb", "joint"]),
    "SPLAT": ("SaveSplats", "splats", ["blueprint", "ply"]),
}
# Those whose picture is a panorama.
SPHERES = (f"Restyle a Panorama{PACK}",)
# Those that want frames.
FILMS = (f"Restyle a Video{PACK}",)
Json = dict[str, Any]


def read(name: str) -> Json:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def definition(name: str) -> Json:
    (found,) = read(name)["definitions"]["subgraphs"]
    return found


def placed(name: str, picture: str = "meadow", without: tuple[str, ...] = (), **values: Any) -> Json:
    """A workflow of Toy World Model (where a model is wanted), a shipped picture (where one is), the blueprint, and a
    node that saves each of its outputs. values: of its widgets; without: inputs that are left alone."""
    file = read(name)
    (node,) = file["nodes"]
    node = {**node, "id": 3, "title": name}
    wires: list[list[Any]] = []
    nodes: list[Json] = [
        {"id": 1, "type": "ToyWorldModel", "inputs": [], "outputs": _outputs(_TOY), "widgets_values": [0.0]},
        {"id": 2, "type": "SyncTweediesExemplarPicture", "outputs": _outputs([("image", "IMAGE")])},
        node,
    ]
    nodes[1]["widgets_values"] = [picture]
    if name in SPHERES:
        wires.append([1, 2, 0, 4, 0, "IMAGE"])
        wide: Json = {"id": 4, "type": "ImageScale", "widgets_values": ["bilinear", 192, 96, "disabled"]}
        wide["inputs"] = [{"name": "image", "type": "IMAGE", "link": 1}]
        nodes.append(wide | {"outputs": _outputs([("IMAGE", "IMAGE")])})
    if name in FILMS:
        wires.append([1, 2, 0, 4, 0, "IMAGE"])
        still: Json = {"id": 4, "type": "RepeatImageBatch", "widgets_values": [3]}
        still["inputs"] = [{"name": "image", "type": "IMAGE", "link": 1}]
        nodes.append(still | {"outputs": _outputs([("IMAGE", "IMAGE")])})
    for slot, item in enumerate(node["inputs"]):
        if item["name"] in without or item["name"] not in (*_MODEL, "image", "video"):
            continue
        shown = 4 if name in (*SPHERES, *FILMS) else 2
        origin, output = (shown, 0) if item["name"] in ("image", "video") else (1, list(_MODEL).index(item["name"]))
        item["link"] = len(wires) + 1
        wires.append([item["link"], origin, output, 3, slot, item["type"]])
    shown = [item["name"] for item in node["inputs"] if "widget" in item]
    node["widgets_values"] = [values.get(widget) for widget in shown]
    assert set(values) <= set(shown), f"{name} shows {', '.join(shown)}"
    for slot, output in enumerate(node["outputs"]):
        kind, name_of_input, widgets = SAVERS[output["type"]]
        number = len(wires) + 1
        wires.append([number, 3, slot, 10 + slot, 0, output["type"]])
        saver: Json = {"id": 10 + slot, "type": kind, "widgets_values": [f"{output['name']}", *widgets[1:]]}
        saver["inputs"] = [{"name": name_of_input, "type": output["type"], "link": number}]
        nodes.append(saver)
    return {**file, "nodes": nodes, "links": wires}


def _outputs(found: list[tuple[str, str]]) -> list[Json]:
    return [{"name": name, "type": kind, "links": []} for name, kind in found]
