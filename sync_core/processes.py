"""The sixty synchronised processes as data (SyncTweedies, NeurIPS 2024, appendix; case numbers as in its release).

Each process is written the way the paper writes it, one formula per state variable:

    w, z      the state: N instance views, the canonical signal
    f, A      project (canonical -> views), unproject and aggregate (views -> canonical); F = f A
    eps(u)    the network's noise prediction at the view batch u (for flow models: its velocity)
    phi(u, e) the clean estimate from a noisy u and a noise e (Tweedie's formula)
    psi(u, d) one deterministic step from a noisy u and a clean d
    mean(a,b) the arithmetic mean

The formula is the definition: `process_steps.py` interprets it, and nothing else knows what a process does.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

State = Literal["instance", "canonical", "joint"]

_ARITY = {"f": 1, "A": 1, "F": 1, "eps": 1, "phi": 2, "psi": 2, "mean": 2}


@dataclass(frozen=True)
class Term:
    """A parsed formula: a variable (no arguments) or a function of terms."""

    name: str
    args: tuple[Term, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.args))})" if self.args else self.name

    def contains(self, name: str) -> bool:
        return self.name == name or any(a.contains(name) for a in self.args)


def parse(formula: str) -> Term:
    """Parse one formula, e.g. ``psi(w, F(phi(w, eps(w))))``. Raises ValueError on anything that is not one."""
    return _term(ast.parse(formula, mode="eval").body, formula)


def _term(node: ast.expr, formula: str) -> Term:
    if isinstance(node, ast.Name) and node.id in ("w", "z"):
        return Term(node.id)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        name = node.func.id
        if _ARITY.get(name) == len(node.args):
            return Term(name, tuple(_term(a, formula) for a in node.args))
    raise ValueError(f"'{formula}' is not a process formula")


@dataclass(frozen=True)
class Process:
    """One of the sixty: its number, the formulas of w and z one step later ('' = not a state), and its common name."""

    number: int
    w: str = ""
    z: str = ""
    name: str = ""

    @property
    def state(self) -> State:
        if self.w and self.z:
            return "joint"
        return "instance" if self.w else "canonical"

    @property
    def result(self) -> Literal["w", "z"]:
        """Which state variable holds the picture at the end."""
        return "w" if self.state == "instance" or self.number in (54, 55, 56) else "z"

    @cached_property
    def next_w(self) -> Term:
        return parse(self.w)

    @cached_property
    def next_z(self) -> Term:
        return parse(self.z)

    @property
    def moves_state(self) -> bool:
        """True when a step does more than replace the clean estimate, so that only first-order samplers are exact.

        A formula psi(s, d) with the state s itself is a pure denoised map: any sampler can integrate it.
        """
        rules = [(Term(v), t) for v, t in (("w", self.w), ("z", self.z)) if t]
        terms = {"w": self.next_w if self.w else None, "z": self.next_z if self.z else None}
        for state, _ in rules:
            term = terms[state.name]
            assert term is not None
            if term.name != "psi" or term.args[0] != state or term.args[1].contains("psi"):
                return True
        return False

    @property
    def label(self) -> str:
        return f"{self.number} {self.name}".strip()


def _flagged(flags: str) -> str:
    """A process of the first trajectory. a: F on the network input, b: on eps, c: on phi's, e: on psi's noisy input,
    d: on the clean estimate."""
    at = {flag: flag in flags for flag in "abcde"}
    eps = "eps(F(w))" if at["a"] else "eps(w)"
    eps = f"F({eps})" if at["b"] else eps
    clean = f"phi({'F(w)' if at['c'] else 'w'}, {eps})"
    clean = f"F({clean})" if at["d"] else clean
    return f"psi({'F(w)' if at['e'] else 'w'}, {clean})"


_TRAJECTORY_1 = {
    0: "", 1: "b", 2: "d", 7: "a", 8: "ab", 9: "c", 10: "ac", 11: "bc", 12: "abc", 13: "ad", 14: "bd", 15: "abd",
    16: "cd", 17: "acd", 18: "bcd", 19: "abcd", 20: "e", 21: "ae", 22: "be", 23: "abe", 24: "ce", 25: "bce",
    26: "abce", 27: "de", 28: "ade", 29: "bde", 30: "abde", 31: "cde", 32: "acde", 33: "bcde", 34: "abcde",
}  # fmt: skip

_OTHER_INSTANCE = {
    3: "F(psi(w, phi(w, eps(w))))",
    # phi in canonical space, psi in instance space
    35: "psi(w, f(phi(A(w), A(eps(w)))))",
    36: "psi(w, f(phi(A(w), A(eps(F(w))))))",
    37: "psi(F(w), f(phi(A(w), A(eps(w)))))",
    38: "psi(F(w), f(phi(A(w), A(eps(F(w))))))",
    # phi and psi in canonical space
    39: "f(psi(A(w), phi(A(w), A(eps(w)))))",
    40: "f(psi(A(w), phi(A(w), A(eps(F(w))))))",
    # phi in instance space, psi in canonical space
    41: "f(psi(A(w), A(phi(w, eps(w)))))",
    42: "f(psi(A(w), A(phi(w, eps(F(w))))))",
    43: "f(psi(A(w), A(phi(w, F(eps(w))))))",
    44: "f(psi(A(w), A(phi(w, F(eps(F(w)))))))",
    45: "f(psi(A(w), A(phi(F(w), eps(w)))))",
    46: "f(psi(A(w), A(phi(F(w), eps(F(w))))))",
    47: "f(psi(A(w), A(phi(F(w), F(eps(w))))))",
    48: "f(psi(A(w), A(phi(F(w), F(eps(F(w)))))))",
}

_CANONICAL = {
    4: "psi(z, phi(z, A(eps(f(z)))))",
    5: "psi(z, A(phi(f(z), eps(f(z)))))",
    6: "A(psi(f(z), phi(f(z), eps(f(z)))))",
    49: "psi(z, A(phi(f(z), F(eps(f(z))))))",
    50: "A(psi(f(z), phi(f(z), F(eps(f(z))))))",
    51: "A(psi(f(z), F(phi(f(z), eps(f(z))))))",
    52: "A(psi(f(z), F(phi(f(z), F(eps(f(z)))))))",
    53: "A(psi(f(z), f(phi(z, A(eps(f(z)))))))",
}

_PLAIN_W = "psi(w, phi(w, eps(w)))"
_CASE_4 = _CANONICAL[4]

_JOINT = {
    54: ("psi(w, phi(w, f(mean(A(eps(w)), A(eps(f(z)))))))", _CASE_4),
    55: ("psi(w, f(mean(A(phi(w, eps(w))), phi(z, A(eps(f(z)))))))", _CASE_4),
    56: (f"f(mean(A({_PLAIN_W}), {_CASE_4}))", _CASE_4),
    57: (_PLAIN_W, "psi(z, phi(z, mean(A(eps(f(z))), A(eps(w)))))"),
    58: (_PLAIN_W, "psi(z, mean(A(phi(f(z), eps(f(z)))), A(phi(w, eps(w)))))"),
    59: (_PLAIN_W, f"mean(A(psi(f(z), phi(f(z), eps(f(z))))), A({_PLAIN_W}))"),
}

_NAMES = {
    0: "no synchronisation",
    1: "average noise",
    2: "average clean estimate (SyncTweedies)",
    3: "average noisy image (MultiDiffusion)",
    4: "canonical noise (Visual Anagrams)",
    5: "canonical clean estimate (SyncMVD)",
}

PROCESSES: tuple[Process, ...] = tuple(
    sorted(
        [Process(n, w=_flagged(flags), name=_NAMES.get(n, "")) for n, flags in _TRAJECTORY_1.items()]
        + [Process(n, w=w, name=_NAMES.get(n, "")) for n, w in _OTHER_INSTANCE.items()]
        + [Process(n, z=z, name=_NAMES.get(n, "")) for n, z in _CANONICAL.items()]
        + [Process(n, w=w, z=z) for n, (w, z) in _JOINT.items()],
        key=lambda p: p.number,
    )
)

CASES = {f"case {n}": PROCESSES[n] for n in range(1, 6)}


def process(number: int) -> Process:
    """The process of that case number, 0 to 59. Raises ValueError otherwise."""
    if not 0 <= number < len(PROCESSES):
        raise ValueError(f"process {number} does not exist; use 0 to {len(PROCESSES) - 1} (2 is SyncTweedies)")
    return PROCESSES[number]
