"""Cross-view attention together with other patches of the same layers: each keeps its say."""

import pytest
import torch
from helpers.attention_runs import (
    ROW,
    SIGMA,
    VIEWS,
    attend,
    attentive_unet,
    estimates,
    noisy,
    patches,
    run,
    twin_of_layer,
    with_twin,
)
from helpers.hosting import POSITIVE, comfy, host_module, one_line, relative_error
from syncpack.nodes.engine.attention import CrossViewPatch
from syncpack.nodes.host.errors import SyncError

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def unet():
    return attentive_unet()


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


def guided(model, name):
    """The host's own node for guidance by a second evaluation with a replaced self-attention layer."""
    module = {"PerturbedAttentionGuidance": "nodes_pag", "SelfAttentionGuidance": "nodes_sag"}[name]
    node = getattr(host_module(f"comfy_extras.{module}", f"comfy_extras.nodes.{module}"), name)
    settings = (3.0,) if name == "PerturbedAttentionGuidance" else (0.5, 2.0)
    made = node.execute(model, *settings) if hasattr(node, "execute") else node().patch(model, *settings)
    return made[0]


@pytest.mark.parametrize("name", ["PerturbedAttentionGuidance", "SelfAttentionGuidance"])
@pytest.mark.parametrize("first", [False, True])
def test_guidance_that_replaces_a_layer(unet, name, first):
    """It works before and after, and the views are seen."""
    got = run(attend(guided(unet, name)) if first else guided(attend(unet), name))
    assert torch.isfinite(got).all()
    assert relative_error(got, run(guided(unet, name))) > 1e-3
    assert relative_error(got, run(attend(unet))) > 1e-3


def test_perturbed_attention_guidance_in_chunks(unet):
    model = guided(attend(unet, group=2), "PerturbedAttentionGuidance")
    assert relative_error(run(model, views_per_batch=4), run(model, views_per_batch=64)) <= 1e-5


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
