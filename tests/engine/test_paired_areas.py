"""Areas are paired with the opposite side's prompts view by view."""

import pytest
from helpers import hosting  # noqa: F401  (the host, on the CPU)
from syncpack.nodes.engine.tagged_conds import pair_areas

pytestmark = pytest.mark.host

# (height, width, y, x)
LEFT, RIGHT, WIDE = (8, 8, 0, 0), (8, 8, 0, 4), (8, 12, 0, 0)


def entry(name, views=None, **options):
    """``name`` stands for the encoded prompt: the very object tells entries with the same prompt."""
    tag = {} if views is None else {"sync_views": views}
    return {"model_conds": {"c_crossattn": PROMPTS.setdefault(name, object())}, **tag, **options}


PROMPTS: dict[str, object] = {}


def prompts_of(side, view):
    """(prompt, area) of what a view has."""
    names = {id(v): k for k, v in PROMPTS.items()}
    own = [e for e in side if view in e.get("sync_views", range(3))]
    return sorted(((names[id(e["model_conds"]["c_crossattn"])], e.get("area")) for e in own), key=str)


def test_each_view_is_paired_with_its_own_prompt():
    mask = object()
    positive = [entry("base"), entry("part", (0, 1), area=LEFT, mask=mask), entry("piece", (2,), area=RIGHT)]
    negative = [entry("fog", (0, 2)), entry("rain", (1,))]
    # What the host adds: one partner for each area, with the first prompt around it.
    hosts = [
        {**positive[1], "model_conds": dict(negative[0]["model_conds"])},
        {**positive[2], "model_conds": dict(negative[0]["model_conds"])},
    ]
    left, right = pair_areas([[*negative, *hosts], positive], 3)
    assert right == positive
    assert prompts_of(left, 0) == [("fog", LEFT), ("fog", None)]
    assert prompts_of(left, 1) == [("rain", LEFT), ("rain", None)]
    assert prompts_of(left, 2) == [("fog", RIGHT), ("fog", None)]
    assert all(e["mask"] is mask for e in left if e.get("area") == LEFT)


def test_views_with_the_same_area_all_get_a_partner():
    """The host makes one for the first of them only."""
    positive = [entry("base"), entry("a", (0,), area=LEFT), entry("b", (1,), area=LEFT)]
    negative = [entry("fog")]
    hosts = {**positive[1], "model_conds": dict(negative[0]["model_conds"])}
    left, _ = pair_areas([[*negative, hosts], positive], 3)
    assert [prompts_of(left, v) for v in range(3)] == [[("fog", LEFT), ("fog", None)]] * 2 + [[("fog", None)]]


def test_the_smallest_area_around_gives_the_prompt():
    positive = [entry("base"), entry("part", (0,), area=LEFT)]
    negative = [entry("fog"), entry("rain", area=WIDE)]
    left, right = pair_areas([negative, positive], 3)
    assert prompts_of(left, 0) == [("fog", None), ("rain", WIDE), ("rain", LEFT)]
    assert prompts_of(left, 1) == [("fog", None), ("rain", WIDE)]
    # And the negative's own area is paired in the positive, for every view.
    assert prompts_of(right, 0) == [("base", WIDE), ("base", None), ("part", LEFT)]
    assert prompts_of(right, 1) == [("base", WIDE), ("base", None)]


def test_an_area_that_both_sides_have_needs_no_partner():
    positive, negative = [entry("part", (0,), area=LEFT), entry("base")], [entry("fog"), entry("rain", area=LEFT)]
    left, _ = pair_areas([negative, positive], 3)
    assert left == negative


@pytest.mark.parametrize("area", [{}, {"area": LEFT}])
def test_without_tags_or_without_areas_nothing_changes(area):
    tag = None if area else (0,)
    conds = [[entry("fog", tag)], [entry("base"), entry("part", tag, **area)]]
    assert pair_areas(conds, 3) == conds
    assert pair_areas([None, conds[1]], 3) == [None, conds[1]]
