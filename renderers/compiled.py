"""Numba kernels that are kept on disk under whatever name the pack is imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """``numba.njit`` without the GIL, kept on disk. Needs numba, which is imported here."""
    import numba

    def wrap(function: Callable[..., Any]) -> Any:
        # What is kept names the function's module, which must be importable when it is read again. ComfyUI names a pack
        # after its folder, so a moved folder would end in an ImportError.
        function.__module__ = numba.__name__
        try:
            return numba.njit(nogil=True, cache=True, **options)(function)
        except RuntimeError:  # no folder that may be written to
            return numba.njit(nogil=True, **options)(function)

    return wrap
