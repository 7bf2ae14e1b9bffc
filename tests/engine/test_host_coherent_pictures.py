"""One scene or three: a model of three materials and no prompt, with coherence and without. Thresholds hold over seeds
(benchmarks/bench_coherence.py); here one is made, with small exemplars."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.hosting import Scene
from helpers.materials import MATERIALS, Materials, sphere, teapot, watched, wide
from syncpack.nodes.engine.coherence import Coherence
from syncpack.sync_core.steering.pull import Pull

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def materials() -> Materials:
    return Materials()


@pytest.mark.parametrize("where, seed, ratio", [(wide, 1, 50), (sphere, 0, 15), (teapot, 1, 4)])
def test_separate_views_become_one_scene(materials: Materials, where: Any, seed: int, ratio: float):
    """No softer: patches are as near to those of the exemplars as without, material by material."""
    space, rig = where()
    found: list[dict[str, Any]] = []
    for coherence in (None, Coherence(Pull())):
        views, whole = materials.sampled(space, rig, seed, coherence=coherence, steps=12)
        crops, seen = watched(space, rig, views, whole)
        found.append(materials.judged(crops, seen))
        if coherence is not None and where is wide:
            assert Scene(space, rig).geometry.seam_ratio(whole, 1) <= 1.2
    free, pulled = found
    assert free["intra"] >= ratio * pulled["intra"], (free, pulled)
    assert pulled["share"] <= (0.08 if where is teapot else 0.05)
    for before, after, share in zip(free["residuals"], pulled["residuals"], pulled["shares"], strict=True):
        if share > 0.3 and before == before:
            assert after <= 1.05 * before, (free, pulled)


@pytest.mark.parametrize("chosen", [1, 2])
def test_a_reference_chooses_the_material(materials: Materials, chosen: int):
    space, rig = wide()
    coherence = Coherence(Pull(), reference=materials.pictures[chosen : chosen + 1])
    whole = materials.sampled(space, rig, 0, coherence=coherence)[1]
    shares = materials.judged(torch.stack(whole.split(64, -1)))["shares"]
    assert shares[chosen] >= 0.75, dict(zip(MATERIALS, shares, strict=True))
