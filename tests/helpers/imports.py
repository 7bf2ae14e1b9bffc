"""What the modules of a package import and what they ask of types, read from their source; nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Module:
    """``name``: dotted, from the pack's root, a package's own name for its __init__. ``package``: where its relative
    imports begin."""

    name: str
    tree: ast.Module
    lines: int
    is_package: bool = False

    @property
    def package(self) -> str:
        return self.name if self.is_package else self.name.rpartition(".")[0]

    @property
    def path(self) -> str:
        return self.name.replace(".", "/") + ("/__init__.py" if self.is_package else ".py")


@dataclass(frozen=True)
class Import:
    """``target``: dotted; of the pack's own modules (``own``) or of another library. ``late``: inside a function."""

    target: str
    line: int
    own: bool
    late: bool


def module(name: str, source: str, is_package: bool = False) -> Module:
    return Module(name, ast.parse(source), source.count("\n") + 1, is_package)


def modules(root: Path, tops: Iterable[str]) -> dict[str, Module]:
    """Every module below the folders ``tops`` of ``root``, by name."""
    found: dict[str, Module] = {}
    for top in tops:
        for path in sorted((root / top).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            found[name] = module(name, path.read_text(encoding="utf-8"), is_package)
    return found


def imports(asking: Module, known: Collection[str]) -> list[Import]:
    """What a module imports: also late, for type checkers, and by importlib, as far as the name is written there.
    ``known``: names of own modules."""
    late = {
        inner
        for function in ast.walk(asking.tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(function)
    }
    found: list[Import] = []
    for node in ast.walk(asking.tree):
        if isinstance(node, ast.Import):
            found += [Import(name.name, node.lineno, False, node in late) for name in node.names]
        elif isinstance(node, ast.Call) and _is_import(node):
            found.append(Import(_beginning(node.args[0]), node.lineno, False, node in late))
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.append(Import(node.module or "", node.lineno, False, node in late))
        elif isinstance(node, ast.ImportFrom):
            steps = asking.package.split(".")
            begin = ".".join(steps[: len(steps) - node.level + 1])
            begin = ".".join(filter(None, (begin, node.module)))
            for name in node.names:
                inner = f"{begin}.{name.name}"
                found.append(Import(inner if inner in known else begin, node.lineno, True, node in late))
    return found


def _is_import(call: ast.Call) -> bool:
    return bool(call.args) and ast.unparse(call.func) in ("importlib.import_module", "import_module", "__import__")


def _beginning(text: ast.expr) -> str:
    """A text, or what a formatted one begins with; '' for anything else."""
    part = text.values[0] if isinstance(text, ast.JoinedStr) and text.values else text
    return part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else ""


def own_graph(found: Mapping[str, Module]) -> dict[str, set[str]]:
    """For each module the own modules that must be loaded for it: those it imports, and the packages around them but
    for the packages it lies in itself."""
    graph: dict[str, set[str]] = {}
    for name, asking in found.items():
        around = {".".join(name.split(".")[:n]) for n in range(1, name.count(".") + 1)}
        wanted: set[str] = set()
        for item in imports(asking, found):
            if item.own:
                steps = item.target.split(".")
                wanted |= {".".join(steps[:n]) for n in range(1, len(steps))} - around - {name} | {item.target}
        graph[name] = wanted & set(found)
    return graph


def circles(graph: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Groups of names that reach each other, each sorted."""
    reached = {name: _reached(graph, name) for name in graph}
    groups = {frozenset({name, *(m for m in reached[name] if name in reached.get(m, ()))}) for name in graph}
    return sorted(sorted(group) for group in groups if len(group) > 1 or next(iter(group)) in graph[next(iter(group))])


def _reached(graph: Mapping[str, Collection[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph.get(name, ())
    return found


def classes(asked: Module) -> list[str]:
    """Names of the classes that a module defines at its top."""
    return [node.name for node in asked.tree.body if isinstance(node, ast.ClassDef)]


def names_of(asked: Module) -> set[str]:
    """What can be imported from a module: all that is bound at its top, in branches too."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(asked.tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {name.asname or name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        waiting += ast.iter_child_nodes(node)
    return found


def missing_names(source: str, alias: str, known: Mapping[str, Module]) -> list[str]:
    """What a script imports from the pack under the name ``alias`` and what is not there: 'line: module.name'."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == alias:
            name = (node.module or "").partition(".")[2]
            for item in node.names:
                inner = f"{name}.{item.name}".lstrip(".")
                if inner not in known and (name not in known or item.name not in names_of(known[name])):
                    found.append(f"{node.lineno}: {inner}")
        elif isinstance(node, ast.Import):
            found += [
                f"{node.lineno}: {item.name}"
                for item in node.names
                if item.name.startswith(f"{alias}.") and item.name.partition(".")[2] not in known
            ]
    return found


def type_questions(asked: Module, types: Collection[str]) -> list[tuple[int, str]]:
    """(line, type) wherever a module asks whether a value is of one of the ``types``: isinstance and issubclass, also
    of tuples and unions and of names for those; patterns of ``match``; ``type(x) is``; tables looked up by ``type(x)``.
    """
    named = _unions(asked.tree, types)
    found: list[tuple[int, str]] = []
    for node in ast.walk(asked.tree):
        places: list[ast.AST] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 2:
            if node.func.id in ("isinstance", "issubclass"):
                places = [node.args[1]]
        elif isinstance(node, ast.MatchClass):
            places = [node.cls]
        elif isinstance(node, ast.Compare) and any(map(_is_type_call, (node.left, *node.comparators))):
            places = [node.left, *node.comparators]
        elif isinstance(node, ast.Subscript) and _is_type_call(node.slice):
            places = [node.value]
        for place in places:
            for inner in ast.walk(place):
                name = (
                    inner.id if isinstance(inner, ast.Name) else inner.attr if isinstance(inner, ast.Attribute) else ""
                )
                found += [(node.lineno, kind) for kind in named.get(name, ())]
    return sorted(set(found))


def _unions(tree: ast.Module, types: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Which of the types a name stands for: itself, or those in a union, tuple or table given to it, or another name
    it is imported under."""
    named = {kind: (kind,) for kind in types}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for name in node.names:
                if name.asname and name.name in types:
                    named[name.asname] = (name.name,)
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and not isinstance(node.value, ast.Call)
        ):
            inside = [inner.id for inner in ast.walk(node.value) if isinstance(inner, ast.Name)]
            kinds = tuple(kind for name in inside for kind in named.get(name, ()))
            if kinds:
                named[node.targets[0].id] = kinds
    return named


def _is_type_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "type"


def kind_questions(asked: Module, but_of: Collection[str]) -> list[tuple[int, str]]:
    """(line, holder) wherever something is decided by ``holder.kind``: compared, matched, or looked up in a table.
    ``but_of``: holders that may be asked."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(asked.tree):
        for place in _deciding(node):
            for inner in ast.walk(place):
                if isinstance(inner, ast.Attribute) and inner.attr == "kind":
                    found.append((inner.lineno, ast.unparse(inner.value).rpartition(".")[2]))
    return sorted({entry for entry in found if entry[1] not in but_of})


def _deciding(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare):
        yield from (node.left, *node.comparators)
    elif isinstance(node, ast.Match):
        yield node.subject
    elif isinstance(node, ast.Subscript):
        yield node.slice
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        yield from node.args if node.func.attr in ("get", "startswith", "endswith") else ()
        if node.func.attr in ("startswith", "endswith"):
            yield node.func.value


def attribute_questions(asked: Module, of: Collection[str]) -> list[tuple[int, str]]:
    """(line, 'holder.name') wherever hasattr or getattr finds out whether something that is called one of ``of`` has an
    attribute. Its kind may be asked, for messages."""
    return [
        (node.lineno, f"{holder}.{node.args[1].value}")
        for node in ast.walk(asked.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("hasattr", "getattr")
        if len(node.args) > 1 and isinstance(node.args[1], ast.Constant) and node.args[1].value != "kind"
        if (holder := ast.unparse(node.args[0]).rpartition(".")[2]) in of
    ]
