"""VAEs whose pictures wrap: a shifted picture is decoded and encoded as the shifted result, whatever class they are."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers.host_vaes import NETWORK, BlockVae, noise, tiny_vae
from helpers.hosting import Plane, Scene, Windows
from helpers.model_files import run_host_node
from syncpack.nodes.engine.vae import mean_encoding_vae, vae_cells
from syncpack.nodes.engine.wrapping import WrappedVAE
from syncpack.nodes.engine.wrapping.layers import WrappedLayers
from syncpack.nodes.engine.wrapping.vae import faded
from syncpack.nodes.models.exemplar import PixelVAE
from syncpack.nodes.views.stitch import decoded_whole
from syncpack.nodes.views.wrapping_nodes import SyncTweediesWrappedVAE
from syncpack.renderers.illusions.space import Illusion
from syncpack.renderers.panorama.space import Panorama
from torch import Tensor

pytestmark = pytest.mark.host

Shift = tuple[int, int]


def with_weights(network: Any, seed: int = 0) -> Any:
    """The network with random weights that keep the size of what goes through."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in network.named_parameters():
        spread = weight[0].numel() ** -0.5 if weight.ndim > 1 else 0.05
        weight.data.copy_(torch.randn(weight.shape, generator=generator) * spread)
        if (weight.ndim == 1 and ("norm" in name and "weight" in name)) or "gamma" in name:
            weight.data += 1
    return network


def network_of_host(module: str, name: str, **arguments: Any) -> Any:
    """One of the host's networks, small; skips on hosts that have none."""
    try:
        network = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError:
        pytest.skip(f"this release of the host has no {module}")
    return with_weights(network(**arguments))


def autoencoder() -> Any:
    import comfy.sd
    from comfy.ldm.models.autoencoder import AutoencoderKL

    return comfy.sd.VAE(sd=with_weights(AutoencoderKL(**NETWORK)).state_dict(), config={"params": NETWORK})


def wan() -> Any:
    """A video VAE, which images go through as films of one frame. The host of 2025 knows its full size alone, so its
    network is put into another VAE."""
    shape = dict(dim=16, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2, attn_scales=[])
    down = [False, True, True]
    network = network_of_host("comfy.ldm.wan.vae", "WanVAE", **shape, temperal_downsample=down, dropout=0.0)
    vae = tiny_vae()
    vae.first_stage_model, vae.latent_dim, vae.latent_channels = network.eval().requires_grad_(False), 3, 16
    return vae


def taesd() -> Any:
    import comfy.sd

    return comfy.sd.VAE(sd=network_of_host("comfy.taesd.taesd", "TAESD").state_dict())


class Small(torch.nn.Module):
    """A network that takes little time: a norm, and a convolution on either side of its cells."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = torch.nn.Conv2d(4, 8, 3, padding=1), torch.nn.GroupNorm(2, 8)
        self.last = torch.nn.Conv2d(8, 3, 5, padding=2)

    def decode(self, samples: Tensor) -> Tensor:
        fine = self.norm(self.first(samples)).repeat_interleave(8, -2).repeat_interleave(8, -1)
        return torch.tanh(self.last(fine))


def small() -> Any:
    """The host's VAE around it."""
    vae = tiny_vae()
    vae.first_stage_model = with_weights(Small()).eval().requires_grad_(False)
    return vae


VAES: dict[str, Callable[[], Any]] = {"AutoencoderKL": autoencoder, "TAESD": taesd, "Wan and Qwen-Image": wan}
SPACES = {
    "both": (Plane(96, 64, True, True), (3, 5)),
    "x": (Plane(96, 64, True, False), (0, 5)),
    "y": (Plane(64, 96, False, True), (5, 0)),
    "sphere": (Panorama(96, 48), (0, 5)),
}


def latent_of(vae: Any, space: Any, batch: int = 1) -> Tensor:
    frames = [1] if getattr(vae, "latent_dim", 2) == 3 else []
    return noise(batch, vae.latent_channels, *frames, space.height // 8, space.width // 8)


def shifted(picture: Tensor, by: Shift, axes: tuple[int, int]) -> Tensor:
    return picture.roll(by, axes)


def decode_error(vae: Any, space: Any, by: Shift) -> float:
    """decode(shift(z)) against shift(decode(z)), rms in standard deviations."""
    latent = latent_of(vae, space)
    first, second = vae.decode(latent), vae.decode(shifted(latent, by, (-2, -1)))
    error = second - shifted(first, (8 * by[0], 8 * by[1]), (-3, -2))
    return float(error.abs().max() / first.std())


def encode_error(vae: Any, space: Any, by: Shift) -> float:
    pixels = torch.rand(1, space.height, space.width, 3, generator=torch.Generator().manual_seed(1))
    first, second = vae.encode(pixels), vae.encode(shifted(pixels, (8 * by[0], 8 * by[1]), (1, 2)))
    return float((second - shifted(first, by, (-2, -1))).abs().max() / first.std())


@pytest.fixture(scope="module", params=VAES)
def vae(request: Any) -> Any:
    return mean_encoding_vae(VAES[request.param]())


@pytest.mark.parametrize("name", SPACES)
def test_a_shifted_picture_gives_the_shifted_result(vae, name):
    space, by = SPACES[name]
    wrapped = WrappedVAE(vae, space)
    assert decode_error(wrapped, space, by) < 1e-5
    assert encode_error(wrapped, space, by) < 1e-5
    if name == "both":
        assert decode_error(vae, space, by) > 0.1, "without wrapping the border shows"
        assert encode_error(vae, space, by) > 0.1


def test_the_middle_of_a_picture_is_decoded_as_ever(vae):
    """Far from its borders a picture looks as before; what is left is what norms and attention (of random
    weights, which looks everywhere) see of the borders."""
    space = Plane(384, 32, True, False)
    latent = latent_of(vae, space)
    plain, wrapped = vae.decode(latent), WrappedVAE(vae, space).decode(latent)
    assert plain.shape == wrapped.shape
    away = (plain - wrapped)[..., 160:224, :].square().mean().sqrt() / plain.std()
    near = (plain - wrapped)[..., :8, :].square().mean().sqrt() / plain.std()
    assert away < 0.5 * near


def test_the_vae_itself_stays_as_it_is(vae):
    space = SPACES["both"][0]
    latent = latent_of(vae, space)
    before = vae.decode(latent)
    network, layers = vae.first_stage_model, [type(m).forward for m in vae.first_stage_model.modules()]
    wrapped = WrappedVAE(vae, space)
    wrapped.decode(latent)
    assert torch.equal(vae.decode(latent), before)
    assert vae.first_stage_model is network and wrapped.first_stage_model is network
    assert layers == [type(m).forward for m in network.modules()]
    assert wrapped.latent_channels == vae.latent_channels and vae_cells(wrapped) == vae_cells(vae)


def test_batches_are_wrapped_one_by_one():
    vae, (space, _) = autoencoder(), SPACES["both"]
    wrapped, latent = WrappedVAE(vae, space), noise(3, 4, 8, 12)
    one_by_one = torch.cat([wrapped.decode(each[None]) for each in latent])
    assert (wrapped.decode(latent) - one_by_one).abs().max() < 1e-5


def seam(picture: Tensor, axis: int) -> float:
    """Squared step across the border over that between other cells [.., H, W, C]."""
    step = (picture.roll(-1, axis) - picture).square().movedim(axis, 0)
    return float(step[-1].mean() / step[7:-1:8].mean())


def test_tiles_fade_into_each_other_across_the_border():
    vae, space = small(), Plane(256, 192, True, True)
    coarse = torch.fft.rfft2(noise(1, 4, 24, 32))
    coarse[..., 4:-3, :] = 0
    coarse[..., 4:] = 0
    latent = 4 * torch.fft.irfft2(coarse, s=(24, 32))
    wrapped = WrappedVAE(vae, space)
    plain = vae.decode_tiled(latent, tile_x=32, tile_y=32, overlap=8)
    tiled, whole = wrapped.decode_tiled(latent, tile_x=32, tile_y=32, overlap=8), wrapped.decode(latent)
    assert tiled.shape == plain.shape
    for axis in (-3, -2):
        assert seam(plain, axis) > 5 and seam(tiled, axis) < 1.5 and seam(whole, axis) < 1.5, axis
        border, apart = ((p - whole).narrow(axis, 0, 8).square().mean() for p in (tiled, plain))
        assert border < 0.2 * apart


def test_tiles_are_what_is_left_where_memory_runs_out(monkeypatch):
    """The host then goes on with tiles by itself, which must not be taken for the whole picture."""
    vae, space = small(), Plane(1280, 128, True, False)
    latent = noise(1, 4, 16, 160)
    expected = WrappedVAE(vae, space).decode_tiled(latent)
    decode, calls = vae.first_stage_model.decode, []

    def decode_small(samples: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        calls.append(tuple(samples.shape[-2:]))
        if samples.shape[-1] > 128:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return decode(samples, *args, **kwargs)

    monkeypatch.setattr(vae.first_stage_model, "decode", decode_small)
    picture = WrappedVAE(vae, space).decode(latent)
    assert calls[0] == (16, 160) and max(width for _, width in calls[2:]) <= 128
    assert (picture - expected).abs().max() < 1e-4


@pytest.mark.parametrize("vae", [PixelVAE(), BlockVae()])
def test_vaes_without_convolutions_are_continued(vae):
    """Of pixel models, and of packs whose VAEs are none of the host's: exact ones stay exact."""
    cell = vae.downscale_ratio
    for space, by in SPACES.values():
        latent = noise(1, vae.latent_channels, space.height // cell, space.width // cell) / 4
        wrapped = WrappedVAE(vae, space)
        assert (wrapped.decode(latent) - vae.decode(latent)).abs().max() < 1e-6
        pixels = torch.rand(1, space.height, space.width, 3)
        assert (wrapped.encode(pixels) - vae.encode(pixels)).abs().max() < 1e-6, by


def test_what_fades_begins_as_what_the_end_goes_on_with():
    line = torch.arange(12.0).reshape(1, 1, 1, 12)
    # start 2, length 6, and 4 beyond: 8, 9, ... are what 7 goes on with
    result = faded(line, -1, 2, 6, 4)[0, 0, 0]
    assert torch.allclose(result, torch.tensor([2 + 6 * 7 / 8, 3 + 6 * 5 / 8, 4 + 6 * 3 / 8, 5 + 6 / 8, 6.0, 7.0]))


def test_poles_are_those_of_the_whole_sphere_laid_out_twice():
    """A sphere and its mirrored half turn make a picture that wraps both ways: what a pole should look like, with
    nothing beyond it left out."""
    vae, space = autoencoder(), Panorama(256, 128)
    latent = noise(1, 4, 16, 32)
    twice = torch.cat([latent, latent.roll(16, -1).flip(-2)], -2)
    true = WrappedVAE(vae, Plane(256, 256, True, True)).decode(twice)[:, :128]
    plain, wrapped = vae.decode(latent), WrappedVAE(vae, space).decode(latent)
    rows = [*range(8), *range(120, 128)]
    error, before = ((p - true)[:, rows].square().mean().sqrt() / true.std() for p in (wrapped, plain))
    assert before > 0.3 and error < 0.05


def test_the_hosts_nodes_take_it():
    vae, space = autoencoder(), Plane(128, 64, True, True)
    (wrapped,) = SyncTweediesWrappedVAE().wrap(vae, space)
    latent = noise(1, 4, 8, 16)
    (picture,) = run_host_node("VAEDecode", samples={"samples": latent}, vae=wrapped)
    assert torch.equal(picture, wrapped.decode(latent))
    (back,) = run_host_node("VAEEncode", pixels=picture, vae=wrapped)
    assert back["samples"].shape == latent.shape
    (tiled,) = run_host_node("VAEDecodeTiled", samples={"samples": latent}, vae=wrapped, tile_size=512)
    assert tiled.shape == picture.shape


def test_views_become_a_whole_picture_that_wraps():
    vae, space = autoencoder(), Plane(128, 60, True, False)
    scene = Scene(space, Windows(64, 64, 32, 64))
    whole = noise(1, 4, 8, 16)
    views = scene.views(8).project(whole)
    picture, coverage = decoded_whole(scene, vae, views)
    expected = WrappedVAE(vae, Plane(128, 64, True, False)).decode(whole)[:, :60]
    assert picture.shape == (1, 60, 128, 3) and coverage.shape == (1, 60, 128) and bool((coverage == 1).all())
    assert (picture - expected).abs().max() < 1e-5


def test_what_cannot_be_is_said_in_one_line():
    vae = tiny_vae()
    with pytest.raises(ValueError, match="kind plane does not wrap; switch wrap_x or wrap_y"):
        WrappedVAE(vae, Plane(128, 64))
    with pytest.raises(ValueError, match="kind illusion has no borders that could meet"):
        WrappedVAE(vae, Illusion(128, 64))
    with pytest.raises(ValueError, match=r"SyncTweediesWrappedVAE: .*does not wrap"):
        SyncTweediesWrappedVAE().wrap(vae, Plane(128, 64))
    wrapped = WrappedVAE(vae, Plane(128, 64, True, False))
    with pytest.raises(ValueError, match="latent of 8 x 8 cells is not the whole picture of 128 x 64"):
        wrapped.decode(noise(3, 4, 8, 8))
    with pytest.raises(ValueError, match="picture of 64 x 64 is not the whole picture of 128 x 64"):
        wrapped.encode(torch.rand(1, 64, 64, 3))
    with pytest.raises(ValueError, match="132 is not a multiple of this VAE's cell of 8 pixels; use 128"):
        WrappedVAE(vae, Plane(132, 64, True, False)).encode(torch.rand(1, 64, 132, 3))
    sounds = tiny_vae()
    sounds.latent_dim = 1
    with pytest.raises(ValueError, match="sounds or shapes"):
        WrappedVAE(sounds, Plane(128, 64, True, False))
    with pytest.raises(ValueError, match="connect vae"):
        decoded_whole(Scene(Plane(128, 64), Windows(64, 64, 32, 64)), None, noise(3, 4, 8, 8))


@pytest.mark.parametrize("weights", ["3", "3, dilation 2", "4, same", "5, stride 2", "2, transposed", "4, transposed"])
def test_every_kind_of_convolution_wraps(weights):
    """Against the same on a picture that is repeated."""
    picture, borders = noise(1, 2, 8, 12), Plane(12, 8, True, True).borders
    made: dict[str, Callable[[Tensor], Tensor]] = {
        "3": torch.nn.Conv2d(2, 3, 3, padding=1),
        "3, dilation 2": torch.nn.Conv2d(2, 3, 3, padding=2, dilation=2),
        "4, same": torch.nn.Conv2d(2, 3, 4, padding="same"),
        "5, stride 2": torch.nn.Conv2d(2, 3, 5, stride=2, padding=2),
        "2, transposed": torch.nn.ConvTranspose2d(2, 3, 2, stride=2),
        "4, transposed": torch.nn.ConvTranspose2d(2, 3, 4, stride=2, padding=1),
    }
    layer = made[weights]
    with torch.no_grad():
        layers = WrappedLayers(borders, 8, 12)
        with layers:
            wrapped = layer(picture)
        repeated = layer(picture.repeat(1, 1, 3, 3))
    rows, columns = wrapped.shape[-2:]
    middle = repeated[..., rows : 2 * rows, columns : 2 * columns]
    assert layers.count == 1 and torch.allclose(wrapped, middle, atol=1e-6)


def test_what_is_not_the_whole_picture_is_left_alone():
    layer, piece = torch.nn.Conv2d(2, 3, 3, padding=1), noise(1, 2, 8, 8)
    with torch.no_grad():
        layers = WrappedLayers(Plane(12, 8, True, True).borders, 8, 12)
        with layers:
            found = layer(piece)
        assert layers.count == 0 and torch.equal(found, layer(piece))
