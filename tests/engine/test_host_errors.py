"""Bad input is refused in one line that names the node, the value and the fix."""

import math
from typing import Any

import pytest
import torch
from helpers.hosting import (
    LABELS,
    PLAN,
    OwnNoise,
    Plane,
    SyncTweediesNoise,
    SyncTweediesSamplerWrap,
    Windows,
    advanced,
    comfy,
    gaussian,
    host,
    one_line,
    run_advanced,
    run_node,
    run_patched,
)
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.sampling.sampler import SyncTweediesViewLatents
from syncpack.nodes.views.spaces import CanonicalSpace, ViewRig
from syncpack.nodes.views.stitch_nodes import StitchViews, SyncReport

pytestmark = pytest.mark.host

SPACE, RIG, VIEWS = Plane(128, 64), Windows(64, 64, 32, 64), 3
LATENT = torch.zeros(VIEWS, 4, 8, 8)


def refused(node, call, *parts):
    with pytest.raises(SyncError) as caught:
        call()
    return one_line(caught.value, node, *parts)


def space(**changes):
    return CanonicalSpace().build(
        **{"kind": "plane", "width": 64, "height": 64, "wrap_x": False, "wrap_y": False, **changes}
    )


def rig(**changes):
    inputs = {"kind": "windows", "width": 64, "height": 64, "spacing": "stride", "pixels": 32, "weights": "hann"}
    return ViewRig().build(**{**inputs, **changes})


# Sizes


@pytest.mark.parametrize("side", ["width", "height"])
@pytest.mark.parametrize("value", [0, -8])
def test_a_space_without_size(side, value):
    refused("CanonicalSpace", lambda: space(**{side: value}), f"{side} {value}", "use at least 1")


@pytest.mark.parametrize("side", ["width", "height"])
@pytest.mark.parametrize("value", [0, -8])
def test_a_view_without_size(side, value):
    refused("ViewRig", lambda: rig(**{side: value}), f"{side} {value}", "use the size")


def test_windows_that_do_not_move():
    for pixels in (0, -8):
        refused("ViewRig", lambda p=pixels: rig(pixels=p), f"stride {pixels}", "use 1 to 64")


def test_stride_larger_than_the_window():
    refused("ViewRig", lambda: rig(pixels=72), "stride 72", "64", "use at most 64")


@pytest.mark.parametrize("pixels", [64, 72])
def test_overlap_that_is_the_window(pixels):
    refused("ViewRig", lambda: rig(spacing="overlap", pixels=pixels), f"overlap {pixels}", "use less")


def test_negative_overlap():
    refused("ViewRig", lambda: rig(spacing="overlap", pixels=-8), "stride 72", "use at most 64")


@pytest.mark.parametrize(
    "window, name, limit", [(Windows(256, 64, 64, 64), "width 256", 128), (Windows(64, 128, 64, 64), "height 128", 64)]
)
def test_window_larger_than_the_canvas(window, name, limit):
    model = gaussian()
    parts = (name, f"{limit} pixels", f"use at most {limit}")
    refused("SyncTweediesSampler", lambda: run_node(model, SPACE, window), *parts)
    refused("SyncTweediesViewLatents", lambda: SyncTweediesViewLatents().build(SPACE, window, 1, model), *parts)
    images = torch.zeros(1, window.height, window.width, 3)
    refused("StitchViews", lambda: StitchViews().stitch(SPACE, window, images=images), *parts)
    latent = torch.zeros(1, 4, window.height // 8, window.width // 8)
    refused("SyncReport", lambda: SyncReport().report(SPACE, window, {"samples": latent}), *parts)
    refused("SyncTweediesPatch", lambda: run_patched(model, SPACE, window, latent), *parts)


def test_sizes_that_do_not_lie_on_the_latent():
    refused("SyncTweediesSampler", lambda: run_node(gaussian(), SPACE, Windows(60, 64, 32, 64)), "width 60", "use 64")
    refused("SyncTweediesSampler", lambda: run_node(gaussian(), SPACE, Windows(64, 64, 20, 64)), "stride 20", "use ")


def test_a_ring_that_is_no_whole_number_of_cells():
    ring = Plane(100, 64, wrap_x=True)
    refused("SyncTweediesSampler", lambda: run_node(gaussian(), ring, RIG), "width 100 cannot wrap", "use 104")


# Latents


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_batch_that_does_not_match_the_rig(count):
    model, latent = gaussian(), torch.zeros(count, 4, 8, 8)
    parts = (f"a batch of {count}", "3 views", "connect SyncTweediesViewLatents")
    refused("SyncTweediesNoise", lambda: run_advanced(model, SPACE, RIG, {"samples": latent}), *parts)
    refused("SyncTweediesPatch", lambda: run_patched(model, SPACE, RIG, latent), *parts)
    (sampler,) = SyncTweediesSamplerWrap().wrap(comfy.samplers.sampler_object("euler"), SPACE, RIG, **PLAN)
    noise = OwnNoise(5)
    refused("SyncTweediesSamplerWrap", lambda: advanced(model, noise, sampler, {"samples": latent}), *parts)
    refused("SyncReport", lambda: SyncReport().report(SPACE, RIG, {"samples": latent}), *parts)
    images = torch.zeros(count, 64, 64, 3)
    refused("StitchViews", lambda: StitchViews().stitch(SPACE, RIG, images=images), f"{count} images", "3 views")


def test_views_of_another_size():
    latent = {"samples": torch.zeros(VIEWS, 4, 8, 9)}
    parts = ("9 x 8 cells", "64 x 64", "connect SyncTweediesViewLatents")
    refused("SyncTweediesNoise", lambda: run_advanced(gaussian(), SPACE, RIG, latent), *parts)
    images = torch.zeros(VIEWS, 32, 64, 3)
    refused("StitchViews", lambda: StitchViews().stitch(SPACE, RIG, images=images), "64 x 32", "64 x 64", "connect")


def test_a_canonical_latent_of_another_size():
    latent = {"samples": torch.zeros(1, 4, 8, 12)}
    call = lambda: run_node(gaussian(), SPACE, RIG, canonical=latent)  # noqa: E731
    refused("SyncTweediesSampler", call, "12 x 8 cells", "128 x 64", "scale the image")


def test_a_mask_batch_that_does_not_match():
    latent = {"samples": torch.zeros(2, 4, 8, 16), "noise_mask": torch.ones(3, 64, 128)}
    call = lambda: run_node(gaussian(), SPACE, RIG, canonical=latent)  # noqa: E731
    refused("SyncTweediesSampler", call, "3 masks for 2", "use one mask")


def test_videos_are_refused():
    model, whole, views = gaussian(), torch.zeros(1, 4, 5, 8, 16), torch.zeros(VIEWS, 4, 5, 8, 8)
    parts = ("5 frames", "T = 1")
    refused("SyncTweediesSampler", lambda: run_node(model, SPACE, RIG, canonical={"samples": whole}), *parts)
    latents = SyncTweediesViewLatents()
    refused("SyncTweediesViewLatents", lambda: latents.build(SPACE, RIG, 1, model, {"samples": whole}), *parts)
    (noise,) = SyncTweediesNoise().build(SPACE, RIG, 5, "polar")
    refused("SyncTweediesNoise", lambda: noise.generate_noise({"samples": views}), *parts)
    refused("SyncReport", lambda: SyncReport().report(SPACE, RIG, {"samples": views}), *parts)


def test_denoise_without_a_picture():
    parts = ("denoise 0.5", "connect canonical")
    refused("SyncTweediesSampler", lambda: run_node(gaussian(), SPACE, RIG, denoise=0.5), *parts)


def test_nothing_to_stitch():
    refused("StitchViews", lambda: StitchViews().stitch(SPACE, RIG), "connect views with a vae, or images")


# Plans


@pytest.mark.parametrize("process, sampler", [(3, "dpmpp_2m"), (20, "uni_pc"), (6, "heun")])
def test_samplers_a_process_cannot_use(process, sampler):
    model, parts = gaussian(), (f"process {process}", sampler, "use euler or ddim")
    refused("SyncTweediesSampler", lambda: run_node(model, SPACE, RIG, process=process, sampler_name=sampler), *parts)
    options: dict[str, Any] = {"process": LABELS[process], "name": sampler}
    refused("SyncTweediesSamplerWrap", lambda: run_advanced(model, SPACE, RIG, {"samples": LATENT}, **options), *parts)
    if host.HAS_WRAPPERS:
        refused("SyncTweediesPatch", lambda: run_patched(model, SPACE, RIG, LATENT, **options), *parts)
    else:
        refused(
            "SyncTweediesPatch", lambda: run_patched(model, SPACE, RIG, LATENT, **options), "use SyncTweediesSampler"
        )
    assert not model.model.calls, "refused before the model is called"


def test_a_sampler_without_a_function():
    class Foreign(comfy.samplers.Sampler):
        pass

    wrap = lambda: SyncTweediesSamplerWrap().wrap(Foreign(), SPACE, RIG, **PLAN)  # noqa: E731
    refused("SyncTweediesSamplerWrap", wrap, "'Foreign'", "connect KSamplerSelect")


@pytest.mark.parametrize(
    "changes, parts",
    [
        ({"sync_start": 0.8, "sync_end": 0.5}, ("sync_start 0.8", "sync_end 0.5")),
        ({"sync_every": 0}, ("sync_every 0", "use 1")),
        ({"sync_strength": 1.5}, ("sync_strength 1.5", "from 0 to 1")),
        ({"sync_end": math.nan}, ("sync_end is no number",)),
        ({"travel_start": math.nan}, ("travel_start is no number",)),
        ({"travel_times": 2, "travel_end": math.inf}, ("travel_end inf", "from 0 to 1")),
        ({"variance_correction": math.nan}, ("variance_correction is no number",)),
        ({"noise": "pink"}, ("'pink'", "polar, projected, independent")),
        ({"aggregation": "median"}, ("'median'", "mean, least_squares")),
        ({"process": 5, "sync_start": 0.5}, ("process 5", "use process 2")),
        ({"batch_size": 0}, ("batch_size 0", "use 1")),
    ],
)
def test_plans_that_make_no_sense(changes, parts):
    refused("SyncTweediesSampler", lambda: run_node(gaussian(), SPACE, RIG, **changes), *parts)
