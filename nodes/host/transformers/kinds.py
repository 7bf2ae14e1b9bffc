"""The host's diffusion transformers, one by one: what is known of each to share attention between views.

Looked up by the exact class: a class that is not here may order its tokens in another way.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ....sync_core.attention.rotary import Rotary
from ..objects import Model
from .calls import HAS_OVERRIDE, ModelCall
from .sequences import First, finds_joint, finds_leading, finds_lumina, finds_sd3, finds_wan

Shifts = tuple[Tensor, Tensor | None]
"""By how much each row's picture, and each row's text (None: not), are moved: float64 [rows, axes]."""


@dataclass(frozen=True)
class Transformer:
    """words: what users call it. patch: latent cells a token is wide. first: finds the picture in the sequences of one
    call. rotary: how it turns positions, whose axes 1 and 2 are row and column; None: it adds a table to its tokens
    (``cropped_pos_embed``). centred: positions count from the picture's middle, and text begins where it ends.
    refuses: conditionings whose tokens lie where nothing here knows of, and what users call them."""

    words: str
    patch: Callable[[Any], int]
    first: Callable[[ModelCall, int], First]
    rotary: Callable[[Any], Rotary] | None
    centred: bool = False
    refuses: tuple[tuple[str, str], ...] = ()

    def picture(self, call: ModelCall) -> Picture:
        """Raises ValueError for a call that brings what is refused."""
        for name, words in self.refuses:
            brought = call.more.get(name)
            if brought is not None and len(brought):
                raise ValueError(f"{words} cannot be placed among the views of {self.words}; leave them out")
        patch = self.patch(call.network)
        height, width = call.x.shape[-2:]
        frames = call.x.shape[2] if call.x.ndim == 5 else 1
        if frames > 1:
            raise ValueError(
                f"views of {frames} frames cannot be placed on a canvas; use one frame, or leave the node out"
            )
        return Picture(self, call, (math.ceil(height / patch), math.ceil(width / patch)), patch)


@dataclass(frozen=True)
class Picture:
    """The picture's tokens in one model call: a grid of (rows, columns), each ``patch`` cells wide."""

    of: Transformer
    call: ModelCall
    grid: tuple[int, int]
    patch: int

    @property
    def tokens(self) -> int:
        return self.grid[0] * self.grid[1]

    def first(self) -> First:
        """Finds the picture in this call's sequences; it counts calls, so a model call needs a new one."""
        return self.of.first(self.call, self.tokens)

    def rotary(self) -> Rotary | None:
        return None if self.of.rotary is None else self.of.rotary(self.call.network)

    def shifts(self, origins: Tensor, size: tuple[float, float], axes: int) -> Shifts:
        """What moves pictures that the network places by themselves to ``origins`` [rows, 2] on a sheet of ``size``
        (rows, columns), both in cells."""
        at = self.in_tokens(origins)
        picture = torch.zeros(len(at), axes, dtype=torch.float64)
        picture[:, 1:3] = at
        if not self.of.centred:
            return picture, None
        whole = [math.ceil(s / self.patch) for s in size]
        picture[:, 1:3] -= torch.tensor([w // 2 - g // 2 for w, g in zip(whole, self.grid, strict=True)])
        beyond = max(w // 2 for w in whole) - max(g // 2 for g in self.grid)
        return picture, torch.full((len(at), axes), float(beyond), dtype=torch.float64)

    def in_tokens(self, cells: Tensor) -> Tensor:
        """Rows and columns [.., 2] of cells, in steps of the network's positions."""
        options = self.call.options.get("rope_options") or {}
        stretch = torch.tensor([options.get("scale_y", 1.0), options.get("scale_x", 1.0)], dtype=torch.float64)
        return cells / self.patch * (1.0 if self.of.centred else stretch)

    def placed_by_table(self, origins: Tensor, size: tuple[float, float]) -> dict[str, Any]:
        """The call's options with a patch of the first block, which puts each row's part of the table of the whole
        sheet in place of the table of one view. Raises ValueError where the table is smaller than the sheet."""
        network, (rows, columns) = self.call.network, self.grid
        cells = [math.ceil(s / self.patch) * self.patch for s in size]
        whole = (cells[0] // self.patch, cells[1] // self.patch)
        most = getattr(network, "pos_embed_max_size", None)
        if most is not None and max(whole) > most:
            raise ValueError(
                f"a canvas of {whole[1]} x {whole[0]} tokens is larger than the table of positions of "
                f"{self.of.words}, {most} x {most}; set positions to 'own'"
            )
        device = self.call.x.device
        table = network.cropped_pos_embed(tuple(cells), device=device)[0].reshape(*whole, -1)
        local = network.cropped_pos_embed((rows * self.patch, columns * self.patch), device=device)
        at = (origins / self.patch).round().long()
        down = (at[:, :1] + torch.arange(rows)) % whole[0]
        along = (at[:, 1:] + torch.arange(columns)) % whole[1]
        moved = table[down[:, :, None], along[:, None, :]].flatten(1, 2) - local
        return _before_block(self.call.options, moved)


def _before_block(options: dict[str, Any], added: Tensor) -> dict[str, Any]:
    """Options in which ``added`` [rows, tokens, C] comes to the tokens that enter the first block, whoever owns it."""
    key, replaced = ("double_block", 0), options.get("patches_replace", {})
    owner = replaced.get("dit", {}).get(key)

    def patch(args: dict[str, Any], more: dict[str, Any]) -> Any:
        args = {**args, "img": args["img"] + added.to(args["img"])}
        return more["original_block"](args) if owner is None else owner(args, more)

    return {**options, "patches_replace": {**replaced, "dit": {**replaced.get("dit", {}), key: patch}}}


def _rotary(embedder: str) -> Callable[[Any], Rotary]:
    def of(network: Any) -> Rotary:
        found = getattr(network, embedder)
        return Rotary(tuple(found.axes_dim), float(found.theta))

    return of


def _patch(network: Any) -> int:
    return network.patch_size


_FLUX = Transformer("Flux", _patch, finds_joint, _rotary("pe_embedder"))
_CHROMA = Transformer("Chroma", _patch, finds_joint, _rotary("pe_embedder"))
_QWEN = Transformer("Qwen-Image", _patch, finds_joint, _rotary("pe_embedder"), centred=True)
_WAN = Transformer(
    "Wan",
    lambda network: network.patch_size[-1],
    finds_wan,
    _rotary("rope_embedder"),
    refuses=(
        ("reference_latent", "reference pictures"),
        ("context_latents", "pictures in context"),
        ("time_dim_concat", "frames beside the picture's"),
    ),
)
_LUMINA = Transformer(
    "Lumina 2 and Z-Image",
    _patch,
    finds_lumina,
    _rotary("rope_embedder"),
    refuses=(("ref_latents", "reference pictures"),),
)
_SD3 = Transformer("SD3", _patch, finds_sd3, None)
_HIDREAM = Transformer(
    "HiDream", _patch, finds_leading, _rotary("pe_embedder"), refuses=(("image_cond", "pictures to edit"),)
)

_KINDS: dict[tuple[str, str], Transformer] = {
    ("flux.model", "Flux"): _FLUX,
    ("chroma.model", "Chroma"): _CHROMA,
    ("chroma_radiance.model", "ChromaRadiance"): _CHROMA,
    ("qwen_image.model", "QwenImageTransformer2DModel"): _QWEN,
    ("wan.model", "WanModel"): _WAN,
    ("wan.model", "VaceWanModel"): _WAN,
    ("wan.model", "CameraWanModel"): _WAN,
    ("lumina.model", "NextDiT"): _LUMINA,
    ("lumina.model", "NextDiTPixelSpace"): _LUMINA,
    ("modules.diffusionmodules.mmdit", "MMDiT"): _SD3,
    ("modules.diffusionmodules.mmdit", "OpenAISignatureMMDITWrapper"): _SD3,
    ("hidream.model", "HiDreamImageTransformer2DModel"): _HIDREAM,
}
KNOWN = ", ".join(dict.fromkeys(kind.words for kind in _KINDS.values()))
"""What users call the transformers that are known here."""


def transformer_of(model: Model) -> Transformer | None:
    """What is known of a MODEL's network; None where it is none of these, or the host has no override."""
    network: Any = model.get_model_object("diffusion_model")
    found = type(getattr(network, "_orig_mod", network))
    return _KINDS.get((found.__module__.removeprefix("comfy.ldm."), found.__name__)) if HAS_OVERRIDE else None
