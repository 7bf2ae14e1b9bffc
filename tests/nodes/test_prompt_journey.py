"""From one prompt to another over the views: which view gets how much, and how prompts are mixed."""

from typing import Any

import pytest
import torch
from helpers.hosting import NEGATIVE, Plane, Windows, host_module, one_line, prompt, run_node, tiny_unet
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.views.journeys import Journey, lerped
from syncpack.nodes.views.prompt_nodes import PromptJourney
from syncpack.nodes.views.spaces import rig_from
from syncpack.renderers.directions import ViewPlace
from syncpack.renderers.illusions.space import Illusion, Warps
from syncpack.renderers.illusions.warps import warp
from syncpack.renderers.panorama.space import Panorama

pytestmark = pytest.mark.host

# Five windows, centres at 1/6 2/6 ... 5/6.
SPACE, RIG, VIEWS = Plane(192, 64), Windows(64, 64, 32, 64), 5
FIRST, LAST = prompt(11), prompt(12)


def build(first=FIRST, last=LAST, space: Any = SPACE, rig: Any = RIG, **changes: Any):
    given = {"way": "left to right", "begin": 0.0, "end": 1.0, "there_and_back": False, "blend": "prompts", **changes}
    return PromptJourney().build(space, rig, first, last, **given)


def row_of(made, view: int):
    (entry,) = [e for e in made if view in e[1].get("sync_views", range(99))]
    return entry


def test_windows_go_from_one_to_the_other() -> None:
    made, report = build()
    for view, share in enumerate((0.0, 0.25, 0.5, 0.75, 1.0)):
        tokens, options = row_of(made, view)
        torch.testing.assert_close(tokens, FIRST[0][0] * (1 - share) + LAST[0][0] * share)
        assert options["sync_views"] == (view,)
    assert torch.equal(row_of(made, 0)[0], FIRST[0][0]) and torch.equal(row_of(made, 4)[0], LAST[0][0])
    assert report.splitlines()[1] == "view 1 (x 0.33, y 0.50): 75% first, 25% last"
    assert len(FIRST[0][1]) == 0, "what is given stays as it is"


def test_the_range_the_way_back_and_down() -> None:
    places = [ViewPlace(i, x=x, y=y) for i, (x, y) in enumerate([(0.1, 0.2), (0.5, 0.6), (0.9, 0.2)])]
    assert Journey(begin=0.25, end=0.75).shares(places, "") == [0.0, 0.5, 1.0]
    assert Journey(back=True).shares(places, "") == pytest.approx([0.2, 1.0, 0.2])
    assert Journey(way="top to bottom").shares(places, "") == [0.0, 1.0, 0.0]


def test_cameras_go_around() -> None:
    """Both sides alike, so that a sphere has no seam; poles are half way."""
    places = [ViewPlace(i, azimuth=a, elevation=0.0) for i, a in enumerate((0.0, 90.0, 180.0, 270.0, -90.0, 360.0))]
    assert Journey().shares([*places, ViewPlace(6, elevation=90.0)], "") == [0, 0.5, 1, 0.5, 0.5, 0, 0.5]
    down = [ViewPlace(i, azimuth=0.0, elevation=e) for i, e in enumerate((90.0, 0.0, -45.0, -90.0))]
    assert Journey(way="top to bottom").shares(down, "") == pytest.approx([0, 0.5, 0.75, 1])
    made, report = build(space=Panorama(256, 128), rig=rig_from("ring", 64, 64))
    assert "view 0 (azimuth 0, elevation 0): 100% first, 0% last" in report
    assert len(made) >= 3


@pytest.mark.parametrize("lengths", [(4, 4), (4, 6), (6, 4)])
def test_mixed_as_the_host_does(lengths: tuple[int, int]) -> None:
    """Where the prompt that leads is the longer one; the other has empty tokens behind it."""
    average = host_module("nodes", "comfy.nodes.base_nodes").ConditioningAverage()
    generator = torch.Generator().manual_seed(3)
    first, last = (
        [[torch.randn(1, n, 16, generator=generator), {"pooled_output": torch.randn(1, 8, generator=generator)}]]
        for n in lengths
    )
    made, _ = build(first, last)
    tokens, options = row_of(made, 1)
    assert tokens.shape[1] == max(lengths)
    if lengths[1] >= lengths[0]:
        ((theirs, told),) = average.addWeighted(last, first, 0.25)[0]
        torch.testing.assert_close(tokens, theirs)
        torch.testing.assert_close(options["pooled_output"], told["pooled_output"])
    short = torch.nn.functional.pad(first[0][0], (0, 0, 0, tokens.shape[1] - lengths[0]))
    long = torch.nn.functional.pad(last[0][0], (0, 0, 0, tokens.shape[1] - lengths[1]))
    torch.testing.assert_close(tokens, 0.75 * short + 0.25 * long)
    assert torch.equal(lerped(first[0][0], first[0][0], 0.5), first[0][0])


def test_one_pooled_output_is_for_both() -> None:
    pooled = torch.randn(1, 8)
    for first, last in ((prompt(1, pooled_output=pooled), prompt(2)), (prompt(1), prompt(2, pooled_output=pooled))):
        assert torch.equal(row_of(build(first, last)[0], 2)[1]["pooled_output"], pooled)


def test_blending_estimates_is_the_weighted_mean_of_both() -> None:
    """The host's own weights: a model that shows its prompt shows the mixture in every view."""
    model = tiny_unet()
    ends = [
        run_node(model, SPACE, RIG, process=0, steps=1, positive=side, views_per_batch=64)[0]["samples"]
        for side in (FIRST, LAST)
    ]
    made, _ = build(blend="estimates")
    mixed = run_node(model, SPACE, RIG, process=0, steps=1, positive=made, negative=NEGATIVE)[0]["samples"]
    for view, share in enumerate((0.0, 0.25, 0.5, 0.75, 1.0)):
        expected = ends[0][view] * (1 - share) + ends[1][view] * share
        torch.testing.assert_close(mixed[view], expected, rtol=1e-3, atol=1e-3)
    assert [e[1]["sync_views"] for e in made] == [(0, 1, 2, 3), (1, 2, 3, 4)], "one call for all between"
    assert [float(e[1]["mask"][1].mean()) for e in made] == [0.75, 0.25]
    region = prompt(11, mask=torch.full((1, 64, 64), 0.5))
    assert float(build(region, region, blend="estimates")[0][0][1]["mask"][1].mean()) == 0.375


def test_mixed_prompts_reach_their_views() -> None:
    model = tiny_unet()
    made, _ = build()
    whole = run_node(model, SPACE, RIG, process=0, steps=2, positive=made, views_per_batch=64)[0]["samples"]
    for view in range(VIEWS):
        one = [[row_of(made, view)[0], {}]]
        alone = run_node(model, SPACE, RIG, process=0, steps=2, positive=one)[0]["samples"]
        torch.testing.assert_close(whole[view], alone[view], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"begin": 0.6, "end": 0.5}, ("begin 0.6 and end 0.5", "begin < end")),
        ({"way": "top to bottom"}, ("same place top to bottom", "left to right")),
        ({"way": "inwards"}, ("'inwards'", "left to right")),
        ({"blend": "noise"}, ("'noise'", "prompts, estimates")),
        ({"first": [*FIRST, *FIRST]}, ("first holds 2 prompts and last 1",)),
        ({"last": [[torch.zeros(1, 4, 8), {}]]}, ("16 numbers a token", "last in 8", "same CLIP")),
        ({"space": Illusion(128, 128), "rig": Warps((warp("identity"),))}, ("lie at no place", "ViewPrompts")),
    ],
)
def test_bad_input(changes: dict[str, Any], parts: tuple[str, ...]) -> None:
    with pytest.raises(SyncError) as caught:
        build(**changes)
    one_line(caught.value, "PromptJourney", *parts)
