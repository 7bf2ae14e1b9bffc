"""Materials of a glTF file -> parts: base colour, opacity, and the maps beside it (glTF 2.0, 3.9)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

from torch import Tensor

from ...light import to_srgb
from ...material import Alpha, Maps, Part
from ..pictures import TooManyPixels
from ..pieces import Limits, Notes
from .file import Gltf, Missing, short

_ALPHAS: dict[str, Alpha] = {"OPAQUE": "opaque", "MASK": "mask", "BLEND": "blend"}
_KEPT = ("KHR_materials_unlit", "KHR_materials_emissive_strength", "KHR_materials_pbrSpecularGlossiness")


class Place(NamedTuple):
    """Where a texture lies on the surface: the number of its set of coordinates, and how they are moved."""

    number: int = 0
    offset: tuple[float, ...] = (0.0, 0.0)
    rotation: float = 0.0
    scale: tuple[float, ...] = (1.0, 1.0)

    @staticmethod
    def of(texture: dict[str, Any]) -> Place:
        moved = texture.get("extensions", {}).get("KHR_texture_transform", {})
        return Place(
            moved.get("texCoord", texture.get("texCoord", 0)),
            tuple(moved.get("offset", (0.0, 0.0))),
            moved.get("rotation", 0.0),
            tuple(moved.get("scale", (1.0, 1.0))),
        )


class Materials:
    """The parts of a mesh while its primitives are read: each material once, textures shared."""

    def __init__(self, gltf: Gltf, limits: Limits, notes: Notes) -> None:
        self.gltf, self.limits, self.notes = gltf, limits, notes
        self.numbers: dict[Any, int] = {}
        self.parts: list[Part] = []
        self.places: list[Place] = []
        self._entries: list[dict[str, Any]] = []
        self._solid: dict[int, tuple[Tensor, Tensor]] = {}

    def part(self, material: Any) -> tuple[int, Place]:
        """(number of the part of a material, where its textures lie). None is the material of no name."""
        if material not in self.numbers:
            entry = {} if material is None else self.gltf.item("materials", material)
            part, place = self._base(entry, material is None)
            self.numbers[material] = len(self.parts)
            self.parts.append(part)
            self.places.append(place)
            self._entries.append(entry)
        number = self.numbers[material]
        return number, self.places[number]

    def finished(self) -> list[Part]:
        """The parts, now with their other maps, which are left out with a note where something is amiss: the base
        colours come first."""
        return [
            replace(part, maps=self._with_pictures(part, entry, place))
            for part, entry, place in zip(self.parts, self._entries, self.places, strict=True)
        ]

    def _base(self, entry: dict[str, Any], unnamed: bool) -> tuple[Part, Place]:
        base = entry.get("pbrMetallicRoughness", {})
        texture, factor = base.get("baseColorTexture"), base.get("baseColorFactor", [1, 1, 1, 1])
        older = entry.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness")
        if texture is None and older:
            texture, factor = older.get("diffuseTexture"), older.get("diffuseFactor", [1, 1, 1, 1])
            self.notes.add("specular colour and glossiness of an older kind of material are left out")
        for name in entry.get("extensions", {}):
            if name.startswith("KHR_materials_") and name not in _KEPT:
                self.notes.add(f"what {short(name)} says of a material is left out")
        picture = self._picture(texture) if texture is not None and self.limits.textures == "load" else None
        # Factors are linear light in glTF, a part's colour is encoded.
        red, green, blue, opacity = (number(v) for v in factor)
        placed = [t for t in (texture, *(t for _, t in _others(entry))) if t is not None]
        part = Part(
            " ".join(str(entry.get("name") or "").split()) or f"material {len(self.parts)}",
            picture,
            (to_srgb(red), to_srgb(green), to_srgb(blue), opacity),
            _ALPHAS.get(entry.get("alphaMode", "OPAQUE"), "opaque"),
            number(entry.get("alphaCutoff", 0.5), high=math.inf),
            # (what no material says is matt, and seen from both sides)
            Maps() if unnamed else _numbers(entry, older),
        )
        return part, Place.of(placed[0]) if placed else Place()

    def _with_pictures(self, part: Part, entry: dict[str, Any], place: Place) -> Maps:
        found: dict[str, Tensor] = {}
        if self.limits.textures != "load":
            return part.maps
        for kind, texture in _others(entry):
            if texture is None:
                continue
            what = f"the {kind.replace('_', ' ')} map of material '{short(part.name)}' is left out"
            if Place.of(texture) != place:
                self.notes.add(f"{what}: it lies on other texture coordinates than the base colour")
                continue
            try:
                picture = self._picture(texture)
            except (Missing, TooManyPixels) as error:
                self.notes.add(f"{what}: {error}")
                continue
            if picture is not None:
                found[kind] = self._without_alpha(picture)
        return replace(part.maps, **found)

    def _without_alpha(self, picture: Tensor) -> Tensor:
        """[H, W, 3], the same tensor for the same picture."""
        if picture.shape[-1] == 3:
            return picture
        return self._solid.setdefault(id(picture), (picture, picture[..., :3]))[1]

    def _picture(self, texture: dict[str, Any]) -> Tensor | None:
        entry = self.gltf.item("textures", texture.get("index"))
        source = entry.get("source", entry.get("extensions", {}).get("EXT_texture_webp", {}).get("source"))
        if source is None:
            self.notes.add("a texture in a format that is not read (KTX2) is left out")
            return None
        image = self.gltf.item("images", source)
        data = self.gltf.uri(image["uri"]) if "uri" in image else bytes(self.gltf.view(image.get("bufferView"))[0])
        named = image.get("name") or (image["uri"] if not image.get("uri", "data:").startswith("data:") else source)
        return self.limits.pictures.read(data, f"texture '{short(named)}'")


def _others(entry: dict[str, Any]) -> tuple[tuple[str, dict[str, Any] | None], ...]:
    """(name among ``Maps``, what the material says of it) of every map but the base colour."""
    return (
        ("metallic_roughness", entry.get("pbrMetallicRoughness", {}).get("metallicRoughnessTexture")),
        ("normal", entry.get("normalTexture")),
        ("occlusion", entry.get("occlusionTexture")),
        ("emissive", entry.get("emissiveTexture")),
    )


def _numbers(entry: dict[str, Any], older: dict[str, Any] | None) -> Maps:
    """What a material says besides its pictures."""
    base, extensions = entry.get("pbrMetallicRoughness", {}), entry.get("extensions", {})
    strength = extensions.get("KHR_materials_emissive_strength", {}).get("emissiveStrength", 1.0)
    red, green, blue = (number(v) * number(strength, 1e6) for v in entry.get("emissiveFactor", (0, 0, 0)))
    metallic, roughness = base.get("metallicFactor", 1.0), base.get("roughnessFactor", 1.0)
    if older and "pbrMetallicRoughness" not in entry:
        metallic = 0.0
        roughness = 1.0 if "specularGlossinessTexture" in older else 1 - number(older.get("glossinessFactor", 1.0))
    return Maps(
        metallic=number(metallic),
        roughness=number(roughness),
        emission=(to_srgb(red), to_srgb(green), to_srgb(blue)),
        normal_scale=number(_named(entry, "normalTexture").get("scale", 1.0), 1e6, -1e6),
        occlusion_strength=number(_named(entry, "occlusionTexture").get("strength", 1.0)),
        unlit="KHR_materials_unlit" in extensions,
        double_sided=bool(entry.get("doubleSided", False)),
    )


def _named(entry: dict[str, Any], name: str) -> dict[str, Any]:
    """What stands under a name; empty where nothing does."""
    return entry.get(name) or {}


def number(value: Any, high: float = 1.0, low: float = 0.0) -> float:
    """A factor, brought into its range. Raises ValueError for NaN."""
    found = float(value)
    if math.isnan(found):
        raise ValueError("a factor of a material is no number; export it again")
    return min(max(found, low), high)
