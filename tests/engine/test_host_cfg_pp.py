"""CFG++ samplers, which step from the unconditional estimate: it is synchronised exactly as the guided one is.

The model here answers each prompt differently, and guidance is at 3.
"""

import itertools

import pytest
import torch
from helpers.hosting import (
    LABELS,
    NEGATIVE,
    PLAN,
    POSITIVE,
    AnalyticModel,
    Plane,
    SyncTweediesSamplerWrap,
    Windows,
    comfy,
    disagreement,
    host,
    host_module,
    one_line,
    patcher,
    run_node,
)
from syncpack.nodes.host.errors import SyncError

CFG_PP = [n for n in host.SAMPLER_NAMES if "cfg_pp" in n]
pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(not CFG_PP, reason="this host (2024) has no CFG++ samplers"),
    pytest.mark.filterwarnings("ignore:Should have"),
]
STOCHASTIC = [
    n
    for n in CFG_PP
    if host.takes_noise_sampler(comfy.samplers.sampler_object(n).sampler_function) and n != "res_multistep_cfg_pp"
]
DETERMINISTIC = [n for n in CFG_PP if n not in STOCHASTIC]
TYPES = ("EPS", "FLOW")
CFG, WITH, WITHOUT = 3.0, 0.8, 0.5  # D = 0.8 x with the prompt, 0.5 x without: guided 1.4 x
GUIDED = WITHOUT + CFG * (WITH - WITHOUT)

RING, HALVES = Plane(128, 128, wrap_x=True), Windows(128, 128, 64, 64, "flat")
QUARTERS = Windows(128, 128, 32, 32, "flat")
SAME = {float(POSITIVE[0][0].mean()): WITH, float(NEGATIVE[0][0].mean()): WITHOUT}


class Prompted(AnalyticModel):
    """D = share * x, where the share depends on the prompt."""

    def _apply_model(self, x, t, c_concat=None, c_crossattn=None, *args, **kwargs):
        context = c_crossattn.reshape(x.shape[0], -1).mean(1)
        shares = torch.tensor([min(SAME.items(), key=lambda s, c=c: abs(s[0] - float(c)))[1] for c in context])
        super()._apply_model(x, t)
        return x * shares.reshape(-1, 1, 1, 1) * (torch.ones_like(x) if self.local is None else self.local)


def prompted(kind="EPS", local=None):
    model = Prompted(lambda x, sigma: x, kind)
    model.local = local
    return patcher(model)


def levels_seen(sampler, kind="EPS", steps=8, **plan):
    """x / sigma at every model call [calls, 2], and sigmas, for two views of the same that start as +1 and -1."""
    model = prompted(kind)
    if isinstance(sampler, str):
        sampler = comfy.samplers.sampler_object(sampler)
    (wrapped,) = SyncTweediesSamplerWrap().wrap(sampler, RING, HALVES, **{**PLAN, **plan})
    noise = torch.tensor([1.0, -1.0])[:, None, None, None].expand(2, 4, 16, 16).contiguous()
    sigmas = host.k_sampler_sigmas(model, steps, "euler", "exponential", 1.0)
    with torch.inference_mode():
        host.sample(model, noise, POSITIVE, NEGATIVE, CFG, wrapped, sigmas, torch.zeros_like(noise), None, None, seed=5)
    calls = model.model.calls
    assert all(x.shape[0] in (2, 4) for x, _ in calls)
    return torch.stack([x[:2].mean((1, 2, 3)) / sigma for x, sigma in calls]), [sigma for _, sigma in calls]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", DETERMINISTIC)
def test_k6_both_estimates_average_to_zero(name, kind):
    """dx = x/sigma dsigma only if the sampler's unconditional estimate is the synchronised one, too."""
    seen, _ = levels_seen(name, kind)
    assert float((seen / seen[0] - 1).abs().max()) <= 1e-4
    free, _ = levels_seen(name, kind, process=LABELS[0])
    assert float((free / free[0] - 1).abs().max()) > 0.1, "the measure can fail"


@pytest.mark.parametrize("name", CFG_PP)
def test_chunks_of_views_change_nothing(name):
    options = dict(sampler_name=name, cfg=CFG, steps=4, noise="independent")
    ends = [run_node(prompted(), RING, HALVES, views_per_batch=size, **options)[0]["samples"] for size in (0, 1)]
    assert torch.allclose(ends[0], ends[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("plan", [{"sync_strength": 0.5}, {"sync_end": 0.5}, {"sync_every": 2}, {"sync_start": 0.25}])
def test_partly_synchronised_runs_treat_both_alike(plan):
    """euler_cfg_pp by hand: x' = D' + sigma'/sigma (x - u'), with D' = (1 - g) D and u' = (1 - g) u for the difference
    of the views, g the strength of that step."""
    seen, sigmas = levels_seen("euler_cfg_pp", **plan)
    x = seen[0] * sigmas[0]
    for step, (sigma, following) in enumerate(itertools.pairwise(sigmas)):
        on = {
            "sync_strength": 0.5,
            "sync_end": float(step < 4),
            "sync_every": float(step % 2 == 0),
            "sync_start": float(step >= 2),
        }[next(iter(plan))]
        x = (1 - on) * GUIDED * x + following / sigma * (1 - (1 - on) * WITHOUT) * x
        torch.testing.assert_close(seen[step + 1] * following, x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", CFG_PP)
def test_k7_views_never_differ(name, kind):
    """A model that sees other things at other places of a view, shared noise: views agree at every call."""
    model = prompted(kind, torch.linspace(0.2, 1.0, 16))
    run_node(model, RING, QUARTERS, sampler_name=name, steps=4, cfg=CFG)
    assert max(disagreement(RING, QUARTERS, x[:4]) / sigma for x, sigma in model.model.calls) <= 1e-4


def test_cfg_pp_samplers_are_known_by_what_they_do():
    """The host's other CFG++ sampler does not say so in its name."""
    module = host_module("comfy_extras.nodes_advanced_samplers", "comfy_extras.nodes.nodes_advanced_samplers")
    sampler = comfy.samplers.KSAMPLER(module.sample_euler_pp)
    seen, _ = levels_seen(sampler)
    assert float((seen / seen[0] - 1).abs().max()) <= 1e-4
    for process in (1, 3, 4):
        with pytest.raises(SyncError) as caught:
            levels_seen(sampler, process=LABELS[process])
        one_line(caught.value, "SyncTweediesSamplerWrap", "use")


def test_one_identity_view_is_the_plain_sampler_bit_for_bit():
    space, rig = Plane(64, 64), Windows(64, 64, 64, 64)
    for name in CFG_PP:
        pictures = [
            run_node(prompted(), space, rig, sampler_name=name, cfg=CFG, process=p, steps=4)[0]["samples"]
            for p in (0, 2)
        ]
        assert torch.equal(*pictures), name
