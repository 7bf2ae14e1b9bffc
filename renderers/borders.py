"""What lies beyond the borders of a picture that wraps: edges that meet, and the poles of a sphere."""

# pyright: strict
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Borders:
    """``x``, ``y``: left and right, top and bottom edge meet. ``poles``: above the first row and below the last the
    picture of a sphere goes on half way around, mirrored."""

    x: bool = False
    y: bool = False
    poles: bool = False

    @property
    def meet(self) -> bool:
        """Whether anything lies beyond any of them."""
        return self.x or self.y or self.poles

    def beyond(self, picture: Tensor, rows: tuple[int, int] = (0, 0), columns: tuple[int, int] = (0, 0)) -> Tensor:
        """A picture [.., H, W] with as many ``rows`` (above, below) and ``columns`` (left, right) more, continued. As
        many as it likes where edges meet, at most H beyond a pole; other borders get none."""
        height, width = picture.shape[-2:]
        if self.x and any(columns):
            picture = picture[..., _around(columns, width, picture.device)]
        if self.y and any(rows):
            picture = picture[..., _around(rows, height, picture.device), :]
        if self.poles and any(rows):
            left = columns[0] if self.x else 0
            half = (torch.arange(picture.shape[-1], device=picture.device) - left + width // 2) % width + left
            turned = picture[..., half]
            above, below = turned[..., : rows[0], :].flip(-2), turned[..., height - rows[1] :, :].flip(-2)
            picture = torch.cat([above, picture, below], -2)
        return picture


def _around(more: tuple[int, int], length: int, device: torch.device) -> Tensor:
    return torch.arange(-more[0], length + more[1], device=device) % length
