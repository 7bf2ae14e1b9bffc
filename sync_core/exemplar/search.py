"""Posterior mean of patches under a bank, without computing most of the scores.

Wanted: the softmax over all patches y of  score / T + log prior,  score = <q, y> - |y|^2 / 2. The posterior is sharp at
every noise level that a sampler visits: only patches within ``margin`` nats of the best matter, a handful of tens of
thousands. They are found by bounding every score and computing those few whose bound is high enough:

* Screen. A few leading principal axes hold nearly all variance of the patches. The rest of a score is the product of
  the rests q' and y' of both: at most |q'| |y'|, and when q is a patch plus noise of deviation s no more than
  (|p'| + ``reach`` s) |y'|, where |p'|, the rest of the patch beneath the noise, follows from |q'| and s. So the
  bounds of all patches are one matrix product with two columns more than there are leading axes. It is made in tiles
  that stay in the processor's cache, and only the highest bound of each group of alike patches is kept.
* Floor. The group with the highest bound is scored in full: its best patch less the margin is the floor. Only groups
  whose bound reaches it go on.
* Score. They are scored in full, the likelier first: what these hold raises the floor for the others. The softmax is
  summed over the patches within the margin of the best.
* A query to which much of the bank matters (more noise than samplers use, a picture without contrast) is computed in
  full instead.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .bank import LevelBank


@dataclass(frozen=True)
class SearchConfig:
    """How much is looked at: more of anything is slower and closer to the dense posterior.

    ``margin``: nats below the best at which a patch is left out. ``reach``: deviations of the noise that a bound
    allows for. ``rounds``: the bounds scored in each round, from the floor (0) to the highest bound (1), falling to 0.
    ``broad``: share of the groups above which a query is computed in full. ``rows``: queries screened together by each
    processor core. ``elements``: patch numbers gathered at a time.
    """

    margin: float = 5.0
    reach: float = 1.75
    rounds: tuple[float, ...] = (0.5, 0.0)
    broad: float = 0.125
    rows: int = 512
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
        self.margin = config.margin * query.temperature
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
        self.tiles = [tile.T for tile in bank.screen.unbind(0)]
        self.groups = bank.coef.view(-1, bank.MEMBERS, bank.coef.shape[1])

    def run(self) -> Tensor:
        """Chunk by chunk, in buffers made once: fresh memory costs more than what is computed in it."""
        # A processor works in its cache; anything else takes as much at once as memory allows.
        cpu = self.lead.device.type == "cpu"
        most = max(1, (1 << 24) // len(self.groups))
        rows = min(self.config.rows * torch.get_num_threads() if cpu else most, most, len(self.lead))
        self.score = self.lead.new_empty(rows, self.bank.TILE)
        self.bound = self.lead.new_empty(rows, len(self.bank.screen), self.bank.GROUPS)
        self.over = torch.empty_like(self.bound, dtype=torch.bool)
        step = max(1, self.config.elements * (1 if cpu else 64) // self.groups[0].numel())
        self.members = self.groups.new_empty(step, *self.groups.shape[1:])
        self.asked = self.full.new_empty(step, self.full.shape[1])
        return torch.cat([self._chunk(slice(i, i + rows)) for i in range(0, len(self.lead), rows)])

    def _chunk(self, rows: slice) -> Tensor:
        """Posterior mean of the queries ``rows``: [R,D]."""
        full, shift = self.full[rows], None if self.shift is None else self.shift[rows]
        bound = self._bounds(self.lead[rows], shift)
        every = torch.arange(len(full), device=full.device)
        top, column = bound.amax(1).max(1)
        likely = bound[every, :, column].argmax(1) * self.bank.GROUPS + column
        best = self._scores(full, shift, every, likely).amax(1)
        # A score may exceed its bound (``reach`` is finite): this group is in the list all the same.
        top = torch.maximum(top, best)
        bound.view(len(full), -1).scatter_(1, likely[:, None], top[:, None])
        over = torch.ge(bound, (best - self.margin)[:, None, None], out=self.over[: len(full)])
        # Eight flags are looked at as one number, since few are set.
        eight = over.view(-1).view(torch.int64).nonzero().squeeze(1)
        row = eight // (len(self.groups) // 8)
        broad = torch.bincount(row, minlength=len(full)) > 0.9 * len(self.groups) / 8
        eight = eight[~broad[row]]
        at, place = over.view(-1, 8).index_select(0, eight).nonzero().unbind(1)
        hit = eight[at] * 8 + place
        row = hit // len(self.groups)
        group = hit - row * len(self.groups)
        height = bound.view(-1)[hit]
        score = full.new_full((len(row), self.bank.MEMBERS), -torch.inf)
        left = torch.ones_like(row, dtype=torch.bool)
        for share in self.config.rounds:
            now = left & (height >= torch.lerp(best - self.margin, top, share)[row])
            broad |= torch.bincount(row[now], minlength=len(full)) > self.config.broad * len(self.groups)
            now = torch.nonzero(now & ~broad[row]).squeeze(1)
            found = self._scores(full, shift, row[now], group[now])
            best = best.scatter_reduce(0, row[now], found.amax(1), "amax")
            score[now] = found
            left[now] = False
        mean = self._sum(row, group, score, best.masked_fill(broad, torch.inf))
        if bool(broad.any()):
            mean[broad] = self._in_full(full[broad], None if shift is None else shift[broad])
        return mean[:, 1:]

    def _sum(self, row: Tensor, group: Tensor, score: Tensor, best: Tensor) -> Tensor:
        """Softmax mean of the patches within the margin of the best: [R,1+D]; 0 where ``best`` is infinite.

        ``row [n]`` rises; ``score [n,MEMBERS]`` of each ``group [n]`` for it; ``best [R]``.
        """
        pair, member = torch.nonzero(score >= (best - self.margin)[row, None]).unbind(1)
        row = row[pair]
        weight = ((score[pair, member] - best[row]) / self.temperature).exp()
        weight = weight / torch.zeros_like(best).index_add_(0, row, weight)[row]
        start = torch.bincount(row, minlength=len(best)).cumsum(0).roll(1)
        start[0] = 0
        patch = group[pair] * self.bank.MEMBERS + member
        return F.embedding_bag(patch, self.bank.coef, start, mode="sum", per_sample_weights=weight)

    def _bounds(self, lead: Tensor, shift: Tensor | None) -> Tensor:
        """Highest bound of a score in each group: [R,tiles,GROUPS]."""
        score, bound = self.score[: len(lead)], self.bound[: len(lead)]
        by_member = score.view(len(lead), self.bank.MEMBERS, self.bank.GROUPS)
        for tile, out in zip(self.tiles, bound.unbind(1), strict=True):
            torch.mm(lead, tile, out=score)
            torch.amax(by_member, 1, out=out)
        if shift is not None:
            bound += shift[:, :, None]
        return bound

    def _scores(self, full: Tensor, shift: Tensor | None, row: Tensor, group: Tensor) -> Tensor:
        """Scores of the members of ``group [n]`` for the queries ``row [n]``: [n, MEMBERS]."""
        score = full.new_empty(len(row), self.bank.MEMBERS)
        for i in range(0, len(row), len(self.asked)):
            n = min(len(row) - i, len(self.asked))
            members, asked = self.members[:n], self.asked[:n]
            torch.index_select(self.groups, 0, group[i : i + n], out=members)
            torch.index_select(full, 0, row[i : i + n], out=asked)
            torch.bmm(asked[:, None], members.transpose(1, 2), out=score[i : i + n, None])
        return score if shift is None else score + shift[row, group // self.bank.GROUPS][:, None]

    def _in_full(self, full: Tensor, shift: Tensor | None) -> Tensor:
        """Posterior mean over the whole bank: [R,1+D]."""
        coef = self.bank.coef
        step = max(1, 16 * self.config.elements // len(coef))
        parts: list[Tensor] = []
        for i in range(0, len(full), step):
            score = full[i : i + step] @ coef.T
            if shift is not None:
                score += shift[i : i + step].repeat_interleave(self.bank.TILE, 1)
            parts.append(torch.softmax(score.div_(self.temperature), 1) @ coef)
        return torch.cat(parts)
