"""A canonical picture cut into views: exact pixels, scaling, wrapping, odd sizes, bad input."""

import pytest
import torch
from helpers.hosting import Plane, Windows, one_line
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.views.picture_nodes import SyncTweediesViewImages
from syncpack.nodes.views.stitch_nodes import StitchViews
from syncpack.renderers.panorama.space import Look, Lookout, Panorama
from syncpack.renderers.scene import Scene

pytestmark = pytest.mark.host


def picture(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def cut(space, rig, **inputs):
    return SyncTweediesViewImages().cut(space, rig, **inputs)


def test_windows_copy_their_pixels():
    space, rig = Plane(96, 64), Windows(48, 32, 24, 32)
    image, mask = picture(2, 64, 96, 3), picture(2, 64, 96)
    images, masks = cut(space, rig, image=image, mask=mask)
    assert images.shape == (12, 32, 48, 3) and masks.shape == (12, 32, 48)
    corners = [(top, left) for top in (0, 32) for left in (0, 24, 48)]
    for i, (top, left) in enumerate(corners):
        for b in range(2):
            assert torch.equal(images[6 * b + i], image[b, top : top + 32, left : left + 48])
            assert torch.equal(masks[6 * b + i], mask[b, top : top + 32, left : left + 48])


@pytest.mark.parametrize("cell", [8, 1])
@pytest.mark.parametrize("wrap", [False, True])
def test_they_lie_where_the_sampler_puts_the_views(cell, wrap):
    """The same pixels as the views' own map, at image resolution."""
    space, rig = Plane(96, 32, wrap_x=wrap), Windows(64, 32, 40, 32)
    image = picture(1, 32, 96, 3)
    expected = Scene(space, rig).views(cell, cell).project(image.movedim(-1, 1)).movedim(1, -1)
    assert torch.equal(cut(space, rig, image=image, cell=cell)[0], expected)


def test_odd_sizes_go_on_as_at_the_edge_and_come_back_by_stitching():
    space, rig = Plane(91, 37), Windows(48, 40, 24, 40)
    image = picture(1, 37, 91, 3)
    images, masks = cut(space, rig, image=image)
    assert images.shape[1:] == (40, 48, 3) and bool((masks == 1).all())
    assert torch.equal(images[-1][:37, -6:], image[0, :, -1:].expand(-1, 6, -1)[:, :6])
    whole, _ = StitchViews().stitch(space, rig, images=images)
    assert torch.allclose(whole, image, atol=1e-6)


def test_another_size_is_scaled():
    space, rig = Plane(96, 32), Windows(32, 32, 32, 32)
    image = torch.linspace(0, 1, 192)[None, None, :, None].expand(1, 64, 192, 3)
    images, _ = cut(space, rig, image=image)
    assert images.shape == (3, 32, 32, 3)
    row = torch.cat(list(images))[:, :, 0].reshape(3, 32, 32)[:, 0].reshape(-1)
    assert torch.allclose(row, image[0, 0, :, 0].reshape(96, 2).mean(1), atol=0.01)


def test_a_mask_alone_is_shown_in_grey():
    mask = picture(1, 32, 64)
    images, masks = cut(Plane(64, 32), Windows(32, 32, 32, 32), mask=mask)
    assert torch.equal(images, masks[..., None].expand(-1, -1, -1, 3))
    assert torch.equal(masks[1], mask[0, :, 32:])


def test_cameras_see_what_is_in_their_direction():
    """A picture of the four quarters of the horizon: each camera's centre has the number of its quarter."""
    space = Panorama(128, 64)
    rig = Lookout(tuple(Look.degrees(azimuth, 0, 60) for azimuth in (-135, -45, 45, 135)), 24, 16)
    mask = torch.arange(4.0).repeat_interleave(32).expand(1, 64, 128) / 3
    images, masks = cut(space, rig, mask=mask)
    assert images.shape == (4, 16, 24, 3) and masks.shape == (4, 16, 24)
    assert torch.allclose(masks[:, 8, 12], torch.arange(4.0) / 3, atol=1e-5)


@pytest.mark.parametrize("inputs, parts", [
    ({}, ("connect image or mask",)),
    ({"image": torch.zeros(1, 64, 64, 3)}, ("64 x 64", "96 x 32", "crop or scale")),
    ({"image": torch.zeros(1, 32, 96, 3), "cell": 7}, ("not a multiple",)),
])  # fmt: skip
def test_bad_input(inputs, parts):
    with pytest.raises(SyncError) as caught:
        cut(Plane(96, 32), Windows(32, 32, 32, 32), **inputs)
    one_line(caught.value, "SyncTweediesViewImages", *parts)
