"""The panorama workflows, run by run.py on a real host: the very files users open, made smaller with --set."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.demo_runs import run_demo
from PIL import Image

NAMES = ("panorama_exemplar", "panorama_edit", "panorama_coherent", "panorama_text")
UPSCALE = "panorama_upscale"
SMALL = (
    "CanonicalSpace.width=128",
    "CanonicalSpace.height=64",
    "ViewRig.width=36",
    "ViewRig.height=36",
    "Whole sphere.steps=5",
    "First run.steps=5",
    "Second run.steps=5",
)
TWO_PASSES = (
    "Coarse sphere.width=64",
    "Coarse sphere.height=32",
    "Coarse views.width=24",
    "Coarse views.height=24",
    "First pass, coarse.steps=5",
    "ImageScale.width=128",
    "ImageScale.height=64",
    "Sphere.width=128",
    "Sphere.height=64",
    "Views.width=36",
    "Views.height=36",
    "Second pass, twice the size.steps=8",
)

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    return run_demo(NAMES, tmp_path_factory.mktemp("output"), SMALL)


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    return run_demo([UPSCALE], tmp_path_factory.mktemp("output"), TWO_PASSES)


@pytest.mark.parametrize("name", [*NAMES, UPSCALE])
def test_photo_spheres_of_the_material(
    made: subprocess.CompletedProcess[str], twice: subprocess.CompletedProcess[str], name: str
) -> None:
    made = twice if name == UPSCALE else made
    assert made.returncode == 0, made.stderr[-3000:]
    file = next(Path(line) for line in made.stdout.splitlines() if Path(line).name.startswith(f"{name}_0"))
    assert file.suffix == ".jpg" and b'GPano:FullPanoWidthPixels="128"' in file.read_bytes()
    with Image.open(file) as picture:
        assert picture.size == (128, 64)
        pixels = np.asarray(picture.convert("RGB"), dtype=float)
    assert 15 < pixels.std() < 90
    # Left and right edge are neighbours: no larger step between them than between any other columns.
    steps = np.abs(np.diff(pixels, axis=1)).mean((0, 2))
    assert np.abs(pixels[:, 0] - pixels[:, -1]).mean() < 2 * steps.max()


def test_the_edit_changes_the_ground_alone(made: subprocess.CompletedProcess[str]) -> None:
    """The wall is stone and grey-brown; the meadow below is green."""
    file = next(Path(line) for line in made.stdout.splitlines() if Path(line).name.startswith("panorama_edit_0"))
    with Image.open(file) as picture:
        pixels = np.asarray(picture.convert("RGB"), dtype=float)
    green = pixels[..., 1] - pixels[..., [0, 2]].mean(-1)
    assert green[-16:].mean() > green[:32].mean() + 10
