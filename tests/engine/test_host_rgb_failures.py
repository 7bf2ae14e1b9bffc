"""Averaging decoded pictures: memory, models loaded again, what is refused, and what an interrupt leaves."""

import copy
from typing import Any

import pytest
import torch
from helpers.host_vaes import RIG, SPACE, VIEWS, BlockVae, PatchVae, bounded, noise, rgb_sync, tiny_vae
from helpers.hosting import (
    PLAN,
    OwnNoise,
    Plane,
    Scene,
    SyncTweediesPatch,
    SyncTweediesSamplerWrap,
    Windows,
    advanced,
    comfy,
    gaussian,
    host,
    interrupted_error,
    one_line,
    opinionated,
    plain_sample,
    run_advanced,
    run_node,
    run_patched,
)
from helpers.meshes import torus
from syncpack.nodes.engine.vae import vae_views
from syncpack.nodes.host.errors import SyncError
from syncpack.nodes.sampling.sampler import settings_from
from syncpack.nodes.views.spaces import rig_from
from syncpack.renderers.cameras.orbits import orbit
from syncpack.renderers.cameras.viewpoints import Orbit
from syncpack.renderers.geometry import Geometry
from syncpack.renderers.mesh.space import MeshTexture
from syncpack.renderers.panorama.space import Panorama
from syncpack.renderers.picture_means import MeanWish, numbers_of_maps
from syncpack.sync_core.synchronizer import SyncPlan

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def vae() -> Any:
    return tiny_vae()


# Memory


def test_calls_follow_the_vaes_own_estimate(vae):
    free = host.free_memory(torch.device("cpu"))
    hungry = copy.copy(vae)
    hungry.memory_used_decode = lambda shape, dtype: free / 2.5
    assert vae_views(hungry, (VIEWS, 4, 8, 8), 8) == 2
    hungry.memory_used_encode = lambda shape, dtype: 10 * free
    assert vae_views(hungry, (VIEWS, 4, 8, 8), 8) == 1
    assert vae_views(vae, (VIEWS, 4, 8, 8), 8) > VIEWS


def test_the_users_limit_holds_for_the_vae_too():
    exact = PatchVae()
    latent = {"samples": torch.zeros(VIEWS, 192, 8, 8)}
    run_advanced(bounded(192), SPACE, RIG, latent, rgb_vae=exact, views_per_batch=2)
    assert set(exact.decoded) == {2, 1} and set(exact.encoded) == {2, 1}


def test_the_models_are_loaded_again(vae):
    """Another model of the host may be pushed out while the VAE works; it is in its place for the next step."""
    model = gaussian()
    comfy.model_management.load_models_gpu([model])

    class Pushing(type(vae)):
        def decode(self, samples: torch.Tensor) -> torch.Tensor:
            comfy.model_management.unload_all_models()
            assert model not in host.loaded_models()
            return super().decode(samples)

    pushing = copy.copy(vae)
    pushing.__class__ = Pushing
    with torch.inference_mode():
        rgb_sync(pushing, model=model)(noise(VIEWS, 4, 8, 8))
    assert model in host.loaded_models()


def test_maps_too_large_for_the_memory():
    side = 2**17
    scene = Scene(Plane(2 * side, side), Windows(side, side, side // 2, side))
    with pytest.raises(ValueError, match=r"3 views of 131072 x .* needs about 1\d{4}\.\d GiB .* disconnect rgb_vae"):
        Geometry.means(scene.geometry, MeanWish(SyncPlan(), side // 8, scene.views, lambda: 2.0**34))


@pytest.mark.parametrize("sampling", ["nearest", "bilinear"])
def test_the_size_of_the_maps_is_known_before(sampling):
    """Of a mesh too, whose latents may be read by one tap and pictures by four, and written by other maps."""
    mesh = MeshTexture(torus(), 256, 256, sampling=sampling)
    for scene in (
        Scene(mesh, Orbit(orbit()[:3], 128, 128)),
        Scene(Panorama(256, 128), rig_from("ring", 64, 64, fov=90)),
        Scene(Plane(128, 64), Windows(64, 64, 32, 64)),
    ):
        fine = scene.views(8, 8)
        entries = fine.forward.nnz + (0 if fine.gather is None else fine.gather.nnz)
        expected = numbers_of_maps(scene.views(8), 8, scene.geometry.picture_entries)
        assert expected == pytest.approx(entries + fine.forward.rows + fine.cells, rel=0.25)


# Errors and interrupts


def refused(node: str, call: Any, *parts: str) -> None:
    with pytest.raises(SyncError) as caught:
        call()
    one_line(caught.value, node, *parts)


@pytest.mark.parametrize(
    "process, reason", [(1, "noise is no picture"), (3, "noise"), (5, "canonical latent"), (0, "")]
)
def test_processes_that_average_something_else(process, reason):
    model = gaussian()
    parts = (f"process {process}", reason, "use process 2")
    refused("SyncTweediesSampler", lambda: run_node(model, SPACE, RIG, process=process, rgb_vae=BlockVae()), *parts)
    assert not model.model.calls


def test_every_door_refuses():
    plan = {**PLAN, "process": "1 average noise"}
    wrap = lambda: SyncTweediesSamplerWrap().wrap(None, SPACE, RIG, **plan, rgb_vae=BlockVae())  # noqa: E731
    refused("SyncTweediesSamplerWrap", wrap, "process 1", "use process 2")
    patch = lambda: SyncTweediesPatch().patch(gaussian(), SPACE, RIG, **plan, rgb_vae=BlockVae())  # noqa: E731
    refused("SyncTweediesPatch", patch, "process 1", "use process 2")
    refused(
        "SyncTweediesSampler",
        lambda: run_node(gaussian(), SPACE, RIG, rgb_vae=BlockVae(), rgb_every=0),
        "rgb_every 0",
        "use 1",
    )


@pytest.mark.skipif(host.HAS_WRAPPERS, reason="this host tells a MODEL its step")
def test_a_patch_that_does_not_know_its_step():
    patch = lambda: SyncTweediesPatch().patch(gaussian(), SPACE, RIG, **PLAN, rgb_vae=BlockVae(), rgb_every=2)  # noqa: E731
    refused("SyncTweediesPatch", patch, "rgb_every 2", "use rgb_every 1")


class OtherCell(BlockVae):
    downscale_ratio = upscale_ratio = 16


class Silent:
    """A VAE of another pack that says nothing of itself and decodes to another size."""

    def decode(self, samples: torch.Tensor) -> torch.Tensor:
        return samples.movedim(1, -1)


class Broken(BlockVae):
    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        return super().encode(pixels) * float("nan")


@pytest.mark.parametrize(
    "wrong, parts",
    [
        (OtherCell(), ("16 image pixels per latent cell", "have 8", "connect the VAE of this model")),
        (PatchVae(), ("192 channels", "of 4", "connect the VAE of this model")),
        (Silent(), ("8 x 8 cells to 8 x 8 pixels instead of 64 x 64", "connect the VAE")),
        (Broken(), ("NaN", "--fp32-vae")),
    ],
)
@pytest.mark.parametrize("door", ["sampler", "patch"])
def test_vaes_that_do_not_fit(wrong, parts, door):
    if door == "sampler":
        refused("SyncTweediesSampler", lambda: run_node(bounded(), SPACE, RIG, rgb_vae=wrong), *parts)
    else:
        latent = torch.zeros(VIEWS, 4, 8, 8)
        refused("SyncTweediesPatch", lambda: run_patched(bounded(), SPACE, RIG, latent, rgb_vae=wrong), *parts)


def test_a_vae_without_weights():
    empty = comfy.sd.VAE(sd={})
    parts = ("holds no weights", "connect")
    refused("SyncTweediesSampler", lambda: run_node(bounded(), SPACE, RIG, rgb_vae=empty), *parts)


@pytest.mark.parametrize("fails_at", [1, 5])
def test_an_interrupt_leaves_everything_as_it_was(fails_at):
    """Cancelled in the middle of the VAE's work: the next run is the one that would have been."""
    interrupted, model = interrupted_error(), bounded()
    sampler = comfy.samplers.sampler_object("euler")
    function, options = sampler.sampler_function, copy.deepcopy(model.model_options)
    latent = {"samples": torch.zeros(VIEWS, 4, 8, 8)}

    class Cancelling(BlockVae):
        calls = 0

        def encode(self, pixels: torch.Tensor) -> torch.Tensor:
            Cancelling.calls += 1
            if Cancelling.calls == fails_at:
                comfy.model_management.interrupt_current_processing()
            return super().encode(pixels)

    vae = Cancelling()
    (wrapped,) = SyncTweediesSamplerWrap().wrap(sampler, SPACE, RIG, **PLAN, rgb_vae=vae, views_per_batch=1)
    with pytest.raises(interrupted):
        advanced(model, OwnNoise(5), wrapped, latent)
    assert Cancelling.calls == fails_at, "the next call of the VAE was not made"
    assert sampler.sampler_function is function and model.model_options == options
    actual = advanced(model, OwnNoise(5), wrapped, latent)
    (fresh,) = SyncTweediesSamplerWrap().wrap(sampler, SPACE, RIG, **PLAN, rgb_vae=BlockVae(), views_per_batch=1)
    assert torch.equal(actual, advanced(bounded(), OwnNoise(5), fresh, latent))
    assert torch.equal(plain_sample(model, torch.zeros(1, 4, 8, 8)), plain_sample(bounded(), torch.zeros(1, 4, 8, 8)))


def test_settings_are_not_copied_with_the_model(vae):
    settings = settings_from(SPACE, RIG, rgb_vae=vae, **PLAN)
    assert copy.deepcopy(settings).rgb.vae is vae
    (patched,) = SyncTweediesPatch().patch(opinionated(), SPACE, RIG, **PLAN, rgb_vae=vae)
    assert patched.clone() is not patched
