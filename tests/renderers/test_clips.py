"""Clips of a video: where they lie, what they show, and that their mean is what loops over frames make of them."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.videos import pan
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import clip_twins
from syncpack.renderers.directions import parse_selector, views_of
from syncpack.renderers.pictures import along_time, flat
from syncpack.renderers.plane.space import Windows
from syncpack.renderers.scene import Scene
from syncpack.renderers.video.clips import Clips, ClipWalk, clip_views, placed_clips
from syncpack.renderers.video.space import Video
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.walked import WalkedViews
from syncpack.sync_core.walked_mean import average_of

WINDOWS = Windows(24, 16, 8, 8)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def scene(frames: int, length: int, overlap: int, loop: bool = False, **more) -> Scene:
    return Scene(Video(32, 24, frames, loop), Clips(length, overlap, **more))


sizes = st.tuples(st.integers(0, 6), st.integers(2, 5), st.integers(1, 4), st.booleans(), st.sampled_from((1, 4, 8)))


def of(size: tuple[int, int, int, bool, int], windows: Windows | None = None) -> Scene:
    """A scene of (latent frames more than a clip's, of a clip, shared, loop, joined)."""
    more, length, shared, loop, joined = size
    shared = min(shared, length - 1)
    frames = (length + more) * joined if loop else (length + more - 1) * joined + 1
    return scene(frames, (length - 1) * joined + 1, (shared - 1) * joined + 1, loop, joined=joined, windows=windows)


@settings(max_examples=40)
@given(sizes)
def test_the_mean_of_clips_is_what_loops_make_of_them(size):
    tested = of(size)
    more, length, shared, loop, _ = size
    whole = length + more
    views, clip = tested.views(8), tested.geometry.clip
    assert (clip.latent, clip.whole) == (length, whole)
    begins = clip_twins.starts(whole, length, length - min(shared, length - 1), loop)
    assert views.count == len(begins) and (views.height, views.width) == (length * 3, 4)
    video = noise(whole, 2, 3, 4)
    canonical = flat(video.movedim(0, 1)[None])
    seen = along_time(views.project(canonical), length)
    expected = clip_twins.cut(video, begins, length)
    assert torch.equal(seen.movedim(2, 1), torch.stack(expected))
    changed = [part + noise(*part.shape, seed=number) for number, part in enumerate(expected)]
    mean = average_of(views)(flat(torch.stack(changed).movedim(1, 2)))
    twin = flat(clip_twins.joined(changed, begins, whole).movedim(0, 1)[None])
    torch.testing.assert_close(mean.double(), twin, rtol=1e-5, atol=1e-5)


@settings(max_examples=40)
@given(sizes, st.booleans())
def test_maps_walks_and_back(size, windowed):
    """A canonical signal comes back from its clips; projecting and adding up are each other's adjoint; walked views are
    the stored ones."""
    tested = of(size, WINDOWS if windowed else None)
    placement = placed_clips(tested.space, tested.rig, 8)
    views, walked = clip_views(placement, tested.rig), WalkedViews(ClipWalk(placement, tested.rig))
    z = noise(2, 3, *views.canonical)
    w = views.project(z)
    torch.testing.assert_close(Aggregator(views)(w), z, rtol=1e-5, atol=1e-5)
    assert torch.equal(walked.project(z), w)
    other = noise(*w.shape, seed=1)
    torch.testing.assert_close(average_of(walked)(other), Aggregator(views)(other), rtol=1e-5, atol=1e-5)
    assert torch.equal(walked.views_per_cell.cpu(), views.views_per_cell.cpu())
    shown = views.forward.indices.long().reshape(views.count, -1)
    added = torch.zeros(views.cells).index_add_(0, shown.reshape(-1), other[: views.count, 0].reshape(-1))
    inside = (w[: views.count, 0] * other[: views.count, 0]).sum()
    torch.testing.assert_close(inside, (z[0, 0].reshape(-1) * added).sum(), rtol=1e-4, atol=1e-4)
    sharing = [[len(set(a.tolist()) & set(b.tolist())) for b in shown] for a in shown]
    assert ClipWalk(placement, tested.rig).shared_cells().tolist() == sharing


def test_a_loop_may_begin_anywhere():
    """Clips of a loop that moves on by their distance are the next clips of the loop as it was."""
    tested = scene(48, 21, 9, loop=True)
    views = tested.views(8)
    assert views.count == 4 and placed_clips(tested.space, tested.rig, 8).starts == (0, 3, 6, 9)
    clips = noise(4, 2, views.height, views.width)
    mean = along_time(average_of(views)(clips), 12)
    moved = along_time(average_of(views)(clips.roll(1, 0)), 12)
    torch.testing.assert_close(moved, mean.roll(3, 2), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("loop", "windows"), [(False, None), (True, None), (False, WINDOWS), (True, WINDOWS)])
def test_pictures_of_clips_are_joined_to_the_video(loop, windows):
    """A latent frame's pictures are where its clip shows them: what is cut from a video comes back."""
    tested = scene(40 if loop else 41, 17, 5, loop, windows=windows)
    geometry, frames = tested.geometry, tested.space.frames
    video = torch.rand(1, 3, frames * 24, 32, generator=torch.Generator().manual_seed(2))
    cut = geometry.cut(video, 8)
    clips = geometry.count(8) // (1 if windows is None else 4)
    assert len(cut) == geometry.count(8) * 17 and clips == (4 if loop else 3)
    if windows is None:
        each = along_time(video, frames)[0].movedim(1, 0)
        begins = clip_twins.starts(10 if loop else 11, 5, 3, loop)
        expected = clip_twins.cut(each, [4 * begin for begin in begins], 17)
        assert torch.equal(cut, torch.cat(expected))
    picture, weight = geometry.stitch(8, iter(cut.movedim(1, -1)))
    torch.testing.assert_close(picture.movedim(-1, 0)[None], video, rtol=1e-5, atol=1e-6)
    assert float(weight.min()) > 0


def test_pictures_fade_into_each_other():
    tested = scene(29, 17, 5)
    clips = torch.cat([torch.zeros(17, 24, 32, 1), torch.ones(17, 24, 32, 1)])
    picture, _ = tested.geometry.stitch(8, clips)
    shown = picture.reshape(29, 24, 32)[:, 0, 0]
    assert bool((shown[:12] == 0).all()) and bool((shown[17:] == 1).all())
    inside = shown[11:18]
    assert bool((inside[1:] >= inside[:-1]).all()) and 0.4 < float(shown[14]) < 0.6


def test_masks_of_joined_frames():
    """Of the frames that one latent frame joins the largest; masks of latent frames, and one for all, as they are."""
    tested = scene(13, 9, 5)
    geometry, views = tested.geometry, tested.views(8)
    masks = torch.zeros(13, 24, 32)
    masks[0], masks[7] = 1, 1
    cells = along_time(geometry.mask_cells(masks, views)[:, None], 4)[0, 0]
    assert cells.shape == (4, 3, 4) and cells.amax((1, 2)).tolist() == [1, 0, 1, 0]
    own = torch.rand(1, 1, 4, 3, 4)
    assert torch.equal(geometry.mask_cells(own, views), own[:, 0].flatten(1, 2))
    one = geometry.mask_cells(torch.ones(24, 32), views)
    assert one.shape == (1, 12, 4) and bool((one == 1).all())
    looped = scene(12, 9, 5, loop=True)
    cells = along_time(looped.geometry.mask_cells(masks[:12], looped.views(8))[:, None], 3)[0, 0]
    assert cells.amax((1, 2)).tolist() == [1, 1, 0]


def test_what_is_told_of_clips():
    tested = scene(41, 17, 5, windows=WINDOWS)
    geometry = tested.geometry
    assert len(tested.view_places()) == 12 == geometry.count(8) and tested.view_size == (24, 16)
    selector = parse_selector("time 0.6..1 left")
    assert selector is not None and views_of(selector, tested.view_places(), False, "clips") == {8, 10}
    assert "time 0.23" in str(tested.view_places()[0])
    with pytest.raises(ValueError, match=r"time 0\.\.2 leaves the video"):
        parse_selector("time 0..2")
    assert geometry.middle(8) in range(4, 8)
    distances = geometry.distances(8)
    assert distances.shape == (12, 12) and bool((distances.diagonal() == 0).all()) and bool((distances >= 0).all())
    assert torch.equal(distances, distances.T)
    assert "41 frames of 32 x 24, 11 of the latent" in geometry.sight().text
    assert geometry.drawing(96, 0).shape[1] == 96
    counts = tested.views(8).views_per_cell.reshape(33, 4)
    assert geometry.count_picture(counts, 8).shape[-1] == 3


def test_a_seam_in_time_is_found():
    """Clips whose colours differ show where they begin; a video without borders shows none."""
    tested = scene(41, 17, 1)
    smooth = torch.linspace(0, 1, 11).reshape(1, 11, 1, 1).expand(2, -1, 3, 4)
    assert tested.geometry.seam_ratio(smooth.flatten(1, 2), 8) == pytest.approx(1, abs=1e-3)
    hard = smooth + (torch.arange(11) >= 4).reshape(1, 11, 1, 1)
    assert tested.geometry.seam_ratio(hard.flatten(1, 2), 8) > 10
    assert math.isnan(scene(17, 17, 5).geometry.seam_ratio(smooth[:, :5].flatten(1, 2), 8))


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (
            lambda: scene(80, 17, 5),
            "no video of this model, which joins 4 frames in one: 80 .* not 4 k .* 1; use 77 or 81",
        ),
        (lambda: scene(81, 18, 5), "length 18 does not suit this model, which joins 4 frames in one: .* use 17 or 21"),
        (lambda: scene(81, 17, 6), "overlap 6 does not suit .* use 5 or 9"),
        (lambda: scene(81, 17, 0), "overlap 0 does not suit this model.* use 1 or 5"),
        (lambda: scene(81, 17, 17), "overlap 17 is the whole clip of 17 frames; use at most 13"),
        (lambda: scene(81, 1, 1), "length 1 is one latent frame; use 5 or more"),
        (lambda: scene(13, 17, 5), "clips of 17 frames are longer than the video of 13; set length to at most 13"),
        (lambda: scene(12, 17, 5, True), "clips of 17 frames are longer than the video of 12; set length to at most 9"),
        (lambda: scene(81, 17, 5, True), "a loop of 81 frames is no video of this model.*: 80 or 84"),
        (lambda: scene(85, 17, 9, joined=8), "which joins 8 frames in one"),
        (lambda: scene(81, 17, 5, windows=Windows(64, 16, 8, 8)), "view width 64 is larger than the canvas"),
        (lambda: Scene(Video(64, 48, 5, motion=pan(5, 1)), Clips(5, 1)), "disconnect motion from VideoSpace"),
        (lambda: Scene(Video(32, 24, 17, noise="same"), Clips(17, 5)), "noise same makes a still of every clip"),
        (lambda: Clips(17, 5, 0), "0 frames cannot be joined"),
        (lambda: Clips(17, 5, taper="round"), "clip weights 'round' are unknown"),  # pyright: ignore[reportArgumentType]
        (lambda: scene(41, 17, 5).views_of_batch((3, 16, 6, 8)), "this model makes single pictures"),
        (lambda: scene(41, 17, 5).views_of_batch((3, 16, 4, 3, 4)), "4 frames does not hold clips of 5 latent frames"),
        (lambda: scene(41, 17, 5).views_of_batch((2, 16, 5, 3, 4)), "a batch of 2 does not match a rig of 3 views"),
        (lambda: scene(13, 9, 5).geometry.mask_cells(torch.ones(5, 3, 4), scene(13, 9, 5).views(8)), "5 masks for a"),
        (lambda: scene(29, 17, 5).geometry.stitch(8, torch.zeros(33, 24, 32, 3)), "33 frames for 2 clips of 17"),
        (lambda: scene(29, 17, 5).geometry.stitch(8, torch.zeros(34, 24, 24, 3)), "frame 1 of 24 x 24 does not fit"),
    ],
)
def test_what_makes_no_clips(make, line):
    with pytest.raises(ValueError, match=line) as caught:
        make()
    assert "\n" not in str(caught.value)
