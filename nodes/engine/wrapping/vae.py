"""A user's VAE, of any class, that encodes and decodes pictures whose edges meet.

In one piece the layers themselves wrap (layers.py): exact, and nothing is decoded twice. Where that is not possible (in
tiles, or where a VAE is none of PyTorch's convolutions), the picture is continued beyond its borders, decoded, and the
two decodes of what lies at a seam fade into each other. Beyond a pole a picture is always continued: layers that wrap
would see it mirrored.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ....renderers.geometry import Space
from ...host.objects import VAE
from ..vae import check_weights, vae_cells
from .layers import WrappedLayers

# Cells beyond a border. A VAE of eight pixels a cell reads 18 cells far, and hardly anything beyond 12: what is left is
# that norms and attention see the cells beyond a pole twice.
_POLE = 16
_BEFORE, _AFTER, _FADE = 16, 32, 16
# For VAEs that do not say how large their cells are: a multiple of all that there are.
_CELL = 32


class WrappedVAE:
    """``vae`` for pictures of ``space``. It has whatever else the VAE has. Raises ValueError for a space whose borders
    do not meet, and for a VAE of sounds or without weights."""

    def __init__(self, vae: VAE, space: Space) -> None:
        borders = space.borders
        if borders is None or not borders.meet:
            what = "has no borders that could meet" if borders is None else "does not wrap"
            raise ValueError(
                f"a space of kind {space.kind} {what}; switch wrap_x or wrap_y of Canonical Space on, use a panorama, "
                "or the VAE as it is"
            )
        check_weights(vae)
        if getattr(vae, "latent_dim", 2) not in (2, 3):
            raise ValueError("vae is one of sounds or shapes, which have no borders; connect the VAE of an image model")
        self._vae, self._space, self._borders = vae, space, borders

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._vae, name)

    def decode(self, samples: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Latents of the whole picture [B, C, (T,) rows, columns] -> pictures [.., H, W, channels]."""
        return self._called("decode", self._latents(samples), True, args, kwargs)

    def decode_tiled(self, samples: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """As ``decode``, in the VAE's own tiles."""
        return self._called("decode_tiled", self._latents(samples), False, args, kwargs)

    def encode(self, pixels: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Pictures [.., H, W, channels] of the space's size -> latents."""
        return self._called("encode", self._pictures(pixels), True, args, kwargs)

    def encode_tiled(self, pixels: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """As ``encode``, in the VAE's own tiles."""
        return self._called("encode_tiled", self._pictures(pixels), False, args, kwargs)

    def _latents(self, samples: Tensor) -> Tensor:
        """The samples. Raises ValueError when they are none of the whole picture."""
        rows, columns = samples.shape[-2:]
        width, height = self._space.width, self._space.height
        cell = math.ceil(width / columns)
        # (cells may stick out where nothing wraps)
        across, down = self._borders.x, self._borders.y or self._borders.poles
        cut = (across and width % cell) or (down and height % cell)
        if cut or (math.ceil(width / cell), math.ceil(height / cell)) != (columns, rows):
            raise ValueError(
                f"a latent of {columns} x {rows} cells is not the whole picture of {width} x {height} pixels that this "
                "VAE wraps; connect the sampler's canonical output, and the VAE as it is for views"
            )
        return samples

    def _pictures(self, pixels: Tensor) -> Tensor:
        """The pictures as [.., C, H, W]. Raises ValueError when they are not of the space's size."""
        high, wide = pixels.shape[-3:-1]
        width, height = self._space.width, self._space.height
        if (wide, high) != (width, height):
            raise ValueError(
                f"a picture of {wide} x {high} is not the whole picture of {width} x {height} that this VAE wraps; "
                "scale it to the CanonicalSpace's size, and use the VAE as it is for views"
            )
        cell = next(iter(vae_cells(self._vae)), 1)
        for side, wraps in ((width, self._borders.x), (height, self._borders.y or self._borders.poles)):
            if wraps and side % cell:
                raise ValueError(
                    f"a picture of {width} x {height} cannot wrap: {side} is not a multiple of this VAE's cell of "
                    f"{cell:g} pixels; use {round(side / cell) * cell:g}"
                )
        return pixels.movedim(-1, -3)

    def _called(self, name: str, given: Tensor, whole: bool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """The VAE's function ``name`` of latents, or of pictures [.., C, H, W], continued."""
        decodes = name.startswith("decode")
        unit = 1 if decodes else int(next(iter(vae_cells(self._vae)), _CELL))

        def called(vae: VAE, planes: Tensor) -> Tensor:
            result = getattr(vae, name)(planes if decodes else planes.movedim(-3, -1).contiguous(), *args, **kwargs)
            return result.movedim(-1, -3) if decodes else result

        result = self._in_one(called, given, unit) if whole else None
        result = self._continued(called, given, unit) if result is None else result
        return result.movedim(-3, -1) if decodes else result

    def _in_one(self, called: Callable[[VAE, Tensor], Tensor], given: Tensor, unit: int) -> Tensor | None:
        """By layers that wrap; None where that cannot be: the VAE cuts pictures into tiles, or has no such layers."""
        if getattr(self._vae, "handles_tiling", False):
            return None
        poles = min(_POLE * unit, given.shape[-2]) if self._borders.poles else 0
        continued = self._borders.beyond(given, (poles, poles))
        layers = WrappedLayers(self._borders, *continued.shape[-2:])
        vae = self._vae
        if hasattr(vae, "first_stage_model"):
            vae = copy.copy(vae)
            vae.first_stage_model = _InOnePiece(vae.first_stage_model, layers)
            try:
                result = called(vae, continued)
            except _Piece:
                return None
        else:
            with layers:
                result = called(vae, continued)
        if not layers.count:
            return None
        return _middle(result, given.shape[-2:], (poles, 0), continued.shape[-2:])

    def _continued(self, called: Callable[[VAE, Tensor], Tensor], given: Tensor, unit: int) -> Tensor:
        """By a picture that goes on beyond its borders."""
        height, width = given.shape[-2:]
        borders = self._borders
        left, right = (_BEFORE * unit, _AFTER * unit) if borders.x else (0, 0)
        above, below = (_BEFORE * unit, _AFTER * unit) if borders.y else (0, 0)
        if borders.poles:
            above = below = min(_POLE * unit, height)
        continued = borders.beyond(given, (above, below), (left, right))
        result = called(self._vae, continued)
        scale = result.shape[-1] / continued.shape[-1]
        if borders.x:
            fade = min(round(_FADE * unit * scale), round(width * scale))
            result = faded(result, -1, round(left * scale), round(width * scale), fade)
        if borders.y:
            fade = min(round(_FADE * unit * scale), round(height * scale))
            return faded(result, -2, round(above * scale), round(height * scale), fade)
        return result.narrow(-2, round(above * scale), round(height * scale))


def faded(picture: Tensor, axis: int, start: int, length: int, fade: int) -> Tensor:
    """``length`` from ``start`` of a picture that goes on with itself beyond that: its first ``fade`` pixels begin as
    what it goes on with, so that last and first fit, and become what they are."""
    middle = picture.narrow(axis, start, length).clone()
    first, again = middle.narrow(axis, 0, fade), picture.narrow(axis, start + length, fade)
    own = (torch.arange(fade, device=picture.device, dtype=picture.dtype) + 0.5) / fade
    own = own.reshape(-1, *[1] * (-1 - axis))
    first.copy_(first * own + again * (1 - own))
    return middle


def _middle(result: Tensor, size: torch.Size, before: tuple[int, int], whole: torch.Size) -> Tensor:
    """The part of a result that belongs to what lies ``before`` cells inside of the whole."""
    for axis, length, first in zip((-2, -1), size, before, strict=True):
        scale = result.shape[axis] / whole[axis]
        result = result.narrow(axis, round(first * scale), round(length * scale))
    return result


class _Piece(Exception):
    """The host cuts the picture into tiles: its memory ran out."""


class _InOnePiece:
    """A VAE's network that is called with the whole picture, by layers that wrap."""

    def __init__(self, network: Any, layers: WrappedLayers) -> None:
        self._network, self._layers = network, layers

    def __getattr__(self, name: str) -> Any:
        if name in ("_network", "_layers"):
            raise AttributeError(name)
        return getattr(self._network, name)

    def decode(self, samples: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return self._whole(self._network.decode, samples, args, kwargs)

    def encode(self, pixels: Tensor, *args: Any, **kwargs: Any) -> Any:
        return self._whole(self._network.encode, pixels, args, kwargs)

    def decode_tiled(self, *args: Any, **kwargs: Any) -> Any:
        raise _Piece

    def encode_tiled(self, *args: Any, **kwargs: Any) -> Any:
        raise _Piece

    def _whole(self, call: Callable[..., Any], given: Tensor, args: Any, kwargs: Any) -> Any:
        if tuple(given.shape[-2:]) != (self._layers.rows, self._layers.columns):
            raise _Piece
        with self._layers:
            return call(given, *args, **kwargs)
