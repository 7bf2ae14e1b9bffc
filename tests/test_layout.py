"""Workflows are laid out by rule (docs/layout): in the boxes that front ends were measured to draw, nothing lies on
anything, and links run around nodes; nodes say where they and their model files come from."""

from __future__ import annotations

import copy
import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from helpers.scripts import script

ROOT = Path(__file__).resolve().parents[1]
PATHS = sorted((ROOT / "workflows").glob("*.json"))
each_workflow = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
Box = tuple[float, float, float, float]


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def overlaps(data: dict[str, Any]) -> list[tuple[str, str]]:
    shown = script("layout.boxes").shown
    return [(a["type"], b["type"]) for a, b in combinations(data["nodes"], 2) if meet(shown(a), shown(b))]


@each_workflow
def test_laying_out_again_changes_nothing(path: Path) -> None:
    assert script("layout.apply").lay_out(read(path), path.stem) == path.read_text(encoding="utf-8"), (
        "run docs/make_layout.py"
    )


@each_workflow
def test_no_node_lies_on_another_and_no_link_runs_under_one(path: Path) -> None:
    """In either renderer; what nodes grow by while they run is kept free below them."""
    data = read(path)
    assert overlaps(data) == []
    assert script("layout.routes").under_nodes(data) == []
    grown = copy.deepcopy(data)
    for node in grown["nodes"]:
        node["size"][1] += script("layout.boxes").ROOM.get(node["type"], 0)
    assert overlaps(grown) == []
    boxes = [(x, y, x + w, y + h) for x, y, w, h in (item["bounding"] for item in data["groups"])]
    assert not [pair for pair in combinations(boxes, 2) if meet(*pair)]
    assert len(boxes) >= 3


@each_workflow
def test_nodes_say_where_they_and_their_files_come_from(path: Path) -> None:
    data = read(path)
    models = script("layout.models")
    contract = read(ROOT / "tests" / "data" / "node_contract.json")
    for node in data["nodes"]:
        said = node["properties"]
        assert said["Node name for S&R"] == node["type"]
        assert said["cnr_id"] == ("synctweedies" if node["type"] in contract else "comfy-core") and said["ver"]
        names = [item["name"] for item in said.get("models", [])]
        assert names == models.named(node)
        for item in said.get("models", []):
            assert item["url"].startswith("https://huggingface.co/") and "/resolve/" in item["url"]
            assert item["url"].endswith(f"/{item['name']}") and item["directory"]
    assert data["extra"]["title"] and len(data["extra"]["description"]) > 20


def test_titles_are_those_of_workflows_and_differ() -> None:
    titles = script("layout.titles").TITLES
    assert set(titles) == {path.stem for path in PATHS}
    assert len(set(titles.values())) == len(titles)


def test_every_panorama_can_be_looked_around_in() -> None:
    around = [p for p in PATHS if any(n["type"] == "SavePanorama" for n in read(p)["nodes"])]
    assert len(around) >= 13
    without = [p.stem for p in around if not any(n["type"] == "SyncTweediesPreview360" for n in read(p)["nodes"])]
    assert without == []


def test_the_measures_know_every_kind_of_node() -> None:
    measured = script("layout.boxes").measured()
    assert {node["type"] for path in PATHS for node in read(path)["nodes"]} <= set(measured)


def test_the_checks_notice_what_is_wrong() -> None:
    data = read(ROOT / "workflows" / "wide_image.json")
    data["nodes"][1]["pos"] = list(data["nodes"][0]["pos"])
    assert overlaps(data)
    straight = read(ROOT / "workflows" / "wide_image.json")
    straight["extra"].pop("reroutes")
    straight["extra"].pop("linkExtensions")
    assert len(script("layout.routes").under_nodes(straight)) >= 3


def test_a_link_over_corners_is_where_the_front_end_draws_it() -> None:
    """Without corners the curve leaves to the right and arrives from the left, a quarter of the way each."""
    path = script("layout.routes").path
    curve = path((0.0, 0.0), [], (0.0, 400.0))
    assert max(x for x, _ in curve) == pytest.approx(28.87, abs=0.5)
    assert min(x for x, _ in curve) == pytest.approx(-28.87, abs=0.5)
    cornered = path((0.0, 0.0), [(50.0, 0.0), (50.0, 400.0)], (100.0, 400.0))
    assert (50.0, 0.0) in cornered and (50.0, 400.0) in cornered
    assert max(x for x, y in cornered if 0 < y < 400) < 50 + 80 * 0.75
