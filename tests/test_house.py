"""The plan of the house, as ARCHITECTURE.md draws it, held against the source. Nothing is imported, no host is needed.

Floors: ``nodes/<subject> -> nodes/*.py -> nodes/engine -> nodes/host -> renderers -> sync_core``. An arrow is an
import; imports inside functions and those for type checkers count too.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from pathlib import Path

import pytest
from helpers.imports import (
    Import,
    Module,
    attribute_questions,
    circles,
    classes,
    imports,
    kind_questions,
    missing_names,
    module,
    modules,
    own_graph,
    type_questions,
)

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ("sync_core", "renderers", "nodes")
MODULES = modules(ROOT, PRODUCT)

FILES_IN_A_FOLDER, LINES_IN_A_FILE = 20, 330
CROWDED = {"renderers/illusions/warps"}  # one warp a file

# Spaces and where they are at home: there, and only there, code may ask whether something is of that space.
WINGS = ("plane", "panorama", "illusions", "mesh", "splats", "video", "globe")
HOMES = {
    "plane": ("renderers/plane/", "nodes/views/spaces.py"),
    "panorama": ("renderers/panorama/", "nodes/panorama/", "nodes/views/spaces.py"),
    "illusions": ("renderers/illusions/", "nodes/illusions/", "nodes/views/spaces.py"),
    "mesh": ("renderers/mesh/", "nodes/mesh/", "nodes/host/mesh_"),
    "splats": ("renderers/splats/", "nodes/splats/", "nodes/host/splat_"),
    "video": ("renderers/video/", "renderers/globe/", "nodes/video/"),
    "globe": ("renderers/globe/", "nodes/video/"),
}
# Orbits look at objects, meshes and splats alike; RigCamera hands one of its cameras on, ViewBackground is
# about what lies behind the object, and both must insist on them.
ORBITS = ("renderers/cameras/", *HOMES["mesh"], *HOMES["splats"])
ORBITS += ("nodes/views/rig_camera.py", "nodes/views/backgrounds.py")
# Views as maps or walked: one idea in two forms, told apart by sync_core and by the averages of pictures built on it.
FORMS = ("WalkedViews", "WalkedAggregator", "ViewSet", "Aggregator")
# Text encoders have kinds, too, and no space comes near them.
NO_SPACES = ("nodes/models/",)
# Whose kind may be asked: an array's type, a file's format, what a widget wishes, how a parameter is given.
KINDS_OF_OTHERS = {"dtype", "source", "wishes", "parameter"}

# What a wing may use of another, and why.
DOORS = {
    ("panorama", "cameras"): "cameras that only turn",
    ("mesh", "cameras"): "cameras that stand somewhere",
    ("splats", "cameras"): "cameras that stand somewhere",
    ("mesh", "files"): "files are written whole or not at all, and PLY is one format",
    ("splats", "files"): "PLY is one format",
    ("video", "plane"): "frames are planes, and windows on them are a plane's",
    ("globe", "video"): "a 360 video is a video",
    ("globe", "panorama"): "whose frames are spheres",
    ("globe", "cameras"): "cameras that only turn, and directions",
    ("illusions", "panorama"): "a picture read between its pixels, by the same taps as a sphere",
} | {
    (wing, "drawing"): "views are drawn with lines and numbers of one kind"
    for wing in ("cameras", "plane", "panorama", "illusions", "mesh", "splats")
}
# What a subject's nodes may use of another's, and why. All may use views: what nodes of every space have.
SUBJECTS_DOORS = {
    ("viewers", "mesh"): "a mesh is written for the viewer as it is saved",
    ("viewers", "splats"): "where a scene's up points is asked as everywhere",
}
# What is not of one space and knows the wing of one all the same, and why; renderers/scene.py holds the table of wings.
ROOF_DOORS = {("renderers/scene.py", wing): "the table of wings" for wing in WINGS} | {
    ("nodes/saving.py", "panorama"): "a panorama is saved as a photo sphere",
    ("nodes/host/mesh_attributes.py", "mesh"): "the host's MESH",
    ("nodes/host/mesh_socket.py", "mesh"): "the host's MESH",
    ("nodes/host/splat_socket.py", "splats"): "the host's SPLAT",
}
HOST = {"comfy", "comfy_api", "comfy_extras", "comfy_config", "comfy_execution", "folder_paths", "execution", "server"}
HOST |= {"nodes", "latent_preview", "node_helpers", "cli_args", "app", "api_server", "utils", "protocol"}
ALWAYS_THERE = {"torch", "numpy", "PIL"}


def room(name: str) -> str:
    """'renderers.mesh' of 'renderers.mesh.files.load'; 'renderers' and 'nodes' for what lies in them directly."""
    steps = name.split(".")
    if steps[0] == "sync_core":
        return "sync_core"
    return ".".join(steps[:2]) if len(steps) > 2 or MODULES[name].is_package else steps[0]


def floor(name: str) -> int:
    """The higher, the more it may import."""
    here = room(name)
    if name == "nodes":
        return 6  # the list of rooms
    fixed = {"sync_core": 0, "nodes.host": 2, "nodes.engine": 3, "nodes": 4}
    return fixed.get(here, 1 if here.startswith("renderers") else 5)


def own_imports() -> list[tuple[Module, Import]]:
    return [(asking, item) for asking in MODULES.values() for item in imports(asking, MODULES) if item.own]


def said(asking: Module, line: int, text: str) -> str:
    return f"{asking.path}:{line}: {text}"


def test_there_is_a_house() -> None:
    assert len(MODULES) > 150 and len(own_imports()) > 500


def test_no_imports_in_circles() -> None:
    assert circles(own_graph(MODULES)) == []


def test_arrows_go_down() -> None:
    up = [
        said(asking, item.line, item.target)
        for asking, item in own_imports()
        if floor(item.target) > floor(asking.name) and asking.package != item.target
    ]
    assert up == []


def test_imports_name_modules_that_are_there() -> None:
    assert [said(asking, item.line, item.target) for asking, item in own_imports() if item.target not in MODULES] == []


@pytest.mark.parametrize("folder", ["benchmarks", "docs", "assets", "tests"])
def test_scripts_import_what_is_there(folder: str) -> None:
    """Late imports too, which nobody runs into before a benchmark or a rare test."""
    known = MODULES | modules(ROOT, ("launcher", "assets", "benchmarks"))
    found = [
        f"{path.relative_to(ROOT)}:{text}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for text in missing_names(path.read_text(encoding="utf-8"), "syncpack", known)
    ]
    assert found == []


def test_wings_use_each_other_through_listed_doors() -> None:
    used = Counter()
    for asking, item in own_imports():
        here, there = room(asking.name), room(item.target)
        if here != there and here.startswith("renderers.") and there.startswith("renderers."):
            used[here.removeprefix("renderers."), there.removeprefix("renderers.")] += 1
    assert sorted(set(used) - set(DOORS)) == [], "open no door between wings without a reason"
    assert sorted(set(DOORS) - set(used)) == [], "these doors are not used any more: close them"


def test_cameras_and_files_know_no_space() -> None:
    assert not any(here in ("cameras", "files", "drawing") and there in WINGS for here, there in DOORS)


def test_what_serves_all_spaces_knows_none() -> None:
    """renderers/*.py, nodes/host, nodes/engine and nodes/*.py."""
    used = {
        (asking.path, wing)
        for asking, item in own_imports()
        for wing in WINGS
        if room(item.target) == f"renderers.{wing}"
        if room(asking.name) in ("renderers", "nodes.host", "nodes.engine", "nodes")
    }
    assert sorted(used - set(ROOF_DOORS)) == []
    assert sorted(set(ROOF_DOORS) - used) == [], "these doors are not used any more: close them"


def test_subjects_use_each_other_through_listed_doors() -> None:
    used = Counter()
    for asking, item in own_imports():
        here, there = (room(name).removeprefix("nodes.") for name in (asking.name, item.target))
        if here != there and floor(asking.name) == floor(item.target) == 5 and there != "views":
            used[here, there] += 1
    assert sorted(set(used) - set(SUBJECTS_DOORS)) == [], "open no door between subjects without a reason"
    assert sorted(set(SUBJECTS_DOORS) - set(used)) == [], "these doors are not used any more: close them"


def test_only_the_host_room_imports_comfyui() -> None:
    found = [
        said(asking, item.line, item.target)
        for asking in MODULES.values()
        if room(asking.name) != "nodes.host"
        for item in imports(asking, MODULES)
        if not item.own and item.target.split(".")[0] in HOST
    ]
    assert found == []


def test_optional_libraries_are_imported_late() -> None:
    """In functions, or in modules that are themselves imported in functions only."""
    optional = {
        asking.name: item
        for asking in MODULES.values()
        for item in imports(asking, MODULES)
        if not item.own and not item.late and item.target.split(".")[0] not in ALWAYS_THERE | HOST
        if item.target.split(".")[0] not in sys.stdlib_module_names
    }
    at_once = {item.target for _, item in own_imports() if not item.late and not _for_types(_, item)}
    assert [said(MODULES[name], item.line, item.target) for name, item in optional.items() if name in at_once] == []


def _for_types(asking: Module, item: Import) -> bool:
    return item.line in type_checking_lines(asking)


def type_checking_lines(asking: Module) -> set[int]:
    """Lines below ``if TYPE_CHECKING:``."""
    return {
        line
        for node in ast.walk(asking.tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for inner in node.body
        for line in range(inner.lineno, (inner.end_lineno or inner.lineno) + 1)
    }


def test_folders_and_files_are_small() -> None:
    found = Counter(asking.path.rpartition("/")[0] for asking in MODULES.values() if not asking.is_package)
    assert {
        folder: count for folder, count in found.items() if count > FILES_IN_A_FOLDER and folder not in CROWDED
    } == {}
    for top in (*PRODUCT, "launcher"):
        for path in (ROOT / top).rglob("*.py"):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES_IN_A_FILE, path


def own_types() -> dict[str, tuple[str, ...]]:
    """Every class of a space, a rig, a geometry or walked views -> the places where it may be asked for."""
    found: dict[str, tuple[str, ...]] = {
        "Orbit": ORBITS,
        **{name: ("sync_core/", "renderers/picture_means.py") for name in FORMS},
    }
    for wing in WINGS:
        for name in (f"renderers.{wing}.space", f"renderers.{wing}.geometry"):
            found |= {kind: HOMES[wing] for kind in classes(MODULES[name])}
    walks = MODULES.get("renderers.walks")
    found |= {kind: (*HOMES["plane"], *HOMES["panorama"]) for kind in (classes(walks) if walks else ())}
    return found


def test_types_of_every_space_are_known() -> None:
    known = own_types()
    assert {"Plane", "Panorama", "Illusion", "MeshTexture", "SplatColours", "Windows", "Lookout", "Warps"} <= set(known)
    assert {f"{name}Geometry" for name in ("Plane", "Panorama", "Illusion", "Mesh", "Splat")} <= set(known)


def test_a_space_answers_for_itself() -> None:
    """The promise: nobody outside a space's own rooms asks which space it is. A new space touches its own wing, the
    table of wings and its nodes."""
    known = own_types()
    found = [
        said(asking, line, f"asks for {kind}")
        for asking in MODULES.values()
        for line, kind in type_questions(asking, known)
        if not asking.path.startswith(known[kind])
    ]
    homes = {place for places in HOMES.values() for place in places}
    found += [
        said(asking, line, f"decides by {holder}.kind")
        for asking in MODULES.values()
        if not asking.path.startswith((*homes, *NO_SPACES))
        for line, holder in kind_questions(asking, KINDS_OF_OTHERS)
    ]
    found += [
        said(asking, line, f"asks whether there is {name}")
        for asking in MODULES.values()
        if not asking.path.startswith(tuple(homes))
        for line, name in attribute_questions(asking, ("space", "rig", "geometry"))
    ]
    assert found == [], "\n".join(found)


# The searchers themselves, on small made-up sources: a test that cannot fail holds nothing.


def made_up(**sources: str) -> dict[str, Module]:
    """Modules of the package ``a``; 'b__c' is a.b.c, and a package where others lie below it."""
    names = {f"a.{key.replace('__', '.')}": text for key, text in sources.items()}
    packages = {name for name in names for other in names if other.startswith(f"{name}.")}
    return {name: module(name, text, name in packages) for name, text in names.items()}


def test_the_searcher_finds_circles() -> None:
    straight = made_up(x="from .y import f\nimport torch", y="from . import z", z="")
    assert own_graph(straight) == {"a.x": {"a.y"}, "a.y": {"a.z"}, "a.z": set()}
    assert circles(own_graph(straight)) == []
    late = made_up(x="from .y import f", y="from . import z", z="def f():\n    from .x import g")
    assert circles(own_graph(late)) == [["a.x", "a.y", "a.z"]]
    types = made_up(x="from .y import f", y="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .x import g")
    assert circles(own_graph(types)) == [["a.x", "a.y"]]
    around = made_up(b="from .d import f", b__d="from ..e import f", e="from .b.g import f", b__g="")
    assert circles(own_graph(around)) == [["a.b", "a.b.d", "a.e"]], "loading a module loads the package around it"


def test_the_searcher_tells_late_imports() -> None:
    asked = module("a.b.c", "import numba\nfrom ..d import e\ndef f():\n    import scipy.sparse\n    from . import g")
    assert imports(asked, {"a.b.g", "a.d"}) == [
        Import("numba", 1, False, False),
        Import("a.d", 2, True, False),
        Import("scipy.sparse", 4, False, True),
        Import("a.b.g", 5, True, True),
    ]
    guarded = module(
        "a.b", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .c import D\nfrom .e import F"
    )
    assert type_checking_lines(guarded) == {3}


def test_the_searcher_finds_names_that_are_gone() -> None:
    known = made_up(
        b__c="import x\nif x:\n    def here(): pass\nelse:\n    there: int = 3\n(p, q) = 1, 2", b="from .c import here"
    )
    source = (
        "from pack.a.b.c import here, there, p, gone\nfrom pack.a import b, nothing\nimport pack.a.b.z\n"
        "def f():\n    from pack.a.b import here, c, absent\n    from other import thing"
    )
    assert missing_names(source, "pack", known) == ["1: a.b.c.gone", "2: a.nothing", "3: pack.a.b.z", "5: a.b.absent"]


@pytest.mark.parametrize(
    "source",
    [
        "isinstance(x, Mesh)",
        "isinstance(x, mesh.space.Mesh)",
        "not isinstance(x, (int, Mesh))",
        "[y for y in x if isinstance(y, Plane | Mesh)]",
        "issubclass(type(x), Mesh)",
        "type(x) is Mesh",
        "type(x) in (Plane, Mesh)",
        "{Mesh: 1}[type(x)]",
        "match x:\n    case Mesh(size=4):\n        pass",
        "Any3D = Mesh | Splats\ndef f(x):\n    return isinstance(x, Any3D)",
        "from .space import Mesh as M\nisinstance(x, M)",
        "TABLE = {Mesh: 1}\ndef f(x):\n    return TABLE[type(x)]",
    ],
)
def test_the_searcher_finds_questions_of_type(source: str) -> None:
    assert {kind for _, kind in type_questions(module("a", source), {"Mesh"})} == {"Mesh"}


def test_the_searcher_leaves_other_questions_alone() -> None:
    source = "from .space import Mesh\nx: Mesh = Mesh(4)\nisinstance(x, int)\nx == Mesh(4)\ntype(x)\nwings = [Mesh]"
    assert type_questions(module("a", source), {"Mesh"}) == []


@pytest.mark.parametrize(
    "source",
    [
        "x.space.kind == 'mesh'",
        "'mesh' != space.kind",
        "space.kind in ('mesh', 'splats')",
        "space.kind[0] == 'm'",
        "{'mesh': 1}[space.kind]",
        "table.get(space.kind, 1)",
        "space.kind.startswith('m')",
        "match space.kind:\n    case 'mesh':\n        pass",
    ],
)
def test_the_searcher_finds_questions_of_kind(source: str) -> None:
    assert kind_questions(module("a", source), {"dtype"}) == [(1, "space")]
    assert kind_questions(module("a", source.replace("space", "dtype")), {"dtype"}) == []


def test_words_about_a_kind_are_no_questions() -> None:
    assert kind_questions(module("a", "f'a rig of {rig.kind}'\nname = space.kind"), ()) == []


def test_the_searcher_finds_questions_of_attributes() -> None:
    source = (
        "getattr(scene.rig, 'background', None)\nhasattr(space, 'planes')\ngetattr(rig, 'kind', '')\nhasattr(x, 'y')"
    )
    assert attribute_questions(module("a", source), ("rig", "space")) == [(1, "rig.background"), (2, "space.planes")]
