"""How links run: the curves that front ends draw, which nodes they run under, and reroutes that lead them around.

Reroutes are the front end's own points on links (``extra.reroutes`` of a file); no node, nothing that a host sees.
"""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise
from typing import Any

from .boxes import shown

Point = tuple[float, float]
Node = dict[str, Any]
OUT, LANE, LANES = 18, 7, 6  # of vertical lanes beside a column: the first, the next, how many
ABOVE, LINE = 24, 12  # of lines above a stage: the first, the next
INSIDE, SOCKET = 4, 14  # a link may touch a node's border; how far inside a socket is


def output_at(node: Node, slot: int) -> Point:
    return node["pos"][0] + node["size"][0] - 9, node["pos"][1] + (slot + 0.7) * 20


def input_at(node: Node, slot: int) -> Point:
    return node["pos"][0] + 10, node["pos"][1] + (slot + 0.7) * 20


def _bezier(a: Point, b: Point, c: Point, d: Point, n: int = 24) -> list[Point]:
    found = []
    for k in range(n + 1):
        t = k / n
        u = 1 - t
        p, q, r, s = u**3, 3 * u * u * t, 3 * u * t * t, t**3
        found.append((p * a[0] + q * b[0] + r * c[0] + s * d[0], p * a[1] + q * b[1] + r * c[1] + s * d[1]))
    return found


def _straight(points: list[Point], n: int = 24) -> list[Point]:
    return [
        (a[0] + (b[0] - a[0]) * k / n, a[1] + (b[1] - a[1]) * k / n) for a, b in pairwise(points) for k in range(n + 1)
    ]


def path(start: Point, corners: list[Point], end: Point) -> list[Point]:
    """Points of a link over its reroutes, as the canvas draws splines."""
    points = [start, *corners, end]
    angles = []
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        into = math.atan2(here[1] - before[1], here[0] - before[0])
        half = (into - math.atan2(after[1] - here[1], after[0] - here[0])) * 0.5
        angles.append(into - half - (math.pi if abs(half) > math.pi / 2 else 0))
    found: list[Point] = []
    for k, (a, b) in enumerate(pairwise(points)):
        far = math.dist(a, b) * 0.25
        near = min(80.0, far)
        first = (far, 0.0) if k == 0 else (near * math.cos(angles[k - 1]), near * math.sin(angles[k - 1]))
        last = (-far, 0.0) if k == len(points) - 2 else (-near * math.cos(angles[k]), -near * math.sin(angles[k]))
        found += _bezier(a, (a[0] + first[0], a[1] + first[1]), (b[0] + last[0], b[1] + last[1]), b)
    return found


class Plan:
    """The nodes of a file, laid out, and the links between them."""

    def __init__(self, data: dict[str, Any], tops: list[float] | None = None) -> None:
        self.tops = tops or []
        self.nodes: dict[int, Node] = {n["id"]: n for n in data["nodes"]}
        self.links: list[list[Any]] = data["links"]
        self.boxes = {i: shown(n) for i, n in self.nodes.items()}

    def stage(self, number: int) -> int:
        """In which of the stages, from above, a node stands."""
        return sum(top <= self.nodes[number]["pos"][1] for top in self.tops) - 1

    def ends(self, link: list[Any]) -> tuple[Point, Point]:
        _, source, slot, target, place, _ = link
        return output_at(self.nodes[source], slot), input_at(self.nodes[target], place)

    def under(self, link: list[Any], corners: list[Point]) -> set[int]:
        """Nodes that a link runs under; its own two count where it does more than leave or arrive at its socket."""
        start, end = self.ends(link)
        # (some front ends draw flatter curves: the straight lines count as well)
        points = path(start, corners, end) + _straight([start, *corners, end] if corners else [])
        found = set()
        for i, (left, top, right, bottom) in self.boxes.items():
            near, far = (SOCKET if i == link[3] else INSIDE), (SOCKET if i == link[1] else INSIDE)
            if any(left + near < x < right - far and top + INSIDE < y < bottom - INSIDE for x, y in points):
                found.add(i)
        return found

    def column_right(self, node: Node) -> float:
        """The right border of all nodes of the stage that start where this one starts."""
        place = node["pos"][0], self.stage(node["id"])
        return max(box[2] for i, box in self.boxes.items() if (self.nodes[i]["pos"][0], self.stage(i)) == place)

    def ways(self, link: list[Any], lane: int, line: int) -> list[list[Point]]:
        """Routes from the plainest to the longest."""
        start, end = self.ends(link)
        out = self.column_right(self.nodes[link[1]]) + OUT + LANE * (lane % LANES)
        back = self.nodes[link[3]]["pos"][0] - OUT - LANE * (lane % LANES)
        above = self.tops[self.stage(link[3])] - ABOVE - LINE * line
        return [
            [],
            [(out, start[1]), (out, end[1])],
            [(back, start[1]), (back, end[1])],
            [(out, start[1]), (out, above), (back, above), (back, end[1])],
        ]


def around(data: dict[str, Any], tops: list[float]) -> dict[int, list[Point]]:
    """Corners of each link that is led around nodes."""
    plan = Plan(data, tops)
    lanes: dict[tuple[int, int], int] = {}
    lines: list[dict[tuple[int, int], int]] = [{} for _ in tops]
    found: dict[int, list[Point]] = {}
    for link in sorted(plan.links):
        if not plan.under(link, []):
            continue
        source = (link[1], link[2])
        lane = lanes.setdefault(source, len(lanes))
        taken = lines[plan.stage(link[3])]
        line = taken.get(source, len(taken))
        ways = [way for own in (lane, *range(LANES)) for way in plan.ways(link, own, line)]
        corners = min(ways, key=lambda way: len(plan.under(link, way)))  # (the first of the least)
        if len(corners) > 2:
            taken[source] = line
        if corners:
            found[link[0]] = corners
    return found


def lay_links(data: dict[str, Any], tops: list[float]) -> None:
    """Write reroutes into a file that is laid out."""
    extra = data.setdefault("extra", {})
    extra.pop("reroutes", None)
    extra.pop("linkExtensions", None)
    corners = around(data, tops)
    points: dict[tuple[Any, ...], dict[str, Any]] = {}
    parents: list[dict[str, int]] = []
    for link in sorted(data["links"]):
        if link[0] not in corners:
            continue
        before: dict[str, Any] | None = None
        key: tuple[Any, ...] = (link[1], link[2])
        for x, y in corners[link[0]]:
            key = (*key, round(x), round(y))
            if key not in points:
                points[key] = {"id": len(points) + 1, "pos": [round(x), round(y)], "linkIds": []}
                if before is not None:
                    points[key]["parentId"] = before["id"]
            before = points[key]
            before["linkIds"].append(link[0])
        assert before is not None
        parents.append({"id": link[0], "parentId": before["id"]})
    if points:
        extra["reroutes"] = list(points.values())
        extra["linkExtensions"] = parents


def corners_of(data: dict[str, Any]) -> dict[int, list[Point]]:
    """Corners of each link of a file, as its reroutes say."""
    points = {item["id"]: item for item in data.get("extra", {}).get("reroutes", [])}
    found: dict[int, list[Point]] = defaultdict(list)
    for item in data.get("extra", {}).get("linkExtensions", []):
        number: int | None = item["parentId"]
        while number is not None:
            found[item["id"]].insert(0, tuple(points[number]["pos"]))
            number = points[number].get("parentId")
    return found


def under_nodes(data: dict[str, Any]) -> list[tuple[int, int]]:
    """(link, node) for each node that a link of a file runs under."""
    plan, corners = Plan(data), corners_of(data)
    return [(link[0], i) for link in plan.links for i in sorted(plan.under(link, corners.get(link[0], [])))]
