"""Gaussian splats as the pack sees them: ellipsoids that stand still, and the colours they are given."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from ..arrays import floats, norm
from ..cameras.viewpoints import Orbit, Vector, Viewpoint
from .flaws import HUGE, found_flaws, harmless, said

Up = Literal["+y", "-y", "+z", "-z", "+x", "-x"]

# Where a scene's up points: what +X, +Y (up) and +Z (front) of an upright object are in the scene's coordinates.
# "-y" is how scenes from photographs (COLMAP) usually lie, "+z" how Blender has it; fronts are theirs, too.
_FRAMES: dict[str, tuple[Vector, Vector, Vector]] = {
    "+y": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "-y": ((1, 0, 0), (0, -1, 0), (0, 0, -1)),
    "+z": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "-z": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "+x": ((0, -1, 0), (1, 0, 0), (0, 0, 1)),
    "-x": ((0, 1, 0), (-1, 0, 0), (0, 0, 1)),
}
# How the host's 3D viewer shows every scene, and where its axes are in the scene's.
IN_VIEWER = _FRAMES["-y"]
UPS: tuple[Up, ...] = get_args(Up)

Bands = Literal["kept", "dropped"]
BANDS: tuple[Bands, ...] = get_args(Bands)

# The zeroth spherical harmonic: a splat's plain colour is 0.5 + SH_DC * (its first coefficient).
SH_DC = 0.5 / math.sqrt(math.pi)

_MAX_DEGREE = 4
FIELDS = ("positions", "scales", "rotations", "opacities", "sh")
# Stray splats: what lies outside of these parts of the opacity, along each axis.
_TRIMMED = (0.025, 0.975)


@dataclass(frozen=True, eq=False)
class SplatRows:
    """What a file says, byte for byte, so that a saved file differs from it in colours alone.

    rows: structured numpy array [K] of the file's own properties, in the file's order, types and byte order.
    kind: ``ply`` or ``splat``. head, tail: the bytes before and after the rows. words: for an ascii PLY, the rows as
    they are written, numpy bytes [K, properties].
    """

    rows: Any
    kind: Literal["ply", "splat"] = "ply"
    head: bytes = b""
    tail: bytes = b""
    words: Any = None


@dataclass(frozen=True, eq=False)
class Splats:
    """K Gaussian splats.

    positions: float32 [K, 3], the file's coordinates and order. scales: float32 [K, 3], standard deviations along the
    splat's own axes, linear. rotations: float32 [K, 4], quaternions w, x, y, z, kept unit (stored files hold others).
    opacities: float32 [K] in [0, 1]. sh: float32 [K, (d + 1)^2, 3], colour as spherical harmonics of degree d.
    up: where the scene's up points; files do not say it. source: the file's rows, or None when the splats come from
    elsewhere. hidden: bool [K], splats whose values cannot be drawn, None where there are none: they are found here,
    made transparent (flaws.py), never chosen or painted, and keep every bit in the file. flaws: what is wrong
    with them, a line each.

    Raises ValueError when the pieces do not fit together, and when most splats, or all that are not transparent, hold
    values that cannot be drawn.
    """

    positions: Tensor
    scales: Tensor
    rotations: Tensor
    opacities: Tensor
    sh: Tensor
    name: str = "splats"
    source: SplatRows | None = None
    up: Up = "+y"
    hidden: Tensor | None = None
    flaws: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.up not in _FRAMES:
            self._refuse(f"up '{self.up}' is unknown; use {', '.join(_FRAMES)}")
        self._check_shapes()
        fields = {what: getattr(self, what).detach().to("cpu", torch.float32) for what in FIELDS}
        self._hide(fields, found_flaws(fields))
        self._check_values()

    def _refuse(self, what: str) -> None:
        raise ValueError(f"splats '{self.name}': {what}")

    def _check_shapes(self) -> None:
        count = len(self.positions)
        if count == 0:
            self._refuse("the scene is empty; use a file with splats")
        shapes = {"positions": (count, 3), "scales": (count, 3), "rotations": (count, 4), "opacities": (count,)}
        for what, shape in shapes.items():
            if tuple(getattr(self, what).shape) != shape:
                self._refuse(f"{what} of shape {tuple(getattr(self, what).shape)}; they must be {shape}")
        bands = self.sh.shape[1] if self.sh.ndim == 3 else 0
        if tuple(self.sh.shape) != (count, bands, 3) or bands not in [(d + 1) ** 2 for d in range(_MAX_DEGREE + 1)]:
            self._refuse(f"sh of shape {tuple(self.sh.shape)}; it must be ({count}, 1, 4, 9, 16 or 25, 3)")
        if self.source is not None and len(self.source.rows) != count:
            self._refuse(f"{len(self.source.rows)} rows of the file for {count} splats")

    def _check_values(self) -> None:
        shown = torch.ones(len(self), dtype=torch.bool) if self.hidden is None else ~self.hidden
        if bool((self.scales[shown].amax(1) <= 0).all()):
            self._refuse("every scale is zero: there is nothing to see; use another file")
        if float(self.opacities.max()) <= 0:
            self._refuse("every opacity is zero: there is nothing to see; use another file")
        length = norm(self.rotations.double(), 1, keepdim=True)
        unit = (self.rotations.double() / length).float()
        # Those that are unit to a float's precision stay as they are: a scene passed on keeps its bits.
        near = (length - 1).abs() < 1e-6
        object.__setattr__(self, "rotations", torch.where(near, self.rotations, unit))
        spread = self._distance_quantile(0.95)
        huge = self.scales.amax(1) > HUGE * spread
        if spread > 0 and bool(huge.any()):
            for name in ("centre", "radius", "colours", "_weight"):
                self.__dict__.pop(name, None)
            words = f"huge scales (up to {float(self.scales.max()):.3g} in a scene of radius {spread:.3g})"
            self._hide({what: getattr(self, what) for what in FIELDS}, [(words, huge)])

    def _hide(self, fields: dict[str, Tensor], found: list[tuple[str, Tensor]]) -> None:
        """Take ``fields`` over, with those that are ``found`` made harmless."""
        hidden = torch.zeros(len(fields["positions"]), dtype=torch.bool) if self.hidden is None else self.hidden
        for words, which in found:
            if 2 * int(which.sum()) > len(which):
                hint = "; scales and opacities are linear here, files hold logarithms (take exp()) and logits"
                hint *= words.startswith(("scales", "huge", "opacities"))
                self._refuse(f"{int(which.sum())} of {len(which)} splats have {words}{hint}; use another file")
            hidden = hidden | which
        if bool(hidden.all()):
            self._refuse(f"no splat can be drawn ({'; '.join(words for words, _ in found)}); use another file")
        if found:
            fields = harmless(fields, hidden)
        for what, value in fields.items():
            object.__setattr__(self, what, value)
        object.__setattr__(self, "hidden", hidden if bool(hidden.any()) else None)
        object.__setattr__(self, "flaws", (*self.flaws, *(said(words, which) for words, which in found)))

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def degree(self) -> int:
        """Of the spherical harmonics: 0 when colours are the same from everywhere."""
        return math.isqrt(self.sh.shape[1]) - 1

    @cached_property
    def colours(self) -> Tensor:
        """float32 [K, 3] in [0, 1]: RGB without what depends on the direction one looks from."""
        return (0.5 + SH_DC * self.sh[:, 0]).clamp(0, 1)

    @cached_property
    def centre(self) -> Vector:
        """Middle of the box that holds the middle 95 % of the opacity along each axis: neither stray splats nor
        dense parts move it."""
        x, y, z = (sum(_quantile(axis, self._weight, _TRIMMED)) / 2 for axis in self.positions.double().unbind(1))
        return x, y, z

    @cached_property
    def radius(self) -> float:
        """Distance from ``centre`` within which 95 % of the opacity lies; at least two deviations of a middling
        splat, so that a single splat is an object too."""
        middling = 2 * _quantile(self.scales.amax(1).double(), self._weight, (0.5,))[0]
        return max(self._distance_quantile(0.95), middling, float(self.scales.max()) * 1e-3)

    @cached_property
    def _weight(self) -> Tensor:
        return self.opacities.double()

    def _distance_quantile(self, part: float) -> float:
        away = self.positions.double() - torch.tensor(self.centre, dtype=torch.float64)
        return _quantile(norm(away, 1), self._weight, (part,))[0]

    @cached_property
    def fingerprint(self) -> str:
        """Of everything geometry depends on, colours apart; what is built from splats is kept under it."""
        digest = hashlib.sha256()
        for tensor in (self.positions, self.scales, self.rotations, self.opacities):
            digest.update(str(tuple(tensor.shape)).encode())
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def cameras(self, rig: Orbit) -> tuple[Viewpoint, ...]:
        """A rig's cameras in the file's coordinates: those in object units stand around the splats' centre, with the
        scene's up at the top of every view."""
        if rig.units == "scene":
            return rig.viewpoints
        if rig.units == "viewer":
            return tuple(v.turned(IN_VIEWER) for v in rig.viewpoints)
        turned = (v.turned(_FRAMES[self.up]) for v in rig.viewpoints)
        return tuple(v.in_scene(self.centre, self.radius) for v in turned)

    def upright(self, rig: Orbit) -> tuple[Viewpoint, ...]:
        """A rig's cameras in a world whose +Y is the scene's up: their azimuth and elevation are what words like
        "left" and "above" mean."""
        if rig.units == "object":
            return rig.viewpoints
        return tuple(v.turned(self._rows) for v in self.cameras(rig))

    def of_viewer(self, viewpoint: Viewpoint) -> Viewpoint:
        """A camera of the host's 3D viewer in object units, as ``cameras`` takes them."""
        return self.in_object(viewpoint.turned(IN_VIEWER))

    def in_object(self, viewpoint: Viewpoint) -> Viewpoint:
        """A camera of the file's coordinates in object units, as ``cameras`` takes them."""
        return viewpoint.from_scene(self.centre, self.radius).turned(self._rows)

    @property
    def axes(self) -> tuple[Vector, Vector, Vector]:
        """What X, Y (up) and Z (front) of the upright object are in the file's coordinates."""
        return _FRAMES[self.up]

    @property
    def _rows(self) -> tuple[Vector, Vector, Vector]:
        """What X, Y and Z of the scene are in a world whose +Y is its up."""
        return tuple(zip(*_FRAMES[self.up], strict=True))  # pyright: ignore[reportReturnType]

    @property
    def object_positions(self) -> Tensor:
        """float32 [K, 3]: where splats are in object units, upright: the centre is 0, the radius 1, +Y up, +Z the
        front."""
        axes = torch.tensor(_FRAMES[self.up], dtype=torch.float64)
        return ((self.positions.double() - torch.tensor(self.centre)) @ axes.T / self.radius).float()

    def recoloured(self, colours: Tensor, bands: Bands = "kept", chosen: Tensor | None = None) -> Splats:
        """The same splats in other colours.

        colours: [K, 3] RGB in [0, 1], or [K, (e + 1)^2, 3] spherical harmonics that were solved for (all bands are
        then replaced; degree e at most the splats' own). bands: what becomes of the bands above the first, which
        colour depends on the direction by: kept, or dropped (zero). chosen: bool [K]; others keep every bit.

        Raises ValueError when shapes do not fit, and for colours that are no numbers.
        """
        if colours.shape[0] != len(self) or colours.shape[-1] != 3 or colours.ndim not in (2, 3):
            self._refuse(f"colours of shape {tuple(colours.shape)} for {len(self)} splats; use ({len(self)}, 3)")
        if bands not in BANDS:
            self._refuse(f"bands '{bands}' are unknown; use {' or '.join(BANDS)}")
        if not bool(torch.isfinite(colours).all()):
            self._refuse("new colours are no numbers (NaN or infinite); look at the pictures they come from")
        colours = colours.detach().to("cpu", torch.float32)
        new = self.sh.clone()
        if colours.ndim == 3:
            if colours.shape[1] > new.shape[1]:
                self._refuse(f"{colours.shape[1]} bands of colour for splats that hold {new.shape[1]}")
            new.zero_()
            new[:, : colours.shape[1]] = colours
        else:
            # A colour that did not change keeps the coefficient's bits, beyond [0, 1] too.
            same = colours == self.colours
            new[:, 0] = torch.where(same, new[:, 0], (colours - 0.5) / SH_DC)
            if bands == "dropped":
                new[:, 1:] = 0
        if chosen is not None:
            if tuple(chosen.shape) != (len(self),):
                self._refuse(f"a choice of shape {tuple(chosen.shape)} for {len(self)} splats")
            new = torch.where(chosen.cpu().bool()[:, None, None], new, self.sh)
        if self.hidden is not None:
            new = torch.where(self.hidden[:, None, None], self.sh, new)
        return replace(self, sh=new)


def _quantile(values: Tensor, weight: Tensor, parts: tuple[float, ...]) -> list[float]:
    """The values [K] below which these parts of the weight lie."""
    order = values.argsort()
    below = weight[order].cumsum(0)
    index = torch.searchsorted(below, torch.tensor(parts, dtype=below.dtype) * below[-1])
    return floats(values[order[index.clamp_max(len(values) - 1)]])
