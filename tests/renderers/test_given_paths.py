"""Files that other nodes name: a path linked into the nodes that load files."""

import asyncio
import os

import pytest
from helpers.hosting import host, host_module
from helpers.mesh_files import quad_glb
from syncpack.nodes.files import given_file, input_file, list_files
from syncpack.nodes.links import links_fit
from syncpack.nodes.mesh.file_nodes import SyncTweediesLoadMesh
from syncpack.nodes.splats.file_nodes import SyncTweediesLoadSplats

pytestmark = pytest.mark.host

LOADERS = (SyncTweediesLoadMesh, SyncTweediesLoadSplats)


def written(folders, *names):
    for name in names:
        (folders / name).parent.mkdir(parents=True, exist_ok=True)
        quad_glb().write(folders / name)


def test_a_path_may_lie_in_any_of_the_hosts_folders(folders):
    written(folders, "input/3d/a.glb", "output/SyncTweedies/b.glb", "temp/c.glb")
    for name, kind in (("3d/a.glb", "input"), ("SyncTweedies/b.glb", "output"), ("c.glb", "temp")):
        for path in (name, f"{name} [{kind}]", str(folders / kind / name), f" {name} "):
            assert given_file(path) == ((folders / kind / name).resolve(), (folders / kind).resolve())


@pytest.mark.parametrize(
    "path, said",
    [
        ("", "the path is empty"),
        ("  ", "the path is empty"),
        ("/etc/passwd", "outside of ComfyUI's input and output and temp folders"),
        ("../secret.glb", "outside of"),
        ("gone.glb", "there is no file 'gone.glb'"),
        ("a.glb [temp]", "there is no file 'a.glb [temp]' in ComfyUI's temp folder"),
        ("a\0.glb", "outside of"),
        ("a" * 5000, "there is no file 'aaa"),
        ("twice.glb", "'twice.glb' is in input and output"),
    ],
)
def test_other_paths_are_refused_in_a_line(folders, path, said):
    (folders / "secret.glb").write_bytes(b"x")
    written(folders, "input/a.glb", "input/twice.glb", "output/twice.glb")
    with pytest.raises(ValueError) as caught:
        given_file(path)
    assert said in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 500
    assert given_file("twice.glb [output]")[1].name == "output"


def test_a_loader_takes_the_path_instead_of_its_list(folders):
    written(folders, "output/x/b.glb")
    values = {n: o.get("default", k[0]) for n, (k, o) in SyncTweediesLoadMesh.INPUT_TYPES()["required"].items()}
    _, report = SyncTweediesLoadMesh().load(**values | {"file": "(none)", "path": "x/b.glb"})
    assert report.startswith("b: 4 vertices")
    before = SyncTweediesLoadMesh.IS_CHANGED(file="(none)", path="x/b.glb")
    (folders / "output/x/b.glb").write_bytes(b"other")
    assert SyncTweediesLoadMesh.IS_CHANGED(file="(none)", path="x/b.glb") != before
    with pytest.raises(ValueError, match=r"^SyncTweediesLoadMesh: the path is empty"):
        SyncTweediesLoadMesh().load(**values | {"path": ""})


@pytest.mark.parametrize("node", LOADERS)
def test_what_is_linked_is_not_known_before_the_run(folders, node):
    """The host hands None for a link."""
    name = node.INPUT_TYPES()["required"]["file"][0][0]
    assert node.VALIDATE_INPUTS(file=None) is True and node.VALIDATE_INPUTS(file="(none)", path=None) is True
    assert node.VALIDATE_INPUTS(file=name) is True and "gone" in node.VALIDATE_INPUTS(file="gone.glb")
    for values in ({"file": None}, {"file": name, "path": None}, {"file": None, "path": None}):
        assert isinstance(node.IS_CHANGED(**values), str)


@pytest.mark.parametrize("node", LOADERS)
def test_links_of_other_types_are_still_refused(node):
    assert node.VALIDATE_INPUTS(file=None, input_types={"file": "STRING"}) is True
    assert "file takes COMBO" in node.VALIDATE_INPUTS(file=None, input_types={"file": "IMAGE"})
    assert "path takes STRING" in node.VALIDATE_INPUTS(path=None, input_types={"path": "IMAGE"})
    assert links_fit(node, {"path": "INT,STRING"}) == links_fit(node, {"path": "*"}) == links_fit(node, None) == ""
    assert links_fit(node, {"file": ["a", "b"]}) == links_fit(node, {"file": "COMFY_MATCHTYPE_V3"}) == ""
    assert "file takes" in links_fit(node, {"file": "STRING"})


def test_links_that_lead_outside_are_not_offered(folders):
    written(folders, "elsewhere/a.glb", "elsewhere/more/b.glb", "input/real.glb", "input/3d/c.glb")
    (folders / "input" / "out.glb").symlink_to(folders / "elsewhere" / "a.glb")
    (folders / "input" / "in.glb").symlink_to(folders / "input" / "real.glb")
    (folders / "input" / "3d" / "more").symlink_to(folders / "elsewhere" / "more")
    (folders / "input" / "gone.glb").symlink_to(folders / "input" / "nothing.glb")
    (folders / "input" / "circle.glb").symlink_to(folders / "input" / "circle.glb")
    offered = list_files((".glb",))
    assert offered == ["3d/c.glb", "in.glb", "real.glb"]
    assert all(input_file(name).is_file() for name in offered)
    for name in ("out.glb", "3d/more/b.glb", "gone.glb", "circle.glb"):
        with pytest.raises(ValueError, match=r"outside of|is not in|is no name"):
            input_file(name)


def test_names_from_windows_are_found(folders):
    written(folders, "input/3d/a.glb")
    assert input_file("3d\\a.glb") == (folders / "input/3d/a.glb").resolve()
    with pytest.raises(ValueError, match=r"outside of|is not in"):
        input_file("3d\\..\\..\\a.glb")
    assert host.folder_of("input") == str(folders / "input")


@pytest.mark.skipif("COMFYUI_DIR" not in os.environ, reason="the packaged host compares types of links by itself")
def test_the_host_takes_text_that_is_linked(monkeypatch):
    """Its own validation, of a whole prompt: text instead of the list, a path, and what still does not fit."""
    nodes, execution = host_module("nodes", ""), host_module("execution", "")

    class Text:
        RETURN_TYPES = ("STRING",)
        FUNCTION = "INPUT_TYPES"
        OUTPUT_NODE = True

        @classmethod
        def INPUT_TYPES(cls):
            return {"optional": {"text": ("STRING", {"forceInput": True})}}

    for name, node in (("TestText", Text), ("SyncTweediesLoadMesh", SyncTweediesLoadMesh)):
        monkeypatch.setitem(nodes.NODE_CLASS_MAPPINGS, name, node)
    specs = SyncTweediesLoadMesh.INPUT_TYPES()["required"].items()
    values = {
        name: options.get("default", kind[0] if isinstance(kind, list) else None) for name, (kind, options) in specs
    }

    def validated(**changes):
        prompt = {
            "1": {"class_type": "TestText", "inputs": {}},
            "2": {"class_type": "SyncTweediesLoadMesh", "inputs": {**values, **changes}},
            "3": {"class_type": "TestText", "inputs": {"text": ["2", 1]}},
        }
        return asyncio.run(execution.validate_prompt("id", prompt, ["3"]))

    for linked in ({"file": ["1", 0]}, {"path": ["1", 0]}, {"path": ["1", 0], "file": "(none)"}):
        assert validated(**linked)[0] is True
    refused = validated(texture_size=["1", 0])
    assert refused[0] is False and "texture_size takes INT, and STRING is linked to it" in str(refused)
