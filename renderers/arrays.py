"""What torch and numpy leave unsaid of the types of their results, said once; each is the library's own call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray[Any, np.dtype[Any]]


def tensor_of(array: Array) -> Tensor:
    """The tensor that shares the memory of an array, or of a copy where its memory cannot be shared."""
    return torch.from_numpy(array)  # pyright: ignore[reportUnknownMemberType]


def array_of(tensor: Tensor) -> Array:
    """The array that shares the memory of a tensor on the CPU."""
    return cast(Array, tensor.numpy())


def shaped(array: Array, *shape: int) -> Array:
    """The same values in another shape; one of its sizes may be -1."""
    return cast(Array, array.reshape(shape))  # pyright: ignore[reportUnknownMemberType]


def turned(array: Array) -> Array:
    """The transpose, in the same memory."""
    return cast(Array, array.T)  # pyright: ignore[reportUnknownMemberType]


def floats(tensor: Tensor) -> list[float]:
    """[n] -> its values."""
    return cast("list[float]", tensor.tolist())  # pyright: ignore[reportUnknownMemberType]


def integers(tensor: Tensor) -> list[int]:
    """[n] of whole numbers -> its values."""
    return cast("list[int]", tensor.tolist())  # pyright: ignore[reportUnknownMemberType]


def rows_of(tensor: Tensor) -> list[list[float]]:
    """[n, m] -> its rows; whole numbers stay whole."""
    return cast("list[list[float]]", tensor.tolist())  # pyright: ignore[reportUnknownMemberType]


def triple(tensor: Tensor) -> tuple[float, float, float]:
    """[3] -> (x, y, z)."""
    x, y, z = floats(tensor)
    return x, y, z


def norm(tensor: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Euclidean length, of everything or along ``dim``."""
    if dim is None:
        return tensor.norm()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return tensor.norm(dim=dim, keepdim=keepdim)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def cross(first: Tensor, second: Tensor) -> Tensor:
    """Cross products of [..., 3] along the last axis."""
    return torch.linalg.cross(first, second)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def distinct(tensor: Tensor, dim: int | None = None) -> Tensor:
    """Its values, or, with ``dim`` 0, its rows, each once, sorted."""
    return tensor.unique(dim=dim)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def distinct_places(tensor: Tensor, dim: int | None = None) -> tuple[Tensor, Tensor]:
    """As ``distinct``, and which of them each value or row is: int64."""
    found = torch.unique(tensor, return_inverse=True, dim=dim)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return cast("tuple[Tensor, Tensor]", found)


def distinct_counts(tensor: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """As ``distinct_places`` of values, and how often there is each: int64."""
    found = torch.unique(tensor, return_inverse=True, return_counts=True)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return cast("tuple[Tensor, Tensor, Tensor]", found)


def split(tensor: Tensor, sizes: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Pieces along the first axis: of one size, the last one smaller, or of these sizes."""
    given = sizes if isinstance(sizes, int) else list(sizes)
    return tensor.split(given)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def unflatten(tensor: Tensor, dim: int, sizes: tuple[int, ...]) -> Tensor:
    """An axis parted into several; one of ``sizes`` may be -1."""
    return tensor.unflatten(dim, sizes)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def run_lengths(tensor: Tensor) -> list[int]:
    """[n] -> how often each value stands in a row."""
    return integers(torch.unique_consecutive(tensor, return_counts=True)[1])  # pyright: ignore
