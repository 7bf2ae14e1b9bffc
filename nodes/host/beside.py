"""What a value of the host was made from, kept beside its attributes and trusted while they are as they were made.

The host's nodes copy such values and set attributes of the copies, so that what was kept would be another mesh's. Some
change tensors in place, or through numpy, so that each is known by itself and by its content.
"""

from __future__ import annotations

import copy
import zlib
from collections.abc import Sequence
from typing import Any

from torch import Tensor

_NAME = "synctweedies"


class _Kept:
    """An object, and the attributes of the value that was made from it."""

    def __init__(self, source: Any, seen: dict[str, tuple[Any, int]]) -> None:
        self.source, self.seen = source, seen

    def __deepcopy__(self, memo: dict[int, Any]) -> _Kept:
        """Of a value that is copied whole: its copy has copies of the same tensors, and was made from the same."""
        return _Kept(self.source, {name: (copy.deepcopy(v, memo), known) for name, (v, known) in self.seen.items()})


def keep_beside(value: Any, source: Any, attributes: Sequence[str]) -> Any:
    """The value, with what it was made from. attributes: those that it says the same in."""
    # (a copy of what is no tensor, since dictionaries are changed in place)
    seen = {name: getattr(value, name, None) for name in attributes}
    kept = {name: (v if isinstance(v, Tensor) else copy.deepcopy(v), _content(v)) for name, v in seen.items()}
    setattr(value, _NAME, _Kept(source, kept))
    return value


def kept_beside(value: Any) -> Any | None:
    """What a value was made from; None when it was made elsewhere, or any of its attributes has changed since."""
    kept = getattr(value, _NAME, None)
    if not isinstance(kept, _Kept):
        return None
    for name, (was, content) in kept.seen.items():
        now = getattr(value, name, None)
        if isinstance(was, Tensor) or isinstance(now, Tensor):
            if now is not was or _content(now) != content:
                return None
        elif now != was:
            return None
    return kept.source


def _content(value: Any) -> int:
    """A checksum of a tensor: a tenth of a second for a texture of 4096 x 4096."""
    if not isinstance(value, Tensor) or not value.numel():
        return 0
    content: Any = value.detach().cpu().contiguous().numpy()
    return zlib.crc32(memoryview(content).cast("B"))
