"""Where nodes go: stages (a run and what is made of it) from left to right, in each the groups, in groups columns.

A stage is up to three blocks of columns: what a run is given, Sampling, Result; later stages stand below. Within a
block a node stands right of what it reads, and each group has a row of its own, or shares one where it is right of the
other; columns that grow too long are split.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from .boxes import ROOM, size_of
from .looks import CANVAS, HINTS, MODEL, RESULT, SAMPLERS, SAMPLING, WORDS, group_of

Node = dict[str, Any]
TITLE, GAP, ROW, COLUMN, BLOCK, STAGE = 30, 24, 40, 70, 110, 250
LONGEST = 1180
BLOCKS = ((MODEL, WORDS, CANVAS, HINTS), (SAMPLING,), (RESULT,))
PADDING, HEAD = 20, 40  # of a group: around its nodes, and for its title


class Wires:
    """Who reads whom."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.nodes: dict[int, Node] = {n["id"]: n for n in data["nodes"] if n["type"] != "MarkdownNote"}
        self.before: dict[int, list[int]] = defaultdict(list)
        self.after: dict[int, list[int]] = defaultdict(list)
        for _, source, _, target, _, _ in data["links"]:
            self.before[target].append(source)
            self.after[source].append(target)
        self.order = self._sorted()

    def _sorted(self) -> list[int]:
        """Each node behind those it reads."""
        done: list[int] = []
        waiting = sorted(self.nodes)
        while waiting:
            ready = next(i for i in waiting if all(j in done for j in self.before[i]))
            waiting.remove(ready)
            done.append(ready)
        return done

    def kind(self, number: int) -> str:
        return self.nodes[number]["type"]


def samplers_above(wires: Wires) -> dict[int, int]:
    """How many samplers stand one behind the other before each node."""
    above: dict[int, int] = {}
    for i in wires.order:
        above[i] = max((above[j] + (wires.kind(j) in SAMPLERS) for j in wires.before[i]), default=0)
    return above


def stages(wires: Wires, above: dict[int, int]) -> dict[int, int]:
    """Which run a node belongs to: what feeds the first sampler and shows its result is 0."""
    stage: dict[int, int] = {}
    for i in reversed(wires.order):
        readers = [stage[j] for j in wires.after[i]]
        group = group_of(wires.kind(i))
        if wires.kind(i) in SAMPLERS or (group == SAMPLING and above[i]):
            stage[i] = above[i]
        elif group == RESULT and above[i]:
            stage[i] = above[i] - 1
        elif above[i]:
            stage[i] = min([s for s in readers if s >= above[i]], default=above[i] - 1)
        else:
            stage[i] = min((stage[j] for j in wires.after[i]), default=0)
    for i in wires.order:
        stage[i] = max([stage[i], *(stage[j] for j in wires.before[i])])
    return stage


def groups_of(wires: Wires, stage: dict[int, int], above: dict[int, int]) -> dict[int, str]:
    """The group of each node: its kind's, unless its links would then run from right to left. What is stitched or shown
    before any sampler is no result."""
    where = {name: k for k, block in enumerate(BLOCKS) for name in block}
    found = {i: str(group_of(wires.kind(i))) for i in wires.order}
    found |= {i: HINTS for i in wires.order if found[i] == RESULT and not above[i]}
    for i in wires.order:
        for j in wires.before[i]:
            if stage[j] == stage[i] and where[found[j]] > where[found[i]]:
                found[i] = found[j]
    for i in reversed(wires.order):
        for j in wires.after[i]:
            if stage[j] == stage[i] and where[found[j]] < where[found[i]]:
                found[i] = found[j]
    return found


def columns(numbers: Iterable[int], wires: Wires) -> dict[int, int]:
    """Column of each node of a block: behind those of the block that it reads; hints near their readers."""
    inside = set(numbers)
    depth: dict[int, int] = {}
    for i in wires.order:
        if i in inside:
            depth[i] = max((depth[j] + 1 for j in wires.before[i] if j in inside), default=0)
    for i in reversed(wires.order):
        readers = [depth[j] - 1 for j in wires.after[i] if j in inside]
        if i in inside and readers and group_of(wires.kind(i)) in (HINTS, SAMPLING):
            depth[i] = min(readers)
    return depth


def height(node: Node) -> int:
    return TITLE + node["size"][1] + ROOM.get(node["type"], 0)


def split(numbers: list[int], wires: Wires) -> list[list[int]]:
    """A column, or several where it grows too long."""
    found: list[list[int]] = [[]]
    high = 0
    for i in numbers:
        own = height(wires.nodes[i]) + GAP
        if found[-1] and high + own > LONGEST:
            found.append([])
            high = 0
        found[-1].append(i)
        high += own
    return found


def rows_of(parts: list[list[int]], depth: dict[int, int]) -> list[list[int]]:
    """Groups of a block to rows: one that starts right of where the row ends goes into it."""
    rows: list[list[int]] = []
    for part in parts:
        if not part:
            continue
        if rows and max(depth[i] for i in rows[-1]) < min(depth[i] for i in part):
            rows[-1] = rows[-1] + part
        else:
            rows.append(part)
    return rows


def lay_block(parts: list[list[int]], wires: Wires, left: float, top: float) -> float:
    """Place one block of groups; answers its right border."""
    depth = columns([i for part in parts for i in part], wires)
    order = {i: k for k, i in enumerate(wires.order)}
    rows = rows_of(parts, depth)
    stacks: dict[tuple[int, int], list[list[int]]] = {}
    for r, row in enumerate(rows):
        for c in {depth[i] for i in row}:
            column = sorted((i for i in row if depth[i] == c), key=lambda i: rank(i, wires, order))
            stacks[r, c] = split(column, wires)
    x, lefts = left, {}
    for c in sorted({c for _, c in stacks}):
        for k in range(max(len(found) for (_, d), found in stacks.items() if d == c)):
            lefts[c, k] = x
            shown = [i for (_, d), found in stacks.items() if d == c for i in (found[k] if k < len(found) else [])]
            x += max(wires.nodes[i]["size"][0] for i in shown) + COLUMN
    y = top
    for r in range(len(rows)):
        lowest = y
        for (row, c), found in stacks.items():
            for k, stack in enumerate(found if row == r else []):
                below = y
                for i in stack:
                    wires.nodes[i]["pos"] = [round(lefts[c, k]), round(below + TITLE)]
                    below += height(wires.nodes[i]) + GAP
                lowest = max(lowest, below)
        y = lowest - GAP + PADDING + ROW + HEAD
    return x - COLUMN


def rank(number: int, wires: Wires, order: dict[int, int]) -> tuple[float, int]:
    """Nodes of a column stand in the order of what they read and of the sockets they feed."""
    kind = wires.kind(number)
    first = {"SyncTweediesSampler": -2, "SyncTweediesPreview360": -1, "SyncTweediesPreviewMesh": -1}.get(kind, 0)
    last = {"PreviewImage": 2, "SyncReport": 3, "IllusionReport": 3, "RigReport": 3}.get(kind, 0)
    return first + last, order[number]


def lay_nodes(data: dict[str, Any]) -> tuple[list[dict[str, Any]], list[float]]:
    """Places of all nodes; answers the groups, and the upper borders of the stages."""
    wires = Wires(data)
    for node in data["nodes"]:
        node["size"] = size_of(node)
    above = samplers_above(wires)
    stage = stages(wires, above)
    own = groups_of(wires, stage, above)
    left, below = 0.0, 0.0
    for note in (n for n in data["nodes"] if n["type"] == "MarkdownNote"):
        note["pos"] = [0, round(below)]
        below += note["size"][1] + TITLE + GAP
        left = note["size"][0] + BLOCK
    top, groups, tops = -float(TITLE), [], []
    for s in range(max(stage.values(), default=0) + 1):
        x = left
        tops.append(top - HEAD)
        mine = [i for i in wires.order if stage[i] == s]
        for block in BLOCKS:
            parts = [[i for i in mine if own[i] == name] for name in block]
            if any(parts):
                x = lay_block(parts, wires, x, top) + BLOCK
                groups += [group(name, part, wires) for name, part in zip(block, parts, strict=True) if part]
        top = max(item["bounding"][1] + item["bounding"][3] for item in groups) + STAGE
    named: dict[str, int] = defaultdict(int)
    for item in groups:
        named[item["title"]] += 1
        if named[item["title"]] > 1:
            item["title"] += f" {named[item['title']]}"
    for number, item in enumerate(groups, 1):
        item["id"] = number
    return groups, tops


def group(name: str, numbers: list[int], wires: Wires) -> dict[str, Any]:
    """The frame around nodes, with the room that they may grow into."""
    nodes = [wires.nodes[i] for i in numbers]
    left, top = min(n["pos"][0] for n in nodes), min(n["pos"][1] for n in nodes) - TITLE
    right = max(n["pos"][0] + n["size"][0] for n in nodes)
    bottom = max(n["pos"][1] + height(n) - TITLE for n in nodes)
    box = [left - PADDING, top - HEAD, right - left + 2 * PADDING, bottom - top + HEAD + PADDING]
    return {"title": name, "bounding": box, "flags": {}}
