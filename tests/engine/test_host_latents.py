"""Canonical latents in: encoded starts, masks, several pictures at once, view latents."""

import pytest
import torch
from helpers.hosting import (
    Plane,
    Windows,
    disagreement,
    gaussian,
    host,
    one_line,
    opinionated,
    relative_error,
    run_advanced,
    run_node,
    tiny_unet,
)
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.sampling.sampler import SyncTweediesViewLatents

pytestmark = pytest.mark.host

# Five overlapping windows of 8 x 8 cells on 24 x 8.
SPACE, RIG, VIEWS = Plane(192, 64), Windows(64, 64, 32, 64), 5


def picture(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# Starting from a picture


def test_denoise_below_one_stays_near_the_picture():
    model, start = gaussian(), {"samples": picture(1, 4, 8, 24)}
    distance = {}
    for denoise in (0.1, 0.5, 1.0):
        views, canonical = run_node(model, SPACE, RIG, canonical=start, denoise=denoise, steps=4)
        assert canonical["samples"].shape == (1, 4, 8, 24) and views["samples"].shape == (VIEWS, 4, 8, 8)
        assert disagreement(SPACE, RIG, views["samples"]) <= 1e-5
        distance[denoise] = float((canonical["samples"] - start["samples"]).std())
    assert distance[0.1] < 0.3 < distance[0.5] < distance[1.0], distance


@pytest.mark.parametrize("process", [1, 4, 5])
def test_canonical_processes_start_from_the_picture_too(process):
    start = {"samples": picture(1, 4, 8, 24)}
    options = dict(canonical=start, denoise=0.5, steps=4)
    _, expected = run_node(opinionated(), SPACE, RIG, process=2, **options)
    _, canonical = run_node(opinionated(), SPACE, RIG, process=process, **options)
    assert relative_error(canonical["samples"], expected["samples"]) <= 1e-5


@pytest.mark.parametrize("sampler", ["euler", "ddim", "euler_ancestral"])
@pytest.mark.parametrize("resolution", [8, 1])
def test_a_canonical_mask_keeps_the_rest(sampler, resolution):
    """The right half is repainted; the left half is kept in every view, though views disagree about it."""
    mask = torch.zeros(1, 64 // resolution, 192 // resolution)
    mask[..., 96 // resolution :] = 1.0
    start = {"samples": picture(1, 4, 8, 24), "noise_mask": mask}
    model = opinionated()
    views, canonical = run_node(model, SPACE, RIG, canonical=start, sampler_name=sampler, steps=4)
    changed = (canonical["samples"] - start["samples"]).abs()
    # (a mask at image resolution fades over the cells next to its border)
    assert float(changed[..., :11].max()) <= 1e-5
    assert float(changed[..., 13:].mean()) > 0.3
    assert disagreement(SPACE, RIG, views["samples"]) <= 1e-5
    assert torch.equal(canonical["noise_mask"], mask), "the canonical latent keeps its own mask"
    assert views["noise_mask"].shape[0] == VIEWS
    for x, sigma in model.model.calls[1:]:
        assert disagreement(SPACE, RIG, x) / sigma <= 1e-4, "kept regions carry the same noise in every view"


@pytest.mark.parametrize("process", [1, 5])
def test_a_mask_in_other_processes(process):
    mask = torch.zeros(1, 8, 24)
    mask[..., 12:] = 1.0
    start = {"samples": picture(1, 4, 8, 24), "noise_mask": mask}
    _, canonical = run_node(opinionated(), SPACE, RIG, canonical=start, process=process, steps=4)
    changed = (canonical["samples"] - start["samples"]).abs()
    assert float(changed[..., :12].max()) <= 1e-5 and float(changed[..., 12:].mean()) > 0.3


def test_a_canonical_latent_one_cell_short():
    """Encoders crop what is not a whole cell: 196 x 68 pixels come as 24 x 8 cells and leave as 25 x 9."""
    space, start = Plane(196, 68), {"samples": picture(1, 4, 8, 24)}
    views, canonical = run_node(gaussian(), space, RIG, canonical=start, denoise=0.05, steps=2)
    assert canonical["samples"].shape == (1, 4, 9, 25) and views["samples"].shape == (12, 4, 8, 8)
    assert float((canonical["samples"][..., :8, :24] - start["samples"]).std()) < 0.3
    edge = canonical["samples"][..., 8, :24] - start["samples"][..., 7, :]
    assert float(edge.std()) < 0.3, "the missing cells start as their neighbours"


# Several pictures at once


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m"])
def test_a_batch_of_pictures_equals_separate_runs(sampler):
    starts = picture(3, 4, 8, 24)
    options = dict(denoise=0.6, steps=4, sampler_name=sampler)
    views, together = run_node(opinionated(), SPACE, RIG, canonical={"samples": starts}, **options)
    assert views["samples"].shape == (3 * VIEWS, 4, 8, 8)
    for i in range(3):
        alone = {"samples": starts[i : i + 1], "batch_index": [i]}
        _, one = run_node(opinionated(), SPACE, RIG, canonical=alone, **options)
        assert relative_error(together["samples"][i], one["samples"][0]) <= 1e-5
    assert not torch.allclose(together["samples"][0], together["samples"][1], atol=0.1)


@pytest.mark.parametrize("process", [1, 2, 4, 5, 54])
def test_pictures_of_a_batch_do_not_mix(process):
    """Changing the second picture leaves the first one bit for bit."""
    starts = picture(2, 4, 8, 24)
    other = starts.clone()
    other[1] = 3.0
    runs = [
        run_node(opinionated(), SPACE, RIG, canonical={"samples": s}, denoise=0.5, process=process)[1]["samples"]
        for s in (starts, other)
    ]
    assert torch.equal(runs[0][0], runs[1][0]) and not torch.equal(runs[0][1], runs[1][1])


def test_an_empty_batch_is_several_pictures():
    views, canonical = run_node(gaussian(), SPACE, RIG, batch_size=2)
    assert views["samples"].shape[0] == 2 * VIEWS and canonical["samples"].shape == (2, 4, 8, 24)
    _, single = run_node(gaussian(), SPACE, RIG, batch_size=1)
    assert relative_error(canonical["samples"][:1], single["samples"]) <= 1e-5


# Starting from views


@pytest.mark.parametrize("process", [2, 5])
@pytest.mark.parametrize("frames", [False, True])
def test_a_run_may_start_from_views(process, frames):
    """The views of a picture are the picture; a mask for each view counts as that of the picture."""
    if frames and not host.HAS_WRAPPERS:
        pytest.skip("hosts of 2024 cannot mask latents with frames")
    mask = torch.zeros(1, 8, 24)
    mask[..., 12:] = 1.0
    shape = (2, 4, 1, 8, 24) if frames else (2, 4, 8, 24)
    start = {"samples": picture(*shape), "noise_mask": mask}
    options = dict(denoise=0.6, steps=4, process=process)
    expected = run_node(opinionated(), SPACE, RIG, canonical=start, **options)
    cut, _ = SyncTweediesViewLatents().build(SPACE, RIG, 1, canonical=start)
    flat = cut["noise_mask"].reshape(-1, 8, 8)
    found = run_node(opinionated(), SPACE, RIG, views={**cut, "noise_mask": flat}, **options)
    assert torch.equal(found[0]["samples"], expected[0]["samples"])
    assert "noise_mask" not in found[1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(canonical=4), "both canonical and views are connected"),
        (dict(rows=4), "a batch of 4 does not match a rig of 5 views"),
        (dict(mask=3), "3 masks for 5 views"),
    ],
)
def test_views_that_do_not_fit(given, message):
    views = {"samples": picture(given.get("rows", VIEWS), 4, 8, 8)}
    if "mask" in given:
        views["noise_mask"] = torch.ones(given["mask"], 8, 8)
    canonical = {"samples": picture(1, 4, 8, 24)} if "canonical" in given else None
    with pytest.raises(SyncError) as caught:
        run_node(opinionated(), SPACE, RIG, canonical=canonical, views=views, denoise=0.5)
    one_line(caught.value, "SyncTweediesSampler", message)


# View latents


def test_view_latents_are_cut_from_the_picture():
    whole = {"samples": picture(2, 4, 8, 24), "noise_mask": torch.rand(1, 64, 192)}
    views, count = SyncTweediesViewLatents().build(SPACE, RIG, 1, canonical=whole)
    assert count == VIEWS and views["samples"].shape == (2 * VIEWS, 4, 8, 8)
    for picture_index in range(2):
        for i in range(VIEWS):
            expected = whole["samples"][picture_index, :, :, 4 * i : 4 * i + 8]
            assert torch.equal(views["samples"][picture_index * VIEWS + i], expected)
    assert views["noise_mask"].shape == (2 * VIEWS, 1, 8, 8)


def test_empty_view_latents():
    views, count = SyncTweediesViewLatents().build(SPACE, RIG, 2)
    assert count == VIEWS and views["samples"].shape == (2 * VIEWS, 4, 8, 8) and not views["samples"].any()
    views, _ = SyncTweediesViewLatents().build(SPACE, RIG, 1, model=tiny_unet())
    assert views["samples"].shape == (VIEWS, 4, 8, 8)


def test_view_latents_feed_the_host_samplers():
    start = {"samples": picture(1, 4, 8, 24)}
    model = opinionated()
    views, _ = SyncTweediesViewLatents().build(SPACE, RIG, 1, model, start)
    wrapped = run_advanced(model, SPACE, RIG, views)
    expected, _ = run_node(model, SPACE, RIG, canonical=start)
    assert torch.equal(wrapped, expected["samples"])


@pytest.mark.parametrize("process", [2, 4, 54])
@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral"])
def test_latents_of_one_frame_are_pictures(sampler, process):
    """Models made for video keep a frame axis: [B, C, 1, H, W] in, the same picture out."""
    start = picture(1, 4, 8, 24)
    options = dict(sampler_name=sampler, process=process, denoise=0.5, steps=4)
    torch.manual_seed(6)
    views, flat = run_node(opinionated(), SPACE, RIG, canonical={"samples": start}, **options)
    torch.manual_seed(6)
    framed_views, framed = run_node(opinionated(), SPACE, RIG, canonical={"samples": start.unsqueeze(2)}, **options)
    assert framed["samples"].shape == (1, 4, 1, 8, 24) and framed_views["samples"].shape == (VIEWS, 4, 1, 8, 8)
    assert torch.equal(framed["samples"][:, :, 0], flat["samples"])
    assert torch.equal(framed_views["samples"][:, :, 0], views["samples"])
