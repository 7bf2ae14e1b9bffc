"""Workflow files as values that a script can change: nodes by type or title, widgets and inputs by name.

Widget names of the pack's own nodes come from tests/data/node_contract.json; of the host's, those that are used here
are listed.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "workflows"
CONTRACT: dict[str, Any] = json.loads((ROOT / "tests" / "data" / "node_contract.json").read_text(encoding="utf-8"))
_WIDGET_TYPES = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
_HOSTS: dict[str, tuple[str, ...]] = {
    "CheckpointLoaderSimple": ("ckpt_name",),
    "CLIPLoader": ("clip_name", "type", "device"),
    "CLIPTextEncode": ("text",),
    "ControlNetLoader": ("control_net_name",),
    "ControlNetApplyAdvanced": ("strength", "start_percent", "end_percent"),
    "DualCLIPLoader": ("clip_name1", "clip_name2", "type", "device"),
    "FluxGuidance": ("guidance",),
    "InstructPixToPixConditioning": (),
    "ImageScale": ("upscale_method", "width", "height", "crop"),
    "LoadImage": ("image", "upload"),
    "MarkdownNote": ("text",),
    "ModelSamplingSD3": ("shift",),
    "PreviewImage": (),
    "ReferenceLatent": (),
    "SaveAnimatedWEBP": ("filename_prefix", "fps", "lossless", "quality", "method"),
    "SaveImage": ("filename_prefix",),
    "UNETLoader": ("unet_name", "weight_dtype"),
    "VAEDecode": (),
    "VAEEncode": (),
    "VAELoader": ("vae_name",),
}
_HOSTS_SOCKETS: dict[str, tuple[list[tuple[str, str]], list[tuple[str, str]]]] = {
    "CheckpointLoaderSimple": ([], [("MODEL", "MODEL"), ("CLIP", "CLIP"), ("VAE", "VAE")]),
    "CLIPLoader": ([], [("CLIP", "CLIP")]),
    "CLIPTextEncode": ([("clip", "CLIP")], [("CONDITIONING", "CONDITIONING")]),
    "ControlNetApplyAdvanced": (
        [
            ("positive", "CONDITIONING"),
            ("negative", "CONDITIONING"),
            ("control_net", "CONTROL_NET"),
            ("image", "IMAGE"),
        ],
        [("positive", "CONDITIONING"), ("negative", "CONDITIONING")],
    ),
    "ControlNetLoader": ([], [("CONTROL_NET", "CONTROL_NET")]),
    "DualCLIPLoader": ([], [("CLIP", "CLIP")]),
    "FluxGuidance": ([("conditioning", "CONDITIONING")], [("CONDITIONING", "CONDITIONING")]),
    "InstructPixToPixConditioning": (
        [("positive", "CONDITIONING"), ("negative", "CONDITIONING"), ("vae", "VAE"), ("pixels", "IMAGE")],
        [("positive", "CONDITIONING"), ("negative", "CONDITIONING"), ("latent", "LATENT")],
    ),
    "ImageScale": ([("image", "IMAGE")], [("IMAGE", "IMAGE")]),
    "LoadImage": ([], [("IMAGE", "IMAGE"), ("MASK", "MASK")]),
    "MarkdownNote": ([], []),
    "ModelSamplingSD3": ([("model", "MODEL")], [("MODEL", "MODEL")]),
    "PreviewImage": ([("images", "IMAGE")], []),
    "ReferenceLatent": (
        [("conditioning", "CONDITIONING"), ("latent", "LATENT")],
        [("CONDITIONING", "CONDITIONING")],
    ),
    "SaveAnimatedWEBP": ([("images", "IMAGE")], []),
    "SaveImage": ([("images", "IMAGE")], []),
    "UNETLoader": ([], [("MODEL", "MODEL")]),
    "VAELoader": ([], [("VAE", "VAE")]),
    "VAEEncode": ([("pixels", "IMAGE"), ("vae", "VAE")], [("LATENT", "LATENT")]),
}


def widgets_of(kind: str) -> list[tuple[str, Any]]:
    """(name, default) of every widget of a node, in the order of ``widgets_values``; what follows a seed included."""
    if kind not in CONTRACT:
        return [(name, None) for name in _HOSTS[kind]]
    found: list[tuple[str, Any]] = []
    for name, said in CONTRACT[kind]["inputs"].items():
        if said["type"] in _WIDGET_TYPES:
            found.append((name, said.get("default", (said.get("choices") or [None])[0])))
            if name in ("seed", "noise_seed"):
                found.append((f"after {name}", "fixed"))
    return found


def widget_values(node: dict[str, Any]) -> dict[str, Any]:
    """Widgets of a node of a file by their names; those that the file is too old for have their defaults."""
    given: list[Any] = node.get("widgets_values") or []
    return {name: given[i] if i < len(given) else default for i, (name, default) in enumerate(widgets_of(node["type"]))}


def sockets_of(kind: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(inputs, outputs) of a node, each (name, type)."""
    if kind in _HOSTS_SOCKETS:
        return _HOSTS_SOCKETS[kind]
    said = CONTRACT[kind]
    inputs = [(name, v["type"]) for name, v in said["inputs"].items() if v["type"] not in _WIDGET_TYPES]
    return inputs, [(name, kind) for name, kind in said["outputs"]]


class Graph:
    """One workflow file, being changed."""

    def __init__(self, name: str) -> None:
        self.data: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))

    def node(self, kind: str, title: str | None = None) -> dict[str, Any]:
        """The first node of a type, and title where one is given."""
        for node in self.data["nodes"]:
            if node["type"] == kind and (title is None or node.get("title") == title):
                return node
        raise KeyError(f"{kind} {title or ''}")

    def source(self, target: dict[str, Any], name: str) -> dict[str, Any]:
        """The node that an input is wired to."""
        link = next(entry for entry in self.data["links"] if entry[0] == self._input(target, name)["link"])
        return next(node for node in self.data["nodes"] if node["id"] == link[1])

    def set(self, node: dict[str, Any], /, **widgets: Any) -> dict[str, Any]:
        values = widget_values(node)
        unknown = set(widgets) - set(values)
        if unknown:
            raise KeyError(f"{node['type']} has no {', '.join(sorted(unknown))}")
        node["widgets_values"] = list((values | widgets).values())
        return node

    def add(
        self, kind: str, pos: tuple[int, int], size: tuple[int, int], title: str = "", /, **widgets: Any
    ) -> dict[str, Any]:
        """A new node with its defaults, and these widgets."""
        self.data["last_node_id"] += 1
        inputs, outputs = sockets_of(kind)
        node: dict[str, Any] = {
            "id": self.data["last_node_id"],
            "type": kind,
            "pos": list(pos),
            "size": list(size),
            "flags": {},
            "order": 0,
            "mode": 0,
            "inputs": [{"name": name, "type": type_, "link": None} for name, type_ in inputs],
            "outputs": [
                {"name": name, "type": type_, "links": [], "slot_index": slot}
                for slot, (name, type_) in enumerate(outputs)
            ],
            "properties": {"Node name for S&R": kind},
            "widgets_values": [],
        }
        if title:
            node["title"] = title
        self.data["nodes"].append(node)
        return self.set(node, **widgets)

    def twin(self, node: dict[str, Any], pos: tuple[int, int], title: str = "") -> dict[str, Any]:
        """A copy of a node, wired to the same inputs."""
        new = copy.deepcopy(node)
        self.data["last_node_id"] += 1
        new["id"], new["pos"] = self.data["last_node_id"], list(pos)
        if title:
            new["title"] = title
        self.data["nodes"].append(new)
        for output in new["outputs"]:
            output["links"] = []
        sources = {item["name"]: item["link"] for item in new["inputs"]}
        for name, link in sources.items():
            self._input(new, name)["link"] = None
            if link is not None:
                source = next(entry for entry in self.data["links"] if entry[0] == link)
                self._wire(source[1], source[2], new, name, source[5])
        return new

    def link(self, source: dict[str, Any], output: str, target: dict[str, Any], name: str) -> None:
        """Wire an output to an input, in place of what was there."""
        slot = next(i for i, item in enumerate(source["outputs"]) if output in (item["name"], item["type"]))
        self.unlink(target, name)
        self._wire(source["id"], slot, target, name, source["outputs"][slot]["type"])

    def unlink(self, target: dict[str, Any], name: str) -> None:
        number = self._input(target, name)["link"]
        self._input(target, name)["link"] = None
        self.data["links"] = [link for link in self.data["links"] if link[0] != number]
        for node in self.data["nodes"]:
            for output in node.get("outputs", []):
                output["links"] = [link for link in output.get("links") or [] if link != number]

    def remove(self, node: dict[str, Any]) -> None:
        """Take a node out, with its links."""
        for other in self.data["nodes"]:
            for item in list(other.get("inputs", [])):
                link = next((entry for entry in self.data["links"] if entry[0] == item["link"]), None)
                if link is not None and node["id"] in (link[1], link[3]):
                    self.unlink(other, item["name"])
        self.data["nodes"].remove(node)

    def _input(self, node: dict[str, Any], name: str) -> dict[str, Any]:
        for item in node["inputs"]:
            if item["name"] == name:
                return item
        kind = dict(sockets_of(node["type"])[0])[name]  # (an input that the file is too old for)
        node["inputs"].append({"name": name, "type": kind, "link": None})
        return node["inputs"][-1]

    def _wire(self, source: int, slot: int, target: dict[str, Any], name: str, kind: str) -> None:
        self.data["last_link_id"] += 1
        number = self.data["last_link_id"]
        item = self._input(target, name)
        item["link"] = number
        self.data["links"].append([number, source, slot, target["id"], target["inputs"].index(item), kind])
        origin = next(node for node in self.data["nodes"] if node["id"] == source)
        origin["outputs"][slot]["links"] = [*(origin["outputs"][slot].get("links") or []), number]
