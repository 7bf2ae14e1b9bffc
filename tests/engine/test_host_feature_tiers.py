"""Features of networks that users have: differentiated in inference mode, made of random weights of the host's own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from helpers.host_vaes import BlockVae, noise, tiny_vae
from helpers.hosting import comfy, gaussian, host_module
from syncpack.nodes import host
from syncpack.nodes.engine.feature_tiers import Sources, features_of
from syncpack.sync_core.steering.features import Features
from torch import Tensor

pytestmark = pytest.mark.host

CPU = torch.device("cpu")


def vision(folder: Path) -> Any:
    config = dict(
        hidden_act="quick_gelu",
        hidden_size=32,
        image_size=224,
        intermediate_size=64,
        model_type="clip_vision_model",
        num_attention_heads=2,
        num_channels=3,
        num_hidden_layers=6,
        patch_size=32,
        projection_dim=16,
    )
    file = folder / "vision.json"
    file.write_text(json.dumps(config))
    made = host_module("comfy.clip_vision", "comfy.clip_vision").ClipVisionModel(str(file))
    generator = torch.Generator().manual_seed(0)
    for name, weight in made.model.named_parameters():
        weight.data = torch.randn(weight.shape, generator=generator) * (0.15 if weight.ndim > 1 else 0.02)
        if "norm" in name and name.endswith("weight"):
            weight.data.fill_(1.0)
    return made


def network(channels: int = 4) -> Any:
    """A network whose previews have factors."""
    found = gaussian().model
    found.latent_format = comfy.latent_formats.SD15()
    assert channels == 4
    return found


def checked(features: Features, size: int = 16) -> None:
    """The gradient is that of differences, however the weights were made."""
    with torch.inference_mode():
        clean, wanted = noise(2, 4, size, size), features(noise(2, 4, size, size, seed=1))
        distance, slope = features.toward(clean, wanted)
    assert bool(torch.isfinite(slope).all()) and bool((slope.flatten(1).norm(dim=1) > 0).all())
    along, step = slope / slope.flatten(1).norm(dim=1)[:, None, None, None], 0.05
    with torch.inference_mode():
        ahead, back = ((features(clean + s * along) - wanted).norm(dim=1) for s in (step, -step))
    expected = (slope * along).sum((1, 2, 3))
    torch.testing.assert_close((ahead - back) / (2 * step), expected, rtol=0.05, atol=1e-5)
    torch.testing.assert_close(distance, (features(clean) - wanted).norm(dim=1), rtol=1e-4, atol=1e-5)


def test_the_vae(monkeypatch: pytest.MonkeyPatch):
    with torch.inference_mode():
        vae = tiny_vae()
    before = {name: weight.clone() for name, weight in vae.first_stage_model.state_dict().items()}
    features = features_of("vae", Sources(network(), 4, CPU, vae=vae))
    checked(features)
    after = vae.first_stage_model.state_dict()
    assert all(torch.equal(weight, after[name]) for name, weight in before.items()), "the VAE itself stays as it is"
    # From 32 cells on, half the size is decoded.
    assert features(noise(1, 4, 32, 32)).shape == features(noise(1, 4, 16, 16)).shape


def test_what_is_decoded_is_the_vaes_picture():
    vae = tiny_vae()
    latent = noise(2, 4, 8, 8) * 0.1
    with torch.inference_mode():
        picture = host.differentiable_decoder(vae, CPU)(latent)
        expected = vae.decode(latent).movedim(-1, 1) * 2 - 1
    torch.testing.assert_close(picture.clamp(-1, 1), expected, rtol=0, atol=1e-5)


def test_vaes_of_other_packs():
    checked(features_of("vae", Sources(network(), 4, CPU, vae=BlockVae())))

    class Closed(BlockVae):
        def decode(self, samples: Tensor) -> Tensor:
            return super().decode(samples).detach()

    features = features_of("vae", Sources(network(), 4, CPU, vae=Closed()))
    with pytest.raises(ValueError, match="no gradient flows"):
        features.toward(noise(1, 4, 8, 8), features(noise(1, 4, 8, 8)))


def test_clip_vision(tmp_path: Path):
    with torch.inference_mode():
        eye = vision(tmp_path)
    checked(features_of("clip", Sources(network(), 4, CPU, clip_vision=eye)))
    checked(features_of("clip", Sources(network(), 4, CPU, clip_vision=eye, vae=BlockVae())))
    with pytest.raises(ValueError, match="no CLIP or SigLIP vision model"):
        features_of("clip", Sources(network(), 4, CPU, clip_vision=SimpleNamespace(model=torch.nn.Linear(1, 1))))


def test_taesd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from comfy.taesd.taesd import TAESD

    monkeypatch.setattr("syncpack.nodes.host.differentiable.model_folders", lambda kind: [str(tmp_path)])
    with pytest.raises(ValueError, match=r"models/vae_approx holds no taesd_decoder.safetensors"):
        features_of("taesd", Sources(network(), 4, CPU))
    decoder = TAESD(None, None).taesd_decoder
    generator = torch.Generator().manual_seed(0)
    for weight in decoder.parameters():
        weight.data = torch.randn(weight.shape, generator=generator) * (0.08 if weight.ndim > 1 else 0.02)
    comfy.utils.save_torch_file(decoder.state_dict(), str(tmp_path / "taesd_decoder.safetensors"))
    checked(features_of("taesd", Sources(network(), 4, CPU)), 8)


class Vgg(torch.nn.Module):
    """What the package lpips has of a network."""

    def __init__(self) -> None:
        super().__init__()
        self.scaling_layer = torch.nn.Identity()
        self.layer = torch.nn.Conv2d(3, 8, 3)
        self.lins = [SimpleNamespace(model=[torch.nn.Conv2d(8, 1, 1)])]
        torch.nn.init.uniform_(self.lins[0].model[0].weight, 0, 1)

    def net(self, picture: Tensor) -> list[Tensor]:
        return [self.layer(picture).tanh()]


def test_lpips(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    with pytest.raises(ValueError, match="lpips needs the python package lpips; install it"):
        features_of("lpips", Sources(network(), 4, CPU))
    monkeypatch.setitem(sys.modules, "lpips", SimpleNamespace(LPIPS=lambda **_: Vgg(), __spec__=object()))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(ValueError, match="lpips needs VGG's weights in the file"):
        features_of("lpips", Sources(network(), 4, CPU))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "vgg16-397923af.pth").touch()
    checked(features_of("lpips", Sources(network(), 4, CPU)))


def test_unknown_ones_are_refused():
    with pytest.raises(ValueError, match="features 'vgg' are unknown; use one of latent, bands, rgb"):
        features_of("vgg", Sources(network(), 4, CPU))  # pyright: ignore[reportArgumentType]
