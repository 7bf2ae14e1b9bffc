"""Posterior mean of patches under a bank, without looking at most of the bank.

Wanted: the softmax over all patches j of  score_j / T + log prior,  score_j = <q, y_j> - |y_j|^2 / 2. A patch matters
only when it comes within ``margin`` nats of the best, so clusters that cannot hold such a patch are left out:

* Within a cluster (centre c, variances v_i) scores lie around <q, c> - mean|y|^2/2 with variance sum_i (q - c)_i^2 v_i.
  A patch that the query really came from gains its squared distance to the centre on top. The *ceiling* of a cluster
  is the mean plus ``hit`` of the largest such distance plus ``reach`` deviations, an estimate that tests hold to the
  dense form, but never more than the bound that the distance to the centre and the cluster's radius give.
* The cluster with the highest ceiling is evaluated first, then the others in ``rounds`` from the likeliest down: what
  one round finds raises the floor for the next. Evaluated clusters are evaluated in full, by online softmax.
* Axes whose variance cannot move a logit by more than ``slack`` nats rms are left out of the products.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .exemplar_bank import ClassBank, pieces


@dataclass(frozen=True)
class SearchConfig:
    """How much is looked at: more of anything is slower and closer to the dense posterior.

    ``coarse_hit`` stands in for ``hit`` at levels of scale above 1, where the posterior is broader. ``axes``: principal
    axes in which deviations are told apart; ``sieve_*``: the same for the look at a cluster's own patches.
    Levels with no more than ``exact_pairs`` (patches x positions in a view) are not
    searched but computed in full. ``elements``: largest matrix made at a time.
    """

    margin: float = 7.0
    reach: float = 2.0
    hit: float = 0.6
    coarse_hit: float = 1.0
    rounds: tuple[float, ...] = (0.5, 0.0)
    slack: float = 0.05
    axes: int = 32
    sieve_axes: int = 24
    sieve_hit: float = 1.0
    sieve_reach: float = 1.5
    exact_pairs: int = 1 << 24
    elements: int = 1 << 24


@dataclass(frozen=True)
class Query:
    """What is asked of a level: ``coef [Q,D]`` in its principal axes, ``log_prior [Q, n_classes]`` (-inf leaves a class
    out), ``temperature`` T > 0, the number of ``axes`` that count, ``exact`` to look at everything."""

    coef: Tensor
    log_prior: Tensor
    temperature: float
    axes: int
    exact: bool
    hit: float

    def __getitem__(self, rows: Tensor | slice) -> "Query":
        return Query(self.coef[rows], self.log_prior[rows], self.temperature, self.axes, self.exact, self.hit)


def posterior_mean(query: Query, classes: Sequence[ClassBank], core: bool, config: SearchConfig) -> Tensor:
    """Expected patch of each query: [Q,D], or [Q,Vc], only its middle, with ``core``."""
    widest = max(bank.patches if query.exact else len(bank.sizes) for bank in classes)
    step = max(1, config.elements // widest)
    parts = [_chunk(query[i : i + step], classes, core, config) for i in range(0, len(query.coef), step)]
    return torch.cat(parts)


def _chunk(query: Query, classes: Sequence[ClassBank], core: bool, config: SearchConfig) -> Tensor:
    ones = torch.ones_like(query.coef[:, :1])
    scaled = torch.cat([ones, query.coef[:, : query.axes]], 1) / query.temperature
    state = _State(scaled, (classes[0].core_value if core else classes[0].value).shape[1])
    for number, bank in enumerate(classes):
        prior = query.log_prior[:, number]
        rows = torch.nonzero(prior > -torch.inf).squeeze(1)
        if len(rows) == 0:
            continue
        # Every class has weight 1 before its prior, however many patches it holds.
        visit = _Visit(bank, bank.core_value if core else bank.value, rows, prior[rows] - math.log(bank.patches))
        if query.exact:
            state.add(visit, torch.arange(len(rows), device=rows.device), 0, bank.patches)
        else:
            _search(query[rows], visit, state, config)
    return state.sums[:, 1:] / state.sums[:, :1]


@dataclass(frozen=True)
class _Visit:
    """One class for the queries ``rows [R]``; ``offset [R]`` is added to their logits."""

    bank: ClassBank
    values: Tensor
    rows: Tensor
    offset: Tensor


class _State:
    """Online softmax of a chunk of queries: best logit so far, and weighted sums (first column: the weights)."""

    def __init__(self, scaled: Tensor, width: int) -> None:
        self.scaled = scaled
        self.best = scaled.new_full((len(scaled),), -torch.inf)
        self.sums = scaled.new_zeros(len(scaled), width)

    def add(self, visit: _Visit, part: Tensor, start: int, stop: int) -> None:
        """Add the patches ``start:stop`` to the queries ``visit.rows[part]``."""
        at, own = visit.rows[part], visit.offset[part]
        logit = self.scaled[at] @ visit.bank.coef[start:stop, : self.scaled.shape[1]].T
        old = self.best[at]
        new = torch.maximum(old, logit.amax(1) + own)
        # Below -60 nothing counts, and denormal numbers are slow.
        weight = logit.sub_((new - own)[:, None]).clamp_(min=-60.0).exp_()
        sums = self.sums[at].mul_((old - new).clamp_(min=-60.0).exp_()[:, None])
        self.sums[at] = sums.addmm_(weight, visit.values[start:stop])
        self.best[at] = new

    def add_clusters(self, visit: _Visit, cluster: Tensor, part: Tensor, sieve: "_Sieve | None" = None) -> None:
        """Add cluster ``cluster[i]`` to query ``visit.rows[part[i]]`` for every i; ``cluster`` is sorted."""
        counts = [int(n) for n in torch.bincount(cluster, minlength=len(visit.bank.sizes))]
        start = 0
        for size, rows in zip(visit.bank.sizes, pieces(part, counts), strict=True):
            if len(rows) and sieve is not None:
                rows = sieve.alive(rows, start, start + size)
            if len(rows):
                self.add(visit, rows, start, start + size)
            start += size


class _Sieve:
    """First look at a cluster's patches through the leading axes, to drop the queries for which none can matter.

    For a patch that the query came from the missing axes add the patch's energy there; noise adds ``reach`` deviations.
    """

    def __init__(self, query: Query, bank: ClassBank, config: SearchConfig) -> None:
        d = min(config.sieve_axes, query.axes)
        energy = bank.coef[:, 1 + d : 1 + query.axes].square().sum(1)
        self.coef = bank.coef[:, : 1 + d].clone()
        self.coef[:, 0] += config.sieve_hit * energy
        self.query = torch.cat([torch.ones_like(query.coef[:, :1]), query.coef[:, :d]], 1)
        rest = query.coef[:, d : query.axes].square().sum(1) / max(query.axes - d, 1)
        self.blur = config.sieve_reach * (rest * energy.mean()).sqrt()
        self.floor = self.blur

    def above(self, floor: Tensor) -> "_Sieve":
        """Let through what may reach the score ``floor [R]``."""
        self.floor = floor - self.blur
        return self

    def alive(self, part: Tensor, start: int, stop: int) -> Tensor:
        """The queries of ``part`` for which some patch of ``start:stop`` passes."""
        best = (self.query[part] @ self.coef[start:stop].T).amax(1)
        return part[best >= self.floor[part]]


def _search(query: Query, visit: _Visit, state: _State, config: SearchConfig) -> None:
    """Add what matters of one class."""
    ceiling = _ceiling(query, visit.bank, config)
    top, first = ceiling.max(0)
    order = torch.argsort(first, stable=True)
    state.add_clusters(visit, first[order], order)
    ceiling.scatter_(0, first[None], -torch.inf)
    sieve = _Sieve(query, visit.bank, config)
    for height in config.rounds:
        floor = (state.best[visit.rows] - visit.offset - config.margin) * query.temperature
        need = ceiling >= floor + height * (top - floor).clamp(min=0)
        cluster, part = torch.nonzero(need).unbind(1)
        state.add_clusters(visit, cluster, part, sieve.above(floor))
        ceiling.masked_fill_(need, -torch.inf)


def _ceiling(query: Query, bank: ClassBank, config: SearchConfig) -> Tensor:
    """Estimate of the best score in each cluster: [M,R]."""
    x = query.coef
    d = min(config.axes, x.shape[1])
    q, c, v = x[:, :d], bank.centre[:, :d], bank.spread[:, :d]
    # The remaining axes are many and small: mean energy times the cluster's variance there is enough.
    rest = x[:, d:].square().sum(1, keepdim=True) / max(x.shape[1] - d, 1)
    left = torch.cat([v, -2 * c * v, bank.spread[:, d:].sum(1, keepdim=True)], 1)
    right = torch.cat([q * q, q, rest], 1)
    deviation = torch.addmm((c * c * v).sum(1, keepdim=True), left, right.T).clamp_(min=0).sqrt_()
    base = (query.hit * bank.radius - bank.half_centre)[:, None]
    estimate = torch.addmm(base, bank.centre, x.T).add_(deviation, alpha=config.reach)
    # And never above the true bound: no patch is nearer than the distance to the centre less the cluster's radius.
    own = x.square().sum(1)
    apart = torch.addmm(bank.centre.square().sum(1, keepdim=True) + own, bank.centre, x.T, alpha=-2)
    gap = apart.clamp_(min=0).sqrt_().sub_(bank.radius.sqrt()[:, None]).clamp_(min=0)
    return torch.minimum(estimate, gap.square_().neg_().add_(own).div_(2))
