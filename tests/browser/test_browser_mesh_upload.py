"""Uploading a mesh as a user does: a running host, its front end, a browser."""

import pytest
from helpers.browser import NO_GL, ROOT, graph_page, served
from helpers.mesh_files import picture

pytestmark = [pytest.mark.host, pytest.mark.slow]

NODE = """() => {
  window.meshNode = LiteGraph.createNode("SyncTweediesLoadMesh");
  app.graph.add(meshNode);
}"""
CLICK = 'meshNode.widgets.find((w) => w.name === "upload mesh").callback()'
FILE = 'meshNode.widgets.find((w) => w.name === "file").value'


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tmp_path_factory.mktemp("host")


@pytest.fixture(scope="module")
def page(base):
    with served(base, *NO_GL) as (browser, running), graph_page(browser, running.url) as opened:
        yield opened
        assert opened.problems == []


def choose(page, files, expected):
    """Press the button, choose files, wait until the widget names the mesh; the error shown, if any."""
    shown = []

    def read(dialog):
        shown.append(dialog.message)
        dialog.accept()

    page.on("dialog", read)
    with page.expect_file_chooser() as chooser:
        page.evaluate(CLICK)
    chooser.value.set_files([str(file) for file in files])
    if expected:
        page.wait_for_function(f"{FILE} === '{expected}'", timeout=30_000)
    else:
        page.wait_for_timeout(500)
    page.remove_listener("dialog", read)
    return shown


def test_a_mesh_comes_with_its_textures_and_runs(page, base, tmp_path):
    text = "mtllib box.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nusemtl m\nf 1/1 2/2 3/3\n"
    (tmp_path / "box.obj").write_text(text)
    (tmp_path / "box.mtl").write_text("newmtl m\nmap_Kd wall.png\n")
    picture(tmp_path / "wall.png")
    page.evaluate(NODE)
    assert page.evaluate(FILE) == "teapot.glb"
    files = [tmp_path / name for name in ("wall.png", "box.obj", "box.mtl")]
    assert choose(page, files, "3d/box/box.obj") == []
    assert sorted(p.name for p in (base / "input" / "3d" / "box").iterdir()) == ["box.mtl", "box.obj", "wall.png"]
    values = page.evaluate("app.graph.serialize().nodes[0].widgets_values")
    assert values[:3] == ["3d/box/box.obj", "when needed", "auto"], "the button stands behind the widgets"
    ran = page.evaluate(
        """async () => {
          const save = LiteGraph.createNode("SaveTexturedMesh");
          app.graph.add(save);
          meshNode.connect(0, save, 0);
          const done = new Promise((resolve) => {
            save.onExecuted = (output) => resolve(output.text[0]);
          });
          await app.queuePrompt(0);
          return await done;
        }"""
    )
    assert (base / "output" / ran).is_file() and ran.endswith(".glb")


def test_one_file_goes_to_3d_and_others_are_refused(page, base, tmp_path):
    (tmp_path / "lone.glb").write_bytes((ROOT / "assets" / "teapot.glb").read_bytes())
    picture(tmp_path / "only.png")
    page.evaluate("app.graph.clear()")
    page.evaluate(NODE)
    assert choose(page, [tmp_path / "lone.glb"], "3d/lone.glb") == []
    assert (base / "input" / "3d" / "lone.glb").is_file()
    assert "choose a mesh" in choose(page, [tmp_path / "only.png"], "")[0]
    assert page.evaluate(FILE) == "3d/lone.glb"


def test_splats_are_uploaded_too(page, base, tmp_path):
    scene = (ROOT / "assets" / "lighthouse.splat").read_bytes()
    (tmp_path / "tower.splat").write_bytes(scene)
    # (beside the first: newer front ends remember a widget's value by the number of its node)
    page.evaluate(NODE.replace("LoadMesh", "LoadSplats"))
    assert page.evaluate(FILE) == "lighthouse.splat"
    with page.expect_file_chooser() as chooser:
        page.evaluate(CLICK.replace("upload mesh", "upload splats"))
    assert not chooser.value.is_multiple()
    chooser.value.set_files(str(tmp_path / "tower.splat"))
    page.wait_for_function(f"{FILE} === '3d/tower.splat'", timeout=30_000)
    assert (base / "input" / "3d" / "tower.splat").read_bytes() == scene
