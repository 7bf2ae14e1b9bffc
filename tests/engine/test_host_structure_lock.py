"""The structure lock and other operators in real runs: on every space, through every door, by any chunk of views."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers.host_vaes import PatchVae, bounded, noise
from helpers.hosting import Plane, Windows, host, one_line, relative_error, run_advanced, run_node, run_patched
from helpers.meshes import torus
from oracles.splat_twins import ball
from syncpack.nodes.sampling.lock import StructureLock as LockNode
from syncpack.nodes.views.spaces import rig_from
from syncpack.renderers.cameras.orbits import orbit
from syncpack.renderers.cameras.viewpoints import Orbit
from syncpack.renderers.mesh.space import MeshTexture
from syncpack.renderers.panorama.space import Panorama
from syncpack.renderers.scene import Scene
from syncpack.renderers.splats.space import SplatColours
from syncpack.sync_core.steering.operators import OperatorRun
from syncpack.sync_core.steering.structure_lock import CoarseLock, low_pass
from torch import Tensor

pytestmark = pytest.mark.host

SPACE, RIG = Plane(256, 64), Windows(64, 64, 32, 64)
ALL = dict(channels="all", until=1.0)
SCENES = {
    "plane": (SPACE, RIG),
    "panorama": (Panorama(256, 128), rig_from("sphere", 64, 64, fov=90)),
    "mesh": (MeshTexture(torus(), 256, 256), Orbit(orbit()[:4], 64, 64)),
    "splats": (SplatColours(ball(1200), backend="torch"), Orbit(orbit()[:4], 64, 64)),
}


def picture(scene: Scene, seed: int = 3) -> Tensor:
    """A smooth canonical latent in [-1, 1]."""
    rows, columns = scene.grid(8)
    coarse = noise(1, 4, max(2, rows // 4), max(2, columns // 4), seed=seed)
    return torch.nn.functional.interpolate(coarse, size=(rows, columns), mode="bilinear").tanh()


def coarse_error(space: Any, rig: Any, views: Tensor, reference: Tensor) -> float:
    """How far the coarse part of views is from the reference's (rms)."""
    scene = Scene(space, rig).views(8)
    seen = scene.covered[:, None].to(views)
    missing = low_pass(views - reference, seen, "haar", 1)
    return float((missing.square().sum() / seen.sum()).sqrt())


def test_off_changes_no_bit():
    whole = {"samples": picture(Scene(SPACE, RIG))}
    plain = run_node(bounded(), SPACE, RIG, canonical=whole, denoise=0.7)
    for lock in (CoarseLock(0.0, channels="all"), CoarseLock(until=0.0, channels="all")):
        views, canonical = run_node(bounded(), SPACE, RIG, canonical=whole, denoise=0.7, operator=lock)
        assert torch.equal(views["samples"], plain[0]["samples"])
        assert torch.equal(canonical["samples"], plain[1]["samples"])


@pytest.mark.parametrize("name", ["euler", "heun", "dpmpp_2m", "euler_ancestral"])
def test_the_drawing_is_held_to_the_end(name: str):
    """On windows that lie on the blocks' grid the result's coarse part is the reference's."""
    scene = Scene(SPACE, RIG)
    reference = picture(scene)
    options = dict(steps=4, sampler_name=name, operator=CoarseLock(**ALL, level=1, reference=reference))
    views = run_node(bounded(), SPACE, RIG, **options)[0]["samples"]
    shown = scene.views(8).project(reference)
    assert coarse_error(SPACE, RIG, views, shown) < 1e-4
    free = run_node(bounded(), SPACE, RIG, steps=4, sampler_name=name)[0]["samples"]
    assert coarse_error(SPACE, RIG, free, shown) > 0.3, "or the test shows nothing"


@pytest.mark.parametrize("kind", ["haar", "gauss"])
@pytest.mark.parametrize("where", SCENES)
def test_on_every_space(where: str, kind: str):
    space, rig = SCENES[where]
    scene = Scene(space, rig)
    reference = scene.views(8).project(picture(scene))
    lock = CoarseLock(**ALL, level=1, filter=kind, reference=reference)
    options = dict(steps=4, aggregation="mean")
    held = run_node(bounded(), space, rig, operator=lock, **options)[0]["samples"]
    free = run_node(bounded(), space, rig, **options)[0]["samples"]
    errors = [coarse_error(space, rig, views, reference) for views in (held, free)]
    assert errors[0] < 0.5 * errors[1], errors


def test_what_the_run_starts_from_is_held():
    whole = {"samples": picture(Scene(SPACE, RIG))}
    given = CoarseLock(channels="all", reference=whole["samples"])
    told, own = (
        run_node(bounded(), SPACE, RIG, canonical=whole, denoise=0.7, operator=lock)[0]["samples"]
        for lock in (given, CoarseLock(channels="all"))
    )
    assert relative_error(own, told) < 1e-5


def test_every_door_and_every_chunk():
    scene = Scene(SPACE, RIG)
    lock = CoarseLock(channels="all", reference=picture(scene))
    views = scene.views(8).count
    whole = run_node(bounded(), SPACE, RIG, operator=lock, seed=5)[0]["samples"]
    chunked = run_node(bounded(), SPACE, RIG, operator=lock, seed=5, views_per_batch=2)[0]["samples"]
    assert relative_error(chunked, whole) < 1e-6
    latent = {"samples": torch.zeros(views, 4, 8, 8)}
    assert relative_error(run_advanced(bounded(), SPACE, RIG, latent, operator=lock), whole) < 1e-5
    if host.HAS_WRAPPERS:
        assert relative_error(run_patched(bounded(), SPACE, RIG, latent["samples"], operator=lock), whole) < 1e-5
        return
    with pytest.raises(ValueError) as caught:
        run_patched(bounded(), SPACE, RIG, latent["samples"], operator=lock)
    one_line(caught.value, "SyncTweediesPatch", "does not know its step", "use SyncTweediesSampler")


def test_pictures_that_agree_are_held_too():
    """With rgb_vae the views agree as pictures, and what the lock changes is added to their latents."""
    scene = Scene(SPACE, RIG)
    rows, columns = scene.grid(8)
    reference = noise(1, 192, rows, columns)
    lock = CoarseLock(**ALL, level=1, reference=reference)
    held = run_node(bounded(192), SPACE, RIG, operator=lock, rgb_vae=PatchVae())[0]["samples"]
    free = run_node(bounded(192), SPACE, RIG, rgb_vae=PatchVae())[0]["samples"]
    shown = scene.views(8).project(reference)
    errors = [coarse_error(SPACE, RIG, views, shown) for views in (held, free)]
    assert errors[0] < 0.02 * errors[1], errors


class Halved:
    """An operator as another pack would write it."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def begin(self, run: OperatorRun) -> Callable[[Tensor, float], Tensor]:
        assert run.start is None and run.average.views.count == 7

        def change(cells: Tensor, progress: float) -> Tensor:
            assert cells.shape == (1, 4, 8, 32)
            self.seen.append(progress)
            return 0.5 * cells

        return change


def test_a_noise_mask_holds_whatever_an_operator_does():
    """Outside of the mask a lock on something else, held until the last step, changes no bit."""
    scene = Scene(SPACE, RIG)
    rows, columns = scene.grid(8)
    mask = torch.zeros(1, rows * 8, columns * 8)
    mask[..., : columns * 4] = 1.0
    whole = {"samples": picture(scene), "noise_mask": mask}
    lock = CoarseLock(**ALL, reference=picture(scene, seed=8))
    given = run_node(bounded(), SPACE, RIG, canonical=whole, denoise=0.7, operator=lock)[1]["samples"]
    free = run_node(bounded(), SPACE, RIG, canonical=whole, denoise=0.7)[1]["samples"]
    assert torch.equal(given[..., columns // 2 :], free[..., columns // 2 :])
    assert torch.allclose(given[..., columns // 2 :], whole["samples"][..., columns // 2 :], atol=1e-6)
    assert not torch.allclose(given[..., : columns // 2], free[..., : columns // 2], atol=0.05)


def test_operators_of_others():
    operator = Halved()
    halved = run_node(bounded(), SPACE, RIG, steps=4, operator=operator)[0]["samples"]
    plain = run_node(bounded(), SPACE, RIG, steps=4)[0]["samples"]
    assert operator.seen == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert float(halved.std()) < 0.6 * float(plain.std())


@pytest.mark.parametrize(
    "options, said",
    [
        (dict(process=1), "an operator changes the average of clean estimates, which process 1 does not make"),
        (dict(process="StochSync (fresh noise, for prompts alone)"), "which StochSync does not make"),
        (dict(operator=CoarseLock(channels="all")), "nothing to keep the drawing of; connect a reference"),
        (
            dict(operator=CoarseLock(channels="all", reference=torch.zeros(1, 4, 5, 5))),
            "a canonical latent of 5 x 5",
        ),
        (dict(operator=CoarseLock(channels="all", reference=torch.zeros(7, 3, 8, 8))), "have 3 channels"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], said: str):
    lock = CoarseLock(channels="all", reference=torch.zeros(7, 4, 8, 8))
    with pytest.raises(ValueError) as caught:
        run_node(bounded(), SPACE, RIG, **{"operator": lock, **options})
    one_line(caught.value, "SyncTweediesSampler", said)


def test_the_node():
    (lock,) = LockNode().build(0.5, 0.6, True, "gauss", 3, "all", {"samples": torch.ones(1, 4, 8, 8)})
    assert lock.reference is not None and math.isclose(lock.alpha(0.3), 0.25) and lock.filter == "gauss"
    with pytest.raises(ValueError) as caught:
        LockNode().build(2.0, 0.6, False, "haar", 2, "all")
    one_line(caught.value, "StructureLock", "strength 2: use 0")
    (both,) = LockNode().build(0.5, 0.6, True, "gauss", 3, "all", operator=Halved())
    assert both.operators[1] == CoarseLock(0.5, 0.6, True, "gauss", 3, "all")
