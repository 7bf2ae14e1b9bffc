"""One scene over many views, or the look of a reference."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...sync_core.steering.pull import SHAPES, Pull
from ..declare import Choice, Node, Number, Socket, Text, Whole
from ..engine.coherence import Coherence
from ..engine.coherence.tiers import TIERS


@Node(
    "Sync Coherence",
    "sampling",
    inputs={
        "strength": Number(0.05, 0.0, 1.0, 0.005).says(
            "Length of a move, in units of the noise at that step. 0 = off. From 0.5 models take the moves for noise."
        ),
        "end": Number(0.5, 0.0, 1.0).says(
            "Fraction of the steps after which views are moved no more; multistep samplers begin their history anew "
            "at every step before it. The first steps decide what a picture shows: 0.15 often does."
        ),
        "anchor": Text("auto").says(
            "What the views are drawn to. auto: the view in the middle, or at the front. mean: all of them. Or views "
            "as prompts name them: view 7, front, 0-3 (the mean of these). Not used with a reference."
        ),
        "features": Choice(TIERS, default="latent").says(
            "What views are compared by. latent: seeded filters on latents, of any model. bands: cheaper, colours and "
            "contrasts. rgb: filters on the preview's colours. vae, clip: see there. Others cost more or need files; "
            "see the help."
        ),
    },
    optional={
        "reference": Socket("IMAGE").says(
            "A picture whose look all views are drawn to (of several, the mean); it is cut to the shape of a view."
        ),
        "vae": Socket("VAE").says(
            "The VAE of this model: encodes the reference, and makes the pictures that some features read."
        ),
        "clip_vision": Socket("CLIP_VISION").says("For features clip."),
        "decay": Number(0.95, 0.01, 1.0, advanced=True).says("What is left of a move's length at the next step."),
        "every": Whole(1, 1, 1000, advanced=True).says("Move views after every k-th step only."),
        "start": Number(0.0, 0.0, 1.0, advanced=True).says("Fraction of the steps before which views are not moved."),
        "shape": Choice(SHAPES, default="off", advanced=True).says(
            "Filters moves as the network itself would. blur: by the noise. wiener: by the spectrum of the picture."
        ),
        "filter_seed": Whole(0, 0, 0xFFFFFFFF, advanced=True).says("Draws the filters; any will do."),
    },
    outputs={"coherence": Socket("PULL").says("Connect to a sampler's coherence.")},
    search=["syncdiffusion", "style reference", "one scene", "perceptual loss", "gradient descent"],
)
class SyncCoherence:
    """Makes all views look like one scene, or like a reference picture: between steps each is moved a little towards
    the features of one of them. Costs no model call, and far less time than one; some features cost more."""

    def build(
        self,
        strength: float,
        end: float,
        anchor: str,
        features: Any,
        reference: Tensor | None = None,
        vae: Any = None,
        clip_vision: Any = None,
        decay: float = 0.95,
        every: int = 1,
        start: float = 0.0,
        shape: Any = "off",
        filter_seed: int = 0,
    ) -> tuple[Coherence]:
        pull = Pull(strength, decay, start, end, every, shape)
        return (Coherence(pull, anchor, features, reference, vae, clip_vision, filter_seed),)
