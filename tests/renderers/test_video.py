"""Videos as canonical spaces: frames that read each other along a motion, estimated, given, or known."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.videos import grain, layered, pan, panned
from syncpack.renderers.pictures import in_frames, in_one
from syncpack.renderers.plane.space import Plane, Windows
from syncpack.renderers.scene import Scene
from syncpack.renderers.video import geometry as video_geometry
from syncpack.renderers.video.figures import steadiness
from syncpack.renderers.video.flow import lucas_kanade, motion_of
from syncpack.renderers.video.given import given_motion
from syncpack.renderers.video.motion import Motion, returns
from syncpack.renderers.video.space import Video
from syncpack.renderers.video.tracks import Tracks
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.noise import view_noise
from syncpack.sync_core.views import ViewSet
from syncpack.sync_core.walked_mean import average_of
from torch import Tensor

WHOLE = Windows(64, 48, 64, 48, "flat")


def stored(scene: Scene, cell: int = 1) -> ViewSet:
    views = scene.views(cell)
    assert isinstance(views, ViewSet)
    return views


def test_frames_lie_below_each_other_and_come_apart_again():
    frames = torch.arange(2 * 3 * 4 * 2 * 5).reshape(6, 4, 2, 5)
    one = in_one(frames, 3)
    assert one.shape == (2, 4, 6, 5) and torch.equal(one[1, :, 2:4], frames[4])
    assert torch.equal(in_frames(one, 3), frames)
    assert torch.equal(in_frames(in_one(frames[:, :, None], 3), 3), frames[:, :, None])


@pytest.mark.parametrize("step", [3.0, 0.4])
def test_frames_read_what_the_first_showed(step: float):
    """Positions are rounded once: ten frames of .4 pixels are four pixels, not none."""
    tracks = Tracks.of(pan(10, step), loop=False, between=False)
    assert tracks.most == 1 and bool((tracks.shares == 1).all())
    cells = tracks.cells.reshape(10, 48, 64)
    for number in range(10):
        moved = round(step * number)
        there = torch.arange(64 - moved - 1) + moved
        assert torch.equal(cells[number, 7, : len(there)].long(), 7 * 64 + there)
    begun = cells[9, 7, 63].item()
    assert begun >= 7 * 48 * 64, "what no frame showed before begins in a frame of its own"


def test_between_pixels_four_cells_are_read():
    tracks = Tracks.of(pan(2, 0.25), loop=False, between=True)
    cells, shares = tracks.cells.reshape(2, 48, 64, 4)[1, 5, 10], tracks.shares.reshape(2, 48, 64, 4)[1, 5, 10]
    read = dict(zip(cells[shares > 0].tolist(), shares[shares > 0].tolist(), strict=True))
    assert read == pytest.approx({5 * 64 + 10: 0.75, 5 * 64 + 11: 0.25}, abs=1e-5)
    assert bool((Tracks.of(pan(2, 3), loop=False, between=True).shares.amax(1) == 1).all())


def test_a_loop_that_closes_reads_one_cell_and_one_that_does_not_fades():
    """There and back again by whole pixels: both ways to the first frame end at the same cell."""
    back = torch.zeros(4, 48, 64, 2)
    back[:, :, :, 0] = torch.tensor([3.0, 3.0, -3.0, -3.0])[[3, 0, 1, 2], None, None]
    closing = Motion.of(back, -back.roll(-1, 0), True)
    tracks = Tracks.of(closing, loop=True, between=False)
    middle = tracks.shares.reshape(4, 48, 64, 2)[:, 4:-4, 10:-10]
    assert bool((middle[..., 0] == 1).all())
    drifting = Tracks.of(pan(4, 1, loop=True), loop=True, between=False)
    assert torch.allclose(drifting.shares.sum(1), torch.ones(4 * 48 * 64))
    late = drifting.shares.reshape(4, 48, 64, 2)[:, 20, 30, 1]
    assert late.tolist() == pytest.approx([0, 0.25, 0.5, 0.75])


def test_what_comes_into_a_loop_and_goes_is_one_thing():
    """A camera that goes once around 96 pixels: no place is in view all the way, so none fades, and the last frame
    shows what the first one does."""
    motion = pan(12, 8, loop=True)
    tracks = Tracks.of(motion, loop=True, between=False)
    assert bool((tracks.shares.amax(1) == 1).all())
    first = tracks.first.reshape(12, 48, 64)
    assert torch.equal(first[11, :, 8:], first[0, :, :56])


def test_frames_become_one_exactly_along_a_known_motion():
    """F.A: neighbours agree to the bit where the motion holds, and a video that agrees already keeps every bit."""
    motion, draw = pan(4, 5), torch.Generator().manual_seed(0)
    views = stored(Scene(Video(64, 48, 4, motion=motion), WHOLE))
    noisy = torch.rand(4, 3, 48, 64, generator=draw)
    together = views.project(Aggregator(views)(noisy))
    assert steadiness(together.movedim(1, -1), motion).mean == math.inf
    assert steadiness(noisy.movedim(1, -1), motion).mean < 10
    again = views.project(Aggregator(views)(together))
    assert torch.allclose(again, together, atol=1e-6)
    still = stored(Scene(Video(64, 48, 4), WHOLE))
    assert torch.equal(still.project(Aggregator(still)(noisy)), noisy), "without a motion frames are by themselves"


def test_noise_is_the_same_its_own_or_moves_with_the_scene():
    draw = torch.Generator().manual_seed(0)

    def noise(**given: object) -> Tensor:
        views = Scene(Video(64, 48, 3, **given), WHOLE).noise_views(1)  # pyright: ignore[reportArgumentType]
        canonical = torch.randn(1, 2, *views.canonical, generator=draw)
        return view_noise(views, "polar", canonical, lambda: torch.randn(3, 2, 48, 64, generator=draw))

    same, canvas, warped = noise(), noise(noise="canvas"), noise(motion=pan(3, 4))
    assert torch.equal(same[0], same[2]) and not torch.equal(canvas[0], canvas[2])
    assert torch.equal(warped[0, :, :, 8:], warped[2, :, :, :-8]) and not torch.equal(warped[0], warped[2])
    assert torch.equal(noise(noise="same", motion=pan(3, 4))[0], noise(noise="same")[0]) is False
    for each in (same, canvas, warped):
        assert float(each.std()) == pytest.approx(1, abs=0.03) and abs(float(each.mean())) < 0.03


def test_views_that_are_walked_are_the_stored_ones(monkeypatch: pytest.MonkeyPatch):
    draw = torch.Generator().manual_seed(0)
    space, rig = Video(64, 48, 3, True, pan(3, 2.3, loop=True), sampling="bilinear"), Windows(32, 32, 32, 16)
    plain = Scene(space, rig).views(1)
    monkeypatch.setattr(video_geometry, "too_large", lambda entries: True)
    walked = Scene(space, rig).views(1)
    assert type(walked) is not type(plain) and walked.count == plain.count == 12
    batch = torch.rand(12, 2, 32, 32, generator=draw)
    a, b = average_of(plain)(batch), average_of(walked)(batch)
    assert torch.allclose(a, b, atol=1e-5) and torch.allclose(plain.project(a), walked.project(a), atol=1e-5)


def test_windows_inside_frames_never_cross_from_one_to_the_next():
    scene = Scene(Video(64, 48, 3), Windows(32, 32, 16, 16))
    geometry, video = scene.geometry, torch.rand(3, 3, 48, 64)
    whole = geometry.on_canvas(video)
    assert whole.shape == (1, 3, 144, 64) and len(geometry.places()) == geometry.count(8) == 18
    cut = geometry.cut(whole, 8)
    plane = Scene(Plane(64, 48), Windows(32, 32, 16, 16)).geometry
    assert torch.equal(cut[6:12], plane.cut(video[1:2], 8))
    picture, weight = geometry.stitch(8, cut.movedim(1, -1))
    assert torch.allclose(picture.movedim(-1, 0), whole[0], atol=1e-6) and bool((weight > 0).all())
    assert geometry.seam_ratio(whole[0], 8) == pytest.approx(
        sum(plane.seam_ratio(frame, 8) for frame in video) / 3, rel=1e-5
    )
    assert geometry.places()[7].x == geometry.places()[1].x and geometry.places()[7].index == 7
    assert "18 views of 32 x 32 on 3 frames of 64 x 48" in geometry.sight().text
    assert geometry.drawing(128, 0).ndim == 3


def test_masks_and_pictures_come_one_a_frame_or_one_for_all():
    geometry = Scene(Video(64, 48, 3), WHOLE).geometry
    views = Scene(Video(64, 48, 3), WHOLE).views(8)
    masks = torch.rand(3, 48, 64).round()
    assert geometry.mask_cells(masks, views).shape == (1, 18, 8)
    assert torch.equal(geometry.mask_cells(masks[:1], views)[0, :6], geometry.mask_cells(masks[:1], views)[0, 12:])
    assert geometry.on_canvas(torch.rand(1, 3, 96, 128)).shape == (1, 3, 144, 64)
    with pytest.raises(ValueError, match=r"^2 pictures for a video of 3 frames; connect one for each frame, or one"):
        geometry.on_canvas(torch.rand(2, 3, 48, 64))
    with pytest.raises(ValueError, match=r"^2 masks for a video of 3 frames; connect one for each, or one for all$"):
        geometry.mask_cells(masks[:2], views)
    with pytest.raises(ValueError, match=r"^a picture of 48 x 48 does not show a canvas of 64 x 48"):
        geometry.on_canvas(torch.rand(3, 3, 48, 48))


def test_what_a_motion_hides_is_no_hole():
    found = Scene(Video(64, 48, 4, motion=pan(4, 8)), WHOLE).geometry
    assert found.coverage().holes == 0 and int(found.coverage().per_cell.max()) == 4
    assert found.sight().warning == ""
    real = found.real_cells(Scene(Video(64, 48, 4, motion=pan(4, 8)), WHOLE).views(8))
    assert int(real.sum()) == 6 * (8 + 3), "a column of cells for each frame"


@pytest.mark.parametrize("step", [5.0, 2.6])
def test_our_own_flow_finds_a_pan(step: float):
    frames = panned(2, step)
    motion = motion_of(frames, False, "lucas-kanade")
    true = pan(2, step)
    off = (motion.ahead[0] - true.ahead[0]).norm(dim=-1)[true.before[0]]
    assert float(off.median()) < 0.15 and float(off.quantile(0.95)) < 0.4
    assert float((motion.before[0] & true.before[0]).sum() / true.before[0].sum()) > 0.95
    assert float((motion.before[0] & ~true.before[0]).float().mean()) < 0.02


def test_what_is_hidden_is_nowhere():
    """A disc before a ground that goes the other way: the check there and back leaves out most of what it covers."""
    frames, ways, masks = layered()
    first, second = frames.movedim(-1, 1)
    there, back = lucas_kanade(first, second), lucas_kanade(second, first)
    known, off = returns(there, back), (there - ways[0]).norm(dim=-1)
    lands = (torch.arange(64) + ways[0, ..., 0].long()).clamp(0, 63)
    hidden = masks[1].gather(1, lands) & ~masks[0]
    inside = lands == torch.arange(64) + ways[0, ..., 0].long()
    seen = inside & ~hidden
    assert float(off[seen].median()) < 0.2 and float((known & seen).sum() / seen.sum()) > 0.85
    assert float((known & hidden).sum() / hidden.sum()) < 0.5 and float((known & (off > 1.5)).float().mean()) < 0.05


def test_given_flows_are_coordinates_or_pixels():
    frames, true = panned(3, 4), pan(3, 4)
    pixels = true.ahead[:2].movedim(-1, 1)
    across = (torch.arange(64) - 4 + 0.5) / 64
    down = (torch.arange(48)[:, None] + 0.5) / 48
    coordinates = torch.stack(torch.broadcast_tensors(across, down, torch.zeros(())), -1).expand(2, -1, -1, -1)
    for given in (pixels, coordinates, list(pixels), true.ahead[:2]):
        found = given_motion(given, frames, False)
        assert torch.allclose(found.ahead[:2], true.ahead[:2], atol=1e-4)
        assert torch.equal(found.behind, true.behind) and torch.allclose(
            found.back[true.behind], true.back[true.behind], atol=1e-4
        )


def test_steadiness_by_hand():
    frames = torch.full((3, 48, 64, 3), 0.5)
    frames[1] += 0.1
    found = steadiness(frames, None)
    assert found.psnr == pytest.approx((20, 20), abs=1e-3) and found.mean == pytest.approx(20, abs=1e-3)
    assert found.last == math.inf and found.seam == 0 and found.known == 1
    moving = panned(4, 5)
    assert steadiness(moving, pan(4, 5)).mean == math.inf and steadiness(moving, None).mean < 25
    assert math.isnan(steadiness(moving, pan(4, 5)).seam), "no way from the last frame to the first"
    looping = torch.stack([grain().roll(-40 * number, 1)[:48, :160] for number in range(4)])
    assert steadiness(looping, None).seam == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: Video(0, 48, 3), "width 0 is not a frame; use at least 1 pixel"),
        (lambda: Video(64, 48, 0), "frames 0 are no video; use 1 or more"),
        (lambda: Video(64, 48, 3, noise="warped"), "noise warped moves with the scene, and there is no motion"),
        (lambda: Video(64, 48, 3, motion=pan(4, 2)), "a motion of 4 frames for a video of 3; make it from the same"),
        (lambda: Video(32, 48, 3, motion=pan(3, 2)), "a motion of 64 x 48 pixels for frames of 32 x 48; make it from"),
        (
            lambda: Video(64, 50, 3).grid(8),
            "frame height 50 is not a multiple of this model's cell of 8 pix",
        ),
        (lambda: Scene(Video(32, 32, 3), WHOLE).views(8), "view width 64 is larger than the canvas"),
        (
            lambda: given_motion(torch.zeros(2, 2, 24, 32), panned(3, 2), False),
            "a flow of 32 x 24 for frames of 64",
        ),
        (lambda: given_motion(torch.full((2, 2, 48, 64), math.nan), panned(3, 2), False), "the flow holds values that"),
        (
            lambda: given_motion(torch.zeros(2, 2, 48, 64), panned(3, 2), True),
            "2 flows for 3 frames; give 3, from",
        ),
        (lambda: given_motion("flow", panned(3, 2), False), "flow is no flow: connect pictures of coordinates"),
        (lambda: motion_of(panned(2, 1), False, "raft"), "method 'raft' is unknown; use one of auto, lucas-kanade"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(make: object, line: str):
    with pytest.raises(ValueError) as caught:
        make()  # pyright: ignore[reportCallIssue]
    assert str(caught.value).startswith(line) and "\n" not in str(caught.value)
