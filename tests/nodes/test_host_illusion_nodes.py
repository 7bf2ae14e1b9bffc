"""The illusion nodes as users chain them: rigs, prompts, films, reports, and what they say about bad input."""

import json
import logging
import math
import tempfile

import pytest
import torch
from helpers.hosting import host_module, one_line, opinionated, run_node, tiny_clip
from oracles.twins import generator
from syncpack.nodes import NODE_CLASS_MAPPINGS as NODES
from syncpack.nodes.engine.tagged_conds import VIEWS_KEY
from syncpack.nodes.illusions.scores import scores, similarities
from syncpack.nodes.views.prompt_nodes import ViewPrompts
from syncpack.renderers.illusions.space import Illusion, Warps, illusion_views
from syncpack.renderers.illusions.warps import WARP_NAMES
from syncpack.renderers.scene import Scene

pytestmark = pytest.mark.host


def build(node: str, **values):
    """The node's outputs, optional inputs left out as the host does."""
    made = NODES[node]()
    result = getattr(made, made.FUNCTION)(**values)
    return result["result"] if isinstance(result, dict) else result


def chain(*readings: tuple[str, str, str], rig=None) -> Warps:
    for node, name, prompt in readings:
        more = {"shuffle": 3} if node == "IllusionShuffle" else {}
        rig = build(node, warp=name, prompt=prompt, rig=rig, **more)[0]
    return rig


PAIR = (("IllusionRig", "identity", "a meadow"), ("IllusionRig", "flip_y", "a brick wall"))


def picture(side: int = 32, seed: int = 0) -> torch.Tensor:
    return torch.rand(1, side, side, 3, generator=generator(seed))


def test_readings_are_chained_in_order_with_their_prompts_and_weights() -> None:
    rig = chain(*PAIR)
    assert [w.name for w in rig.warps] == ["identity", "flip_y"] and rig.prompts == ("a meadow", "a brick wall")
    assert rig.weights == ()
    heavier = build("IllusionHinge", warp="inner_circle", prompt="", rig=rig, weight=2.0)[0]
    assert heavier.weights == (1.0, 1.0, 2.0) and heavier.prompts == ("a meadow", "a brick wall", "")
    assert rig.warps == chain(*PAIR).warps


def choices(node: str, name: str) -> list[str]:
    return NODES[node].INPUT_TYPES()["required"][name][0]


def test_every_warp_has_a_node() -> None:
    """Each choice of each node builds a rig that gives views, and together they are all warps there are."""
    found = set()
    for node in ("IllusionRig", "IllusionShuffle", "IllusionHinge", "IllusionMirror"):
        for name in choices(node, "warp"):
            rig = chain((node, name, ""))
            found |= {w.name for w in rig.warps}
            assert illusion_views(Illusion(32, 32), rig, 32, 32).count == 1
    for kind in choices("IllusionHybrid", "kind"):
        given = {"mask": torch.ones(1, 8, 8)} if kind == "mask" else {}
        rig = build("IllusionHybrid", kind=kind, prompt="a", second_prompt="b", **given)[0]
        found |= {w.name for w in rig.warps}
        views = illusion_views(Illusion(32, 32), rig, 32, 32)
        assert views.count == len(rig.warps) == len(rig.prompts)
    found |= {w.name for w in build("IllusionCustomWarp", coordinates=coordinates(), prompt="")[0].warps}
    assert found == set(WARP_NAMES)


def test_advice_names_the_domain_and_why() -> None:
    advice = build("IllusionRig", warp="flip_y", prompt="rocks", rig=chain(PAIR[0]))[1].splitlines()
    assert len(advice) == 3 and advice[1].startswith('1 flip_y "rocks": moves pixels; ')
    rig, advice = build("IllusionHinge", warp="inner_rotate", prompt="", rig=chain(*PAIR))
    assert "2 inner_rotate: repeats pixels and loses others; pictures only: it moves" in advice
    assert "latent models: connect rgb_vae, because of" in advice and not rig.exact_on_latents
    _, advice = build("IllusionShuffle", warp="patch_permute", prompt="", shuffle=1)
    assert advice.endswith("latent models: average latents (leave rgb_vae empty); pixel models: nothing to set")
    _, advice = build("IllusionHybrid", kind="near and far", prompt="", second_prompt="")
    assert "0 high_band: a part of the picture; pictures only: a filtered latent" in advice


def coordinates(side: int = 64, fold: bool = False, beyond: float = 0.0) -> torch.Tensor:
    line = (torch.arange(side) + 0.5) / side
    x = 1 - (2 * line - 1).abs() if fold else line
    return torch.stack([x.expand(side, side) + beyond, line[:, None].expand(side, side), 0 * x.expand(side, side)], -1)[
        None
    ]


def test_custom_warps_are_judged() -> None:
    rig, _, report = build("IllusionCustomWarp", coordinates=coordinates(), prompt="")
    assert report.startswith("0.0% of the view looks outside") and "at most 1 times" in report
    assert torch.equal(rig.warps[0].view(picture(64)[..., 0]), picture(64)[..., 0])
    # Coordinates as a picture file holds them, mirrored, turned, stretched: none of it is a fold.
    rounded = (coordinates(128) * 255).round() / 255
    for good in (rounded, rounded.flip(2), rounded.flip(1), rounded[..., [1, 0, 2]], rounded * 0.5 + 0.25):
        assert build("IllusionCustomWarp", coordinates=good, prompt="")[0].warps
    with pytest.raises(ValueError) as caught:
        build("IllusionCustomWarp", coordinates=coordinates(fold=True), prompt="")
    one_line(caught.value, "IllusionCustomWarp", "the warp folds: 50", "at most 2 times", "set folds to allow")
    assert build("IllusionCustomWarp", coordinates=coordinates(fold=True), prompt="", folds="allow")[0].warps
    with pytest.raises(ValueError) as caught:
        build("IllusionCustomWarp", coordinates=coordinates(beyond=0.25), prompt="")
    one_line(caught.value, "IllusionCustomWarp", "leave 0..1 in 25.0% of the view", "set outside to background")
    rig = build("IllusionCustomWarp", coordinates=coordinates(beyond=0.25), prompt="", outside="background")[0]
    assert float(illusion_views(Illusion(64, 64), rig, 64, 64).covered.float().mean()) == 0.75


def test_planes_are_blended_as_told() -> None:
    rig = build("IllusionBlend", rig=chain(*PAIR), shares="0.75, 0.25 # near far\n")[0]
    assert rig.blend == ((0.75, 0.25),) and rig.prompts == ("a meadow", "a brick wall")
    space = NODES["CanonicalSpace"]().build("illusion", 32, 32, False, False, planes=2)[0]
    views = Scene(space, rig).views(1)
    z = torch.cat([torch.full((1, 1, 32, 32), 1.0), torch.full((1, 1, 32, 32), 5.0)], 2)
    assert torch.allclose(views.project(z), torch.full((2, 1, 32, 32), 2.0))
    for shares, says in (
        ("0.5 x", "shares, line 1: '0.5 x' is no list of numbers"),
        ("1 0\n0 1\n1 1", "3 blends for 2"),
    ):
        with pytest.raises(ValueError) as caught:
            build("IllusionBlend", rig=chain(*PAIR), shares=shares)
        one_line(caught.value, "IllusionBlend", says)


def test_each_reading_gets_its_own_prompt() -> None:
    positive, negative, report = build(
        "IllusionPrompts", clip=tiny_clip(), rig=chain(*PAIR), negative="blurry", prefix="a painting of"
    )
    assert [options[VIEWS_KEY] for _, options in positive] == [(0,), (1,)] and len(negative) == 1
    assert not torch.equal(positive[0][0], positive[1][0])
    assert report.splitlines()[0] == "reading 0 (identity): a painting of, a meadow"
    typed = build("IllusionPrompts", clip=tiny_clip(), rig=chain(*PAIR), negative="", prompts="a lake\n\na lake\n")
    assert len(typed[0]) == 1 and VIEWS_KEY not in typed[0][0][1]
    same = ViewPrompts().build(
        tiny_clip(), Illusion(64, 64), chain(*PAIR), "0: a painting of, a meadow\n1: a painting of, a brick wall", ""
    )
    assert torch.equal(same[0][1][0], positive[1][0])


@pytest.mark.parametrize(
    ("typed", "prompts", "says"),
    [
        ("one\ntwo\nthree", ("a", "b"), "3 prompts for 2 readings (identity, flip_y); write one line for each"),
        ("", ("a", ""), "reading 1 (flip_y) has no prompt: 1 prompts for 2 warps"),
        ("", ("", ""), "reading 0 (identity), 1 (flip_y) has no prompt"),
    ],
)
def test_prompts_and_warps_of_different_counts(typed: str, prompts: tuple[str, ...], says: str) -> None:
    rig = chain(*((n, w, p) for (n, w, _), p in zip(PAIR, prompts, strict=True)))
    with pytest.raises(ValueError) as caught:
        build("IllusionPrompts", clip=tiny_clip(), rig=rig, negative="", prompts=typed)
    one_line(caught.value, "IllusionPrompts", says)


def test_sizes_that_a_warp_cannot_take_name_one_that_it_can() -> None:
    with pytest.raises(ValueError) as caught:
        run_node(opinionated(), Illusion(128, 64), chain(PAIR[0], ("IllusionRig", "rotate_90", "")))
    one_line(
        caught.value, "SyncTweediesSampler", "warp rotate_90 cannot take 128 x 64 pixels: it needs a square", "64 x 64"
    )
    rig = build("IllusionHybrid", kind="thumbnail", prompt="", second_prompt="", factor=5)[0]
    with pytest.raises(ValueError) as caught:
        run_node(opinionated(), Illusion(128, 128), rig)
    one_line(caught.value, "SyncTweediesSampler", "multiples of 5 cells (cells of 8 pixels)", "use 120 x 120")
    with pytest.raises(ValueError, match="a rig of windows has no readings"):
        build(
            "IllusionRig",
            warp="flip_y",
            prompt="",
            rig=NODES["ViewRig"]().build("windows", 64, 64, spacing="stride", pixels=32, weights="hann")[0],
        )


def test_case_4_of_warps_that_mix_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    rig = chain(PAIR[0], ("IllusionHinge", "inner_rotate", ""))
    mixing = build("IllusionHinge", warp="inner_rotate", prompt="", rig=rig, sampling="bilinear")[0]
    with caplog.at_level(logging.WARNING):
        run_node(opinionated(), Illusion(64, 64), mixing, process=2)
        assert not [r for r in caplog.records if "process" in r.message]
        run_node(opinionated(), Illusion(64, 64), mixing, process=4)
    said = [r.message for r in caplog.records if "process 4" in r.message]
    assert any("averages noise, and inner_rotate repeats or mixes cells" in m and "use process 2" in m for m in said)


@pytest.mark.parametrize("easing", ["smooth", "linear", "accelerate", "spring"])
def test_films_end_in_the_readings(easing: str) -> None:
    rig, space, image = chain(*PAIR), Illusion(32, 32), picture()
    frames = build(
        "IllusionFrames", space=space, rig=rig, image=image, reading=1, count=7, easing=easing, back=True, hold=2
    )[0]
    assert frames.shape == (7 + 2 + 2 + 5, 32, 32, 3)
    assert all(torch.equal(f, image[0]) for f in frames[:3])
    assert all(torch.equal(f, image[0].flip(0)) for f in frames[8:11])
    assert torch.equal(frames[11], frames[7]) and torch.equal(frames[-1], frames[3])
    assert float(frames.min()) >= 0 and float(frames.max()) <= 1
    plain = build(
        "IllusionFrames", space=space, rig=rig, image=image, reading=1, count=7, easing=easing, back=False, hold=0
    )
    assert len(plain[0]) == 7 and torch.equal(plain[0][-1], image[0].flip(0))


def test_films_of_planes_show_their_blend() -> None:
    tall = torch.cat([picture(seed=1), picture(seed=2)], 1)
    frames = build(
        "IllusionFrames", space=Illusion(32, 32, 2), rig=chain(*PAIR), image=tall, reading=1, count=2, easing="linear",
        back=False, hold=0,
    )[0]  # fmt: skip
    assert torch.allclose(frames[0], (tall[0, :32] + tall[0, 32:]) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"reading": 2}, "reading 2 does not exist; use one of 0 identity, 1 flip_y"),
        ({"image": torch.rand(1, 32, 40, 3)}, "an image of 40 x 32 is not a picture of 32 x 32"),
        ({"image": torch.rand(0, 32, 32, 3)}, "image is empty"),
        ({"image": torch.full((1, 32, 32, 3), math.nan)}, "the image holds NaN"),
        ({"space": "panorama"}, "a panorama has no readings"),
    ],
)
def test_bad_pictures_are_one_clear_line(changes: dict, says: str) -> None:
    given = {"space": Illusion(32, 32), "rig": chain(*PAIR), "image": picture(), "reading": 1}
    given |= dict(count=4, easing="linear", back=False, hold=0) | changes
    if given["space"] == "panorama":
        given["space"] = NODES["CanonicalSpace"]().build("panorama", 64, 32, False, False)[0]
        given["rig"] = NODES["ViewRig"]().build("ring", 32, 32, spacing="stride", pixels=32, weights="hann")[0]
    with pytest.raises(ValueError) as caught:
        build("IllusionFrames", **given)
    one_line(caught.value, "IllusionFrames", says)


def test_the_preview_writes_the_frames_it_names(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = host_module("folder_paths", "comfy.cmd.folder_paths")
    monkeypatch.setattr(folders, "get_temp_directory", lambda: str(tmp_path))
    rig = chain(*PAIR, ("IllusionShuffle", "jigsaw", "a castle"))
    shown = NODES["IllusionPreview"]().show(Illusion(32, 32), rig, picture(), 5)
    assert torch.equal(shown["result"][0], picture())
    made = shown["ui"]["illusions"]
    assert [(m["name"], m["prompt"], m["plain"], len(m["frames"])) for m in made] == [
        ("flip_y", "a brick wall", "a meadow", 5), ("jigsaw", "a castle", "a meadow", 5)
    ]  # fmt: skip
    files = [f["filename"] for m in made for f in m["frames"]]
    assert len(set(files)) == 10 and all((tmp_path / f).stat().st_size > 300 for f in files)
    json.dumps(shown["ui"])


def test_reports_measure_each_reading_against_its_view() -> None:
    rig, image = chain(*PAIR), picture()
    views = torch.cat([image, image.flip(1) * 0.9 + 0.05])
    text, shown = build("IllusionReport", space=Illusion(32, 32), rig=rig, image=image, views=views)
    error = float((image - (image * 0.9 + 0.05)).square().mean().sqrt())
    assert "reading 0 (identity): error 0.0000, exact" in text
    assert f"reading 1 (flip_y): error {error:.4f}, {-20 * math.log10(error):.1f} dB" in text
    assert torch.equal(shown, torch.cat([image, image.flip(1)])) and "alignment" not in text
    assert "nothing to measure" in build("IllusionReport", space=Illusion(32, 32), rig=rig, image=image)[0]
    hybrid = build("IllusionHybrid", kind="near and far", prompt="a", second_prompt="b")[0]
    text = build("IllusionReport", space=Illusion(32, 32), rig=hybrid, image=image, views=image.repeat(2, 1, 1, 1))[0]
    assert text.count("exact") == 2
    with pytest.raises(ValueError) as caught:
        build("IllusionReport", space=Illusion(32, 32), rig=rig, image=image, views=image)
    one_line(caught.value, "IllusionReport", "1 views of 32 x 32 for 2 readings of 32 x 32")


def test_scores_are_those_of_the_paper() -> None:
    """A = min diag S and C = trace(softmax(S / 0.07)) / N, by hand for two readings."""
    table = torch.tensor([[0.30, 0.23], [0.16, 0.25]], dtype=torch.float64)
    alignment, concealment = scores(table)
    assert alignment == pytest.approx(0.25)
    chances = [1 / (1 + math.exp((0.23 - 0.30) / 0.07)), 1 / (1 + math.exp((0.16 - 0.25) / 0.07))]
    assert concealment == pytest.approx(sum(chances) / 2)
    a, b = torch.tensor([[3.0, 0.0], [0.0, 2.0]]), torch.tensor([[1.0, 1.0], [0.0, 5.0]])
    assert similarities(a, b).flatten().tolist() == pytest.approx([0.5**0.5, 0, 0.5**0.5, 1])


def vision(width: int):
    """The host's own vision encoder of CLIP, tiny and random."""
    config = dict(
        hidden_act="quick_gelu", hidden_size=32, image_size=224, intermediate_size=64, model_type="clip_vision_model",
        num_attention_heads=2, num_channels=3, num_hidden_layers=2, patch_size=32, projection_dim=width,
    )  # fmt: skip
    clip_vision = host_module("comfy.clip_vision", "comfy.clip_vision")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(config, file)
        file.flush()
        made = clip_vision.ClipVisionModel(file.name)
    source = generator(5)
    for parameter in made.model.parameters():
        parameter.data = 0.2 * torch.randn(parameter.shape, generator=source)
    return made


def test_clip_scores_come_from_the_models_connected() -> None:
    rig, clip = chain(*PAIR), tiny_clip()
    width = clip.cond_stage_model.clip_l.transformer.text_projection.weight.shape[0]
    image, eye = picture(), vision(width)
    with torch.inference_mode():
        text = build("IllusionReport", space=Illusion(32, 32), rig=rig, image=image, clip=clip, clip_vision=eye)[0]
        words = [clip.encode_from_tokens(clip.tokenize(p), return_pooled=True)[1][0] for p in rig.prompts]
        seen = eye.encode_image(torch.cat([image, image.flip(1)]))["image_embeds"]
    table = similarities(seen.float(), torch.stack(words).float())
    alignment, concealment = scores(table)
    assert f"alignment {alignment:.3f}" in text and f"concealment {concealment:.3f}" in text
    assert f"reading 1 against each prompt: {float(table[1, 0]):.3f}, {float(table[1, 1]):.3f}" in text
    with pytest.raises(ValueError) as caught:
        build("IllusionReport", space=Illusion(32, 32), rig=rig, image=image, clip=clip)
    one_line(caught.value, "IllusionReport", "need both halves of one model; connect clip_vision")
    with pytest.raises(ValueError) as caught, torch.inference_mode():
        build("IllusionReport", space=Illusion(32, 32), rig=rig, image=image, clip=clip, clip_vision=vision(48))
    one_line(caught.value, "IllusionReport", f"clip gives {width} features and clip_vision 48")
    clip.cond_stage_model.clip_l.transformer.text_projection.weight.data = torch.eye(width)
    with pytest.raises(ValueError) as caught, torch.inference_mode():
        build("IllusionReport", space=Illusion(32, 32), rig=rig, image=image, clip=clip, clip_vision=eye)
    one_line(caught.value, "IllusionReport", "clip has no text projection")


def test_rig_report_tells_what_no_reading_sees() -> None:
    lost = chain(("IllusionHinge", "inner_rotate", ""))
    text = build("RigReport", space=Illusion(64, 64), rig=lost)[2]
    assert "seen by no reading and stays grey; add a reading that shows all of it, e.g. identity" in text
    # (pixel models take sizes that are no multiple of 8)
    assert build("RigReport", space=Illusion(50, 50), rig=chain(*PAIR))[2].endswith("no holes")
