"""The toy world's files: safetensors of half precision whose heads say what they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from .networks import Sizes, TextNetwork, ToyControl, ToyUNet
from .words import Words

FAMILY, VERSION = "synctweedies toy world", "1"
_UNET, _TEXT = "model.diffusion_model.", "cond_stage_model."


@dataclass(frozen=True)
class Head:
    """What a file says of itself."""

    sizes: Sizes
    words: Words | None


def read_file(path: Path, part: str) -> tuple[Head, dict[str, Tensor]]:
    """A file's head and its weights in float32.

    part: ``model``, ``controlnet`` or ``lora``. Raises ValueError (one line) for a file that is missing, cut short, of
    another version, or of another kind.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ValueError(f"the file {path.name} is missing; install the pack again, or run assets/toy_world/make.py")
    try:
        with safe_open(path, "pt") as file:
            head: dict[str, str] = file.metadata() or {}
            names: list[str] = list(file.keys())
            weights: dict[str, Tensor] = {name: file.get_tensor(name).float() for name in names}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"the file {path.name} cannot be read ({error}): it is cut short; copy it again") from error
    if head.get("family") != FAMILY:
        raise ValueError(f"the file {path.name} is no file of the toy world; load it with the host's own loaders")
    if head.get("version") != VERSION:
        raise ValueError(
            f"the file {path.name} is of version {head.get('version')}, this pack reads version {VERSION}; update the "
            "pack, or make the file again with assets/toy_world/make.py"
        )
    if head.get("part") != part:
        raise ValueError(f"the file {path.name} holds the toy world's {head.get('part')}, not its {part}")
    sizes = Sizes(**json.loads(head["sizes"]))
    words = (
        Words(tuple(json.loads(head["words"])), json.loads(head["alike"]), sizes.tokens) if "words" in head else None
    )
    return Head(sizes, words), weights


def _filled(network: torch.nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    own = network.state_dict()
    wrong = sorted(k for k in own.keys() | weights.keys() if k not in own or k not in weights)
    wrong += [k for k, v in own.items() if k in weights and weights[k].shape != v.shape]
    if wrong:
        raise ValueError(f"the file {path.name} does not fit its own sizes (first: '{wrong[0]}'); copy it again")
    network.load_state_dict(weights)
    network.eval().requires_grad_(False)


def read_model(path: Path) -> tuple[Sizes, Words, ToyUNet, TextNetwork]:
    """The model's two networks and its words. Raises ValueError (one line)."""
    head, weights = read_file(path, "model")
    unet, text = ToyUNet(head.sizes), TextNetwork(head.sizes)
    for network, prefix in ((unet, _UNET), (text, _TEXT)):
        own = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        _filled(network, own, path)
    assert head.words is not None
    return head.sizes, head.words, unet, text


def read_control(path: Path) -> tuple[Sizes, ToyControl]:
    """The depth ControlNet. Raises ValueError (one line)."""
    head, weights = read_file(path, "controlnet")
    network = ToyControl(head.sizes)
    _filled(network, weights, path)
    return head.sizes, network
