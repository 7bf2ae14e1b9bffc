"""What texts say about the tree: files that they name are there, and nothing is named that a reader cannot open."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("sync_core", "renderers", "nodes", "launcher", "benchmarks", "assets", "docs", "tests", "web")
_MADE = {"__pycache__", "node_modules"}

FILES = {
    path.relative_to(ROOT).as_posix()
    for top in (*FOLDERS, ".ci", "workflows")
    for path in (ROOT / top).rglob("*")
    if path.is_file() and not _MADE & set(path.parts)
} | {path.name for path in ROOT.iterdir() if path.is_file()}
SOURCES = sorted(
    name for name in FILES if name.endswith((".py", ".mjs", ".js")) and name not in ("tests/test_words.py",)
)
PAGES = sorted(name for name in FILES if name.endswith(".md"))

# Not ours: libraries and the host.
OTHERS = {"three.js", "main.py", "nodes.py", "comfyui_version.py"}
_FILE = re.compile(r"[\w./-]*\w\.(?:py|mjs|js|md)\b")
# Texts, checks and sections that lie outside this repository.
_ELSEWHERE = re.compile(r"\b(?:methods|design|apps|evaluation notes)\.? \d|\([TK]\d+[,)]")
_PATH = re.compile(r"`([\w./*<>-]+)`")


def is_there(name: str) -> bool:
    """Whether a file or folder has this path, or a path that ends so; * stands for any name."""
    ending = re.escape(re.sub(r"^(?:\.{1,2}/)+", "", name).strip("/")).replace(r"\*", "[^/]*")
    pattern = re.compile(f"(?:.*/)?{ending}(?:/.*)?")
    return any(map(pattern.fullmatch, FILES))


def words_of(source: str, python: bool) -> list[tuple[int, str]]:
    """(line, text) of comments and docstrings."""
    if not python:
        return [(n, line.partition("//")[2]) for n, line in enumerate(source.splitlines(), 1) if "// " in line]
    found = [
        (token.start[0], token.string)
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node, clean=False)
            if text is not None:
                first = node.body[0].lineno
                found += [(first + n, line) for n, line in enumerate(text.splitlines())]
    return sorted(found)


def strangers(name: str, source: str) -> list[str]:
    """Files that comments name and that are not there, and references to texts that are not here."""
    found = []
    for line, text in words_of(source, name.endswith(".py")):
        missing = [file for file in _FILE.findall(text) if file not in OTHERS and not is_there(file)]
        # Tests number their checks, and say what each is.
        numbers = [] if name.startswith("tests/") else _ELSEWHERE.findall(text)
        found += [f"{name}:{line}: {word}" for word in (*missing, *numbers)]
    return found


def test_comments_name_files_that_are_there() -> None:
    found = [text for name in SOURCES for text in strangers(name, (ROOT / name).read_text(encoding="utf-8"))]
    assert found == [], "\n".join(found)


@pytest.mark.parametrize("page", PAGES)
def test_pages_name_files_that_are_there(page: str) -> None:
    """In backquotes: folders and files of ours; and the targets of links."""
    text = (ROOT / page).read_text(encoding="utf-8")
    if page == "CHANGELOG.md":
        pytest.skip("tells what was")
    ours = (*FOLDERS, ".ci", "workflows")
    named = {name for name in _PATH.findall(text) if name.partition("/")[0] in ours or _FILE.fullmatch(name)}
    named |= {link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link}
    missing = sorted(name for name in named if not re.search("[<>]", name) and not is_there(name))
    assert missing == []


def test_the_page_lists_the_questions_of_a_geometry() -> None:
    """All of them, by their names, and the wings of the table."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = page.partition("## How a space plugs in")[2].partition("\n## ")[0]
    tree = ast.parse((ROOT / "renderers" / "geometry.py").read_text(encoding="utf-8"))
    geometry = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Geometry")
    questions = [node.name for node in geometry.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"]
    assert [name for name in questions if not re.search(rf"\b{name}\b", section)] == []
    table = re.search(
        r"^WINGS.*= \((.*)\)$", (ROOT / "renderers" / "scene.py").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert table is not None and f"WINGS = ({table[1]})" in section


def test_the_searcher_finds_what_is_gone() -> None:
    source = '"""See ``gone_away.py`` and sync_core/views.py (apps 6.2)."""\nx = 1  # as in methods.md K6\n# (T5, K9)\n'
    found = strangers("nodes/engine/made_up.py", source)
    assert [text.rpartition(": ")[2] for text in found] == ["gone_away.py", "apps 6", "methods.md", "(T5,"]
    assert strangers("nodes/engine/made_up.py", '"""``run.py``, renderers/scene.py, three.js."""') == []
    assert strangers("web/made_up.js", "// see gone.mjs\nconst a = 1;  // viewer/gl.mjs") == [
        "web/made_up.js:1: gone.mjs"
    ]
    assert is_there("renderers/*.py") and not is_there("renderers/*.js")
