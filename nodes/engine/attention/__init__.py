"""Views that see each other inside the model."""

from __future__ import annotations

from dataclasses import dataclass

from ....renderers.neighbours import nearest
from ....renderers.scene import Scene
from ... import host
from ...host.objects import Model
from ..chunks import GROUP
from .overlaps import Overlaps
from .plan import AttentionPlan, table_of
from .transformers import TransformerViews
from .unets import CrossViewPatch, share_in_unet

__all__ = ["CrossView", "CrossViewPatch", "with_cross_view_attention"]


@dataclass(frozen=True)
class CrossView:
    """What a user asks of the layers: each view sees ``neighbours`` others of its ``group`` of consecutive views (0: of
    all), and a ``reference`` view (-1: none).

    start, end, reference_end: fractions of the run, 0 = noise, 1 = clean, as in the host's own nodes. once: whether a
    place that several views show counts once. on_canvas: whether a transformer is told where its views lie. entropy:
    whether scores are scaled by the number of keys. The rest: as in `AttentionPlan`.
    """

    weight: float
    neighbours: int
    reference: int
    reference_weight: float
    start: float
    end: float
    reference_end: float
    most_tokens: int
    group: int
    once: bool = True
    on_canvas: bool = True
    entropy: bool = False

    @property
    def sees_reference(self) -> bool:
        return self.reference >= 0 and self.reference_weight > 0

    def check(self, views: int) -> None:
        """Raise ValueError for values that make no sense with so many views."""
        if self.reference >= views:
            raise ValueError(f"reference view {self.reference} does not exist; use 0 to {views - 1}, or -1 for none")
        if self.start > self.end:
            raise ValueError(f"start {self.start:g} lies after end {self.end:g}; use start <= end")
        if self.group == 1 or self.group < 0:
            raise ValueError(f"a group of {self.group} views has no neighbours; use 2 or more, or 0 for all views")
        if self.sees_reference and 0 < self.group < views:
            raise ValueError(
                f"groups of {self.group} views cannot all see reference view {self.reference}; use group 0, or "
                "reference -1"
            )


def with_cross_view_attention(model: Model, scene: Scene, wanted: CrossView) -> Model:
    """A clone of a MODEL whose views attend to their neighbours and to a reference view.

    Raises ValueError for values that make no sense and for models that are not known.
    """
    if scene.geometry.clip.is_video:
        raise ValueError(
            "views are clips of a video, each placed in time by the model itself; attention is shared between single "
            "pictures, so leave CrossViewAttention out"
        )
    transformer = host.transformer_of(model)
    blocks = [] if transformer is not None else host.self_attention_blocks(model)
    cell = host.cell_of(model)
    distances = scene.geometry.distances(cell)
    table = table_of(nearest(distances, wanted.neighbours, wanted.group))
    wanted.check(len(table))
    plan = AttentionPlan(
        table=table,
        reference=wanted.reference if wanted.sees_reference else -1,
        weight=wanted.weight,
        reference_weight=wanted.reference_weight,
        start=host.percent_to_sigma(model, wanted.start),
        end=host.percent_to_sigma(model, wanted.end),
        reference_end=host.percent_to_sigma(model, wanted.reference_end),
        most_tokens=wanted.most_tokens,
        distances=distances,
        neighbours=wanted.neighbours,
        group=wanted.group,
        overlaps=Overlaps(scene, cell) if wanted.once else None,
        entropy=wanted.entropy,
    )
    patched = model.clone()
    if transformer is not None:
        sheet = scene.geometry.sheet(cell) if wanted.on_canvas else None
        if plan.shares or sheet is not None:
            host.around_model_calls(patched, TransformerViews(plan, transformer, sheet))
    elif plan.shares:
        share_in_unet(patched, blocks, plan)
    if plan.shares:
        patched.model_options["transformer_options"][GROUP] = wanted.group
    return patched
