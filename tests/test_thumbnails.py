"""Every workflow has a thumbnail: a result, or the diagram that docs/make_diagrams.py draws of it; never its graph."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.scripts import script
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "workflows"


def coarse(picture: Image.Image) -> np.ndarray:
    """What is left of a picture when edges of letters and a JPG's blocks no longer count, 0 to 255."""
    return np.asarray(picture.convert("RGB").resize((64, 40), Image.Resampling.BOX), float)


def away(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max())


def shows_a_graph(picture: Image.Image) -> bool:
    """The dark grey of the host's canvas covers most of it."""
    pixels = np.asarray(picture.convert("RGB"), int)
    grey = (np.ptp(pixels, axis=-1) < 8) & (pixels.max(-1) > 16) & (pixels.max(-1) < 72)
    return bool(grey.mean() > 0.5)


DIAGRAMS = script("make_diagrams").drawn()


def test_every_workflow_has_a_thumbnail_and_every_thumbnail_a_workflow() -> None:
    names = {kind: {path.stem for path in FOLDER.glob(f"*.{kind}")} for kind in ("json", "jpg")}
    assert names["json"] == names["jpg"]


@pytest.mark.parametrize("name", DIAGRAMS)
def test_a_diagram_is_what_the_script_draws(name: str) -> None:
    make = script("make_diagrams")
    says = script("diagrams.facts").facts(name)
    path = FOLDER / f"{name}.jpg"
    with Image.open(path) as kept:
        assert kept.info.get("comment", b"").decode() == make.MARK + says.text(), f"run docs/make_diagrams.py {name}"
        assert kept.size == (640, 400) and path.stat().st_size < 42_000
        assert away(coarse(kept), coarse(make.diagram(says))) < 14, f"run docs/make_diagrams.py {name}"


def test_diagrams_differ_by_what_they_say() -> None:
    """The comparison above notices another window, another size of views, and other words."""
    make, says = script("make_diagrams"), script("diagrams.facts").facts("method_syncsde")
    drawn = coarse(Image.open(io.BytesIO(make.encoded(says))))
    assert away(drawn, coarse(make.diagram(says))) < 14
    for change in (
        {"offset": 128},
        {"view": (256, 512)},
        {"words": ("make it winter",)},
        {"given": (("picture", "a"),)},
    ):
        assert away(drawn, coarse(make.diagram(replace(says, **change)))) > 20, change


def test_results_are_no_diagrams() -> None:
    mark = script("make_diagrams").MARK.encode()
    marked = [path.stem for path in sorted(FOLDER.glob("*.jpg")) if mark in path.read_bytes()]
    assert marked == DIAGRAMS, "put a name into RESULTS of docs/make_diagrams.py, or run it"


def test_no_thumbnail_shows_a_graph() -> None:
    found = {path.stem for path in FOLDER.glob("*.jpg") if shows_a_graph(Image.open(path))}
    assert found == set()


def test_facts_are_those_that_notes_tell() -> None:
    """Numbers of views, as the notes of the workflows and the README have them."""
    facts = script("diagrams.facts").facts
    told = {"method_synctweedies_wide": 41, "wide_image_syncdiffusion": 13, "method_synctweedies_splats": 50}
    told |= {"method_synctweedies_mesh": 10, "panorama_kontext": 20, "wide_image_deepfloyd": 4, "method_factorized": 2}
    assert {name: facts(name).count for name in told} == told
    assert facts("method_visual_anagrams").words == (
        "an oil painting of a horse",
        "an oil painting of a snowy mountain village",
    )
    assert facts("panorama_instruct").words == ("make it winter, with deep snow",)
    assert facts("method_csd_edit").files == (("model", "instruct-pix2pix-00-22000.safetensors"),)
    assert facts("method_synctweedies_panorama").given == (("depth map", "panorama_depth.png"),)


def test_what_has_no_drawing_is_named() -> None:
    make, says = script("make_diagrams"), script("diagrams.facts").facts("method_visual_anagrams")
    with pytest.raises(ValueError, match="method_visual_anagrams: the warp swirl has no drawing"):
        make.diagram(replace(says, warp="swirl"))
