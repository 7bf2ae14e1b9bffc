"""No function of the engine takes more than eight things: what belongs together is one value (`Run`, `SamplerCall`)."""

import ast
from collections.abc import Iterator
from pathlib import Path

ENGINE = Path(__file__).parents[2] / "nodes" / "engine"
MOST = 8
# Callbacks whose parameters are the host's, as "file.function", each with a comment where it stands.
DICTATED: frozenset[str] = frozenset()

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def functions(tree: ast.AST) -> Iterator[tuple[str, Function, bool]]:
    """(name, function, whether it is a method that is given its object or class)."""
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                static = any(ast.unparse(d) == "staticmethod" for d in getattr(child, "decorator_list", ()))
                yield getattr(child, "name", "lambda"), child, isinstance(node, ast.ClassDef) and not static


def count(function: Function, bound: bool) -> int:
    given = function.args
    named = len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs)
    return named + (given.vararg is not None) + (given.kwarg is not None) - bound


def long_lists(folder: Path) -> dict[str, int]:
    return {
        f"{file.stem}.{name}": parameters
        for file in sorted(folder.glob("**/*.py"))
        for name, function, bound in functions(ast.parse(file.read_text(encoding="utf-8")))
        if (parameters := count(function, bound)) > MOST
    }


def test_the_engine_has_no_long_parameter_lists():
    assert set(long_lists(ENGINE)) == DICTATED


def test_long_lists_are_found(tmp_path):
    (tmp_path / "a.py").write_text(
        "def eight(a, b, c, d, /, e, *, f, **g): ...\n"
        "def nine(a, b, c, d, /, e, f, *g, h, **i): ...\n"
        "class A:\n"
        "    def bound(self, a, b, c, d, e, f, g, h): ...\n"
        "    @staticmethod\n"
        "    def free(a, b, c, d, e, f, g, h, i): ...\n"
        "    def outer(self):\n"
        "        def inner(a, b, c, d, e, f, g, h, i): ...\n"
        "f = lambda a, b, c, d, e, f, g, h, i: 0\n"
    )
    assert set(long_lists(tmp_path)) == {"a.nine", "a.free", "a.inner", "a.lambda"}
