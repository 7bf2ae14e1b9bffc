"""Prompts per view and per region through the host's own networks: each view is what it is alone with its prompts."""

import pytest
import torch
from helpers.hosting import (
    NEGATIVE,
    POSITIVE,
    Plane,
    Windows,
    host,
    host_module,
    one_line,
    prompt,
    relative_error,
    run_node,
    tiny_clip,
    tiny_unet,
)
from syncpack.nodes.engine.tagged_conds import VIEWS_KEY
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.models.exemplar_nodes import ExemplarModel
from syncpack.nodes.views.prompt_nodes import CanonicalPrompt, ViewPrompts
from syncpack.nodes.views.stitch_nodes import StitchViews

pytestmark = pytest.mark.host

# Five overlapping windows of 12 x 8 cells on 24 x 8.
SPACE, RIG, VIEWS = Plane(192, 64), Windows(96, 64, 24, 64), 5
CHUNKS = (64, 1, 2)
CLOSE, OTHER = 1e-5, 1e-4


@pytest.fixture(scope="module")
def unet():
    return tiny_unet()


@pytest.fixture(scope="module")
def clip():
    return tiny_clip()


@pytest.fixture(scope="module")
def nodes():
    return host_module("nodes", "comfy.nodes.base_nodes")


def alone(model, positive, negative=NEGATIVE, **changes):
    """Every view for itself [B*N, 4, 8, 12]; a CONDITIONING without tags is every view's."""
    changes = {"cfg": 3.0, "process": 0, "noise": "independent", "final_sync": False, **changes}
    return run_node(model, SPACE, RIG, positive=positive, negative=negative, **changes)[0]["samples"]


def synchronised(model, positive, negative=NEGATIVE, **changes):
    return run_node(model, SPACE, RIG, positive=positive, negative=negative, cfg=3.0, **changes)[0]["samples"]


def painted(left=0, right=60):
    mask = torch.zeros(1, 64, 192)
    mask[:, :, left:right] = 1.0
    return mask


def region(mask, seed=3, area="default", strength=1.0, other=POSITIVE):
    return CanonicalPrompt().build(SPACE, RIG, prompt(seed), mask, strength, area, other)[0]


# A prompt per view


@pytest.mark.parametrize("views_per_batch", CHUNKS)
def test_each_view_is_what_it_is_alone_with_its_prompts(unet, clip, views_per_batch):
    """Positive and negative are split differently, and encoded by the host's own text model."""
    positive, negative, _ = ViewPrompts().build(
        clip, SPACE, RIG, "left: a stone wall\nright: (a meadow:1.3)", "1-3: fog\nrain", suffix="by night"
    )
    together = alone(unet, positive, negative, views_per_batch=views_per_batch)
    encode = host.text_encoder(clip)
    texts = ["a stone wall, by night"] * 3 + ["(a meadow:1.3), by night"] * 2
    unwanted = ["rain", "fog", "fog", "fog", "rain"]
    runs = {}
    for pair in {*zip(texts, unwanted, strict=True)}:
        runs[pair] = alone(unet, *map(encode, pair))
    for i, pair in enumerate(zip(texts, unwanted, strict=True)):
        assert relative_error(together[i], runs[pair][i]) <= CLOSE
        for other, run in runs.items():
            assert other == pair or relative_error(together[i], run[i]) > OTHER


def test_tagged_prompts_equal_batched_ones(unet, clip):
    positive, negative, _ = ViewPrompts().build(clip, SPACE, RIG, "\n".join(f"{i}: view {i}" for i in range(VIEWS)), "")
    rows = [
        [torch.cat([p[0] for p in positive]), {"pooled_output": torch.cat([p[1]["pooled_output"] for p in positive])}]
    ]
    for size in CHUNKS:
        tagged, batched = (synchronised(unet, p, negative, views_per_batch=size) for p in (positive, rows))
        assert relative_error(tagged, batched) <= CLOSE


# A prompt per region of the picture


@pytest.mark.parametrize("views_per_batch", CHUNKS)
@pytest.mark.parametrize("area", ["default", "mask bounds"])
def test_each_view_gets_its_part_of_the_mask(unet, nodes, area, views_per_batch):
    """As if the user had cut the mask by hand and given it to the host's ConditioningSetMask, view by view."""
    together = alone(unet, region(painted(), area=area, strength=0.8), views_per_batch=views_per_batch)
    for i in range(VIEWS):
        part = painted()[:, :, 24 * i : 24 * i + 96]
        positive = POSITIVE
        if bool(part.any()):
            positive = [*POSITIVE, *nodes.ConditioningSetMask().append(prompt(3), part, area, 0.8)[0]]
        assert relative_error(together[i], alone(unet, positive)[i]) <= CLOSE
        assert i > 2 or relative_error(together[i], alone(unet, POSITIVE)[i]) > OTHER


def test_views_that_do_not_see_the_mask_do_not_pay(unet, monkeypatch):
    rows = []
    inner = host.BaseModel.apply_model

    def apply(self, x, *args, **kwargs):
        rows.append(x.shape[0])
        return inner(self, x, *args, **kwargs)

    monkeypatch.setattr(host.BaseModel, "apply_model", apply)
    alone(unet, POSITIVE, steps=1)
    base, rows[:] = sum(rows), []
    alone(unet, region(painted()), steps=1)
    assert base == 2 * VIEWS and sum(rows) == base + 3


@pytest.mark.parametrize("area", ["default", "mask bounds"])
@pytest.mark.parametrize("process", [2, 5])
def test_chunks_of_regions_equal_the_whole(unet, area, process):
    """Two regions that overlap, a prompt per view below them, and the negative split otherwise."""
    below = [*prompt(5, sync_views=(0, 1)), *prompt(6, sync_views=(2, 3, 4))]
    positive = region(painted(90, 192), seed=4, area=area, other=region(painted(0, 100), area=area, other=below))
    negative = [*prompt(7, sync_views=(0, 3)), *prompt(8, sync_views=(1, 2, 4))]
    whole = synchronised(unet, positive, negative, process=process)
    for size in (1, 3):
        assert (
            relative_error(synchronised(unet, positive, negative, process=process, views_per_batch=size), whole)
            <= CLOSE
        )
    assert relative_error(synchronised(unet, below, negative, process=process), whole) > OTHER


def test_a_mask_for_each_picture(unet):
    """Two pictures at once are what each is alone (rows b * N + i of masks, views and noise)."""
    masks = torch.cat([painted(), painted(150, 192)])
    for size in (64, 3):
        both = alone(unet, region(masks), batch_size=2, views_per_batch=size)
        noise = alone(unet, POSITIVE, batch_size=2)
        for b in range(2):
            single = alone(unet, region(masks[b]), batch_size=2)
            part = slice(b * VIEWS, (b + 1) * VIEWS)
            assert relative_error(both[part], single[part]) <= CLOSE
            assert relative_error(both[part], noise[part]) > OTHER


@pytest.mark.parametrize("area", ["default", "mask bounds"])
def test_each_view_keeps_its_negative_inside_a_region(unet, area):
    """The host pairs an area of the positive with an area of the negative, and knows no views."""
    negative = [*prompt(7, sync_views=(0, 3)), *prompt(8, sync_views=(1, 2, 4))]
    together = alone(unet, region(painted(), area=area), negative)
    for views, bare in ((negative[0][1][VIEWS_KEY], prompt(7)), (negative[1][1][VIEWS_KEY], prompt(8))):
        single = alone(unet, region(painted(), area=area), bare)
        for i in range(VIEWS):
            assert (relative_error(together[i], single[i]) <= CLOSE) == (i in views)


# The host's own nodes for regions act in each view


@pytest.mark.parametrize("kind", ["area", "percentage", "mask", "bounds"])
def test_the_hosts_regions_in_chunks(unet, nodes, kind):
    made = {
        "area": lambda: nodes.ConditioningSetArea().append(prompt(3), 64, 64, 32, 0, 1.2),
        "percentage": lambda: nodes.ConditioningSetAreaPercentage().append(prompt(3), 0.7, 1.0, 0.25, 0.0, 1.2),
        "mask": lambda: nodes.ConditioningSetMask().append(prompt(3), painted(48, 150), "default", 1.2),
        "bounds": lambda: nodes.ConditioningSetMask().append(prompt(3), painted(48, 150), "mask bounds", 1.2),
    }[kind]()[0]
    whole = synchronised(unet, [*POSITIVE, *made])
    assert relative_error(synchronised(unet, POSITIVE), whole) > OTHER
    for size in (1, 2):
        assert relative_error(synchronised(unet, [*POSITIVE, *made], views_per_batch=size), whole) <= CLOSE


def test_regions_that_leave_a_view_without_a_prompt_are_refused(unet):
    with pytest.raises(SyncError) as caught:
        alone(unet, region(painted(), other=None))
    one_line(caught.value, "SyncTweediesSampler", "view 3, 4", "CanonicalPrompt's other")
    everywhere = region(painted(60, 192), seed=4, other=region(painted(), other=None))
    assert bool(torch.isfinite(alone(unet, everywhere)).all())


# Words choose materials: the exemplar model


@pytest.fixture(scope="module")
def materials():
    """MODEL, CLIP, VAE of three materials that differ in colour."""
    generator = torch.Generator().manual_seed(0)
    grain = 0.3 * torch.rand(3, 32, 32, 3, generator=generator)
    return ExemplarModel().build(grain + 0.7 * torch.eye(3)[:, None, None], "brick, grass, water", True)


def colours(materials, positive, space, rig, **changes):
    """Strongest channel (0 brick, 1 grass, 2 water) in each of eight strips of the stitched picture."""
    model, _, vae = materials
    views, _ = run_node(model, space, rig, positive=positive, steps=4, scheduler="karras", **changes)
    image = StitchViews().stitch(space, rig, views, vae)[0][0]
    return [int(strip.mean((0, 1)).argmax()) for strip in image.chunk(8, 1)]


CANVAS, TILES = Plane(128, 32), Windows(32, 32, 16, 32)


@pytest.mark.parametrize("views_per_batch", [0, 3])
def test_a_picture_from_one_material_to_another(materials, views_per_batch):
    positive, _, _ = ViewPrompts().build(materials[1], CANVAS, TILES, "x 0..0.3: brick\n5-6: grass\nwater", "")
    found = colours(materials, positive, CANVAS, TILES, views_per_batch=views_per_batch)
    assert found[:2] == [0, 0] and found[3:5] == [2, 2] and found[6:] == [1, 1]


def test_a_region_across_the_edge_of_a_tileable_picture(materials):
    """The mask lies at both edges, which meet in the last view."""
    space = Plane(128, 32, wrap_x=True)
    encode = host.text_encoder(materials[1])
    mask = torch.zeros(1, 32, 128)
    mask[..., :24] = mask[..., 104:] = 1.0
    inside = CanonicalPrompt().build(space, TILES, encode("grass"), mask, 1.0, "default")[0]
    positive = CanonicalPrompt().build(space, TILES, encode("brick"), 1 - mask, 1.0, "default", inside)[0]
    found = colours(materials, positive, space, TILES)
    # (blocks 1 and 6 are half in the mask)
    assert [found[i] for i in (0, 2, 3, 4, 5, 7)] == [1, 0, 0, 0, 0, 1]
