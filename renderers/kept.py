"""What is built once and kept for another run."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(eq=False)
class Kept:
    """Results kept by key, ``most`` of them at most (0: all), the least recently used dropped first.

    One belongs to a frozen value and is no part of it: a copy of the value keeps the same results.
    """

    most: int = 0
    _values: dict[Hashable, Any] = field(default_factory=dict[Hashable, Any], repr=False)

    def get(self, key: Hashable, build: Callable[[], T]) -> T:
        """The value under ``key``, built when it is not there. Room for it is made before, as building may need the
        memory; what ``build`` raises is passed on, and nothing is kept."""
        if key in self._values:
            value = self._values.pop(key)
        else:
            self._drop(1)
            value = build()
        self._values[key] = value
        # (what was built may have kept parts of itself here)
        self._drop(0)
        return value

    def _drop(self, coming: int) -> None:
        while self.most and len(self._values) + coming > self.most:
            self._values.pop(next(iter(self._values)))

    def __deepcopy__(self, memo: dict[int, Any]) -> Kept:
        return self
