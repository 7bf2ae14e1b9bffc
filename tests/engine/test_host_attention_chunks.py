"""Cross-view attention in whole runs: chunks of whole groups, memory that runs out, every sampler door."""

import copy

import pytest
import torch
from helpers.attention_runs import RIG, SPACE, VIEWS, attend, attentive_unet, estimates, noisy, run
from helpers.hosting import one_line, plain_sample, prompt, relative_error, run_advanced, run_node, run_patched
from syncpack.nodes.host.errors import SyncError

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def unet():
    return attentive_unet()


# Chunks


@pytest.mark.parametrize("group, sizes", [(2, (3, 4)), (3, (5,)), (4, (4,)), (0, (6, 7))])
def test_chunks_of_whole_groups_change_nothing(unet, group, sizes):
    patched = attend(unet, group=group)
    whole = run(patched, views_per_batch=64)
    assert relative_error(run(unet, views_per_batch=64), whole) > 1e-3
    for size in sizes:
        assert relative_error(run(patched, views_per_batch=size), whole) <= 1e-5, size


def test_chunks_of_several_pictures(unet):
    patched = attend(unet, group=4)
    runs = [run(patched, views_per_batch=size, batch_size=2, positive=prompt(3, rows=2 * VIEWS)) for size in (64, 4, 9)]
    for chunked in runs[1:]:
        assert relative_error(chunked, runs[0]) <= 1e-5


def rows_of_calls(model, **changes):
    """How many rows every model call had."""
    seen = []
    watched = model.clone()

    def watch(n, context, value, options):
        if options["block"] == ("middle", 0):
            seen.append(n.shape[0])
        return n, context, value

    watched.set_model_attn1_patch(watch)
    run(watched, steps=1, cfg=1.0, **changes)
    return seen


@pytest.mark.parametrize(
    "group, size, pictures, expected",
    [
        (2, 5, 1, [4, 2]),
        (4, 4, 1, [4, 2]),
        (4, 5, 2, [4, 2, 4, 2]),
        (0, 6, 2, [6, 6]),
        (0, 8, 2, [6, 6]),
        (3, 8, 2, [6, 6]),
        (3, 12, 2, [12]),
        (9, 6, 1, [6]),
    ],
)
def test_a_chunk_is_whole_groups_of_one_picture(unet, group, size, pictures, expected):
    patched = attend(unet, group=group)
    positive = prompt(3, rows=pictures * VIEWS)
    assert rows_of_calls(patched, views_per_batch=size, batch_size=pictures, positive=positive) == expected


@pytest.mark.parametrize("group, size, fix", [(0, 4, "a group of 6"), (3, 2, "a group of 3"), (2, 1, "a group of 2")])
def test_too_small_chunks_are_refused(unet, group, size, fix):
    with pytest.raises(SyncError) as refused:
        run(attend(unet, group=group), views_per_batch=size)
    one_line(refused.value, "CrossViewAttention", f"views_per_batch {size}", fix, "set views_per_batch to")
    assert torch.isfinite(run(unet)).all()


@pytest.fixture
def small_device():
    """A model whose calls hold so many rows before the device's memory is exhausted."""

    def limited(model, most):
        patched = model.clone()

        def watch(n, context, value, options):
            if n.shape[0] > most:
                raise torch.cuda.OutOfMemoryError(f"{n.shape[0]} rows")
            return n, context, value

        patched.set_model_attn1_patch(watch)
        return patched

    return limited


def test_memory_that_runs_out_halves_down_to_a_group(unet, small_device):
    patched = attend(unet, group=2)
    whole = run(patched, cfg=1.0)
    assert relative_error(run(small_device(patched, 2), cfg=1.0), whole) <= 1e-5
    assert relative_error(run(small_device(patched, 5), cfg=1.0), whole) <= 1e-5


@pytest.mark.parametrize("group, most, fix", [(0, 4, "group to 3"), (3, 2, "weight to 0")])
def test_a_group_that_does_not_fit(unet, small_device, group, most, fix):
    patched = attend(unet, group=group)
    with pytest.raises(MemoryError) as refused:
        run(small_device(patched, most), cfg=1.0)
    one_line(refused.value, "SyncTweediesSampler", "CrossViewAttention's group of", fix)
    assert torch.isfinite(run(patched)).all()


# Samplers


def test_every_door(unet):
    patched, latent = attend(unet, reference=1), torch.zeros(VIEWS, 4, 8, 8)
    inside = run_node(patched, SPACE, RIG)[0]["samples"]
    around = run_advanced(patched, SPACE, RIG, {"samples": latent})
    assert relative_error(around, inside) <= 1e-6
    door = run_patched(patched, SPACE, RIG, latent)
    assert door.shape == latent.shape and torch.isfinite(door).all()
    assert relative_error(run_patched(unet, SPACE, RIG, latent), door) > 1e-3


def test_a_plain_sampler_with_all_views_works(unet):
    latent = torch.zeros(VIEWS, 4, 8, 8)
    seen, unseen = plain_sample(attend(unet), latent), plain_sample(unet, latent)
    assert torch.isfinite(seen).all() and relative_error(seen, unseen) > 1e-3


def test_a_plain_sampler_with_another_number_of_views(unet):
    with pytest.raises(SyncError) as refused:
        plain_sample(attend(unet), torch.zeros(4, 4, 8, 8))
    one_line(refused.value, "CrossViewAttention", "batch of 4", "rig of 6", "SyncTweediesViewLatents")


def test_a_foreign_chunk_without_the_neighbours(unet):
    options = copy.copy(attend(unet).model_options)
    options["transformer_options"] = {**options["transformer_options"], "sync_views": [0, 1, 2]}
    with pytest.raises(SyncError) as refused:
        estimates(unet, noisy(3), options=options)
    one_line(refused.value, "CrossViewAttention", "view 2 attends to view 3", "model call of 3 views", "group")
