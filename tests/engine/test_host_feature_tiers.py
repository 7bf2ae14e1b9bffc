"""Features of networks that users have: differentiated in inference mode, made of random weights of the host's own."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from helpers.host_vaes import BlockVae, noise, tiny_vae
from helpers.hosting import (
    Plane,
    Windows,
    analytic,
    comfy,
    gaussian,
    host_module,
    one_line,
    relative_error,
    run_node,
    tiny_unet,
)
from syncpack.nodes import host
from syncpack.nodes.engine.coherence import Asked, Coherence, PullRun
from syncpack.nodes.engine.coherence.tiers import Sources, features_of, rescaled
from syncpack.sync_core.steering.features import Features, Through
from syncpack.sync_core.steering.pull import Pull
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


def test_through_a_model_that_scales_nothing_changes():
    """The estimate is the state times a number, and so is the gradient: full is latent, at a call more for each view
    and move."""
    scene = Plane(256, 64), Windows(64, 64, 32, 64)
    options = dict(steps=6, scheduler="karras")
    models = {tier: gaussian(0.7) for tier in ("latent", "full")}
    found = {
        tier: run_node(model, *scene, coherence=Coherence(Pull(0.2, shape="off"), features=tier), **options)[0][
            "samples"
        ]
        for tier, model in models.items()
    }
    free = run_node(gaussian(0.7), *scene, **options)[0]["samples"]
    assert relative_error(found["latent"], free) > 0.02
    assert relative_error(found["full"], found["latent"]) < 1e-4
    assert len(models["full"].model.calls) == len(models["latent"].model.calls) + 3 * 7


@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_through_a_network_of_the_host(cfg: float):
    """With weights, prompts and noise levels that were made in inference mode; the network itself is untouched."""
    scene = Plane(128, 64), Windows(64, 64, 32, 64)
    with torch.inference_mode():
        model = tiny_unet()
    network = model.model.diffusion_model
    seen: list[tuple[float, float]] = []
    plain = Asked.estimate

    def watched(self: Asked, row: int, view: Tensor) -> Tensor:
        clean = plain(self, row, view)
        with torch.no_grad():
            again = plain(self, row, view.detach())
        seen.append((float((clean.detach() - again).abs().max()), float(clean.requires_grad)))
        return clean

    options = dict(steps=4, cfg=cfg, seed=3, scheduler="karras")
    free = run_node(model, *scene, **options)[0]["samples"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Asked, "estimate", watched)
        moved = run_node(model, *scene, coherence=Coherence(Pull(0.2), features="full"), **options)[0]["samples"]
    assert model.model.diffusion_model is network
    assert len(seen) == 2 * 3 and all(difference < 1e-4 and grad for difference, grad in seen)
    assert bool(torch.isfinite(moved).all()) and relative_error(moved, free) > 1e-3


def test_what_gradients_cannot_pass_is_told():
    def broken(x: Tensor, sigma: Tensor) -> Tensor:
        if x.requires_grad:
            raise RuntimeError("Inference tensors cannot be saved for backward.\nTo work around")
        return x / (1 + sigma**2)

    with pytest.raises(ValueError) as caught:
        run_node(
            analytic(broken), Plane(128, 64), Windows(64, 64, 32, 64), coherence=Coherence(Pull(), features="full")
        )
    one_line(caught.value, "SyncTweediesSampler", "features full cannot go through this model", "use another tier")


def test_hidden_states_of_the_models_own_network():
    """Half a call for each, and the gradient is that of differences."""
    scene = Plane(128, 64), Windows(64, 64, 32, 64)
    with torch.inference_mode():
        model = tiny_unet()
    options = dict(steps=4, cfg=4.0, seed=3, scheduler="karras")
    free = run_node(model, *scene, **options)[0]["samples"]
    asked: list[Asked] = []
    plain = PullRun.moves_through

    def watched(self: PullRun, given: Asked, *rest: Any) -> Any:
        asked.append(given)
        with torch.inference_mode():
            states = Through(partial(given.hidden, 1), self.features)
            view, wanted = given.views[1:2].clone(), self.features(given.hidden(0, given.views[:1]))
            distance, slope = states.toward(view, wanted)
            along, step = slope / slope.norm(), 0.02 * float(view.norm())
            ahead, back = (float((states(view + s * along) - wanted).norm()) for s in (step, -step))
        assert (ahead - back) / (2 * step) == pytest.approx(float(slope.norm()), rel=0.1)
        assert back < float(distance) < ahead
        return plain(self, given, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PullRun, "moves_through", watched)
        moved = run_node(model, *scene, coherence=Coherence(Pull(0.2), features="model"), **options)[0]["samples"]
    assert len(asked) == 2 and relative_error(moved, free) > 1e-3
    reference = Coherence(Pull(), features="model", reference=torch.zeros(1, 8, 8, 3))
    for given, coherence, said in (
        (model, reference, "features model compare noisy views"),
        (gaussian(), Coherence(Pull(), features="model"), "nobody knows where this model's network keeps its blocks"),
    ):
        with pytest.raises(ValueError) as caught:
            run_node(given, *scene, coherence=coherence)
        one_line(caught.value, "SyncTweediesSampler", said, "use features latent")


def test_latents_of_films_are_scaled_as_such():
    network = gaussian().model
    network.latent_format = comfy.latent_formats.SD15()
    flat = noise(2, 4, 8, 8)
    assert torch.equal(rescaled(network, network.process_latent_out, flat), network.process_latent_out(flat))
    if not hasattr(comfy.latent_formats, "Wan21"):
        return
    network.latent_format = comfy.latent_formats.Wan21()
    film = noise(2, 16, 1, 8, 8)
    for scale in (network.process_latent_in, network.process_latent_out):
        assert torch.equal(rescaled(network, scale, film[:, :, 0]), scale(film)[:, :, 0])
