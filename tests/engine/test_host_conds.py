"""What conditionings carry besides text: ranges of the run, weight hooks, positions, pictures; in chunks too."""

from types import SimpleNamespace

import pytest
import torch
from helpers.host_networks import (
    CONTEXT,
    IMAGE_EMBED,
    SD3_POOLED,
    SD3_TEXT,
    flux,
    frozen,
    inpaint_unet,
    lively,
    normal,
    patcher,
    sdxl,
    small_vae,
    tokens,
    unclip,
    unet_of,
)
from helpers.host_nodes import base_node, node_class, outputs_of
from helpers.hosting import (
    NEGATIVE,
    PLAN,
    POSITIVE,
    Plane,
    SyncTweediesNoise,
    SyncTweediesSamplerWrap,
    Windows,
    comfy,
    host,
    one_line,
    prompt,
    relative_error,
    run_node,
)
from syncpack.nodes.host.errors import SyncError

pytestmark = pytest.mark.host

# Four overlapping windows of 8 x 8 cells on 20 x 8.
SPACE, RIG, VIEWS = Plane(160, 64), Windows(64, 64, 32, 64), 4
WHOLE = Plane(64, 64)
CFG = 3.0


@pytest.fixture(scope="module")
def unet():
    return unet_of()


@pytest.fixture(scope="module")
def painter():
    return inpaint_unet()


def picture(model, positive, negative=NEGATIVE, size=64, space=SPACE, **changes):
    options = dict(cfg=CFG, positive=positive, negative=negative, views_per_batch=size, **changes)
    views, _ = run_node(model, space, RIG, **options)
    assert torch.isfinite(views["samples"]).all()
    return views["samples"]


def plain(model, positive, negative, latent, steps=3, **options):
    """A plain KSampler."""
    with torch.inference_mode():
        noise = comfy.sample.prepare_noise(latent, 5)
        return comfy.sample.sample(
            model, noise, steps, CFG, "euler", "normal", positive, negative, latent, seed=5, **options
        )


def check(model, positive, negative=NEGATIVE, rival=POSITIVE, **changes):
    """One view is a plain run, chunks do not matter, and the conditioning is not the same as ``rival``."""
    whole = picture(model, positive, negative, **changes)
    assert relative_error(picture(model, rival, negative, **changes), whole) > 1e-3, "the conditioning has no effect"
    for size in (1, 3):
        assert relative_error(picture(model, positive, negative, size, **changes), whole) <= 1e-5, size
    one = picture(model, positive, negative, space=WHOLE, **changes)
    steps = changes.get("steps", 3)
    assert torch.equal(one, plain(model, positive, negative, torch.zeros(1, *one.shape[1:]), steps))


def check_rows(model, conditioning, negative, one_row):
    """View i of a batch is what the batch would be if every view had the row of view i (nothing is synchronised)."""
    options = dict(process=0, noise="independent", steps=1)
    chunked = picture(model, conditioning, negative, 3, **options)
    for i in (0, 2, 3):
        alone = picture(model, one_row(conditioning, i), one_row(negative, i), **options)
        assert relative_error(chunked[i], alone[i]) <= 1e-5
        assert relative_error(chunked[i - 1], alone[i - 1]) > 1e-4


# Text


def test_ranges_of_the_run(unet):
    """ConditioningSetTimestepRange and ConditioningCombine: another text per view in each half of the run."""
    ranged, combine = base_node("ConditioningSetTimestepRange"), base_node("ConditioningCombine")
    halves = [
        outputs_of(ranged, conditioning=prompt(seed, rows=rows), start=start, end=end)[0]
        for seed, rows, start, end in ((3, VIEWS, 0.0, 0.6), (4, 1, 0.4, 1.0))
    ]
    (positive,) = outputs_of(combine, conditioning_1=halves[0], conditioning_2=halves[1])
    check(unet, positive, steps=4)
    assert relative_error(picture(unet, positive, steps=4), picture(unet, [*halves[1], *prompt(3)], steps=4)) > 1e-3


@pytest.mark.parametrize("name", ["ConditioningAverage", "ConditioningConcat"])
def test_mixed_texts(unet, name):
    inputs = dict(conditioning_to=prompt(3, rows=VIEWS), conditioning_from=prompt(4, rows=VIEWS))
    if name == "ConditioningAverage":
        inputs["conditioning_to_strength"] = 0.6
    (positive,) = outputs_of(base_node(name), **inputs)
    check(unet, positive)


def lora_weights(model, seed):
    """A LoRA of rank 2 on one attention layer, as in a file."""
    name = "diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_v"
    weight = model.model.state_dict()[f"{name}.weight"]
    return {
        f"{name}.lora_up.weight": normal(seed, weight.shape[0], 2),
        f"{name}.lora_down.weight": normal(seed + 1, 2, weight.shape[1]),
    }


@pytest.mark.skipif(not host.HAS_WRAPPERS, reason="hosts of 2024 have no hooks")
def test_weight_hooks(unet):
    """Two entries with different LoRAs, one in the first half of the run only, beside one without."""
    hooks = comfy.hooks
    entries = list(POSITIVE)
    for seed, end in ((5, 0.5), (8, 1.0)):
        group = hooks.create_hook_lora(lora_weights(unet, seed), 2.0, 0.0)
        (hooked,) = outputs_of(
            node_class("hooks", "ConditioningSetProperties"),
            cond_NEW=prompt(seed, rows=VIEWS),
            strength=1.0,
            set_cond_area="default",
            hooks=group,
            timesteps=(0.0, end),
        )
        entries += hooked
    before = frozen(unet, POSITIVE, NEGATIVE)
    check(unet, entries, steps=4)
    without = [[t, {k: v for k, v in o.items() if k != "hooks"}] for t, o in entries]
    assert relative_error(picture(unet, without, steps=4), picture(unet, entries, steps=4)) > 1e-3
    assert frozen(unet, POSITIVE, NEGATIVE) == before, "weights are given back"


# Positions


def gligen():
    """The host's GLIGEN with random weights, one fuser per transformer block of the small U-Net."""
    module = comfy.sd.gligen
    sizes = [32, 64, 64, 64, 64, 32, 32]
    fusers = [module.GatedSelfAttentionDense(s, CONTEXT, 4, s // 4) for s in sizes]
    model = module.Gligen(fusers, module.PositionNet(CONTEXT, CONTEXT), CONTEXT)
    lively(model, 3)
    for fuser in fusers:
        fuser.alpha_attn.data.fill_(1.0)
        fuser.alpha_dense.data.fill_(1.0)
    return patcher(model)


def test_gligen_boxes_lie_at_the_same_place_in_every_view(unet):
    """A box is a place in the network's picture, which is a view (an entry for one view alone puts it there alone)."""
    model = gligen()
    boxes = [(normal(5, 1, CONTEXT), 4, 4, 2, 3)]
    positive = [[tokens(1, VIEWS)[0][0], {"gligen": ("position", model, boxes)}]]
    check(unet, positive, rival=tokens(1, VIEWS))
    moved = [[positive[0][0], {"gligen": ("position", model, [(boxes[0][0], 4, 4, 0, 0)])}]]
    assert relative_error(picture(unet, moved), picture(unet, positive)) > 1e-4


# Sizes and pictures as conditionings


def test_sizes_of_sdxl():
    """Pooled texts per view; sizes belong to an entry."""
    model = sdxl()

    def entry(seed, rows, **sizes):
        return tokens(seed, rows, pooled_output=normal(seed + 50, rows, 16), **sizes)

    small, negative = dict(width=64, height=64, crop_w=0, crop_h=0), entry(2, VIEWS)
    positive = entry(1, VIEWS, width=512, height=768, crop_w=32, crop_h=16, target_width=64, target_height=64)
    check(model, positive, negative, rival=entry(1, VIEWS, **small))
    check_rows(
        model,
        positive,
        negative,
        lambda c, i: [[c[0][0][i : i + 1], {**c[0][1], "pooled_output": c[0][1]["pooled_output"][i : i + 1]}]],
    )


def test_sizes_of_sdxl_for_each_view(monkeypatch):
    """One entry per view, each with the crop that its window is of the whole: in one call, and as views alone."""
    model, seen = sdxl(), []
    inner = host.BaseModel.apply_model
    monkeypatch.setattr(
        host.BaseModel, "apply_model", lambda self, x, *a, **k: (seen.append(x.shape[0]), inner(self, x, *a, **k))[1]
    )

    def entry(i, **options):
        sizes = dict(width=160, height=64, crop_w=32 * i, crop_h=0, target_width=64, target_height=64)
        return tokens(1, 1, pooled_output=normal(50, 1, 16), **sizes, **options)

    positive = [entry(i, sync_views=(i,))[0] for i in range(VIEWS)]
    negative = tokens(2, 1, pooled_output=normal(51, 1, 16))
    alone = dict(process=0, noise="independent", final_sync=False, steps=2)
    together = picture(model, positive, negative, **alone)
    assert seen == [2 * VIEWS] * 2
    for i in range(VIEWS):
        assert relative_error(together[i], picture(model, entry(i), negative, **alone)[i]) <= 1e-5
        assert relative_error(together[i], picture(model, entry((i + 1) % VIEWS), negative, **alone)[i]) > 1e-4
    assert relative_error(picture(model, positive, negative, 2, **alone), together) <= 1e-5


def test_image_embeddings_of_unclip():
    model = unclip()

    def seen(seed):
        found = SimpleNamespace(image_embeds=normal(seed, 1, IMAGE_EMBED))
        (entry,) = outputs_of(
            base_node("unCLIPConditioning"),
            conditioning=prompt(1, rows=VIEWS),
            clip_vision_output=found,
            strength=1.0,
            noise_augmentation=0.1,
        )
        return entry

    both = seen(30)
    both[0][1]["unclip_conditioning"].extend(seen(31)[0][1]["unclip_conditioning"])
    torch.manual_seed(0)
    check(model, seen(30), rival=seen(31))


@pytest.mark.skipif(not host.HAS_WRAPPERS, reason="hosts of 2024 have no reference latents")
def test_reference_latents_per_view():
    """Edit models (Flux Kontext): a picture of its own for every view, and one that all share."""
    model = flux()

    def entry(seed, rows):
        own, shared = normal(seed + 3, rows, 16, 8, 8), normal(seed + 4, 1, 16, 4, 8)
        pooled = normal(seed + 50, rows, SD3_POOLED)
        return tokens(seed, rows, SD3_TEXT, pooled_output=pooled, reference_latents=[own, shared])

    def row(conditioning, i):
        options = dict(conditioning[0][1])
        own, shared = options["reference_latents"]
        options |= {"reference_latents": [own[i : i + 1], shared], "pooled_output": options["pooled_output"][i : i + 1]}
        return [[conditioning[0][0][i : i + 1], options]]

    positive, negative = entry(1, VIEWS), entry(2, VIEWS)
    without = [[positive[0][0], {"pooled_output": positive[0][1]["pooled_output"]}]]
    whole = picture(model, positive, negative)
    assert relative_error(picture(model, without, negative), whole) > 1e-3, "they have no effect"
    for size in (1, 3):
        assert relative_error(picture(model, positive, negative, size), whole) <= 1e-5
    check_rows(model, positive, negative, row)


# Inpaint models: the picture and the mask beside the noisy latent


def canonical_picture():
    """An IMAGE [1, H, W, 3] of the whole canvas and the MASK of what is to be painted."""
    image = torch.rand(1, 64, 160, 3, generator=torch.Generator().manual_seed(2))
    mask = torch.zeros(1, 64, 160)
    mask[:, 16:48, 24:120] = 1.0
    return image, mask


def in_views(value, cell=1):
    """[1, H, W, ...] -> one per view."""
    step = RIG.stride_x
    return torch.cat([value[:, :, step * i : step * i + 64] for i in range(VIEWS)])


def inpaint(vae, pixels, mask, rows=1):
    """The host's InpaintModelConditioning."""
    return outputs_of(
        base_node("InpaintModelConditioning"),
        positive=prompt(1, rows=rows),
        negative=prompt(2, rows=rows),
        vae=vae,
        pixels=pixels,
        mask=mask,
    )


def row_of_inpaint(conditioning, i):
    given = conditioning[0][1]
    keys = ("concat_latent_image", "concat_mask")
    return [[conditioning[0][0], {**given, **{k: given[k][i : i + 1] for k in keys}}]]


def test_inpainting_from_view_images(painter):
    """Images and masks of the views through the host's node: chunked, per view, and it matters."""
    image, mask = canonical_picture()
    positive, negative, _ = inpaint(small_vae(), in_views(image), in_views(mask))
    assert positive[0][1]["concat_latent_image"].shape[0] == VIEWS
    whole = picture(painter, positive, negative)
    assert relative_error(picture(painter, POSITIVE, NEGATIVE), whole) > 1e-3
    for size in (1, 3):
        assert relative_error(picture(painter, positive, negative, size), whole) <= 1e-5
    check_rows(painter, positive, negative, row_of_inpaint)


def test_inpainting_from_the_canonical_picture(painter):
    """The all-in-one node cuts a canonical conditioning as the views would have been cut from its latent."""
    image, mask = canonical_picture()
    positive, negative, latent = inpaint(small_vae(), image, mask)
    before = positive[0][1]["concat_latent_image"].clone()
    cells = positive[0][1]["concat_latent_image"]
    by_hand = [
        [
            t,
            {
                "concat_latent_image": torch.cat([cells[..., 4 * i : 4 * i + 8] for i in range(VIEWS)]),
                "concat_mask": in_views(mask)[:, None],
            },
        ]
        for t, _ in (positive[0], negative[0])
    ]
    expected = picture(painter, by_hand[:1], by_hand[1:])
    for size in (64, 3):
        assert relative_error(picture(painter, positive, negative, size), expected) <= 1e-5
    assert torch.equal(positive[0][1]["concat_latent_image"], before), "the conditioning itself stays as it is"
    # Two pictures at once: each has the same views.
    two = picture(painter, positive, negative, 3, batch_size=2)
    assert two.shape[0] == 2 * VIEWS and relative_error(two[:VIEWS], expected) <= 1e-5
    also = picture(painter, by_hand[:1], by_hand[1:], 3, batch_size=2)
    assert relative_error(also, two) <= 1e-5
    # With the latent and its noise mask, the kept part stays.
    kept = {**latent, "noise_mask": mask}
    _, canonical = run_node(
        painter, SPACE, RIG, cfg=CFG, positive=positive, negative=negative, canonical=kept, views_per_batch=3
    )
    outside = (canonical["samples"] - latent["samples"]).abs()[..., 17:]
    assert float(outside.max()) <= 1e-4 * float(latent["samples"].abs().max())


def test_one_view_of_an_inpaint_model_is_a_plain_run(painter):
    image, mask = canonical_picture()
    positive, negative, latent = inpaint(small_vae(), image[:, :, :64], mask[:, :, :64])
    one, _ = run_node(painter, WHOLE, RIG, cfg=CFG, positive=positive, negative=negative, canonical=latent)
    expected = plain(painter, positive, negative, latent["samples"], noise_mask=latent.get("noise_mask"))
    assert torch.equal(one["samples"], expected)


def test_masks_without_the_inpaint_node(painter):
    """Only a noise mask: the host itself takes the latent and the mask of each view."""
    start = {"samples": normal(3, 1, 4, 8, 20), "noise_mask": canonical_picture()[1]}
    whole = picture(painter, POSITIVE, NEGATIVE, canonical=start)
    for size in (1, 3):
        assert relative_error(picture(painter, POSITIVE, NEGATIVE, size, canonical=start), whole) <= 1e-5
    other = {**start, "noise_mask": 1.0 - start["noise_mask"]}
    assert relative_error(picture(painter, POSITIVE, NEGATIVE, canonical=other), whole) > 1e-3


def test_canonical_pictures_in_a_guider_are_refused(painter):
    """The SAMPLER door cannot cut them: the host has read them before the sampler is called."""
    image, mask = canonical_picture()
    vae = small_vae()
    (sampler,) = SyncTweediesSamplerWrap().wrap(comfy.samplers.sampler_object("euler"), SPACE, RIG, **PLAN)
    (noise,) = SyncTweediesNoise().build(SPACE, RIG, 5, "polar")
    latent = torch.zeros(VIEWS, 4, 8, 8)
    sigmas = host.k_sampler_sigmas(painter, 2, "euler", "normal", 1.0)

    def run(pixels, masks):
        positive, negative, _ = inpaint(vae, pixels, masks)
        with torch.inference_mode():
            start = noise.generate_noise({"samples": latent})
            host.sample(painter, start, positive, negative, CFG, sampler, sigmas, latent, None, None, seed=5)

    with pytest.raises(SyncError) as caught:
        run(image, mask)
    one_line(caught.value, "SyncTweediesSamplerWrap", "canonical", "view images", "SyncTweediesSampler")
    with pytest.raises(SyncError) as caught:
        run(in_views(image)[:3], in_views(mask)[:3])
    one_line(caught.value, "SyncTweediesSamplerWrap", "3 pictures", "4 views", "use 1 or 4")
    run(in_views(image), in_views(mask))
