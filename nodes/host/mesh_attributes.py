"""A mesh's look as the attributes of the host's MESH, and back.

The host's: vertex_colors [B, V, 3 or 4] in linear light, texture and emissive [B, H, W, 3] encoded, metallic_roughness
(green, blue; red is occlusion where occlusion_in_mr) and normal_map as stored, unlit, and material, a dictionary of
numbers: base_color_factor and emissive_factor (linear), emissive_strength, metallic_factor and roughness_factor (below
0: what the host takes without them), normal_scale, occlusion_strength, double_sided.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...renderers.mesh.light import encoded, linear, to_linear, to_srgb
from ...renderers.mesh.material import Maps, Part
from ...renderers.mesh.one_look import OneLook

# Every attribute that a mesh is read from.
ATTRIBUTES = (
    "vertices",
    "faces",
    "uvs",
    "normals",
    "vertex_counts",
    "face_counts",
    "vertex_colors",
    "texture",
    "metallic_roughness",
    "occlusion_in_mr",
    "normal_map",
    "emissive",
    "material",
    "unlit",
    "tangents",
)
_BLACK = (0.0, 0.0, 0.0)


def attributes_of(look: OneLook) -> dict[str, Any]:
    """A mesh -> the host's attributes, a batch of one. Tensors of vertices are new, pictures are the mesh's own."""
    maps = look.maps
    uvs, colours = look.uvs, look.colours
    glows = maps.emissive is not None and any(v > 0 for v in maps.emission)
    return {
        "vertices": look.vertices[None],
        "faces": look.faces[None],
        "uvs": None if uvs is None else torch.stack([uvs[:, 0], 1 - uvs[:, 1]], 1)[None],
        "normals": None if look.normals is None else look.normals[None],
        "vertex_colors": None if colours is None else torch.cat([linear(colours[:, :3]), colours[:, 3:]], 1)[None],
        "texture": _batch(look.texture),
        "metallic_roughness": _batch(_packed(maps)),
        "occlusion_in_mr": maps.occlusion is not None,
        "normal_map": _batch(maps.normal),
        "emissive": _batch(maps.emissive) if glows else None,
        "material": _numbers(look) or None,
        "unlit": maps.unlit,
    }


def _batch(picture: Tensor | None) -> Tensor | None:
    return None if picture is None else picture[None, ..., :3].float().contiguous()


def _packed(maps: Maps) -> Tensor | None:
    """float [H, W, 3]: occlusion, roughness and metallic in one picture."""
    rough, open_ = maps.metallic_roughness, maps.occlusion
    if open_ is None or open_ is rough:
        return rough
    if rough is None:
        rough = torch.ones_like(open_)
    if open_.shape != rough.shape:
        size = tuple(rough.shape[:2])
        open_ = F.interpolate(open_.movedim(-1, 0)[None].float(), size=size, mode="bilinear", antialias=True)[0]
        open_ = open_.movedim(0, -1)
    return torch.cat([open_[..., :1], rough[..., 1:3]], -1)


def _numbers(look: OneLook) -> dict[str, Any]:
    """What the host would not take by itself. A bare mesh's default roughness is left to it."""
    maps = look.maps
    numbers: dict[str, Any] = {}
    mapped = _packed(maps) is not None
    if maps.metallic != (1.0 if mapped else 0.0):
        numbers["metallic_factor"] = maps.metallic
    if maps.roughness != 1.0:
        numbers["roughness_factor"] = maps.roughness
    light = [to_linear(v) for v in maps.emission]
    if any(v > 0 for v in light):
        strength = max(1.0, *light)
        numbers["emissive_factor"] = [v / strength for v in light]
        if strength > 1:
            numbers["emissive_strength"] = strength
    if maps.normal is not None and maps.normal_scale != 1.0:
        numbers["normal_scale"] = maps.normal_scale
    if maps.occlusion is not None and maps.occlusion_strength != 1.0:
        numbers["occlusion_strength"] = maps.occlusion_strength
    if not maps.double_sided:
        numbers["double_sided"] = False
    return numbers


def part_of(value: Any) -> Part:
    """The material of the host's mesh. Alpha of a texture or of the base colour blends, where there is any."""
    texture = picture_of(value, "texture")
    given = getattr(value, "material", None)
    numbers = given if isinstance(given, dict) else {}
    base = [float(v) for v in numbers.get("base_color_factor") or (1.0, 1.0, 1.0, 1.0)]
    base = [*base, 1.0][:4]
    clear = base[3] < 1 or (texture is not None and texture.shape[-1] == 4 and bool((texture[..., 3] < 1).any()))
    red, green, blue = (to_srgb(max(0.0, v)) for v in base[:3])
    colour = (red, green, blue, base[3])
    return Part("material", texture, colour, alpha="blend" if clear else "opaque", maps=_maps(value, numbers))


def _maps(value: Any, numbers: dict[str, Any]) -> Maps:
    rough, emissive = picture_of(value, "metallic_roughness"), picture_of(value, "emissive")
    shut = bool(getattr(value, "occlusion_in_mr", False))
    metallic, roughness = (float(numbers.get(f"{name}_factor", -1.0)) for name in ("metallic", "roughness"))
    light = [max(0.0, float(v)) for v in numbers.get("emissive_factor") or _BLACK]
    if emissive is not None and not any(light):
        light = [1.0, 1.0, 1.0]
    strength = float(numbers.get("emissive_strength", 1.0))
    red, green, blue = (to_srgb(v * strength) for v in light)
    return Maps(
        metallic_roughness=rough,
        normal=picture_of(value, "normal_map"),
        occlusion=rough if shut else None,
        emissive=emissive,
        metallic=metallic if metallic >= 0 else float(rough is not None),
        roughness=roughness if roughness >= 0 else 1.0,
        emission=(red, green, blue),
        normal_scale=float(numbers.get("normal_scale", 1.0)),
        occlusion_strength=float(numbers.get("occlusion_strength", 1.0)),
        unlit=bool(getattr(value, "unlit", False)),
        double_sided=bool(numbers.get("double_sided", True)),
    )


def picture_of(value: Any, name: str) -> Tensor | None:
    """The first picture of an attribute [B, H, W, C] or [H, W, C], float on the CPU."""
    found = getattr(value, name, None)
    if not isinstance(found, Tensor):
        return None
    return found.reshape(-1, *found.shape[-3:])[0].float().cpu()


def colours_of(light: Tensor) -> Tensor:
    """Vertex colours of the host, linear light [V, 3 or 4] -> encoded."""
    held = light.nan_to_num(0).clamp(0, 1)
    return torch.cat([encoded(held[:, :3]), held[:, 3:]], 1)
