"""Every kind of model that users load: what a parameterisation, a channel count or a conditioning could break."""

from importlib import import_module

import pytest
import torch
from helpers.host_networks import KINDS, normal, unet_of
from helpers.hosting import Plane, Windows, comfy, host, one_line, relative_error, run_node
from syncpack.nodes.host.errors import SyncError
from syncpack.renderers.scene import Scene
from syncpack.sync_core.aggregate import Aggregator

pytestmark = pytest.mark.host

VIEWS, CFG = 4, 3.0


@pytest.fixture(params=list(KINDS))
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def models():
    """Each network is built once for all tests of this file."""
    return {}


def model_of(models, kind):
    if kind not in models:
        models[kind] = KINDS[kind].make()
    return models[kind]


def scene_of(model, windows=VIEWS):
    """Windows of 8 x 8 cells, every 4 cells; one window is the whole canvas."""
    cell = host.cell_of(model)
    return Plane((4 + 4 * windows) * cell, 8 * cell), Windows(8 * cell, 8 * cell, 4 * cell, 8 * cell)


def texts(kind, rows=1):
    return {"positive": KINDS[kind].text(1, rows), "negative": KINDS[kind].text(2, rows)}


def flat(x):
    return x.squeeze(2) if x.ndim == 5 else x


def synchronised(model, windows, samples):
    """What the views' common picture shows in them."""
    views = Scene(*scene_of(model, windows)).views_of_batch(tuple(samples.shape))
    return views.project(Aggregator(views)(flat(samples))).reshape(samples.shape)


def recorded(model, seen):
    """A clone of the MODEL that notes what the network is given, by the host's own patch."""
    clone = model.clone()

    def note(apply, given):
        sigma = float(given["timestep"].reshape(-1)[0])
        if not seen or seen[-1][1] != sigma:
            seen.append((given["input"].clone(), sigma))
        return apply(given["input"], given["timestep"], **given["c"])

    clone.set_model_unet_function_wrapper(note)
    return clone


@pytest.mark.parametrize("process", [2, 1, 5])
def test_one_view_is_a_plain_run(models, kind, process):
    model, given = model_of(models, kind), texts(kind)
    space, rig = scene_of(model, 1)
    views, canonical = run_node(model, space, rig, cfg=CFG, process=process, **given)
    with torch.inference_mode():
        empty = torch.zeros_like(canonical["samples"])
        noise = comfy.sample.prepare_noise(empty, 5)
        expected = comfy.sample.sample(
            model, noise, 3, CFG, "euler", "normal", given["positive"], given["negative"], empty, seed=5
        )
    assert expected.std() > 0.1 and torch.isfinite(expected).all()
    assert expected.ndim == (5 if KINDS[kind].frames else 4)
    if process == 2:
        assert torch.equal(views["samples"], expected)
    else:
        assert relative_error(views["samples"], expected) <= 1e-5


def test_chunks_and_texts_per_view(models, kind):
    """Chunked runs equal the run in one piece, whose views agree, and which depends on every view's own text."""
    model = model_of(models, kind)
    space, rig = scene_of(model)
    given = texts(kind, VIEWS)
    whole, _ = run_node(model, space, rig, cfg=CFG, views_per_batch=64, **given)
    whole = whole["samples"]
    assert whole.shape[0] == VIEWS and torch.isfinite(whole).all()
    scale = float(whole.abs().max())
    assert float((synchronised(model, VIEWS, whole) - whole).abs().max()) <= 1e-5 * scale
    for size in (1, 3):
        views, _ = run_node(model, space, rig, cfg=CFG, views_per_batch=size, **given)
        assert relative_error(views["samples"], whole) <= 1e-5, size
    other, _ = run_node(model, space, rig, cfg=CFG, views_per_batch=3, **texts(kind))
    assert relative_error(other["samples"], whole) > 1e-4, "the texts have no effect"


def first_step(model, kind, process, noise, cfg=CFG):
    """The views before and after the first euler step, and the noise levels."""
    seen: list[tuple[torch.Tensor, float]] = []
    space, rig = scene_of(model)
    options = dict(cfg=cfg, steps=2, scheduler="simple", process=process, noise=noise)
    run_node(recorded(model, seen), space, rig, **options, **texts(kind))
    (before, start), (after, end) = seen[:2]
    return before[:VIEWS], after[:VIEWS], start, end


def test_each_case_averages_its_own_quantity(models, kind):
    """From d = (x - D)/sigma of views left alone: the noise (EPS, v and EDM models) or the velocity (flow models)."""
    model = model_of(models, kind)
    for noise, cases in (("independent", (1, 2, 3)), ("projected", (1, 2, 3, 4, 5))):
        x, alone, start, end = first_step(model, kind, 0, noise)
        slope = (alone - x) / (end - start)
        expected = {
            1: x + (end - start) * synchronised(model, VIEWS, slope),
            2: x + (end - start) * (x - synchronised(model, VIEWS, x - start * slope)) / start,
            3: synchronised(model, VIEWS, alone),
        }
        # Views that start as one picture keep it: 4 is 1 and 5 is 2 where f looks up single cells.
        expected |= {4: expected[1], 5: expected[2]}
        for case in cases:
            same, after, _, _ = first_step(model, kind, case, noise)
            assert relative_error(same, x) <= 1e-6
            # (D is a small difference of large numbers where sigma is large)
            assert relative_error(after, expected[case]) <= 1e-4, (noise, case)
        if noise == "independent":
            assert relative_error(expected[1], expected[2]) > 1e-2 and relative_error(expected[1], expected[3]) > 1e-2


@pytest.mark.parametrize("kind", [name for name, made in KINDS.items() if made.flow])
def test_velocities_are_what_flow_networks_return(models, kind):
    """d of a flow model is what its network returns, so cases 1 and 4 average v."""
    model, outputs = model_of(models, kind), []
    hook = model.model.diffusion_model.register_forward_hook(lambda _, given, out: outputs.append(out.clone()))
    try:
        x, alone, start, end = first_step(model, kind, 0, "independent", cfg=1.0)
    finally:
        hook.remove()
    assert relative_error((alone - x) / (end - start), outputs[0]) <= 1e-4


@pytest.mark.parametrize("name", ["V_PREDICTION_EDM", "SD3, 16 channels", "Wan, one frame", "Qwen image, one frame"])
def test_a_picture_with_a_mask(models, name):
    """One view is a plain run with that mask; in several, the kept part stays in every one of them."""
    model, given = model_of(models, name), texts(name)
    channels = host.latent_channels(model)
    axis = (1,) if KINDS[name].frames else ()
    start, mask = normal(7, 1, channels, *axis, 8, 20), torch.zeros(1, 64, 160)
    mask[..., 16:48, 24:64] = 1.0
    space, rig = scene_of(model, 1)
    one, part = start[..., :8].contiguous(), mask[..., :64]
    views, _ = run_node(model, space, rig, cfg=CFG, canonical={"samples": one, "noise_mask": part}, **given)
    with torch.inference_mode():
        noise = comfy.sample.prepare_noise(one, 5)
        texts_of = (given["positive"], given["negative"])
        expected = comfy.sample.sample(model, noise, 3, CFG, "euler", "normal", *texts_of, one, seed=5, noise_mask=part)
    assert torch.equal(views["samples"], expected)
    space, rig = scene_of(model)
    options = dict(cfg=CFG, canonical={"samples": start, "noise_mask": mask}, **given)
    views, canonical = run_node(model, space, rig, views_per_batch=3, **options)
    changed = (canonical["samples"] - start).abs()
    assert float(changed[..., 9:].max()) <= 1e-4 * float(start.abs().max()) < float(changed[..., 3:5, 4:7].max())
    whole, _ = run_node(model, space, rig, **options)
    assert relative_error(views["samples"], whole["samples"]) <= 1e-5


@pytest.mark.parametrize("name", ["Wan, one frame", "Qwen image, one frame"])
def test_videos_are_refused(models, name):
    model = model_of(models, name)
    space, rig = scene_of(model)
    with pytest.raises(SyncError) as caught:
        run_node(model, space, rig, canonical={"samples": torch.zeros(1, 16, 3, 8, 20)}, **texts(name))
    one_line(caught.value, "SyncTweediesSampler", "3 frames", "T = 1")


def test_models_that_see_the_batch_as_a_video():
    """SVD and SV3D tell their network how many frames the batch is: all views in one call, or a clear line."""

    class Frames(comfy.model_base.BaseModel):
        def extra_conds(self, **given):
            count = type(self).constant(given["noise"].shape[0])
            return {**super().extra_conds(**given), "num_video_frames": count}

    Frames.constant = import_module("comfy.conds").CONDConstant
    model = unet_of(base=Frames)
    space, rig = scene_of(model)
    with pytest.raises(SyncError) as caught:
        run_node(model, space, rig, views_per_batch=3, **texts("EPS"))
    one_line(caught.value, "SyncTweediesSampler", "frames of one video", "set views_per_batch")
    views, _ = run_node(model, space, rig, views_per_batch=VIEWS, **texts("EPS"))
    assert torch.isfinite(views["samples"]).all()
