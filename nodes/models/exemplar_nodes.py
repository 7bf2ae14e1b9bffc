"""A model made of a few pictures."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.typed import split_at_commas
from ...sync_core.exemplar.prior import ExemplarConfig
from ..declare import Choice, Node, Socket, Switch, Text
from ..files import load_picture, shipped_pictures
from .exemplar import exemplar_model

_MORE = Socket("IMAGE").says("Another exemplar (or a batch of them), any size from 32 to 512 pixels.")


@Node(
    "SyncTweedies Exemplar Picture",
    "loaders",
    inputs={"picture": Choice(shipped_pictures).says("Which material.")},
    outputs={
        "image": Socket("IMAGE").says("192 x 192 pixels, tileable."),
        "name": Socket("STRING").says("Its name in words, for ExemplarModel and for prompts."),
    },
    search=["example picture", "material", "texture", "stone", "sample image"],
)
class SyncTweediesExemplarPicture:
    """One of the pictures that come with this pack, to try ExemplarModel without a file of your own."""

    def load(self, picture: str) -> tuple[Tensor, str]:
        return load_picture(picture), picture.replace("_", " ")


@Node(
    "Exemplar Model",
    "loaders",
    inputs={
        "image": Socket("IMAGE").says(
            "The exemplar: 64 to 512 pixels of one material. Each image of a batch is one class."
        ),
        "names": Text().says(
            "Names of the exemplars, comma separated, in order; prompts choose by them. Empty: exemplar 1, exemplar 2 "
            "..."
        ),
        "periodic": Switch(True).says("The exemplars tile: their patches may cross the border."),
    },
    optional={
        "image_2": _MORE,
        "image_3": _MORE,
        "image_4": _MORE,
        "object_only": Switch(False, advanced=True).says(
            "Views of a mesh or of splats: leave out what lies around the object, which takes up to half of the time. "
            "No effect on pictures and panoramas."
        ),
    },
    outputs={
        "MODEL": Socket("MODEL").says(
            "Samples like any EPS model, at 1 pixel per cell; use views of 64 to 128 pixels and cfg 1."
        ),
        "CLIP": Socket("CLIP").says("Prompts choose exemplars by their names; any other prompt means all of them."),
        "VAE": Socket("VAE").says("Images to pixels and back, exactly."),
    },
    search=["texture synthesis", "patch", "training free", "without a checkpoint", "material"],
)
class ExemplarModel:
    """A model without a checkpoint: it paints with the material of your pictures (a wall, a meadow, a sky), exactly
    denoised from their patches. Works on pixels, on any CPU: 512 x 128 pixels take about a quarter of a second a step
    on two cores."""

    def build(
        self,
        image: Tensor,
        names: str,
        periodic: bool,
        image_2: Tensor | None = None,
        image_3: Tensor | None = None,
        image_4: Tensor | None = None,
        object_only: bool = False,
    ) -> tuple[Any, Any, Any]:
        images = [one for batch in (image, image_2, image_3, image_4) if batch is not None for one in batch]
        given = split_at_commas(names)
        labels = given or [f"exemplar {i + 1}" for i in range(len(images))]
        return exemplar_model(images, labels, ExemplarConfig(periodic=periodic), object_only)
