"""The stochastic mode through real samplers: whole pictures, nothing averaged away, only some views at a time."""

import pytest
import torch
from hosting import (
    NEGATIVE,
    POSITIVE,
    Plane,
    Scene,
    Windows,
    gaussian,
    host,
    one_line,
    opinionated,
    plain_sample,
    prompt,
    relative_error,
    run_advanced,
    run_node,
    run_patched,
    tiny_unet,
)
from syncpack.nodes.plan_inputs import STOCHASTIC_LABEL

pytestmark = pytest.mark.host

# Five windows of 8 x 8 cells, half overlapping: two sets take turns.
SPACE, RIG, VIEWS = Plane(192, 64), Windows(64, 64, 32, 64), 5
WALK = {"process": STOCHASTIC_LABEL, "inner_steps": 5}


@pytest.mark.parametrize("kind", ["EPS", "FLOW"])
def test_the_variance_of_the_prior_is_kept(kind):
    """White pictures of strength 0.7: neither replacing nor fresh noise takes more than the sampler's own few steps do,
    where plain averaging does."""
    model = gaussian(0.7, kind)
    own = float(plain_sample(model, torch.zeros(40, 4, 8, 8), steps=20).std())
    _, whole = run_node(model, SPACE, RIG, steps=12, batch_size=24, **{**WALK, "inner_steps": 20})
    assert own - 0.01 <= float(whole["samples"].std()) <= 0.71
    averaged, _ = run_node(model, SPACE, RIG, steps=12, batch_size=24, noise="independent")
    assert float(averaged["samples"].std()) < own - 0.02, "or the test shows nothing"


def test_views_end_in_agreement():
    views, whole = run_node(opinionated(), SPACE, RIG, steps=6, **WALK)
    seen = Scene(SPACE, RIG).views(8).project(whole["samples"])
    assert relative_error(views["samples"], seen) < 1e-6


def test_only_some_views_go_through_the_model_at_a_time():
    model = gaussian()
    run_node(model, SPACE, RIG, steps=4, sampler_name="euler", **WALK)
    rows = [x.shape[0] for x, _ in model.model.calls]
    assert rows == [3] * 5 + [2] * 5 + [3] * 5 + [2] * 5


def test_chunks_and_prompts_per_view_change_nothing():
    unet = tiny_unet()
    positive, negative = prompt(3, rows=VIEWS), prompt(4, rows=VIEWS)
    tagged = [[tokens, {"sync_views": (i,)}] for i, tokens in enumerate(positive[0][0].split(1))]
    runs = [
        run_node(unet, SPACE, RIG, cfg=3.0, positive=p, negative=negative, views_per_batch=n, **WALK)[0]["samples"]
        for p, n in ((positive, 64), (positive, 1), (positive, 2), (tagged, 2))
    ]
    for run in runs[1:]:
        assert relative_error(run, runs[0]) <= 1e-5
    rival = run_node(unet, SPACE, RIG, cfg=3.0, positive=prompt(9, rows=VIEWS), negative=negative, **WALK)
    assert relative_error(rival[0]["samples"], runs[0]) > 1e-3


@pytest.mark.parametrize("name", ["dpmpp_2m", "euler_ancestral", "uni_pc", "dpmpp_2m_sde"])
def test_any_sampler_walks(name):
    views, _ = run_node(gaussian(), SPACE, RIG, steps=4, sampler_name=name, **WALK)
    assert bool(torch.isfinite(views["samples"]).all()) and 0.5 < float(views["samples"].std()) < 1.6


def test_the_seed_decides():
    one, same, other = (
        run_node(opinionated(), SPACE, RIG, steps=4, seed=seed, **WALK)[0]["samples"] for seed in (1, 1, 2)
    )
    assert torch.equal(one, same) and relative_error(other, one) > 0.1


def test_other_doors_walk_too():
    latent = {"samples": torch.zeros(VIEWS, 4, 8, 8)}
    model = opinionated()
    node = run_node(model, SPACE, RIG, **WALK)[0]["samples"]
    assert relative_error(run_advanced(model, SPACE, RIG, latent, **WALK), node) <= 1e-5
    if host.HAS_WRAPPERS:
        assert relative_error(run_patched(model, SPACE, RIG, latent["samples"], **WALK), node) <= 1e-5
    else:
        with pytest.raises(ValueError, match="2024"):
            run_patched(model, SPACE, RIG, latent["samples"], **WALK)


def test_a_picture_is_changed_less_than_replaced():
    """denoise below 1 begins from the picture that is connected, and at its noise level."""
    model = gaussian(1.0)
    picture = torch.randn(1, 4, 8, 24, generator=torch.Generator().manual_seed(3))
    kept = run_node(model, SPACE, RIG, denoise=0.1, canonical={"samples": picture}, steps=6, **WALK)[1]["samples"]
    new = run_node(model, SPACE, RIG, steps=6, **WALK)[1]["samples"]

    def alike(a):
        return float(torch.corrcoef(torch.stack([a.flatten(), picture.flatten()]))[0, 1])

    assert alike(kept) > 0.5 > abs(alike(new)) + 0.3


def test_a_mask_keeps_the_rest():
    model = gaussian()
    picture = torch.randn(1, 4, 8, 24, generator=torch.Generator().manual_seed(3))
    mask = torch.zeros(1, 64, 192)
    mask[:, :, 96:] = 1.0
    _, whole = run_node(model, SPACE, RIG, canonical={"samples": picture, "noise_mask": mask}, steps=4, **WALK)
    assert torch.allclose(whole["samples"][..., :11], picture[..., :11], atol=1e-5)
    assert relative_error(whole["samples"][..., 13:], picture[..., 13:]) > 0.3


def test_a_broken_model_is_named():
    model = gaussian()
    model.model.fails = lambda call, x: x * float("nan")
    with pytest.raises(ValueError) as caught:
        run_node(model, SPACE, RIG, positive=POSITIVE, negative=NEGATIVE, **WALK)
    one_line(caught.value, "SyncTweediesSampler", "NaN")
