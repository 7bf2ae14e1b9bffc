"""The sixty processes once more, written out from the published case table: dense matrices, explicit phi and psi.

Independent of ``sync_core.processes``: states are matrices [pixels, C] and [cells, C], VP or flow amplitudes are
explicit, and no formula is parsed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

INSTANCE = (0, 1, 2, 3, *range(7, 49))
CANONICAL = (4, 5, 6, 49, 50, 51, 52, 53)
JOINT = tuple(range(54, 60))

# a: F on the network input, b: on eps, c: on phi's noisy input, d: on x0, e: on psi's noisy input.
TABLE = """0 none 1 b 2 d 7 a 8 ab 9 c 10 ac 11 bc 12 abc 13 ad 14 bd 15 abd 16 cd 17 acd 18 bcd 19 abcd 20 e 21 ae
22 be 23 abe 24 ce 25 bce 26 abce 27 de 28 ade 29 bde 30 abde 31 cde 32 acde 33 bcde 34 abcde""".split()  # noqa: SIM905
FLAGS = {int(n): "" if flags == "none" else flags for n, flags in zip(TABLE[::2], TABLE[1::2], strict=True)}


@dataclass(frozen=True)
class Vp:
    """From alpha, sigma (a, s) to (a2, s2); the network predicts the noise."""

    a: float
    s: float
    a2: float
    s2: float

    def phi(self, x: Tensor, e: Tensor) -> Tensor:
        return (x - self.s * e) / self.a

    def psi(self, x: Tensor, x0: Tensor) -> Tensor:
        return self.a2 * x0 + (self.s2 / self.s) * (x - self.a * x0)


@dataclass(frozen=True)
class Flow:
    """From sigma s to s2 with alpha = 1 - sigma; the network predicts the velocity e - x0."""

    s: float
    s2: float

    def phi(self, x: Tensor, v: Tensor) -> Tensor:
        return x - self.s * v

    def psi(self, x: Tensor, x0: Tensor) -> Tensor:
        noise = (x - (1 - self.s) * x0) / self.s
        return (1 - self.s2) * x0 + self.s2 * noise


@dataclass(frozen=True)
class Twin:
    """One step of any process. f [P, K], A [K, P] dense; ``net`` [P, C] -> [P, C].

    ``clean`` is applied to every estimate made by phi (clipping), where a scheduler would do it.
    """

    f: Tensor
    A: Tensor
    net: Callable[[Tensor], Tensor]
    clean: Callable[[Tensor], Tensor] = field(default=lambda x0: x0)

    def F(self, w: Tensor) -> Tensor:
        return self.f @ (self.A @ w)

    def step(
        self, number: int, to: Vp | Flow, w: Tensor | None, z: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None]:
        if number in INSTANCE:
            assert w is not None
            return self.instance(number, to, w), None
        assert z is not None
        if number in CANONICAL:
            return None, self.canonical(number, to, z)
        assert w is not None
        return self.joint(number, to, w, z)

    def instance(self, number: int, to: Vp | Flow, w: Tensor) -> Tensor:
        f, A, F, net = self.f, self.A, self.F, self.net

        def phi(x: Tensor, e: Tensor) -> Tensor:
            return self.clean(to.phi(x, e))

        if number == 3:
            return F(to.psi(w, phi(w, net(w))))
        if number in FLAGS:
            flags = FLAGS[number]
            e = net(F(w) if "a" in flags else w)
            if "b" in flags:
                e = F(e)
            x0 = phi(F(w) if "c" in flags else w, e)
            if "d" in flags:
                x0 = F(x0)
            return to.psi(F(w) if "e" in flags else w, x0)
        if number in (35, 36, 37, 38):  # trajectory 2
            noise = A @ net(F(w) if number in (36, 38) else w)
            x0 = f @ phi(A @ w, noise)
            return to.psi(F(w) if number in (37, 38) else w, x0)
        if number in (39, 40):  # trajectory 3
            noise = A @ net(F(w) if number == 40 else w)
            return f @ to.psi(A @ w, phi(A @ w, noise))
        # trajectory 4: 41 none 42 a 43 b 44 ab 45 c 46 ac 47 bc 48 abc
        flags = ["", "a", "b", "ab", "c", "ac", "bc", "abc"][number - 41]
        e = net(F(w) if "a" in flags else w)
        if "b" in flags:
            e = F(e)
        x0 = A @ phi(F(w) if "c" in flags else w, e)
        return f @ to.psi(A @ w, x0)

    def canonical(self, number: int, to: Vp | Flow, z: Tensor) -> Tensor:
        f, A, F = self.f, self.A, self.F

        def phi(x: Tensor, e: Tensor) -> Tensor:
            return self.clean(to.phi(x, e))

        x = f @ z
        e = self.net(x)
        if number == 4:
            return to.psi(z, phi(z, A @ e))
        if number == 5:
            return to.psi(z, A @ phi(x, e))
        if number == 6:
            return A @ to.psi(x, phi(x, e))
        if number == 49:
            return to.psi(z, A @ phi(x, F(e)))
        if number == 50:
            return A @ to.psi(x, phi(x, F(e)))
        if number == 51:
            return A @ to.psi(x, F(phi(x, e)))
        if number == 52:
            return A @ to.psi(x, F(phi(x, F(e))))
        assert number == 53
        return A @ to.psi(x, f @ phi(z, A @ e))

    def joint(self, number: int, to: Vp | Flow, w: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        f, A, phi, psi = self.f, self.A, to.phi, to.psi
        ew, ez = self.net(w), self.net(f @ z)
        dw, dz = A @ ew, A @ ez
        plain_w = psi(w, phi(w, ew))
        case_4 = psi(z, phi(z, dz))
        if number == 54:
            return psi(w, phi(w, f @ ((dw + dz) / 2))), case_4
        if number == 55:
            return psi(w, f @ ((A @ phi(w, ew) + phi(z, dz)) / 2)), case_4
        if number == 56:
            return f @ ((A @ plain_w + case_4) / 2), case_4
        if number == 57:
            return plain_w, psi(z, phi(z, (dz + dw) / 2))
        if number == 58:
            return plain_w, psi(z, (A @ phi(f @ z, ez) + A @ phi(w, ew)) / 2)
        assert number == 59
        return plain_w, (A @ psi(f @ z, phi(f @ z, ez)) + A @ plain_w) / 2
