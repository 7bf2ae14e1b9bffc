"""The one interpreter of the process formulas.

A sampler hands in its state x at noise level sigma and wants the clean estimate D' back; it then integrates
dx/dsigma = (x - D')/sigma. That form is shared by variance-exploding states (EPS, V and EDM models as the host keeps
them) and by flow states, so one phi and one psi serve both:

    phi(u, e) = u - sigma e            psi(u, d) = r u + (1 - r) d,   r = sigma_next / sigma

For flow models e is the velocity (x - D)/sigma, so the processes that average "noise" average velocities there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from .processes import Process, Term
from .steering.readings import Reduce
from .walked_mean import Averager

Denoise = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Canonical:
    """A canonical value and what it cannot hold: ``rest`` [B*N, C, h, w] keeps background (None: there is none).

    The rest travels with every linear operation, so that f(A(u)) leaves background pixels of u as they were.
    """

    cells: Tensor
    rest: Tensor | None

    def combine(self, other: Canonical, a: float, b: float) -> Canonical:
        rest = None if self.rest is None or other.rest is None else a * self.rest + b * other.rest
        return Canonical(a * self.cells + b * other.cells, rest)


Value = Tensor | Canonical


@dataclass(frozen=True)
class Move:
    """The unevaluated step psi(keep, clean) = r keep + (1 - r) clean; linear maps act on both parts."""

    keep: Value
    clean: Value


@dataclass(frozen=True)
class SyncMaps:
    """f, A and F for one view set. ``background`` of a canonical state (never seen by A) is 0."""

    aggregator: Averager
    reduction: Reduce | None = None
    """What averages in place of the aggregator, if anything."""

    def average(self, views: Tensor, start: Tensor | None = None) -> Tensor:
        """A alone: [B*N, C, h, w] -> [B, C, *canonical]. start: of least squares."""
        return self.aggregator(views, start) if self.reduction is None else self.reduction(views)

    def gather(self, views: Tensor) -> Canonical:
        """A: average a view batch, keeping its background beside it."""
        owner = self.aggregator.views
        return Canonical(self.average(views), None if owner.fully_covered else owner.background_of(views))

    def project(self, value: Canonical) -> Tensor:
        """f: [B, C, *canonical] -> [B*N, C, h, w], background restored."""
        views = self.aggregator.views.project(value.cells)
        return views if value.rest is None else views + value.rest

    def sync(self, views: Tensor) -> Tensor:
        """F = f A: views in, consistent views out."""
        return self.project(self.gather(views))


@dataclass(frozen=True)
class StepResult:
    """The clean estimates a sampler should use: of the views, of the canonical signal (None: not a state).

    ``own``: what the model said of each view by itself, from the very call the process made (None for joint and
    canonical states).
    """

    w: Tensor | None
    z: Tensor | None
    own: Tensor | None = None


@dataclass
class _Evaluation:
    """One evaluation of a process at one noise level; every distinct term is computed once."""

    maps: SyncMaps
    denoise: Denoise
    sigma: float
    w: Tensor | None
    z: Tensor | None
    strength: float = 1.0
    memo: dict[Term, Value | Move] = field(default_factory=dict[Term, "Value | Move"])
    denoised: dict[Term, Tensor] = field(default_factory=dict[Term, Tensor])

    def value(self, term: Term) -> Value | Move:
        if term not in self.memo:
            self.memo[term] = self._compute(term)
        return self.memo[term]

    def _compute(self, term: Term) -> Value | Move:
        if term.name == "w":
            assert self.w is not None
            return self.w
        if term.name == "z":
            assert self.z is not None
            return Canonical(self.z, None)
        if term.name == "phi":
            return self._phi(*term.args)
        values = [self.value(a) for a in term.args]
        if term.name == "eps":
            views = _tensor(values[0])
            if self.w is not None and self._moved(term.args[0]):
                # (the model is called once: with views that are moved as far as the estimate will be)
                views = blend(self.w, views, self.strength)
            return self._eps(term.args[0], views)
        if term.name == "psi":
            keep, clean = values
            assert not isinstance(keep, Move) and not isinstance(clean, Move)
            return Move(keep, clean)
        if term.name == "mean":
            return _mean(values[0], values[1])
        linear: dict[str, Callable[[Value], Value]] = {
            "f": lambda v: self.maps.project(_canonical(v)),
            "A": lambda v: self.maps.gather(_tensor(v)),
            "F": lambda v: self.maps.sync(_tensor(v)),
        }
        apply, argument = linear[term.name], values[0]
        if isinstance(argument, Move):
            return Move(apply(argument.keep), apply(argument.clean))
        return apply(argument)

    def _eps(self, at: Term, views: Tensor) -> Tensor:
        return (views - self._said(at, views)) / self.sigma

    def _said(self, at: Term, views: Tensor) -> Tensor:
        """The model's clean estimate of views, for which it is asked once."""
        if at not in self.denoised:
            self.denoised[at] = self.denoise(views)
        return self.denoised[at]

    def _moved(self, at: Term) -> bool:
        """Whether the model saw other views than the formula says: F(w), of which ``strength`` takes a part."""
        return self.strength < 1 and at == Term("F", (Term("w"),))

    def own(self) -> Tensor | None:
        """The clean estimate of each view by itself, if the model was called with the views alone."""
        if self.w is None or len(self.denoised) != 1:
            return None
        if Term("w") in self.denoised:
            return self.denoised[Term("w")]
        (at,) = self.denoised
        return self.w - self.sigma * _tensor(self.value(Term("eps", (at,))))

    def _phi(self, noisy: Term, noise: Term) -> Value:
        if noise == Term("eps", (noisy,)) and not self._moved(noisy) and isinstance(views := self.value(noisy), Tensor):
            # (the model's own estimate; the noise need not be made, which is as large as all views, some times over)
            return self._said(noisy, views)
        noise_value, noisy_value = self.value(noise), self.value(noisy)
        if isinstance(noisy_value, Canonical):
            return noisy_value.combine(_canonical(noise_value), 1.0, -self.sigma)
        own = self.denoised.get(noisy)
        if own is None or self._moved(noisy):
            return _tensor(noisy_value) - self.sigma * _tensor(noise_value)
        # The model's own estimate plus a correction: exact, bit for bit, when the noise was left alone.
        change = _tensor(self.value(Term("eps", (noisy,)))) - _tensor(noise_value)
        return own + self.sigma * change


def _tensor(value: Value | Move) -> Tensor:
    if not isinstance(value, Canonical | Move):
        return value
    raise TypeError("the formula needs views where it has a canonical value")


def _canonical(value: Value | Move) -> Canonical:
    if isinstance(value, Canonical):
        return value
    raise TypeError("the formula needs a canonical value where it has views")


def _mean(a: Value | Move, b: Value | Move) -> Value | Move:
    if isinstance(a, Move) and isinstance(b, Move):
        return Move(_mean_value(a.keep, b.keep), _mean_value(a.clean, b.clean))
    assert not isinstance(a, Move) and not isinstance(b, Move)
    return _mean_value(a, b)


def _mean_value(a: Value, b: Value) -> Value:
    if isinstance(a, Canonical):
        # The formulas name the view's own part first: its background is the one to keep (f(z) shows none).
        return Canonical(0.5 * (a.cells + _canonical(b).cells), a.rest)
    return 0.5 * (a + _tensor(b))


def run_process(
    process: Process,
    maps: SyncMaps,
    denoise: Denoise,
    sigma: float,
    ratio: float | None,
    w: Tensor | None = None,
    z: Tensor | None = None,
    strength: float = 1.0,
) -> StepResult:
    """The clean estimates of one step of a process.

    w [B*N, C, h, w], z [B, C, *canonical]: the state at noise level ``sigma`` (the one the process has, or both).
    ``ratio`` = sigma_next / sigma is only used by processes that move the state; None for those that do not.
    ``denoise`` maps a view batch at this sigma to its clean estimate (guidance included). ``strength`` g moves views
    w + g (F(w) - w) where the formula shows the model F(w); what it makes of them is the caller's to blend (``own``).
    """
    evaluation = _Evaluation(maps, denoise, sigma, w, z, strength)
    if process.moves_state and ratio is None:
        raise ValueError(f"process {process.number} moves the state and needs the next noise level")
    clean_w = clean_z = None
    if process.w:
        clean_w = _tensor(_clean(evaluation.value(process.next_w), w, process, "w", ratio))
    if process.z:
        state = None if z is None else Canonical(z, None)
        clean_z = _canonical(_clean(evaluation.value(process.next_z), state, process, "z", ratio)).cells
    return StepResult(clean_w, clean_z, evaluation.own())


def blend(plain: Tensor, synced: Tensor, strength: float) -> Tensor:
    """D + g (D' - D); g = 1 is D' itself, to the last bit."""
    return synced if strength == 1 else plain + strength * (synced - plain)


def _clean(step: Value | Move, state: Value | None, process: Process, name: str, ratio: float | None) -> Value:
    """D' such that r state + (1 - r) D' is the step: its clean part, plus what it adds to the state."""
    assert isinstance(step, Move) and state is not None
    term = process.next_w if name == "w" else process.next_z
    if term.name == "psi" and term.args[0] == Term(name):
        return step.clean
    assert ratio is not None
    # Equal levels mean no step at all: nothing to add.
    factor = 0.0 if ratio == 1.0 else ratio / (1.0 - ratio)
    if isinstance(state, Canonical):
        moved = _canonical(step.keep).combine(state, 1.0, -1.0)
        return _canonical(step.clean).combine(moved, 1.0, factor)
    return _tensor(step.clean) + factor * (_tensor(step.keep) - state)
