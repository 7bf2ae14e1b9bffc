"""A mask painted on the whole picture reaches every view as the part of it that the view sees."""

import pytest
import torch
from helpers.hosting import Plane, Windows, one_line, prompt
from oracles.twins import crop_windows
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.views.prompt_nodes import CanonicalPrompt

pytestmark = pytest.mark.host

# Five windows of 96 x 64 every 24 pixels on 192 x 64.
SPACE, RIG, VIEWS = Plane(192, 64), Windows(96, 64, 24, 64), 5


def painted(width=192, height=64, left=0, right=60):
    mask = torch.zeros(1, height, width)
    mask[:, :, left:right] = 1.0
    return mask


def build(mask, conditioning=None, space=SPACE, rig=RIG, strength=1.0, area="default", other=None):
    node = CanonicalPrompt()
    (made,) = node.build(space, rig, conditioning or prompt(3), mask, strength, area, other)
    return made


def test_each_view_gets_its_part():
    """Windows begin at 0, 24, 48, 72, 96 and the mask ends at 60: the last two see nothing of it."""
    mask = painted()
    ((tokens, options),) = build(mask, strength=0.7)
    assert torch.equal(tokens, prompt(3)[0][0])
    assert options["sync_views"] == (0, 1, 2)
    assert options["mask_strength"] == 0.7 and options["set_area_to_bounds"] is False
    assert torch.equal(options["mask"][:, None], crop_windows(mask[:, None], (0,), (0, 24, 48, 72, 96), 64, 96))


def test_a_mask_that_all_views_see_needs_no_tag():
    ((_, options),) = build(torch.ones(1, 64, 192))
    assert "sync_views" not in options and options["mask"].shape == (VIEWS, 64, 96)


def test_across_a_wrapping_edge():
    """Six windows every 32 pixels; the strip at the right edge is also seen by those that come back on the left."""
    space, rig = Plane(192, 64, wrap_x=True), Windows(96, 64, 32, 64)
    ((_, options),) = build(painted(left=184, right=192), space=space, rig=rig)
    assert options["sync_views"] == (3, 4, 5)
    assert [m.sum(0).nonzero().flatten().tolist() for m in options["mask"][3:]] == [
        list(range(88, 96)),
        list(range(56, 64)),
        list(range(24, 32)),
    ]


def test_it_is_put_behind_the_others():
    other = prompt(8)
    made = build(painted(), other=other)
    assert made[0] is other[0] and len(made) == 2 and len(other) == 1
    both = build(painted(left=180, right=192), other=made)
    assert [e[1].get("sync_views") for e in both] == [None, (0, 1, 2), (4,)]


def test_prompts_of_some_views_stay_theirs():
    tagged = [*prompt(3, sync_views=(0, 4)), *prompt(4, sync_views=(3, 4)), *prompt(5, sync_views=(2,))]
    made = build(painted(), conditioning=tagged)
    assert [e[1]["sync_views"] for e in made] == [(0,), (2,)]
    assert [e[1]["mask"].shape[0] for e in made] == [VIEWS, VIEWS], "row i is view i"


@pytest.mark.parametrize("shape", [(32, 96), (64, 192), (128, 384), (63, 190), (1, 64, 192), (1, 1, 64, 192)])
def test_a_mask_of_any_resolution(shape):
    mask = torch.zeros(shape)
    mask[..., : round(shape[-1] * 60 / 192)] = 1.0
    ((_, options),) = build(mask)
    assert options["mask"].shape == (VIEWS, 64, 96)
    expected = build(painted())[0][1]["mask"]
    away = torch.ones_like(expected, dtype=torch.bool)
    for i in range(VIEWS):  # two pixels around the mask's edge may be blurred
        away[i, :, max(0, 57 - 24 * i) : max(0, 63 - 24 * i)] = False
    assert torch.equal(options["mask"][away], expected[away])


def test_a_mask_for_each_picture():
    """Rows are canonical-major, as those of a latent: b * N + i."""
    masks = torch.cat([painted(), painted(left=150, right=192)])
    ((_, options),) = build(masks)
    assert options["mask"].shape == (2 * VIEWS, 64, 96)
    assert "sync_views" not in options, "every view sees something of one of them"
    for b in range(2):
        alone = build(masks[b])[0][1]["mask"]
        assert torch.equal(options["mask"][b * VIEWS : (b + 1) * VIEWS], alone)


def test_mask_bounds_are_each_views_own():
    """The host takes one rectangle for all rows of a mask, so every view gets an entry."""
    made = build(painted(), area="mask bounds")
    assert [e[1]["sync_views"] for e in made] == [(0,), (1,), (2,)]
    whole = build(painted())[0][1]["mask"]
    for i, (_, options) in enumerate(made):
        assert options["set_area_to_bounds"] is True
        assert torch.equal(options["mask"], whole[i : i + 1])


def test_views_with_the_same_mask_share_an_entry():
    made = build(painted(left=90, right=192), area="mask bounds")
    assert [e[1]["sync_views"] for e in made] == [(0,), (1,), (2,), (3,), (4,)]
    made = build(torch.ones(64, 192), area="mask bounds")
    assert len(made) == 1 and "sync_views" not in made[0][1] and made[0][1]["mask"].shape == (1, 64, 96)


@pytest.mark.parametrize(
    "mask, area, parts",
    [
        (torch.zeros(1, 64, 64), "default", ("the mask of 64 x 64 is empty", "paint")),
        (torch.ones(1, 64, 64), "default", ("64 x 64", "192 x 64", "a mask of", "proportions")),
        (torch.ones(1, 192, 64), "default", ("64 x 192", "192 x 64")),
        (torch.ones(1, 61, 192), "default", ("192 x 61", "192 x 64")),
        (torch.ones(2, 64, 192), "mask bounds", ("one mask, not 2", "use set_cond_area default")),
    ],
)
def test_what_does_not_fit_is_refused(mask, area, parts):
    with pytest.raises(SyncError) as caught:
        build(mask, area=area)
    one_line(caught.value, "CanonicalPrompt", *parts)
