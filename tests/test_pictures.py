"""Pictures of help pages, guides and the gallery: each is in the table, shows what it says, and stands in its page.

docs/make_help_pictures.py makes them; its ``--pages`` writes the pages.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.scripts import script
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
HELP = ROOT / "web" / "docs"
IMAGES, HALL = HELP / "images", ROOT / "docs" / "gallery"
PAGES, CHECKS, SHEET = script("pictures.pages"), script("pictures.checks"), script("pictures.sheet")
PICTURES = {picture.name: picture for picture in PAGES.pictures()}
SHOWN = {shown.name: shown.picture for _, group in PAGES.GALLERY for shown in group}
GUIDES = ("wide", "panorama", "illusion", "mesh", "splats")
AGAIN = "run docs/make_help_pictures.py"
_IMAGE, _LINK = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)"), re.compile(r"(?<!!)\[[^\]]*\]\(([^)#]+)")


@pytest.mark.parametrize("name", [*PICTURES, *SHOWN])
def test_a_recipe_fits_its_workflows(name: str) -> None:
    picture = PICTURES.get(name) or SHOWN[name]
    assert [fault for tile in picture.runs() for fault in CHECKS.faults(tile)] == []


def test_the_check_finds_what_is_gone() -> None:
    """Another node, input, choice, output and workflow."""
    tile = PICTURES["noise"].runs()[0]
    assert CHECKS.faults(tile) == []
    for change in ("GoneNode.x=1", "SyncTweediesSampler.gone=1", "SyncTweediesSampler.noise=pink"):
        assert len(CHECKS.faults(replace(tile, set=(change,)))) == 1, change
    assert CHECKS.faults(replace(tile, show="9.7")) == ["StitchViews has no output 7"]
    assert CHECKS.faults(replace(tile, show="99.0")) == ["no output 99.0"]
    assert CHECKS.faults(replace(tile, workflow="gone")) == ["no workflow gone"]


@pytest.mark.parametrize("name", [*PICTURES, *SHOWN])
def test_a_file_shows_its_recipe(name: str) -> None:
    help_page = name in PICTURES
    picture, style = (PICTURES[name], SHEET.HELP) if help_page else (SHOWN[name], SHEET.HALL)
    path = (IMAGES if help_page else HALL) / f"{name}.webp"
    assert path.is_file(), f"{AGAIN} {name}"
    with Image.open(path) as kept:
        told = json.loads(SHEET.told(kept))
        assert told["recipe"] == picture.text(), f"{AGAIN} {name}"
        assert kept.width == style.width and path.stat().st_size <= style.most


def test_no_file_is_without_a_recipe() -> None:
    assert {path.stem for path in IMAGES.iterdir()} == set(PICTURES)
    assert {path.stem for path in HALL.iterdir()} == {*SHOWN, *script("make_videos").FILMS}
    assert sum(path.stat().st_size for path in IMAGES.iterdir()) < 2_000_000
    assert not set(PICTURES) & set(SHOWN)


def test_captions_say_what_to_see() -> None:
    for picture in PICTURES.values():
        assert picture.caption.endswith(".") and len(picture.caption) > 20, picture.name
        assert picture.nodes and picture.option, picture.name


@pytest.mark.parametrize("page", sorted(path.stem for path in HELP.glob("*.md")))
def test_help_pages_show_their_pictures(page: str) -> None:
    text = (HELP / f"{page}.md").read_text(encoding="utf-8")
    assert PAGES.with_section(text, PAGES.section(page)) == text, f"{AGAIN} --pages"
    for words, source in _IMAGE.findall(text):
        # The host serves web/docs as it is: other paths are found on GitHub or in the panel, not in both.
        assert re.fullmatch(r"images/\w+\.webp", source) and (HELP / source).is_file() and words and '"' not in words
    wide = [line for line in text.splitlines() if line.startswith("|") and line.count("|") > 3]
    assert wide == [], "three columns are cut by a panel of 240 pixels: write lines"
    for target in _LINK.findall(text):
        assert target.startswith("https://"), f"{target}: a help panel finds no file beside a page"
        if target.startswith(PAGES.HOME):
            assert (ROOT / "docs" / target.removeprefix(PAGES.HOME + "/")).is_file(), target


def test_sections_come_and_go() -> None:
    page = "# A\n\nWhat it does.\n\n## Inputs\n\n| a |\n"
    once = PAGES.with_section(page, PAGES.section("StructureLock"))
    assert "images/lock_level.webp" in once and once.index("## In pictures") < once.index("## Inputs")
    assert PAGES.with_section(once, PAGES.section("StructureLock")) == once
    assert PAGES.with_section(once, "") == page
    with pytest.raises(ValueError, match="## Inputs"):
        PAGES.with_section("# A\n", "")


def test_pages_of_options_and_the_gallery_are_the_scripts() -> None:
    for path, made in ((PAGES.OPTIONS, PAGES.options_page()), (PAGES.GALLERY_PAGE, PAGES.gallery_page())):
        assert path.read_text(encoding="utf-8") == made, f"{AGAIN} --pages"


@pytest.mark.parametrize("name", GUIDES)
def test_guides_name_workflows_and_blueprints_that_are_there(name: str) -> None:
    text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]*) \| ?([^|]*?) ?\| ([^|]*)\|$", text, re.M)
    rows = [row for row in rows if row[0].strip() not in ("you have", "the second reading is seen")]
    assert len(rows) > 2
    for _, blueprint, template in rows:
        named = re.findall(r"`(\w+_\w+)`", template)
        assert all((ROOT / "workflows" / f"{flow}.json").is_file() for flow in named), template
        folder = ROOT / "subgraphs"
        if blueprint and folder.is_dir():
            assert (folder / f"{blueprint} (SyncTweedies).json").is_file(), blueprint
    for _, source in _IMAGE.findall(text):
        assert (ROOT / "docs" / source).resolve().is_file(), source
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"docs/{name}.md" in readme and "docs/gallery.md" in readme and "docs/options.md" in readme


def test_a_sheet_places_tiles_and_refuses_what_is_alike() -> None:
    grey, red = Image.new("RGB", (64, 32), (90, 90, 90)), Image.new("RGB", (64, 32), (200, 30, 30))
    picture = PICTURES["noise"]
    tiles = picture.tiles[:2]
    two = replace(picture, tiles=tiles)
    made = SHEET.drawn(two, [[grey], [red]], SHEET.HELP)
    style = SHEET.HELP
    assert made.size == (style.width, 2 * (style.width // 2 + style.strip))
    assert made.getpixel((10, 10)) == (90, 90, 90)
    assert made.getpixel((10, style.width // 2 + style.strip + 10)) == (200, 30, 30)
    SHEET.refuse_alike(two, [[grey], [red]])
    with pytest.raises(ValueError, match=r"noise: .* look alike"):
        SHEET.refuse_alike(two, [[grey], [grey]])


def host_of(contract: dict[str, Any]) -> dict[str, Any]:
    """What a host tells of our nodes, and of three of its own."""
    listed = {
        kind: {
            group: {
                name: [entry.get("choices", entry["type"]), {k: v for k, v in entry.items() if k == "default"}]
                for name, entry in node["inputs"].items()
                if entry["group"] == group
            }
            for group in ("required", "optional")
        }
        for kind, node in contract.items()
    }
    listed |= {
        "CLIPTextEncode": {"required": {"text": ["STRING", {}], "clip": ["CLIP"]}},
        "SaveImage": {"required": {"images": ["IMAGE"], "filename_prefix": ["STRING", {}]}},
        "PreviewImage": {"required": {"images": ["IMAGE"]}},
    }
    return {kind: {"input": given, "display_name": kind} for kind, given in listed.items()}


def test_a_run_is_cut_down_to_what_is_shown() -> None:
    """Overrides, wires and more nodes are in the prompt, and nothing that the shown output does not need."""
    before = sys.path.count(str(ROOT))
    runs, recipe = script("pictures.runs"), script("pictures.recipe")
    contract = json.loads((ROOT / "tests" / "data" / "node_contract.json").read_text(encoding="utf-8"))
    assert sys.path.count(str(ROOT)) == before, "our nodes would stand before the host's"
    tile = recipe.Tile(
        "",
        set=("SyncTweediesSampler.steps=5", "Prompt.text=snow"),
        wires={"SyncTweediesSampler.visits": "some.0"},
        more={"some": recipe.More("SyncVisits", {"overlap": 0.25}), "unused": recipe.More("SyncVisits")},
        show="8.0",
        workflow="wide_image_checkpoint",
    )
    nodes = runs.prompt_of(tile, host_of(contract)).nodes
    kinds = {body["class_type"] for body in nodes.values()}
    assert "SyncReport" not in kinds and "unused" not in nodes and kinds >= {"StitchViews", "SaveImage", "SyncVisits"}
    (sampler,) = (body["inputs"] for body in nodes.values() if body["class_type"] == "SyncTweediesSampler")
    assert sampler["steps"] == 5 and sampler["visits"] == ["some", 0]
    assert nodes["some"]["inputs"]["policy"] == "turning" and nodes["some"]["inputs"]["overlap"] == 0.25
    assert [body["inputs"]["images"] for body in nodes.values() if body["class_type"] == "SaveImage"] == [["8", 0]]
    grey = runs.prompt_of(replace(tile, show="8.1", mask=True), host_of(contract)).nodes
    assert grey["grey"] == {"class_type": "MaskToImage", "inputs": {"mask": ["8", 1]}}
    with pytest.raises(Exception, match=r"SyncTweediesSampler\.gone"):
        runs.prompt_of(replace(tile, set=("SyncTweediesSampler.gone=1",)), host_of(contract))
