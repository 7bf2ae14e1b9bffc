"""Every published method's plan against the update that its paper prints, in the variables of the paper.

The twins know nothing of plans and processes: pictures are cropped by slices, turned by `rot90`, and steps are DDIM's,
x' = sqrt(a') x0 + sqrt(1 - a') e, with the noise prediction e and a the cumulative product of (1 - beta).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from syncpack.renderers.illusions.space import Illusion, Warps
from syncpack.renderers.illusions.warps import warp
from syncpack.renderers.illusions.warps.hybrids import hybrid_warps
from syncpack.renderers.plane.space import Plane, Windows
from syncpack.renderers.scene import Scene
from syncpack.sync_core.presets import PRESETS, Preset
from syncpack.sync_core.schedule import Trajectory
from syncpack.sync_core.steering.operators import OperatorRun
from syncpack.sync_core.steering.structure_lock import CoarseLock
from syncpack.sync_core.synchronizer import NO_STATE, Synchronizer
from syncpack.sync_core.walked import Views
from syncpack.sync_core.walked_mean import average_of
from torch import Tensor

LEVELS = (0.0075, 0.05, 0.2, 0.5, 0.8, 1.0)
"""a at each step, noise first."""
CHANNELS, SIDE, COLUMNS = 4, 16, 32
STARTS = (0, 8, 16)
"""Columns where windows begin: the middle ones lie twice, and a half is exact in float32."""
Network = Callable[[Tensor], Tensor]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network(x: Tensor) -> Tensor:
    """A noise prediction for views [N, C, h, w], another one for each row of the batch (as prompts would make it)."""
    mix = noise(CHANNELS, CHANNELS, seed=3) / 2
    shifted = x.roll((1, 2), (-2, -1)) - 0.5 * x.roll(1, -1)
    own = torch.arange(len(x), dtype=x.dtype).reshape(-1, 1, 1, 1)
    return torch.tanh(torch.einsum("ij,njhw->nihw", mix, shifted) + 0.3 * own) + 0.6 * x


def ddim(x: Tensor, e: Tensor, a: float, b: float) -> Tensor:
    """The published step from level a to level b."""
    clean = (x - math.sqrt(1 - a) * e) / math.sqrt(a)
    return math.sqrt(b) * clean + math.sqrt(1 - b) * e


def steps() -> list[tuple[float, float]]:
    return list(itertools.pairwise(LEVELS))


@dataclass(frozen=True)
class Engine:
    """A preset's plan, stepped by a plain Euler sampler at the host's scale: a state holds sigma times its noise."""

    preset: Preset
    views: Views

    def run(self, start: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """start: the canonical state at the first level, on the paper's scale -> (views, canonical signal)."""
        plan = replace(self.preset.plan, noise="projected")
        sync = Synchronizer(plan, self.views)
        sigmas = [math.sqrt((1 - a) / a) for a in LEVELS]
        trajectory = Trajectory.of(sigmas)
        z: Tensor | None = start / math.sqrt(LEVELS[0])
        w: Tensor | None = None
        if plan.rule.state == "instance":
            w, z = self.views.project(z), None
        state = NO_STATE
        for sigma, after in itertools.pairwise(sigmas):

            def denoise(x: Tensor, sigma: float = sigma) -> Tensor:
                return x - sigma * network(x / math.sqrt(1 + sigma**2))

            clean_w, clean_z, state = sync.step(denoise, sigma, trajectory, state, w, z)
            if w is not None and clean_w is not None:
                w = clean_w + after / sigma * (w - clean_w)
            if z is not None and clean_z is not None:
                z = clean_z + after / sigma * (z - clean_z)
        return w, z


def preset(name: str) -> Preset:
    return next(p for p in PRESETS if p.name == name)


def windows() -> Views:
    return Scene(Plane(COLUMNS, SIDE), Windows(SIDE, SIDE, 8, SIDE, "flat")).views(1)


def readings(name: str) -> Views:
    warps = hybrid_warps("near and far", 2.0, 1.0, 7.0, 45.0, 8, None)
    if name != "hybrid":
        warps = (warp("identity"), warp("rotate_90"))
    return Scene(Illusion(SIDE, SIDE), Warps(warps)).views(1)


def crops(x: Tensor) -> Tensor:
    return torch.cat([x[..., start : start + SIDE] for start in STARTS])


def merged(parts: Tensor) -> Tensor:
    """What MultiDiffusion calls value / count."""
    value, count = torch.zeros(1, CHANNELS, SIDE, COLUMNS, dtype=parts.dtype), torch.zeros(COLUMNS, dtype=parts.dtype)
    for part, start in zip(parts, STARTS, strict=True):
        value[..., start : start + SIDE] += part
        count[start : start + SIDE] += 1
    return value / count


def multidiffusion(x: Tensor) -> Tensor:
    for a, b in steps():
        parts = crops(x)
        x = merged(ddim(parts, network(parts), a, b))
    return x


def synctweedies_wide(x: Tensor) -> Tensor:
    """Clean estimates are averaged; each window then takes its step from the average with the noise that it shows."""
    parts = crops(x)
    for a, b in steps():
        clean = (parts - math.sqrt(1 - a) * network(parts)) / math.sqrt(a)
        agreed = crops(merged(clean))
        shown = (parts - math.sqrt(a) * agreed) / math.sqrt(1 - a)
        parts = math.sqrt(b) * agreed + math.sqrt(1 - b) * shown
    return merged(parts)


def turned(x: Tensor) -> Tensor:
    """Both readings, [2, C, h, w]."""
    return torch.cat([x, readings("turned").project(x)[1:]])


def upright(parts: Tensor) -> Tensor:
    """Both turned back, by the turn that undoes the reading's."""
    for turns in (1, 3):
        if torch.equal(turned(MARK)[1:].rot90(turns, (-2, -1)), MARK):
            return torch.cat([parts[:1], parts[1:].rot90(turns, (-2, -1))])
    raise AssertionError("the reading is no quarter turn")


MARK = noise(1, CHANNELS, SIDE, SIDE, seed=9).float()


def visual_anagrams(x: Tensor) -> Tensor:
    """The mean of the noise predictions of all readings, each turned back."""
    for a, b in steps():
        x = ddim(x, upright(network(turned(x))).mean(0, keepdim=True), a, b)
    return x


def synctweedies_illusion(x: Tensor) -> Tensor:
    parts = turned(x)
    for a, b in steps():
        clean = (parts - math.sqrt(1 - a) * network(parts)) / math.sqrt(a)
        agreed = turned(upright(clean).mean(0, keepdim=True))
        parts = math.sqrt(b) * agreed + math.sqrt(1 - b) * (parts - math.sqrt(a) * agreed) / math.sqrt(1 - a)
    return upright(parts).mean(0, keepdim=True)


def factorized(x: Tensor) -> Tensor:
    """The high band of one prediction and the low band of the other, of one picture with two prompts."""
    for a, b in steps():
        both = network(torch.cat([x, x]))
        e = both[:1] - low_band(both[:1]) + low_band(both[1:])
        x = ddim(x, e, a, b)
    return x


def low_band(x: Tensor) -> Tensor:
    """The low band by the averaging of a scene whose other reading shows nothing."""
    return average_of(readings("hybrid"))(torch.cat([torch.zeros_like(x), x]))


def canonical_clean(x: Tensor) -> Tensor:
    """SyncMVD: clean estimates of the views of one latent texture, averaged there; the texture takes the step."""
    for a, b in steps():
        parts = crops(x)
        clean = merged((parts - math.sqrt(1 - a) * network(parts)) / math.sqrt(a))
        x = math.sqrt(b) * clean + math.sqrt(1 - b) * (x - math.sqrt(a) * clean) / math.sqrt(1 - a)
    return x


CASES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[], Views]]] = {
    "MultiDiffusion": (multidiffusion, windows),
    "SyncTweedies, wide images": (synctweedies_wide, windows),
    "SyncTweedies, ambiguous images": (synctweedies_illusion, lambda: readings("turned")),
    "Visual Anagrams": (visual_anagrams, lambda: readings("turned")),
    "Factorized Diffusion": (factorized, lambda: readings("hybrid")),
    "SyncMVD": (canonical_clean, windows),
}


@pytest.mark.parametrize("name", CASES)
def test_the_plan_is_the_published_update(name: str):
    published, views = CASES[name][0], CASES[name][1]()
    start = noise(1, CHANNELS, *views.canonical)
    method = preset(name)
    if name == "SyncMVD":
        method = replace(method, plan=replace(method.plan, schedule=type(method.plan.schedule)()))
    w, z = Engine(method, views).run(start)
    if z is None:
        assert w is not None
        z = average_of(views)(w)
    expected = published(start)
    assert float((z - expected).abs().max() / expected.abs().max()) < 1e-12


def test_diffusehigh_replaces_the_low_band_of_the_clean_estimate():
    """x0 <- x0 + alpha (LL(ref) - LL(x0)), alpha falling from 1 to 0 over the first half."""
    method = preset("DiffuseHigh")
    assert isinstance(method.steering, CoarseLock)
    views = Scene(Plane(COLUMNS, SIDE), Windows(COLUMNS, SIDE, 8, SIDE, "flat")).views(1)
    reference, clean = noise(1, CHANNELS, SIDE, COLUMNS, seed=1), noise(1, CHANNELS, SIDE, COLUMNS, seed=2)
    run = OperatorRun(average_of(views), lambda latents: latents)
    lock = replace(method.steering, reference=reference).begin(run)

    def ll(x: Tensor) -> Tensor:
        """What is left of two levels of Haar's wavelet without its details."""
        blocks = x.unfold(-2, 4, 4).unfold(-2, 4, 4).mean((-2, -1))
        return blocks.repeat_interleave(4, -2).repeat_interleave(4, -1)

    for progress, alpha in ((0.0, 1.0), (0.25, 0.5), (0.4, 0.2), (0.5, 0.0), (0.9, 0.0)):
        expected = clean + alpha * (ll(reference) - ll(clean))
        assert float((lock(clean, progress) - expected).abs().max()) < 1e-12


def test_names_are_single_and_sources_are_told():
    assert len({p.name for p in PRESETS}) == len(PRESETS)
    assert all(p.source[-4:].isdigit() for p in PRESETS)
