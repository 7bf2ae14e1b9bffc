"""The node CrossViewAttention on a real U-Net of the host: what it does to an evaluation, when, and what it refuses."""

import copy

import pytest
import torch
from helpers.attention_runs import ROW, VIEWS, attend, attentive_unet, estimates, noisy, patches, run, with_twin
from helpers.hosting import NEGATIVE, POSITIVE, Plane, Windows, comfy, gaussian, host, one_line, prompt, relative_error
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.host.transformers import HAS_OVERRIDE

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def unet():
    return attentive_unet()


# The model's own result


@pytest.mark.parametrize(
    "nothing", [dict(weight=0.0), dict(neighbours=0), dict(neighbours=0, reference=2, reference_weight=0.0)]
)
def test_nothing_to_see_is_the_model_itself(unet, nothing):
    patched = attend(unet, **nothing)
    assert "attn1" not in patched.model_options["transformer_options"].get("patches_replace", {})
    assert torch.equal(run(patched), run(unet))


def test_one_view_has_no_neighbours(unet):
    patched = attend(unet, space=Plane(64, 64))
    assert "patches_replace" not in patched.model_options["transformer_options"]


def test_views_see_each_other(unet):
    assert relative_error(run(attend(unet)), run(unet)) > 1e-3


def test_the_given_model_is_left_alone(unet):
    before = copy.deepcopy(unet.model_options)
    attend(unet)
    assert unet.model_options == before


def test_clones_share_the_patch(unet):
    """The host deep-copies the options of a model at every clone."""
    patched = attend(unet)
    twice = patched.clone().clone()
    assert patches(twice) and all(a is b for a, b in zip(patches(twice), patches(patched), strict=True))


# Against the twin


@pytest.mark.parametrize("weight", [1.0, 0.3])
@pytest.mark.parametrize("reference", [None, 4])
@pytest.mark.parametrize("pictures", [1, 2])
def test_equals_the_twin(unet, weight, reference, pictures):
    """Two conditionings, and two canonical pictures, which are not mixed: the twin looks at each alone."""
    x = noisy(VIEWS * pictures)
    patched = attend(unet, weight=weight, reference=-1 if reference is None else reference, reference_weight=0.5)
    twin = with_twin(unet, near=ROW, weight=weight, reference=reference, reference_weight=0.5)
    for got, expected in zip(estimates(patched, x), estimates(twin, x), strict=True):
        assert relative_error(got, expected) <= 1e-5


def test_every_key_counts_as_published(unet):
    x, near = noisy(), dict(near=ROW, weight=1.0, reference=None, reference_weight=0.0)
    got = estimates(attend(unet, overlaps=False), x)[0]
    assert relative_error(got, estimates(with_twin(unet, **near, once=False), x)[0]) <= 1e-5
    assert relative_error(got, estimates(with_twin(unet, **near), x)[0]) > 1e-4


def test_a_ring_looks_across_its_seam(unet):
    patched = attend(unet, space=Plane(192, 64, wrap_x=True))
    ring = [[(i - 1) % VIEWS, (i + 1) % VIEWS] for i in range(VIEWS)]
    twin = with_twin(unet, near=ring, weight=1.0, reference=None, reference_weight=0.0, ring=24)
    x = noisy()
    for got, expected in zip(estimates(patched, x), estimates(twin, x), strict=True):
        assert relative_error(got, expected) <= 1e-5


def test_conditional_and_unconditional_are_not_mixed(unet):
    """Each conditioning alone gives what both give together, and another negative changes no positive."""
    patched, x = attend(unet, reference=2), noisy()
    together = estimates(patched, x)
    alone = [estimates(patched, x, [POSITIVE])[0], estimates(patched, x, [NEGATIVE])[0]]
    for got, expected in zip(together, alone, strict=True):
        assert relative_error(got, expected) <= 1e-5
    other = estimates(patched, x, (POSITIVE, prompt(9)))
    assert relative_error(other[0], together[0]) <= 1e-5
    assert relative_error(other[1], together[1]) > 1e-3


def test_only_neighbours_and_the_reference_matter(unet):
    """A view that nobody near looks at can change without a trace; three layers deep in one call everything reaches
    further, so the rig is of two groups."""
    patched, x = attend(unet, group=3), noisy()
    changed = x.clone()
    changed[4] += 1.0
    before, after = estimates(patched, x)[0], estimates(patched, changed)[0]
    assert torch.allclose(before[:3], after[:3], atol=1e-5)
    for view in (3, 4, 5):
        assert float((before[view] - after[view]).abs().max()) > 1e-3


def test_a_picture_of_a_batch_equals_itself_alone(unet):
    patched, x = attend(unet, reference=0), noisy(2 * VIEWS)
    both = estimates(patched, x)[0]
    for part in (slice(0, VIEWS), slice(VIEWS, None)):
        assert relative_error(both[part], estimates(patched, x[part])[0]) <= 1e-5


# When and where


def levels(model):
    """sigma at fractions of a run, as the host counts them."""
    return lambda part: host.percent_to_sigma(model, part)


def test_the_schedule_begins_and_ends(unet):
    x, at = noisy(), levels(unet)
    plain = {sigma: estimates(unet, x, sigma=sigma)[0] for sigma in (at(0.1), at(0.5), at(0.9))}
    patched = attend(unet, start=0.3, end=0.7)
    for sigma, inside in ((at(0.1), False), (at(0.5), True), (at(0.9), False)):
        got = estimates(patched, x, sigma=sigma)[0]
        assert torch.equal(got, plain[sigma]) is not inside, sigma


def test_the_reference_ends_before_the_neighbours(unet):
    x, at = noisy(), levels(unet)
    both, near = attend(unet, reference=2, reference_end=0.4), attend(unet)
    early, late = at(0.2), at(0.6)
    assert relative_error(estimates(both, x, sigma=early)[0], estimates(near, x, sigma=early)[0]) > 1e-3
    assert torch.equal(estimates(both, x, sigma=late)[0], estimates(near, x, sigma=late)[0])


def test_a_run_after_the_end_is_the_models_own(unet):
    assert torch.equal(run(attend(unet, end=0.0, start=0.0)), run(unet))


def test_long_layers_are_left_alone(unet):
    """8 x 8 cells: 64 tokens above, 16 below."""
    x = noisy()
    plain, all_layers = estimates(unet, x)[0], estimates(attend(unet, max_tokens=0), x)[0]
    assert torch.equal(estimates(attend(unet, max_tokens=64), x)[0], all_layers)
    assert torch.equal(estimates(attend(unet, max_tokens=15), x)[0], plain)
    some = estimates(attend(unet, max_tokens=16), x)[0]
    assert relative_error(some, plain) > 1e-4 and relative_error(some, all_layers) > 1e-4


# Bad input


def test_other_networks_are_refused():
    with pytest.raises(SyncError) as refused:
        attend(gaussian())
    one_line(refused.value, "CrossViewAttention", "Identity", "SD1, SD2 or SDXL")


def dit():
    """A diffusion transformer of the host's own classes, as small as they get, under a name that nobody knows."""
    from comfy.ldm.modules.diffusionmodules.mmdit import MMDiT

    model = gaussian().model
    model.diffusion_model = type("NewDiT", (MMDiT,), {})(input_size=8, depth=1, in_channels=4, operations=torch.nn)
    return comfy.model_patcher.ModelPatcher(model, torch.device("cpu"), torch.device("cpu"))


def test_unknown_transformers_are_refused():
    with pytest.raises(SyncError) as refused:
        attend(dit())
    known = ("transformer that is known", "Flux") if HAS_OVERRIDE else ("too old",)
    one_line(refused.value, "CrossViewAttention", "NewDiT", "self-attention layers", "leave the node out", *known)


@pytest.mark.parametrize(
    "changes, parts",
    [
        (dict(reference=6), ("reference view 6", "0 to 5")),
        (dict(start=0.5, end=0.4), ("start 0.5", "end 0.4")),
        (dict(group=1), ("group of 1", "2 or more")),
        (dict(group=3, reference=0), ("groups of 3", "reference view 0", "group 0")),
        (dict(neighbours=-1), ("-1 neighbours", "0 to 5")),
        (dict(rig=Windows(60, 64, 30, 64)), ("60", "multiple")),
    ],
)
def test_values_that_make_no_sense(unet, changes, parts):
    with pytest.raises(SyncError) as refused:
        attend(unet, **changes)
    one_line(refused.value, "CrossViewAttention", *parts)
