"""Blueprints run: placed between a loader and savers, opened by run.py, on a real host."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.blueprints import NAMES, PACK, placed
from helpers.demo_runs import run_demo
from PIL import Image

pytestmark = pytest.mark.host

SMALL = {
    "Panorama from Words": {"width": 192},
    "Panorama from a Picture": {"width": 192},
    "Wide or Tileable Image": {"width": 128, "tile_x": True},
    "Restyle a Picture": {"width": 96},
    "Restyle a Panorama": {"width": 192},
    "Restyle a Video": {"width": 64},
    "Two Readings in one Picture": {"turn": "rotate_180"},
    "Texture a Mesh from Words": {"texture_size": 128},
    "Texture a Mesh from a Material": {"texture_size": 128, "view_size": 48},
    "Restyle a Mesh": {"texture_size": 128},
    "Restyle Splats": {"view_size": 48},
    "Recolour Splats": {"view_size": 48},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    folder = tmp_path_factory.mktemp("blueprints")
    files = []
    for name in NAMES:
        short = name.removesuffix(PACK)
        workflow = placed(
            name, without=("control_net",) if short == "Restyle Splats" else (), quality="draft", **SMALL[short]
        )
        for node in workflow["nodes"]:
            if node["id"] >= 10:
                node["widgets_values"][0] = f"{short}/{node['widgets_values'][0]}"
        files.append(folder / f"{short}.json")
        files[-1].write_text(json.dumps(workflow), encoding="utf-8")
    changes = (
        "MeshTurntable.frames=2",
        "SplatTurntable.frames=2",
        "Turntable after.frames=2",
        "IllusionFrames.count=2",
    )
    changes += ("MeshTurntable.width=96", "MeshTurntable.height=96", "IllusionFrames.hold=0", "Turntable.frames=2")
    return run_demo([str(file) for file in files], folder, changes), folder


def picture(made: tuple[subprocess.CompletedProcess[str], Path], name: str, output: str) -> np.ndarray:
    done, folder = made
    assert done.returncode == 0, [line for line in done.stderr.splitlines() if "rror" in line]
    file = sorted((folder / name).glob(f"{output}_*.png"))[0]
    with Image.open(file) as found:
        return np.asarray(found.convert("RGB"), dtype=float)


@pytest.mark.parametrize(
    "name, output, size",
    [
        ("Panorama from Words", "image", (96, 192)),
        ("Panorama from a Picture", "image", (96, 192)),
        ("Wide or Tileable Image", "image", (64, 128)),
        ("Restyle a Picture", "image", (96, 96)),
        ("Restyle a Panorama", "image", (96, 192)),
        ("Restyle a Video", "video", (64, 64)),
        ("Two Readings in one Picture", "readings", (64, 64)),
        ("Texture a Mesh from Words", "texture", (128, 128)),
        ("Texture a Mesh from a Material", "texture", (128, 128)),
        ("Restyle a Mesh", "turntable", (96, 96)),
        ("Restyle Splats", "turntable", (320, 320)),
        ("Recolour Splats", "turntable", (320, 320)),
    ],
)
def test_each_makes_what_it_says(made, name, output, size):
    pixels = picture(made, name, output)
    assert pixels.shape[:2] == size
    assert 8 < pixels.std() < 110


def test_files_of_objects_are_saved(made):
    _, folder = made
    assert [name for name in SMALL if "Mesh" in name and not list((folder / name).glob("mesh_*.glb"))] == []
    assert [name for name in SMALL if "Splats" in name and not list((folder / name).glob("splats_*.ply"))] == []


def test_the_front_is_the_picture(made):
    """The meadow, green, in the middle; words made the sky above and behind."""
    pixels = picture(made, "Panorama from a Picture", "image")
    front, behind = pixels[40:56, 88:104], pixels[16:40, :16]
    assert front[..., 1].mean() > front[..., 2].mean() + 20
    assert behind[..., 2].mean() > behind[..., 0].mean() + 20


def test_the_tile_meets_itself(made):
    pixels = picture(made, "Wide or Tileable Image", "image")
    across = np.abs(pixels[:, 0] - pixels[:, -1]).mean()
    assert across < 2 * np.abs(np.diff(pixels, axis=1)).mean()
