"""A video model over clips of a longer video: one clip is a plain run, several are what loops over clips make, loops
begin anywhere."""

from __future__ import annotations

import math
from importlib import import_module
from itertools import pairwise

import pytest
import torch
from helpers.host_networks import SD3_TEXT, lively, normal, official, tokens, wan, wan_settings
from helpers.hosting import (
    PLAN,
    analytic,
    comfy,
    host,
    one_line,
    plain_sample,
    relative_error,
    run_advanced,
    run_node,
    run_patched,
)
from oracles import clip_twins
from syncpack.nodes.engine.clips import conds_of_views
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.sampling.attention import CrossViewAttention
from syncpack.nodes.sampling.edit import SyncEdit
from syncpack.nodes.sampling.sampler import SyncTweediesSamplerWrap, SyncTweediesViewLatents
from syncpack.nodes.video.clip_nodes import VideoClips
from syncpack.nodes.video.nodes import VideoSpace
from syncpack.nodes.views.prompt_nodes import CanonicalPrompt
from syncpack.nodes.views.prompts import view_prompts
from syncpack.nodes.views.stitch_nodes import StitchViews, SyncReport
from syncpack.renderers.pictures import along_time, flat
from syncpack.renderers.plane.space import Plane, Windows
from syncpack.renderers.scene import Scene
from syncpack.renderers.video.clips import Clips, placed_clips
from syncpack.renderers.video.space import Video
from syncpack.sync_core.visits.policy import Visits

pytestmark = pytest.mark.host

CFG = 3.0
TEXT = {"positive": tokens(1, 1, SD3_TEXT), "negative": tokens(2, 1, SD3_TEXT)}
SPACE, RIG = Video(64, 48, 41), Clips(17, 5)
LOOP = Video(64, 48, 48, loop=True)


@pytest.fixture(scope="module")
def model():
    return wan(2)


class VideoVae:
    """Latent cells become blocks of 8 x 8 pixels; of every latent frame but the first four frames are made."""

    latent_dim = 3

    def decode(self, latent):
        assert latent.ndim == 5 and len(latent) == 1
        frames = torch.cat([latent[:, :3, :1], latent[:, :3, 1:].repeat_interleave(4, 2)], 2)
        return frames.repeat_interleave(8, -2).repeat_interleave(8, -1).movedim(1, -1)


def slow(x, sigma):
    """A clean estimate that changes slowly in time: every frame the mean of those beside it."""
    frames = torch.cat([x[:, :, :1], x, x[:, :, -1:]], 2)
    return (frames[:, :, :-2] + 2 * x + frames[:, :, 2:]) / 4 / (1 + sigma**2) ** 0.5


class LoadedVae:
    """The host's VAE around a network, small."""

    latent_dim = 3

    def __init__(self, network):
        self.network = network

    def decode(self, latent):
        return self.network.decode(latent).clamp(-1, 1).movedim(1, -1) / 2 + 0.5


# --- one clip


@pytest.mark.parametrize("sampler", ["euler", "uni_pc", "dpmpp_2m_sde"])
def test_one_clip_is_a_plain_run(model, sampler):
    space, rig = Video(64, 48, 17), Clips(17, 5)
    empty = torch.zeros(1, 16, 5, 6, 8)
    with torch.inference_mode():
        noise = comfy.sample.prepare_noise(empty, 5)
        texts = TEXT["positive"], TEXT["negative"]
        expected = comfy.sample.sample(model, noise, 3, CFG, sampler, "normal", *texts, empty, seed=5)
    assert expected.std() > 0.1 and torch.isfinite(expected).all()
    views, canonical = run_node(model, space, rig, cfg=CFG, sampler_name=sampler, **TEXT)
    assert torch.equal(views["samples"], expected) and torch.equal(canonical["samples"], expected)


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "euler_ancestral", "dpmpp_2m_sde"])
def test_one_clip_on_every_host(sampler):
    """With a model that any host has: through the node, the SAMPLER, the MODEL."""
    tested, empty = analytic(slow), torch.zeros(1, 4, 5, 6, 8)
    space, rig = Video(64, 48, 17), Clips(17, 5)
    doors = (
        lambda: run_node(tested, space, rig, sampler_name=sampler, canonical={"samples": empty})[0]["samples"],
        lambda: run_advanced(tested, space, rig, {"samples": empty}, name=sampler),
        lambda: run_patched(tested, space, rig, empty, name=sampler),
    )
    torch.manual_seed(11)  # (samplers of 2024 draw their step noise from the global generator)
    expected = plain_sample(tested, empty, sampler)
    for door in doors:
        torch.manual_seed(11)
        assert torch.equal(door(), expected)


# --- several


@pytest.mark.parametrize("space", [SPACE, LOOP])
def test_clips_are_what_loops_make_of_them(model, space):
    """Process 2 with euler, written out: every clip by itself through the network, means frame by frame."""
    views, canonical = run_node(model, space, RIG, cfg=CFG, views_per_batch=2, **TEXT)
    whole = canonical["samples"].shape[2]
    assert whole == (12 if space.loop else 11)
    begins = clip_twins.starts(whole, 5, 3, space.loop)

    def twin(network, _, sigmas, extra_args, **__):
        noise = comfy.sample.prepare_noise(torch.zeros(1, 16, whole, 6, 8), 5)[0].movedim(1, 0)
        clips = [sigmas[0] * clip for clip in clip_twins.cut(noise, begins, 5)]
        for now, after in pairwise(sigmas):
            clean = [network(as_latent(clip), now[None], **extra_args)[0].movedim(1, 0) for clip in clips]
            agreed = clip_twins.cut(clip_twins.joined(clean, begins, whole), begins, 5)
            clips = [clip + (clip - part) / now * (after - now) for clip, part in zip(clips, agreed, strict=True)]
        return torch.cat([as_latent(clip) for clip in clips])

    with torch.inference_mode():
        sigmas = host.k_sampler_sigmas(model, 3, "euler", "normal", 1.0)
        one, texts = torch.zeros(1, 16, 5, 6, 8), (TEXT["positive"], TEXT["negative"])
        expected = host.sample(model, one, *texts, CFG, host.KSAMPLER(twin), sigmas, one, None, None, 5)
    assert expected.shape == views["samples"].shape and relative_error(views["samples"], expected) <= 1e-5


def as_latent(clip):
    """[t, C, h, w] -> [1, C, t, h, w]"""
    return clip.movedim(0, 1)[None].float()


@pytest.mark.parametrize(("space", "windows"), [(SPACE, None), (LOOP, None), (SPACE, Windows(48, 48, 16, 16))])
def test_chunks_are_the_whole(model, space, windows):
    rig = Clips(17, 5, windows=windows)
    whole, canonical = run_node(model, space, rig, cfg=CFG, views_per_batch=64, **TEXT)
    for size in (1, 2):
        views, _ = run_node(model, space, rig, cfg=CFG, views_per_batch=size, **TEXT)
        assert relative_error(views["samples"], whole["samples"]) <= 1e-5
    seen = Scene(space, rig).views(8).project(flat(canonical["samples"]))
    assert relative_error(flat(whole["samples"]), seen) <= 1e-5


def test_the_network_sees_clips_however_long_the_video(model):
    """What a step holds beside the state does not grow with the video."""
    shapes = set()

    def note(apply, given):
        shapes.add(tuple(given["input"].shape))
        return apply(given["input"], given["timestep"], **given["c"])

    watched = model.clone()
    watched.set_model_unet_function_wrapper(note)
    for frames in (17, 161):
        run_node(watched, Video(64, 48, frames), RIG, steps=1, cfg=1.0, views_per_batch=1, **TEXT)
    assert shapes == {(1, 16, 5, 6, 8)}


@pytest.mark.parametrize("process", [0, 1, 3, 4, 5, 54])
def test_other_processes_run(model, process):
    views, _ = run_node(model, SPACE, RIG, cfg=1.0, process=process, **TEXT)
    assert views["samples"].shape == (3, 16, 5, 6, 8) and torch.isfinite(views["samples"]).all()


def test_turning_clips(model):
    """Fewer calls, and what comes out agrees."""
    rig = Clips(17, 13)
    calls = [0]

    def count(apply, given):
        calls[0] += len(given["input"])
        return apply(given["input"], given["timestep"], **given["c"])

    watched = model.clone()
    watched.set_model_unet_function_wrapper(count)
    views, canonical = run_node(watched, LOOP, rig, cfg=1.0, steps=6, visits=Visits("turning"), **TEXT)
    number = len(views["samples"])
    assert number == 12 and calls[0] < 6 * number
    seen = Scene(LOOP, rig).views(8).project(flat(canonical["samples"]))
    assert relative_error(flat(views["samples"]), seen) <= 1e-5


# --- loops


def test_a_loop_has_no_beginning(model):
    """Noise that begins later makes the same loop, later."""
    placement = placed_clips(LOOP, RIG, 8)
    assert placement.starts == (0, 3, 6, 9)
    scene = Scene(LOOP, RIG)
    noise = normal(3, 1, 16, 12, 6, 8)
    results = []
    for moved in (0, 3):
        state = along_time(scene.views(8).project(flat(noise.roll(moved, 2))), 5)
        (sampler,) = SyncTweediesSamplerWrap().wrap(comfy.samplers.sampler_object("euler"), LOOP, RIG, **PLAN)
        with torch.inference_mode():
            sigmas = host.k_sampler_sigmas(model, 3, "euler", "normal", 1.0)
            texts = TEXT["positive"], TEXT["negative"]
            made = host.sample(model, state, *texts, CFG, sampler, sigmas, torch.zeros_like(state), None, None, 5)
        results.append(along_time(scene.mean_of_batch(tuple(made.shape), made.device)(flat(made)), 12))
    assert relative_error(results[1], results[0].roll(3, 2)) <= 1e-5
    assert relative_error(results[1], results[0]) > 0.1


def test_a_loop_closes_in_time():
    """Of a model whose clips change slowly: from the last frame to the first it is as far as from clip to clip."""
    ratios = []
    for space in (Video(256, 192, 48, loop=True), Video(256, 192, 45)):
        latents, wide = torch.zeros(1, 4, 12, 24, 32), Clips(17, 5)
        views, canonical = run_node(analytic(slow), space, wide, steps=8, canonical={"samples": latents})
        video = canonical["samples"]
        steps = (video.roll(-1, 2) - video).square().mean((0, 1, 3, 4))
        # (clips begin at every third latent frame)
        ratios.append(float(steps[-1] / steps[2:-1:3].mean()))
        image, _ = StitchViews().stitch(space, wide, views, VideoVae())
        assert len(image) == space.frames
    assert ratios[0] <= 1.05 and ratios[1] > 1.5, ratios


# --- what comes along


def test_a_picture_with_a_mask(model):
    """What a mask of the video's frames keeps stays in every clip; one clip is a plain run."""
    start = normal(7, 1, 16, 11, 6, 8)
    mask = torch.zeros(41, 48, 64)
    mask[21:] = 1
    given = {"samples": start, "noise_mask": mask}
    _, canonical = run_node(model, SPACE, RIG, cfg=CFG, canonical=given, views_per_batch=2, **TEXT)
    changed = (canonical["samples"] - start).abs().amax((0, 1, 3, 4))
    assert float(changed[:6].max()) <= 1e-4 < float(changed[6:].min())
    one = {"samples": start[:, :, :5].contiguous(), "noise_mask": torch.ones(1, 1, 5, 6, 8)}
    one["noise_mask"][:, :, 0] = 0
    views, _ = run_node(model, Video(64, 48, 17), Clips(17, 5), cfg=CFG, canonical=one, **TEXT)
    with torch.inference_mode():
        noise = comfy.sample.prepare_noise(one["samples"], 5)
        texts = TEXT["positive"], TEXT["negative"]
        plain = (model, noise, 3, CFG, "euler", "normal", *texts, one["samples"])
        expected = comfy.sample.sample(*plain, seed=5, noise_mask=one["noise_mask"])
    assert torch.equal(views["samples"], expected)


def test_a_first_picture_is_cut_for_each_clip():
    """Wan's image to video: every clip sees its own part of the latent beside the noise, and of its mask."""
    tested, seen = official("WAN21_I2V", "WAN21", wan_settings(model_type="i2v", in_dim=36)), []

    def note(apply, given):
        seen.append(given["c"]["c_concat"].clone())
        return apply(given["input"], given["timestep"], **given["c"])

    tested.set_model_unet_function_wrapper(note)
    picture, mask = normal(5, 1, 16, 11, 6, 8), torch.ones(1, 1, 11, 6, 8)
    mask[:, :, 0] = 0
    more = {"concat_latent_image": picture, "concat_mask": mask}
    given = {"positive": tokens(1, 1, SD3_TEXT, **more), "negative": tokens(2, 1, SD3_TEXT, **more)}
    run_node(tested, SPACE, RIG, steps=1, cfg=1.0, views_per_batch=2, **given)
    shown = torch.cat(seen)
    expected = tested.model.process_latent_in(torch.stack([picture[0, :, begin : begin + 5] for begin in (0, 3, 6)]))
    masks = 1 - torch.stack([mask[0, :, begin : begin + 5] for begin in (0, 3, 6)])
    assert relative_error(shown[:, 4:], expected) <= 1e-5 and torch.equal(shown[:, :4], masks.expand(-1, 4, -1, -1, -1))


def test_an_edit_keeps_what_a_mask_keeps(model):
    start, mask = normal(7, 1, 16, 11, 6, 8), torch.zeros(41, 48, 64)
    mask[21:] = 1
    source = tokens(4, 1, SD3_TEXT)
    (edit,) = SyncEdit().build(1.5, "falling", 0.15, 1, "source", "shared", "off", 200, 0.0, 4, 0.02, 0.5, 0.0, source)
    given = {"samples": start, "noise_mask": mask}
    options = dict(cfg=CFG, denoise=0.7, steps=4, edit=edit, **TEXT)
    views, canonical = run_node(model, SPACE, RIG, canonical=given, **options)
    changed = (canonical["samples"] - start).abs().amax((0, 1, 3, 4))
    assert float(changed[:6].max()) == 0 < float(changed[6:].min())
    again = {"samples": views["samples"], "noise_mask": torch.ones(3, 48, 64)}
    views, _ = run_node(model, SPACE, RIG, views=again, **options)
    assert torch.isfinite(views["samples"]).all()


def test_whatever_has_a_frame_for_each_is_cut():
    scene = Scene(SPACE, RIG)
    frames, reference = normal(1, 1, 32, 11, 6, 8), normal(2, 1, 16, 1, 6, 8)
    given = [[torch.zeros(1, 2, 3), {"vace_frames": [frames], "reference_latents": [reference], "strength": 1.0}]]
    ((_, made),) = conds_of_views(scene, given, (3, 16, 5, 6, 8))
    assert torch.equal(made["vace_frames"][0][1], frames[0, :, 3:8]) and made["vace_frames"][0].shape[0] == 3
    assert made["reference_latents"][0] is reference and made["strength"] == 1.0
    assert given[0][1]["vace_frames"][0] is frames


def test_texts_for_clips(model):
    """A prompt for each clip by its number."""
    rows = {"positive": tokens(1, 3, SD3_TEXT), "negative": TEXT["negative"]}
    whole, _ = run_node(model, SPACE, RIG, cfg=CFG, views_per_batch=64, **rows)
    views, _ = run_node(model, SPACE, RIG, cfg=CFG, views_per_batch=1, **rows)
    assert relative_error(views["samples"], whole["samples"]) <= 1e-5
    other, _ = run_node(model, SPACE, RIG, cfg=CFG, **TEXT)
    assert relative_error(other["samples"], whole["samples"]) > 1e-4


def test_prompts_by_time():
    """Of clips and of frames: texts for the first half of a video."""
    for space, rig, first in ((SPACE, RIG, "view 1"), (*VideoSpace().build(64, 48, 3, False), "view 1")):
        made = view_prompts(lambda text: [[text, {}]], Scene(space, rig), "time 0..0.5: dawn\n*: noon", "", "", "")
        lines = [line for line in made.report.splitlines() if line.endswith("dawn")]
        assert lines[-1].startswith(f"prompts, {first}") and "time" in lines[0]


def test_clips_are_decoded_one_by_one_and_joined(model):
    views, canonical = run_node(model, SPACE, RIG, cfg=1.0, **TEXT)
    image, coverage = StitchViews().stitch(SPACE, RIG, views, VideoVae())
    assert image.shape == (41, 48, 64, 3) and bool((coverage == 1).all())
    exact = VideoVae().decode(canonical["samples"])[0]
    # (a clip's first latent frame is one picture: those that its neighbour alone shows are the neighbour's)
    assert relative_error(image[:1], exact[:1]) <= 1e-5 and relative_error(image, exact) < 0.05
    text = SyncReport().report(SPACE, RIG, views)["result"][0]
    assert "3 views of 64 x 48" in text and "holes 0.00 %" in text


def test_models_that_the_host_loads():
    """Wan with random weights, read as from a file, and its VAE: a video of two clips, decoded clip by clip, and in one
    piece by the host's VAE Decode, where both are the same but near where clips begin."""
    wan_model, wan_vae = (pytest.importorskip(f"comfy.ldm.wan.{name}") for name in ("model", "vae"))
    sizes = dict(dim=128, ffn_dim=64, num_heads=1, num_layers=1)
    network = wan_model.WanModel("t2v", **sizes, operations=import_module("comfy.ops").disable_weight_init)
    lively(network)
    weights = {name: value.float() for name, value in network.state_dict().items()}
    model = import_module("comfy.sd").load_diffusion_model_state_dict(weights)
    decoder = wan_vae.WanVAE(dim=8, z_dim=16, num_res_blocks=2, temperal_downsample=[False, True, True])
    for seed, value in enumerate(decoder.state_dict().values()):
        gains = len(value) == value.numel()
        value.copy_(torch.ones_like(value) if gains else normal(seed, *value.shape) / value[0].numel() ** 0.5)
    vae = LoadedVae(decoder)
    space, _ = VideoSpace().build(16, 16, 13, False)
    rig, count, _ = VideoClips().build(space, 9, 5, model)
    text = {"positive": tokens(1, 1, 4096), "negative": tokens(2, 1, 4096)}
    views, canonical = run_node(model, space, rig, cfg=CFG, **text)
    assert count == 2 and canonical["samples"].shape == (1, 16, 4, 2, 2)
    with torch.inference_mode():
        image, coverage = StitchViews().stitch(space, rig, views, vae)
        whole = vae.decode(canonical["samples"])[0]
        first = vae.decode(views["samples"][:1])[0]
    assert image.shape == whole.shape == (13, 16, 16, 3) and bool((coverage == 1).all()) and len(first) == 9
    assert relative_error(image[:4], whole[:4]) <= 1e-4 and relative_error(first[:9], whole[:9]) <= 1e-4
    assert float(whole.std()) > 0.01 and float((image - whole).abs().mean()) < 0.2


# --- the node


def test_the_node_knows_the_models_frames(model):
    space, _ = VideoSpace().build(64, 48, 41, False)
    rig, count, text = VideoClips().build(space, 17, 5, model, frames_per_latent=8)
    assert (rig.joined, count) == (4, 3) and "41 frames are 11 latent frames" in text
    assert "3 clips of 17 frames (5 of the latent), neighbours share 5 (2)" in text
    typed, count, _ = VideoClips().build(space, 17, 9, frames_per_latent=8)
    assert typed.joined == 8 and count == 4
    views, count = SyncTweediesViewLatents().build(space, rig, 1, model)
    assert views["samples"].shape == (3, 16, 5, 6, 8) and count == 3


def refused(ask, *words):
    with pytest.raises((ValueError, SyncError)) as caught:
        ask()
    one_line(caught.value, *words)


def test_what_clips_refuse(model):
    run = lambda **more: run_node(model, SPACE, RIG, **{**TEXT, **more})  # noqa: E731
    refused(lambda: run(rgb_vae=VideoVae()), "SyncTweediesSampler", "disconnect rgb_vae")
    refused(lambda: run(canonical={"samples": torch.zeros(1, 16, 21, 6, 8)}), "SyncTweediesSampler", "11 latent frames")
    refused(lambda: run(canonical={"samples": torch.zeros(1, 16, 11, 6, 7)}), "SyncTweediesSampler", "64 x 48")
    for name, value in (
        ("vace_frames", [torch.zeros(1, 32, 12, 6, 8)]),
        ("concat_latent_image", torch.zeros(1, 16, 9, 6, 8)),
    ):
        text = tokens(1, 1, SD3_TEXT, **{name: value})
        refused(lambda text=text: run(positive=text), "SyncTweediesSampler", name, "latent frames")
    refused(
        lambda: run(positive=tokens(1, 1, SD3_TEXT, audio_embed=torch.zeros(1, 11, 2, 2))),
        "SyncTweediesSampler",
        "audio_embed",
    )
    attention = (model, SPACE, RIG, 1.0, 2, -1, 0.0, 0.0, 1.0, 1.0, 0, 0)
    refused(lambda: CrossViewAttention().patch(*attention), "CrossViewAttention", "leave CrossViewAttention out")
    given = (SPACE, RIG, TEXT["positive"], torch.ones(1, 48, 64), 1.0, "default")
    refused(lambda: CanonicalPrompt().build(*given), "CanonicalPrompt", "ViewPrompts")
    refused(
        lambda: StitchViews().stitch(SPACE, RIG, images=torch.zeros(50, 48, 64, 3)),
        "StitchViews",
        "3 clips of 17 frames",
    )


def test_other_spaces_refuse_videos(model):
    latent = {"samples": torch.zeros(1, 16, 3, 8, 20)}
    refused(
        lambda: run_node(model, Plane(160, 64), Windows(64, 64, 32, 64), canonical=latent, **TEXT),
        "SyncTweediesSampler",
        "3 frames",
        "T = 1",
        "VideoClips",
    )


def test_what_the_node_refuses(model):
    space, single = VideoSpace().build(64, 48, 41, False)
    refused(lambda: VideoClips().build(Plane(64, 64), 17, 5), "VideoClips", "a space of kind plane has no frames")
    refused(lambda: VideoClips().build(space, 17, 5, windows=RIG), "VideoClips", "windows is a rig of clips")
    refused(lambda: VideoClips().build(space, 18, 5, model), "VideoClips", "use 17 or 21")
    refused(lambda: VideoClips().build(space, 45, 5, model), "VideoClips", "longer than the video of 41", "at most 41")
    assert single.kind == "windows" and math.isfinite(space.width)
