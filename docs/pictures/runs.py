"""Tiles run on a host: the workflow with its changes, cut down to what the shown output needs, once each.

Results are kept below .run/pictures by what was run, so that a sheet that is drawn anew costs nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from .card import card
from .recipe import Tile, is_wire

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".run" / "pictures"
sys.path.insert(0, str(ROOT))
from launcher import client, hosts, overrides, server, workflow_format  # noqa: E402
from launcher.workflow_format import ApiPrompt  # noqa: E402

sys.path.remove(str(ROOT))  # else our ``nodes`` would stand before a host's

_CONTRACT: dict[str, Any] = json.loads((ROOT / "tests" / "data" / "node_contract.json").read_text(encoding="utf-8"))
_SAVE = "saved"


def link(text: str) -> list[Any]:
    """'15.0' -> ['15', 0]."""
    key, _, slot = text.rpartition(".")
    return [key, int(slot)]


def prompt_of(tile: Tile, info: dict[str, Any]) -> ApiPrompt:
    """What is posted to a host for one tile."""
    prompt = workflow_format.to_api(workflow_format.load(ROOT / "workflows" / f"{tile.workflow}.json"), info)
    for key, node in tile.more.items():
        values = {
            name: link(value) if isinstance(value, str) and is_wire(value) else value
            for name, value in {**_defaults(node.kind), **node.inputs}.items()
        }
        prompt.nodes[key] = {"class_type": node.kind, "inputs": values}
        prompt.titles[key] = key
        prompt.widgets[key] = {}
    changes = [overrides.parse(text) for text in tile.set]
    overrides.unmatched(changes, overrides.apply(prompt, changes), [prompt])
    for target, source in tile.wires.items():
        node, name = overrides.target(target)
        (key,) = overrides.matching(prompt, node)
        prompt.nodes[key]["inputs"][name] = link(source)
    source = link(tile.show)
    if tile.mask:
        prompt.nodes["grey"] = {"class_type": "MaskToImage", "inputs": {"mask": source}}
        source = ["grey", 0]
    prompt.nodes[_SAVE] = {"class_type": "SaveImage", "inputs": {"images": source, "filename_prefix": "p"}}
    needed = _upstream(prompt.nodes, _SAVE)
    return ApiPrompt({key: body for key, body in prompt.nodes.items() if key in needed}, prompt.titles, prompt.widgets)


def _defaults(kind: str) -> dict[str, Any]:
    """Of a node of ours: the widgets that have one; else the first choice."""
    found: dict[str, Any] = {}
    for name, entry in _CONTRACT.get(kind, {}).get("inputs", {}).items():
        if "default" in entry:
            found[name] = entry["default"]
        elif isinstance(entry.get("choices"), list):
            found[name] = entry["choices"][0]
    return found


def _upstream(nodes: dict[str, Any], last: str) -> set[str]:
    found: set[str] = set()
    waiting = [last]
    while waiting:
        key = waiting.pop()
        if key in found:
            continue
        found.add(key)
        waiting += [str(v[0]) for v in nodes[key]["inputs"].values() if isinstance(v, list) and len(v) == 2]
    return found


class Studio:
    """Runs tiles on a host, which it starts with the first that is not kept already."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._server: server.Server | None = None
        self._info: dict[str, Any] = {}

    def made(self, tile: Tile) -> tuple[list[Image.Image], float]:
        """The pictures of a tile's output, and the seconds its run took."""
        prompt = prompt_of(tile, self._known())
        told = json.dumps(prompt.nodes, sort_keys=True)
        folder = KEPT / _short(told)
        if not (folder / "seconds").is_file():
            self._run(prompt, folder)
        files = sorted(folder.glob("*.png"))
        return [Image.open(file).convert("RGB") for file in files], float((folder / "seconds").read_text())

    def _known(self) -> dict[str, Any]:
        """The host's list of nodes, kept for as long as our own do not change."""
        kept = KEPT / f"nodes-{_short(json.dumps(_CONTRACT))}.json"
        if not self._info and kept.is_file():
            self._info = json.loads(kept.read_text(encoding="utf-8"))
        if not self._info:
            self._info = client.object_info(self._running())
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(self._info), encoding="utf-8")
        return self._info

    def _running(self) -> server.Server:
        if self._server is None:
            base = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
            (base / "input").mkdir()
            card().save(base / "input" / "card.png")
            host = hosts.Host("pip", os.environ.get("SYNCTWEEDIES_PYTHON") or sys.executable)
            self._server = self._stack.enter_context(server.running(host, ROOT, base / "output", base=base))
        return self._server

    def _run(self, prompt: ApiPrompt, folder: Path) -> None:
        running = self._running()
        began = time.monotonic()
        result = client.run_prompt(running, prompt, {}, lambda kind, data: None)
        seconds = time.monotonic() - began
        folder.mkdir(parents=True, exist_ok=True)
        for number, file in enumerate(result.files):
            shutil.move(file, folder / f"{number:03}.png")
        (folder / "seconds").write_text(f"{seconds:.1f}")


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


@contextlib.contextmanager
def studio() -> Iterator[Studio]:
    with contextlib.ExitStack() as stack:
        yield Studio(stack)
