"""360 degree videos: motion across the seam and the poles, cameras in every frame's sphere, and what they agree on."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.videos import pan, rolling, spheres, turned
from syncpack.renderers.cameras.lookouts import custom, ring
from syncpack.renderers.globe import walk as globe_walk
from syncpack.renderers.globe.flow import given_sphere_motion, sphere_motion_of, turn_of
from syncpack.renderers.globe.motion import SphereMotion
from syncpack.renderers.globe.places import directions_of, flow_to, led_to
from syncpack.renderers.globe.space import SphereVideo
from syncpack.renderers.panorama.space import Lookout, Panorama
from syncpack.renderers.plane.space import Windows
from syncpack.renderers.scene import Scene
from syncpack.renderers.video.figures import steadiness
from syncpack.renderers.video.motion import Motion
from syncpack.renderers.video.space import Video
from syncpack.renderers.video.tracks import Tracks
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.noise import view_noise
from syncpack.sync_core.views import ViewSet
from syncpack.sync_core.walked_mean import average_of
from torch import Tensor

CUBE = Lookout(custom("0 0\n90 0\n180 0\n-90 0\n0 90\n0 -90", 100.0), 32, 32, "nearest")
# Turns: of whole columns, over the poles, and a large one.
TURNS = (((0, 1, 0), 5 * 3.75), ((1, 0, 0), 8.0), ((0.3, 0.9, 0.2), 30.0))


def off(found: Tensor, true: Tensor) -> Tensor:
    """How far flows [H, W, 2] lead from true directions [H, W, 3], pixels of the equator."""
    return (led_to(found) - true).norm(dim=-1) * len(true) / math.pi


def stored(scene: Scene, cell: int = 1) -> ViewSet:
    views = scene.views(cell)
    assert isinstance(views, ViewSet)
    return views


@pytest.mark.parametrize(("axis", "degrees"), TURNS)
def test_a_turn_is_found_across_the_seam_and_the_poles(axis: tuple[float, float, float], degrees: float):
    frames, back, ahead = spheres(2, turned(axis, degrees))
    found = sphere_motion_of(frames, False, "lucas-kanade")
    for flow, true in ((found.back[1], back), (found.ahead[0], ahead)):
        wrong = off(flow, true)
        assert float(wrong.median()) < 0.1 and float(wrong.max()) < 0.6
        assert float(wrong[:4].median()) < 0.1 and float(wrong[:, [0, -1]].median()) < 0.1
    assert bool(found.behind[1].all()) and not bool(found.behind[0].any())
    assert steadiness(frames, found).mean > 38


@pytest.mark.parametrize(("axis", "degrees"), TURNS)
def test_a_way_back_is_found_on_the_sphere(axis: tuple[float, float, float], degrees: float):
    frames, back, ahead = spheres(2, turned(axis, degrees))
    found = given_sphere_motion(flow_to(ahead)[None], frames, False)
    assert float(off(found.back[1], back).max()) < 0.05 and bool(found.behind[1].all())
    coarse = found.on_cells(8)
    true = directions_of(6, 12) @ turned(axis, degrees).T
    assert float(off(coarse.back[1], true).max()) < 0.01, "cells turn as their pixels do"
    assert torch.allclose(turn_of(directions_of(48, 96), ahead), turned(axis, degrees).T, atol=1e-9)


def test_most_places_tell_the_turn():
    ahead = spheres(1, turned((0, 1, 0), 20.0))[2]
    ahead[10:20, 30:60] = directions_of(48, 96)[10:20, 30:60]
    assert torch.allclose(turn_of(directions_of(48, 96), ahead), turned((0, 1, 0), 20.0).T, atol=2e-2)


def test_what_moves_by_columns_is_read_to_the_bit():
    """Out at the left, in at the right: nothing is new in any frame, and all read the first one."""
    motion = rolling(6, 32, loop=True)
    assert bool(motion.behind.all()) and motion.drawn().shape == (6, 48, 96, 3)
    for between in (False, True):
        tracks = Tracks.of(motion.on_cells(8), True, between)
        assert bool((tracks.shares.amax(1) == 1).all())
        cells = tracks.first.reshape(6, 6, 12)
        for number in range(6):
            assert torch.equal(cells[number], cells[0].roll(-4 * number, 1)), (between, number)
    assert torch.equal(cells[0].flatten(), torch.arange(72))


def test_what_turns_over_the_poles_ends_where_it_began():
    """Eight turns of 45 degrees about an axis that lies: positions are kept, so that no error grows."""
    _, back, ahead = spheres(1, turned((1, 0, 0), 45.0))
    motion = SphereMotion.of(flow_to(back).expand(8, -1, -1, -1), flow_to(ahead).expand(8, -1, -1, -1), True)
    chain = motion.chain(motion.back, motion.behind, ((t, t - 1) for t in range(1, 8)))
    assert bool((chain.key == 0).all())
    own = directions_of(48, 96)
    for number in range(8):
        at = torch.stack([chain.column[number] - torch.arange(96), chain.row[number] - torch.arange(48)[:, None]], -1)
        assert float(off(at, own @ turned((1, 0, 0), 45.0 * number).T).quantile(0.99)) < 0.15, number


def test_frames_agree_to_the_bit_along_a_known_motion():
    """Views of the signal that all frames share: the same as a panorama's of the first frame, turned on."""
    motion, draw = rolling(4, 24, loop=True), torch.Generator().manual_seed(0)
    views = stored(Scene(SphereVideo(96, 48, 4, True, motion), CUBE))
    assert views.count == 24 and views.canonical == (192, 96)
    signal = Aggregator(views)(torch.rand(24, 3, 32, 32, generator=draw))
    seen, single = views.project(signal), stored(Scene(Panorama(96, 48), CUBE))
    for number in range(4):
        assert torch.equal(seen[6 * number : 6 * number + 6], single.project(signal[:, :, :48].roll(-24 * number, 3)))
    real = Scene(SphereVideo(96, 48, 4, True, motion), CUBE).geometry.real_cells(views).reshape(4, -1)
    assert bool(real[0].all()) and not bool(real[1:].any())
    assert bool((views.views_per_cell.reshape(4, -1)[0] >= 1).all()), "no holes at the poles"


@pytest.mark.parametrize("motion", [None, rolling(2, 7)])
def test_views_that_are_walked_are_the_stored_ones(motion: SphereMotion | None, monkeypatch: pytest.MonkeyPatch):
    draw = torch.Generator().manual_seed(0)
    space, rig = SphereVideo(96, 48, 2, False, motion, sampling="bilinear" if motion else "nearest"), CUBE
    plain = Scene(space, rig).views(1)
    monkeypatch.setattr(globe_walk, "too_large", lambda entries: True)
    walked = Scene(space, rig).views(1)
    assert type(walked) is not type(plain) and walked.count == plain.count == 12
    batch = torch.rand(12, 2, 32, 32, generator=draw)
    a, b = average_of(plain)(batch), average_of(walked)(batch)
    assert torch.allclose(a, b, atol=1e-5) and torch.allclose(plain.project(a), walked.project(a), atol=1e-5)


def test_one_frame_is_the_panorama_to_the_bit():
    one, plain = stored(Scene(SphereVideo(96, 48, 1), CUBE)), stored(Scene(Panorama(96, 48), CUBE))
    assert one.gather is not None and plain.gather is not None
    for a, b in ((one.forward, plain.forward), (one.gather, plain.gather)):
        for name in ("offsets", "indices", "weights"):
            assert torch.equal(getattr(a, name), getattr(b, name)), name
    assert torch.equal(one.weights, plain.weights) and one.canonical == plain.canonical


def test_noise_is_the_same_its_own_or_moves_with_the_scene():
    def noise(kind: str, motion: SphereMotion | None = None, rig: Lookout = CUBE) -> Tensor:
        draw = torch.Generator().manual_seed(0)
        views = Scene(SphereVideo(96, 48, 3, False, motion, kind), rig).noise_views(1)  # pyright: ignore[reportArgumentType]
        canonical = torch.randn(1, 2, *views.canonical, generator=draw)
        drawn = view_noise(views, "polar", canonical, lambda: torch.randn(views.count, 2, 32, 32, generator=draw))
        return drawn.reshape(3, -1, 2, 32, 32)

    same, canvas, warped = noise("same"), noise("canvas"), noise("auto", rolling(3, 24))
    assert torch.equal(same[0], same[2]), "what views have of their own too"
    assert not torch.equal(canvas[0], canvas[2]) and not torch.equal(warped[0], warped[1])
    for each in (same, canvas, warped):
        assert float(each.std()) == pytest.approx(1, abs=0.04)
    # A quarter of a turn to the right: what the camera on the right saw, the one ahead sees, where noise is shared.
    shared = [noise("auto", rolling(3, 24))[t, c] for t, c in ((0, 1), (1, 0))]
    assert float(torch.corrcoef(torch.stack([each.flatten() for each in shared]))[0, 1]) > 0.6


def test_canvases_pictures_and_drawings():
    scene = Scene(SphereVideo(96, 48, 3, True), CUBE)
    geometry, sphere, video = scene.geometry, Scene(Panorama(96, 48), CUBE).geometry, torch.rand(3, 3, 48, 96)
    whole = geometry.on_canvas(video)
    assert whole.shape == (1, 3, 144, 96) and geometry.count(8) == len(geometry.places()) == 18
    seen = geometry.cut(whole, 1)
    assert torch.equal(seen[6:12], sphere.look(video[1:2]))
    picture, weight = geometry.stitch(1, seen.movedim(1, -1))
    assert torch.equal(picture[48:96], sphere.stitch(1, seen[6:12].movedim(1, -1))[0]) and bool((weight > 0).all())
    apart = geometry.distances(8)
    assert torch.equal(apart, apart.T) and bool((apart.diagonal() == 0).all())
    assert int(apart[0].argsort()[1]) in (6, 12), "the same camera a frame on is nearest"
    assert float(apart[0, 12]) == float(apart[0, 6]), "a loop: the last frame is beside the first"
    assert geometry.middle(8) == 6 and geometry.sheet(8).origins.shape == (18, 2)
    assert geometry.seam_ratio(whole[0], 1) == pytest.approx(sum(sphere.seam_ratio(f, 1) for f in video) / 3)
    assert "18 views of 32 x 32 on 3 spheres of 96 x 48" in geometry.sight().text
    assert geometry.drawing(128, 0).ndim == 3 and geometry.preview(video, lambda: whole).shape[1] == 3


def test_steadiness_counts_by_area():
    frames = torch.full((2, 48, 96, 3), 0.5)
    frames[1, :12] += 0.1
    flat = steadiness(frames, Motion.of(torch.zeros(2, 48, 96, 2), torch.zeros(2, 48, 96, 2), False))
    sphere = steadiness(frames, rolling(2, 0))
    assert flat.mean == pytest.approx(-10 * math.log10(0.01 / 4), abs=1e-3)
    cap = (1 - math.cos(math.pi / 4)) / 2
    assert sphere.mean == pytest.approx(-10 * math.log10(0.01 * cap), abs=0.01)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: SphereVideo(96, 50, 3), "a frame of 96 x 50 is no panorama, which is twice as wide as high; use 98 x"),
        (
            lambda: SphereVideo(96, 48, 3, motion=pan(3, 2, 48, 96)),
            "the motion is of flat frames, the space's are panorama; set projection of VideoMotion and of VideoSpace",
        ),
        (lambda: Video(96, 48, 3, motion=rolling(3, 2)), "the motion is of panorama frames, the space's are flat; set"),
        (lambda: SphereVideo(96, 48, 4, motion=rolling(3, 2)), "a motion of 3 frames for a video of 4; make it from"),
        (
            lambda: Scene(SphereVideo(96, 48, 3), Windows(32, 32, 16, 16)),
            "a rig of windows cannot look at a 360 video; use VideoSpace's rig, or set ViewRig's kind to ring",
        ),
        (lambda: Scene(Video(96, 48, 3), CUBE), "a rig of cameras cannot look at a video; set ViewRig's kind to wi"),
        (
            lambda: Scene(SphereVideo(96, 48, 3), Lookout(ring(90, 90), 20, 20)).views(8),
            "view width 20 is not a multiple of this model's cell of 8 pix",
        ),
        (lambda: SphereVideo(88, 44, 3).grid(8), "panorama height 44 is not a multiple of this model's cell of 8 pix"),
        (lambda: sphere_motion_of(torch.rand(2, 48, 64, 3), False), "a frame of 64 x 48 is no panorama, which is twi"),
        (
            lambda: given_sphere_motion(torch.full((1, 2, 48, 96), math.nan), torch.rand(2, 48, 96, 3), False),
            "the flow holds values that are no numbers; make it anew, or mend its picture",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(make: object, line: str):
    with pytest.raises(ValueError) as caught:
        make()  # pyright: ignore[reportCallIssue]
    assert str(caught.value).startswith(line) and "\n" not in str(caught.value)
