"""The illusion workflows, run by run.py on a real host: the very files users open, made smaller with --set."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.demo_runs import run_demo
from PIL import Image

EXEMPLAR = ("illusion_flip_exemplar", "illusion_hybrid", "illusion_inner_circle")
NAMES = (*EXEMPLAR, "illusion_latent_checkpoint")
SHORT = {name: name.removesuffix("_exemplar") for name in EXEMPLAR}
SMALL = (
    "CanonicalSpace.width=64",
    "CanonicalSpace.height=64",
    "SyncTweediesSampler.steps=6",
    "IllusionFrames.count=4",
    "IllusionFrames.hold=1",
    "IllusionPreview.count=3",
)

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    return run_demo(NAMES, tmp_path_factory.mktemp("output"), SMALL)


def files(made: subprocess.CompletedProcess[str], begins: str) -> list[Path]:
    found = sorted(Path(line) for line in made.stdout.splitlines() if Path(line).name.startswith(begins))
    assert found, f"no file {begins}* in {made.stdout}"
    return found


def pixels(file: Path) -> np.ndarray:
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB"), dtype=float)


@pytest.mark.parametrize("name", EXEMPLAR)
def test_pictures_have_the_size_and_the_contrast_of_their_material(
    made: subprocess.CompletedProcess[str], name: str
) -> None:
    assert made.returncode == 0, made.stderr[-3000:]
    picture = pixels(files(made, f"{SHORT[name]}_0")[0])
    assert picture.shape == (64, 64, 3) and 15 < picture.std() < 90


def test_readings_are_one_picture(made: subprocess.CompletedProcess[str]) -> None:
    """The saved readings are the picture, turned; and the low part of the hybrid."""
    whole, first, second = (
        pixels(file) for file in (files(made, "illusion_flip_0")[0], *files(made, "illusion_flip_readings_0"))
    )
    assert np.array_equal(whole, first) and np.array_equal(np.rot90(whole, -1), second)
    near, far = (pixels(file) for file in files(made, "illusion_hybrid_readings_0"))
    steps = [np.abs(np.diff(reading, axis=1)).mean() for reading in (near, far)]
    assert steps[1] < 0.75 * steps[0] and np.abs(near.mean((0, 1)) - far.mean((0, 1))).max() < 3


def test_the_readings_follow_their_prompts(made: subprocess.CompletedProcess[str]) -> None:
    """Bark is cut from top to bottom, a wall has courses: across the picture there is more change than along it."""
    upright = pixels(files(made, "illusion_flip_0")[0]).mean(-1)
    across, along = np.abs(np.diff(upright, axis=1)).mean(), np.abs(np.diff(upright, axis=0)).mean()
    assert across > 1.1 * along


def test_films_go_there_and_back(made: subprocess.CompletedProcess[str]) -> None:
    with Image.open(files(made, "illusion_flip_film")[0]) as film:
        assert film.format == "WEBP" and film.n_frames >= 6 and film.size == (64, 64)


def test_the_latent_model_averages_pictures(made: subprocess.CompletedProcess[str]) -> None:
    """Its readings are one picture too: the second is the first upside down."""
    first, second = (pixels(file) for file in files(made, "illusion_checkpoint_readings_0"))
    assert np.array_equal(first[::-1], second) and first.std() > 5


def test_reports_reach_the_user(made: subprocess.CompletedProcess[str]) -> None:
    assert made.stderr.count("reading 0 (") == made.stderr.count("reading 1 (") == len(NAMES)
