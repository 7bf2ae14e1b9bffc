"""What must be known of a diffusion transformer to share attention between views, and what follows of it for a call."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ....sync_core.attention.rotary import Rotary
from .calls import ModelCall
from .sequences import First

Shifts = tuple[Tensor, Tensor | None]
"""By how much each row's picture, and each row's text (None: not), are moved: float64 [rows, axes]."""


@dataclass(frozen=True)
class Transformer:
    """words: what users call it. patch: latent cells a token is wide. first: finds the picture in the sequences of one
    call. rotary: how it turns positions; None: it adds ``table`` to its tokens, [tokens, C] for a picture of (rows,
    columns) tokens. centred: positions count from the picture's middle, and text begins where it ends. stretches:
    whether it heeds the scale of the host's rope_options. refuses: conditionings whose tokens lie where nothing here
    knows of, and what users call them."""

    words: str
    patch: Callable[[Any], int]
    first: Callable[[ModelCall, int], First]
    rotary: Callable[[Any], Rotary] | None = None
    table: Callable[[ModelCall, tuple[int, int]], Tensor] | None = None
    centred: bool = False
    stretches: bool = False
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
        if not self.of.centred:
            return self.on_axes(origins, axes), None
        whole = [math.ceil(s / self.patch) for s in size]
        middle = [w // 2 - g // 2 for w, g in zip(whole, self.grid, strict=True)]
        beyond = max(w // 2 for w in whole) - max(g // 2 for g in self.grid)
        cells = torch.tensor(middle, dtype=torch.float64) * self.patch
        return self.on_axes(origins - cells, axes), torch.full((len(origins), axes), float(beyond), dtype=torch.float64)

    def on_axes(self, cells: Tensor, axes: int) -> Tensor:
        """float64 [n, axes]: rows and columns [n, 2] of cells, in steps of the network's positions."""
        options = self.call.options.get("rope_options") or {}
        stretch = torch.tensor([options.get("scale_y", 1.0), options.get("scale_x", 1.0)], dtype=torch.float64)
        moved = torch.zeros(len(cells), axes, dtype=torch.float64)
        # (a picture's frame, where there is one, comes first)
        row = 0 if axes == 2 else 1
        moved[:, row : row + 2] = cells / self.patch * (stretch if self.of.stretches else 1.0)
        return moved

    def placed_by_table(self, origins: Tensor, size: tuple[float, float]) -> dict[str, Any]:
        """The call's options with a patch of the first block, which puts each row's part of the table of the whole
        sheet in place of the table of one view. Raises ValueError where the table is smaller than the sheet."""
        rows, columns = self.grid
        whole = (math.ceil(size[0] / self.patch), math.ceil(size[1] / self.patch))
        most = getattr(self.call.network, "pos_embed_max_size", None)
        if most is not None and max(whole) > most:
            raise ValueError(
                f"a canvas of {whole[1]} x {whole[0]} tokens is larger than the table of positions of "
                f"{self.of.words}, {most} x {most}; set positions to 'own'"
            )
        assert self.of.table is not None
        table = self.of.table(self.call, whole).reshape(*whole, -1)
        local = self.of.table(self.call, self.grid)
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
