"""The small model files that workflows name: found, written once, and shown to the host."""

import importlib
import json
import shutil
import sys
from pathlib import Path

import pytest
from syncpack.launcher import small_models
from syncpack.launcher.errors import HostError
from syncpack.launcher.workflow_format import load

ROOT = Path(__file__).resolve().parents[2]
LORA = "synctweedies_tiny_lora.safetensors"


def maker():
    sys.path.append(str(ROOT / "assets"))
    return importlib.import_module("make_small_models")


def test_names_are_found_in_workflows_and_settings():
    workflow = {"nodes": [{"widgets_values": ["synctweedies_tiny.ckpt", "other.safetensors", 3]}, {"text": "a tiny"}]}
    settings = [f"LoraLoader.lora_name={LORA}", "KSampler.steps=3"]
    assert small_models.named_in([workflow], settings) == ["synctweedies_tiny.ckpt", LORA]
    assert small_models.named_in([{"nodes": []}]) == []


def test_no_shipped_workflow_shows_what_random_weights_paint():
    shipped = [load(path) for path in sorted((ROOT / "workflows").glob("*.json"))]
    assert shipped and small_models.named_in(shipped) == []


def test_files_are_written_once_and_the_same_each_time(tmp_path):
    root = tmp_path / "pack"
    (root / "assets").mkdir(parents=True)
    for source in (ROOT / "assets").glob("*small_model*.py"):
        script = shutil.copy(source, root / "assets" / source.name)
    assert small_models.provide(sys.executable, root, []) is None
    folder = small_models.provide(sys.executable, root, [LORA])
    assert folder is not None
    path = folder / "loras" / LORA
    first, stamp = path.read_bytes(), path.stat().st_mtime_ns
    assert small_models.provide(sys.executable, root, [LORA]) == folder
    assert path.stat().st_mtime_ns == stamp, "it is there already"
    script.touch()
    small_models.provide(sys.executable, root, [LORA])
    assert path.stat().st_mtime_ns > stamp and path.read_bytes() == first, "seeded"
    assert [p.name for p in path.parent.iterdir()] == [LORA]


def test_an_unknown_name_is_an_error_in_one_line():
    with pytest.raises(HostError) as caught:
        small_models.provide(sys.executable, ROOT, ["synctweedies_tiny_nothing.ckpt"])
    assert "synctweedies_tiny_nothing.ckpt" in str(caught.value) and "\n" not in str(caught.value)


def test_the_host_is_told_where_they_are(tmp_path):
    config = small_models.paths_config(tmp_path / "models", tmp_path)
    entry = json.loads(config.read_text(encoding="utf-8"))["synctweedies"]
    assert Path(entry.pop("base_path")) == tmp_path / "models"
    assert set(entry) == {folder for folder, _ in maker().FILES.values()}
