"""One sparse matrix: how view pixels read canonical cells, or the reverse.

Everything a view does to the canonical signal (crop, permute, look, render) is a fixed sparse matrix, so one type
serves all of them. It is stored by rows (CSR) and applied with ``embedding_bag``, which is deterministic, needs no
sparse tensors and runs on CPU, CUDA, ROCm and MPS.

Typed wrapper of ``torch.unique`` (its stub has no types).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class LinearMap:
    """A ``rows x cols`` sparse matrix by rows.

    offsets: int32 [rows + 1], where each row's entries start; ``indices``: int32 [nnz], the column of each entry;
    ``weights``: float [nnz], its value (negative values are allowed). ``on_cpu`` marks a device whose ``embedding_bag``
    failed the self-test: values are then moved to the CPU and back.
    """

    offsets: Tensor
    indices: Tensor
    weights: Tensor
    cols: int
    on_cpu: bool = False

    @staticmethod
    def from_entries(rows: int, cols: int, row: Tensor, col: Tensor, weight: Tensor) -> LinearMap:
        """Build from a list of entries in any order. row, col: int [nnz]; weight: float [nnz].

        Entries of one row keep their given order, so the sum is the same on every run.
        Raises ValueError when an index lies outside the matrix (a bad index would read foreign memory later).
        """
        if not row.shape == col.shape == weight.shape:
            raise ValueError(f"{row.numel()} row, {col.numel()} column indices and {weight.numel()} weights do not fit")
        for name, index, size in (("row", row, rows), ("column", col, cols)):
            outside = index[(index < 0) | (index >= size)]
            if outside.numel():
                raise ValueError(f"{name} index {int(outside[0])} outside a map of {size} {name}s")
        # (narrow integers are sorted and moved twice as fast)
        order = torch.argsort(row.to(torch.int32), stable=True)
        counts = torch.bincount(row, minlength=rows)
        offsets = torch.zeros(rows + 1, dtype=torch.int32)
        offsets[1:] = torch.cumsum(counts, 0).to(torch.int32)
        return LinearMap(offsets, col.to(torch.int32)[order], weight[order], cols)

    @property
    def rows(self) -> int:
        return self.offsets.numel() - 1

    @property
    def nnz(self) -> int:
        return self.indices.numel()

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the matrix takes."""
        return sum(t.numel() * t.element_size() for t in (self.offsets, self.indices, self.weights))

    @property
    def row_of_entry(self) -> Tensor:
        """int64 [nnz]: the row each entry belongs to."""
        counts = (self.offsets[1:] - self.offsets[:-1]).long()
        return torch.repeat_interleave(torch.arange(self.rows, device=counts.device), counts)

    def row_counts(self) -> Tensor:
        """int64 [rows]: entries per row."""
        return (self.offsets[1:] - self.offsets[:-1]).long()

    def transpose(self) -> LinearMap:
        """The transposed matrix, stored by its own rows (a lazy transpose is 30 times slower to apply)."""
        moved = LinearMap.from_entries(
            self.cols, self.rows, self.indices.cpu(), self.row_of_entry.cpu(), self.weights.cpu()
        )
        return replace(moved, on_cpu=True) if self.on_cpu else moved.to(self.weights.device)

    def with_weights(self, weights: Tensor) -> LinearMap:
        """The same pattern with other values: float [nnz]."""
        if weights.shape != self.weights.shape:
            raise ValueError(f"{weights.numel()} weights for a map of {self.nnz} entries")
        return replace(self, weights=weights)

    def to(self, device: torch.device | str) -> LinearMap:
        """Move to a device. Any but the CPU is tested here once; if it computes wrongly, the CPU is used."""
        device = torch.device(device)
        if device == self.weights.device:
            return self
        return self.moved(device, device.type == "cpu" or computes_correctly(device))

    def moved(self, device: torch.device, works: bool) -> LinearMap:
        """``to`` a device that was tested before: ``works`` or not."""
        if not works:
            return replace(self, on_cpu=True)
        return replace(
            self,
            offsets=self.offsets.to(device),
            indices=self.indices.to(device),
            weights=self.weights.to(device),
            on_cpu=False,
        )

    def apply(self, values: Tensor) -> Tensor:
        """Multiply: values [cols, C] -> [rows, C], in the dtype of ``values`` (half precision is summed in float32)."""
        if values.shape[0] != self.cols:
            raise ValueError(f"a map of {self.cols} columns was given {values.shape[0]} rows of values")
        if self.on_cpu and values.device.type != "cpu":
            return _bag(self, values.cpu()).to(values.device)
        return _bag(self, values)


def _bag(matrix: LinearMap, values: Tensor) -> Tensor:
    if matrix.nnz == 0 or values.shape[1] == 0:
        return values.new_zeros(matrix.rows, values.shape[1])
    wide = values.to(torch.float32) if values.dtype in (torch.float16, torch.bfloat16) else values
    out = F.embedding_bag(
        matrix.indices,
        wide.contiguous(),
        # Not include_last_offset=True: on MPS it is silently wrong.
        matrix.offsets[:-1],
        mode="sum",
        per_sample_weights=matrix.weights.to(wide.dtype),
    )
    return out.to(values.dtype)


def computes_correctly(device: torch.device) -> bool:
    """Compare a small map with empty rows on ``device`` with the CPU."""
    generator = torch.Generator().manual_seed(0)
    row = torch.randint(0, 100, (300,), generator=generator)
    row = row[row % 7 != 0]
    col = torch.randint(0, 50, (row.numel(),), generator=generator)
    probe = LinearMap.from_entries(100, 50, row, col, torch.rand(row.numel(), generator=generator))
    values = torch.rand(50, 3, generator=generator)
    moved = replace(
        probe,
        offsets=probe.offsets.to(device),
        indices=probe.indices.to(device),
        weights=probe.weights.to(device),
    )
    try:
        result = _bag(moved, values.to(device)).cpu()
    except (RuntimeError, NotImplementedError):
        return False
    return torch.allclose(result, _bag(probe, values), atol=1e-5)


def unique_groups(key: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """int [n] -> (distinct values sorted [m], index of each element's value [n], count of each value [m])."""
    result = torch.unique(key, return_inverse=True, return_counts=True)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return cast(tuple[Tensor, Tensor, Tensor], result)
