"""Size and Quality: numbers that fit together, whatever the model."""

import importlib
import itertools
from types import SimpleNamespace

import pytest
import torch
from helpers.hosting import tiny_unet
from helpers.toy import toy
from syncpack.nodes.models.exemplar_nodes import ExemplarModel
from syncpack.nodes.trained import UNKNOWN, Trained, trained_for
from syncpack.nodes.views.quality import QUALITIES, STEP, Wish, sizes_for
from syncpack.nodes.views.quality_nodes import SyncTweediesQuality

pytestmark = pytest.mark.host

SD15, TOY = Trained(512, 7.0), Trained(64, 3.0)


def sizes(result, trained=SD15, quality="good", **wishes):
    made = sizes_for(Wish(result, quality, **wishes), trained)
    return made.width, made.height, made.view


@pytest.mark.parametrize(
    "result, trained, expected",
    [
        ("picture", SD15, (2048, 512, 512)),
        ("panorama", SD15, (2048, 1024, 512)),
        ("panorama", Trained(1024, 7.0), (4096, 2048, 1024)),
        ("object", SD15, (2048, 2048, 512)),
        ("illusion", SD15, (512, 512, 512)),
        ("picture", TOY, (256, 64, 64)),
        ("panorama", TOY, (256, 128, 64)),
    ],
)
def test_a_model_has_its_sizes(result, trained, expected):
    assert sizes(result, trained) == expected


def test_sizes_that_are_given_count():
    assert sizes("picture", width=1000, height=600) == (992, 608, 512)
    assert sizes("panorama", width=3000) == (3008, 1504, 512)
    assert sizes("object", width=1024, view_size=768) == (1024, 1024, 768)


def test_a_panorama_is_always_twice_as_wide_as_high():
    for width in range(0, 600, 7):
        wide, high, _ = sizes("panorama", TOY, width=width)
        assert wide == 2 * high and high % STEP == 0


def test_views_are_no_larger_than_the_picture():
    assert sizes("picture", width=256, height=384) == (256, 384, 256)
    assert sizes("illusion", width=256) == (256, 256, 256)
    assert sizes("panorama", width=256)[2] == 512  # the sphere is seen in any size


@pytest.mark.parametrize(
    "image, trained, expected",
    [
        ((1024, 768), SD15, (1024, 768)),  # its own size
        ((300, 200), SD15, (768, 512)),  # no smaller than a view
        ((4000, 3000), SD15, (2048, 1536)),  # no longer than four
        ((6000, 1000), SD15, (3072, 512)),  # a strip stays as high as a view
        ((640, 480), TOY, (256, 192)),
    ],
)
def test_a_picture_keeps_its_proportions(image, trained, expected):
    assert sizes("picture", trained, image=image)[:2] == expected
    assert sizes("picture", SD15, image=(1000, 500), width=800)[:2] == (800, 400)


def test_qualities_rise_and_leave_the_size_alone():
    found = [sizes_for(Wish("panorama", name), SD15) for name in QUALITIES]
    assert len({(one.width, one.height, one.view) for one in found}) == 1
    for low, high in itertools.pairwise(found):
        assert low.quality.steps < high.quality.steps and low.quality.views < high.quality.views
        assert low.stride > high.stride and low.quality.overlap < high.quality.overlap
    assert all(one.stride % STEP == 0 and 0 < one.stride < one.view for one in found)


def test_guidance_is_the_model_s_or_the_user_s():
    assert sizes_for(Wish("picture", "good"), TOY).cfg == 3.0
    assert sizes_for(Wish("picture", "good", guidance=1.5), TOY).cfg == 1.5


@pytest.mark.parametrize("wrong", [Wish("sphere", "good"), Wish("picture", "fast")])
def test_other_wishes_are_refused_in_one_line(wrong):
    with pytest.raises(ValueError, match="unknown; use one of"):
        sizes_for(wrong, SD15)


# What models say


def kind(latent, name="EPS", config="SDXL"):
    network = SimpleNamespace(
        latent_format=getattr(importlib.import_module("comfy.latent_formats"), latent)(),
        model_config=type(config, (), {})(),
        model_type=SimpleNamespace(name=name),
    )
    return SimpleNamespace(model=network)


def test_models_of_the_host():
    assert trained_for(tiny_unet()) == Trained(512, 7.0)
    assert trained_for(tiny_unet("V_PREDICTION")) == Trained(768, 7.0)
    assert trained_for(kind("SDXL")) == Trained(1024, 7.0)
    assert trained_for(kind("SD3", "FLOW", "SD3")) == Trained(1024, 4.0)
    assert trained_for(kind("SD3", "FLUX", "Flux")) == Trained(1024, 1.0)


def test_models_of_the_pack():
    assert trained_for(toy()[0]) == TOY
    made, *_ = ExemplarModel().build(torch.rand(1, 64, 64, 3), "", True)
    assert trained_for(made) == Trained(112, 1.0)


def test_the_node_asks_the_model():
    chosen = SyncTweediesQuality().choose("panorama", "draft", 0, 0, toy()[0])
    assert chosen[:8] == (256, 128, 64, 48, 0.1, 8, 10, 3.0) and "256 x 128" in chosen[8]
    assert SyncTweediesQuality().choose("picture", "good", 0, 0)[:3] == (2048, 512, UNKNOWN.side)
    assert SyncTweediesQuality().choose("picture", "good", 0, 0, image=torch.zeros(1, 700, 900, 3))[:2] == (896, 704)
