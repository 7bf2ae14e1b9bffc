"""Runs that fail, and runs that do not: MODEL, CONDITIONING and SAMPLER are left as they were, whatever happens."""

from typing import Any

import pytest
import torch
from helpers.hosting import (
    NEGATIVE,
    PLAN,
    POSITIVE,
    OwnNoise,
    Plane,
    SyncTweediesPatch,
    SyncTweediesSamplerWrap,
    Windows,
    advanced,
    comfy,
    host,
    interrupted_error,
    one_line,
    opinionated,
    plain_sample,
    run_advanced,
    run_node,
    run_patched,
    tiny_unet,
)
from syncpack.nodes.host.errors import SyncError

pytestmark = pytest.mark.host

SPACE, RIG, VIEWS = Plane(128, 64), Windows(64, 64, 32, 64), 3
LATENT = torch.zeros(VIEWS, 4, 8, 8)


def at_call(number, action):
    def fails(call, x):
        return action(x) if call == number else None

    return fails


def broken(x):
    bad = x.clone()
    bad[0, 0, 0, 0] = float("nan")
    return bad


def cancelled_by_model(x):
    raise interrupted_error()()


def cancelled_by_user(x):
    comfy.model_management.interrupt_current_processing()


DOORS = {
    "SyncTweediesSampler": lambda model, **o: run_node(model, SPACE, RIG, **o)[0]["samples"],
    "SyncTweediesSamplerWrap": lambda model, **o: run_advanced(model, SPACE, RIG, {"samples": LATENT}, **o),
    "SyncTweediesPatch": lambda model, **o: run_patched(model, SPACE, RIG, LATENT, **o),
}


@pytest.mark.parametrize("door", DOORS)
def test_nan_from_the_model(door):
    model = opinionated()
    model.model.fails = at_call(2, broken)
    with pytest.raises(SyncError) as caught:
        DOORS[door](model)
    one_line(caught.value, door, "NaN", "sigma ", "use another precision")


def snapshot(value: Any) -> Any:
    """Everything a run could change in options: containers by content, other objects by identity."""
    if isinstance(value, dict):
        return {k: snapshot(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [snapshot(v) for v in value]
    if isinstance(value, torch.Tensor):
        return (id(value), value.clone().flatten().tolist())
    return value if isinstance(value, (int, float, str, bool, type(None))) else id(value)


def state_of(model: Any, conds: Any) -> Any:
    names = ("model_options", "object_patches", "patches", "wrappers", "callbacks", "hook_patches", "attachments")
    parts = {n: snapshot(getattr(model, n, None)) for n in names}
    weights = {k: v.clone() for k, v in model.model.state_dict().items()}
    return parts, list(weights), [w.tolist() for w in weights.values()], type(model.model), snapshot(conds)


ENDS = {"success": None, "nan": broken, "interrupt": cancelled_by_model, "cancel": cancelled_by_user}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("door", DOORS)
def test_everything_is_left_as_it_was(door, end):
    """However a run ends, MODEL and CONDITIONING are what they were, and the next run is as if nothing had been."""
    model = opinionated()
    own = {"post": [lambda args: args["denoised"]]}
    model.model_options["transformer_options"]["mine"] = own
    model.set_model_sampler_post_cfg_function(lambda args: args["denoised"])
    expected = DOORS[door](model, views_per_batch=2) if door == "SyncTweediesSampler" else DOORS[door](model)
    untouched = plain_sample(model, LATENT)
    before = state_of(model, (POSITIVE, NEGATIVE))
    model.model.calls.clear()
    model.model.fails = None if ENDS[end] is None else at_call(2, ENDS[end])
    if end == "success":
        DOORS[door](model)
    else:
        with pytest.raises(BaseException) as caught:
            DOORS[door](model)
        assert end == "nan" or type(caught.value) is interrupted_error()
        assert len(model.model.calls) == 2, "nothing runs after the failure"
    assert state_of(model, (POSITIVE, NEGATIVE)) == before
    model.model.fails = None
    again = DOORS[door](model, views_per_batch=2) if door == "SyncTweediesSampler" else DOORS[door](model)
    assert torch.equal(again, expected)
    assert torch.equal(plain_sample(model, LATENT), untouched), "a plain run is not synchronised"
    assert not torch.equal(expected, untouched)


def test_a_real_network_is_left_as_it_was():
    model = tiny_unet()
    before = state_of(model, None)
    run_node(model, SPACE, RIG, cfg=3.0, views_per_batch=2)
    assert state_of(model, None) == before


def test_interrupt_between_chunks():
    model = opinionated()
    model.model.fails = at_call(1, cancelled_by_user)
    with pytest.raises(interrupted_error()):
        run_node(model, SPACE, RIG, views_per_batch=1)
    assert len(model.model.calls) == 1, "the second chunk of the step is not run"


@pytest.mark.skipif(not host.HAS_WRAPPERS, reason="hosts of 2024 have no wrapper that touches the SAMPLER")
@pytest.mark.parametrize("end", ENDS)
def test_the_patched_model_gives_the_sampler_back(end):
    model, sampler = opinionated(), comfy.samplers.sampler_object("euler")
    function, options = sampler.sampler_function, dict(sampler.extra_options)
    (patched,) = SyncTweediesPatch().patch(model, SPACE, RIG, **PLAN)
    model.model.fails = None if ENDS[end] is None else at_call(2, ENDS[end])
    if end == "success":
        advanced(patched, OwnNoise(5), sampler, {"samples": LATENT})
    else:
        with pytest.raises(BaseException):  # noqa: B017 (NaN or interrupt)
            advanced(patched, OwnNoise(5), sampler, {"samples": LATENT})
    assert sampler.sampler_function is function and sampler.extra_options == options
    assert type(sampler) is comfy.samplers.KSAMPLER


def test_patching_twice_or_both_ways_synchronises_once():
    model = opinionated()
    (once,) = SyncTweediesPatch().patch(model, SPACE, RIG, **PLAN)
    expected = plain_sample(once, LATENT)
    if host.HAS_WRAPPERS:
        (twice,) = SyncTweediesPatch().patch(once, SPACE, RIG, **PLAN)
        assert torch.equal(plain_sample(twice, LATENT), expected)
    both = run_advanced(once, SPACE, RIG, {"samples": LATENT})
    assert torch.equal(both, run_advanced(model, SPACE, RIG, {"samples": LATENT}))


def test_wrapping_twice_synchronises_once():
    model, plan = opinionated(), {**PLAN, "sync_strength": 0.5}
    (once,) = SyncTweediesSamplerWrap().wrap(comfy.samplers.sampler_object("euler"), SPACE, RIG, **plan)
    (twice,) = SyncTweediesSamplerWrap().wrap(once, SPACE, RIG, **plan)
    expected = advanced(model, OwnNoise(5), once, {"samples": LATENT})
    assert torch.equal(advanced(model, OwnNoise(5), twice, {"samples": LATENT}), expected)
