"""SyncSDE as a process of the doors: views that lean on the one before them, under the host's own samplers."""

from typing import Any

import pytest
import torch
from helpers.hosting import (
    Plane,
    Windows,
    disagreement,
    gaussian,
    host,
    one_line,
    opinionated,
    plain_sample,
    run_advanced,
    run_node,
)
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.sampling.plan import COUPLED_LABEL
from syncpack.renderers.illusions.space import Illusion, Warps
from syncpack.renderers.illusions.warps import warp

pytestmark = pytest.mark.host

SPACE, RIG, VIEWS = Plane(192, 64), Windows(64, 64, 32, 64), 5
LEAN: dict[str, Any] = {"process": COUPLED_LABEL, "noise": "independent", "steps": 30, "final_sync": False}


def test_the_difference_of_views_is_damped_as_theory_says() -> None:
    """Views of one prior from noise of their own: alone they stay apart, and the more they lean the less is left."""
    left = {}
    for lean in (0.0, 1.0, 5.0):
        views = run_node(gaussian(0.5), SPACE, RIG, **LEAN, lean=lean)[0]["samples"]
        left[lean] = disagreement(SPACE, RIG, views)
        assert float(views.std()) == pytest.approx(0.5, rel=0.15)
    assert left[5.0] < 1e-3 and 0.01 < left[1.0] < 0.5 * left[0.0] and left[0.0] > 0.5


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("euler", 10),
        ("ddim", 20),
        ("heun", 20),
        ("dpmpp_2m", 20),
        ("euler_ancestral", 20),
        ("dpmpp_2m_sde", 50),
        ("uni_pc", 50),
    ],
)
@pytest.mark.parametrize("kind", ["EPS", "FLOW"])
def test_every_sampler(name: str, steps: int, kind: str) -> None:
    options = {**LEAN, "steps": steps, "sampler_name": name}
    views = run_node(gaussian(0.5, kind), SPACE, RIG, **options)[0]["samples"]
    free = run_node(gaussian(0.5, kind), SPACE, RIG, **{**options, "process": 0})[0]["samples"]
    # (what ancestral noise shares, views without lean share too)
    left, apart = (disagreement(SPACE, RIG, v) for v in (views, free))
    assert left < 0.05 and left < 0.2 * apart
    assert float(views.std()) == pytest.approx(float(free.std()), rel=0.05)
    assert torch.allclose(views[0], free[0], atol=1e-5), "the first view is nobody's"


def test_chunks_masks_batches_and_the_end() -> None:
    whole = run_node(opinionated(), SPACE, RIG, **LEAN, batch_size=2, views_per_batch=64)[0]["samples"]
    cut = run_node(opinionated(), SPACE, RIG, **LEAN, batch_size=2, views_per_batch=2)[0]["samples"]
    torch.testing.assert_close(cut, whole, rtol=0, atol=1e-5)
    one = run_node(opinionated(), SPACE, RIG, **{**LEAN, "final_sync": True})[0]["samples"]
    assert disagreement(SPACE, RIG, one) <= 1e-6
    start = torch.randn(1, 4, 8, 24, generator=torch.Generator().manual_seed(1))
    mask = torch.zeros(1, 8, 24)
    mask[..., 12:] = 1.0
    kept = run_node(opinionated(), SPACE, RIG, **LEAN, canonical={"samples": start, "noise_mask": mask})[1]["samples"]
    assert float((kept - start).abs()[..., :12].max()) <= 1e-5
    assert float((kept - start).abs()[..., 13:].mean()) > 0.3


def test_one_view_and_no_lean_are_the_host_s_own() -> None:
    latent = torch.zeros(1, 4, 8, 8)
    alone = run_node(opinionated(), Plane(64, 64), Windows(64, 64, 32, 64), process=COUPLED_LABEL)[0]["samples"]
    assert torch.equal(alone, plain_sample(opinionated(), latent))
    none = run_node(opinionated(), SPACE, RIG, **LEAN, lean=0.0)[0]["samples"]
    assert torch.equal(none, run_node(opinionated(), SPACE, RIG, **{**LEAN, "process": 0})[0]["samples"])


def test_the_model_s_own_time_counts() -> None:
    """A run that begins at 0.6 begins with t/T = 0.6; flow models and others alike."""
    for kind in ("EPS", "FLOW"):
        network = gaussian(model_type=kind).model
        sampling = network.model_sampling
        for share in (0.1, 0.35, 0.6, 0.95):
            (left,) = host.times_left(network, [float(sampling.percent_to_sigma(1 - share))])
            assert left == pytest.approx(share, abs=1e-4)


def test_the_other_door() -> None:
    latent = {"samples": torch.zeros(VIEWS, 4, 8, 8)}
    node = run_node(opinionated(), SPACE, RIG, process=COUPLED_LABEL, steps=20)[0]["samples"]
    wrapped = run_advanced(opinionated(), SPACE, RIG, latent, process=COUPLED_LABEL, steps=20)
    assert torch.allclose(node, wrapped, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"lean": -1.0}, ("lean -1", "5 as published")),
        ({"lean": float("nan")}, ("lean is no number",)),
        ({"rig": Warps((warp("low_band"), warp("high_band")))}, ("SyncSDE", "parts or planes", "use process 2")),
        ({"sampler_name": "euler_cfg_pp"}, ("euler_cfg_pp", "use process 2")),
    ],
)
def test_what_it_does_not_go_with(changes: dict[str, Any], parts: tuple[str, ...]) -> None:
    if changes.get("sampler_name", "euler") not in host.SAMPLER_NAMES:
        pytest.skip("this host has no such sampler")
    with pytest.raises(SyncError) as caught:
        own = changes.pop("rig", None)
        run_node(gaussian(), *((Illusion(128, 128), own) if own else (SPACE, RIG)), **{**LEAN, **changes})
    one_line(caught.value, "SyncTweediesSampler", *parts)
