"""Views of a diffusion transformer, placed where they lie on the canvas and seeing each other.

A transformer knows a place by its row and column alone, so a window can be told where on the canvas it lies; and
attention is all by which its tokens know of each other. Windows that are placed so, whose queries see the keys of all
windows, and whose keys weigh less the more of them show one place, are together one pass over the whole canvas. With
the keys of a few neighbours it is a dial between windows by themselves (MultiDiffusion) and that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ....renderers.sheets import Sheet
from ....sync_core.attention.rotary import Rotary, Turn
from ....sync_core.attention.shared import Sharing, shared_attention
from ... import host
from ...host.errors import SyncError
from ..chunks import ASKED
from .plan import NODE, AttentionPlan, Keys, noise_level, views_of_call


@dataclass(frozen=True)
class TransformerViews:
    """Goes around every call of the model. sheet: where views lie, in cells; None: each where the network puts it."""

    plan: AttentionPlan
    transformer: host.Transformer
    sheet: Sheet | None

    def __deepcopy__(self, memo: dict[int, Any]) -> TransformerViews:
        return self

    def __call__(self, call: host.ModelCall) -> Tensor:
        plan, rows = self.plan, call.x.shape[0]
        level = noise_level(call.options)
        shares = plan.at(level)
        if not shares and self.sheet is None:
            return call.inside(call.options)
        try:
            picture = self.transformer.picture(call)
            if shares and 0 < plan.most_tokens < picture.tokens:
                raise ValueError(
                    f"views of {picture.tokens} tokens are more than max_tokens {plan.most_tokens}; set it to 0, or "
                    "use smaller views"
                )
            groups = len(call.options.get("cond_or_uncond", [0]))
            views = views_of_call(call.options, rows, groups, len(plan.table))
            numbers = [view % len(plan.table) for view in views] * groups
            near, reference = plan.rows(views, groups, call.options.get(ASKED)) if shares else ([], [])
            if shares and level < plan.reference_end:
                reference = []
            placed = _Placed(plan, picture, numbers, near, reference, self.sheet)
            options = placed.options()
        except ValueError as error:
            raise SyncError(f"{NODE}: {error}") from error
        return call.inside(options)


@dataclass(frozen=True)
class _Placed:
    """The rows of one model call. views: the view of each row; near, reference: the rows that each sees; none: only
    itself."""

    plan: AttentionPlan
    picture: host.Picture
    views: Sequence[int]
    near: list[list[int]]
    reference: list[int]
    sheet: Sheet | None

    def options(self) -> dict[str, Any]:
        """The call's options, by which its attention does all this."""
        options = self.picture.call.options
        if self.rotary is None and self.sheet is not None and self._moves:
            options = self.picture.placed_by_table(self._origins, self.sheet.size)
        if not self.near and (self.rotary is None or self._turns == (None, None)):
            return options
        return host.with_attention(options, self.picture.first(), self.share)

    @cached_property
    def rotary(self) -> Rotary | None:
        return self.picture.rotary()

    @property
    def _device(self) -> torch.device:
        return self.picture.call.x.device

    @cached_property
    def _origins(self) -> Tensor:
        assert self.sheet is not None
        return self.sheet.origins[list(self.views)]

    @property
    def _moves(self) -> bool:
        """Whether any view lies elsewhere than where the network puts it."""
        height, width = self.picture.call.x.shape[-2:]
        assert self.sheet is not None
        return bool(self._origins.any()) or self.sheet.size != (height, width)

    @cached_property
    def _turns(self) -> tuple[Turn | None, Turn | None]:
        """What turns the rows' pictures, and their text, to where they are; None: nothing."""
        rotary, sheet = self.rotary, self.sheet
        if rotary is None or sheet is None:
            return None, None
        shifts = self.picture.shifts(self._origins, sheet.size, len(rotary.axes))
        picture, text = (
            None if shift is None or not shift.any() else rotary.turn(shift).to(self._device) for shift in shifts
        )
        return picture, text

    @cached_property
    def _around(self) -> dict[tuple[int, int], Turn]:
        """What turns the keys of a view to the side of another where they are nearer, where the sheet begins anew."""
        return {}

    def _turned(self, keys: Tensor, seen: int, by: int) -> Tensor:
        rotary, sheet = self.rotary, self.sheet
        pair = (self.views[seen], self.views[by])
        if rotary is None or sheet is None or pair[0] == pair[1]:
            return keys
        shift = sheet.shift(*pair)
        if shift == (0.0, 0.0):
            return keys
        if pair not in self._around:
            moved = self.picture.on_axes(torch.tensor([shift], dtype=torch.float64), len(rotary.axes))
            self._around[pair] = rotary.turn(moved).to(self._device)
        return self._around[pair](keys[None])[0]

    def share(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, ask: host.Ask, first: int) -> Tensor:
        """See ``host.with_attention``."""
        last = first + self.picture.tokens
        q, k = (self._in_place(tokens, first, last) for tokens in (q, k))
        if not self.near:
            return ask(q, k, v)
        own = k.shape[-2] - (last - first)
        keys = Keys(self.plan, self.views, self.picture.grid)

        def bias(row: int, sources: Sequence[int]) -> Tensor | None:
            counts = keys.bias(sources, q.device)
            if mask is None:
                return None if counts is None else torch.cat([q.new_zeros(own), counts.flatten().to(q.dtype)])[None]
            masks = [mask[i if mask.shape[0] > 1 else 0] for i in (row, *sources)]
            parts = [masks[0][..., :first], masks[0][..., last:]]
            for number, of_row in enumerate(masks[1:]):
                part = of_row[..., first:last]
                parts.append(part if counts is None else part + counts[number].to(q.dtype))
            return torch.cat(parts, -1)

        return shared_attention(
            ask,
            q,
            k,
            v,
            self.near,
            self.plan.weight,
            self.reference,
            self.plan.reference_weight,
            sharing=Sharing(first, last, bias, self._turned, keys.scale(own)),
        )

    def _in_place(self, tokens: Tensor, first: int, last: int) -> Tensor:
        """Queries or keys with the picture, and the text before it, turned to where they are."""
        picture, text = self._turns
        parts = [
            tokens[..., :first, :] if text is None else text(tokens[..., :first, :]),
            tokens[..., first:last, :] if picture is None else picture(tokens[..., first:last, :]),
            tokens[..., last:, :],
        ]
        return tokens if picture is None and text is None else torch.cat(parts, -2)
