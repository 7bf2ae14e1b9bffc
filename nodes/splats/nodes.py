"""Splats as a canonical space: their colours are what views share, their geometry stands still."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.splats.bake import BAKED_BANDS, UNSEEN
from ...renderers.splats.weights.weights import BACKENDS
from ...sync_core.aggregate import METHODS
from ..declare import Choice, Node, Number, Socket, Whole
from ..engine.vae import GivenViews
from ..host.splat_socket import splats_of, to_splat
from ..widgets import VIEW_PICTURES
from .pictures import bake_splats, colours_of, splat_mask
from .widgets import CAMERAS, RULE, SPACE, SPLATS, UP

_PLACE = Number(0.0, -100.0, 100.0, 0.05)
_SIZE = Number(4.0, 0.0, 1000.0, 0.05)


@Node(
    "Splat Space",
    "splats",
    inputs={"splats": SPLATS, "up": UP, "rule": RULE},
    optional={
        "backend": Choice(BACKENDS, default="auto", advanced=True).says(
            "What lists the splats of each pixel: auto is numba where installed (up to twice as fast), else torch. "
            "gsplat needs an NVIDIA GPU and pip install gsplat."
        ),
        "facing": Number(0.0, 0.0, 32.0, 0.5, advanced=True).says(
            "While sampling, views count by the cosine of the angle at which they look at flat splats, to this power: "
            "sharper where views disagree; try 24. 0 = by what they see alone. Round splats have no side."
        ),
    },
    outputs={
        "space": Socket("CANONICAL_SPACE").says("Connect together with a rig of cameras."),
        "colours": Socket("IMAGE").says(
            "The present colours, one pixel a splat: encoded with ExemplarModel's VAE, a picture to start from."
        ),
    },
    search=["3dgs", "gaussian splatting", "gaussian splat", "recolour", "recolor", "canvas"],
)
class SplatSpace:
    """The colours of splats as the picture that all views share; the splats themselves stand still. Costs nothing by
    itself: what the views see is worked out when they are first used."""

    def build(self, splats: Any, up: Any, rule: Any, backend: Any = "auto", facing: float = 0.0) -> tuple[Any, Tensor]:
        return colours_of(splats_of(splats), up, rule, backend, facing)


@Node(
    "Splat Mask",
    "splats",
    inputs={
        "space": SPACE,
        "x": _PLACE.says(
            "Middle of the box, to the right as the front view sees it. The scene's middle is 0, its radius 1."
        ),
        "y": _PLACE.says("Middle of the box, upwards."),
        "z": _PLACE.says("Middle of the box, to the front."),
        "width": _SIZE.says("Size of the box from left to right. 4 holds everything."),
        "height": _SIZE.says("Size of the box upwards."),
        "depth": _SIZE.says("Size of the box from front to back."),
    },
    optional={
        "rig": CAMERAS,
        "masks": Socket("MASK").says(
            "One mask per view of the rig: splats that are mostly seen inside of them, and lie in the box."
        ),
    },
    outputs={
        "mask": Socket("MASK").says("One pixel a splat, 1 where it is chosen; for SplatTextureBake and SplatViews."),
        "count": Socket("INT").says("How many splats are chosen."),
    },
    search=["select", "crop", "local edit", "3dgs"],
)
class SplatMask:
    """Chooses splats by a box, or by masks over views, to change only those. Costs nothing for a box; for masks, what
    the views see is worked out once."""

    def choose(
        self,
        space: Any,
        x: float,
        y: float,
        z: float,
        width: float,
        height: float,
        depth: float,
        rig: Any = None,
        masks: Tensor | None = None,
    ) -> tuple[Tensor, int]:
        return splat_mask(space, (x, y, z), (width, height, depth), rig, masks)


@Node(
    "Splat Texture Bake",
    "splats",
    inputs={
        "space": SPACE,
        "rig": CAMERAS,
        "aggregation": Choice(METHODS[::-1]).says(
            "least_squares: the colours that show the views best. mean: the mean of what is seen of each splat, softer."
        ),
        "robust": Whole(0, 0, 10, advanced=True)
        .says(
            "least_squares: so many further rounds in which pixels that do not fit count less; 2 where views disagree "
            "in places."
        )
        .when(aggregation=("least_squares",)),
        "bands": Choice(BAKED_BANDS).says(
            "What becomes of colour that depends on the direction: kept as it is around the new colour (shine stays), "
            "dropped, or solved for from the views."
        ),
        "unseen": Choice(UNSEEN).says(
            "Splats that no view shows: coloured as the nearest seen ones, or kept as they are."
        ),
    },
    optional={
        **VIEW_PICTURES,
        "mask": Socket("MASK").says("Splats to paint, of SplatMask; all others keep every bit."),
    },
    outputs={
        "splats": Socket("SPLAT").says("The scene in its new colours; everything else is as it was."),
        "report": Socket("STRING").says(
            "How well the splats show the views, how many no view sees, what the weights take."
        ),
    },
    search=["3dgs", "gaussian splatting", "recolour", "recolor", "texture"],
)
class SplatTextureBake:
    """Gives splats the colours of their views. Costs about half a second per view of 512 x 512 pixels and 100 thousand
    splats, and half a gigabyte for ten of them."""

    def bake(
        self,
        space: Any,
        rig: Any,
        aggregation: Any,
        robust: int,
        bands: Any,
        unseen: Any,
        views: dict[str, Any] | None = None,
        vae: Any = None,
        images: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Any, str]:
        made = bake_splats(space, rig, GivenViews(views, vae, images), aggregation, robust, bands, unseen, mask)
        return to_splat(made[0]), made[1]
