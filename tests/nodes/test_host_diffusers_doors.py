"""A MODEL of LoadDiffusersUNet with views, chunks, masks, LoRAs, ControlNets and other samplers."""

import pytest
import torch
from helpers.hosting import Plane, Windows, advanced, host, one_line, relative_error, run_node, tiny_controlnet
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.models.diffusers_nodes import LoadDiffusersUNet

pytest.importorskip("diffusers", reason="diffusers is not installed (extra 'diffusers')")

import comfy.samplers
import diffusers
from helpers.diffusers_models import (
    LATENT,
    PIXEL,
    estimate,
    load,
    made_models,
    noise,
    prompt,
    sample,
    second_stage,
    width_of,
)

pytestmark = pytest.mark.host
models = pytest.fixture(scope="module")(made_models)


@pytest.mark.parametrize("name", ["eps", "v", "if_mild"])
@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_views_agree_and_chunks_change_nothing(models, name, cfg):
    model, _ = load(name)
    cell = host.cell_of(model)
    space, rig = Plane(24 * cell, 16 * cell), Windows(16 * cell, 16 * cell, 8 * cell, 8 * cell)
    conds = dict(positive=prompt(1, width_of(name), rows=2), negative=prompt(2, width_of(name)), cfg=cfg)
    views, canonical = run_node(model, space, rig, **conds)
    one_by_one, _ = run_node(model, space, rig, views_per_batch=1, **conds)
    samples = views["samples"]
    assert samples.shape[0] == 2 and canonical["samples"].shape[-1] == 24
    assert float((samples[0, ..., 8:] - samples[1, ..., :8]).abs().max()) < 1e-5 * float(samples.abs().max())
    assert relative_error(one_by_one["samples"], samples) < (1e-4 if name == "if_mild" else 1e-5)


def test_each_view_has_its_own_first_stage_picture(models):
    """Row i of the picture batch is read by view i and by no other, in chunks too."""
    model, _ = load("if2")
    pictures = torch.rand(2, 4, 4, 3, generator=torch.Generator().manual_seed(1))
    sigmas = torch.stack([model.get_model_object("model_sampling").sigmas[700], torch.zeros(())])
    latent = torch.zeros(1, 3, 16, 16)
    shared = noise(1, 3, 16, 16)

    def result(images, shape):
        with torch.inference_mode():
            conds = second_stage(images, 0)
            euler = comfy.samplers.sampler_object("euler")
            start = shared.repeat(shape, 1, 1, 1)
            zeros = latent.repeat(shape, 1, 1, 1)
            return host.sample(model, start, *conds, 3.0, euler, sigmas, zeros, None, None, 1)

    together = result(pictures, 2)
    for i in range(2):
        own = result(pictures[[i, i]], 2)
        assert relative_error(together[i], own[i]) < 5e-5 < 0.01 < relative_error(together[1 - i], own[1 - i])
    space, rig = Plane(24, 16), Windows(16, 16, 8, 8)
    positive, negative = second_stage(pictures)
    conds = dict(positive=positive, negative=negative, cfg=2.0)
    whole, _ = run_node(model, space, rig, **conds)
    chunks, _ = run_node(model, space, rig, views_per_batch=1, **conds)
    assert relative_error(chunks["samples"], whole["samples"]) < 1e-4
    with pytest.raises(SyncError) as error:
        run_node(model, space, rig, **{**conds, "positive": second_stage(torch.rand(3, 4, 4, 3))[0]})
    one_line(error.value, "LoadDiffusersUNet", "3 low-resolution pictures for 2 views")


def test_masked_pixels_stay(models):
    model, _ = load("if1")
    mask = (torch.arange(16) < 8).float().expand(1, 1, 16, 16)
    latent = noise(1, 3, 16, 16, seed=9).clamp(-1, 1)
    sampling = model.get_model_object("model_sampling")
    sigmas = torch.cat([sampling.sigmas[[900, 500, 100]], torch.zeros(1)])
    got = sample(model, (prompt(1, 24), prompt(2, 24)), (1, 3, 16, 16), sigmas, cfg=2.0, mask=mask, latent=latent)
    assert torch.allclose(got[..., 8:], latent[..., 8:], atol=1e-5)
    assert float((got[..., :8] - latent[..., :8]).abs().max()) > 0.1


@pytest.mark.parametrize("name", ["dpmpp_2m", "dpmpp_2m_sde", "uni_pc"])
def test_other_samplers_and_schedulers(models, name):
    model, _ = load("eps")
    result = advanced(
        model,
        _Noise(5),
        comfy.samplers.sampler_object(name),
        {"samples": torch.zeros(1, 4, 16, 16)},
        scheduler="karras",
        name=name,
    )
    assert result.shape == (1, 4, 16, 16) and bool(result.isfinite().all())


class _Noise:
    def __init__(self, seed):
        self.seed = seed

    def generate_noise(self, latent):
        return host.prepare_noise(latent["samples"], self.seed)


def test_a_lora_of_kohyas_names_changes_the_weights_it_names(models, tmp_path):
    import comfy.sd

    _, made = models
    model, _ = load("eps")
    key = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
    up, down = noise(32, 2, seed=1) * 0.3, noise(2, 16, seed=2) * 0.3
    flat = "lora_unet_" + key.replace(".", "_")
    lora = {f"{flat}.lora_up.weight": up, f"{flat}.lora_down.weight": down, f"{flat}.alpha": torch.tensor(2.0)}
    patched, _ = comfy.sd.load_lora_for_models(model, None, lora, 1.0, 0.0)
    assert list(patched.patches) == [f"diffusion_model.{key}.weight"]
    sigmas = torch.stack([model.get_model_object("model_sampling").sigmas[500], torch.zeros(())])
    conds = (prompt(1), prompt(1))
    got = model.model.process_latent_in(sample(patched, conds, (1, 4, 16, 16), sigmas))
    merged = diffusers.UNet2DConditionModel(**LATENT)
    merged.load_state_dict(made["eps"].state_dict())
    merged.get_submodule(key).weight.data += up @ down
    x = noise(1, 4, 16, 16, seed=7) * float(sigmas[0])
    alpha = float(1 / (1 + sigmas[0] ** 2))
    assert relative_error(got, estimate(merged, x, 500, alpha, prompt(1)[0][0], "epsilon", 4)) < 2e-5
    plain = model.model.process_latent_in(sample(model, conds, (1, 4, 16, 16), sigmas))
    assert relative_error(plain, estimate(made["eps"], x, 500, alpha, prompt(1)[0][0], "epsilon", 4)) < 2e-5


def test_a_controlnet_of_the_host_reaches_the_skip_connections(models):
    _, made = models
    model, _ = load("eps")
    seen = []
    network = model.model.diffusion_model

    def watch(module, given, options):
        seen.append(options)

    hook = torch.nn.Module.register_forward_pre_hook(network.conv_in, watch, with_kwargs=True)
    sigmas = torch.stack([model.get_model_object("model_sampling").sigmas[500], torch.zeros(())])
    control = tiny_controlnet(3)
    hint = torch.rand(1, 3, 128, 128)
    positive = [[prompt(1)[0][0], {"control": control.copy().set_cond_hint(hint, 1.0, (0.0, 1.0))}]]
    got = model.model.process_latent_in(sample(model, (positive, positive), (1, 4, 16, 16), sigmas))
    hook.remove()
    assert len(seen) == 1
    x = noise(1, 4, 16, 16, seed=7) * float(sigmas[0])
    alpha = float(1 / (1 + sigmas[0] ** 2))
    with torch.no_grad():
        raw = control.control_model(
            x=x * alpha**0.5, hint=hint, timesteps=torch.tensor([500.0]), context=prompt(1)[0][0]
        )
    residuals = raw if isinstance(raw, list) else [*raw["output"], *raw["middle"]]
    expected = estimate(
        made["eps"],
        x,
        500,
        alpha,
        prompt(1)[0][0],
        "epsilon",
        4,
        down_block_additional_residuals=tuple(residuals[:-1]),
        mid_block_additional_residual=residuals[-1],
    )
    assert relative_error(got, expected) < 2e-5
    assert relative_error(got, estimate(made["eps"], x, 500, alpha, prompt(1)[0][0], "epsilon", 4)) > 1e-2


def test_part_of_the_weights_off_the_device(models):
    """The host's way to fit a small card: layers beyond a limit are brought in when they are called, LoRAs included."""
    key = "diffusion_model.down_blocks.1.attentions.0.to_q.weight"
    x, tokens = noise(1, 3, 16, 16), prompt(1, 24)[0][0]
    model = load("if1")[0].clone()
    model.add_patches({key: ("diff", (noise(64, 64, seed=8) * 0.1,))})
    results = []
    for limit in (10**9, model.model_size() * 2 // 3):  # (newer hosts keep room for layers that come and go)
        with torch.inference_mode():
            if hasattr(model, "patch_model_lowvram"):  # 2024
                model.patch_model_lowvram(torch.device("cpu"), lowvram_model_memory=limit)
            else:
                model.patch_model(torch.device("cpu"), lowvram_model_memory=limit)
            layers = [m for m in model.model.modules() if hasattr(m, "comfy_cast_weights")]
            results.append(model.model.apply_model(x, torch.tensor([1.0]), c_crossattn=tokens))
            outside = sum(m.comfy_cast_weights for m in layers)
            assert outside == 0 if limit == 10**9 else 0 < outside < len(layers)
            model.unpatch_model(torch.device("cpu"))
    assert relative_error(results[1], results[0]) < 1e-5
    with torch.inference_mode():
        plain = model.model.apply_model(x, torch.tensor([1.0]), c_crossattn=tokens)
    assert relative_error(plain, results[0]) > 1e-3


def test_half_weights_computed_in_float32(models):
    """The host's layers in place of torch's: same result, weights stored in half."""
    _, made = models
    network = load("if1")[0].model.diffusion_model
    reference = diffusers.UNet2DConditionModel(**PIXEL)
    reference.load_state_dict({k: v.half().float() for k, v in made["if1"].state_dict().items()})
    network.half()
    host.use_cast_layers(network, True)
    names = {type(m).__module__.split(".")[0] for m in network.modules() if getattr(m, "comfy_cast_weights", False)}
    assert names == {"comfy"}
    x, tokens = noise(1, 3, 16, 16), prompt(1, 24)[0][0]
    with torch.no_grad():
        # Layers that normalise in their own way convert to their weights' type, so half precision shows.
        got = network(x, torch.tensor([300.0]), tokens)
        expected = reference.eval()(x, torch.tensor([300.0]), tokens).sample[:, :3]
    assert got.dtype == torch.float32 and relative_error(got, expected) < 1e-4


def test_attention_patches_are_refused(models):
    model, _ = load("eps")
    patched = model.clone()
    patched.set_model_attn1_patch(lambda q, k, v, extra: (q, k, v))
    sigmas = torch.tensor([1.0, 0.0])
    with pytest.raises(SyncError) as error:
        sample(patched, (prompt(1), prompt(2)), (1, 4, 16, 16), sigmas)
    one_line(error.value, "LoadDiffusersUNet", "patches", "remove the node")
    assert bool(sample(model, (prompt(1), prompt(2)), (1, 4, 16, 16), sigmas).isfinite().all())


def test_prompts_of_another_model_are_refused(models):
    model, _ = load("eps")
    with pytest.raises(SyncError) as error:
        sample(model, (prompt(1, 24), prompt(2, 24)), (1, 4, 16, 16), torch.tensor([1.0, 0.0]))
    one_line(error.value, "LoadDiffusersUNet", "width 24", "reads 16", "LoadDiffusersText")
    xl, _ = load("sdxl")
    with pytest.raises(SyncError) as error:
        sample(xl, (prompt(1), prompt(2)), (1, 4, 16, 16), torch.tensor([1.0, 0.0]))
    one_line(error.value, "LoadDiffusersUNet", "no pooled output", "width 20")
    second, _ = load("if2")
    with pytest.raises(SyncError) as error:
        sample(second, (prompt(1, 24), prompt(2, 24)), (1, 3, 16, 16), torch.tensor([1.0, 0.0]))
    one_line(error.value, "LoadDiffusersUNet", "SyncTweediesUpscale")


def test_the_list_holds_the_folders(models):
    (choices, options) = LoadDiffusersUNet.INPUT_TYPES()["required"]["folder"]
    assert {"eps", "sdxl", "deep/if1", "deep/if2"} <= set(choices)
    assert options["tooltip"].endswith(".")


def test_a_changed_file_is_read_again(models):
    root, _ = models
    before = LoadDiffusersUNet.IS_CHANGED("eps")
    assert before == LoadDiffusersUNet.IS_CHANGED("eps") != ""
    file = root / "eps/scheduler/scheduler_config.json"
    file.write_text(file.read_text() + "\n")
    assert LoadDiffusersUNet.IS_CHANGED("eps") != before
