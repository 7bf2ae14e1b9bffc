"""Nodes in other languages: nothing is missing, nothing that is typed or counted is lost, and the files are made."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from types import ModuleType

import pytest
from helpers import hosting, scripts
from syncpack.launcher.workspace import PACK_FOLDER

pytestmark = pytest.mark.host

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return scripts.script("make_locales")


@pytest.mark.parametrize("language", ["zh", "ja", "ko", "fr", "de", "es"])
def test_every_text_is_translated(script: ModuleType, language: str) -> None:
    """If this fails: `.venv/bin/python docs/make_locales.py --missing` lists what to write into the table."""
    assert list(script.faults(language, script.table(language))) == []


def test_the_files_are_what_the_script_writes(script: ModuleType) -> None:
    made = script.files()
    for name, text in made.items():
        assert (ROOT / name).read_text(encoding="utf-8") == text, f"{name}: run docs/make_locales.py"
    there = {p.relative_to(ROOT).as_posix() for top in ("locales", "web/words") for p in (ROOT / top).rglob("*.json")}
    assert there == {name for name in made if not name.startswith("docs/")}


def test_the_scripts_know_the_same_languages(script: ModuleType) -> None:
    listed = re.search(r"LANGUAGES = (\[.*\])", (ROOT / "web/viewer/words.mjs").read_text(encoding="utf-8"))
    assert listed is not None and tuple(json.loads(listed[1])) == script.LANGUAGES


def test_a_fault_is_found(script: ModuleType) -> None:
    """Each kind of fault, made in a table that has none."""
    good = script.table("zh")
    long = next(text for text in good if "4096 is every layer" in text)
    exemplars = next(text for text in good if text.startswith("The exemplar: 64 to 512"))
    kinds = next(text for text in good if text.startswith("windows: rectangles of a plane"))
    broken = {
        "steps": "",
        "seed": "seed",
        "The views.": "{views}。",
        long: good[long].replace("4096", "4069"),
        exemplars: good[exemplars].rstrip("。"),
        kinds: good[kinds].replace("fibonacci", "斐波那契"),
        "A file to come.": "未来的文件。",
    }
    found = "\n".join(script.faults("zh", {**good, **broken}))
    for line in (
        "'steps' has no translation",
        "'seed' is the same in English",
        "'The views.' has one of",
        "lacks the number 4096",
        "has a number that is not there: 4069",
        "does not end as a sentence",
        "lacks fibonacci",
        "no node says 'A file to come.' any more",
    ):
        assert line in found
    assert len(found.splitlines()) == 8


def test_words_that_must_stay(script: ModuleType) -> None:
    text = "Use 'a b' of teapot.glb or sparse/0 with rgb_vae, SyncEdit, LoRAs and #rrggbb; e.g. euler."
    assert script.code_words(text) == {
        *("a b", "teapot.glb", "sparse/0", "rgb_vae", "SyncEdit", "LoRA", "#rrggbb", "euler")
    }
    assert script.code_words("flat: one. two, three: more.", {"flat", "three", "one"}) == {"flat", "three"}
    assert script.numbers("0,5 of 50 000 (image_2, SD3) 4 x 3") == {"0.5", "50.000", "4", "3"}


def test_texts_of_the_scripts_are_found(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "web" / "one").mkdir(parents=True)
    (tmp_path / "web" / "a.js").write_text('const BEFORE = "Run it.";\nthis.button("Go", "Goes (G).", act);\n')
    made = 'const A = {\n  name: "a",\n  hint: `${HINT} · L: light${MORE}`,\n  lost: "It is "\n    + "gone.",\n};\n'
    (tmp_path / "web" / "one" / "b.mjs").write_text(f'export const OLD_HINT = "drag: turn · F: full";\n{made}')
    monkeypatch.setattr(script, "ROOT", tmp_path)
    assert list(script.viewers(str)) == [
        "Run it.",
        "Go",
        "Goes (G).",
        "drag: turn",
        "F: full",
        "L: light",
        "It is gone.",
    ]


def test_what_was_missing_is_taken(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "languages").mkdir()
    monkeypatch.setattr(script, "DOCS", tmp_path)
    lacking = script.missing()
    assert len(lacking["de"]) == len(script.english())
    script.take({"de": {"steps": "Schritte", "seed": ""}})
    assert script.table("de") == {"steps": "Schritte"} and "steps" not in script.missing()["de"]


def test_the_host_serves_them(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the front end asks for them, /i18n: by what a newer host itself makes of a folder of custom nodes."""
    try:
        manager = hosting.host_module("app.custom_node_manager", "comfy.app.custom_node_manager").CustomNodeManager
    except ModuleNotFoundError:
        pytest.skip("this host is older than translations of custom nodes")
    os.symlink(ROOT, tmp_path / PACK_FOLDER)
    folders = hosting.host_module("folder_paths", "comfy.cmd.folder_paths")
    monkeypatch.setattr(folders, "get_folder_paths", lambda kind: [str(tmp_path)])
    served = manager().build_translations()
    assert set(served) >= set(script.LANGUAGES)
    for language in script.LANGUAGES:
        sampler = served[language]["nodeDefs"]["SyncTweediesSampler"]
        assert sampler["inputs"]["steps"]["name"] == script.table(language)["steps"]
        assert served[language]["nodeCategories"]["panorama"] == script.table(language)["panorama"]
