"""The stochastic mode through real samplers: whole pictures, nothing averaged away, only some views at a time."""

import math

import pytest
import torch
from helpers.hosting import (
    NEGATIVE,
    POSITIVE,
    Plane,
    Scene,
    Windows,
    analytic,
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
from oracles.stochsync_twin import stochsync
from syncpack.nodes.engine.walks.stochastic import turns
from syncpack.nodes.sampling.plan import STOCHASTIC_LABEL
from syncpack.renderers.cameras.lookouts import fibonacci
from syncpack.renderers.panorama.space import Lookout, Panorama
from syncpack.sync_core.visits.policy import Visits

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
    """Two steps from noise, four levels of five each; 742 and then twice 427, with as many rungs again."""
    model = gaussian()
    run_node(model, SPACE, RIG, steps=4, sampler_name="euler", **WALK)
    rows = [x.shape[0] for x, _ in model.model.calls]
    assert rows == [3] * 4 + [2] * 4 + [3] * 9 + [2] * 8


def test_the_published_settings_cost_420_calls():
    model = gaussian()
    run_node(model, SPACE, RIG, steps=25, sampler_name="dpmpp_2m", scheduler="karras", process=STOCHASTIC_LABEL)
    assert len(model.model.calls) == 420
    levels = [level for _, level in model.model.calls]
    sampling = model.model.model_sampling
    begins = [level for k, level in enumerate(levels) if k == 0 or level > levels[k - 1]]
    expected = [sampling.sigma(torch.tensor(float(t))) for t in (874 - 25, 824, 799, 774)]
    assert len(begins) == 25
    torch.testing.assert_close(torch.tensor(begins[2:6]), torch.tensor(expected), rtol=1e-4, atol=0)
    last = [sampling.sigma(torch.tensor(float(t))) for t in (345, 640, 590)]
    torch.testing.assert_close(torch.tensor(begins[-3:]), torch.tensor(last), rtol=1e-4, atol=0)


@pytest.mark.parametrize("steps", [8, 25])
def test_it_is_the_papers_algorithm(steps):
    """Against the slow twin, which knows alphas and one window at a time."""
    model, seed = opinionated(), 3
    views, whole = run_node(model, SPACE, RIG, steps=steps, seed=seed, sampler_name="euler", process=STOCHASTIC_LABEL)
    generator = torch.Generator().manual_seed(seed)
    noises = [torch.randn(VIEWS, 4, 8, 8, generator=generator) for _ in range(steps)]
    fade = torch.sin(math.pi * (torch.arange(8, dtype=torch.float64) + 0.5) / 8) ** 2
    ramp = fade[:, None] * fade

    def estimate(x, sigma):
        return model.model.clean(x[None].float(), torch.tensor([[[[sigma]]]]))[0].double()

    twin = stochsync(
        estimate,
        [n.double() for n in noises],
        24,
        [0, 4, 8, 12, 16],
        [[0, 2, 4], [1, 3]],
        ramp / ramp.max(),
    )
    assert relative_error(whole["samples"][0].double(), twin) < 1e-5
    assert relative_error(views["samples"][1].double(), twin[..., 4:12]) < 1e-5


def test_too_few_steps_for_the_sets_of_views_are_refused():
    with pytest.raises(ValueError) as caught:
        run_node(gaussian(), SPACE, RIG, steps=1, **WALK)
    one_line(caught.value, "SyncTweediesSampler", "2 turns", "1 steps", "use 4 steps or more")


def test_all_of_the_picture_is_painted_before_it_is_read():
    """Windows that need four sets: every one begins with noise alone, so no estimate is made from an empty part."""
    seen = []

    def clean(x, sigma):
        seen.append((float(x.mean((1, 2, 3)).abs().max()), float(sigma.max())))
        return torch.full_like(x, 5.0)

    space, rig = Plane(160, 160), Windows(64, 64, 32, 32)
    run_node(analytic(clean), space, rig, steps=8, inner_steps=5, process=STOCHASTIC_LABEL)
    top = max(level for _, level in seen)
    begins = [k for k, (_, level) in enumerate(seen) if k == 0 or level > seen[k - 1][1]]
    assert sum(abs(seen[k][1] - top) < 1e-3 for k in begins) >= len(turns(Scene(space, rig).views(8)))
    later = [seen[k] for k in begins if seen[k][1] < top - 1e-3]
    assert later and all(mean > 4.0 for mean, _ in later)


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


# Windows at every cell: turns are drawn among them.
MANY = Windows(64, 64, 8, 64)


def test_turns_may_be_drawn_anew():
    """Other views at each step; views end in agreement, and the rest is the walk as ever."""
    drawn = {"steps": 10, "sampler_name": "euler", "visits": Visits("turning"), **WALK}
    model = opinionated()
    views, whole = run_node(model, SPACE, MANY, **drawn)
    assert max(x.shape[0] for x, _ in model.model.calls) <= 3
    seen = Scene(SPACE, MANY).views(8).project(whole["samples"])
    assert relative_error(views["samples"], seen) < 1e-6
    again, _ = run_node(opinionated(), SPACE, MANY, **drawn)
    assert torch.equal(views["samples"], again["samples"])
    for other in ({"seed": 6}, {"visits": None}):
        assert not torch.equal(views["samples"], run_node(opinionated(), SPACE, MANY, **(drawn | other))[0]["samples"])


def test_turns_that_are_drawn_keep_the_variance():
    visits, given = Visits("turning"), {**WALK, "inner_steps": 20}
    own = float(plain_sample(gaussian(0.7), torch.zeros(40, 4, 8, 8), steps=20).std())
    _, whole = run_node(gaussian(0.7), SPACE, MANY, steps=12, batch_size=16, visits=visits, **given)
    assert own - 0.015 <= float(whole["samples"].std()) <= 0.715


@pytest.mark.parametrize("policy", ["few then all", "still changing", "auto"])
def test_only_turns_can_be_drawn(policy):
    with pytest.raises(ValueError) as caught:
        run_node(gaussian(), SPACE, MANY, visits=Visits(policy), **WALK)
    one_line(caught.value, "SyncTweediesSampler", f"visits {policy} are no turns", "set visits to turning")


def test_a_sphere_is_painted_by_turns_that_are_drawn():
    """A turn leaves some of it out; steps begin with noise until all of it was seen."""
    space, rig = Panorama(256, 128), Lookout(fibonacci(90.0, 0.6), 64, 64, "nearest")
    visits = Visits("turning")
    _, whole = run_node(opinionated(), space, rig, steps=14, visits=visits, **WALK)
    assert bool((whole["samples"] != 0).any(1).all())
