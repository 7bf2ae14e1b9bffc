"""Cross-view attention on diffusion transformers of the host's own classes: with all views it is one pass over the
canvas, with none it is windows at their true places."""

import functools

import pytest
import torch
from helpers.attention_runs import attend, estimates
from helpers.hosting import Plane, Windows, one_line, relative_error, run_node
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.host.transformers import HAS_OVERRIDE
from syncpack.renderers.scene import Scene

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(not HAS_OVERRIDE, reason="hosts before the autumn of 2025 cannot override attention"),
]

if HAS_OVERRIDE:
    from helpers.transformer_models import DITS, attentive, noise, sd3, text
else:
    DITS = {}

SIGMA = 0.6
# Six windows of 8 x 12 cells on a canvas of 12 x 28: tokens in the middle are shown by up to four of them.
SPACE, RIG = Plane(28 * 8, 12 * 8), Windows(12 * 8, 8 * 8, 8 * 8, 4 * 8)
ALL = 64


@functools.cache
def model(name):
    return attentive(DITS[name].make())


def windows(canvas, space=SPACE, rig=RIG):
    """[N, .., h, w] of a canvas [1, .., H, W], which may wrap to the right."""
    placed = Scene(space, rig).geometry.placement(8)
    wide = torch.cat([canvas, canvas], -1)
    return torch.cat(
        [wide[..., y : y + placed.height, x : x + placed.width] for y in placed.rows for x in placed.columns]
    )


def estimate(name, patched, x, conds=None):
    return estimates(patched, x, conds or [text(name)], sigma=SIGMA)[0]


def views(name, **changes):
    return attend(model(name), space=changes.pop("space", SPACE), rig=changes.pop("rig", RIG), **changes)


@functools.cache
def canvas_of(name):
    """(a canvas of noise, what the host's own class makes of it in one pass, in windows)."""
    canvas = noise(name, 1, 12, 28)
    return canvas, windows(estimate(name, model(name), canvas))


# All neighbours: the canvas


@pytest.mark.parametrize("name", DITS)
def test_all_neighbours_are_one_pass_over_the_canvas(name):
    canvas, whole = canvas_of(name)
    got = estimate(name, views(name, neighbours=ALL), windows(canvas))
    assert relative_error(estimate(name, model(name), windows(canvas)), whole) > 1e-3
    assert relative_error(got, whole) <= 1e-5


@pytest.mark.parametrize("name", ["Flux", "Qwen-Image"])
@pytest.mark.parametrize("missing", [dict(positions="own"), dict(overlaps=False), dict(neighbours=4)])
def test_nothing_of_it_can_be_missing(name, missing):
    canvas, whole = canvas_of(name)
    got = estimate(name, views(name, **{"neighbours": ALL, **missing}), windows(canvas))
    assert relative_error(got, whole) > 1e-4


@pytest.mark.parametrize("name", ["Flux", "Wan", "HiDream"])
def test_windows_that_do_not_lie_on_tokens_are_told_fractions(name):
    """Windows every three cells, where tokens are two wide: another cut of the canvas, but the same places."""
    space, rig = Plane(18 * 8, 12 * 8), Windows(12 * 8, 12 * 8, 3 * 8, 12 * 8)
    x = noise(name, 3, 12, 12)
    got = estimate(name, views(name, space=space, rig=rig, neighbours=ALL), x)
    assert torch.isfinite(got).all()


def test_text_that_is_masked_stays_masked():
    """Padding of a prompt is seen by no view."""
    name, canvas = "Qwen-Image", noise("Qwen-Image", 1, 12, 28)
    mask = torch.tensor([[1, 1, 1, 0, 0]])
    cond = [[text(name)[0][0], {"attention_mask": mask}]]
    whole = windows(estimate(name, model(name), canvas, [cond]))
    got = estimate(name, views(name, neighbours=ALL), windows(canvas), [cond])
    assert relative_error(got, whole) <= 1e-5


@pytest.mark.parametrize("name", ["Flux", "OmniGen2"])
def test_conditionings_and_pictures_are_not_mixed(name):
    patched, canvas = views(name, neighbours=ALL), canvas_of(name)[0]
    other = noise(name, 1, 12, 28, seed=3)
    both = torch.cat([windows(canvas), windows(other)])
    together = estimates(patched, both, [text(name), text(name, 2)], sigma=SIGMA)
    for got, seed in zip(together, (1, 2), strict=True):
        for part, picture in zip(got.split(6), (canvas, other), strict=True):
            alone = windows(estimate(name, model(name), picture, [text(name, seed)]))
            assert relative_error(part, alone) <= 1e-5


def test_a_run_with_all_neighbours_is_the_hosts_own_run_of_the_canvas():
    """Windows, synchronised, sampler and all, and in the end the picture that the host samples at once."""
    name = "Flux"
    positive, negative = text(name), text(name, 2)
    made = run_node(views(name, neighbours=ALL), SPACE, RIG, positive=positive, negative=negative, cfg=2.0, steps=2)
    sampled = made[1]["samples"]
    import comfy.sample

    with torch.inference_mode():
        empty = torch.zeros(1, 16, 12, 28)
        start = comfy.sample.prepare_noise(empty, 5)
        expected = comfy.sample.sample(model(name), start, 2, 2.0, "euler", "normal", positive, negative, empty, seed=5)
    assert sampled.shape == expected.shape
    assert relative_error(sampled, expected) <= 1e-4


# No neighbours: windows at their places


def test_views_are_where_they_lie():
    """Against the host's own patch of positions, one view at a time."""
    name, canvas = "Flux", canvas_of("Flux")[0]
    x, placed = windows(canvas), Scene(SPACE, RIG).geometry.placement(8)
    got = estimate(name, views(name, neighbours=0), x)
    corners = [(row / 2, column / 2) for row in placed.rows for column in placed.columns]
    for view, corner in enumerate(corners):

        def moved(args, corner=corner):
            ids = args["img_ids"].clone()
            ids[..., 1:3] += ids.new_tensor(corner)
            return {**args, "img_ids": ids}

        alone = model(name).clone()
        alone.set_model_patch(moved, "post_input")
        assert relative_error(got[view], estimate(name, alone, x[view : view + 1])[0]) <= 1e-5
    assert relative_error(got, estimate(name, model(name), x)) > 1e-4


@pytest.mark.parametrize("name", ["Flux", "SD3", "Wan"])
def test_nothing_asked_is_the_model_itself(name):
    x = windows(canvas_of(name)[0])
    plain = estimate(name, model(name), x)
    for nothing in (dict(weight=0.0), dict(neighbours=0), dict(end=0.0, start=0.0)):
        assert torch.equal(estimate(name, views(name, positions="own", **nothing), x), plain)


@pytest.mark.parametrize("name", ["Flux", "SD3", "Qwen-Image"])
def test_one_view_that_is_the_canvas_is_the_model_itself(name):
    x = canvas_of(name)[0]
    alone = Windows(28 * 8, 12 * 8, 28 * 8, 12 * 8)
    assert torch.equal(estimate(name, views(name, rig=alone, neighbours=ALL), x), estimate(name, model(name), x))


def test_a_ring_has_no_beginning():
    """Where text has no place, all that counts is where views lie from each other, the short way round."""
    name, ring = "Wan", Plane(40 * 8, 12 * 8, wrap_x=True)
    rig = Windows(12 * 8, 12 * 8, 8 * 8, 12 * 8)
    patched, canvas = views(name, space=ring, rig=rig, neighbours=2), noise(name, 1, 12, 40)
    got = estimate(name, patched, windows(canvas, ring, rig))
    turned = estimate(name, patched, windows(canvas.roll(-8, -1), ring, rig))
    assert relative_error(turned, got.roll(-1, 0)) <= 1e-5


# In company


def test_an_override_that_is_there_is_asked():
    name, x, asked = "Flux", windows(canvas_of("Flux")[0]), []

    def override(function, q, k, *args, **kwargs):
        asked.append(k.shape[-2])
        return function(q, k, *args, **kwargs)

    for order in ("before", "after"):
        base = model(name).clone()
        if order == "before":
            base.model_options["transformer_options"]["optimized_attention_override"] = override
        patched = attend(base, space=SPACE, rig=RIG, neighbours=2)
        if order == "after":
            patched.model_options["transformer_options"]["optimized_attention_override"] = override
        asked.clear()
        got = estimate(name, patched, x)
        assert set(asked) == {5 + 3 * 24}
        assert torch.equal(got, estimate(name, views(name, neighbours=2), x))


def test_a_patch_of_the_first_block_keeps_its_say():
    """SD3's positions come in there."""
    name, x, seen = "SD3", windows(canvas_of("SD3")[0]), []

    def owner(args, more):
        seen.append(args["img"].shape)
        return more["original_block"](args)

    patched = views(name, neighbours=ALL).clone()
    expected = estimate(name, patched, x)
    patched.set_model_patch_replace(owner, "dit", "double_block", 0)
    assert torch.equal(estimate(name, patched, x), expected) and seen


def test_applied_twice_the_last_one_holds():
    name, x = "Flux", windows(canvas_of("Flux")[0])
    twice = attend(views(name, neighbours=ALL), space=SPACE, rig=RIG, neighbours=1)
    assert torch.equal(estimate(name, twice, x), estimate(name, views(name, neighbours=1), x))


def test_chunks_of_groups_change_nothing():
    name = "Flux"
    patched = views(name, group=2)
    inputs = dict(positive=text(name), negative=text(name, 2), cfg=2.0, steps=2)
    whole = run_node(patched, SPACE, RIG, **inputs, views_per_batch=64)[0]["samples"]
    assert relative_error(run_node(patched, SPACE, RIG, **inputs, views_per_batch=3)[0]["samples"], whole) <= 1e-5


def test_prompts_of_views_are_their_own():
    name, x = "Flux", windows(canvas_of("Flux")[0])
    patched = views(name, neighbours=1, group=3)
    first, second = text(name, 1, rows=6), text(name, 1, rows=6)
    second[0][0][4] += 1.0
    before, after = estimate(name, patched, x, [first]), estimate(name, patched, x, [second])
    assert torch.allclose(before[:3], after[:3], atol=1e-6)
    assert float((before[4] - after[4]).abs().max()) > 1e-4


def test_scores_are_scaled_by_how_many_keys_there_are():
    """A view alone has as many as ever; with neighbours it has more."""
    name, x = "Flux", windows(canvas_of("Flux")[0])
    alone = [estimate(name, views(name, neighbours=0, entropy_scale=on), x) for on in (False, True)]
    assert torch.equal(*alone)
    near = [estimate(name, views(name, neighbours=2, entropy_scale=on), x) for on in (False, True)]
    assert relative_error(near[1], near[0]) > 1e-4


# What cannot be


def test_views_larger_than_max_tokens():
    with pytest.raises(SyncError) as refused:
        estimate("Flux", views("Flux", max_tokens=23), windows(canvas_of("Flux")[0]))
    one_line(refused.value, "CrossViewAttention", "views of 24 tokens", "max_tokens 23", "set it to 0")


def test_a_table_of_positions_that_is_too_small():
    small = attentive(sd3(pos_embed_max_size=12, num_patches=144))
    with pytest.raises(SyncError) as refused:
        estimate("SD3", attend(small, space=SPACE, rig=RIG), windows(canvas_of("SD3")[0]))
    one_line(refused.value, "CrossViewAttention", "14 x 6 tokens", "SD3, 12 x 12", "positions to 'own'")
    own = attend(small, space=SPACE, rig=RIG, positions="own")
    assert torch.isfinite(estimate("SD3", own, windows(canvas_of("SD3")[0]))).all()


def test_tokens_that_nobody_can_place():
    name, x = "HiDream", windows(canvas_of("HiDream")[0])
    options = {**text(name)[0][1], "concat_latent_image": x}
    with pytest.raises(SyncError) as refused:
        estimate(name, views(name), x, [[[text(name)[0][0], options]]])
    one_line(refused.value, "CrossViewAttention", "pictures to edit", "HiDream", "leave them out")
