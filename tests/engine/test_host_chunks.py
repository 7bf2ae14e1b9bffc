"""Chunks of views: the picture does not depend on how many views go through the model at once."""

import gc
import weakref

import pytest
import torch
from helpers.hosting import (
    NEGATIVE,
    POSITIVE,
    Plane,
    Windows,
    comfy,
    gaussian,
    host,
    opinionated,
    plain_sample,
    prompt,
    relative_error,
    run_node,
    run_patched,
    tiny_controlnet,
    tiny_unet,
    with_hints,
)
from syncpack.nodes.engine.chunks import ViewBatches
from syncpack.nodes.engine.conds import ControlCopies, rows_of

pytestmark = pytest.mark.host

# Five overlapping windows of 12 x 8 cells on 24 x 8.
SPACE, RIG, VIEWS = Plane(192, 64), Windows(96, 64, 24, 64), 5
CHUNKS = (1, 2, 3, 5)
CFG = 3.0
# (height, width, y, x) in cells
AREA = (8, 8, 0, 4)


@pytest.fixture(scope="module")
def unet():
    return tiny_unet()


def picture(model, views_per_batch, positive, negative=NEGATIVE, **changes):
    views, _ = run_node(
        model, SPACE, RIG, cfg=CFG, positive=positive, negative=negative, views_per_batch=views_per_batch, **changes
    )
    assert views["samples"].shape == (VIEWS, 4, 8, 12)
    return views["samples"]


HINTS = (VIEWS, 3, 64, 96)


def check_chunks(model, positive, negative=NEGATIVE, rival=POSITIVE, **changes):
    """Chunked runs equal the run in one piece, which is another one than with ``rival``."""
    whole = picture(model, 64, positive, negative, **changes)
    assert relative_error(picture(model, 64, rival, **changes), whole) > 1e-3, "the conditioning has no effect"
    for size in CHUNKS:
        assert relative_error(picture(model, size, positive, negative, **changes), whole) <= 1e-5, size


def view_masks():
    """One mask per view, each another half of it."""
    masks = torch.zeros(VIEWS, 64, 96)
    for i in range(VIEWS):
        masks[i, :, 16 * i : 16 * i + 32] = 1.0
    return masks


def test_one_prompt_per_view(unet):
    check_chunks(unet, prompt(3, rows=VIEWS), prompt(4, rows=VIEWS))


@pytest.mark.parametrize("process", [1, 5])
def test_one_prompt_per_view_in_other_processes(unet, process):
    check_chunks(unet, prompt(3, rows=VIEWS), prompt(4, rows=VIEWS), process=process)


def test_a_mask_per_view(unet):
    masked = prompt(5, mask=view_masks(), mask_strength=1.0, set_area_to_bounds=False)
    check_chunks(unet, [*POSITIVE, *masked])


def test_an_area(unet):
    check_chunks(unet, [*POSITIVE, *prompt(6, area=AREA, strength=1.5, set_area_to_bounds=False)])


def test_prompts_masks_and_areas_together(unet):
    masked = prompt(5, rows=VIEWS, mask=view_masks(), mask_strength=0.8, set_area_to_bounds=False)
    area = prompt(6, area=AREA, strength=1.5, set_area_to_bounds=False)
    check_chunks(unet, [*prompt(3, rows=VIEWS), *masked, *area])


def test_several_canonical_pictures(unet):
    """Two pictures of five views: chunks run across the border between them, prompts repeat for the second."""
    positive = prompt(3, rows=2 * VIEWS)
    runs = [
        run_node(unet, SPACE, RIG, cfg=CFG, positive=positive, batch_size=2, views_per_batch=size)[0]["samples"]
        for size in (64, 3, 4)
    ]
    for run in runs[1:]:
        assert relative_error(run, runs[0]) <= 1e-5


@pytest.mark.skipif(not host.HAS_WRAPPERS, reason="hosts of 2024 run a patched MODEL in one piece")
def test_the_patched_model_is_chunked_too():
    model = opinionated()
    sizes = []
    model.model.fails = lambda call, x: sizes.append(x.shape[0])
    run_patched(model, SPACE, RIG, torch.zeros(VIEWS, 4, 8, 12), views_per_batch=2)
    assert sizes == [2, 2, 1] * 3


@pytest.mark.parametrize("size, expected", [(1, [1] * 5), (2, [2, 2, 1]), (3, [3, 2]), (5, [5]), (0, [5])])
def test_chunks_have_the_size_asked_for(size, expected):
    model = gaussian()
    run_node(model, SPACE, RIG, views_per_batch=size, steps=1)
    assert [x.shape[0] for x, _ in model.model.calls] == expected


# ControlNet


@pytest.fixture(scope="module")
def nets():
    return tiny_controlnet(7), tiny_controlnet(8)


@pytest.mark.parametrize("count", [1, 2])
def test_hints_per_view(unet, nets, count):
    positive, negative = with_hints(POSITIVE, HINTS, *nets[:count]), with_hints(NEGATIVE, HINTS, *nets[:count])
    check_chunks(unet, positive, negative)
    if count == 2:
        one = with_hints(POSITIVE, HINTS, nets[0])
        assert relative_error(picture(unet, 2, one), picture(unet, 2, positive)) > 1e-3, "the second net has no effect"


def test_the_hint_of_each_view_is_its_own(unet, nets):
    """View i with hint i of a batch is what view i alone with that hint is (nothing shared, no synchronisation)."""
    positive = with_hints(POSITIVE, HINTS, nets[0])
    control = positive[0][1]["control"]
    chunked = picture(unet, 2, positive, process=0, noise="independent", steps=1)
    for i in (0, 3, 4):
        single = control.copy().set_cond_hint(control.cond_hint_original[i : i + 1], control.strength, (0.0, 1.0))
        alone = [[POSITIVE[0][0], {"control": single, "control_apply_to_uncond": True}]]
        repeated = picture(unet, 64, alone, process=0, noise="independent", steps=1)
        assert relative_error(chunked[i], repeated[i]) <= 1e-5
        assert relative_error(chunked[i - 1], repeated[i - 1]) > 1e-4


def test_the_controlnet_is_left_as_it_was(unet, nets):
    positive = with_hints(POSITIVE, HINTS, *nets)
    control = positive[0][1]["control"]
    hint, previous, strength = control.cond_hint_original, control.previous_controlnet, control.strength
    picture(unet, 2, positive)
    assert control.cond_hint_original is hint and hint.shape[0] == VIEWS
    assert control.previous_controlnet is previous and control.strength == strength
    assert control.timestep_range is None, "the host cleans up what it has run"


def test_copies_of_controls_end_with_the_run(nets):
    control = with_hints(POSITIVE, HINTS, *nets)[0][1]["control"]
    copies = ControlCopies()
    made = copies.for_views(control, (2, 3))
    assert copies.for_views(control, (2, 3)) is made and copies.for_views(control, (4,)) is not made
    assert made.control_model is control.control_model, "weights are shared"
    assert torch.equal(made.cond_hint_original, control.cond_hint_original[2:4])
    watch = weakref.ref(made)
    del made, copies
    gc.collect()
    assert watch() is None


def test_rows_repeat_as_the_host_repeats_them():
    value = torch.arange(3)[:, None]
    assert rows_of(value, [2, 3, 7]).flatten().tolist() == [2, 0, 1]
    assert rows_of(value[:1], [2, 3]).shape[0] == 1


# Memory


@pytest.mark.parametrize("free, expected", [(1e15, 5), (0.0, 1)])
def test_the_automatic_size_follows_the_free_memory(monkeypatch, free, expected):
    monkeypatch.setattr(comfy.model_management, "get_free_memory", lambda *_, **__: free)
    assert ViewBatches(5).size(gaussian().model, torch.zeros(5, 4, 8, 12)) == expected


def test_the_automatic_size_is_the_largest_that_fits(monkeypatch):
    model = gaussian().model
    three = 1.5 * model.memory_required([6, 4, 8, 12])
    monkeypatch.setattr(comfy.model_management, "get_free_memory", lambda *_, **__: three)
    assert ViewBatches(5).size(model, torch.zeros(5, 4, 8, 12)) == 3


@pytest.fixture
def asked(monkeypatch):
    """Bytes that the host makes room for beside each model it loads."""
    bytes_asked = []
    load = comfy.model_management.load_models_gpu

    def watched(models, memory_required=0, **rest):
        bytes_asked.append(memory_required)
        return load(models, memory_required, **rest)

    monkeypatch.setattr(comfy.model_management, "load_models_gpu", watched)
    return bytes_asked


def plain_estimate(asked, model, views):
    """What the host makes room for when a plain KSampler samples that many views."""
    asked.clear()
    plain_sample(model, torch.zeros(views, 4, 8, 12), steps=1)
    return asked.pop()


def memory_of_device(monkeypatch, bytes_held):
    monkeypatch.setattr(comfy.model_management, "get_total_memory", lambda *_, **__: bytes_held)


@pytest.mark.parametrize("size, held, views", [(2, 0.0, 2), (64, 0.0, VIEWS), (0, 1e15, VIEWS), (0, 0.0, 1)])
def test_the_host_makes_room_for_one_chunk(monkeypatch, asked, size, held, views):
    """Not for all views, which would push the weights off a small card."""
    model = gaussian()
    expected = plain_estimate(asked, model, views)
    memory_of_device(monkeypatch, held)
    run_node(model, SPACE, RIG, steps=1, views_per_batch=size)
    assert asked == [expected]
    if host.HAS_WRAPPERS:
        run_patched(model, SPACE, RIG, torch.zeros(VIEWS, 4, 8, 12), views_per_batch=size)
        assert asked[1:] == [expected]
    assert plain_estimate(asked, model, VIEWS) >= expected, "the model that was connected is as it was"


def test_a_plain_run_after_a_chunked_one_is_unchanged(unet, nets):
    latent = torch.zeros(1, 4, 8, 8)
    before = plain_sample(unet, latent, cfg=CFG)
    picture(unet, 2, with_hints(POSITIVE, HINTS, *nets))
    assert torch.equal(plain_sample(unet, latent, cfg=CFG), before)
