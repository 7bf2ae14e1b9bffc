"""The running mean of windows equals the mean through the windows' map."""

import pytest
import torch
from syncpack.renderers.plane.space import Plane, Windows
from syncpack.renderers.plane.stitch import WindowMean
from syncpack.renderers.scene import Scene
from syncpack.sync_core.synchronizer import Synchronizer, SyncPlan

CASES = [
    (Plane(48, 16), Windows(16, 16, 8, 16)),
    (Plane(50, 37), Windows(16, 16, 8, 12, "triangle")),  # not a multiple of the cell
    (Plane(32, 16, wrap_x=True), Windows(16, 16, 8, 16)),
    (Plane(40, 40, wrap_x=True, wrap_y=True), Windows(24, 16, 16, 8, "flat")),
    (Plane(16, 16, wrap_x=True, wrap_y=True), Windows(16, 16, 4, 8)),  # a window as large as the ring
]


def images(count, rig, seed=0):
    return torch.rand(count, rig.height, rig.width, 3, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("space, rig", CASES)
@pytest.mark.parametrize("cell", [1, 4])
@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_it_is_the_mean_through_the_map(space, rig, cell, chunk):
    scene = Scene(space, rig)
    views = scene.views(cell, cell)
    batch = images(2 * views.count, rig)
    expected = Synchronizer(SyncPlan(), views).sync(batch.movedim(-1, 1))[0].movedim(1, -1)
    mean = WindowMean(scene.geometry.placement(cell).scaled(cell), rig.taper, 2)
    for first in range(0, len(batch), chunk):
        mean.add(first, batch[first : first + chunk])
    seen = [mean.views(i, min(i + chunk, len(batch))) for i in range(0, len(batch), chunk)]
    assert torch.allclose(torch.cat(seen), expected, atol=1e-6)


def test_what_one_window_sees_alone_keeps_its_bits():
    scene = Scene(Plane(40, 16), Windows(16, 16, 12, 16))
    batch = images(3, scene.rig) * 1e-3 + 1.0
    mean = WindowMean(scene.geometry.placement(1), "hann")
    mean.add(0, batch)
    seen = mean.views(0, 3)
    assert torch.equal(seen[0, :, :12], batch[0, :, :12])
    assert torch.equal(seen[2, :, 4:], batch[2, :, 4:])
    assert not torch.equal(seen[0], batch[0])


def test_windows_of_another_size():
    scene = Scene(Plane(40, 16), Windows(16, 16, 12, 16))
    with pytest.raises(ValueError, match="windows of 8 x 16 pixels do not fit a rig of 16 x 16"):
        WindowMean(scene.geometry.placement(1), "hann").add(0, torch.zeros(1, 16, 8, 3))
