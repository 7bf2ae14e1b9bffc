"""What nodes are given, looked at before they begin: pictures, masks, latents and numbers that no node can use.

The host checks widgets by their limits, which NaN passes, and says nothing about what comes over links.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def check_inputs(kinds: Mapping[str, str], values: Mapping[str, Any]) -> None:
    """Raises ValueError for an empty batch, other axes than the type has, NaN, and what is no picture at all.

    kinds: the type of each input, of which IMAGE, MASK, LATENT and FLOAT are looked at; values: by input. None is not
    looked at: the input was left out.
    """
    checks = {"IMAGE": _check_image, "MASK": _check_mask, "LATENT": _check_latent, "FLOAT": _check_number}
    for name, value in values.items():
        check = checks.get(kinds.get(name, ""))
        if value is not None and check is not None:
            check(name, value)


def _check_image(name: str, value: Any) -> None:
    _check_tensor(name, value, "an image [batch, height, width, channels]", (4,))


def _check_mask(name: str, value: Any) -> None:
    # (the host's own nodes make masks of two to four axes)
    _check_tensor(name, value, "a mask [batch, height, width]", (2, 3, 4))


def _check_latent(name: str, value: Any) -> None:
    if not isinstance(value, dict) or "samples" not in value:
        raise ValueError(f"{name} is no latent but {type(value).__name__}; connect a LATENT")
    samples = value["samples"]
    # (latents of several parts, of sound and of 3D shapes have sentences of their own)
    if isinstance(samples, Tensor) and not samples.is_nested:
        if samples.numel() == 0:
            raise ValueError(f"{name} is empty (shape {tuple(samples.shape)}); connect a latent with something in it")
        _check_finite(name, samples)


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, float) and math.isnan(value):
        raise ValueError(f"{name} is no number (NaN); type one")


def _check_tensor(name: str, value: Any, what: str, axes: tuple[int, ...]) -> None:
    if not isinstance(value, Tensor):
        raise ValueError(f"{name} is {type(value).__name__}, not {what}; connect one")
    if value.ndim not in axes:
        raise ValueError(f"{name} has the shape {tuple(value.shape)} and is not {what}; connect one")
    if value.numel() == 0:
        raise ValueError(f"{name} is empty (shape {tuple(value.shape)}); connect {what} with something in it")
    _check_finite(name, value)


def _check_finite(name: str, value: Tensor) -> None:
    if value.is_floating_point() and bool(torch.isnan(value).any()):
        raise ValueError(
            f"the {name} holds NaN; a model or VAE in half precision often makes them: start with --fp32-vae or "
            "--fp32-unet"
        )
