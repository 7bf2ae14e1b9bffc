"""The shipped workflows, run by run.py on a real host: the very files users open, made smaller with --set."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.demo_runs import run_demo
from PIL import Image

NAMES = (
    "wide_image",
    "wide_image_advanced",
    "wide_image_ksampler",
    "wide_image_checkpoint",
    "wide_image_coherent",
    "wide_image_syncdiffusion",
)
SMALL = (
    "CanonicalSpace.width=160",
    "CanonicalSpace.height=64",
    "ViewRig.width=64",
    "ViewRig.height=64",
    "ViewRig.pixels=32",
    "CheckpointLoaderSimple.ckpt_name=synctweedies_tiny.ckpt",
    "SyncTweediesSampler.steps=6",
    "BasicScheduler.steps=6",
    "KSampler.steps=6",
)

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    return run_demo(NAMES, tmp_path_factory.mktemp("output"), SMALL)


def test_all_succeed_and_name_their_files(made: subprocess.CompletedProcess[str]) -> None:
    assert made.returncode == 0, made.stderr[-3000:]
    files = [Path(line) for line in made.stdout.splitlines()]
    assert all(file.is_file() for file in files)
    assert [name for name in NAMES if not any(file.name.startswith(f"{name}_") for file in files)] == []


@pytest.mark.parametrize("name", NAMES)
def test_pictures_have_the_size_and_the_contrast_of_their_material(
    made: subprocess.CompletedProcess[str], name: str
) -> None:
    file = next(Path(line) for line in made.stdout.splitlines() if Path(line).name.startswith(f"{name}_0"))
    with Image.open(file) as picture:
        assert picture.size == (160, 64)
        pixels = np.asarray(picture.convert("RGB"), dtype=float)
    # A picture that was averaged to mush, or left as noise, has much less or much more.
    assert 15 < pixels.std() < 90
    assert np.abs(np.diff(pixels, axis=1)).mean() < 60


def test_reports_reach_the_user(made: subprocess.CompletedProcess[str]) -> None:
    assert made.stderr.count("seam ratio") == len(NAMES)


def test_model_lora_and_controlnet_draw_a_blueprint(tmp_path: Path) -> None:
    """As shipped: white on blue, and the four teapots where their hints are."""
    done = run_demo(["controlnet_lora_views"], tmp_path, ("SyncTweediesSampler.steps=20",))
    assert done.returncode == 0, done.stderr[-3000:]
    (file,) = (Path(line) for line in done.stdout.splitlines())
    with Image.open(file) as picture:
        assert picture.size == (256, 64)
        pixels = np.asarray(picture.convert("RGB"), dtype=float)
    assert pixels[..., 2].mean() > pixels[..., 0].mean() + 30
    light = pixels.mean(-1)
    teapots = light[20:48].reshape(28, 4, 64)[:, :, 16:48].mean()
    assert teapots > light[:8].mean() + 30
