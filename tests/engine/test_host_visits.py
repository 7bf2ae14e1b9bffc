"""Runs in which the model is asked about some views at a time, through real samplers."""

import logging
import re

import pytest
import torch
from helpers.attention_runs import attend, attentive_unet, with_twin
from helpers.hosting import (
    NEGATIVE,
    POSITIVE,
    Plane,
    Scene,
    Windows,
    analytic,
    comfy,
    gaussian,
    host,
    interrupted_error,
    one_line,
    opinionated,
    relative_error,
    run_advanced,
    run_node,
    run_patched,
    tiny_controlnet,
    tiny_unet,
)
from helpers.meshes import box
from oracles.splat_twins import ball
from syncpack.nodes.engine.coherence import Coherence
from syncpack.nodes.engine.tagged_conds import VIEWS_KEY
from syncpack.nodes.engine.walks import unfinished
from syncpack.nodes.sampling.visits import SyncVisits
from syncpack.renderers.cameras.lookouts import fibonacci, sphere
from syncpack.renderers.cameras.orbits import orbit
from syncpack.renderers.cameras.viewpoints import Orbit
from syncpack.renderers.mesh.space import MeshTexture
from syncpack.renderers.panorama.space import Lookout, Panorama
from syncpack.renderers.splats.space import SplatColours
from syncpack.sync_core.aggregate import Aggregator
from syncpack.sync_core.presets import PRESETS
from syncpack.sync_core.processes import PROCESSES
from syncpack.sync_core.steering.pull import Pull
from syncpack.sync_core.visits.policy import Visiting, Visits, averages

pytestmark = [pytest.mark.host, pytest.mark.filterwarnings("ignore:Should have")]  # (torchsde, about rounding)

# 17 windows of 8 x 8 cells, every cell; four or five cover the canvas.
SPACE, RIG, VIEWS = Plane(192, 64), Windows(64, 64, 8, 64), 17
TURNING, FEW = Visits("turning"), Visits("few then all")


def asked(model):
    return [x.shape[0] for x, _ in model.model.calls]


def views_and_whole(model, **changes):
    views, whole = run_node(model, SPACE, RIG, **changes)
    return views["samples"], whole["samples"]


def rows_of(visits, steps, seed=5):
    views = Scene(SPACE, RIG).views(8)
    tilings = Scene(SPACE, RIG).geometry.tilings
    visiting = Visiting.of(visits, lambda o: tilings(views, o), VIEWS, steps, seed, False)
    return [rows or tuple(range(VIEWS)) for rows in visiting.sets]


@pytest.mark.parametrize("process", [p.number for p in PROCESSES if averages(p)])
def test_a_model_of_single_pixels_does_not_notice(process):
    """What it says of a pixel is the same in every view, so that leaving views out changes nothing but the calls."""
    model, sparse = gaussian(0.7), gaussian(0.7)
    _, whole = views_and_whole(model, process=process)
    views, turned = views_and_whole(sparse, process=process, visits=TURNING)
    assert relative_error(turned, whole) < 2e-5
    assert max(asked(sparse)) <= 6 < VIEWS == max(asked(model))
    assert relative_error(Scene(SPACE, RIG).views(8).project(turned), views) < 2e-5


@pytest.mark.parametrize("name", [n for n in host.SAMPLER_NAMES if n not in ("lcm_upscale", "dpm_adaptive")])
def test_every_sampler(name):
    """So nor does any sampler; those with noise of their own share it as ever."""
    process = {"sampler_name": name, "steps": 4}
    _, whole = views_and_whole(gaussian(0.7), **process)
    _, turned = views_and_whole(gaussian(0.7), **process, visits=TURNING)
    assert relative_error(turned, whole) < 1e-4


def test_all_views_at_every_step_is_the_run_without():
    model = opinionated()
    plain, _ = views_and_whole(model)
    told, _ = views_and_whole(model, visits=SyncVisits().build("all", 0.125, 0.4)[0])
    assert torch.equal(plain, told)


@pytest.mark.parametrize("visits", [TURNING, FEW])
def test_it_is_the_algorithm(visits):
    """Against a slow twin: one canvas, one window at a time, plain Euler steps, the mean of what was asked."""
    steps = 5
    model = opinionated()
    levels = host.k_sampler_sigmas(model, steps, "euler", "normal", 1.0).double()
    _, whole = views_and_whole(model, steps=steps, visits=visits)
    assert asked(model) == [len(rows) for rows in rows_of(visits, steps)]
    noise = host.prepare_noise(torch.zeros(1, 4, 8, 24), 5).double()
    z = noise * (1 + levels[0] ** 2).sqrt()
    fade = torch.sin(torch.pi * (torch.arange(8, dtype=torch.float64) + 0.5) / 8) ** 2
    for step, rows in enumerate(rows_of(visits, steps)):
        total, weight = torch.zeros_like(z), torch.zeros_like(z)
        for left in rows:
            here = slice(left, left + 8)
            clean = model.model.clean(z[..., here], levels[step].reshape(1, 1, 1, 1))
            total[..., here] += fade[:, None] * fade * clean
            weight[..., here] += fade[:, None] * fade
        ratio = levels[step + 1] / levels[step]
        z = ratio * z + (1 - ratio) * total / weight
    assert relative_error(whole.double(), z) < 1e-5


def test_rows_keep_their_prompts_and_hints_in_any_chunks():
    """Every view has a prompt, a ControlNet hint and a place in the batch of two pictures, whichever views are asked:
    what the network says of a view in a run is what it says of that view alone."""
    unet = tiny_unet()
    generator = torch.Generator().manual_seed(0)
    hints = torch.rand(VIEWS, 64, 64, 3, generator=generator)
    control = tiny_controlnet(3).copy().set_cond_hint(hints.movedim(-1, 1), 1.0, (0.0, 1.0))
    hinted = {"control": control, "control_apply_to_uncond": True}
    positive = [[torch.randn(1, 4, 16, generator=generator), {VIEWS_KEY: (i,), **hinted}] for i in range(VIEWS)]
    given = dict(positive=positive, negative=NEGATIVE, cfg=3.0, visits=TURNING, batch_size=2, steps=2)
    together, _ = views_and_whole(unet, **given)
    alone, _ = views_and_whole(unet, **given, views_per_batch=1)
    assert relative_error(alone, together) < 1e-4
    other, _ = views_and_whole(unet, **{**given, "positive": positive[1:] + positive[:1]})
    assert relative_error(other, together) < 1e-4, "the order of the list is nothing"
    hint = hints.roll(1, 0).movedim(-1, 1)
    moved = [
        [p[0], {**p[1], "control": tiny_controlnet(3).copy().set_cond_hint(hint, 1.0, (0.0, 1.0))}] for p in positive
    ]
    other, _ = views_and_whole(unet, **{**given, "positive": moved})
    assert relative_error(other, together) > 1e-3, "or the hints show nothing"


def test_prompts_reach_the_views_that_are_asked():
    """A model that says the prompt's number: each cell ends as what its views were told at the last step."""
    seen = {}
    model = gaussian()
    inner = model.model._apply_model

    def watched(x, t, *args, **kwargs):
        words = kwargs.get("c_crossattn", args[1] if len(args) > 1 else None)
        step = seen.setdefault(float(t.reshape(-1)[0]), set())
        step.update(int(w) for w in words[:, 0, 0])
        return inner(x, t, *args, **kwargs)

    model.model._apply_model = model.model.apply_model = watched
    extra = model.model.extra_conds

    def with_words(**kwargs):
        return {**extra(**kwargs), "c_crossattn": comfy.conds.CONDCrossAttn(kwargs["cross_attn"])}

    model.model.extra_conds = with_words
    positive = [[torch.full((1, 4, 16), float(i)), {VIEWS_KEY: (i,)}] for i in range(VIEWS)]
    try:
        views_and_whole(model, positive=positive, steps=4, visits=TURNING)
    finally:
        del model.model._apply_model, model.model.apply_model, model.model.extra_conds
    levels = sorted(seen, reverse=True)
    assert [seen[level] for level in levels] == [set(rows) for rows in rows_of(TURNING, 4)]


def test_steps_that_are_not_synchronised_ask_all_views():
    model = opinionated()
    views_and_whole(model, steps=6, sync_start=1 / 3, sync_end=2 / 3, visits=TURNING)
    calls = asked(model)
    assert calls[:2] == calls[4:] == [VIEWS, VIEWS] and max(calls[2:4]) <= 6


def test_a_canonical_state_that_is_given_up_asks_all_views_from_then_on():
    model = opinionated()
    views_and_whole(model, steps=4, process=5, sync_end=0.5, visits=TURNING)
    assert max(asked(model)[:2]) <= 6 and asked(model)[2:] == [VIEWS, VIEWS]


def test_the_custom_door_and_what_is_told(caplog):
    model = opinionated()
    latent = {"samples": torch.zeros(VIEWS, 4, 8, 8)}
    with caplog.at_level(logging.INFO):
        views = run_advanced(model, SPACE, RIG, latent, visits=TURNING)
    through = sum(asked(model))
    assert f"visits: {through} views went through the model instead of {3 * VIEWS} " in caplog.text
    # (known from the first step on)
    assert f"visits turning, overlap 0.125: {through} views instead of {3 * VIEWS} " in caplog.text
    assert re.search(r"in 3 steps; about \d+ s more, \d+ s saved", caplog.text)
    through_node, _ = views_and_whole(opinionated(), visits=TURNING)
    assert relative_error(views, through_node) < 1e-5


def test_a_budget(caplog):
    frugal, rich = opinionated(), opinionated()
    with caplog.at_level(logging.INFO):
        views_and_whole(frugal, visits=Visits("auto", budget=1.6))
    assert sum(asked(frugal)) < 0.6 * 3 * VIEWS and "visits turning, overlap" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO):
        same, _ = views_and_whole(rich, visits=Visits("auto", budget=100))
    assert asked(rich) == [VIEWS] * 3
    assert re.search(
        rf"visits auto: {3 * VIEWS} views instead of {3 * VIEWS} \(100 %\) in 3 steps; .*, 0 s saved", caplog.text
    )
    assert torch.equal(same, views_and_whole(opinionated())[0])


@pytest.mark.parametrize("changes", [{"travel_times": 2, "travel_start": 0.0, "travel_end": 0.5}, {}])
def test_what_is_told_ahead_is_what_comes(caplog, changes):
    """Steps that are done twice are counted twice."""
    model = opinionated()
    with caplog.at_level(logging.INFO):
        views_and_whole(model, visits=TURNING, steps=4, **changes)
    told = re.search(r"visits turning, overlap 0.125: (\d+) views instead of (\d+) .* in 4 steps", caplog.text)
    assert [int(number) for number in told.groups()] == [sum(asked(model)), len(asked(model)) * VIEWS]


def test_a_patched_model():
    latent = torch.zeros(VIEWS, 4, 8, 8)
    if host.HAS_WRAPPERS:
        model = opinionated()
        views = run_patched(model, SPACE, RIG, latent, visits=TURNING)
        assert max(asked(model)) <= 6
        assert relative_error(views, views_and_whole(opinionated(), visits=TURNING)[0]) < 1e-5
        return
    with pytest.raises(ValueError) as caught:
        run_patched(opinionated(), SPACE, RIG, latent, visits=TURNING)
    one_line(caught.value, "SyncTweediesPatch", "asked about all views", "SyncTweediesSamplerWrap")


def test_masks_keep_what_they_keep():
    generator = torch.Generator().manual_seed(2)
    picture, mask = torch.randn(1, 4, 8, 24, generator=generator), torch.zeros(1, 64, 192)
    mask[..., 96:] = 1.0
    given = {"samples": picture, "noise_mask": mask}
    _, whole = views_and_whole(opinionated(), canonical=given, steps=4, visits=TURNING)
    assert relative_error(whole[..., :12], picture[..., :12]) < 1e-6
    assert relative_error(whole[..., 12:], picture[..., 12:]) > 0.05


def stopped(at, **given):
    """A model whose run was interrupted in its call number ``at``, ready to go on."""

    def stop(call, x):
        if call == at:
            raise interrupted_error()()

    model = opinionated()
    model.model.fails = stop
    with pytest.raises(interrupted_error()):
        views_and_whole(model, **given)
    model.model.fails = None
    return model


def test_a_stopped_run_goes_on(tmp_path, monkeypatch):
    """To the same bytes, moves between steps and views that nobody asked included."""
    monkeypatch.setattr(unfinished, "user_folder", lambda: str(tmp_path))
    given = dict(steps=6, save_every=1, visits=TURNING, coherence=Coherence(Pull(0.05, end=0.9)))
    model = opinionated()
    expected, _ = views_and_whole(model, **given)
    calls = asked(model)
    assert calls[0] == VIEWS, "moves need to know every view once"
    assert max(calls[1:]) <= 6

    again = stopped(5, **given)
    before = len(again.model.calls)
    resumed, _ = views_and_whole(again, **given)
    assert torch.equal(resumed, expected)
    assert asked(again)[before:] == calls[4:]


CHANGING = Visits("still changing", tolerance=0.6, stale=2)


@pytest.mark.parametrize("process", [2, 5])
def test_views_that_hardly_move_wait(process):
    """Half of the canvas is the same at every step, so the windows that see only it wait, and nothing is lost."""

    def clean(x, sigma):
        return x / (1 + sigma**2)

    model = analytic(clean)
    canonical = {"samples": torch.zeros(1, 4, 8, 24), "noise_mask": torch.zeros(1, 64, 192)}
    canonical["noise_mask"][..., 96:] = 1.0
    canonical["samples"] += 3.0
    given = dict(steps=8, process=process, canonical=canonical)
    _, whole = views_and_whole(analytic(clean), **given)
    _, changing = views_and_whole(model, **given, visits=Visits("still changing", tolerance=0.01, stale=3))
    calls = asked(model)
    assert calls[0] == calls[-1] == VIEWS and 8 <= min(calls) < VIEWS
    assert relative_error(changing[..., :12], whole[..., :12]) < 1e-5
    assert relative_error(changing, whole) < 0.05


def test_a_run_whose_views_wait_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(unfinished, "user_folder", lambda: str(tmp_path))
    given, model = dict(steps=8, save_every=1, visits=CHANGING), opinionated()
    expected, _ = views_and_whole(model, **given)
    assert min(asked(model)) < VIEWS

    assert torch.equal(views_and_whole(stopped(6, **given), **given)[0], expected)


def test_samplers_that_look_back_take_no_old_estimates():
    with pytest.raises(ValueError) as caught:
        views_and_whole(gaussian(), visits=CHANGING, steps=8, sampler_name="dpmpp_2m")
    one_line(caught.value, "SyncTweediesSampler", "dpmpp_2m", "use euler or ddim", "visits turning")


def test_contrast_is_that_of_all_views():
    """White pictures, and a model that is right about them: no policy weakens or strengthens them."""
    found = [
        float(views_and_whole(gaussian(0.7), steps=12, batch_size=24, visits=visits)[1].std())
        for visits in (None, TURNING, FEW)
    ]
    assert found[1:] == pytest.approx(found[:1] * 2, rel=1e-4)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"process": 0}, ("process 0", "use process 2")),
        ({"sync_strength": 0.5}, ("sync_strength 0.5", "use 1")),
        ({"rgb_vae": object()}, ("rgb_vae", "disconnect rgb_vae")),
    ],
)
def test_what_reads_every_view_is_refused(changes, parts):
    with pytest.raises(ValueError) as caught:
        views_and_whole(gaussian(), visits=TURNING, **changes)
    one_line(caught.value, "SyncTweediesSampler", "visits turning leave views out", *parts)


def test_spotdiffusion_is_its_algorithm():
    """The method's settings against its published loop: windows side by side, the canvas moved around at random after
    every step. Where the moves lead is read off the visits."""
    method = next(preset for preset in PRESETS if preset.name == "SpotDiffusion")
    space, rig, steps = Plane(192, 64, wrap_x=True), Windows(64, 64, 8, 64, "flat"), 6
    model = opinionated()
    _, whole = run_node(model, space, rig, steps=steps, sampler_name=method.sampler, visits=method.steering)
    assert asked(model) == [3] * steps, "three windows are the area of the canvas"
    scene = Scene(space, rig)
    tilings = scene.geometry.tilings
    visiting = Visiting.of(method.steering, lambda o: tilings(scene.views(8), o), 24, steps, 5, False)
    starts = [rows[0] for rows in visiting.sets]
    assert len(set(starts)) > 2, "they stand somewhere else each time"
    levels = host.k_sampler_sigmas(model, steps, method.sampler, "normal", 1.0).double()
    latent = host.prepare_noise(torch.zeros(1, 4, 8, 24), 5).double() * (1 + levels[0] ** 2).sqrt()
    moved = 0
    for step, start in enumerate(starts):
        latent, moved = latent.roll(moved - start, -1), start
        for left in (0, 8, 16):
            window = latent[..., left : left + 8]
            clean = model.model.clean(window, levels[step].reshape(1, 1, 1, 1))
            ratio = levels[step + 1] / levels[step]
            latent[..., left : left + 8] = ratio * window + (1 - ratio) * clean
    assert relative_error(whole["samples"].double(), latent.roll(moved, -1)) < 1e-5


def test_views_that_are_asked_attend_to_each_other():
    """At each call the neighbours are the nearest of the views that are asked: as in a run whose rig has no others."""
    seen = []
    patched = attend(attentive_unet(), space=SPACE, rig=RIG, neighbours=2, overlaps=False)
    inner = patched.model.apply_model

    def apply(x, t, *args, **kwargs):
        options = kwargs.get("transformer_options", {})
        seen.append((x.clone(), t.clone(), options["sync_asked"], inner(x, t, *args, **kwargs)))
        return seen[-1][-1]

    patched.model.apply_model = apply
    try:
        views_and_whole(patched, visits=TURNING, steps=2)
    finally:
        del patched.model.apply_model
    for x, t, rows, answer in seen:
        assert len(x) == len(rows) < VIEWS
        near = [
            sorted((n for n in range(len(rows)) if n != i), key=lambda n: abs(rows[n] - rows[i]))[:2]
            for i in range(len(rows))
        ]
        wishes = dict(near=near, weight=1.0, reference=None, reference_weight=0.0, once=False)
        twin = with_twin(attentive_unet(), **wishes)
        options = twin.model_options["transformer_options"]
        text = POSITIVE[0][0].expand(len(x), -1, -1)
        with torch.inference_mode():
            told = {**options, "cond_or_uncond": [0], "sigmas": t}
            expected = twin.model.apply_model(x, t, c_crossattn=text, transformer_options=told)
        assert relative_error(answer, expected) < 1e-4


def test_chunks_of_views_that_attend_are_whole_groups():
    patched = attend(attentive_unet(), space=SPACE, rig=RIG, neighbours=1, group=2)
    together, _ = views_and_whole(patched, visits=TURNING, batch_size=2)
    pairs, _ = views_and_whole(patched, visits=TURNING, batch_size=2, views_per_batch=2)
    assert relative_error(pairs, together) < 1e-4
    assert relative_error(views_and_whole(tiny_unet(), visits=TURNING, batch_size=2)[0], together) > 1e-3


def test_a_reference_view_that_is_left_out_is_refused():
    patched = attend(tiny_unet(), space=SPACE, rig=RIG, reference=3)
    with pytest.raises(ValueError) as caught:
        views_and_whole(patched, visits=Visits("turning", 0.0), steps=8)
    one_line(caught.value, "CrossViewAttention", "reference view 3", "set reference to -1")


def test_a_rig_without_choice_is_refused():
    with pytest.raises(ValueError) as caught:
        run_node(gaussian(), SPACE, Windows(64, 64, 32, 64), visits=TURNING)
    one_line(caught.value, "SyncTweediesSampler", "none of the 5 views", "stride to 8 pixels")


SPHERE, CAMERAS = Panorama(256, 128), Lookout(fibonacci(90, 0.6), 64, 64)


@pytest.mark.parametrize("visits", [TURNING, FEW])
def test_a_sphere(visits):
    """Half of the cameras or fewer, all of the sphere, whatever the aggregation; and no contrast is lost."""
    model, sparse = gaussian(0.7), gaussian(0.7)
    given = dict(steps=5, cfg=1.0)
    whole = run_node(model, SPHERE, CAMERAS, **given)[1]["samples"]
    turned = run_node(sparse, SPHERE, CAMERAS, **given, visits=visits)[1]["samples"]
    count = asked(model)[0]
    assert max(asked(sparse)[:4]) <= 0.55 * count
    assert asked(sparse)[4] == count if visits is FEW else asked(sparse)[4] <= 0.6 * count
    # (fewer cameras average away less where their pixels do not meet)
    assert 1 <= float(turned.std() / whole.std()) < 1.4
    correlation = torch.corrcoef(torch.stack([turned.flatten(), whole.flatten()]))[0, 1]
    assert float(correlation) > 0.7, "it is the same picture"


def test_the_default_sphere_takes_half_of_the_calls():
    """What a new user has: 17 cameras and the node's defaults; edges that give way keep the contrast."""
    given, model, sparse = dict(steps=20, cfg=1.0), gaussian(0.7), gaussian(0.7)
    rig = Lookout(sphere(90), 32, 32)
    whole = run_node(model, Panorama(128, 64), rig, **given)[1]["samples"]
    turned = run_node(sparse, Panorama(128, 64), rig, **given, visits=TURNING)[1]["samples"]
    assert sum(asked(sparse)) <= 0.5 * sum(asked(model))
    assert 0.85 < float(turned.std() / whole.std()) < 1.1


def test_a_mesh_keeps_backgrounds_of_views_that_are_not_asked():
    """What shows beside the object is of each view alone: it goes on from what was said of it last."""
    space, rig = MeshTexture(box(), 128, 128), Orbit(orbit(), 64, 64)
    sparse, given = gaussian(0.7), dict(steps=10, cfg=1.0)
    whole = run_node(gaussian(0.7), space, rig, **given)[0]["samples"]
    views = run_node(sparse, space, rig, **given, visits=Visits("turning", 0.06))[0]["samples"]
    calls, shown = asked(sparse), Scene(space, rig).views_of_batch(tuple(views.shape))
    assert calls[0] == shown.count == 10 and max(calls[1:-1]) < 10
    outside = ~shown.covered[:, None].expand_as(views)
    assert bool(outside.any())
    # (longer steps are less exact: ten of them already take a sixth of this prior's contrast)
    assert 0.7 < float(views[outside].std() / whole[outside].std()) < 1.05


def test_splats_from_fewer_views():
    """Views whose pixels mix splats keep hard edges: contrast is that of fewer views, which average less of it away."""
    space, rig = SplatColours(ball(400), backend="torch"), Orbit(orbit(), 64, 64)
    model, sparse, given = gaussian(0.7), gaussian(0.7), dict(steps=14, cfg=1.0)
    whole = run_node(model, space, rig, **given)[1]["samples"]
    turned = run_node(sparse, space, rig, **given, visits=TURNING)[1]["samples"]
    assert sum(asked(sparse)) < 0.75 * sum(asked(model))
    assert 1 <= float(turned.std() / whole.std()) < 2


def test_only_plain_steps_leave_cells_out():
    """A sampler that looks back is asked about all of the sphere at every step."""
    counts = {}
    for name in ("euler", "dpmpp_2m"):
        model = gaussian(0.7)
        run_node(model, SPHERE, CAMERAS, steps=12, cfg=1.0, sampler_name=name, visits=Visits("turning", last=0.0))
        counts[name] = asked(model)
    assert counts["euler"][0] == counts["dpmpp_2m"][0] and max(counts["euler"][1:11]) < min(counts["dpmpp_2m"][1:11])


def test_any_aggregation_of_windows():
    views = Scene(SPACE, RIG).views(8)
    mean, _ = views_and_whole(opinionated(), visits=TURNING)
    squares, _ = views_and_whole(opinionated(), visits=TURNING, aggregation="least_squares")
    assert relative_error(squares, mean) < 1e-4
    assert relative_error(views.project(Aggregator(views)(mean)), mean) < 1e-5
