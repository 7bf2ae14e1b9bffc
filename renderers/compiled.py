"""Numba kernels that are kept on disk under whatever name the pack is imported, and which backends there are."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar, cast

Given = ParamSpec("Given")
Result = TypeVar("Result")


def compiled(**options: Any) -> Callable[[Callable[Given, Result]], Callable[Given, Result]]:
    """``numba.njit`` without the GIL, kept on disk. Needs numba, which is imported here."""
    import numba

    def wrap(function: Callable[Given, Result]) -> Callable[Given, Result]:
        # What is kept names the function's module, which must be importable when it is read again. ComfyUI names a pack
        # after its folder, so a moved folder would end in an ImportError.
        function.__module__ = numba.__name__
        njit = cast("Callable[..., Callable[..., Any]]", numba.njit)
        try:
            return njit(nogil=True, cache=True, **options)(function)
        except RuntimeError:  # no folder that may be written to
            return njit(nogil=True, **options)(function)

    return wrap


def installed(module: str) -> bool:
    """Whether a library can be imported; it is not."""
    return importlib.util.find_spec(module) is not None


def backend_behind(what: str, name: str, known: Sequence[str], otherwise: Callable[[str], str]) -> str:
    """The backend behind a name: ``auto`` is numba where that is installed, else torch.

    Raises ValueError for a name that is not ``known``, and for a library that is not installed; it begins with
    ``what`` and the name, and ends with what ``otherwise`` says to do.
    """
    if name not in known:
        raise ValueError(f"{what} '{name}' is unknown; use one of {', '.join(known)}")
    if name == "auto":
        return "numba" if installed("numba") else "torch"
    if name != "torch" and not installed(name):
        raise ValueError(f"{what} '{name}' is not installed{otherwise(name)}")
    return name
