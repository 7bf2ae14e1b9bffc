"""Parts as materials of a glTF file: the inverse of ``material.py``."""

from __future__ import annotations

from typing import Any

from ...light import to_linear
from ...material import Part
from ..pictures import StoredPictures

_MODES = {"opaque": "OPAQUE", "mask": "MASK", "blend": "BLEND"}


def material_of(part: Part, images: StoredPictures, textured: bool) -> dict[str, Any]:
    """A part's material; its pictures are put into ``images``, unless the mesh has no texture coordinates. What is as
    by default is left out."""
    maps = part.maps

    def picture(name: str, found: Any) -> dict[str, Any]:
        return {name: {"index": images.number(found)}} if textured and found is not None else {}

    look: dict[str, Any] = {"metallicFactor": maps.metallic, "roughnessFactor": maps.roughness}
    colour = [*(min(to_linear(v), 1.0) for v in part.colour[:3]), part.colour[3]]
    look |= {} if colour == [1, 1, 1, 1] else {"baseColorFactor": colour}
    look |= picture("baseColorTexture", part.texture)
    look |= picture("metallicRoughnessTexture", maps.metallic_roughness)
    found: dict[str, Any] = {"name": part.name, "pbrMetallicRoughness": look}
    found |= {"doubleSided": True} if maps.double_sided else {}
    found |= {} if part.alpha == "opaque" else {"alphaMode": _MODES[part.alpha]}
    found |= {"alphaCutoff": part.cutoff} if part.alpha == "mask" else {}
    for name, value, key, number in (
        ("normalTexture", maps.normal, "scale", maps.normal_scale),
        ("occlusionTexture", maps.occlusion, "strength", maps.occlusion_strength),
    ):
        entry = picture(name, value)
        if entry and number != 1:
            entry[name][key] = number
        found |= entry
    found |= picture("emissiveTexture", maps.emissive)
    extensions: dict[str, Any] = {"KHR_materials_unlit": {}} if maps.unlit else {}
    light = [to_linear(v) for v in maps.emission]
    if max(light) > 0:
        strength = max(light) if max(light) > 1.0001 else 1.0
        found["emissiveFactor"] = [min(v / strength, 1.0) for v in light]
        extensions |= {"KHR_materials_emissive_strength": {"emissiveStrength": strength}} if strength > 1 else {}
    return found | ({"extensions": extensions} if extensions else {})
