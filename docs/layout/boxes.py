"""How large nodes are drawn: measured heights (boxes.json), widths by kind, room for what they show."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

BOXES = Path(__file__).with_name("boxes.json")
WIDTH = 300
WIDTHS = {
    "CLIPLoader": 340,
    "CLIPTextEncode": 340,
    "CheckpointLoaderSimple": 340,
    "ControlNetLoader": 340,
    "DualCLIPLoader": 340,
    "IllusionPreview": 480,
    "IllusionReport": 420,
    "KSampler": 320,
    "LoadDiffusersText": 340,
    "LoadDiffusersUNet": 340,
    "LoadImage": 320,
    "LoraLoader": 340,
    "MarkdownNote": 340,
    "MeshTextureBake": 320,
    "OrbitRig": 360,
    "PreviewImage": 360,
    "PromptJourney": 360,
    "RigReport": 420,
    "SaveAnimatedWEBP": 360,
    "SaveImage": 420,
    "SavePanorama": 420,
    "SaveSplats": 420,
    "SaveTexturedMesh": 420,
    "SyncEdit": 340,
    "SyncReport": 420,
    "SyncTweediesPatch": 400,
    "SyncTweediesPreview360": 560,
    "SyncTweediesPreviewMesh": 560,
    "SyncTweediesSampler": 400,
    "SyncTweediesSamplerWrap": 400,
    "UNETLoader": 340,
    "VAELoader": 340,
    "ViewPrompts": 380,
    "ViewRig": 340,
}
# Nodes whose content is looked at or written into: at least as tall as this.
HEIGHTS = {
    "CLIPTextEncode": 120,
    "IllusionPreview": 520,
    "IllusionReport": 300,
    "LoadImage": 340,
    "PreviewImage": 300,
    "RigReport": 320,
    "SaveAnimatedWEBP": 360,
    "SaveImage": 320,
    "SavePanorama": 340,
    "SaveSplats": 280,
    "SaveTexturedMesh": 280,
    "SyncReport": 320,
    "SyncTweediesPreview360": 440,
    "SyncTweediesPreviewMesh": 520,
    "ViewPrompts": 330,
}
# Left free below nodes that grow while they run, for the picture that they show then.
ROOM = {
    "KSampler": 260,
    "SamplerCustomAdvanced": 260,
    "SyncTweediesSampler": 260,
    "MeshTextureBake": 0,
}
SLACK = 8  # of what fonts of other machines may add


def width_of(kind: str) -> int:
    return WIDTHS.get(kind, WIDTH)


@cache
def measured() -> dict[str, dict[str, list[int]]]:
    return json.loads(BOXES.read_text(encoding="utf-8"))["boxes"]


def least(kind: str) -> tuple[int, int]:
    """The larger of what both renderers draw."""
    if kind not in measured():
        raise KeyError(f"{kind} was not measured: run docs/layout/measure.py")
    (w, h), (wide, high, _) = measured()[kind]["classic"], measured()[kind]["vue"]
    return max(w, wide, width_of(kind)), max(h, high)


def note_height(text: str, width: int) -> int:
    """Of a note that shows all of its text: lines of about 7 pixels a letter, markdown's gaps between paragraphs."""
    across = (width - 40) / 6.7
    rows = 0.0
    for part in text.split("\n"):
        rows += math.ceil(max(1, len(part)) / across) if part.strip() else 0.6
    return round((70 + rows * 21.5) / 10) * 10


def size_of(node: dict[str, Any]) -> list[int]:
    """Width and height of a node in a layout, its title apart."""
    kind = node["type"]
    width, height = least(kind)
    if kind == "MarkdownNote":
        height = max(height, note_height(str(node["widgets_values"][0]), width))
    return [width, max(height + SLACK, HEIGHTS.get(kind, 0))]


def shown(node: dict[str, Any]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a node of a file as drawn, its title included, whichever renderer draws it larger."""
    (x, y), (width, height) = node["pos"], node["size"]
    box = measured()[node["type"]]
    (w, h), (wide, high, above) = box["classic"], box["vue"]
    return x, y - max(30, above), x + max(width, w, wide), y + max(height, h, high)
