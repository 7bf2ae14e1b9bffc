"""What a model was trained for: the size of its pictures, and how strongly it wants to be guided."""

# pyright: strict
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .host import LatentSD15, ModelType

# Kinds of noise that came with guidance by words of about 4 instead of 7.
_FLOWS = ("FLOW", "FLUX", "IMG_TO_IMG_FLOW")
# Families that are distilled to need no second, unguided estimate.
_DISTILLED = ("Flux", "FluxSchnell", "FluxInpaint", "Flux2")


@dataclass(frozen=True)
class Trained:
    """side: of the square pictures a model saw, image pixels; cfg: what its authors guide it with."""

    side: int
    cfg: float


UNKNOWN = Trained(512, 7.0)


def trained_for(model: Any) -> Trained:
    """What a MODEL was trained for. Models of this pack say it themselves (``trained`` of their configuration); others
    are told by their latent space and their kind of noise: those of Stable Diffusion 1 and 2 are 512, 768 where they
    predict velocities, all newer ones are 1024."""
    network = model.model
    config: Any = getattr(network, "model_config", None)
    said = getattr(config, "trained", None)
    if isinstance(said, Trained):
        return said
    kind = getattr(getattr(network, "model_type", None), "name", "")
    if isinstance(network.latent_format, LatentSD15):
        return Trained(768 if network.model_type == ModelType.V_PREDICTION else 512, UNKNOWN.cfg)
    if type(config).__name__ in _DISTILLED:
        return Trained(1024, 1.0)
    return Trained(1024, 4.0 if kind in _FLOWS else UNKNOWN.cfg)
