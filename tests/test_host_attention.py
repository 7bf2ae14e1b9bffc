"""The node CrossViewAttention on a real U-Net of the host: what it does to a run, and what it leaves alone."""

import copy
import math

import pytest
import torch
from hosting import (
    NEGATIVE,
    POSITIVE,
    Plane,
    Windows,
    comfy,
    gaussian,
    host,
    host_module,
    one_line,
    plain_sample,
    prompt,
    relative_error,
    run_advanced,
    run_node,
    run_patched,
    tiny_unet,
)
from syncpack.nodes.attention_nodes import CrossViewAttention
from syncpack.nodes.cross_view_attention import CrossViewPatch
from syncpack.nodes.errors import SyncError

pytestmark = pytest.mark.host

# Six overlapping windows of 8 x 8 cells in a row.
SPACE, RIG, VIEWS = Plane(224, 64), Windows(64, 64, 32, 64), 6
DEFAULTS = {
    name: spec[1]["default"]
    for name, spec in CrossViewAttention.INPUT_TYPES()["required"].items()
    if name not in ("model", "space", "rig")
}
WHOLE_RUN = dict(start=0.0, end=1.0, reference_end=1.0)
SIGMA = 3.0


@pytest.fixture(scope="module")
def unet():
    """Small random weights attend to everything alike and hardly matter: these are larger."""
    model = tiny_unet()
    for name, weight in model.model.diffusion_model.named_parameters():
        if "attn1" in name and weight.ndim > 1:
            weight.data.mul_(6.0)
        if "proj_out" in name or name.startswith("out."):
            weight.data.mul_(6.0)
    return model


def attend(model, **changes):
    space, rig = changes.pop("space", SPACE), changes.pop("rig", RIG)
    return CrossViewAttention().patch(model, space, rig, **{**DEFAULTS, **WHOLE_RUN, **changes})[0]


def run(model, **changes):
    inputs = dict(cfg=3.0, steps=2, positive=prompt(3, rows=VIEWS), negative=NEGATIVE)
    return run_node(model, SPACE, RIG, **{**inputs, **changes})[0]["samples"]


def noisy(rows=VIEWS, seed=0):
    return torch.randn(rows, 4, 8, 8, generator=torch.Generator().manual_seed(seed)) * SIGMA


def estimates(model, x, conds=(POSITIVE, NEGATIVE), sigma=SIGMA, options=None):
    """The model's clean estimates of views for each conditioning, by the host's own evaluation of a batch."""
    inner = model.model
    if hasattr(model, "pre_run"):
        model.pre_run()
    options = model.model_options if options is None else options
    converted = [
        None
        if cond is None
        else [{"model_conds": inner.extra_conds(cross_attn=c[0], device=x.device, noise=x), "uuid": None} for c in cond]
        for cond in conds
    ]
    level = torch.full((x.shape[0],), sigma)
    with torch.inference_mode():
        return comfy.samplers.calc_cond_batch(inner, converted, x, level, options)


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


def patches(model):
    found = model.model_options["transformer_options"]["patches_replace"]["attn1"]
    return [found[key] for key in sorted(found)]


# Against the twin


def twin_of_layer(q, k, v, heads, conds, near, weight, reference, reference_weight):
    """A layer by plain softmax over chosen rows, conditionings and views one by one."""

    def softmax(i, rows):
        split = lambda t: t.double().unflatten(-1, (heads, -1)).transpose(0, 1)  # noqa: E731
        keys, values = torch.cat([k[j] for j in rows]), torch.cat([v[j] for j in rows])
        scores = split(q[i]) @ split(keys).transpose(1, 2) / math.sqrt(q.shape[-1] // heads)
        return (scores.softmax(-1) @ split(values)).transpose(0, 1).flatten(1)

    views, out = q.shape[0] // conds, []
    for row in range(q.shape[0]):
        first, view = row - row % views, row % views
        first += view - view % VIEWS
        view %= VIEWS
        own = softmax(row, [row])
        cross = softmax(row, [row, *(first + j for j in near[view])])
        if reference is not None:
            cross = (cross + reference_weight * softmax(row, [first + reference])) / (1 + reference_weight)
        out.append((1 - weight) * own + weight * cross)
    return torch.stack(out).to(q)


def with_twin(model, **settings):
    """The same model with the twin in every block, installed as the host's users install patches."""

    def replaced(q, k, v, options):
        return twin_of_layer(q, k, v, options["n_heads"], len(options["cond_or_uncond"]), **settings)

    patched = model.clone()
    for name, numbers in (("input", range(12)), ("middle", [0]), ("output", range(12))):
        for number in numbers:
            patched.set_model_attn1_replace(replaced, name, number)
    return patched


ROW = [[1, 2], [0, 2], [1, 3], [2, 4], [3, 5], [4, 3]]


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


def test_a_ring_looks_across_its_seam(unet):
    patched = attend(unet, space=Plane(192, 64, wrap_x=True))
    ring = [[(i - 1) % VIEWS, (i + 1) % VIEWS] for i in range(VIEWS)]
    twin = with_twin(unet, near=ring, weight=1.0, reference=None, reference_weight=0.0)
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


# Chunks


@pytest.mark.parametrize("group, sizes", [(2, (2, 3, 4, 5)), (3, (3, 5)), (4, (4, 5)), (0, (6, 7)), (5, (5,))])
def test_chunks_of_whole_groups_change_nothing(unet, group, sizes):
    patched = attend(unet, group=group)
    whole = run(patched, views_per_batch=64)
    assert relative_error(run(unet, views_per_batch=64), whole) > 1e-3
    for size in sizes:
        assert relative_error(run(patched, views_per_batch=size), whole) <= 1e-5, size


def test_chunks_of_several_pictures(unet):
    patched = attend(unet, group=4)
    runs = [
        run(patched, views_per_batch=size, batch_size=2, positive=prompt(3, rows=2 * VIEWS)) for size in (64, 4, 6, 9)
    ]
    for chunked in runs[1:]:
        assert relative_error(chunked, runs[0]) <= 1e-5


def rows_of_calls(model, **changes):
    """How many rows every model call had."""
    seen = []
    watched = model.clone()

    def watch(n, context, value, options):
        if options["block"] == ("middle", 0):
            seen.append(n.shape[0])
        return n, context, value

    watched.set_model_attn1_patch(watch)
    run(watched, steps=1, cfg=1.0, **changes)
    return seen


@pytest.mark.parametrize(
    "group, size, pictures, expected",
    [
        (2, 5, 1, [4, 2]),
        (4, 4, 1, [4, 2]),
        (4, 5, 2, [4, 2, 4, 2]),
        (0, 6, 2, [6, 6]),
        (0, 8, 2, [6, 6]),
        (3, 8, 2, [6, 6]),
        (3, 12, 2, [12]),
        (9, 6, 1, [6]),
    ],
)
def test_a_chunk_is_whole_groups_of_one_picture(unet, group, size, pictures, expected):
    patched = attend(unet, group=group)
    positive = prompt(3, rows=pictures * VIEWS)
    assert rows_of_calls(patched, views_per_batch=size, batch_size=pictures, positive=positive) == expected


@pytest.mark.parametrize("group, size, fix", [(0, 4, "a group of 6"), (3, 2, "a group of 3"), (2, 1, "a group of 2")])
def test_too_small_chunks_are_refused(unet, group, size, fix):
    with pytest.raises(SyncError) as refused:
        run(attend(unet, group=group), views_per_batch=size)
    one_line(refused.value, "CrossViewAttention", f"views_per_batch {size}", fix, "set views_per_batch to")
    assert torch.isfinite(run(unet)).all()


class Exhausted(Exception):
    """Stands for the exception of a device without memory."""


@pytest.fixture
def small_device(monkeypatch):
    """A host whose memory holds so many rows: the host's own name for the exception, raised from a patch."""
    monkeypatch.setattr(comfy.model_management, "OOM_EXCEPTION", Exhausted)

    def limited(model, most):
        patched = model.clone()

        def watch(n, context, value, options):
            if n.shape[0] > most:
                raise Exhausted(f"{n.shape[0]} rows")
            return n, context, value

        patched.set_model_attn1_patch(watch)
        return patched

    return limited


def test_memory_that_runs_out_halves_down_to_a_group(unet, small_device):
    patched = attend(unet, group=2)
    whole = run(patched, cfg=1.0)
    assert relative_error(run(small_device(patched, 2), cfg=1.0), whole) <= 1e-5
    assert relative_error(run(small_device(patched, 5), cfg=1.0), whole) <= 1e-5


@pytest.mark.parametrize("group, most, fix", [(0, 4, "group to 3"), (3, 2, "weight to 0")])
def test_a_group_that_does_not_fit(unet, small_device, group, most, fix):
    patched = attend(unet, group=group)
    with pytest.raises(MemoryError) as refused:
        run(small_device(patched, most), cfg=1.0)
    one_line(refused.value, "SyncTweediesSampler", "CrossViewAttention's group of", fix)
    assert torch.isfinite(run(patched)).all()


# Samplers


def test_every_door(unet):
    patched, latent = attend(unet, reference=1), torch.zeros(VIEWS, 4, 8, 8)
    inside = run_node(patched, SPACE, RIG)[0]["samples"]
    around = run_advanced(patched, SPACE, RIG, {"samples": latent})
    assert relative_error(around, inside) <= 1e-6
    door = run_patched(patched, SPACE, RIG, latent)
    assert door.shape == latent.shape and torch.isfinite(door).all()
    assert relative_error(run_patched(unet, SPACE, RIG, latent), door) > 1e-3


def test_a_plain_sampler_with_all_views_works(unet):
    latent = torch.zeros(VIEWS, 4, 8, 8)
    seen, unseen = plain_sample(attend(unet), latent), plain_sample(unet, latent)
    assert torch.isfinite(seen).all() and relative_error(seen, unseen) > 1e-3


def test_a_plain_sampler_with_another_number_of_views(unet):
    with pytest.raises(SyncError) as refused:
        plain_sample(attend(unet), torch.zeros(4, 4, 8, 8))
    one_line(refused.value, "CrossViewAttention", "batch of 4", "rig of 6", "SyncTweediesViewLatents")


def test_a_foreign_chunk_without_the_neighbours(unet):
    options = copy.copy(attend(unet).model_options)
    options["transformer_options"] = {**options["transformer_options"], "sync_views": [0, 1, 2]}
    with pytest.raises(SyncError) as refused:
        estimates(unet, noisy(3), options=options)
    one_line(refused.value, "CrossViewAttention", "view 2 attends to view 3", "model call of 3 views", "group")


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


# Together with others


def doubling(n, context, value, options):
    """A patch that lengthens the keys, as reference-only nodes do."""
    return n, torch.cat([context, 0.5 * context], 1), torch.cat([value, 2.0 * value], 1)


@pytest.mark.parametrize("after", [False, True])
def test_another_patch_before_attention_stays(unet, after):
    """Neighbours then bring their lengthened keys, whichever node comes first."""
    x = noisy()
    other = (attend(unet) if after else unet).clone()
    other.set_model_attn1_patch(doubling)
    got = estimates(other if after else attend(other), x)[0]
    twin = with_twin(unet, near=ROW, weight=1.0, reference=None, reference_weight=0.0)
    twin.set_model_attn1_patch(doubling)
    assert relative_error(got, estimates(twin, x)[0]) <= 1e-5


@pytest.mark.parametrize("index", [None, 0], ids=["of a block", "of a layer"])
def test_a_replaced_layer_keeps_its_owner(unet, index):
    """What is there first is called with the view's own tokens, and gets the difference that the views make."""
    calls = []

    def identity(q, k, v, options):
        calls.append((q.shape, k.shape))
        return v

    x = noisy()
    owned = unet.clone()
    owned.set_model_attn1_replace(identity, "middle", 0, index)
    both = attend(owned, weight=0.6)
    calls.clear()
    got = estimates(both, x)[0]
    assert calls and all(q == k for q, k in calls)

    def expected(q, k, v, options):
        args = (q, k, v, options["n_heads"], len(options["cond_or_uncond"]), ROW)
        return v + 0.6 * (twin_of_layer(*args, 1.0, None, 0.0) - twin_of_layer(*args, 0.0, None, 0.0))

    twin = attend(unet, weight=0.6).clone()
    twin.set_model_attn1_replace(expected, "middle", 0)
    assert relative_error(got, estimates(twin, x)[0]) <= 1e-5
    late = estimates(attend(owned, end=0.0), x)[0]
    assert torch.equal(late, estimates(owned, x)[0])


def test_a_layer_replaced_later_has_that_owner(unet):
    patched = attend(unet).clone()
    patched.set_model_attn1_replace(lambda q, k, v, options: v, "middle", 0)
    x = noisy()
    assert relative_error(estimates(patched, x)[0], estimates(attend(unet), x)[0]) > 1e-4


@pytest.mark.parametrize("first", [False, True])
def test_perturbed_attention_guidance(unet, first):
    """The host's own node replaces a layer for a second evaluation; it works before and after, and sees the views."""
    node = host_module("comfy_extras.nodes_pag", "comfy_extras.nodes.nodes_pag").PerturbedAttentionGuidance

    def guided(model):
        made = node.execute(model, 3.0) if hasattr(node, "execute") else node().patch(model, 3.0)
        return made[0]

    got = run(attend(guided(unet)) if first else guided(attend(unet)))
    assert torch.isfinite(got).all()
    assert relative_error(got, run(guided(unet))) > 1e-3
    assert relative_error(got, run(attend(unet))) > 1e-3
    if first:
        assert torch.equal(got, run(guided(attend(unet))))


def test_perturbed_attention_guidance_in_chunks(unet):
    node = host_module("comfy_extras.nodes_pag", "comfy_extras.nodes.nodes_pag").PerturbedAttentionGuidance
    model = attend(unet, group=2)
    guided = (node.execute(model, 3.0) if hasattr(node, "execute") else node().patch(model, 3.0))[0]
    assert relative_error(run(guided, views_per_batch=4), run(guided, views_per_batch=64)) <= 1e-5


@pytest.mark.skipif(
    not hasattr(comfy.ldm.modules.attention, "wrap_attn"), reason="hosts of 2024 cannot override attention"
)
def test_an_override_of_attention_is_asked(unet):
    """The host's single slot stays free for others, and covers the attention to other views as well."""
    keys = []

    def override(function, q, k, *args, **kwargs):
        keys.append(k.shape[1])
        return function(q, k, *args, **kwargs)

    patched, x = attend(unet), noisy()
    expected = estimates(patched, x)[0]
    assert "optimized_attention_override" not in patched.model_options["transformer_options"]
    patched.model_options["transformer_options"]["optimized_attention_override"] = override
    assert torch.equal(estimates(patched, x)[0], expected)
    assert 3 * 64 in keys and 3 * 16 in keys


def test_applied_twice_the_last_one_holds(unet):
    twice, once, x = attend(attend(unet, weight=0.5), reference=1), attend(unet, reference=1), noisy()
    assert torch.equal(estimates(twice, x)[0], estimates(once, x)[0])
    assert all(isinstance(p, CrossViewPatch) and p.inner is None for p in patches(twice))


def test_a_patch_that_cuts_the_views_is_refused(unet):
    """As HyperTile does: more rows than views."""
    patched = attend(unet).clone()
    patched.set_model_attn1_patch(
        lambda n, context, value, options: tuple(t.unflatten(1, (2, -1)).flatten(0, 1) for t in (n, context, value))
    )
    with pytest.raises(SyncError) as refused:
        estimates(patched, noisy())
    one_line(refused.value, "CrossViewAttention", "HyperTile")


def test_a_call_without_its_noise_level(unet):
    patched = attend(unet)
    with pytest.raises(SyncError) as refused, torch.inference_mode():
        options = patched.model_options["transformer_options"]
        unet.model.apply_model(
            noisy(), torch.full((VIEWS,), SIGMA), c_crossattn=POSITIVE[0][0], transformer_options=dict(options)
        )
    one_line(refused.value, "CrossViewAttention", "noise level")


# Bad input


def test_other_networks_are_refused():
    with pytest.raises(SyncError) as refused:
        attend(gaussian())
    one_line(refused.value, "CrossViewAttention", "Identity", "SD1, SD2 or SDXL")


def dit():
    """A diffusion transformer of the host's own classes, as small as they get."""
    from comfy.ldm.modules.diffusionmodules.mmdit import MMDiT

    model = gaussian().model
    model.diffusion_model = MMDiT(input_size=8, depth=1, in_channels=4, operations=torch.nn)
    return comfy.model_patcher.ModelPatcher(model, torch.device("cpu"), torch.device("cpu"))


def test_diffusion_transformers_are_refused():
    with pytest.raises(SyncError) as refused:
        attend(dit())
    one_line(refused.value, "CrossViewAttention", "MMDiT", "self-attention layers", "leave the node out")


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
