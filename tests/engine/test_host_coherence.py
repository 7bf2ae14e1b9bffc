"""Coherence in real runs: what changes nothing, every process, sampler, door, space and chunk; what is refused."""

from __future__ import annotations

import copy
import logging
from typing import Any

import pytest
import torch
from helpers.host_vaes import BlockVae, PatchVae, noise, tiny_vae
from helpers.hosting import (
    Plane,
    Windows,
    analytic,
    host,
    one_line,
    opinionated,
    relative_error,
    run_advanced,
    run_node,
    run_patched,
)
from helpers.meshes import torus
from oracles.splat_twins import ball
from syncpack.nodes.engine.coherence import Coherence, anchor_views
from syncpack.nodes.models.exemplar import PixelVAE
from syncpack.nodes.sampling.coherence import SyncCoherence
from syncpack.nodes.views.spaces import rig_from
from syncpack.renderers.cameras.orbits import orbit
from syncpack.renderers.cameras.viewpoints import Orbit
from syncpack.renderers.illusions.space import Illusion, Warps
from syncpack.renderers.illusions.warps import HighBand, LowBand, warp
from syncpack.renderers.mesh.space import MeshTexture
from syncpack.renderers.panorama.space import Panorama
from syncpack.renderers.scene import Scene
from syncpack.renderers.splats.space import SplatColours
from syncpack.sync_core.quality import intra_distance
from syncpack.sync_core.steering.features import ConvFeatures
from syncpack.sync_core.steering.pull import Pull
from syncpack.sync_core.synchronizer import SyncPlan
from torch import Tensor

pytestmark = pytest.mark.host

SPACE, RIG = Plane(256, 64), Windows(64, 64, 32, 64)
VIEWS = 7
STRONG = Coherence(Pull(0.2))
SCENES = {
    "plane": (SPACE, RIG),
    "panorama": (Panorama(256, 128), rig_from("sphere", 64, 64, fov=90)),
    "mesh": (MeshTexture(torus(), 256, 256), Orbit(orbit()[:4], 64, 64)),
    "splats": (SplatColours(ball(1200), backend="torch"), Orbit(orbit()[:4], 64, 64)),
}


def samples(model: Any, *scene: Any, **changes: Any) -> Tensor:
    return run_node(model, *(scene or (SPACE, RIG)), **changes)[0]["samples"]


def two_minded(model_type: str = "EPS") -> Any:
    """A MODEL of two materials: a view is bright and striped or dark and plain, whichever it looks more like."""

    def clean(x: Tensor, sigma: Tensor) -> Tensor:
        signal = 1.0 - sigma if model_type == "FLOW" else torch.ones_like(sigma)
        stripes = torch.ones(x.shape[-1])
        stripes[::2] = 0.2
        mean = x.mean((1, -2, -1), keepdim=True) / (signal**2 + sigma**2).sqrt()
        share = torch.sigmoid(12 * mean * (1 + sigma) ** 0.5)
        return (2 * share - 1) * stripes + 0.1 * torch.tanh(x / (1.0 + sigma))

    return analytic(clean, model_type)


@pytest.mark.parametrize(
    "coherence", [Coherence(Pull(0.0)), Coherence(Pull(end=0.0)), Coherence(Pull(), features="bands"), None]
)
def test_what_has_nothing_to_move_changes_no_bit(coherence: Coherence | None):
    """No strength, no steps; one view that is the whole picture."""
    scene = (SPACE, RIG)
    if coherence is None or coherence.features == "bands":
        scene = (Plane(64, 64), Windows(64, 64, 64, 64))
    coherence = coherence or STRONG
    plain, pulled = opinionated(), opinionated()
    options = dict(steps=4, sampler_name="euler")
    assert torch.equal(samples(pulled, *scene, coherence=coherence, **options), samples(plain, *scene, **options))
    assert len(pulled.model.calls) == len(plain.model.calls)


def test_views_that_are_equal_stay_as_they_are():
    """Windows a whole period apart of a picture that repeats, noise included."""
    start = noise(1, 4, 8, 8).repeat(1, 1, 1, 4)
    options = dict(canonical={"samples": start}, denoise=0.6, steps=5, scheduler="karras")

    def periodic(x: Tensor, sigma: Tensor) -> Tensor:
        whole = x.reshape(4, *x.shape[1:]).mean(0, keepdim=True)
        return torch.tanh(whole).expand(x.shape)

    rig = Windows(64, 64, 64, 64)
    plain, pulled = (samples(analytic(periodic), SPACE, rig, coherence=c, **options) for c in (None, STRONG))
    assert torch.equal(plain, pulled)


@pytest.mark.parametrize("tier", ["latent", "bands", "rgb"])
@pytest.mark.parametrize("where", SCENES)
def test_views_become_alike_on_every_space(where: str, tier: str):
    space, rig = SCENES[where]
    model = two_minded()
    if tier == "rgb":
        model.model.latent_format.latent_rgb_factors = [[0.3, 0.2, 0.1], [0.1, 0.3, 0.2], [0.2, 0.0, 0.3], [0.1] * 3]
    options = dict(steps=8, scheduler="karras", seed=3, process=0)
    free = samples(model, space, rig, **options)
    pulled = samples(model, space, rig, coherence=Coherence(Pull(0.3), features=tier), **options)  # pyright: ignore[reportArgumentType]
    seen = Scene(space, rig).views(8).covered[:, None].float()

    def unlike(views: Tensor) -> float:
        return float(((views * seen).sum((1, 2, 3)) / seen.sum((1, 2, 3))).std())

    assert unlike(free) > 0.2, "or there is nothing to do"
    assert unlike(pulled) < 0.4 * unlike(free), (unlike(pulled), unlike(free))


@pytest.mark.parametrize("name", ["euler", "heun", "dpmpp_2m", "euler_ancestral", "dpmpp_2m_sde", "lcm"])
@pytest.mark.parametrize("model_type", ["EPS", "V_PREDICTION", "FLOW"])
def test_any_sampler_and_model_type(name: str, model_type: str):
    """Every step is made, each once, and the pull is felt."""
    steps, told = 6, {"EPS": two_minded, "FLOW": two_minded}.get(model_type, opinionated)(model_type)
    free = two_minded(model_type) if model_type != "V_PREDICTION" else opinionated(model_type)
    options = dict(steps=steps, sampler_name=name, scheduler="simple")
    views = samples(told, coherence=STRONG, **options)
    assert bool(torch.isfinite(views).all())
    assert not torch.allclose(views, samples(free, **options), atol=1e-3)
    assert len(told.model.calls) == len(free.model.calls)


def test_flow_models_move_as_others_do():
    """The same prior, noise levels and noise, once as x + sigma e and once as (1 - s) x + s e: one picture."""

    def plain(x: Tensor, sigma: Tensor) -> Tensor:
        return torch.tanh(x / (1.0 + sigma**2).sqrt() + torch.linspace(-1, 1, x.shape[-1])) * 0.8

    def flow(x: Tensor, s: Tensor) -> Tensor:
        return plain(x / (1 - s), s / (1 - s))

    levels = torch.tensor([0.9, 0.8, 0.6, 0.4, 0.2, 0.0])
    latent = {"samples": torch.zeros(VIEWS, 4, 8, 8)}
    found: list[Tensor] = []
    for model, sigmas in ((analytic(flow, "FLOW"), levels), (analytic(plain), levels / (1 - levels))):
        found.append(by_levels(model, sigmas, latent, STRONG))
    unmoved = by_levels(analytic(plain), levels / (1 - levels), latent, None)
    assert relative_error(found[1], unmoved) > 0.05
    assert relative_error(found[0], found[1]) < 1e-4


def by_levels(model: Any, sigmas: Tensor, latent: dict[str, Any], coherence: Coherence | None) -> Tensor:
    """The host's own sampling by these noise levels."""
    import comfy.samplers
    from helpers.hosting import NEGATIVE, PLAN, POSITIVE, custom_sampler_nodes
    from syncpack.nodes.sampling.sampler import SyncTweediesNoise, SyncTweediesSamplerWrap

    (sampler,) = SyncTweediesSamplerWrap().wrap(
        comfy.samplers.sampler_object("euler"), SPACE, RIG, coherence=coherence, **PLAN
    )
    (shared,) = SyncTweediesNoise().build(SPACE, RIG, 5, "polar")
    with torch.inference_mode():
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(POSITIVE, NEGATIVE)
        guider.set_cfg(1.0)
        return (
            custom_sampler_nodes().SamplerCustomAdvanced().sample(shared, guider, sampler, sigmas, latent)[0]["samples"]
        )


def test_every_door_and_every_chunk():
    whole = samples(two_minded(), coherence=STRONG, seed=5)
    chunked = samples(two_minded(), coherence=STRONG, seed=5, views_per_batch=2)
    assert relative_error(chunked, whole) < 1e-6
    latent = {"samples": torch.zeros(VIEWS, 4, 8, 8)}
    assert relative_error(run_advanced(two_minded(), SPACE, RIG, latent, coherence=STRONG), whole) < 1e-5
    if host.HAS_WRAPPERS:
        assert relative_error(run_patched(two_minded(), SPACE, RIG, latent["samples"], coherence=STRONG), whole) < 1e-5
        return
    with pytest.raises(ValueError) as caught:
        run_patched(two_minded(), SPACE, RIG, latent["samples"], coherence=STRONG)
    one_line(caught.value, "SyncTweediesPatch", "coherence moves what is noisy", "use SyncTweediesSampler")


def test_the_five_processes_agree():
    """Windows that share their noise are one run under all five; moves that agree keep that."""

    def local(x: Tensor, sigma: Tensor) -> Tensor:
        # (a model that sees the same in every window: only then are the five one run)
        return torch.tanh(x / (1.0 + sigma**2).sqrt() + 0.1 * x / (1.0 + sigma)) * 0.8

    rig = Windows(64, 64, 32, 64, "flat")
    options = dict(steps=5, scheduler="karras")
    found = {p: samples(analytic(local), SPACE, rig, process=p, coherence=STRONG, **options) for p in range(1, 6)}
    free = samples(analytic(local), SPACE, rig, process=2, **options)
    assert relative_error(found[2], free) > 0.05
    for process in (1, 3, 4, 5):
        assert relative_error(found[process], found[2]) < 1e-5, process


@pytest.mark.parametrize("process", [4, 54, 57])
def test_canonical_and_joint_states_are_moved(process: int):
    options = dict(steps=5, process=process, scheduler="karras", seed=3)
    free = samples(two_minded(), **options)
    moved = samples(two_minded(), coherence=Coherence(Pull(0.3)), **options)
    assert bool(torch.isfinite(moved).all()) and relative_error(moved, free) > 0.05


def test_pictures_of_a_batch_have_their_own_anchor():
    options = dict(steps=5, scheduler="karras", coherence=STRONG)
    both = run_node(two_minded(), SPACE, RIG, batch_size=2, seed=5, **options)[0]["samples"]
    start = run_node(two_minded(), SPACE, RIG, batch_size=1, seed=5, **options)[0]["samples"]
    assert both.shape[0] == 2 * VIEWS
    assert relative_error(both[:VIEWS], start) < 1e-5


def test_the_anchor_stays_where_it_is():
    """The anchor alone is not moved, whichever it is; a mean moves all."""
    moved = Coherence(Pull(), anchor="view 2").begin(
        Scene(SPACE, RIG), SyncPlan(), Scene(SPACE, RIG).views(8), two_minded().model, 4, 8
    )
    assert moved is not None and moved.anchors == (2,)
    clean = noise(2 * VIEWS, 4, 8, 8)
    delta = moved.moves(clean, 0, (1.0, 3.0)).delta
    still = [i for i in range(2 * VIEWS) if not bool(delta[i].count_nonzero())]
    assert still == [2, 2 + VIEWS]
    mean = Coherence(Pull(), anchor="mean").begin(
        Scene(SPACE, RIG), SyncPlan(), Scene(SPACE, RIG).views(8), two_minded().model, 4, 8
    )
    assert mean is not None and bool((mean.moves(clean, 0, (1.0, 3.0)).delta.flatten(1).count_nonzero(dim=1) > 0).all())


@pytest.mark.parametrize(
    "scene, anchor, views",
    [
        ((SPACE, RIG), "auto", (3,)),
        ((SPACE, RIG), "5", (5,)),
        ((SPACE, RIG), "view 5", (5,)),
        ((SPACE, RIG), "0-2", (0, 1, 2)),
        ((SPACE, RIG), "x 0..0.3", (0, 1)),
        ((SPACE, RIG), "mean", tuple(range(7))),
        ((Panorama(256, 128), rig_from("ring", 64, 64, fov=90)), "auto", (0,)),
        ((MeshTexture(torus(), 256, 256), Orbit(orbit(), 64, 64)), "auto", (0,)),
        ((Illusion(64, 64), Warps((warp("identity"), warp("flip_y")))), "auto", (0,)),
    ],
)
def test_anchors_by_name(scene: Any, anchor: str, views: tuple[int, ...]):
    assert anchor_views(anchor, Scene(*scene), 8) == views


def test_the_front_is_the_middle_of_cameras():
    around = [
        Orbit((*orbit()[3:], *orbit()[:3]), 64, 64),
        rig_from("custom", 64, 64, cameras="90 0\n10 -5\n180 0\n0 90"),
    ]
    assert Scene(MeshTexture(torus(), 256, 256), around[0]).geometry.middle(8) == len(orbit()) - 3
    assert Scene(Panorama(256, 128), around[1]).geometry.middle(8) == 1


def pixels(model: Any) -> Any:
    """The MODEL, working on pictures in -1..1."""
    model.model.latent_format = copy.copy(model.model.latent_format)
    model.model.latent_format.latent_channels = 3
    model.model.latent_format.spacial_downscale_ratio = 1
    return model


def test_a_reference_decides():
    """Two pictures, two results. Where latents are pictures no VAE is needed, and one changes nothing."""
    options = dict(steps=8, scheduler="karras", seed=3)
    found: dict[float, Tensor] = {}
    for value in (1.0, 0.0):
        picture = torch.full((1, 80, 96, 3), value)
        plain, through = (
            samples(pixels(two_minded()), coherence=Coherence(Pull(0.3), reference=picture, vae=vae), **options)
            for vae in (None, PixelVAE())
        )
        assert torch.equal(plain, through)
        found[value] = plain
    assert float(found[1.0].mean()) > 0.3 and float(found[0.0].mean()) < -0.3


def test_references_are_averaged_and_cut_to_the_shape_of_a_view():
    scene, model = Scene(SPACE, RIG), two_minded().model
    seen: list[tuple[int, ...]] = []

    class Watching(PatchVae):
        def encode(self, pixels: Tensor) -> Tensor:
            seen.append(tuple(pixels.shape))
            return super().encode(pixels)

    pictures = torch.rand(3, 100, 200, 3, generator=torch.Generator().manual_seed(0))
    coherence = Coherence(Pull(), reference=pictures, vae=Watching())
    begun = coherence.begin(scene, SyncPlan(), scene.views(8), model, 192, 8)
    assert seen == [(3, 64, 64, 3)] and begun is not None and begun.wanted is not None
    # 200 x 100 covers 64 x 64 at 128 x 64, of which the middle is kept.
    large = torch.nn.functional.interpolate(pictures.movedim(-1, 1), size=(64, 128), mode="bilinear", antialias=True)
    latents = PatchVae().encode(large[..., 32:96].movedim(1, -1))
    expected = ConvFeatures.of(192)(model.process_latent_in(latents)).mean(0, keepdim=True)
    torch.testing.assert_close(begun.wanted, expected)


def test_the_vaes_own_network_is_differentiated():
    """The host's VAE with weights made in inference mode, and one of another pack that is written in torch."""
    with torch.inference_mode():
        vae = tiny_vae()
    for given in (vae, BlockVae()):
        coherence = Coherence(Pull(0.3), features="vae", vae=given)
        moved = samples(two_minded(), steps=4, coherence=coherence, scheduler="karras")
        assert relative_error(moved, samples(two_minded(), steps=4, scheduler="karras")) > 1e-3


def test_what_is_no_number_is_left_out_and_counted(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    plain = ConvFeatures.toward

    def broken(self: ConvFeatures, clean: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        distance, slope = plain(self, clean, wanted)
        return distance, slope * float("nan")

    monkeypatch.setattr(ConvFeatures, "toward", broken)
    with caplog.at_level(logging.WARNING):
        moved = samples(two_minded(), steps=4, coherence=STRONG)
    assert "coherence left out 14 moves of views" in caplog.text
    monkeypatch.undo()
    assert torch.equal(moved, samples(two_minded(), steps=4))


def test_with_time_travel_and_masks():
    whole = {"samples": noise(1, 4, 8, 32), "noise_mask": torch.zeros(1, 64, 256)}
    whole["noise_mask"][..., 128:] = 1
    kept = run_node(two_minded(), SPACE, RIG, canonical=whole, coherence=STRONG, steps=4)[1]["samples"]
    assert relative_error(kept[..., :16], whole["samples"][..., :16]) < 1e-6
    model = two_minded()
    samples(model, steps=4, coherence=STRONG, travel_times=2, travel_start=0.0, travel_end=0.5)
    assert len(model.model.calls) == 6


STOCHSYNC = "StochSync (fresh noise, for prompts alone)"


@pytest.mark.parametrize(
    "options, said",
    [
        (dict(process=STOCHSYNC), "StochSync begins every step anew"),
        (dict(coherence=Coherence(Pull(), anchor="view 12")), "names view 12, but the rig has 7 views; use 0 to 6"),
        (dict(coherence=Coherence(Pull(), anchor="nose")), "anchor 'nose' names no views; use auto, mean, or"),
        (dict(coherence=Coherence(Pull(), anchor="front")), "'front' means nothing for a rig of windows"),
        (dict(coherence=Coherence(Pull(), reference=torch.zeros(1, 8, 8, 3))), "latents 4; connect the model's VAE"),
        (dict(coherence=Coherence(Pull(), reference=torch.zeros(1, 8, 8, 3), vae=PatchVae())), "coherence's vae has"),
        (dict(coherence=Coherence(Pull(), features="clip")), "features clip need a CLIP vision model; connect"),
        (dict(coherence=Coherence(Pull(), features="vae")), "features vae need the VAE of this model; connect vae"),
        (dict(coherence=Coherence(Pull(), features="taesd")), "use features latent"),
        (dict(coherence=Coherence(Pull(), features="rgb")), "nobody knows how this model's latents look"),
        (dict(sampler_name="uni_pc"), "uni_pc plans all its steps at once, and this run is stopped between steps"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], said: str):
    with pytest.raises(ValueError) as caught:
        run_node(two_minded(), SPACE, RIG, **{"coherence": STRONG, **options})
    one_line(caught.value, "SyncTweediesSampler", said)


def test_parts_of_a_picture_are_no_views_to_make_alike():
    rig = Warps((LowBand(), HighBand()))
    with pytest.raises(ValueError) as caught:
        run_node(two_minded(), Illusion(64, 64), rig, coherence=STRONG)
    one_line(caught.value, "SyncTweediesSampler", "these make up the picture only together", "disconnect it")


def test_what_is_done_with_a_warning(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        samples(two_minded(), coherence=Coherence(Pull(0.6)))
        assert "coherence of strength 0.6 moves views nearly as far as the noise is strong" in caplog.text
        samples(two_minded(), coherence=STRONG, process=0)
        assert "process 0 leaves views alone" in caplog.text
        rig = Warps((warp("identity"), warp("flip_y")))
        run_node(two_minded(), Illusion(64, 64), rig, coherence=STRONG)
        assert "the readings of an illusion are meant to show different things" in caplog.text


def test_the_node():
    (made,) = SyncCoherence().build(0.1, 0.4, "view 3", "bands", decay=0.9, every=2, start=0.1, shape="blur", seed=4)
    assert made.pull == Pull(0.1, 0.9, 0.1, 0.4, 2, "blur") and made.anchor == "view 3" and made.seed == 4
    with pytest.raises(ValueError) as caught:
        SyncCoherence().build(-1.0, 0.5, "auto", "latent")
    one_line(caught.value, "SyncCoherence", "strength -1: use 0")
    assert intra_distance(noise(2, 3, 16, 16)) > 0
