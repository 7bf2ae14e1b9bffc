"""What the Comfy Registry reads: pyproject.toml, pictures, the changelog of a version."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

tomllib = pytest.importorskip("tomllib")
ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
COMFY = PROJECT["tool"]["comfy"]
RAW = PROJECT["project"]["urls"]["Repository"].replace("github.com", "raw.githubusercontent.com") + "/main/"
# What comfy-cli takes; with any other word it drops all of them.
SYSTEMS = ("Microsoft", "POSIX", "MacOS", "OS Independent")
ACCELERATORS = (
    "GPU :: NVIDIA CUDA",
    "GPU :: AMD ROCm",
    "GPU :: Intel Arc",
    "NPU :: Huawei Ascend",
    "GPU :: Apple Metal",
)


@pytest.mark.parametrize("key, size", [("Icon", (400, 400)), ("Banner", (1260, 540))])
def test_pictures_lie_where_the_registry_looks(key, size):
    assert COMFY[key].startswith(RAW)
    with Image.open(ROOT / COMFY[key].removeprefix(RAW)) as picture:
        assert picture.size == size


def test_words_are_those_that_the_registry_takes():
    for classifier in PROJECT["project"]["classifiers"]:
        kind, _, value = classifier.partition(" :: ")
        assert kind != "Environment" or value in ACCELERATORS
        assert kind != "Operating System" or value.startswith(SYSTEMS)
    assert len(PROJECT["project"]["keywords"]) == len(set(PROJECT["project"]["keywords"])) > 8
    assert re.fullmatch(r">=\d+\.\d+\.\d+", COMFY["requires-comfyui"])
    assert len(PROJECT["project"]["description"]) < 200


def test_the_version_has_a_short_changelog():
    said = subprocess.run(
        [sys.executable, ROOT / "docs" / "changelog.py"], capture_output=True, text=True, check=True, encoding="utf-8"
    ).stdout
    assert 100 < len(said) < 1500 and "##" not in said
    missing = subprocess.run(
        [sys.executable, ROOT / "docs" / "changelog.py", "9.9.9"], capture_output=True, text=True, encoding="utf-8"
    )
    assert missing.returncode and "CHANGELOG.md has no section 9.9.9" in missing.stderr
