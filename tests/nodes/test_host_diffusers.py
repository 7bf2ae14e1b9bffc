"""LoadDiffusersUNet: a diffusers folder as a MODEL computes what diffusers itself computes."""

import shutil

import pytest
import torch
from helpers.hosting import host, relative_error
from syncpack.nodes.models.diffusers_schedule import Clipping, read_schedule

pytest.importorskip("diffusers", reason="diffusers is not installed (extra 'diffusers')")

from helpers.diffusers_models import (
    FOLDERS,
    IF_BETAS,
    SD_BETAS,
    _euler,
    estimate,
    load,
    made_models,
    noise,
    prompt,
    sample,
    scheduler,
    second_stage,
    width_of,
)

pytestmark = pytest.mark.host
models = pytest.fixture(scope="module")(made_models)


@pytest.mark.parametrize("name", ["eps", "v", "zero_snr", "sample", "sdxl", "if1"])
@pytest.mark.parametrize("t", [0, 413, 998])
def test_one_call_is_the_closed_form(models, name, t):
    root, made = models
    model, _ = load(name)
    channels = 3 if name == "if1" else 4
    settings = read_schedule(root / FOLDERS.get(name, name) / "scheduler/scheduler_config.json")
    alpha = float(settings.alphas_cumprod[t])
    sigmas = torch.stack([model.get_model_object("model_sampling").sigmas[t], torch.zeros(())])
    conds, given = {}, {}
    if name == "sdxl":
        pooled = noise(1, 20)
        given = {"pooled_output": pooled, "height": 1016, "width": 520, "crop_h": 3, "crop_w": 9}
        ids = torch.tensor([[1016, 520, 3, 9, 1016, 520]]).repeat(2, 1)
        conds["added_cond_kwargs"] = {"text_embeds": pooled.repeat(2, 1), "time_ids": ids}
    positive = prompt(1, width_of(name), **given)
    got = sample(model, (positive, positive), (2, channels, 16, 16), sigmas)
    x = noise(2, channels, 16, 16, seed=7) * float(sigmas[0])
    tokens = positive[0][0].repeat(2, 1, 1)
    expected = estimate(made[name], x, t, alpha, tokens, settings.prediction, channels, **conds)
    if name == "if1":
        expected = settings.clipping(expected)
    got = model.model.process_latent_in(got)
    # The output's rounding (1e-6 of it) is multiplied by sigma.
    assert float((got - expected).abs().max()) < 2e-5 + 3e-6 * float(sigmas[0])


def test_latent_scales_are_those_of_the_vae(models):
    for name, scale in (("eps", 0.18215), ("sdxl", 0.13025)):
        model, _ = load(name)
        x = noise(1, 4, 8, 8)
        assert torch.allclose(model.model.process_latent_in(x), x * scale)
        assert torch.allclose(model.model.process_latent_out(x), x / scale)
        assert host.cell_of(model) == 8
    model, vae = load("if1")
    assert host.cell_of(model) == 1 and host.latent_channels(model) == 3
    picture = torch.rand(1, 16, 16, 3)
    assert torch.allclose(vae.decode(vae.encode(picture)), picture, atol=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        SD_BETAS,
        dict(beta_schedule="linear"),
        dict(beta_schedule="squaredcos_cap_v2"),
        dict(trained_betas=[0.001 + 0.00001 * i for i in range(1000)]),
    ],
    ids=["scaled_linear", "linear", "cosine", "given"],
)
@pytest.mark.parametrize("kind", ["DDPMScheduler", "PNDMScheduler", "DPMSolverMultistepScheduler"])
def test_noise_levels_are_exactly_those_of_diffusers(models, tmp_path, kind, settings):
    """Every level of training has its own sigma, and every sigma finds its own time step again."""
    root, _ = models
    settings = {k: v for k, v in settings.items() if k != "clip_sample"}
    reference = scheduler(kind, **settings)
    target = root / f"levels_{kind}"
    shutil.copytree(root / "eps", target)
    reference.save_pretrained(target / "scheduler")
    try:
        model, _ = load(target.name)
    finally:
        shutil.rmtree(target)
    sampling = model.get_model_object("model_sampling")
    alphas = reference.alphas_cumprod.double()
    assert torch.equal(sampling.sigmas, ((1 - alphas) / alphas).sqrt().float())
    assert torch.equal(sampling.timestep(sampling.sigmas), torch.arange(1000))


@pytest.mark.parametrize("name", ["eps", "v"])
def test_euler_is_the_schedulers_own_loop(models, name):
    _, made = models
    model, _ = load(name)
    prediction = "epsilon" if name == "eps" else "v_prediction"
    loop = scheduler("EulerDiscreteScheduler", prediction_type=prediction, timestep_spacing="trailing", **_euler())
    loop.set_timesteps(6)
    positive, negative = prompt(1), prompt(2)
    got = sample(model, (positive, negative), (1, 4, 16, 16), loop.sigmas, cfg=3.0)
    x = noise(1, 4, 16, 16, seed=7) * (1 + loop.sigmas[0] ** 2) ** 0.5
    both = torch.cat([negative[0][0], positive[0][0]])
    with torch.no_grad():
        for t in loop.timesteps:
            out = made[name](loop.scale_model_input(torch.cat([x, x]), t), t, both).sample
            without, towards = out.chunk(2)
            x = loop.step(without + 3.0 * (towards - without), t, x).prev_sample
    assert relative_error(model.model.process_latent_in(got), x) < 1e-4


def test_ddim_with_dynamic_thresholding_is_the_schedulers_own_loop(models):
    """DeepFloyd's way: pixels, guidance, then thresholding; noise recomputed from the thresholded estimate."""
    _, made = models
    model, _ = load("if1")
    betas = {k: v for k, v in IF_BETAS.items() if k != "variance_type"}
    loop = scheduler(timestep_spacing="leading", **betas)
    loop.set_timesteps(5)
    alphas = loop.alphas_cumprod[loop.timesteps].double()
    sigmas = torch.cat([((1 - alphas) / alphas).sqrt().float(), torch.zeros(1)])
    sigmas[-1] = float(((1 - loop.final_alpha_cumprod) / loop.final_alpha_cumprod) ** 0.5)
    positive, negative = prompt(1, 24), prompt(2, 24)
    got = sample(model, (positive, negative), (1, 3, 16, 16), sigmas, cfg=5.0)
    x = noise(1, 3, 16, 16, seed=7) * (1 - float(alphas[0])) ** 0.5
    both = torch.cat([negative[0][0], positive[0][0]])
    with torch.no_grad():
        for t in loop.timesteps:
            without, towards = made["if1"](torch.cat([x, x]), t, both).sample[:, :3].chunk(2)
            x = loop.step(without + 5.0 * (towards - without), t, x, use_clipped_model_output=True).prev_sample
    assert float(x.abs().max()) == pytest.approx(1.0, abs=1e-6)
    assert float((got - x).abs().max()) < 2e-4


def test_thresholding_is_that_of_the_library():
    rough = noise(3, 3, 16, 16) * torch.tensor([0.3, 1.2, 4.0]).reshape(3, 1, 1, 1)
    library = scheduler("DDPMScheduler", **IF_BETAS)
    assert torch.equal(Clipping(1.5, 0.95)(rough), library._threshold_sample(rough))


def test_inpainting_reads_mask_and_picture(models):
    _, made = models
    model, _ = load("inpaint")
    sigmas = torch.stack([model.get_model_object("model_sampling").sigmas[500], torch.zeros(())])
    mask = (torch.arange(16) < 8).float().expand(1, 1, 16, 16)
    picture = noise(1, 4, 16, 16, seed=4)
    extra = {"concat_latent_image": picture, "concat_mask": mask}
    positive = prompt(1, **extra)
    got = sample(model, (positive, positive), (1, 4, 16, 16), sigmas)
    alpha = float(1 / (1 + sigmas[0] ** 2))
    x = noise(1, 4, 16, 16, seed=7) * float(sigmas[0])
    expected = estimate(made["inpaint"], x, 500, alpha, positive[0][0], "epsilon", 4, extra=(mask, picture * 0.18215))
    assert relative_error(model.model.process_latent_in(got), expected) < 2e-5


@pytest.mark.parametrize("level", [0, 50])
def test_the_second_stage_is_told_how_noisy_its_picture_is(models, level):
    _, made = models
    model, _ = load("if2")
    picture = torch.rand(1, 4, 4, 3)
    sigmas = torch.stack([model.get_model_object("model_sampling").sigmas[700], torch.zeros(())])
    conds = second_stage(picture, level)
    base = model.model
    given = dict(
        cross_attn=conds[0][0][0], noise=torch.zeros(1, 3, 16, 16), seed=7, device=torch.device("cpu"), **conds[0][0][1]
    )
    low = base.extra_conds(**given)["c_concat"].cond
    alpha = float(base.facts.noising[level])
    enlarged = torch.nn.functional.interpolate(
        picture.movedim(-1, 1) * 2 - 1, (16, 16), mode="bilinear", align_corners=True
    )
    residual = low - alpha**0.5 * enlarged
    assert float(residual.std()) == pytest.approx((1 - alpha) ** 0.5, rel=0.1)
    got = sample(model, conds, (1, 3, 16, 16), sigmas)
    x = noise(1, 3, 16, 16, seed=7) * float(sigmas[0])
    expected = estimate(
        made["if2"],
        x,
        700,
        float(1 / (1 + sigmas[0].double() ** 2)),
        prompt(1, 24)[0][0],
        "epsilon",
        3,
        extra=(low,),
        class_labels=torch.tensor([level]),
    )
    assert relative_error(got, Clipping(1.5, 0.95)(expected)) < 2e-5


def test_a_second_device_gets_weights_of_its_own(models):
    """What the host's nodes for several devices ask for: the same network, made once more."""
    model, _ = load("eps")
    make, given = model.cached_patcher_init
    own, other = (one.model.diffusion_model.state_dict() for one in (model, make(*given)))
    assert own.keys() == other.keys() and all(torch.equal(own[name], other[name]) for name in own)
    assert not {weight.data_ptr() for weight in own.values()} & {weight.data_ptr() for weight in other.values()}
