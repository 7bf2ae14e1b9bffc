"""Posterior mean of patches under a bank, without computing most of the scores.

Wanted: the softmax over all patches y of  score / T + log prior,  score = <q, y> - |y|^2 / 2. The posterior is sharp at
every noise level that a sampler visits: only patches within ``margin`` nats of the best matter, a handful of tens of
thousands. They are found by bounding every score and computing those few whose bound is high enough:

* Screen. A few leading principal axes hold nearly all variance of the patches. The rest of a score is the product of
  the rests q' and y' of both: at most |q'| |y'|, and when q is a patch plus noise of deviation s no more than
  (|p'| + ``reach`` s) |y'|, where |p'|, the rest of the patch beneath the noise, follows from |q'| and s. So the
  bounds of all patches are one matrix product with two columns more than there are leading axes. It is made in tiles
  that stay in the processor's cache, and only the highest bound of each group of alike patches is kept.
* Floor. The group with the highest bound is scored in full: its best patch less the margin is the floor.
* Score. Groups whose bound reaches the floor are scored in full; the patches within the margin of the best are summed.
* A query to which much of the bank matters (more noise than samplers use, a picture without contrast) is computed in
  full instead.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .exemplar_bank import LevelBank


@dataclass(frozen=True)
class SearchConfig:
    """How much is looked at: more of anything is slower and closer to the dense posterior.

    ``margin``: nats below the best at which a patch is left out. ``reach``: deviations of the noise that a bound
    allows for. ``broad``: share of the groups above which a query is computed in full. ``rows``: queries screened
    together by each processor core. ``elements``: numbers in a matrix made at a time.
    """

    margin: float = 5.0
    reach: float = 2.0
    broad: float = 0.125
    rows: int = 256
    elements: int = 1 << 18


@dataclass(frozen=True)
class Query:
    """What is asked of a level: ``coef [Q,D]`` in its principal axes, ``log_weight [Q, n_classes]`` of one patch of
    each class (-inf leaves a class out), ``temperature`` T > 0, ``noise``: standard deviation in ``coef``."""

    coef: Tensor
    log_weight: Tensor
    temperature: float
    noise: float


def posterior_mean(query: Query, bank: LevelBank, config: SearchConfig) -> Tensor:
    """Expected patch of each query, in principal axes: [Q,D]."""
    return _Search(query, bank, config).run()


class _Search:
    """One call: what its chunks of queries share."""

    def __init__(self, query: Query, bank: LevelBank, config: SearchConfig) -> None:
        self.bank, self.config, self.temperature = bank, config, query.temperature
        coef, d = query.coef, bank.axes
        ones = torch.ones_like(coef[:, :1])
        rest = coef[:, d:].square().sum(1, keepdim=True)
        free = coef.shape[1] - d
        # Energy of the noise in the rest, less what it may fall short of its mean.
        noise = query.noise**2 * max(free - config.reach * (2 * free) ** 0.5, 0.0)
        beneath = (rest - noise).clamp(min=0).sqrt().clamp(max=bank.longest_rest)
        reach = torch.minimum(rest.sqrt(), beneath + config.reach * query.noise)
        self.lead = torch.cat([coef[:, :d], ones, reach], 1)
        self.full = torch.cat([ones, coef], 1)
        # Class weights in units of the score.
        self.shift = (query.log_weight * query.temperature)[:, bank.owner] if len(bank.counts) > 1 else None
        self.groups = bank.coef.view(-1, bank.MEMBERS, bank.coef.shape[1])

    def run(self) -> Tensor:
        tiles = len(self.bank.screen)
        rows = self.config.rows * torch.get_num_threads() if self.lead.device.type == "cpu" else 8192
        rows = min(rows, len(self.lead))
        self.score = self.lead.new_empty(rows, self.bank.TILE)
        self.bound = self.lead.new_empty(rows, tiles * self.bank.GROUPS)
        parts = [self._chunk(slice(i, i + rows)) for i in range(0, len(self.lead), rows)]
        return torch.cat(parts)

    def _chunk(self, rows: slice) -> Tensor:
        full, shift = self.full[rows], None if self.shift is None else self.shift[rows]
        bound = self._bounds(self.lead[rows], shift)
        every = torch.arange(len(full), device=full.device)
        margin = self.config.margin * self.temperature
        floor = self._scores(full, shift, every, bound.argmax(1)).amax(1) - margin
        hit = torch.nonzero((bound >= floor[:, None]).view(-1)).squeeze(1)
        row = hit.div(bound.shape[1], rounding_mode="floor")
        group = hit - row * bound.shape[1]
        broad = torch.bincount(row, minlength=len(full)) > self.config.broad * bound.shape[1]
        some = bool(broad.any())
        if some:
            narrow = ~broad[row]
            row, group = row[narrow], group[narrow]
        score = self._scores(full, shift, row, group)
        best = floor.scatter_reduce(0, row, score.amax(1), "amax")
        pair, member = torch.nonzero(score >= (best - margin)[row, None]).unbind(1)
        row = row[pair]
        weight = ((score[pair, member] - best[row]) / self.temperature).exp()
        weight = weight / torch.zeros_like(best).index_add_(0, row, weight)[row]
        start = torch.bincount(row, minlength=len(full)).cumsum(0).roll(1)
        start[0] = 0
        patch = group[pair] * self.bank.MEMBERS + member
        mean = F.embedding_bag(patch, self.bank.coef, start, mode="sum", per_sample_weights=weight)
        if some:
            mean[broad] = self._in_full(full[broad], None if shift is None else shift[broad])
        return mean[:, 1:]

    def _bounds(self, lead: Tensor, shift: Tensor | None) -> Tensor:
        """Highest bound of a score in each group: [R, groups]."""
        bank = self.bank
        score, bound = self.score[: len(lead)], self.bound[: len(lead)]
        by_member = score.view(len(lead), bank.MEMBERS, bank.GROUPS)
        by_tile = bound.view(len(lead), -1, bank.GROUPS)
        for tile, out in zip(bank.screen.unbind(0), by_tile.unbind(1), strict=True):
            torch.mm(lead, tile.T, out=score)
            torch.amax(by_member, 1, out=out)
        if shift is not None:
            by_tile += shift[:, :, None]
        return bound

    def _scores(self, full: Tensor, shift: Tensor | None, row: Tensor, group: Tensor) -> Tensor:
        """Scores of the members of ``group [n]`` for the queries ``row [n]``: [n, MEMBERS]."""
        step = max(1, self.config.elements // (self.bank.MEMBERS * full.shape[1]))
        parts: list[Tensor] = []
        for i in range(0, len(row), step):
            members = self.groups.index_select(0, group[i : i + step])
            asked = full.index_select(0, row[i : i + step])
            parts.append(torch.bmm(asked[:, None], members.transpose(1, 2))[:, 0])
        score = torch.cat(parts) if parts else full.new_empty(0, self.bank.MEMBERS)
        return score if shift is None else score + shift[row, group // self.bank.GROUPS][:, None]

    def _in_full(self, full: Tensor, shift: Tensor | None) -> Tensor:
        """Posterior mean over the whole bank: [R,1+D]."""
        coef = self.bank.coef
        step = max(1, 8 * self.config.elements // len(coef))
        parts: list[Tensor] = []
        for i in range(0, len(full), step):
            score = full[i : i + step] @ coef.T
            if shift is not None:
                score += shift[i : i + step].repeat_interleave(self.bank.TILE, 1)
            parts.append(torch.softmax(score.div_(self.temperature), 1) @ coef)
        return torch.cat(parts)
