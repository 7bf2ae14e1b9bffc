"""What the chunks of a model evaluation say, put where it belongs as it comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass
class Joined:
    """Tensors [rows, ...] of all rows of a batch; rows that no chunk has are 0. (Chunks that are kept until the last is
    there, and joined then, would be held twice at once.)"""

    rows: int
    tensors: list[Tensor] | None = None

    def put(self, index: Sequence[int], said: Sequence[Tensor]) -> None:
        """What a chunk of these rows says."""
        if list(index) == list(range(self.rows)):
            self.tensors = list(said)
            return
        if self.tensors is None:
            self.tensors = [each.new_zeros(self.rows, *each.shape[1:]) for each in said]
        for whole, part in zip(self.tensors, said, strict=True):
            if list(index) == list(range(index[0], index[0] + len(index))):
                whole[index[0] : index[0] + len(index)] = part
            else:
                whole[list(index)] = part
