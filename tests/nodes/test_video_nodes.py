"""The nodes of videos: what sizes come along, what is told, and what is refused."""

from __future__ import annotations

import json

import pytest
import torch
from helpers.hosting import PLAN  # noqa: F401  (skips where there is no host)
from helpers.videos import pan, panned, spheres, turned
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.sampling.sampler import SyncTweediesViewLatents
from syncpack.nodes.video.nodes import VideoMotion, VideoReport, VideoSpace
from syncpack.renderers.scene import Scene

pytestmark = pytest.mark.host


def test_size_and_number_come_from_what_is_connected():
    typed, _ = VideoSpace().build(96, 32, 7, False)
    assert (typed.width, typed.height, typed.frames, typed.shared_noise) == (96, 32, 7, "same")
    shown, rig = VideoSpace().build(96, 32, 7, False, video=torch.rand(3, 48, 64, 3))
    assert (shown.width, shown.height, shown.frames) == (64, 48, 3) and (rig.width, rig.height) == (64, 48)
    moving, _ = VideoSpace().build(96, 32, 7, False, motion=pan(4, 2))
    assert (moving.width, moving.height, moving.frames, moving.shared_noise) == (64, 48, 4, "warped")
    assert len(Scene(shown, rig).view_places()) == 3


def test_latents_for_the_hosts_samplers_are_frames():
    space, rig = VideoSpace().build(64, 48, 5, False)
    views, count = SyncTweediesViewLatents().build(space, rig, 2)
    assert views["samples"].shape == (10, 4, 6, 8) and count == 5


def test_a_motion_is_found_shown_and_told():
    frames = panned(3, 4)
    motion, new, picture, text = VideoMotion().find(frames, False, "lucas-kanade")
    assert new.shape == (3, 48, 64) and bool((new[0] == 1).all()) and 0.03 < float(new[1:].mean()) < 0.15
    assert picture.shape == (3, 48, 64, 3) and float(picture.amin()) >= 0 and float(picture.amax()) <= 1
    assert text.startswith("3 frames of 64 x 48, no loop\nmotion 4.") and "goes on from the one before" in text
    report, figures = VideoReport().report(frames, motion, style=frames[:1])
    assert report.startswith("3 frames\nneighbours agree along the motion: PSNR ")
    found = json.loads(figures)
    assert found["psnr"] > 30 and found["seam"] is None and found["style_away"] < 0.5 and found["known"] > 0.85


def test_a_report_in_place_measures_the_seam():
    frames = torch.stack([torch.full((16, 16, 3), value) for value in (0.5, 0.6, 0.7)])
    text, figures = VideoReport().report(frames)
    assert "neighbours agree in place: PSNR 20.0 dB (least 20.0)" in text
    assert "last frame to first 2.00 times as far as neighbours are" in text
    assert json.loads(figures)["seam"] == pytest.approx(2, abs=1e-3)
    text, figures = VideoReport().report(frames[:1].expand(3, -1, -1, -1))
    assert "neighbours are equal in place" in text and json.loads(figures)["frames_agree_exactly"] is True


def test_a_360_video_is_seen_by_six_cameras_and_found_by_its_turn():
    frames, _, _ = spheres(2, turned((0, 1, 0), 15.0))
    motion, new, _, text = VideoMotion().find(frames, False, "lucas-kanade", None, "panorama")
    assert text.startswith("2 frames of 96 x 48, no loop\nmotion 4.0 pixels a frame") and not bool(new[1].any())
    space, rig = VideoSpace().build(64, 64, 9, False, motion=motion, projection="panorama")
    assert (space.width, space.frames, rig.width, len(rig.looks)) == (96, 2, 24, 6)
    scene = Scene(space, rig)
    assert len(scene.view_places()) == 12 and scene.geometry.coverage().unseen == 0
    report, figures = VideoReport().report(frames, motion)
    assert "seam ratio where the left edge meets the right" in report
    assert json.loads(figures)["seam_around"] == pytest.approx(1, abs=0.3)
    assert json.loads(VideoReport().report(frames)[1])["seam_around"] is None


@pytest.mark.parametrize(
    ("ask", "line"),
    [
        (
            lambda: VideoMotion().find(panned(1, 2), False, "auto"),
            "VideoMotion: 1 frame has no motion; connect",
        ),
        (lambda: VideoReport().report(panned(1, 2)), "VideoReport: 1 frame has no neighbour to compare with; connect"),
        (lambda: VideoSpace().build(64, 48, 3, True, motion=pan(3, 2)), "VideoSpace: the motion knows no way from the"),
        (
            lambda: VideoSpace().build(64, 48, 3, False, projection="panorama"),
            "VideoSpace: a frame of 64 x 48 is no panorama, which is twice as wide as high; use 80 x 40, or projection",
        ),
        (
            lambda: VideoSpace().build(64, 32, 3, False, motion=pan(3, 2, 32), projection="panorama"),
            "VideoSpace: the motion is of flat frames, the space's are panorama; set projection of VideoMotion and of",
        ),
        (lambda: VideoSpace().build(64, 32, 3, False, projection="ball"), "VideoSpace: projection 'ball' is unknown;"),
        (
            lambda: VideoSpace().build(64, 48, 3, False, motion="left"),
            "VideoSpace: motion is str; connect Vid",
        ),
        (
            lambda: VideoSpace().build(64, 48, 3, False, torch.rand(3, 40, 64, 3), pan(3, 2)),
            "VideoSpace: a motion of 64 x 48 pixels for frames of 64 x 40; make it from frames of that size",
        ),
        (
            lambda: VideoMotion().find(panned(3, 2), False, "auto", torch.zeros(2, 40, 64, 3)),
            "VideoMotion: a flow of 64 x 40 for frames of 64 x 48; make it from frames of that size",
        ),
        (
            lambda: VideoMotion().find(panned(3, 2), False, "auto", torch.full((2, 48, 64, 3), float("nan"))),
            "VideoMotion: the flow holds values that are no numbers; make it anew, or mend its picture",
        ),
        (
            lambda: VideoReport().report(panned(3, 2), pan(4, 2)),
            "VideoReport: a motion of 4 frames for a vi",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(ask: object, line: str):
    with pytest.raises((ValueError, SyncError)) as caught:
        ask()  # pyright: ignore[reportCallIssue]
    assert str(caught.value).startswith(line) and "\n" not in str(caught.value)
