"""Texture coordinates looked over before anything is painted: what is wrong with them, in plain words."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...arrays import cross, distinct, norm
from ..mesh import Mesh
from .adjacency import charts, edges
from .covered import covered_texels, work

# Coordinates may miss [0, 1] by rounding.
MARGIN = 1e-3
# Shares above which coordinates are not usable: of covered texels that several faces claim, and of the surface that
# has no area in the texture.
MOST_SHARED = 0.005
MOST_FLAT = 0.01
# Texels in bounding boxes that are looked at, at most: a few seconds.
_WORK = 12_000_000


@dataclass(frozen=True)
class UvReport:
    """What a mesh's texture coordinates are like.

    missing: faces without any. low, high: the range of u and v. outside: faces that leave [0, 1]. tiled: faces that
    reach over more than one whole texture, or lie beyond it. shared: share of covered texels that several faces claim;
    mirrored: of those, the share claimed from both sides. flat: share of the surface without area in the texture.
    charts: connected pieces; flat_charts: those smaller than a texel. covered: share of the texture in use. The mesh
    itself: crowded edges of more than two faces, open ones of one face, faces that are there twice, faces without
    area. usable: whether a texture can be painted with them; reason: why not, empty otherwise.
    """

    faces: int
    missing: int
    low: tuple[float, float]
    high: tuple[float, float]
    outside: int
    tiled: int
    shared: float
    mirrored: float
    flat: float
    charts: int
    flat_charts: int
    covered: float
    crowded_edges: int
    open_edges: int
    double_faces: int
    no_area: int
    reason: str

    @property
    def usable(self) -> bool:
        return not self.reason

    @property
    def lines(self) -> tuple[str, ...]:
        """The report, a sentence a line."""
        said = [
            f"Texture coordinates are not usable: {self.reason}." if self.reason else "Texture coordinates are fine."
        ]
        if self.missing < self.faces:
            said.append(f"{self.charts} charts cover {self.covered:.0%} of the texture.")
        if self.missing and self.missing < self.faces:
            said.append(f"{self.missing} of {self.faces} faces have none.")
        if self.outside:
            span = f"u {self.low[0]:.3g} to {self.high[0]:.3g}, v {self.low[1]:.3g} to {self.high[1]:.3g}"
            said.append(f"{self.outside} faces lie outside 0 to 1 ({span}); {self.tiled} repeat the texture.")
        if self.shared > 0:
            said.append(f"{self.shared:.2%} of the texels are claimed by several faces, {self.mirrored:.2%} mirrored.")
        if self.flat > 0:
            said.append(f"{self.flat:.2%} of the surface has no area in the texture.")
        if self.flat_charts:
            said.append(f"{self.flat_charts} charts are smaller than a texel.")
        if self.crowded_edges:
            said.append(f"{self.crowded_edges} edges have more than two faces (the surface is not a manifold there).")
        if self.double_faces:
            said.append(f"{self.double_faces} faces are there twice.")
        if self.no_area:
            said.append(f"{self.no_area} faces have no area.")
        if self.open_edges:
            said.append(f"{self.open_edges} edges are open (the surface ends there).")
        return tuple(said)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def check_uvs(mesh: Mesh, size: int = 512) -> UvReport:
    """Look a mesh's texture coordinates over by covering a ``size`` x ``size`` texture a part with its faces.

    The texture gets smaller where very large faces would take long.
    """
    around = edges(mesh.faces)
    corner = mesh.vertices[mesh.faces].double()
    area = norm(cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), 1) / 2
    solid = area > 1e-12 * float(area.max())
    bare = UvReport(
        faces=len(mesh.faces),
        missing=0,
        low=(0.0, 0.0),
        high=(0.0, 0.0),
        outside=0,
        tiled=0,
        shared=0.0,
        mirrored=0.0,
        flat=0.0,
        charts=0,
        flat_charts=0,
        covered=0.0,
        crowded_edges=int((around.uses > 2).sum()),
        open_edges=int((around.uses == 1).sum()),
        double_faces=len(mesh.faces) - len(distinct(mesh.faces.sort(1).values, 0)),
        no_area=int((~solid).sum()),
        reason="",
    )
    if not mesh.has_uvs:
        return replace(bare, missing=len(mesh.faces), reason="the mesh has none")
    if not bool(solid.any()):
        return replace(bare, reason="no face of the mesh has an area")
    uvs = mesh.uvs[mesh.face_uvs].double()
    if not bool(torch.isfinite(uvs).all()):
        return replace(bare, reason="some are no numbers (NaN or infinite)")
    none = (mesh.face_uvs == mesh.face_uvs[:, :1]).all(1) & solid
    a, b = uvs[:, 1] - uvs[:, 0], uvs[:, 2] - uvs[:, 0]
    signed = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
    flat = (signed.abs() < 1e-12) & solid
    low, high = uvs[~none].amin((0, 1)) if bool((~none).any()) else uvs[0, 0], uvs.amax((0, 1))
    out = ((uvs < -MARGIN) | (uvs > 1 + MARGIN)).flatten(1).any(1)
    centre = uvs.mean(1)
    beyond = ((uvs.amax(1) - uvs.amin(1) > 1 + MARGIN) | (centre < 0) | (centre > 1)).any(1)
    chart = charts(mesh.face_uvs, mesh.part_of_face)
    of_chart = torch.zeros(int(chart.max()) + 1, dtype=torch.float64).index_add(0, chart, signed.abs())
    shared, mirrored, covered = _claims(mesh, uvs, signed, size)
    found = replace(
        bare,
        missing=int(none.sum()),
        low=(float(low[0]), float(low[1])),
        high=(float(high[0]), float(high[1])),
        outside=int(out.sum()),
        tiled=int(beyond.sum()),
        shared=shared,
        mirrored=mirrored,
        flat=float(area[flat].sum() / area.sum().clamp_min(1e-300)),
        charts=len(of_chart),
        flat_charts=int((of_chart < 1 / size**2).sum()),
        covered=covered,
    )
    return replace(found, reason=_reason(found))


def _reason(found: UvReport) -> str:
    """Why nothing can be painted with such coordinates; empty where it can."""
    if found.missing:
        return f"{found.missing} of {found.faces} faces have none"
    if found.tiled:
        return f"{found.tiled} faces repeat the texture or lie beyond it"
    if found.outside:
        return f"{found.outside} faces reach outside 0 to 1"
    if found.flat > MOST_FLAT:
        return f"{found.flat:.1%} of the surface has no area in the texture"
    if found.shared > MOST_SHARED:
        sides = " (mirrored halves)" if found.mirrored == found.shared else ""
        return f"{found.shared:.1%} of the texels are claimed by several faces{sides}"
    return ""


def _claims(mesh: Mesh, uvs: Tensor, signed: Tensor, size: int) -> tuple[float, float, float]:
    """(share of covered texels with several faces, share with faces of both orientations, share covered)."""
    while size > 64 and work(uvs, size) > _WORK:
        size //= 2
    covered = several = both = 0
    for part in range(len(mesh.parts)):
        faces = (mesh.part_of_face == part).nonzero()[:, 0]
        count = torch.zeros(2, size * size, dtype=torch.int32)
        for face, texel in covered_texels(uvs[faces], size):
            side = (signed[faces[face]] < 0).long()
            count.view(-1).index_add_(0, side * size * size + texel, torch.ones_like(texel, dtype=torch.int32))
        total = count.sum(0)
        covered += int((total > 0).sum())
        several += int((total > 1).sum())
        both += int(((count[0] > 0) & (count[1] > 0)).sum())
    used = max(covered, 1)
    return several / used, both / used, covered / (size * size * len(mesh.parts))
