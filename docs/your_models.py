"""Workflows that run with the pack's small model, as users have them with models of their own: the loader swapped,
views and canvas as large as Stable Diffusion 1.5 likes them, prompts that it understands."""

from __future__ import annotations

from typing import Any

from workflow_graphs import Graph

CHECKPOINT, DEPTH = "v1-5-pruned-emaonly.safetensors", "control_v11f1p_sd15_depth_fp16.safetensors"
_RUN = {"seed": 1, "steps": 30, "cfg": 7.5}
_DIRECTIONS = "front: front view\nback: back view\ntop: top view\nleft, right: side view\n*: seen at an angle"
# What changes beside the loader, by workflow and node: widgets.
_CHANGES: dict[str, dict[str, dict[str, Any]]] = {
    "wide_image_checkpoint": {
        "CanonicalSpace": {"width": 2048, "height": 512},
        "ViewRig": {"width": 512, "height": 512, "pixels": 128},
        "SyncTweediesSampler": _RUN,
    },
    "panorama_depth_controlnet": {
        "CanonicalSpace": {"width": 2048, "height": 1024},
        "ViewRig": {"width": 512, "height": 512, "fov": 80.0},
        "ViewPrompts": {
            "prompts": "top: the ceiling\nbottom: the floor\n*: a cosy living room with wooden furniture",
            "negative": "blurry, text",
            "suffix": ", photograph, best quality",
        },
        "PanoramaDepthViews": {"values": "inverse", "range": "joint", "file": ""},
        "ControlNetApplyAdvanced": {"strength": 0.7},
        "SyncTweediesSampler": _RUN,
    },
    "panorama_text_stochastic": {
        "CanonicalSpace": {"width": 2048, "height": 1024},
        "ViewRig": {"width": 512, "height": 512},
        "ViewPrompts": {
            "prompts": "top: a clear evening sky with light clouds\nbottom: grass and small stones seen from above\n"
            "*: a mountain valley with a lake, evening light",
            "negative": "blurry, frame, text",
            "prefix": "360 panorama, ",
            "suffix": ", photograph",
        },
        "SyncTweediesSampler": {**_RUN, "steps": 25},
    },
    "mesh_text_controlnet": {
        "OrbitRig": {"width": 512, "height": 512},
        "ViewPrompts": {
            "prompts": _DIRECTIONS,
            "negative": "blurry, text",
            "prefix": "a blue and white porcelain teapot, studio photograph, ",
        },
        "ControlNetApplyAdvanced": {"strength": 0.7},
        "SyncTweediesSampler": _RUN,
    },
    "splats_text_controlnet": {
        "OrbitRig": {"width": 512, "height": 512},
        "ViewPrompts": {
            "prompts": "front: front view\nback: back view\ntop: seen from above\n*: side view",
            "negative": "blurry, text",
            "prefix": "a lighthouse covered in snow, ",
        },
        "ControlNetApplyAdvanced": {"strength": 0.7},
        "SyncTweediesSampler": _RUN,
    },
}
_WORDS = {"Prompt": "a photo of a mountain range at twilight, best quality", "Negative": "blurry, low quality"}


def with_your_models(name: str, checkpoint: str = CHECKPOINT, depth: str = DEPTH) -> Graph:
    """The workflow of that name with Load Checkpoint, and ControlNetLoader where it has hints, in place of the pack's
    model."""
    graph = Graph(name)
    small = graph.node("ToyWorldModel")
    x, y = small["pos"]
    loader = graph.add("CheckpointLoaderSimple", (x, y), (320, 98), ckpt_name=checkpoint)
    outputs = {0: "MODEL", 1: "CLIP", 2: "VAE"}
    for _, source, slot, target, place, _ in list(graph.data["links"]):
        if source != small["id"]:
            continue
        node = next(n for n in graph.data["nodes"] if n["id"] == target)
        socket = node["inputs"][place]["name"]
        if slot in outputs:
            graph.link(loader, outputs[slot], node, socket)
        else:
            hints = graph.add("ControlNetLoader", (x, y + 150), (320, 58), control_net_name=depth)
            graph.link(hints, "CONTROL_NET", node, socket)
    graph.remove(small)
    for kind, widgets in _CHANGES.get(name, {}).items():
        graph.set(graph.node(kind), **widgets)
    for title, text in _WORDS.items():
        if any(node.get("title") == title for node in graph.data["nodes"]):
            graph.set(graph.node("CLIPTextEncode", title), text=text)
    if name == "panorama_depth_controlnet":
        picture = graph.add("LoadImage", (400, 678), (300, 314), "Depth of the sphere, near = white")
        graph.set(picture, image="panorama_depth.png", upload="image")
        graph.link(picture, "IMAGE", graph.node("PanoramaDepthViews"), "image")
    return graph
