"""Every sampler of the host through the decorator: what it sees, and which processes it may run.

K6: what views disagree in keeps the sampler's noise level. K7: noise that views share keeps the prior's variance.
"""

import pytest
import torch
from helpers.hosting import (
    LABELS,
    NEGATIVE,
    PLAN,
    POSITIVE,
    Plane,
    SyncTweediesNoise,
    SyncTweediesSamplerWrap,
    Windows,
    analytic,
    comfy,
    disagreement,
    gaussian,
    host,
    host_module,
    one_line,
    opinionated,
    relative_error,
    run_node,
)
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.sampling.sampler import SyncTweediesViewLatents
from syncpack.sync_core.processes import PROCESSES

pytestmark = [pytest.mark.host, pytest.mark.filterwarnings("ignore:Should have")]  # (torchsde, about rounding)

TYPES = ("EPS", "FLOW")
# "res_multistep" takes a noise sampler but uses it with strength 0.
STOCHASTIC = [
    n
    for n in host.SAMPLER_NAMES
    if host.takes_noise_sampler(comfy.samplers.sampler_object(n).sampler_function)
    and n not in ("res_multistep", "res_multistep_cfg_pp")
]
DETERMINISTIC = [n for n in host.SAMPLER_NAMES if n not in STOCHASTIC]
FIRST_ORDER = ("euler", "ddim")
MOVING = [p.number for p in PROCESSES if p.moves_state]

# Two views of a ring, rolled against each other by half: each sees all of it.
RING, HALVES = Plane(128, 128, wrap_x=True), Windows(128, 128, 64, 64, "flat")
# Four views that see each cell four times.
QUARTERS = Windows(128, 128, 32, 32, "flat")
# Three overlapping windows of 8 cells on 14: every pixel of a window is looked up as it is.
WIDE, CROPS = Plane(112, 64), Windows(64, 64, 24, 64)


def levels_seen(name, kind, process):
    """x / sigma at every model call, for two views that start as +1 and -1 and a model that sees D = 0.7 x in both."""
    model = analytic(lambda x, sigma: 0.7 * x, kind)
    (sampler,) = SyncTweediesSamplerWrap().wrap(
        comfy.samplers.sampler_object(name), RING, HALVES, **{**PLAN, "process": LABELS[process]}
    )
    noise = torch.tensor([1.0, -1.0])[:, None, None, None].expand(2, 4, 16, 16).contiguous()
    sigmas = host.k_sampler_sigmas(model, 8, name, "exponential", 1.0)
    with torch.inference_mode():
        host.sample(model, noise, POSITIVE, NEGATIVE, 1.0, sampler, sigmas, torch.zeros_like(noise), None, None, seed=5)
    # (guidance at 1 still evaluates both prompts for CFG++: the rows of one prompt are the views)
    return torch.stack([x[:2].mean((1, 2, 3)) / sigma for x, sigma in model.model.calls])


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", DETERMINISTIC)
def test_k6_a_synchronised_estimate_of_zero_keeps_the_noise_level(name, kind):
    """D averages to 0, so dx/dsigma = x/sigma: x is sigma times its start at every call (K6)."""
    # deis integrates polynomials numerically between levels of the VP process, which flow levels are not;
    # uni_pc takes 1 - exp(-sigma^2) in float32, where flow levels end at 0.001.
    allowed = {"deis": 2e-4, "ipndm": 1e-4, "uni_pc": 1e-4, "uni_pc_bh2": 1e-4}.get(name, 2e-5)
    if kind == "FLOW":
        allowed = {"deis": 5e-2, "uni_pc": 5e-3, "uni_pc_bh2": 5e-3}.get(name, allowed)
    seen = levels_seen(name, kind, 2)
    assert len(seen) >= 8
    assert float((seen / seen[0] - 1).abs().max()) <= allowed
    assert float(seen[0, 0]) > 0.9 and float(seen[0, 1]) < -0.9


def test_k6_needs_the_synchronisation():
    """The same run without it falls towards 0: the measure can fail."""
    seen = levels_seen("euler", "EPS", 0)
    assert float((seen / seen[0] - 1).abs().max()) > 0.3


def worst_disagreement(name, kind, step_noise):
    """The largest difference between views of the same cells over all model calls but the first, in units of sigma."""
    model = gaussian(model_type=kind)
    run_node(model, RING, QUARTERS, sampler_name=name, steps=4, step_noise=step_noise)
    return max(disagreement(RING, QUARTERS, x[:4]) / sigma for x, sigma in model.model.calls[1:])


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", STOCHASTIC)
def test_k7_views_share_the_noise_of_stochastic_samplers(name, kind):
    assert worst_disagreement(name, kind, "canonical") <= 1e-4
    assert worst_disagreement(name, kind, "independent") > 0.1


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", STOCHASTIC)
def test_k7_four_views_end_where_one_does(name, kind):
    """With noise that is drawn once in canonical shape, four views of everything are the run of one view."""
    ends = []
    for space, rig in ((Plane(128, 128), Windows(128, 128, 64, 64)), (RING, QUARTERS)):
        torch.manual_seed(3)  # (hosts of 2024 draw from the global generator)
        ends.append(run_node(gaussian(model_type=kind), space, rig, sampler_name=name, steps=5)[1]["samples"])
    assert relative_error(ends[1], ends[0]) <= 1e-4


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", STOCHASTIC)
def test_the_noise_is_drawn_in_canonical_shape_and_none_besides(name, kind, monkeypatch):
    """Every draw of the sampler is one of ours, of the canonical shape; there is no randomness besides."""
    made, drawn = host.noise_sampler, []

    def watched(function, like, sigmas, seed, apart=False):
        noise = made(function, like, sigmas, seed, apart)

        def draw(sigma, sigma_next):
            drawn.append(tuple(like.shape))
            return 0.0 * noise(sigma, sigma_next)

        return draw

    monkeypatch.setattr(host, "noise_sampler", watched)
    ends = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        ends.append(run_node(opinionated(kind), WIDE, CROPS, sampler_name=name, steps=6)[0]["samples"])
    # At least one draw for every step but the last; SA-Solver draws in the middle of the run only.
    assert len(drawn) >= 2 * (3 if name.startswith("sa_solver") else 5)
    assert set(drawn) == {(1, 4, 8, 14)}
    assert torch.equal(ends[0], ends[1])


@pytest.mark.parametrize("name", ["euler_ancestral", "dpmpp_2s_ancestral", "dpmpp_2m_sde"])
def test_k7_shared_noise_keeps_the_variance(name):
    """Noise of their own is averaged away by four views (K7: 0.252 of the variance stays)."""

    def variance(space, rig, step_noise):
        _, canonical = run_node(
            gaussian(),
            space,
            rig,
            sampler_name=name,
            scheduler="exponential",
            steps=20,
            step_noise=step_noise,
            batch_size=4,
        )
        return float(canonical["samples"].var())

    torch.manual_seed(3)
    alone = variance(Plane(128, 128), Windows(128, 128, 64, 64), "canonical")
    torch.manual_seed(3)  # (hosts of 2024 draw from the global generator)
    shared = variance(RING, QUARTERS, "canonical")
    own = variance(RING, QUARTERS, "independent")
    assert shared == pytest.approx(alone, rel=1e-3)
    assert 0.2 * shared < own < 0.3 * shared
    # Twenty steps of the first-order sampler lose variance by themselves; the others keep the prior's.
    assert 0.7 < shared < 1.1 if name == "euler_ancestral" else 0.93 < shared < 1.07


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", host.SAMPLER_NAMES)
def test_every_sampler_runs_or_is_refused(name, kind):
    model = opinionated(kind)
    for process in (0, 1, 2, 4, 5):
        try:
            views, canonical = run_node(model, WIDE, CROPS, sampler_name=name, process=process, steps=4)
        except SyncError as error:
            assert process not in (0, 2), "these run with every sampler"
            one_line(error, "SyncTweediesSampler", name, "use process 2")
            continue
        assert torch.isfinite(views["samples"]).all() and torch.isfinite(canonical["samples"]).all()
        assert float(canonical["samples"].std()) > 0.05
        mismatch = disagreement(WIDE, CROPS, views["samples"])
        if process == 0:
            assert mismatch > 0.05, "views of this model disagree when left alone"
        else:
            assert mismatch <= 1e-5


@pytest.mark.parametrize("name", host.SAMPLER_NAMES)
def test_only_first_order_samplers_move_the_state(name):
    model = opinionated()
    # 3 instance, 6 canonical, 9 instance with a flag on phi, 20 on psi, 51, 59 joint
    for process in [p for p in (3, 6, 20, 39, 51, 56, 59) if p in MOVING]:
        if name in FIRST_ORDER:
            views, _ = run_node(model, WIDE, CROPS, sampler_name=name, process=process)
            assert torch.isfinite(views["samples"]).all()
        else:
            with pytest.raises(SyncError) as caught:
                run_node(model, WIDE, CROPS, sampler_name=name, process=process)
            one_line(caught.value, "SyncTweediesSampler", f"process {process}", "use euler or ddim", name)


@pytest.mark.parametrize("kind", TYPES)
def test_all_sixty_processes_run_with_euler(kind):
    model = opinionated(kind)
    for process in range(60):
        views, canonical = run_node(model, WIDE, CROPS, process=process)
        assert views["samples"].shape == (3, 4, 8, 8) and canonical["samples"].shape == (1, 4, 8, 14), process
        assert torch.isfinite(views["samples"]).all() and float(views["samples"].std()) > 0.05, process
        assert (disagreement(WIDE, CROPS, views["samples"]) <= 1e-5) == (process != 0), process


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", [n for n in host.SAMPLER_NAMES if "cfg_pp" not in n])
def test_cases_agree_on_windows(name, kind):
    """Where f looks up single cells and views start consistent, cases 1, 2, 4, 5 are one process.
    Cases 4 and 5 are the host's sampler on one canonical state, so the views of 1 and 2 did what it does."""
    model, pictures = opinionated(kind), {}
    for process in (0, 1, 2, 4, 5):
        torch.manual_seed(3)  # (hosts of 2024 draw from the global generator)
        pictures[process] = run_node(model, WIDE, CROPS, process=process, noise="projected", sampler_name=name, steps=4)
    # dpm_adaptive chooses its steps by the error per number, and views show some cells more often.
    allowed = 2e-2 if name == "dpm_adaptive" else 1e-4
    for process in (1, 4, 5):
        assert relative_error(pictures[process][1]["samples"], pictures[2][1]["samples"]) <= allowed, process
    assert relative_error(pictures[0][1]["samples"], pictures[2][1]["samples"]) > 1e-2


def own_sampler(sampler, space=WIDE, rig=CROPS, steps=3, kind="EPS", **plan):
    """A SAMPLER with options of its own through the SAMPLER door; the model keeps what it was called with."""
    (wrapped,) = SyncTweediesSamplerWrap().wrap(sampler, space, rig, **{**PLAN, **plan})
    model = gaussian(model_type=kind)
    latent, _ = SyncTweediesViewLatents().build(space, rig, 1)
    latent = latent["samples"]
    sigmas = host.k_sampler_sigmas(model, steps, "euler", "normal", 1.0)
    noise = SyncTweediesNoise().build(space, rig, 5, "polar")[0].generate_noise({"samples": latent})
    with torch.inference_mode():
        end = host.sample(model, noise, POSITIVE, NEGATIVE, 1.0, wrapped, sigmas, latent, None, None, seed=5)
    return model, end


@pytest.mark.parametrize("name", ["euler", "heun", "dpm_2"])
def test_churn_is_refused(name):
    with pytest.raises(SyncError) as caught:
        own_sampler(comfy.samplers.ksampler(name, {"s_churn": 0.5}))
    one_line(caught.value, "SyncTweediesSamplerWrap", "s_churn", "set s_churn to 0")


def test_a_sampler_that_resizes_the_views_is_refused():
    upscale = host_module("comfy_extras.nodes_advanced_samplers", "comfy_extras.nodes.nodes_advanced_samplers")
    options = {"total_upscale": 2.0, "upscale_steps": None, "upscale_method": "bilinear"}
    with pytest.raises(SyncError) as caught:
        own_sampler(comfy.samplers.KSAMPLER(upscale.sample_lcm_upscale, extra_options=options))
    one_line(caught.value, "SyncTweediesSamplerWrap", "lcm_upscale", "use lcm")


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_dpm_adaptive_shares_the_noise_it_draws_with_eta(eta):
    sampler = comfy.samplers.ksampler("dpm_adaptive", {"eta": eta})

    def worst(step_noise):
        model, _ = own_sampler(sampler, RING, QUARTERS, step_noise=step_noise)
        return max(disagreement(RING, QUARTERS, x[:4]) / sigma for x, sigma in model.model.calls)

    assert worst("canonical") <= 1e-3
    assert (worst("independent") > 0.1) == (eta > 0)


@pytest.mark.parametrize("number", [1, 2, 54, 55, 56])
def test_final_sync_makes_all_processes_that_keep_views_agree(number):
    options = dict(process=LABELS[number], noise="independent", steps=4)
    views = run_node(opinionated(), WIDE, CROPS, **options)[0]["samples"]
    assert disagreement(WIDE, CROPS, views) <= 1e-5 * float(views.abs().max())
    if number in (1, 54):
        apart = run_node(opinionated(), WIDE, CROPS, **options, final_sync=False)[0]["samples"]
        assert disagreement(WIDE, CROPS, apart) > 0.01 * float(apart.abs().max()), "or the test shows nothing"


@pytest.mark.parametrize("name", ["euler", "heun", "dpmpp_2m", "uni_pc", "uni_pc_bh2"])
def test_final_sync_is_done_after_every_sampler(name):
    """The last level is the run's own: uni_pc writes into the levels that it is given."""
    options = dict(process=2, noise="independent", steps=4, sync_end=0.5, sampler_name=name)
    views = run_node(opinionated(), WIDE, CROPS, **options)[0]["samples"]
    assert disagreement(WIDE, CROPS, views) <= 1e-5 * float(views.abs().max())


@pytest.mark.parametrize("number", [1, 2, 3, 7, 12, 35, 36, 48])
def test_a_strength_below_one_costs_no_call(number):
    model = opinionated()
    run_node(model, WIDE, CROPS, process=LABELS[number], steps=5, sync_strength=0.6, views_per_batch=64)
    assert len(model.model.calls) == 5
