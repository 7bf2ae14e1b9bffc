"""LoRA files: as a patch of the MODEL, as hooks on conditionings, and together with everything else users wire."""

import logging

import pytest
import torch
from helpers.hosting import (
    LABELS,
    PLAN,
    Plane,
    SyncTweediesSamplerWrap,
    Windows,
    host,
    host_module,
    relative_error,
    run_node,
)
from helpers.model_files import (
    DEPTH,
    EDGES,
    LORA,
    checkpoint,
    folder_paths,
    maker,
    run_host_node,
    text,
    with_control,
    with_lora,
)
from helpers.model_files import written as file_written
from syncpack.nodes.engine.tagged_conds import VIEWS_KEY

pytestmark = pytest.mark.host

# Three overlapping windows of 4 x 4 cells, in chunks of 2 and 1.
SPACE, RIG, VIEWS = Plane(64, 32), Windows(32, 32, 16, 32), 3
NOISE = torch.randn(VIEWS, 4, 4, 4, generator=torch.Generator().manual_seed(9))
CFG, STEPS, CHUNK = 3.0, 2, 2
WORDS = ("a red house by the sea", "a forest", "an old car in the rain")

needs_hooks = pytest.mark.skipif(not host.HAS_WRAPPERS, reason="hosts of 2024 have no hooks on conditionings")


def prompts():
    return text(WORDS[0]), text("blurry")


def synchronised(model, views_per_batch, positive, negative, **changes):
    changes = {"steps": STEPS, "cfg": CFG, "views_per_batch": views_per_batch, **changes}
    return run_node(model, SPACE, RIG, positive=positive, negative=negative, **changes)[0]["samples"]


def alone(model, positive, negative, view):
    """A plain run of the host."""
    sigmas = host.k_sampler_sigmas(model, STEPS, "euler", "normal", 1.0)
    noise = NOISE[view : view + 1]
    with torch.inference_mode():
        return host.sample(
            model, noise, positive, negative, CFG, host.sampler_object("euler"), sigmas, noise * 0, None, None, 5
        )


def per_view(model, views_per_batch, positive, negative):
    """Every view for itself, from the noise that `alone` has."""
    plan = {**PLAN, "process": LABELS[0], "views_per_batch": views_per_batch}
    (sampler,) = SyncTweediesSamplerWrap().wrap(host.sampler_object("euler"), SPACE, RIG, **plan)
    sigmas = host.k_sampler_sigmas(model, STEPS, "euler", "normal", 1.0)
    with torch.inference_mode():
        return host.sample(model, NOISE, positive, negative, CFG, sampler, sigmas, NOISE * 0, None, None, 5)


def hooked(conditioning, strength=1.0):
    """The conditioning with the LoRA as a hook, by the host's own nodes."""
    nodes = host_module("comfy_extras.nodes_hooks", "")
    (hooks,) = nodes.CreateHookLora().create_hook(file_written(LORA), strength, 0.0)
    return nodes.SetModelHooksOnCond().attach_hook(conditioning, hooks)[0]


# As a patch of the model


def test_every_layer_of_the_file_is_used(caplog):
    with caplog.at_level(logging.WARNING):
        model, clip = with_lora(1.0, 1.0)
    assert "not loaded" not in caplog.text
    assert (len(model.patches), len(clip.patcher.patches)) == (10, 2)


def test_a_patched_model_in_chunks():
    model, _ = with_lora(0.8, 0.0)
    whole = synchronised(model, 64, *prompts())
    assert bool(torch.isfinite(whole).all())
    assert relative_error(synchronised(checkpoint()[0], 64, *prompts()), whole) > 0.01, "the LoRA has no effect"
    assert relative_error(synchronised(model, CHUNK, *prompts()), whole) <= 1e-5
    separate = torch.cat([alone(model, *prompts(), i) for i in range(VIEWS)])
    assert relative_error(per_view(model, CHUNK, *prompts()), separate) <= 1e-5


def test_the_text_encoders_part():
    _, clip = with_lora(0.0, 1.0)
    changed = run_host_node("CLIPTextEncode", clip=clip, text=WORDS[0])[0]
    model = checkpoint()[0]
    whole = synchronised(model, 64, changed, text("blurry"))
    assert relative_error(synchronised(model, 64, *prompts()), whole) > 1e-4
    assert relative_error(synchronised(model, CHUNK, changed, text("blurry")), whole) <= 1e-5


def test_the_checkpoint_is_left_as_it_was():
    before = synchronised(checkpoint()[0], CHUNK, *prompts())
    synchronised(with_lora(1.0, 0.0)[0], CHUNK, *prompts())
    assert torch.equal(synchronised(checkpoint()[0], CHUNK, *prompts()), before)


# As hooks on conditionings


@needs_hooks
def test_hooks_equal_the_patched_model():
    positive, negative = (hooked(side, 0.8) for side in prompts())
    patched = synchronised(with_lora(0.8, 0.0)[0], 64, *prompts())
    for size in (64, CHUNK):
        assert relative_error(synchronised(checkpoint()[0], size, positive, negative), patched) <= 1e-5, size


@needs_hooks
def test_hooks_on_the_prompt_alone():
    positive, negative = hooked(prompts()[0]), prompts()[1]
    model = checkpoint()[0]
    whole = synchronised(model, 64, positive, negative)
    assert relative_error(synchronised(model, 64, *prompts()), whole) > 0.01
    assert relative_error(synchronised(model, CHUNK, positive, negative), whole) <= 1e-5
    separate = torch.cat([alone(model, positive, negative, i) for i in range(VIEWS)])
    assert relative_error(per_view(model, CHUNK, positive, negative), separate) <= 1e-5
    assert torch.equal(synchronised(model, 64, positive, negative), whole), "the hooks are taken back after a run"


@needs_hooks
def test_a_lora_for_some_views_only():
    """Entries for some views, each with a strength of its own: every view has its own LoRA."""
    strengths = (0.0, 0.5, 1.0)
    words = prompts()[0]
    own = [hooked(words, s) if s else words for s in strengths]
    positive = [[tokens, {**options, VIEWS_KEY: (i,)}] for i, side in enumerate(own) for tokens, options in side]
    negative = prompts()[1]
    model = checkpoint()[0]
    separate = torch.cat([alone(model, own[i], negative, i) for i in range(VIEWS)])
    assert relative_error(alone(model, own[2], negative, 1), separate[1:2]) > 1e-3
    for size in (64, 1):
        assert relative_error(per_view(model, size, positive, negative), separate) <= 1e-5, size


# Together


def everything(lora_as_hook):
    """(MODEL, positive, negative): two ControlNets, a LoRA, a prompt per view, masks per view."""
    model, clip = with_lora(0.0 if lora_as_hook else 0.8, 0.5)
    rows = [run_host_node("CLIPTextEncode", clip=clip, text=words)[0][0][0] for words in WORDS]
    masks = torch.zeros(VIEWS, 32, 32)
    for i in range(VIEWS):
        masks[i, :, 8 * i : 8 * i + 16] = 1.0
    positive = [[torch.cat(rows), {}]]
    positive += run_host_node(
        "ConditioningSetMask", text("a storm"), mask=masks, set_cond_area="default", strength=0.7
    )[0]
    negative = text("blurry")
    for name, seed, strength, end in ((DEPTH, 1, 0.8, 1.0), (EDGES, 2, 0.6, 0.7)):
        hints = torch.rand(VIEWS, 32, 32, 3, generator=torch.Generator().manual_seed(seed))
        positive, negative = with_control(positive, negative, name, hints, strength, 0.0, end)
    if lora_as_hook:
        positive, negative = hooked(positive, 0.8), hooked(negative, 0.8)
    return model, positive, negative


@pytest.mark.parametrize("lora", ["patch", pytest.param("hook", marks=needs_hooks)])
def test_all_of_it_together(lora):
    wired = everything(lora == "hook")
    settings = {"sampler_name": "dpmpp_2m_sde", "scheduler": "karras", "steps": 3}
    whole = synchronised(wired[0], 64, *wired[1:], **settings)
    assert bool(torch.isfinite(whole).all()) and float(whole.std()) > 0.1
    for size in (1, CHUNK):
        assert relative_error(synchronised(wired[0], size, *wired[1:], **settings), whole) <= 1e-5, size
    rolled = [[tokens.roll(1, 0), options] for tokens, options in wired[1]]
    assert relative_error(synchronised(wired[0], 64, rolled, wired[2], **settings), whole) > 1e-3, "prompts per view"


# Bad input


def other_family(folder, name, change):
    """The LoRA file with its layers renamed or resized by ``change(name, tensor)``."""
    from safetensors.torch import save_file

    made = dict(change(key, value) for key, value in maker().lora().items())
    save_file(made, folder / name)
    folder_paths.add_model_folder_path("loras", str(folder))
    model, clip, _ = checkpoint()
    inputs = {"lora_name": name, "strength_model": 1.0, "strength_clip": 0.0}
    return run_host_node("LoraLoader", model=model, clip=clip, **inputs)[0]


def test_a_lora_with_other_layers_is_named_by_the_host(tmp_path, caplog):
    """As one for another family: the host says which layers it does not know, and runs without them."""
    with caplog.at_level(logging.WARNING):
        model = other_family(
            tmp_path, "sdxl.safetensors", lambda k, v: (k.replace("down_blocks_0", "down_blocks_7"), v)
        )
    assert "lora key not loaded" in caplog.text
    plain = synchronised(checkpoint()[0], CHUNK, *prompts())
    assert torch.equal(synchronised(model, CHUNK, *prompts()), plain)


def test_a_lora_of_another_size_is_named_by_the_host(tmp_path, caplog):
    """As one for Stable Diffusion 2, whose prompts are 1024 wide: the layers that do not fit stay as they were."""

    def wider(key, value):
        fits = "attn2_to_k" not in key or "down" not in key.split(".")[1]
        return key, value if fits else torch.cat([value, value[:, :256]], 1)

    model = other_family(tmp_path, "sd2.safetensors", wider)
    with caplog.at_level(logging.ERROR):
        views = synchronised(model, CHUNK, *prompts())
    assert "ERROR" in caplog.text and "attn2.to_k" in caplog.text
    assert bool(torch.isfinite(views).all())
    right, _ = with_lora(0.8, 0.0)
    whole = synchronised(right, 64, *prompts())
    assert relative_error(synchronised(right, CHUNK, *prompts()), whole) <= 1e-5
