"""Conditioning entries for some views only: each view gets its own prompts, in whatever chunks it is evaluated."""

import pytest
import torch
from helpers.hosting import (
    NEGATIVE,
    PLAN,
    POSITIVE,
    Plane,
    SyncTweediesPatch,
    Windows,
    comfy,
    host,
    one_line,
    relative_error,
    run_node,
    tiny_unet,
)
from syncpack.nodes.engine import tagged_conds
from syncpack.nodes.engine.tagged_conds import VIEWS_KEY

pytestmark = pytest.mark.host

SPACE, RIG, VIEWS = Plane(192, 64), Windows(96, 64, 24, 64), 5


@pytest.fixture(scope="module")
def unet():
    return tiny_unet()


def tagged(seed, views, tokens=4, **options):
    generator = torch.Generator().manual_seed(seed)
    return [[torch.randn(1, tokens, 16, generator=generator), {VIEWS_KEY: tuple(views), **options}]]


def alone(model, positive, negative=NEGATIVE, **changes):
    """Every view for itself, all of them with the same prompts."""
    changes = {"cfg": 3.0, "process": 0, "noise": "independent", "final_sync": False, **changes}
    return run_node(model, SPACE, RIG, positive=positive, negative=negative, **changes)[0]["samples"]


@pytest.fixture
def calls(monkeypatch):
    """Rows of every call of the network."""
    seen = []
    inner = host.BaseModel.apply_model

    def apply(self, x, *args, **kwargs):
        seen.append(x.shape[0])
        return inner(self, x, *args, **kwargs)

    monkeypatch.setattr(host.BaseModel, "apply_model", apply)
    return seen


PROMPTS = [tagged(10 + i, [i]) for i in range(VIEWS)]


@pytest.mark.parametrize("views_per_batch", [64, 1, 2, 3])
def test_each_view_has_the_prompt_meant_for_it(unet, views_per_batch):
    together = alone(unet, [entry for p in PROMPTS for entry in p], views_per_batch=views_per_batch)
    for i, own in enumerate(PROMPTS):
        bare = [[own[0][0], {}]]
        assert relative_error(together[i], alone(unet, bare)[i]) <= 1e-5
        assert relative_error(together[i], alone(unet, [[PROMPTS[i - 1][0][0], {}]])[i]) > 1e-3


def test_prompts_alone_cost_no_more_calls_than_one_prompt(unet, calls):
    alone(unet, POSITIVE, steps=1)
    single, calls[:] = list(calls), []
    alone(unet, [entry for p in PROMPTS for entry in p], steps=1)
    assert calls == single == [2 * VIEWS]


@pytest.mark.parametrize("process", [2, 5])
@pytest.mark.parametrize("views_per_batch", [1, 2, 3])
def test_synchronised_chunks_equal_the_whole(unet, process, views_per_batch):
    """Positive and negative prompts for other views each, one prompt for all, another strength for some."""
    positive = [*POSITIVE, *tagged(3, [0, 1]), *tagged(4, [2]), *tagged(5, [3, 4], strength=0.4)]
    negative = [*tagged(6, [0, 2, 4]), *tagged(7, [1, 3])]
    whole, chunked = (
        run_node(
            unet, SPACE, RIG, cfg=3.0, positive=positive, negative=negative, process=process, views_per_batch=size
        )[0]["samples"]
        for size in (64, views_per_batch)
    )
    assert relative_error(chunked, whole) <= 1e-5
    rival = run_node(unet, SPACE, RIG, cfg=3.0, positive=positive, negative=NEGATIVE, process=process)[0]["samples"]
    assert relative_error(rival, whole) > 1e-3


@pytest.mark.parametrize("tokens", [8, 12, 5])
def test_prompts_of_other_lengths(unet, tokens):
    """Lengths with a small common multiple share a call, others do not; the result is the same."""
    positive = [*tagged(3, [0, 1]), *tagged(4, [2, 3, 4], tokens)]
    together = alone(unet, positive)
    first, second = ([[p[0], {}]] for p in positive)
    assert relative_error(together[:2], alone(unet, first)[:2]) <= 1e-5
    assert relative_error(together[2:], alone(unet, second)[2:]) <= 1e-5


def test_masks_keep_their_entries_apart(unet):
    """Entries with masks of their own are not merged: each view sees its own mask."""
    mask = torch.zeros(1, 64, 96)
    mask[:, :, :48] = 1.0
    masked = {"mask": mask, "mask_strength": 1.0, "set_area_to_bounds": False}
    positive = [*POSITIVE, *tagged(3, [1], **masked), *tagged(4, [3], mask_strength=0.5, mask=1 - mask)]
    together = alone(unet, positive, views_per_batch=2)
    for view, entries in ((0, positive[:1]), (1, positive[:2]), (3, [positive[0], positive[2]])):
        bare = [[tokens, {k: v for k, v in options.items() if k != VIEWS_KEY}] for tokens, options in entries]
        assert relative_error(together[view], alone(unet, bare)[view]) <= 1e-5


def test_several_canonical_pictures(unet):
    positive = [entry for p in PROMPTS for entry in p]
    runs = [
        run_node(unet, SPACE, RIG, cfg=3.0, positive=positive, batch_size=2, views_per_batch=size)[0]["samples"]
        for size in (64, 3)
    ]
    assert relative_error(runs[1], runs[0]) <= 1e-5
    one = run_node(unet, SPACE, RIG, cfg=3.0, positive=positive)[0]["samples"]
    assert relative_error(runs[0][:VIEWS], one) <= 1e-5


def test_a_prompt_for_no_view_is_left_out(unet):
    assert torch.equal(alone(unet, [*POSITIVE, *tagged(3, [])]), alone(unet, POSITIVE))


def test_the_conditioning_is_left_as_it_was(unet):
    positive = [entry for p in PROMPTS for entry in p]
    before = [(tokens, dict(options)) for tokens, options in positive]
    alone(unet, positive, views_per_batch=2)
    for (tokens, options), (kept, was) in zip(positive, before, strict=True):
        assert tokens is kept and options == was


def test_a_view_that_is_not_there(unet):
    with pytest.raises(ValueError) as caught:
        alone(unet, [*POSITIVE, *tagged(3, [2, 5])])
    one_line(caught.value, "SyncTweediesSampler", "view 5", "5 views (0 to 4)", "same rig")


def test_a_view_without_a_prompt(unet):
    with pytest.raises(ValueError) as caught:
        alone(unet, [*tagged(3, [0, 2]), *tagged(4, [3])])
    one_line(caught.value, "SyncTweediesSampler", "no prompt is meant for view 1, 4", "*: text")
    alone(unet, POSITIVE)


@pytest.mark.skipif(host.HAS_WRAPPERS, reason="newer hosts can")
def test_the_patched_model_of_2024_says_that_it_cannot(unet):
    (patched,) = SyncTweediesPatch().patch(unet, SPACE, RIG, **PLAN)
    positive = [*POSITIVE, *tagged(3, [0])]
    with pytest.raises(ValueError) as caught, torch.inference_mode():
        sampler = comfy.samplers.sampler_object("euler")
        latent = torch.zeros(VIEWS, 4, 8, 12)
        host.sample(patched, latent, positive, NEGATIVE, 1.0, sampler, torch.tensor([5.0, 0.0]), latent, None, None, 0)
    one_line(caught.value, "SyncTweediesPatch", "2024", "use SyncTweediesSampler")


@pytest.mark.skipif(not host.HAS_WRAPPERS, reason="hosts of 2024 refuse it")
def test_the_patched_model_knows_its_views_too(unet):
    positive = [entry for p in PROMPTS for entry in p]
    (patched,) = SyncTweediesPatch().patch(unet, SPACE, RIG, **PLAN, views_per_batch=2)
    latent = torch.zeros(VIEWS, 4, 8, 12)
    with torch.inference_mode():
        sampler, sigmas = comfy.samplers.sampler_object("euler"), host.k_sampler_sigmas(unet, 3, "euler", "normal", 1.0)
        noise = host.prepare_noise(latent, 5)
        got = host.sample(patched, noise, positive, NEGATIVE, 3.0, sampler, sigmas, latent, None, None, 5)
    expected = run_node(unet, SPACE, RIG, cfg=3.0, positive=positive)[0]["samples"]
    assert relative_error(got, expected) <= 1e-5


class Value:
    """A conditioning value as the host keeps it."""

    def __init__(self, cond):
        self.cond = cond

    def _copy_with(self, cond):
        return type(self)(cond)


def test_merging_goes_by_what_differs():
    def entry(views, fill, **options):
        return {VIEWS_KEY: views, "model_conds": {"y": Value(torch.full((1, 3), float(fill)))}, **options}

    a, b, c = entry((0, 2), 0), entry((1,), 1), entry((1, 2), 2)
    strong = entry((3,), 3, strength=2.0)
    merged = tagged_conds.merge_prompts([a, b, c, strong], rows=8, views=4)
    assert [m[VIEWS_KEY] for m in merged] == [(0, 1, 2), (1, 2), (3,)]
    rows = merged[0]["model_conds"]["y"].cond[:, 0]
    assert rows[[0, 1, 2, 4, 5, 6]].tolist() == [0, 1, 0, 0, 1, 0]
    assert merged[1] is c and merged[2] is strong
