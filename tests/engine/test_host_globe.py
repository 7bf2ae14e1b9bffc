"""360 degree videos through the engine: one frame is a panorama, frames come and go as spheres, and no seam shows,
around or in time."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from helpers.host_vaes import PatchVae, bounded
from helpers.hosting import analytic, opinionated, relative_error, run_node
from helpers.videos import rolling
from syncpack.nodes.engine.latents import to_views
from syncpack.nodes.engine.vae import GivenViews
from syncpack.nodes.panorama.nodes import EquirectViews
from syncpack.nodes.panorama.pictures import stitch_equirect
from syncpack.nodes.sampling.sampler import SyncTweediesViewLatents
from syncpack.nodes.video.video import cube_rig, video_report
from syncpack.nodes.views.stitch_nodes import StitchViews, SyncReport
from syncpack.renderers.globe.space import SphereVideo
from syncpack.renderers.panorama.space import Panorama
from syncpack.renderers.scene import Scene
from torch import Tensor

pytestmark = pytest.mark.host
RIG = cube_rig(128)


def smooth(x: Tensor, sigma: Tensor) -> Tensor:
    """An estimate that has something to agree on at every place: what is coarse of what is there."""
    return torch.nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False) / (1 + sigma**2).sqrt()


@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral"])
def test_a_video_of_one_frame_is_the_panorama_to_the_bit(sampler: str):
    for noise in ("same", "canvas"):
        views, whole = run_node(opinionated(), Panorama(128, 64), RIG, sampler_name=sampler)
        frames: Any = SphereVideo(128, 64, 1, noise=noise)  # pyright: ignore[reportArgumentType]
        seen, film = run_node(opinionated(), frames, RIG, sampler_name=sampler)
        assert torch.equal(seen["samples"], views["samples"]) and torch.equal(film["samples"], whole["samples"])


def test_frames_of_one_noise_are_one_panorama():
    _, whole = run_node(opinionated(), Panorama(128, 64), RIG)
    _, film = run_node(opinionated(), SphereVideo(128, 64, 3), RIG)
    assert film["samples"].shape == (3, 4, 8, 16), "as many latents as frames, for a VAE Decode"
    assert relative_error(film["samples"], whole["samples"].expand(3, -1, -1, -1)) < 1e-5
    _, apart = run_node(opinionated(), SphereVideo(128, 64, 3, noise="canvas"), RIG)
    assert relative_error(apart["samples"][1:], apart["samples"][:1].expand(2, -1, -1, -1)) > 0.1


@pytest.mark.parametrize("process", [0, 2, 5, 54])
def test_processes_run_along_a_motion(process: int):
    """A camera that turns by a quarter a frame: what one saw on its right, it sees ahead in the next."""
    space = SphereVideo(128, 64, 3, motion=rolling(3, 32, 64), noise="canvas")
    views, whole = run_node(opinionated(), space, RIG, process=process)
    assert bool(torch.isfinite(whole["samples"]).all()) and whole["samples"].shape == (3, 4, 8, 16)
    seen = views["samples"].reshape(3, 6, 4, 4, 4)
    agree = [bool(torch.allclose(seen[t, 0], seen[t - 1, 1], atol=1e-5)) for t in (1, 2)]
    assert agree == [process != 0] * 2


def test_pictures_are_averaged_along_the_motion():
    space = SphereVideo(64, 32, 2, motion=rolling(2, 16, 32))
    rig = cube_rig(64)
    pictures, _ = run_node(bounded(192), space, rig, rgb_vae=PatchVae(), views_per_batch=5)
    whole, _ = run_node(bounded(192), space, rig, rgb_vae=PatchVae())
    assert relative_error(pictures["samples"], whole["samples"]) < 1e-4
    seen = pictures["samples"].reshape(2, 6, 192, 2, 2)
    assert torch.allclose(seen[1, 0], seen[0, 1], atol=1e-4), "what was on the right is ahead, pixel by pixel"


def test_no_seam_around_and_none_in_time():
    """A camera that goes once around: from the last frame to the first as from any to the next, and no further."""
    motion = rolling(8, 32, 128, loop=True)
    space, rig = SphereVideo(256, 128, 8, True, motion), cube_rig(256)
    _, film = run_node(analytic(smooth), space, rig, seed=3)
    frames = film["samples"].movedim(1, -1) / 8 + 0.5
    figures, elsewhere = (
        json.loads(video_report(frames.roll(by, 2), motion.on_cells(8), None)[1]) for by in (0, frames.shape[2] // 4)
    )
    assert figures["known"] > 0.999 and figures["psnr"] > 25 and figures["seam"] <= 1.05
    # (a column in the middle of a view has more contrast than one where two are averaged: the next such one is told)
    assert figures["seam_around"] / elsewhere["seam_around"] == pytest.approx(1, abs=0.05)


def test_canvases_are_frames():
    space, frames = SphereVideo(64, 32, 3), torch.rand(3, 32, 64, 3)
    rig = cube_rig(64)
    scene = Scene(space, rig)
    latents = torch.randn(3, 4, 4, 8, generator=torch.Generator().manual_seed(0))
    seen = to_views(scene, {"samples": latents, "noise_mask": torch.rand(3, 32, 64)})
    assert seen["samples"].shape == (18, 4, 2, 2) and seen["noise_mask"].shape == (18, 1, 2, 2)
    one = to_views(Scene(Panorama(64, 32), rig), {"samples": latents[1:2]})
    assert torch.equal(seen["samples"][6:12], one["samples"])
    views, count = SyncTweediesViewLatents().build(space, rig, 2)
    assert views["samples"].shape == (36, 4, 2, 2) and count == 18
    images, _ = EquirectViews().look(rig, frames)
    film, coverage = StitchViews().stitch(space, rig, images=images)
    assert film.shape == frames.shape and bool((coverage == 1).all())
    joined, _ = stitch_equirect(space, rig, GivenViews(None, None, images), 4.0, "smooth")
    assert joined.shape == frames.shape
    alone, _ = stitch_equirect(Panorama(64, 32), rig, GivenViews(None, None, images[6:12]), 4.0, "smooth")
    assert torch.equal(joined[1:2], alone)
    with pytest.raises(ValueError, match=r"^17 views do not match a rig of 18 views; connect all views of this rig$"):
        stitch_equirect(space, rig, GivenViews(None, None, images[:17]), 4.0, "smooth")
    text, *_ = SyncReport().report(space, rig, {"samples": torch.rand(18, 4, 2, 2)})["result"]
    assert "18 views of 16 x 16" in text and "holes 0.00 %" in text
