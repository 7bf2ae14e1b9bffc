"""What the illusion nodes build: rigs that grow by a reading, prompts for each reading, and what to say about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from ...renderers.illusions.advice import domain_advice
from ...renderers.illusions.space import Warps
from ...renderers.illusions.warp import Warp
from ...renderers.illusions.warps.custom import Custom
from ...renderers.typed import as_typed, shown, unquoted
from ..views.prompts import Conditioning, ViewPrompts, for_some_views, joined

# Shares of a custom warp that may be rounding: coordinates of 8 bits.
_FOLD, _OUTSIDE = 0.005, 0.0


def with_reading(rig: Any, warp: Warp, weight: float, prompt: str) -> tuple[Warps, str]:
    """The rig with one more reading (None: its first), and advice about the whole.

    Raises ValueError for a rig of another kind.
    """
    if rig is None:
        return finished(Warps((warp,), () if weight == 1.0 else (weight,), (), (prompt,) if prompt else ()))
    return finished(_warps(rig).add(warp, weight, prompt))


def finished(rig: Warps) -> tuple[Warps, str]:
    """A rig and the advice about it, one line a reading."""
    return rig, "\n".join(domain_advice(rig))


def _warps(rig: Any) -> Warps:
    if not isinstance(rig, Warps):
        raise ValueError(f"a rig of {rig.kind} has no readings; connect a rig of the illusion nodes")
    return rig


def custom_warp(coordinates: Tensor, sampling: str, folds: str, outside: str) -> tuple[Custom, str]:
    """The warp of an IMAGE [1, H, W, C] of coordinates, and its report.

    folds, outside: "refuse" or what to do instead. Raises ValueError where that is refused, with the report.
    """
    if coordinates.shape[0] != 1:
        raise ValueError(f"{coordinates.shape[0]} pictures of coordinates; connect one, and a node for each reading")
    warp = Custom(sampling, coordinates[0].cpu())  # pyright: ignore[reportArgumentType] (checked by Custom)
    height, width = coordinates.shape[1:3]
    report = warp.report(height, width)
    share = warp.outside(height, width)
    if outside == "refuse" and share > _OUTSIDE:
        raise ValueError(
            f"coordinates leave 0..1 in {share:.1%} of the view; set outside to background, or correct them ({report})"
        )
    folded = warp.folded(height, width)
    if folds == "refuse" and folded > _FOLD:
        raise ValueError(
            f"the warp folds: {folded:.1%} of the view shows the picture mirrored against the rest; set folds to "
            f"allow, or correct the coordinates ({report})"
        )
    return warp, report


def with_blend(rig: Any, text: str) -> Warps:
    """A rig whose views blend the planes as ``text`` says: one line of numbers for each reading, or one for all.

    Raises ValueError for what is no number, and for another number of lines.
    """
    given = _warps(rig)
    rows: list[tuple[float, ...]] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = unquoted(as_typed(line).split("#")[0]).replace(",", " ").split()
        try:
            values = tuple(float(word) for word in words)
        except ValueError as error:
            raise ValueError(f"shares, line {number}: '{shown(line)}' is no list of numbers, e.g. 0.7 0.3") from error
        if values:
            rows.append(values)
    made = Warps(given.warps, given.weights, tuple(rows), given.prompts)
    made.check()
    return made


def prompts_of(rig: Any, typed: str) -> tuple[str, ...]:
    """The prompt of every reading: one line each as typed, or those that the rig carries.

    Raises ValueError for another number of lines than readings, and where readings have none.
    """
    given = _warps(rig)
    lines = [line.strip() for line in typed.splitlines() if line.strip()]
    count, names = len(given.warps), ", ".join(w.name for w in given.warps)
    if lines and len(lines) != count:
        raise ValueError(f"{len(lines)} prompts for {count} readings ({names}); write one line for each, in this order")
    prompts = tuple(lines) or given.prompts or ("",) * count
    silent = [f"{number} ({given.warps[number].name})" for number, prompt in enumerate(prompts) if not prompt.strip()]
    if silent:
        raise ValueError(
            f"reading {', '.join(silent)} has no prompt: {count - len(silent)} prompts for {count} warps; "
            "write one into each illusion node, or one line for each here"
        )
    return prompts


def reading_prompts(
    encode: Callable[[str], Conditioning], rig: Any, typed: str, prefix: str, suffix: str, negative: str
) -> ViewPrompts:
    """A conditioning in which every reading has its own prompt; each different text is encoded once."""
    texts = [joined(prefix, prompt, suffix) for prompt in prompts_of(rig, typed)]
    entries: Conditioning = []
    for text in dict.fromkeys(texts):
        entries += for_some_views(encode(text), (i for i, t in enumerate(texts) if t == text), len(texts))
    names: Sequence[str] = [w.name for w in _warps(rig).warps]
    lines = [f"reading {i} ({names[i]}): {text}" for i, text in enumerate(texts)]
    return ViewPrompts(
        entries, encode(negative), "\n".join([*lines, f"negative, all readings: {negative or '(empty)'}"])
    )
