"""Hybrid images by colour: one reading in grey, another in colour."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..parts import PartWarp


@dataclass(frozen=True)
class Grayscale(PartWarp):
    """The mean of the channels, as in dim light. For pictures, not latents, whose channels are no colours."""

    name = "grayscale"
    on_latents = "a latent's channels are not colours"

    def part(self, picture: Tensor) -> Tensor:
        return picture.mean(1, keepdim=True).expand_as(picture)


@dataclass(frozen=True)
class Colour(PartWarp):
    """What grayscale leaves out: the differences of the channels from their mean."""

    name = "colour"
    shows_all = True
    on_latents = "a latent's channels are not colours"

    def part(self, picture: Tensor) -> Tensor:
        return picture - picture.mean(1, keepdim=True)
