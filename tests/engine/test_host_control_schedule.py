"""ControlStrengthSchedule: the strength at every step is the scheduled one, compared with runs at fixed strength."""

import math

import pytest
import torch
from helpers.hosting import Plane, Windows, comfy, host, one_line, relative_error, run_node
from helpers.model_files import CONTROL_LORA, DEPTH, EDGES, T2I, checkpoint, run_host_node, text, with_control
from syncpack.nodes.engine.controlnets import StrengthCurve, progress_of
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.sampling.controlnets import ControlStrengthSchedule

pytestmark = pytest.mark.host

SPACE, RIG, VIEWS = Plane(64, 32), Windows(32, 32, 16, 32), 3
CFG, STEPS = 3.0, 4
APPLIED = {DEPTH: 0.8, EDGES: 0.6, CONTROL_LORA: 0.9, T2I: 1.5}
CHAINS = [(DEPTH,), (CONTROL_LORA,), (T2I,), (DEPTH, EDGES), (T2I, CONTROL_LORA, DEPTH)]
IMAGE = torch.rand(VIEWS, 32, 32, 3, generator=torch.Generator().manual_seed(1))


def wired(names, factor=1.0, image=IMAGE[:1]):
    """(positive, negative) with these nets at ``factor`` times the strength each is applied with."""
    pair = text("a red house by the sea"), text("blurry")
    for name in names:
        pair = with_control(*pair, name, image, APPLIED[name] * factor)
    return pair


def schedule(pair, start=0.7, end=0.9, curve="linear", start_percent=0.0, end_percent=1.0):
    return ControlStrengthSchedule().schedule(*pair, start, end, curve, start_percent, end_percent)


def sigmas():
    return host.k_sampler_sigmas(checkpoint()[0], STEPS, "euler", "karras", 1.0)


def progress(sigma):
    """The model's own timestep of a noise level, as a fraction of the run."""
    return 1 - float(checkpoint()[0].model.model_sampling.timestep(torch.tensor(sigma))) / 999


def estimates(pair):
    """What the host's model returns for the same noisy latents at every level of the run."""
    seen = []

    def ask(model, x, sigmas, extra_args=None, callback=None, disable=None):
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(4))
        for sigma in sigmas[:-1]:
            seen.append(model(noise * sigma, sigma.expand(len(x)), **extra_args))
        return x

    latent = torch.zeros(1, 4, 4, 4)
    with torch.inference_mode():
        host.sample(checkpoint()[0], latent + 1, *pair, CFG, host.KSAMPLER(ask), sigmas(), latent, None, None, 5)
    return seen


def synchronised(pair, views_per_batch=64, **changes):
    result, _ = run_node(
        checkpoint()[0],
        SPACE,
        RIG,
        positive=pair[0],
        negative=pair[1],
        cfg=CFG,
        steps=STEPS,
        scheduler="karras",
        views_per_batch=views_per_batch,
        **changes,
    )
    return result["samples"]


def nets(pair):
    net, found = pair[0][0][1]["control"], []
    while net is not None:
        found.append(net)
        net = net.previous_controlnet
    return found


# The curve


def test_the_curves():
    line = StrengthCurve(0.7, 0.9)
    assert [line.at(p) for p in (0, 0.5, 1)] == pytest.approx([0.7, 0.8, 0.9])
    wave = StrengthCurve(0.0, 2.0, "cosine", 0.2, 0.6)
    expected = [0, 0, 1 - math.cos(math.pi / 4), 1, 2, 2]
    assert [wave.at(p) for p in (0, 0.2, 0.3, 0.4, 0.6, 1)] == pytest.approx(expected)
    switch = StrengthCurve(1.0, 0.5, "constant", 0.0, 0.6)
    assert [switch.at(p) for p in (0, 0.3, 0.59, 0.6, 1)] == [1, 1, 1, 0.5, 0.5]
    assert StrengthCurve(1.0, 0.5, "linear", 0.4, 0.4).at(0.4) == 0.5


def test_progress_is_the_hosts_own():
    sampling = checkpoint()[0].model.model_sampling
    for percent in (0.05, 0.3, 0.5, 0.77, 0.999):
        assert progress_of(sampling.percent_to_sigma(percent), sampling.percent_to_sigma) == pytest.approx(percent)
    for sigma in sigmas()[:-1].tolist():
        assert progress_of(sigma, sampling.percent_to_sigma) == pytest.approx(progress(sigma), abs=2e-3)
    assert progress_of(1e9, sampling.percent_to_sigma) == pytest.approx(0, abs=1e-3)
    assert progress_of(0.0, sampling.percent_to_sigma) == pytest.approx(1)


# In effect


@pytest.mark.parametrize("names", CHAINS, ids="+".join)
def test_every_step_has_the_scheduled_strength(names):
    """The estimate at step i is that of a run at the fixed strength of step i, and of no other step."""
    curve = StrengthCurve(0.3, 1.1, "linear", 0.1, 0.8)
    levels = sigmas()[:-1].tolist()
    factors = [curve.at(progress(sigma)) for sigma in levels]
    assert len({round(f, 2) for f in factors}) >= 3, "the steps differ"
    made = estimates(schedule(wired(names), 0.3, 1.1, "linear", 0.1, 0.8))
    for i, factor in enumerate(factors):
        fixed = estimates(wired(names, factor))
        # The factor is known to the accuracy of the model's own table of timesteps.
        assert relative_error(made[i], fixed[i]) < 2e-3, (i, factor)
        for j, other in enumerate(factors):
            if abs(other - factor) > 0.1:
                assert relative_error(made[j], fixed[j]) > 5 * relative_error(made[i], fixed[i]) + 1e-4, (i, j)


def test_a_level_schedule_is_that_strength():
    for names in ((DEPTH, EDGES), (T2I,)):
        level = schedule(wired(names), 0.5, 0.5)
        assert all(torch.equal(a, b) for a, b in zip(estimates(level), estimates(wired(names, 0.5)), strict=True))


def test_it_takes_effect_in_chunks():
    names = (T2I, CONTROL_LORA, DEPTH)
    pair = schedule(wired(names, 1.0, IMAGE), 0.2, 1.2, "cosine")
    whole = synchronised(pair)
    assert relative_error(synchronised(pair, 2), whole) <= 1e-5
    for factor in (1.0, 0.2, 1.2):
        assert relative_error(synchronised(wired(names, factor, IMAGE)), whole) > 1e-3


def test_a_plain_ksampler_follows_it():
    """A switch from full strength to none in mid-run is the host's own end_percent, bit for bit."""
    pair = text("a red house by the sea"), text("blurry")
    until = 0.5
    cut = with_control(*pair, DEPTH, IMAGE[:1], 0.8, 0.0, until)
    switched = schedule(with_control(*pair, DEPTH, IMAGE[:1], 0.8), 1.0, 0.0, "constant", 0.0, until)
    latent = {"samples": torch.zeros(1, 4, 4, 4)}

    def sample(pair):
        settings = dict(seed=3, steps=STEPS, cfg=CFG, sampler_name="dpmpp_2m", scheduler="karras", denoise=1.0)
        return run_host_node(
            "KSampler", checkpoint()[0], positive=pair[0], negative=pair[1], latent_image=latent, **settings
        )[0]["samples"]

    assert torch.equal(sample(switched), sample(cut))
    assert relative_error(sample(wired((DEPTH,))), sample(cut)) > 1e-3


def test_a_factor_of_zero_does_not_run_the_network(monkeypatch):
    pair = schedule(wired((DEPTH, EDGES)), 0.0, 0.0)
    asked = []
    for net in nets(wired((DEPTH, EDGES))):
        net.control_model.register_forward_pre_hook(lambda *_: asked.append(1))
    plain = estimates((text("a red house by the sea"), text("blurry")))
    assert all(torch.equal(a, b) for a, b in zip(estimates(pair), plain, strict=True))
    assert not asked
    estimates(wired((DEPTH,)))
    assert asked


def test_schedules_multiply_and_later_nets_have_none():
    twice = schedule(schedule(wired((DEPTH,)), 0.5, 0.5), 0.8, 0.8)
    then = with_control(*twice, EDGES, IMAGE[:1], APPLIED[EDGES])
    fixed = with_control(*wired((DEPTH,), 0.4), EDGES, IMAGE[:1], APPLIED[EDGES])
    for a, b in zip(estimates(then), estimates(fixed), strict=True):
        assert relative_error(a, b) <= 1e-6


# What it leaves alone


def test_the_original_is_untouched():
    pair = wired((T2I, CONTROL_LORA, DEPTH))
    before = [(type(n), n.strength, n.previous_controlnet, n.cond_hint_original) for n in nets(pair)]
    first = estimates(pair)
    scheduled = schedule(pair, 0.1, 0.4)
    synchronised(scheduled, 2)
    for net, (kind, strength, previous, hint) in zip(nets(pair), before, strict=True):
        assert (type(net), net.strength) == (kind, strength)
        assert net.previous_controlnet is previous and net.cond_hint_original is hint
    assert all(torch.equal(a, b) for a, b in zip(estimates(pair), first, strict=True))
    for net, (kind, strength, _, hint) in zip(nets(scheduled), before, strict=True):
        assert isinstance(net, kind) and net.strength == strength and net.cond_hint_original is hint
        assert net.percent_to_sigma is None and not net.progress, "a run leaves nothing behind"


def test_both_prompts_keep_sharing_their_nets():
    """Else the host would evaluate them one by one."""
    positive, negative = schedule(wired((DEPTH, EDGES)))
    assert positive[0][1]["control"] is negative[0][1]["control"]
    assert positive[0][1]["control_apply_to_uncond"] is False


def test_entries_without_a_net_stay_as_they_are():
    plain = text("a red house by the sea")
    positive, negative = schedule((wired((DEPTH,))[0] + plain, plain))
    assert positive[1][1] is plain[0][1] and negative[0][1] is plain[0][1]
    assert "control" in positive[0][1]


@pytest.mark.parametrize("model_type", ["V_PREDICTION", "EDM"])
def test_other_kinds_of_models(model_type):
    """Noise levels that are a continuum, or another formula: the schedule ends where the host says 1."""
    kind = getattr(comfy.model_base.ModelType, model_type, None)
    if kind is None:
        pytest.skip(f"this host has no {model_type}")
    sampling = comfy.model_base.model_sampling(checkpoint()[0].model.model_config, kind)
    levels = [sampling.percent_to_sigma(p) for p in (0.1, 0.4, 0.9)]
    assert [progress_of(s, sampling.percent_to_sigma) for s in levels] == pytest.approx([0.1, 0.4, 0.9], abs=1e-3)


# Bad input


def refused(call, *parts):
    with pytest.raises(SyncError) as caught:
        call()
    one_line(caught.value, "ControlStrengthSchedule", *parts)


def test_without_a_controlnet():
    refused(lambda: schedule((text("a"), text("b"))), "no ControlNet", "after ControlNetApply")


@pytest.mark.parametrize("percents", [(0.6, 0.4), (-0.1, 0.5), (0.5, 1.1)])
def test_an_impossible_range(percents):
    refused(lambda: schedule(wired((DEPTH,)), 0.7, 0.9, "linear", *percents), f"{percents[0]:g}", "start_percent <=")


def test_an_unknown_curve():
    refused(lambda: schedule(wired((DEPTH,)), 0.7, 0.9, "square"), "'square'", "linear, cosine, constant")
