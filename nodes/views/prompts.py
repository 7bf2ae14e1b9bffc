"""A text for every view: lines of "selector: text", and conditionings that hold for some of the views only.

Regional prompts painted on the canonical picture: each view gets its part of the mask.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...renderers.directions import HINT, Selector, ViewPlace, parse_selector, views_of
from ...renderers.scene import Scene
from ...renderers.typed import split_at_colon, unquoted
from ..engine.conds import BOOTSTRAP
from ..engine.tagged_conds import VIEWS_KEY

Conditioning = list[list[Any]]

# A line that begins like a selector, and may have been meant as one.
_LIKE_A_SELECTOR = re.compile(r"[^\W\d_][\w .,-]{0,23}")


@dataclass(frozen=True)
class Rule:
    """One line: the views it names, and their text."""

    line: int
    selector: Selector
    text: str


@dataclass(frozen=True)
class Sheet:
    """Prompts as typed. ``rest``: the text of all views that no rule names."""

    rules: tuple[Rule, ...]
    rest: str
    notes: tuple[str, ...] = ()


def parse_sheet(text: str) -> Sheet:
    """One rule a line, "selector: text". "*" and "default" name all views that no other line names, as do lines without
    a selector; those are joined by line ends, as typed. Selectors may be typed on any keyboard (full-width colons,
    digits, commas; see ``typed.py``); the texts behind them stay as they are.

    A colon between two digits ("16:9"), and one behind anything that is no selector ("(stone:1.2)"), is part of a text.
    Raises ValueError for a selector that is clearly meant as one and cannot be read.
    """
    rules: list[Rule] = []
    rest: list[str] = []
    notes: list[str] = []
    for number, line in enumerate((raw.strip() for raw in text.splitlines()), 1):
        if not line:
            continue
        head, colon, tail = split_at_colon(line)
        between_digits = head[-1:].isdigit() and tail[:1].isdigit()
        if colon and unquoted(head).lower() in ("*", "default"):
            rest.append(tail.strip())
            continue
        selector = parse_selector(head) if colon and not between_digits else None
        if selector:
            rules.append(Rule(number, selector, tail.strip()))
            continue
        rest.append(line)
        # (other keyboards put no blank behind their colon)
        if colon and (tail[:1].isspace() or colon != ":") and _LIKE_A_SELECTOR.fullmatch(unquoted(head)):
            notes.append(f"line {number}: '{head.strip()}' is no selector, so the line is text for the remaining views")
    if len(notes) > 1 and not rules:
        notes.append(
            f"{len(notes)} lines look like 'views: text', and none names views: all views get them all; {HINT}"
        )
    return Sheet(tuple(rules), "\n".join(rest), tuple(notes))


def texts_of_views(sheet: Sheet, places: Sequence[ViewPlace], rig: str) -> tuple[list[str], list[str]]:
    """(the text of each view, notes). Where several rules name a view, the first one holds.

    rig: its kind, for messages. Raises ValueError for views that do not exist and words the rig has no meaning for.
    """
    thirds = any(rule.selector.uses_center for rule in sheet.rules)
    texts: list[str | None] = [None] * len(places)
    notes = list(sheet.notes)
    for rule in sheet.rules:
        views = views_of(rule.selector, places, thirds, rig)
        free = [i for i in views if texts[i] is None]
        for i in free:
            texts[i] = rule.text
        if not free:
            why = "earlier lines name all its views" if views else "no view of this rig is there"
            notes.append(f"line {rule.line}: '{rule.selector.text}' is not used, {why}")
    return [sheet.rest if t is None else t for t in texts], notes


def joined(*pieces: str) -> str:
    """Texts joined by ", ", without it where a text is empty, or where punctuation or a blank is at the border."""
    result = ""
    for piece in pieces:
        if not piece.strip():
            continue
        if not result:
            result = piece.lstrip()
        elif piece[0].isspace() or result[-1].isspace() or piece[0] in ",.;:!?)":
            result += piece
        else:
            result += (" " if result[-1] in ",.;:!?" else ", ") + piece
    return result.rstrip()


def for_some_views(conditioning: Conditioning, views: Iterable[int], total: int) -> Conditioning:
    """Copies of the entries that hold for these views only; an entry that is tagged already keeps those of its views.

    Entries that hold for every view carry no tag, those that hold for none are dropped.
    """
    chosen = set(views)
    result: Conditioning = []
    for tokens, options in conditioning:
        kept = tuple(sorted(chosen.intersection(options.get(VIEWS_KEY, range(total)))))
        plain = {k: v for k, v in options.items() if k != VIEWS_KEY}
        if kept:
            result.append([tokens, plain if len(kept) == total else {**plain, VIEWS_KEY: kept}])
    return result


@dataclass(frozen=True)
class ViewPrompts:
    """Conditionings whose entries each hold for some of the views, and which view got what."""

    positive: Conditioning
    negative: Conditioning
    report: str


def view_prompts(
    encode: Callable[[str], Conditioning], scene: Scene, prompts: str, prefix: str, suffix: str, negative: str
) -> ViewPrompts:
    """Encode each different text once and give it to its views. ``prefix`` and ``suffix`` are for the positive only.

    Raises ValueError, naming the input, for a line that cannot be read or does not fit the rig.
    """
    places, rig = scene.view_places(), scene.rig.kind
    encoded: dict[str, Conditioning] = {}

    def sides(name: str, typed: str, before: str, after: str) -> tuple[Conditioning, list[str]]:
        try:
            texts, notes = texts_of_views(parse_sheet(typed), places, rig)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        texts = [joined(before, t, after) for t in texts]
        entries: Conditioning = []
        for text in dict.fromkeys(texts):
            if text not in encoded:
                encoded[text] = encode(text)
            entries += for_some_views(encoded[text], (i for i, t in enumerate(texts) if t == text), len(texts))
        return entries, [*_lines(name, texts, places), *(f"note, {name} {note}" for note in notes)]

    positive, first = sides("prompts", prompts, prefix, suffix)
    opposite, second = sides("negative", negative, "", "")
    return ViewPrompts(positive, opposite, "\n".join([f"{len(places)} views of {rig}", *first, *second]))


def _lines(name: str, texts: Sequence[str], places: Sequence[ViewPlace]) -> list[str]:
    shown = [" ".join(t.split()) or "(empty)" for t in texts]
    if len(set(shown)) == 1:
        return [f"{name}, all views: {shown[0]}"]
    return [f"{name}, view {p.index} ({p}): {t}" for p, t in zip(places, shown, strict=True)]


def fit_mask(scene: Scene, mask: Tensor) -> Tensor:
    """A MASK [(B,) (1,) H, W] at any resolution -> [B, 1, height, width] of the space in image pixels.

    Raises ValueError for an empty mask and for one of other proportions than the space.
    """
    grid = mask.reshape(-1, 1, *mask.shape[-2:]).float()
    rows, columns = grid.shape[-2:]
    if not bool((grid > 0).any()):
        raise ValueError(f"the mask of {columns} x {rows} is empty; paint where the prompt should act")
    return scene.geometry.on_canvas(grid, "mask")


def canonical_prompt(
    scene: Scene,
    conditioning: Conditioning,
    mask: Tensor,
    strength: float,
    to_bounds: bool,
    other: Conditioning | None,
    alone: float = 0.0,
) -> Conditioning:
    """The entries of ``conditioning`` masked as each view sees ``mask``, behind the entries of ``other``.

    mask: [(B,) H, W] over the canonical picture, or one for each of B pictures. Entries hold for the views that see
    some of it. The result's masks are [B*N, h, w] in view pixels; the host resizes them to the latent and repeats them
    over a larger batch, so that row b*N + i stays view i.

    to_bounds: the host denoises the rectangle around a mask only. It takes one rectangle for all rows of a mask, so
    each view gets an entry of its own (views that see the very same share one).
    alone: for that fraction of the steps the model is shown a plain colour around the mask (`Bootstrap`).
    Raises ValueError for a mask that does not fit, and for several masks with to_bounds.
    """
    if scene.geometry.clip.is_video:
        raise ValueError(
            "views are clips of a video, and the mask of a prompt is a picture; use ViewPrompts, one a clip"
        )
    fitted = fit_mask(scene, mask)
    seen = scene.look(fitted).squeeze(1)
    batch = fitted.shape[0]
    count = seen.shape[0] // batch
    visible = (seen.reshape(batch, count, -1) > 0).any(-1).any(0).tolist()
    if to_bounds and batch > 1:
        raise ValueError(f"mask bounds need one mask, not {batch}; use set_cond_area default")
    groups: dict[bytes | None, list[int]] = {}
    for i in range(count):
        if visible[i]:
            groups.setdefault(seen[i].cpu().numpy().tobytes() if to_bounds else None, []).append(i)
    result = list(other or [])
    for views in groups.values():
        options: dict[str, Any] = {
            "mask": seen[views[0]][None] if to_bounds else seen,
            "mask_strength": strength,
            "set_area_to_bounds": to_bounds,
        }
        if alone:
            options[BOOTSTRAP] = alone
        for tokens, given in for_some_views(conditioning, views, count):
            result.append([tokens, {**given, **options}])
    return result
