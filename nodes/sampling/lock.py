"""Keeping the drawing of a picture while its content changes."""

from __future__ import annotations

from typing import Any

from ...sync_core.steering.operators import CanonicalOperator, Chain
from ...sync_core.steering.structure_lock import CHANNELS, DEEPEST, FILTERS, CoarseLock
from ..declare import Choice, Node, Number, Socket, Switch, Whole


@Node(
    "Structure Lock",
    "sampling",
    inputs={
        "strength": Number(1.0, 0.0, 1.0).says("How far the coarse drawing is held: 1 = the reference's, 0 = off."),
        "until": Number(0.7, 0.0, 1.0).says(
            "Fraction of the steps after which the model is free; the rest cleans what the lock leaves."
        ),
        "fade": Switch(False).says("Let go little by little, down to nothing at until, instead of all at once."),
        "filter": Choice(FILTERS, advanced=True).says(
            "What coarse means. haar: means of blocks, exact for windows on their grid. gauss: a blur of that size, "
            "for views that turn (cameras around an object)."
        ),
        "level": Whole(2, 1, DEEPEST).says(
            "Blocks of 2, 4, 8 ... latent cells: the larger, the freer. 2 holds shapes of about 32 pixels."
        ),
        "channels": Choice(CHANNELS, default="luminance").says(
            "luminance: light and dark only, colours stay free. all: colours too, for refining."
        ),
    },
    optional={
        "reference": Socket("LATENT").says(
            "What is held: encoded views in rig order, or the whole picture encoded. Empty: what the run starts from."
        ),
        "operator": Socket("CANONICAL_OPERATOR").says("Another operator, which acts before this one."),
    },
    outputs={"operator": Socket("CANONICAL_OPERATOR").says("Connect to a sampler's operator.")},
    search=["diffusehigh", "hiflow", "edit", "keep structure", "hires fix", "upscale", "low frequency guidance"],
)
class StructureLock:
    """Holds the drawing of a picture while words change the rest: at every step the coarse part of what the views agree
    on is drawn to the reference's. Costs no model call. With denoise 0.6 to 0.8 it edits what plain denoising would
    repaint."""

    def build(
        self,
        strength: float,
        until: float,
        fade: bool,
        filter: Any,
        level: int,
        channels: Any,
        reference: dict[str, Any] | None = None,
        operator: CanonicalOperator | None = None,
    ) -> tuple[CanonicalOperator]:
        latents = None if reference is None else reference["samples"]
        lock = CoarseLock(strength, until, fade, filter, level, channels, latents)
        return (lock if operator is None else Chain((operator, lock)),)
