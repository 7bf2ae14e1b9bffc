"""Measure every kind of node in a front end: ``SYNCTWEEDIES_PYTHON=... COMFYUI_DIR=... python docs/layout/measure.py``.

Writes docs/layout/boxes.json: for each type, at the width that layouts give it, the least height in the classic
renderer and in Nodes 2.0, and how far the latter sticks out above a node's position. Needs playwright and a Chromium.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
for folder in ("docs", "tests"):
    sys.path.insert(0, str(ROOT / folder))
import the_pack  # noqa: E402

the_pack.importable()

from helpers import panorama_card  # noqa: E402
from helpers.browser import SOFTWARE_GL, chromium, graph_page, host, playwright  # noqa: E402
from syncpack.launcher import server  # noqa: E402

from layout.boxes import BOXES, width_of  # noqa: E402

CLASSIC = """([types, widths]) => {
  app.graph.clear();
  const found = {};
  types.forEach((type, i) => {
    const node = LiteGraph.createNode(type);
    if (!node) return;
    node.pos = [(i % 10) * 900, Math.floor(i / 10) * 1700];
    app.graph.add(node);
    const least = node.computeSize();
    node.setSize([Math.max(widths[type], least[0]), least[1]]);
    found[type] = [Math.ceil(node.size[0]), Math.ceil(Math.max(least[1], node.computeSize()[1])), node.id];
  });
  app.canvas.ds.scale = 0.1;
  app.canvas.ds.offset = [0, 0];
  app.canvas.setDirty(true, true);
  return found;
}"""
VUE = """(id) => {
  const node = app.graph.getNodeById(id);
  const box = document.querySelector(`[data-node-id="${id}"]`)?.getBoundingClientRect();
  if (!box) return null;
  const canvas = app.canvas.canvas.getBoundingClientRect();
  const { scale, offset } = app.canvas.ds;
  const top = (box.top - canvas.top) / scale - offset[1];
  const below = top + box.height / scale - node.pos[1];
  return [Math.ceil(box.width / scale), Math.ceil(below), Math.ceil(node.pos[1] - top)];
}"""
LOOK = """(id) => {
  const node = app.graph.getNodeById(id);
  app.canvas.ds.scale = 0.8;
  app.canvas.ds.offset = [60 - node.pos[0], 60 - node.pos[1]];
  app.canvas.setDirty(true, true);
}"""


def kinds() -> list[str]:
    """Types of nodes of all workflows."""
    found: set[str] = set()
    for path in sorted((ROOT / "workflows").glob("*.json")):
        found |= {node["type"] for node in json.loads(path.read_text(encoding="utf-8"))["nodes"]}
    return sorted(found | {"MarkdownNote", "SyncTweediesPreview360"} - {"Note"})


def measured(page: Any, types_: list[str]) -> dict[str, dict[str, list[int]]]:
    page.set_viewport_size({"width": 1600, "height": 2000})
    page.evaluate("app.extensionManager.setting.set('Comfy.VueNodes.Enabled', false)")
    page.wait_for_timeout(500)
    plain = page.evaluate(CLASSIC, [types_, {kind: width_of(kind) for kind in types_}])
    page.wait_for_timeout(1500)
    page.evaluate("app.extensionManager.setting.set('Comfy.VueNodes.Enabled', true)")
    page.wait_for_timeout(1500)
    found: dict[str, dict[str, list[int]]] = {}
    for kind, (width, height, number) in plain.items():
        page.evaluate(LOOK, number)
        found[kind] = {"classic": [width, height], "vue": _settled(page, kind, number)}
    return found


def _settled(page: Any, kind: str, number: int) -> list[int]:
    """A node's box once it stands where it was put: a busy machine draws it elsewhere first."""
    before = None
    for _ in range(40):
        page.wait_for_timeout(200)
        now = page.evaluate(VUE, number)
        if now is not None and now == before and 0 < now[1] < 1500 and 0 <= now[2] < 100:
            return now
        before = now
    raise SystemExit(f"{kind} is not drawn in Nodes 2.0, or not where it was put: {before}")


def main() -> None:
    base = Path(tempfile.mkdtemp())
    (base / "input").mkdir()
    panorama_card.save(panorama_card.card(512), base / "input" / "card.png")
    with (
        playwright() as driver,
        server.running(host(), ROOT, base / "output", base=base) as running,
        chromium(driver, *SOFTWARE_GL) as browser,
        graph_page(browser, running.url) as page,
    ):
        boxes = measured(page, kinds())
        missing = set(kinds()) - set(boxes)
        if missing:
            raise SystemExit(f"this host has no {', '.join(sorted(missing))}")
        version = page.evaluate("window.__COMFYUI_FRONTEND_VERSION__ ?? ''")
    text = ",\n".join(f" {json.dumps(kind)}: {json.dumps(box)}" for kind, box in sorted(boxes.items()))
    BOXES.write_text(f'{{"front end": {json.dumps(version)}, "boxes": {{\n{text}\n}}}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
