"""The help panel of the host's front end: pictures of ours are found and fit, tables are not cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.browser import ROOT, SOFTWARE_GL, graph_page, keep, served
from syncpack.launcher.workspace import PACK_FOLDER

pytestmark = [pytest.mark.host, pytest.mark.slow]

SELECT = """(kind) => {
  app.graph.clear();
  const node = LiteGraph.createNode(kind);
  node.pos = [600, 200];
  app.graph.add(node);
  app.canvas.selectNode(node);
}"""
SHOWN = """() => [...document.querySelectorAll(".node-help-content img")].map((image) => {
  const panel = image.closest(".node-help-content").getBoundingClientRect();
  const box = image.getBoundingClientRect();
  return [image.getAttribute("src"), image.naturalWidth, box.width > 200, box.right <= panel.right + 1];
})"""
CUT = """() => [...document.querySelectorAll(".node-help-content table")]
  .map((table) => table.scrollWidth - table.clientWidth)"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    base = tmp_path_factory.mktemp("host")
    with served(base, *SOFTWARE_GL) as (browser, running), graph_page(browser, running.url) as made:
        made.set_viewport_size({"width": 1400, "height": 900})
        yield made


def test_pictures_are_served(page: Any) -> None:
    """All of them, on hosts without a help panel too."""
    names = sorted(path.name for path in (Path(ROOT) / "web" / "docs" / "images").iterdir())
    loaded = page.evaluate(
        """async ([folder, names]) => Promise.all(names.map((name) => new Promise((done) => {
          const image = new Image();
          image.onload = () => done(image.naturalWidth);
          image.onerror = () => done(name);
          image.src = `${folder}/${name}`;
        })))""",
        [f"/extensions/{PACK_FOLDER}/docs/images", names],
    )
    assert set(loaded) == {480}


@pytest.mark.parametrize("kind", ["StructureLock", "ViewRig", "SyncTweediesSampler"])
def test_the_panel_shows_them_and_cuts_no_table(page: Any, kind: str) -> None:
    page.evaluate(SELECT, kind)
    button = page.locator('[data-testid="info-button"]')
    page.wait_for_timeout(800)
    if not button.count():
        assert not page.evaluate("!!document.querySelector('.side-tool-bar-container')"), "where is the help button?"
        return  # a front end of 2024, which has no help pages
    button.first.click()
    page.wait_for_selector(".node-help-content img", timeout=10_000)
    page.wait_for_function(
        """() => [...document.querySelectorAll(".node-help-content img")].every((image) => image.complete)"""
    )
    keep(page, f"help_{kind}")
    shown = page.evaluate(SHOWN)
    assert shown and all(source.startswith(f"/extensions/{PACK_FOLDER}/docs/images/") for source, *_ in shown)
    assert [source for source, width, wide, inside in shown if not (width == 480 and wide and inside)] == []
    assert all(over <= 1 for over in page.evaluate(CUT))
