"""What lies beyond the borders of a picture."""

import pytest
import torch
from syncpack.renderers.borders import Borders
from syncpack.renderers.panorama.space import Panorama, cell_across
from syncpack.renderers.plane.space import Plane

PICTURE = torch.arange(4.0 * 8).reshape(1, 1, 4, 8)


@pytest.mark.parametrize(("x", "y"), [(True, False), (False, True), (True, True)])
def test_planes_go_on_as_their_own_repetition(x, y):
    seen = Plane(8, 4, x, y).borders.beyond(PICTURE, (3, 5), (9, 2))
    repeated = PICTURE.repeat(1, 1, 5, 5)
    rows = slice(8 - 3, 12 + 5) if y else slice(8, 12)
    columns = slice(16 - 9, 24 + 2) if x else slice(16, 24)
    assert torch.equal(seen, repeated[..., rows, columns])
    assert not Plane(8, 4).borders.meet


def test_spheres_go_on_over_their_poles_as_their_views_read_them():
    seen = Panorama(8, 4).borders.beyond(PICTURE, (2, 3), (5, 1))
    row, column = torch.meshgrid(torch.arange(-2, 7), torch.arange(-5, 9), indexing="ij")
    assert torch.equal(seen, PICTURE.reshape(-1)[cell_across(row, column, 4, 8)][None, None])


def test_no_more_is_made_than_asked():
    assert Borders(x=True, poles=True).beyond(PICTURE) is PICTURE
