"""The sixty processes in words, read off their formulas: which values of the views become one, and where.

"average noise, clean estimate" is eps and phi under F or A; "on the canvas" says that an estimate or a step is made of
canonical values instead of each view's own.
"""

from __future__ import annotations

from .processes import Process, Term

_SLOTS = {"eps": ("model input",), "phi": ("image for the estimate", ""), "psi": ("image for the step", "")}
_VALUES = {"eps": "noise", "phi": "clean estimate", "psi": "next image"}
_ORDER = ("model input", "noise", "image for the estimate", "clean estimate", "image for the step", "next image")
_MADE = {"phi": "estimate", "psi": "step"}


def words(process: Process) -> str:
    """A process in words, without its number; the paper's name where it has one."""
    if process.name:
        return process.name
    if process.state == "joint":
        return _joint(process)
    term = process.next_w if process.state == "instance" else process.next_z
    averaged, canonical = _read(term)
    said = [f"average {', '.join(averaged)}"]
    if process.state == "canonical":
        said.insert(0, "canonical state")
    if canonical:
        said.append(f"{' and '.join(canonical)} on the canvas")
    return "; ".join(said)


def _joint(process: Process) -> str:
    follows = "views" if process.result == "w" else "canvas"
    term = process.next_w if follows == "views" else process.next_z
    return f"views and canvas; {follows} {'take' if follows == 'views' else 'takes'} the mean {_mean_of(term)} of both"


def _mean_of(term: Term) -> str:
    """What a joint process takes the mean of."""
    if term.name == "mean":
        return _VALUES[_inside(term.args[0])[0].name]
    return next(found for part in term.args if (found := _mean_of(part) if part.args else ""))


def _inside(term: Term) -> tuple[Term, bool]:
    """(A term without the maps around it, whether one of these averages.)"""
    averages = False
    while term.name in ("f", "F", "A"):
        averages, term = averages or term.name != "f", term.args[0]
    return term, averages


def _read(term: Term) -> tuple[list[str], list[str]]:
    """(What is averaged, in order of a step; what is made of canonical values.)"""
    averaged: set[str] = set()
    canonical: set[str] = set()

    def visit(part: Term, slot: str) -> None:
        inner, averages = _inside(part)
        if averages:
            averaged.add(_VALUES.get(inner.name, slot))
        if inner.name in _MADE and inner.args[0].name in ("A", "z"):
            canonical.add(_MADE[inner.name])
        for argument, at in zip(inner.args, _SLOTS.get(inner.name, ()), strict=False):
            visit(argument, at)

    visit(term, "")
    return [name for name in _ORDER if name in averaged], sorted(canonical)
