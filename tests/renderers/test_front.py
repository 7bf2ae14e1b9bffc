"""A picture with a lens on the sphere: what the lens saw is kept, the rest is open."""

import pytest
import torch
from syncpack.renderers.cameras.looks import Look
from syncpack.renderers.panorama.equirect import views_of_equirect
from syncpack.renderers.panorama.front import on_sphere
from syncpack.renderers.panorama.space import Lookout


def test_the_front_shows_the_picture():
    rows, columns = torch.meshgrid(torch.linspace(0, 1, 60), torch.linspace(0, 1, 90), indexing="ij")
    picture = torch.stack([rows, columns, rows * columns], -1)
    look = Look.degrees(30, 10, 70)
    front = on_sphere(picture, look, 512)
    seen = views_of_equirect(front.picture[None], Lookout((look,), 90, 60))[0]
    assert (seen - picture)[3:-3, 3:-3].abs().max() < 0.02
    covered = float(1 - front.open.mean())
    assert 0.045 < covered < 0.06 and not bool(((front.open > 1e-4) & (front.open < 1)).any())


def test_the_border_fades():
    hard, soft = (on_sphere(torch.ones(40, 40, 3), Look.degrees(0, 0, 80), 256, fade).open for fade in (0.0, 0.25))
    between = (soft > 0.05) & (soft < 0.95)
    assert between.sum() > 500 and not bool(between[hard == 1].any())
    assert soft[64, 128] == 0 and soft[0, 0] == 1


def test_a_width_that_is_no_panorama_s_is_refused():
    with pytest.raises(ValueError, match="twice as wide as high"):
        on_sphere(torch.ones(8, 8, 3), Look.degrees(0, 0, 80), 255)
