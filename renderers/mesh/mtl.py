"""Wavefront MTL: the base colour of a material and its texture."""

from __future__ import annotations

from pathlib import Path

from .gltf_file import Missing, beside
from .material import Part
from .pieces import Limits, Notes

# Options of a map line, and how many words follow each.
_OPTIONS = {"-blendu": 1, "-blendv": 1, "-cc": 1, "-clamp": 1, "-boost": 1, "-mm": 2, "-texres": 1, "-imfchan": 1}
_OPTIONS |= {"-type": 1, "-bm": 1}
# These take one to three numbers.
_VECTORS = ("-o", "-s", "-t")


def read_mtl(path: Path, root: Path, wanted: set[str], limits: Limits, notes: Notes) -> dict[str, Part]:
    """Material name -> Part, for the names in ``wanted``. Raises Missing for a texture that is not there."""
    parts: dict[str, Part] = {}
    name = ""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split()
        if not words:
            continue
        key, rest = words[0].lower(), words[1:]
        if key == "newmtl":
            name = line.strip().split(None, 1)[1] if rest else "material"
            if name in wanted:
                parts[name] = Part(name)
        if name not in parts or not rest:
            continue
        old = parts[name]
        if key == "kd":
            r, g, b = _floats(rest, path)[:3]
            parts[name] = Part(name, old.texture, (r, g, b, old.colour[3]))
        elif key in ("d", "tr"):
            alpha = _floats(rest[-1:], path)[0]
            parts[name] = Part(name, old.texture, (*old.colour[:3], alpha if key == "d" else 1 - alpha))
        elif key == "map_kd" and limits.textures == "load":
            file = _file(line.strip().split(None, 1)[1], notes)
            try:
                found = beside(path.parent, root, file)
            except Missing:
                raise Missing(
                    f"the texture '{file}' of material '{name}' is missing; put it beside the mesh, or set textures "
                    "to ignore"
                ) from None
            parts[name] = Part(name, limits.pictures.read(found, f"texture '{file}'"), old.colour)
        elif key.startswith(("map_", "bump", "norm", "disp")) and key != "map_kd":
            notes.add(f"the {words[0]} texture of a material is left out: only the base colour is kept")
    # Exporters write Kd 0 or 0.8 beside a texture, and viewers differ; the texture alone is what artists see.
    return {
        key: Part(key, p.texture, (1.0, 1.0, 1.0, p.colour[3])) if p.texture is not None else p
        for key, p in parts.items()
    }


def _floats(words: list[str], path: Path) -> tuple[float, ...]:
    try:
        numbers = tuple(float(word) for word in words[:3])
    except ValueError:
        numbers = (1.0,)  # "Kd spectral file.rfl" and "Kd xyz ..." are allowed and hardly ever written
    return numbers if len(numbers) == 3 else (numbers[0],) * 3


def _file(text: str, notes: Notes) -> str:
    """The file name of a map line, which may hold spaces, after its options."""
    words = text.split(" ")
    while words and words[0] in (*_OPTIONS, *_VECTORS):
        option = words.pop(0)
        if option in _VECTORS:
            notes.add(f"the option {option} of a texture is not applied")
            for _ in range(3):
                if len(words) > 1 and _is_number(words[0]):
                    words.pop(0)
        else:
            del words[: _OPTIONS[option]]
    return " ".join(words).strip().strip('"')


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
