"""The toy world's model as MODEL, CLIP, VAE and CONTROL_NET of the host."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ... import host
from ...files import ASSETS
from ...host.errors import SyncError
from ...trained import Trained
from ..exemplar import PixelLatent, PixelVAE
from .files import read_control, read_file, read_model
from .networks import SCALE, NoiseLevels, Sizes, ToyControl, ToyUNet
from .text import toy_clip

FOLDER = ASSETS / "toy_world"
MODEL, CONTROL, LORA = (f"toy_world{end}.safetensors" for end in ("", "_depth", "_blueprint"))


class ToyLatent(PixelLatent):
    """Pixels, at the size in which the networks see them."""

    scale_factor = SCALE
    latent_rgb_factors = [[1 / SCALE, 0.0, 0.0], [0.0, 1 / SCALE, 0.0], [0.0, 0.0, 1 / SCALE]]


class _ToyConfig(host.ModelConfig):
    unet_extra_config = {}
    latent_format = ToyLatent
    sampling_settings = NoiseLevels.sampling_settings
    memory_usage_factor = 0.3
    trained = Trained(64, 3.0)


class ToyBaseModel(host.BaseModel):
    """The host's model around the U-Net: the clean estimate is its output, the whole prompt its second input."""

    def __init__(self, sizes: Sizes, network: ToyUNet) -> None:
        config: Any = _ToyConfig({**sizes.unet(), "in_channels": 3, "disable_unet_model_creation": True})
        super().__init__(config, model_type=host.ModelType.EPS)
        self.model_sampling = host.X0Sampling(config)
        self.diffusion_model = network
        self.width = sizes.context

    def encode_adm(self, **given: Any) -> Any:
        """The whole prompt [B, width]. Raises SyncError for a prompt that another CLIP encoded, and for a ControlNet
        that was made for another model."""
        pooled, tokens = given.get("pooled_output"), given.get("cross_attn")
        widths = {None if t is None else t.shape[-1] for t in (pooled, tokens)}
        if widths != {self.width}:
            raise SyncError(
                "ToyWorldModel: this prompt was encoded by another CLIP; connect the CLIP of ToyWorldModel to the "
                "prompt nodes"
            )
        control = given.get("control")
        while control is not None:
            if not isinstance(getattr(control, "control_model", None), ToyControl):
                raise SyncError(
                    "ToyWorldModel: this ControlNet was made for another model; connect the CONTROL_NET of "
                    "ToyWorldModel, or load the checkpoint that the ControlNet belongs to"
                )
            control = getattr(control, "previous_controlnet", None)
        return pooled


@dataclass(frozen=True)
class ToyWorld:
    """What a user of a checkpoint has."""

    model: Any
    clip: Any
    vae: PixelVAE
    controlnet: Any


def _patcher(sizes: Sizes, network: ToyUNet) -> Any:
    return host.ModelPatcher(ToyBaseModel(sizes, network), host.load_device(), host.offload_device())


def _model_alone(folder: Path) -> Any:
    sizes, _, network, _ = read_model(folder / MODEL)
    return _patcher(sizes, network)


def toy_world(blueprint: float = 0.0, folder: Path = FOLDER) -> ToyWorld:
    """The model of the pack. blueprint: strength of the LoRA that comes with it, 0 for none.

    Raises ValueError (one line) for files that are missing, cut short or of another version.
    """
    sizes, words, unet, text = read_model(folder / MODEL)
    model = host.made_again_by(_patcher(sizes, unet), partial(_model_alone, folder))
    clip = toy_clip(text, words)
    if blueprint:
        read_file(folder / LORA, "lora")  # (says in one line what is wrong with the file)
        model, clip = host.with_lora(model, clip, str(folder / LORA), blueprint)
    _, control = read_control(folder / CONTROL)
    return ToyWorld(model, clip, PixelVAE(), host.control_net(control, pixels_per_cell=1))
