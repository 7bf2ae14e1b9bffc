"""The committed exemplar pictures are what the script paints, and they tile; the scene of splats is its script's."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from syncpack.assets.make_exemplars import EXEMPLARS, main
from syncpack.assets.make_splats import FILE, ROW, scene
from syncpack.renderers.splats.files.load_save import load_splats

FOLDER = Path(__file__).resolve().parents[2] / "assets"
each = pytest.mark.parametrize("exemplar", EXEMPLARS, ids=lambda exemplar: exemplar.name)


def stored(name: str) -> np.ndarray:
    with Image.open(FOLDER / f"{name}.png") as picture:
        return np.asarray(picture)


def seam_ratio(picture: np.ndarray, axis: int) -> float:
    """Mean step across the wrap over the mean step inside, along ``axis``."""
    step = np.abs(picture - np.roll(picture, 1, axis)).mean(axis=(1 - axis, 2))
    return float(step[0] / step[1:].mean())


@each
def test_file_is_a_small_rgb_png_of_the_declared_size(exemplar):
    path = FOLDER / f"{exemplar.name}.png"
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.mode == "RGB"
        assert picture.size == (exemplar.size, exemplar.size)
    assert path.stat().st_size < 150_000


def test_folder_holds_the_listed_pictures_only():
    assert {path.stem for path in FOLDER.glob("*.png")} == {exemplar.name for exemplar in EXEMPLARS}


@each
def test_script_paints_what_is_committed(exemplar):
    """Another libm may move a border by a pixel, another seed moves everything (40 to 70 grey levels)."""
    difference = np.abs(exemplar.paint().astype(int) - stored(exemplar.name).astype(int))
    assert difference.mean() < 1.0
    assert (difference > 8).mean() < 0.02


@each
@pytest.mark.parametrize("axis", (0, 1))
def test_picture_is_periodic(exemplar, axis):
    picture = stored(exemplar.name).astype(float)
    assert seam_ratio(picture, axis) <= 1.3
    trimmed = picture[10:-10, 10:-10]
    assert seam_ratio(trimmed, axis) > 1.5, "the measure does not see a seam that is there"


@each
def test_picture_is_rich_and_stationary(exemplar):
    """Contrast that survives a mean over 3 px, quarters whose mean colours agree: neither noise nor scene."""
    picture = stored(exemplar.name).astype(float)
    block = picture.reshape(exemplar.size // 3, 3, exemplar.size // 3, 3, 3).mean((1, 3))
    assert block.mean(-1).std() > 20
    half = exemplar.size // 2
    quarters = picture.reshape(2, half, 2, half, 3).mean((1, 3)).reshape(4, 3)
    assert np.abs(quarters - quarters.mean(0)).max() < 0.2 * picture.std((0, 1)).max()


def test_script_writes_the_named_pictures_to_a_folder(tmp_path, capsys):
    main(["bricks", "--output", str(tmp_path)])
    assert [path.name for path in tmp_path.iterdir()] == ["bricks.png"]
    assert capsys.readouterr().out.split() == [str(tmp_path / "bricks.png")]
    with Image.open(tmp_path / "bricks.png") as again:
        assert np.abs(np.asarray(again).astype(int) - stored("bricks").astype(int)).mean() < 1.0


def test_script_refuses_an_unknown_name(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["sandstone", "--output", str(tmp_path)])
    assert "unknown exemplar sandstone" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# The scene of splats


def test_script_builds_the_committed_scene():
    """Another libm may swap a few splats; another shape moves all of them."""
    stored_rows = np.fromfile(FILE, ROW)
    rows = scene()
    assert 0.99 < len(rows) / len(stored_rows) < 1.01
    known = {row.tobytes() for row in np.round(stored_rows["position"], 4)}
    found = [row.tobytes() in known for row in np.round(rows["position"], 4)]
    assert np.mean(found) > 0.97
    assert np.abs(rows["colour"].mean(0) - stored_rows["colour"].mean(0)).max() < 1


def test_the_scene_is_small_and_plain():
    path = FOLDER / "lighthouse.splat"
    splats = load_splats(path)
    assert 20_000 <= len(splats) <= 50_000 and path.stat().st_size < 1_000_000
    assert float(splats.opacities.min()) > 0.9 and 0.9 < splats.radius < 1.2
    # Colours of very different parts: bands, rock, grass, lamp.
    assert float(splats.colours.std(0).min()) > 0.1
