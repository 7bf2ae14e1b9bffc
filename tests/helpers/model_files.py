"""Model files on disk, loaded through the host's own loader nodes as a user loads them.

The files are those of `assets/make_small_models.py`, written once per test run. Import this after `hosting`.
"""

from __future__ import annotations

import functools
import importlib
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from helpers.hosting import host_module

base_nodes: ModuleType = host_module("nodes", "comfy.nodes.base_nodes")
folder_paths: ModuleType = host_module("folder_paths", "comfy.cmd.folder_paths")

_SCRIPT = Path(__file__).resolve().parents[2] / "assets" / "make_small_models.py"
CHECKPOINT = "synctweedies_tiny.ckpt"
LORA = "synctweedies_tiny_lora.safetensors"
DEPTH, EDGES = "synctweedies_tiny_depth.safetensors", "synctweedies_tiny_edges.safetensors"
CONTROL_LORA, T2I = "synctweedies_tiny_control_lora.safetensors", "synctweedies_tiny_t2i.safetensors"


@functools.cache
def maker() -> ModuleType:
    """The script that makes the files."""
    sys.path.append(str(_SCRIPT.parent))
    return importlib.import_module(_SCRIPT.stem)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="synctweedies-models-")


@functools.cache
def written(name: str) -> str:
    """A file's plain name, once it lies where the host's loaders look."""
    path = maker().write(Path(_folder().name), name)
    folder_paths.add_model_folder_path(path.parent.name, str(path.parent))
    return name


def run_host_node(name: str, *args: Any, **inputs: Any) -> Any:
    """Run one of the host's own nodes."""
    node = base_nodes.NODE_CLASS_MAPPINGS[name]()
    with torch.inference_mode():
        return getattr(node, node.FUNCTION)(*args, **inputs)


@functools.cache
def checkpoint() -> tuple[Any, Any, Any]:
    """(MODEL, CLIP, VAE)"""
    return run_host_node("CheckpointLoaderSimple", ckpt_name=written(CHECKPOINT))


@functools.cache
def control_net(name: str) -> Any:
    return run_host_node("ControlNetLoader", control_net_name=written(name))[0]


@functools.cache
def text(words: str) -> Any:
    """A CONDITIONING"""
    return run_host_node("CLIPTextEncode", clip=checkpoint()[1], text=words)[0]


def with_lora(strength_model: float, strength_clip: float) -> tuple[Any, Any]:
    """(MODEL, CLIP)"""
    model, clip, _ = checkpoint()
    return run_host_node(
        "LoraLoader",
        model=model,
        clip=clip,
        lora_name=written(LORA),
        strength_model=strength_model,
        strength_clip=strength_clip,
    )


def with_control(
    positive: Any, negative: Any, name: str, image: Any, strength: float = 1.0, start: float = 0.0, end: float = 1.0
) -> tuple[Any, Any]:
    """The host's ControlNetApplyAdvanced with IMAGE [N, h, w, 3]."""
    return run_host_node(
        "ControlNetApplyAdvanced",
        positive=positive,
        negative=negative,
        control_net=control_net(name),
        image=image,
        strength=strength,
        start_percent=start,
        end_percent=end,
    )
