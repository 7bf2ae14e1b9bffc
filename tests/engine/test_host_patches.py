"""The host's own model patches and guiders: guidance that looks back into the network, patches that keep a state."""

import inspect
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from helpers.host_networks import frozen, unet_of
from helpers.host_nodes import node_class, outputs_of, run_host_node
from helpers.hosting import (
    NEGATIVE,
    PLAN,
    POSITIVE,
    OwnNoise,
    Plane,
    SyncTweediesNoise,
    SyncTweediesSamplerWrap,
    Windows,
    comfy,
    custom_sampler_nodes,
    disagreement,
    host,
    interrupted_error,
    one_line,
    plain_sample,
    prompt,
    relative_error,
    run_node,
)
from syncpack.nodes.engine.patch_needs import check_patches
from syncpack.nodes.host.errors import SyncError

pytestmark = pytest.mark.host

# Three overlapping windows of 12 x 8 cells on 20 x 8.
SPACE, RIG, VIEWS = Plane(160, 64), Windows(96, 64, 32, 64), 3
WHOLE = Plane(96, 64)
CFG = 3.0
EMPTY = prompt(9)

# The node's class, the module that holds it (comfy_extras.nodes_<name>), and what users set.
PATCHES: dict[str, tuple[str, dict[str, Any]]] = {
    "SelfAttentionGuidance": ("sag", dict(scale=0.8, blur_sigma=2.0)),
    "PerturbedAttentionGuidance": ("pag", dict(scale=2.0)),
    "PerpNeg": ("perpneg", dict(empty_conditioning=EMPTY, neg_scale=1.0)),
    "RescaleCFG": ("model_advanced", dict(multiplier=0.7)),
    "FreeU": ("freelunch", dict(b1=1.1, b2=1.2, s1=0.9, s2=0.2)),
    "FreeU_V2": ("freelunch", dict(b1=1.3, b2=1.4, s1=0.9, s2=0.2)),
    "HyperTile": ("hypertile", dict(tile_size=32, swap_size=2, max_depth=0, scale_depth=False)),
    "PatchModelAddDownscale": (
        "model_downscale",
        dict(
            block_number=1,
            downscale_factor=2.0,
            start_percent=0.0,
            end_percent=0.8,
            downscale_after_skip=True,
            downscale_method="bicubic",
            upscale_method="bicubic",
        ),
    ),
    "APG": ("apg", dict(eta=0.5, norm_threshold=5.0, momentum=-0.5)),
    "CFGNorm": ("cfg", dict(strength=1.0)),
    "CFGZeroStar": ("cfg", dict()),
    "Mahiro": ("mahiro", dict()),
    "TCFG": ("tcfg", dict()),
    "FreSca": ("fresca", dict(scale_low=1.0, scale_high=1.5, freq_cutoff=2)),
    "EpsilonScaling": ("eps", dict(scaling_factor=1.05)),
    "UNetSelfAttentionMultiply": ("attention_multiply", dict(q=1.2, k=0.9, v=1.1, out=1.0)),
}
# Guidance that multiplies numbers of all views into one. Hosts of 2024 can only be called with a chunk of the views,
# which then is what it multiplies.
OVER_THE_BATCH = ("PerpNeg",)


def patched(model: Any, name: str) -> Any:
    module, inputs = PATCHES[name]
    return run_host_node(module, name, model=model, **inputs)


@pytest.fixture(scope="module")
def unet():
    return unet_of()


def picture(model, views_per_batch=64, **changes):
    views, _ = run_node(model, SPACE, RIG, cfg=CFG, views_per_batch=views_per_batch, **changes)
    assert views["samples"].shape == (VIEWS, 4, 8, 12) and torch.isfinite(views["samples"]).all()
    return views["samples"]


@pytest.mark.parametrize("name", PATCHES)
def test_one_view_is_a_plain_run(unet, name):
    model = patched(unet, name)
    expected = plain_sample(model, torch.zeros(1, 4, 8, 12), cfg=CFG)
    views, _ = run_node(model, WHOLE, RIG, cfg=CFG)
    assert torch.equal(views["samples"], expected)
    assert not torch.equal(expected, plain_sample(unet, torch.zeros(1, 4, 8, 12), cfg=CFG)), "the patch has no effect"


@pytest.mark.parametrize("name", PATCHES)
def test_chunks_do_not_change_the_picture(unet, name):
    model = patched(unet, name)
    whole = picture(model)
    # (the host leaves patched weights in place as long as the model stays loaded)
    before = frozen(model, POSITIVE, NEGATIVE)
    for size in (1, 2):
        if name in OVER_THE_BATCH and not host.HAS_WRAPPERS:
            assert relative_error(picture(model, size), whole) < 0.5
        else:
            assert relative_error(picture(model, size), whole) <= 1e-5, size
    assert frozen(model, POSITIVE, NEGATIVE) == before


# Guiders


def guiders(model):
    style = {"style": "regular"} if host.HAS_WRAPPERS else {}
    both = dict(model=model, negative=NEGATIVE)
    dual = dict(both, cond1=POSITIVE, cond2=prompt(7), cfg_conds=CFG, cfg_cond2_negative=2.0, **style)
    return {
        "BasicGuider": ("custom_sampler", dict(model=model, conditioning=POSITIVE)),
        "CFGGuider": ("custom_sampler", dict(both, positive=POSITIVE, cfg=CFG)),
        "DualCFGGuider": ("custom_sampler", dual),
        "PerpNegGuider": ("perpneg", dict(both, positive=POSITIVE, empty_conditioning=EMPTY, cfg=CFG, neg_scale=1.0)),
    }


def run_guider(model, name, latent, space=None, views_per_batch=64, **plan):
    """The host's SamplerCustomAdvanced, synchronised on ``space`` or plain."""
    module, inputs = guiders(model)[name]
    with torch.inference_mode():
        guider = run_host_node(module, name, **inputs)
        sigmas = host.k_sampler_sigmas(model, 3, "euler", "normal", 1.0)
        sampler, noise = comfy.samplers.sampler_object("euler"), OwnNoise(5)
        if space is not None:
            plan = {**PLAN, "views_per_batch": views_per_batch, **plan}
            (sampler,) = SyncTweediesSamplerWrap().wrap(sampler, space, RIG, **plan)
            (noise,) = SyncTweediesNoise().build(space, RIG, 5, PLAN["noise"])
        node = custom_sampler_nodes().SamplerCustomAdvanced
        return outputs_of(
            node, noise=noise, guider=guider, sampler=sampler, sigmas=sigmas, latent_image={"samples": latent}
        )[0]["samples"]


@pytest.mark.parametrize("name", ["BasicGuider", "CFGGuider", "DualCFGGuider", "PerpNegGuider"])
def test_guiders(unet, name):
    one, many = torch.zeros(1, 4, 8, 12), torch.zeros(VIEWS, 4, 8, 12)
    assert torch.equal(run_guider(unet, name, one, WHOLE), run_guider(unet, name, one))
    whole = run_guider(unet, name, many, SPACE)
    assert disagreement(SPACE, RIG, whole) <= 1e-5 * float(whole.abs().max())
    if name == "CFGGuider":
        assert torch.equal(whole, picture(unet))
    for size in (1, 2):
        if name == "PerpNegGuider" and not host.HAS_WRAPPERS:
            continue  # (see OVER_THE_BATCH)
        assert relative_error(run_guider(unet, name, many, SPACE, size), whole) <= 1e-5, size


# Patches that draw at random, or keep what they saw


@pytest.mark.parametrize(
    "name, module, inputs",
    [
        ("TomePatchModel", "tomesd", dict(ratio=0.5)),
        ("HyperTile", "hypertile", dict(tile_size=1, swap_size=4, max_depth=0, scale_depth=False)),
    ],
)
def test_patches_that_draw_at_random(unet, name, module, inputs):
    """They draw anew in every model call, so chunks cannot repeat the draws; all else holds."""
    model = run_host_node(module, name, model=unet, **inputs)
    torch.manual_seed(4)
    expected = plain_sample(model, torch.zeros(1, 4, 8, 12), cfg=CFG)
    torch.manual_seed(4)
    views, _ = run_node(model, WHOLE, RIG, cfg=CFG)
    assert torch.equal(views["samples"], expected)
    for size in (1, 2, 64):
        result = picture(model, size)
        assert disagreement(SPACE, RIG, result) <= 1e-5 * float(result.abs().max())


def test_momentum_needs_all_views_at_once(unet):
    """Self-attention guidance must be called in chunks, guidance with momentum must not: both, only in one chunk."""
    both = patched(patched(unet, "SelfAttentionGuidance"), "APG")
    whole = picture(both)
    assert torch.equal(picture(both, VIEWS), whole)
    assert not torch.equal(picture(patched(unet, "SelfAttentionGuidance")), whole)
    with pytest.raises(SyncError) as caught:
        picture(both, 2)
    one_line(caught.value, "SyncTweediesSampler", "remembers all views", "set views_per_batch to 3")
    assert torch.equal(picture(both, VIEWS), whole), "the next run is as if nothing had been"


@pytest.mark.parametrize("options", [{}, dict(sync_end=0.5), dict(sync_strength=0.5)])
def test_cfg_pp_joins_the_chunks_of_guidance(unet, options):
    """CFG++ samplers keep the unconditional estimate of the last guidance call, which may be that of a chunk: they are
    shown that of all views, on steps that are left alone too."""
    if "euler_cfg_pp" not in host.SAMPLER_NAMES:
        pytest.skip("hosts of 2024 have no CFG++ samplers")
    model, options = patched(unet, "SelfAttentionGuidance"), dict(options, sampler_name="euler_cfg_pp")
    whole = picture(model, **options)
    assert relative_error(picture(unet, 2, **options), picture(unet, **options)) <= 1e-5
    assert relative_error(picture(model, 2, **options), whole) <= 1e-5
    assert torch.equal(picture(model, VIEWS, **options), whole)


CACHES = {"EasyCacheNode": "EasyCache", "LazyCacheNode": "LazyCache"}


def skipped_steps(caplog, name):
    """From the line the host logs: 'EasyCache - skipped 4/8 steps (2.00x speedup).'"""
    lines = [r.getMessage() for r in caplog.records if f"{CACHES[name]} - skipped" in r.getMessage()]
    caplog.clear()
    return int(lines[-1].split("skipped ")[1].split("/")[0])


@pytest.mark.parametrize("name", CACHES)
def test_step_caches(unet, caplog, name):
    """Each chunk reuses its own views: caches work on chunks, and change the picture as little as without them."""
    settings = dict(start_percent=0.0, end_percent=1.0, verbose=False)
    options = dict(steps=8, cfg=1.0)

    def run(threshold, size):
        model = run_host_node("easycache", name, model=unet, reuse_threshold=threshold, **settings)
        with caplog.at_level("INFO"):
            views, _ = run_node(model, SPACE, RIG, views_per_batch=size, **options)
        return views["samples"], skipped_steps(caplog, name)

    exact, _ = run_node(unet, SPACE, RIG, views_per_batch=64, **options)
    for size in (64, 2, 1):
        never, none = run(0.0, size)
        assert none == 0 and relative_error(never, exact["samples"]) <= 1e-5, size
    whole, count = run(0.5, 64)
    assert count > 0, "nothing was reused"
    for size in (2, 1):
        views, chunked = run(0.5, size)
        assert chunked > 0 and torch.isfinite(views).all()
        if chunked == count:
            # (EasyCache decides by the views of the first chunk)
            assert relative_error(views, whole) <= 1e-5 or name == "EasyCacheNode"
        assert disagreement(SPACE, RIG, views) <= 1e-5 * float(views.abs().max())


@pytest.fixture
def windows(unet):
    """Context windows by the host's node, whose newer releases ask for more."""
    name = "ContextWindowsManualNode"

    def made(dim, length=2, schedule="standard_static", noise=False):
        asked = inspect.signature(node_class("context_windows", name).execute).parameters
        return run_host_node(
            "context_windows",
            name,
            model=unet,
            context_length=length,
            context_overlap=1,
            context_schedule=schedule,
            context_stride=1,
            closed_loop=False,
            fuse_method="pyramid",
            dim=dim,
            **({"freenoise": noise} if "freenoise" in asked else {}),
        )

    return made


@pytest.mark.parametrize("noise", [False, True])
def test_context_windows_are_refused(windows, noise):
    with pytest.raises(SyncError) as caught:
        picture(windows(0, noise=noise))
    one_line(caught.value, "SyncTweediesSampler", "3 views", "remove the context windows", "views_per_batch")
    with pytest.raises(SyncError) as caught:
        picture(windows(2, noise=noise))
    one_line(caught.value, "SyncTweediesSampler", "each of the 3 views", "context windows")


def test_context_windows_along_no_axis_of_the_views():
    """(some hosts fail by themselves before)"""
    with pytest.raises(ValueError, match="along axis 5 do not fit views of 4 axes; remove"):
        check_patches({"context_handler": SimpleNamespace(dim=5)}, torch.zeros(3, 4, 8, 8))


@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("schedule", ["standard_static", "looped_uniform"])
def test_context_windows_that_hold_all_views_change_nothing(unet, windows, schedule, noise):
    plain, chunked = picture(unet), picture(unet, 2)
    for axis, length in ((0, 3), (2, 8), (3, 81)):
        assert torch.equal(picture(windows(axis, length, schedule, noise)), plain)
    assert torch.equal(picture(windows(0, 16, schedule, noise), 2), chunked)


def test_a_patch_that_evaluates_prompts_itself(unet):
    """sampler_calc_cond_batch_function (SkipLayerGuidance uses it) sees one chunk, with that chunk's prompts."""
    if not hasattr(unet, "set_model_sampler_calc_cond_batch_function"):
        pytest.skip("hosts of 2024 have no such function")
    seen = []

    def evaluate(args):
        seen.append(args["input"].shape[0])
        # (not through the host's function that wrappers hang on)
        out = comfy.samplers._calc_cond_batch(
            args["model"], args["conds"], args["input"], args["sigma"], args["model_options"]
        )
        return [out[0] * 0.9, out[1]]

    model = unet.clone()
    model.set_model_sampler_calc_cond_batch_function(evaluate)
    texts = dict(positive=prompt(3, rows=VIEWS), negative=prompt(4, rows=VIEWS))
    whole = picture(model, **texts)
    assert relative_error(whole, picture(unet, **texts)) > 1e-3
    seen.clear()
    assert relative_error(picture(model, 2, **texts), whole) <= 1e-5
    assert seen == [2, 1] * 3


# Masks


def test_differential_diffusion(unet):
    """A soft canonical mask whose threshold falls with the noise level: per view as in a plain run, chunked or not."""
    model = run_host_node("differential_diffusion", "DifferentialDiffusion", model=unet)
    start = torch.randn(1, 4, 8, 20, generator=torch.Generator().manual_seed(6))
    mask = torch.linspace(0, 1, 20).expand(1, 8, 20).contiguous()
    latent = {"samples": start, "noise_mask": mask}
    options = dict(canonical=latent, steps=4)
    whole = picture(model, **options)
    assert relative_error(picture(unet, **options), whole) > 1e-3, "the patch has no effect"
    assert disagreement(SPACE, RIG, whole) <= 1e-5 * float(whole.abs().max())
    for size in (1, 2):
        assert relative_error(picture(model, size, **options), whole) <= 1e-5
    one = {"samples": start[..., :12], "noise_mask": mask[..., :12]}
    expected = plain_sample(model, one["samples"], cfg=CFG, steps=4, noise_mask=one["noise_mask"])
    views, _ = run_node(model, WHOLE, RIG, cfg=CFG, steps=4, canonical=one)
    assert torch.equal(views["samples"], expected)


# However a run ends


@pytest.mark.parametrize("end", ["success", "error", "interrupt"])
def test_all_patches_are_left_as_they_were(unet, end):
    model = unet
    for name in (
        "SelfAttentionGuidance",
        "PerturbedAttentionGuidance",
        "RescaleCFG",
        "FreeU",
        "PatchModelAddDownscale",
    ):
        model = patched(model, name)
    calls = []

    def fails(apply, given):
        calls.append(1)
        if len(calls) == 2 and end == "error":
            raise RuntimeError("out of paper")
        if len(calls) == 2 and end == "interrupt":
            comfy.model_management.interrupt_current_processing()
        return apply(given["input"], given["timestep"], **given["c"])

    expected = picture(model, 2)
    model = model.clone()
    model.set_model_unet_function_wrapper(fails)
    before = frozen(model, POSITIVE, NEGATIVE)
    if end == "success":
        assert torch.equal(picture(model, 2), expected)
    else:
        with pytest.raises(RuntimeError if end == "error" else interrupted_error()):
            picture(model, 2)
    assert frozen(model, POSITIVE, NEGATIVE) == before
    calls.extend([1, 1])
    assert torch.equal(picture(model, 2), expected), "the next run is as if nothing had been"


def image_prompt(model, gains):
    """A patch as image-prompt packs make it: something of its own for every view, chosen by ``ad_params`` in chunks."""

    def patch(out, extra):
        rows = extra.get("ad_params", {}).get("sub_idxs") or range(len(gains))
        chosen = gains[list(rows)].repeat(len(extra["cond_or_uncond"]))
        return out * chosen[:, None, None]

    clone = model.clone()
    clone.set_model_attn2_output_patch(patch)
    return clone


def test_image_prompts_know_their_views(unet):
    gains = torch.tensor([0.2, 1.0, 3.0])
    options = dict(process=0, noise="independent", final_sync=False)
    together = picture(image_prompt(unet, gains), **options)
    assert relative_error(picture(image_prompt(unet, gains), 2, **options), together) <= 1e-5
    for i, gain in enumerate(gains):
        alone = picture(image_prompt(unet, gain.repeat(VIEWS)), **options)
        assert relative_error(together[i], alone[i]) <= 1e-5
        assert relative_error(together[i - 1], alone[i - 1]) > 1e-4
