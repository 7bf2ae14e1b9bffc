"""The canonical space of splats: one colour for each; the splats themselves stand still."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arrays import norm, unflatten
from ..cameras.chosen import Coverage
from ..cameras.orbits import Lens
from ..cameras.viewpoints import Orbit, Vector, Viewpoint
from ..kept import Kept
from .coverage_rig import splat_coverage_rig
from .splats import IN_VIEWER, Splats
from .weights.project import Rule, check_rule, project, rotation_matrices
from .weights.tiles import ViewWeights
from .weights.weights import PRUNE, Backend, chosen_backend, view_weights

# Splats further out than this share of them are strays, that frames need not hold.
_NO_STRAYS = 0.995
# Sets of weights kept for another run: one for latents, one for pictures.
_KEPT = 2


@dataclass(frozen=True, eq=False)
class SplatColours:
    """The colours of K splats, in the file's order.

    rule: how splats were drawn when the scene was made (project.py). backend: what lists the weights (weights.py).
    prune: weights below it are left out. As a picture it is K x 1 pixels; a latent of a model whose cells are c pixels
    wide holds the splats in c rows, so that its shape says c. facing: pixels of views count by the cosine at which they
    look at flat splats, to this power, where views are averaged while sampling; 0: by what they show alone. Raises
    ValueError for an unknown rule or backend.
    """

    splats: Splats
    rule: Rule = "antialiased"
    backend: Backend = "auto"
    prune: float = PRUNE
    facing: float = 0.0
    kept: Kept = field(default_factory=lambda: Kept(_KEPT), repr=False)

    kind = "splats"
    height = 1
    wrap_x = wrap_y = False
    borders = None

    def __post_init__(self) -> None:
        check_rule(self.rule)
        chosen_backend(self.backend)
        if not 0 <= self.prune < 0.1:
            raise ValueError(f"prune {self.prune:g}: weights below it are left out; use 0 to 0.01")
        if not 0 <= self.facing <= 32:
            raise ValueError(f"facing {self.facing:g}: use 0 (off) to 32")

    @property
    def width(self) -> int:
        """K, the number of splats."""
        return len(self.splats)

    def grid(self, cell: int) -> tuple[int, int]:
        """(rows, columns) of a canonical latent whose model has cells of ``cell`` pixels; the last few of its
        places may be no splat's."""
        return cell, math.ceil(len(self.splats) / cell)

    def laid_out(self, values: Tensor, cell: int) -> Tensor:
        """One value for each splat [..., K] -> on the grid [..., rows, columns], 0 where there is no splat."""
        rows, columns = self.grid(cell)
        return unflatten(F.pad(values, (0, rows * columns - len(self.splats))), -1, (rows, columns))

    def in_order(self, laid_out: Tensor) -> Tensor:
        """The inverse: [..., rows, columns] -> [..., K]."""
        return laid_out.flatten(-2)[..., : len(self.splats)]

    @property
    def picture(self) -> Tensor:
        """float32 [1, 3, 1, K]: the splats' present colours."""
        return self.splats.colours.T[None, :, None]

    def weights(self, viewpoint: Viewpoint, height: int, width: int, columns: int | None = None) -> ViewWeights:
        """What the pixels of one view mix. columns: of the map, when there are to be more than splats."""
        seen = project(self.splats, viewpoint, height, width, self.rule)
        return view_weights(seen, columns or len(self.splats), self.backend, self.prune)

    def straightness(self, viewpoint: Viewpoint) -> Tensor:
        """float32 [K]: the cosine at which a camera looks at each splat, as if it were a surface across its shortest
        axis; 1 for what is as thick as it is wide."""
        splats = self.splats
        scales, order = splats.scales.sort(1)
        normal = rotation_matrices(splats.rotations).gather(2, order[:, None, :1].expand(-1, 3, 1))[..., 0]
        ray = F.normalize(splats.positions - torch.tensor(viewpoint.position, dtype=torch.float32), dim=1)
        cosine = (normal * ray).sum(1).abs()
        round_ = (scales[:, 0] / scales[:, 1].clamp_min(1e-20)).clamp(0, 1)
        return round_ + (1 - round_) * cosine

    # --- as an object that cameras stand around (see ``geometry.ObjectSpace``)

    solid = False

    def points(self) -> Tensor:
        """float64 [V, 3]: the splats without strays, in object units."""
        points = self.splats.object_positions.double()
        away = norm(points, 1)
        return points[away <= max(1.0, float(away.quantile(_NO_STRAYS)))]

    def check_outside(self, viewpoints: Sequence[Viewpoint]) -> None:
        """Cameras may stand among splats."""

    def coverage_rig(
        self, lens: Lens, target: float, most: int, start: float
    ) -> tuple[tuple[Viewpoint, ...], Coverage]:
        """Cameras chosen for the splats that they add."""
        return splat_coverage_rig(self, lens, target, most, start)

    def from_viewer(self, camera: Viewpoint) -> Viewpoint:
        """A camera in the viewer's coordinates, in object units."""
        return self.splats.of_viewer(camera)

    def in_viewer(self, rig: Orbit) -> tuple[tuple[Viewpoint, ...], Vector]:
        """(The rig's cameras, the splats' middle) in the viewer's coordinates."""
        middle = Viewpoint(self.splats.centre).turned(IN_VIEWER).position
        return tuple(camera.turned(IN_VIEWER) for camera in self.splats.cameras(rig)), middle
