"""The whole sampling path on a sphere: cases, starts, masks, batches, chunks, prompts, and the sampler's doors."""

import pytest
import torch
from helpers.host_vaes import PatchVae
from helpers.hosting import (
    POSITIVE,
    Scene,
    analytic,
    disagreement,
    gaussian,
    host,
    one_line,
    opinionated,
    prompt,
    relative_error,
    run_advanced,
    run_node,
    run_patched,
    tiny_clip,
    tiny_unet,
)
from syncpack.nodes.engine import preview
from syncpack.nodes.files import load_picture
from syncpack.nodes.models.exemplar import exemplar_model
from syncpack.nodes.sampling.plan import STOCHASTIC_LABEL
from syncpack.nodes.sampling.sampler import SyncTweediesViewLatents
from syncpack.nodes.views.prompt_nodes import CanonicalPrompt, ViewPrompts
from syncpack.nodes.views.spaces import rig_from
from syncpack.nodes.views.stitch import report
from syncpack.nodes.views.stitch_nodes import SyncReport
from syncpack.renderers.panorama.space import Panorama
from syncpack.sync_core.exemplar.prior import ExemplarConfig
from syncpack.sync_core.noise import NOISE_MODES

pytestmark = pytest.mark.host

# Seventeen views of 8 x 8 cells see all of 16 x 32.
SPACE, RIG, VIEWS = Panorama(256, 128), rig_from("sphere", 64, 64), 17
SMOOTH = rig_from("sphere", 64, 64, sampling="bilinear")
# (every set of views has to have its turn)
WALK = {"process": STOCHASTIC_LABEL, "inner_steps": 5, "steps": 9}


def picture(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def smooth_picture():
    """A slowly varying sphere [1, 4, 16, 32]."""
    latitude = torch.linspace(-1, 1, 16)[:, None].expand(16, 32)
    around = torch.sin(torch.arange(32) / 32 * 2 * torch.pi).expand(16, 32)
    return torch.stack([latitude, around, latitude * around, 1 - latitude**2])[None] * 0.7


# Cases


@pytest.mark.parametrize("process", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("rig", [RIG, SMOOTH], ids=["nearest", "bilinear"])
def test_all_cases_run(process, rig):
    views, canonical = run_node(opinionated(), SPACE, rig, process=process, steps=4)
    assert views["samples"].shape == (VIEWS, 4, 8, 8) and canonical["samples"].shape == (1, 4, 16, 32)
    assert bool(torch.isfinite(views["samples"]).all()) and bool((canonical["samples"] != 0).all()), "no hole"


def test_cases_agree_where_the_average_is_exact():
    """With least squares the average keeps every consistent signal, as it does for windows: cases 2 to 5 then differ
    by how they travel, not by what they lose. With the plain mean, cases that average noise amplify it."""
    runs = {
        (method, p): run_node(opinionated(), SPACE, RIG, process=p, steps=6, aggregation=method)[1]["samples"]
        for method in ("least_squares", "mean")
        for p in (2, 3, 4, 5)
    }
    for p in (3, 4, 5):
        assert float((runs["least_squares", p] - runs["least_squares", 2]).std()) < 0.1
    assert float(runs["mean", 4].std()) > 1.5 * float(runs["mean", 2].std())


def test_nearest_views_keep_the_priors_strength():
    """White pictures are what interpolation takes most from."""
    kept = {
        rig.sampling: float(run_node(gaussian(0.7), SPACE, rig, steps=8, batch_size=4)[0]["samples"].std())
        for rig in (RIG, SMOOTH)
    }
    assert kept["nearest"] > 0.45 and kept["bilinear"] < 0.3


@pytest.mark.parametrize("noise", NOISE_MODES)
def test_noise_modes(noise):
    _, canonical = run_node(gaussian(0.7), SPACE, RIG, noise=noise, steps=6, batch_size=2)
    strength = float(canonical["samples"].std())
    assert 0.25 < strength < 0.72, strength


def test_views_see_the_same_picture():
    views, canonical = run_node(opinionated(), SPACE, SMOOTH, steps=6)
    seen = Scene(SPACE, SMOOTH).views(8).project(canonical["samples"])
    assert float((seen - views["samples"]).abs().mean()) < 0.03


# Starting from a panorama


def test_denoise_below_one_stays_near_the_panorama():
    start = {"samples": smooth_picture()}
    distance = {}
    for denoise in (0.1, 0.5, 1.0):
        _, canonical = run_node(gaussian(), SPACE, RIG, canonical=start, denoise=denoise, steps=6)
        assert canonical["samples"].shape == (1, 4, 16, 32)
        distance[denoise] = float((canonical["samples"] - start["samples"]).std())
    assert distance[0.1] < 0.3 and distance[0.1] < distance[0.5] < distance[1.0], distance


@pytest.mark.parametrize("sampler", ["euler", "euler_ancestral", "ddim"])
@pytest.mark.parametrize("resolution", [8, 1])
@pytest.mark.parametrize("rig", [RIG, SMOOTH], ids=["nearest", "bilinear"])
def test_a_mask_painted_on_the_panorama_keeps_the_rest(sampler, resolution, rig):
    """Around the seam is repainted; the front is kept exactly in the canonical picture, nearly so in the views."""
    mask = torch.zeros(1, 128 // resolution, 256 // resolution)
    mask[..., : 64 // resolution] = mask[..., -64 // resolution :] = 1.0
    start = {"samples": picture(1, 4, 16, 32), "noise_mask": mask}
    views, canonical = run_node(opinionated(), SPACE, rig, canonical=start, sampler_name=sampler, steps=4)
    changed = (canonical["samples"] - start["samples"]).abs()
    assert float(changed[..., 9:23].max()) <= 1e-5
    assert float(changed[..., :7].mean()) > 0.2 and float(changed[..., -7:].mean()) > 0.2
    front = Scene(SPACE, rig).views(8).project(start["samples"])[0, :, 2:6, 2:6]
    assert float((views["samples"][0, :, 2:6, 2:6] - front).abs().mean()) < (0.2 if rig is RIG else 0.5)
    assert torch.equal(canonical["noise_mask"], mask)
    assert views["noise_mask"].shape == (VIEWS, 1, 8, 8)


def test_a_latent_of_another_size_is_named():
    with pytest.raises(ValueError) as caught:
        run_node(gaussian(), SPACE, RIG, canonical={"samples": picture(1, 4, 16, 31)}, denoise=0.5)
    one_line(caught.value, "SyncTweediesSampler", "31 x 16", "256 x 128")
    with pytest.raises(ValueError) as caught:
        run_node(gaussian(), Panorama(264, 132), RIG)
    one_line(caught.value, "SyncTweediesSampler", "132", "use 272 x 136")
    with pytest.raises(ValueError) as caught:
        run_node(gaussian(), SPACE, rig_from("sphere", 60, 60))
    one_line(caught.value, "SyncTweediesSampler", "60", "use 64")


def test_a_rig_with_holes_runs():
    """What nobody sees stays 0; what is seen is as with any rig."""
    ring = rig_from("ring", 64, 64, fov=72)
    _, canonical = run_node(opinionated(), SPACE, ring)
    empty = canonical["samples"].abs().amax(1)[0] == 0
    assert bool(empty[:3].all()) and bool(empty[-3:].all()) and not empty[6:10].any()
    assert bool(torch.isfinite(canonical["samples"]).all())


def test_a_second_run_at_twice_the_size():
    """A small panorama, enlarged, is where a larger run starts."""
    _, small = run_node(opinionated(), SPACE, RIG)
    large = torch.nn.functional.interpolate(small["samples"], scale_factor=2, mode="bilinear")
    rig = rig_from("sphere", 128, 128)
    _, canonical = run_node(opinionated(), Panorama(512, 256), rig, canonical={"samples": large}, denoise=0.3)
    assert canonical["samples"].shape == (1, 4, 32, 64)
    _, other = run_node(opinionated(), Panorama(512, 256), rig)
    near = float((canonical["samples"] - large).square().mean())
    assert near < float((other["samples"] - large).square().mean())


# Several pictures at once, several views at once


@pytest.mark.parametrize("process", [2, 4, 54, "walk"])
def test_two_pictures_do_not_mix(process):
    starts = picture(2, 4, 16, 32)
    other = starts.clone()
    other[1] = 3.0
    options = dict(WALK) if process == "walk" else dict(process=process)
    runs = [
        run_node(opinionated(), SPACE, RIG, canonical={"samples": s}, denoise=0.5, **options)[1]["samples"]
        for s in (starts, other)
    ]
    assert torch.equal(runs[0][0], runs[1][0]) and not torch.equal(runs[0][1], runs[1][1])


@pytest.mark.parametrize("options", [{}, WALK], ids=["case 2", "StochSync"])
def test_chunks_change_nothing(options):
    unet = tiny_unet()
    whole, _ = run_node(unet, SPACE, RIG, cfg=3.0, views_per_batch=64, **{"steps": 2, **options})
    parts, _ = run_node(unet, SPACE, RIG, cfg=3.0, views_per_batch=3, **{"steps": 2, **options})
    assert relative_error(parts["samples"], whole["samples"]) <= 1e-5


def test_stochsync_takes_turns_and_sees_everything():
    model = gaussian(0.7)
    views, canonical = run_node(model, SPACE, RIG, **WALK)
    counts = [x.shape[0] for x, _ in model.model.calls]
    assert max(counts) < VIEWS, "views that hardly overlap, a set at a time"
    assert bool((canonical["samples"] != 0).all()) and views["samples"].shape[0] == VIEWS
    assert float(canonical["samples"].std()) > 0.5


# Prompts


def test_prompts_by_direction():
    sheet = "elevation 30..90: sky\nelevation -90..-30: meadow\nleft: wall\nhorizon"
    positive, _, text = ViewPrompts().build(tiny_clip(), SPACE, RIG, sheet, "")
    lines = text.splitlines()
    places = Scene(SPACE, RIG).view_places()
    for place in places:
        line = next(x for x in lines if x.split(":")[0].split(" ")[-1] == str(place.index) or f"{place.index} (" in x)
        want = "sky" if place.elevation > 30 else "meadow" if place.elevation < -30 else None
        if want:
            assert want in line, (line, place)
    runs = [
        run_node(tiny_unet(), SPACE, RIG, positive=p, cfg=2.0)[0]["samples"] for p in (positive, POSITIVE, positive)
    ]
    assert torch.equal(runs[0], runs[2]) and relative_error(runs[0], runs[1]) > 1e-3


def test_a_prompt_painted_on_the_panorama():
    mask = torch.zeros(1, 128, 256)
    mask[:, 40:88, 112:144] = 1.0  # in front
    (positive,) = CanonicalPrompt().build(SPACE, RIG, prompt(7), mask, 1.0, "default", POSITIVE)
    unet = tiny_unet()
    plain, _ = run_node(unet, SPACE, RIG, positive=POSITIVE, steps=2, process=0)
    painted, _ = run_node(unet, SPACE, RIG, positive=positive, steps=2, process=0)
    changed = (painted["samples"] - plain["samples"]).abs().amax((1, 2, 3))
    looks_away = [p.index for p in Scene(SPACE, RIG).view_places() if p.azimuth and abs(p.azimuth) > 120]
    assert float(changed[0]) > 1e-3 and float(changed[looks_away].max()) <= 1e-4


# Reports, previews, doors


def test_the_report(tmp_path, monkeypatch):
    views, _ = run_node(opinionated(), SPACE, RIG)
    made = report(Scene(SPACE, RIG), views["samples"])
    assert "17 views of 64 x 64 on 256 x 128" in made.text and "holes 0.00 %" in made.text
    assert "seam ratio" in made.text and "no seams to measure" not in made.text
    assert made.coverage.shape == (128, 256, 3) and float(made.coverage.amax(-1).min()) > 0
    monkeypatch.setattr(host, "picture_path", lambda prefix, w, h, kind: (str(tmp_path), prefix, 1, ""))
    assert SyncReport().report(SPACE, RIG, views)["result"][0] == made.text


def test_the_preview_is_the_panorama(monkeypatch):
    shown = []
    monkeypatch.setattr(host, "previewer", lambda model: object())
    monkeypatch.setattr(host, "preview_format", lambda previewer, latent: shown.append(tuple(latent.shape)))
    assert preview.host is host
    run_node(gaussian(), SPACE, RIG, steps=3)
    run_node(gaussian(), SPACE, RIG, **WALK)
    assert shown == [(1, 4, 16, 32)] * (3 + WALK["steps"])


def test_all_doors_give_the_same_picture():
    model = opinionated()
    expected = run_node(model, SPACE, RIG)[0]["samples"]
    views, count = SyncTweediesViewLatents().build(SPACE, RIG, 1, model)
    assert count == VIEWS
    assert torch.equal(run_advanced(model, SPACE, RIG, views), expected)
    patched = run_patched(model, SPACE, RIG, views["samples"])
    if host.HAS_WRAPPERS:
        assert torch.equal(patched, expected)
    else:  # a host without wrappers draws every view's own noise
        assert patched.shape == expected.shape and disagreement(SPACE, RIG, patched) < 1.0


def test_averaging_as_pictures():
    """With a VAE that is exact both ways, averaging decoded views is averaging at image resolution."""
    model = analytic(lambda x, sigma: torch.tanh(x / (1 + sigma**2).sqrt()))
    model.model.latent_format.latent_channels = 192
    rig = rig_from("sphere", 32, 32)
    start = {"samples": picture(1, 192, 8, 16) * 0.3}
    options = dict(canonical=start, denoise=0.5, steps=2, process=2)
    views, _ = run_node(model, Panorama(128, 64), rig, rgb_vae=PatchVae(), **options)
    assert views["samples"].shape == (VIEWS, 192, 4, 4) and bool(torch.isfinite(views["samples"]).all())
    fine = Scene(Panorama(128, 64), rig).views(8, 8)
    images = PatchVae().decode(views["samples"]).movedim(-1, 1)
    from syncpack.sync_core.aggregate import Aggregator

    again = fine.project(Aggregator(fine)(images))
    plain, _ = run_node(model, Panorama(128, 64), rig, **options)
    loose = PatchVae().decode(plain["samples"]).movedim(-1, 1)
    assert float((again - images).abs().mean()) < 0.5 * float(
        (fine.project(Aggregator(fine)(loose)) - loose).abs().mean()
    )


# The exemplar model


def test_the_exemplar_model_paints_a_sphere():
    stone = load_picture("stone_wall")[0][::2, ::2]
    model, clip, vae = exemplar_model([stone], ["stone"], ExemplarConfig(periodic=True))
    text = host.text_encoder(clip)("stone")
    space, rig = Panorama(128, 64), rig_from("sphere", 40, 40)
    _, canonical = run_node(
        model, space, rig, positive=text, negative=text, steps=6, scheduler="karras", sync_end=0.8, final_sync=False
    )
    pictures = vae.decode(canonical["samples"])
    assert pictures.shape == (1, 64, 128, 3)
    assert float(pictures.std()) > 0.4 * float(stone.std()), "contrast is not averaged away"
    assert float((pictures.mean((0, 1, 2)) - stone.mean((0, 1))).abs().max()) < 0.15
    seams = Scene(space, rig).geometry.seam_ratio(pictures[0].movedim(-1, 0), 1)
    assert seams <= 1.2, seams
