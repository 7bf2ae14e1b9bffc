"""One view that is the whole picture changes no bit of what the host's own KSampler makes, through every door."""

import pytest
import torch
from helpers.hosting import Plane, Windows, host, plain_sample, run_advanced, run_node, run_patched, tiny_unet

pytestmark = pytest.mark.host

SAMPLERS = ("euler", "dpmpp_2m", "ddim", "uni_pc", "euler_ancestral", "dpmpp_2m_sde")
TYPES = ("EPS", "FLOW")
SPACE, RIG = Plane(64, 64), Windows(64, 64, 32, 32)
CFG = 3.0


@pytest.fixture(scope="module")
def models():
    return {t: tiny_unet(t) for t in (*TYPES, "V_PREDICTION")}


def empty(batch: int = 1) -> torch.Tensor:
    return torch.zeros(batch, 4, 8, 8)


def door(name: str, model, batch: int, sampler: str):
    if name == "node":
        views, canonical = run_node(model, SPACE, RIG, sampler_name=sampler, cfg=CFG, batch_size=batch)
        assert torch.equal(views["samples"], canonical["samples"])
        return views["samples"]
    if name == "sampler":
        return run_advanced(model, SPACE, RIG, {"samples": empty(batch)}, name=sampler, cfg=CFG)
    return run_patched(model, SPACE, RIG, empty(batch), name=sampler, cfg=CFG)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_door_equals_ksampler(models, sampler, kind, batch):
    torch.manual_seed(11)  # samplers of 2024 draw their step noise from the global generator
    expected = plain_sample(models[kind], empty(batch), sampler, cfg=CFG)
    assert expected.std() > 0.1 and torch.isfinite(expected).all()
    for name in ("node", "sampler", "model"):
        torch.manual_seed(11)
        assert torch.equal(door(name, models[kind], batch, sampler), expected), name


def test_v_prediction_equals_ksampler(models):
    expected = plain_sample(models["V_PREDICTION"], empty(), cfg=CFG)
    assert torch.equal(door("node", models["V_PREDICTION"], 1, "euler"), expected)


@pytest.mark.parametrize("process", [0, 1, 2, 3, 4, 5])
def test_named_cases_equal_ksampler(models, process):
    """Averages over one view are that view: every case is the plain run, 1 and 4 to rounding (they go by the noise)."""
    expected = plain_sample(models["EPS"], empty(), cfg=CFG)
    views, _ = run_node(models["EPS"], SPACE, RIG, cfg=CFG, process=process)
    if process in (0, 2, 5):
        assert torch.equal(views["samples"], expected)
    else:
        torch.testing.assert_close(views["samples"], expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def test_denoise_below_one_equals_ksampler(models):
    latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    expected = plain_sample(models["EPS"], latent, steps=4, cfg=CFG, denoise=0.5)
    views, _ = run_node(models["EPS"], SPACE, RIG, steps=4, cfg=CFG, denoise=0.5, canonical={"samples": latent})
    assert torch.equal(views["samples"], expected)


@pytest.mark.skipif(not host.HAS_WRAPPERS, reason="hosts of 2024 give a patched MODEL no way to change the noise")
def test_the_patched_model_shares_its_noise():
    """A plain KSampler on a patched MODEL makes what the all-in-one node makes, several overlapping views too."""
    model, space, rig = tiny_unet(), Plane(96, 64), Windows(64, 64, 32, 32)
    views, _ = run_node(model, space, rig, cfg=CFG, sampler_name="euler_ancestral")
    patched = run_patched(model, space, rig, empty(2), cfg=CFG, name="euler_ancestral")
    assert torch.equal(patched, views["samples"])


def test_the_sampler_door_equals_the_node():
    model, space, rig = tiny_unet(), Plane(96, 64), Windows(64, 64, 32, 32)
    for process in ("1 average noise", "4 canonical noise (Visual Anagrams)"):
        views, _ = run_node(model, space, rig, cfg=CFG, process=process)
        wrapped = run_advanced(model, space, rig, {"samples": empty(2)}, cfg=CFG, process=process)
        assert torch.equal(wrapped, views["samples"])
