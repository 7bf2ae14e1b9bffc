"""Wavefront MTL: the base colour of a material, its texture, and how opaque it is.

Ramey, Rose, Tyerman, "MTL material format" (1995): the value of map_Kd is multiplied by Kd, and so it is in three.js,
assimp and here. Exporters that write a black Kd beside a texture mean the texture alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ..material import Alpha, Part
from .gltf.file import Missing, short
from .pieces import Limits, Notes
from .text_file import decoded, lines_of, named_file, plain_text

# Options of a map line, and how many words follow each.
_OPTIONS = {
    b"-blendu": 1,
    b"-blendv": 1,
    b"-cc": 1,
    b"-clamp": 1,
    b"-boost": 1,
    b"-mm": 2,
    b"-texres": 1,
    b"-imfchan": 1,
    b"-type": 1,
    b"-bm": 1,
}
# These take one to three numbers; the numbers that change nothing.
_VECTORS = {b"-o": 0.0, b"-s": 1.0, b"-t": 0.0}
# A mask: opacities nearer than this to 0 or 1 all over.
_SHARP = 2.5 / 255


@dataclass
class _Material:
    """What the lines of a material say. d: opacity; tr: its opposite, which many writers confuse with it."""

    kd: tuple[float, float, float] = (1.0, 1.0, 1.0)
    d: float | None = None
    tr: float | None = None
    map_kd: bytes = b""
    map_d: bytes = b""

    @property
    def opacity(self) -> float:
        """d decides wherever it stands: writers that mean opaque by ``Tr 1`` write ``d 1`` beside it."""
        value = self.d if self.d is not None else 1.0 if self.tr is None else 1 - self.tr
        return min(max(value, 0.0), 1.0)


def read_mtl(path: Path, folder: Path, root: Path, wanted: set[str], limits: Limits, notes: Notes) -> dict[str, Part]:
    """Material name -> Part, for the names in ``wanted``. Textures are looked for beside the MTL file, then in
    ``folder``, the mesh's. Opacity below 1 blends; a texture of opacity (map_d) becomes the alpha of the base texture.

    Raises Missing for a base texture that is not there.
    """
    textures = _Textures([path.parent, folder], root, limits, notes)
    materials = _lines(plain_text(path, "MTL"), wanted, notes)
    return {name: _part(name, material, textures) for name, material in materials.items()}


def _lines(data: bytes, wanted: set[str], notes: Notes) -> dict[str, _Material]:
    materials: dict[str, _Material] = {}
    now: _Material | None = None
    for line in lines_of(data):
        words = line.split(None, 1)
        if not words:
            continue
        key, rest = words[0].lower(), words[1].strip() if len(words) > 1 else b""
        if key == b"newmtl":
            name = decoded(rest) or "material"
            name = name if name in wanted else name.split("#")[0].strip()
            now = _Material() if name in wanted else None
            if now is not None:
                materials[name] = now
        elif now is None or not rest:
            continue
        elif key == b"kd":
            now.kd = _colour(rest)
        elif key == b"d":
            now.d = _floats(rest)[-1]
        elif key == b"tr":
            now.tr = _floats(rest)[-1]
        elif key == b"map_kd":
            now.map_kd = _file(rest, notes)
        elif key == b"map_d":
            now.map_d = _file(rest, notes)
        elif key.startswith((b"map_", b"bump", b"norm", b"disp")):
            notes.add(f"the {short(words[0].decode(errors='replace'))} texture of a material is left out")
    return materials


@dataclass
class _Textures:
    """The pictures that a file's materials name: each is looked for and decoded once, and shared."""

    folders: list[Path]
    root: Path
    limits: Limits
    notes: Notes
    known: dict[bytes, Tensor] = field(default_factory=dict[bytes, Tensor])
    masked: dict[tuple[bytes, bytes], Tensor] = field(default_factory=dict[tuple[bytes, bytes], Tensor])

    def read(self, name: bytes) -> Tensor:
        """Raises Missing."""
        if name not in self.known:
            found = named_file(name, self.folders, self.root)
            self.known[name] = self.limits.pictures.read(found, f"texture '{short(decoded(name))}'")
        return self.known[name]

    def with_alpha(self, base: bytes, mask: bytes) -> Tensor:
        """The texture ``base``, white where it has no name, with the opacity that the picture ``mask`` shows."""
        if (base, mask) not in self.masked:
            shown = self.read(mask)
            below = self.read(base) if base else torch.ones(*shown.shape[:2], 3)
            self.masked[base, mask] = _with_alpha(below, shown)
        return self.masked[base, mask]


def _part(name: str, material: _Material, textures: _Textures) -> Part:
    notes, opacity, colour, texture = textures.notes, material.opacity, material.kd, None
    alpha = "opaque" if opacity == 1 else "blend"
    if opacity == 0:
        notes.add(f"material '{short(name)}' is invisible in the file (opacity 0)")
    if textures.limits.textures != "load":
        return Part(name, None, (*colour, opacity), alpha)
    if material.map_kd:
        try:
            texture = textures.read(material.map_kd)
        except Missing:
            file = short(decoded(material.map_kd))
            raise Missing(
                f"the texture '{file}' of material '{short(name)}' is missing; put it beside the mesh, or set textures "
                "to ignore"
            ) from None
        colour = colour if max(colour) > 0 else (1.0, 1.0, 1.0)
    if material.map_d:
        try:
            texture = textures.with_alpha(material.map_kd, material.map_d)
        except Missing:
            file = short(decoded(material.map_d))
            notes.add(f"the texture of opacity '{file}' is missing: the material is as opaque as its number says")
        else:
            return Part(name, texture, (*colour, opacity), alpha if alpha == "blend" else _alpha(texture))
    if texture is not None and texture.shape[-1] == 4 and bool((texture[..., 3] < 1).any()):
        notes.add(f"the alpha of the texture of material '{short(name)}' is not used: no map_d names it")
    return Part(name, texture, (*colour, opacity), alpha)


def _alpha(texture: Tensor) -> Alpha:
    """How a texture [H, W, 4] is opaque."""
    seen = texture[..., 3]
    if not bool((seen < 1).any()):
        return "opaque"
    return "mask" if bool(((seen < _SHARP) | (seen > 1 - _SHARP)).all()) else "blend"


def _with_alpha(base: Tensor, mask: Tensor) -> Tensor:
    """A texture [H, W, 3 or 4] with the opacity that a picture [h, w, 3 or 4] shows: in its alpha if it has one that
    says something, else in its brightness."""
    alpha = mask[..., 3] if mask.shape[-1] == 4 and bool((mask[..., 3] < 1).any()) else mask[..., :3].mean(-1)
    if alpha.shape != base.shape[:2]:
        alpha = torch.nn.functional.interpolate(
            alpha[None, None], base.shape[:2], mode="bilinear", align_corners=False
        )[0, 0]
    return torch.cat([base[..., :3], alpha[..., None]], -1)


def _floats(text: bytes) -> list[float]:
    """The numbers of a line; 1 where it holds none ("Kd spectral file.rfl" is allowed and hardly ever written)."""
    found: list[float] = []
    for word in text.split(b"#")[0].split()[:4]:
        try:
            number = float(word)
        except ValueError:
            continue
        found += [number] if math.isfinite(number) else []
    return found or [1.0]


def _colour(text: bytes) -> tuple[float, float, float]:
    found = [min(max(number, 0.0), 1.0) for number in _floats(text)]
    r, g, b = found[:3] if len(found) >= 3 else found[:1] * 3
    return r, g, b


def _file(text: bytes, notes: Notes) -> bytes:
    """The file name of a map line, which may hold blanks, after its options."""
    words = text.split()
    while words and words[0].lower() in (*_OPTIONS, *_VECTORS):
        option = words.pop(0).lower()
        text = text.split(None, 1)[1] if words else b""
        for _ in range(_OPTIONS.get(option, 3)):
            number = _number(words[0]) if words else None
            if option in _VECTORS and (number is None or len(words) < 2):
                break
            if option in _VECTORS and number != _VECTORS[option]:
                notes.add(f"the option {option.decode()} of a texture is not applied")
            words = words[1:]
            text = text.split(None, 1)[1] if words else b""
    return text.strip().strip(b"\"'")


def _number(word: bytes) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None
