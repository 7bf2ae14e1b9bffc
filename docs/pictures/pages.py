"""Pictures put where people look: a section of each help page, a page of all options, the gallery."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from .gallery import GALLERY, SHIPPED, Shown
from .recipe import Picture
from .sheet import told
from .table import SUBJECTS, UNSEEN

ROOT = Path(__file__).resolve().parents[2]
HELP = ROOT / "web" / "docs"
IMAGES = HELP / "images"
OPTIONS, GALLERY_PAGE = ROOT / "docs" / "options.md", ROOT / "docs" / "gallery.md"
HALL = ROOT / "docs" / "gallery"
# Help pages are read inside ComfyUI, where a link to a file beside them leads nowhere.
HOME = "https://github.com/comfyui-synctweedies/ComfyUI-SyncTweedies/blob/main/docs"
GUIDES = {
    "wide": ("Wide and tileable pictures", ("ViewRig", "StitchViews", "PromptJourney", "CanonicalPrompt")),
    "panorama": ("Panoramas", ("EquirectStitch", "PanoramaDepthViews", "SavePanorama", "SyncTweediesPreview360")),
    "illusion": (
        "One picture, several readings",
        ("IllusionRig", "IllusionPrompts", "IllusionHybrid", "IllusionMirror"),
    ),
    "mesh": ("Textures for a mesh", ("SyncTweediesLoadMesh", "MeshSpace", "MeshTextureBake", "SaveTexturedMesh")),
    "splats": ("Colours for splats", ("SyncTweediesLoadSplats", "SplatSpace", "SplatTextureBake", "SaveSplats")),
}
# Pictures that stand above the tables: more would hide what each input is.
FEW = 4
_NAMES = json.loads((ROOT / "tests" / "data" / "node_contract.json").read_text(encoding="utf-8"))


def pictures() -> list[Picture]:
    return [picture for _, group in SUBJECTS for picture in group]


def section(node: str) -> str:
    """What a help page shows of its node; '' for nothing."""
    lines: list[str] = []
    for picture in pictures():
        if node in picture.nodes:
            lines += [
                f"**{picture.option}**: {picture.caption}",
                "",
                f"![{picture.alt}](images/{picture.name}.webp)",
                "",
            ]
    guides = [f"[{title}]({HOME}/{name}.md)" for name, (title, nodes) in GUIDES.items() if node in nodes]
    if guides:
        lines += ["From a file of yours to a result, step by step: " + ", ".join(guides) + ".", ""]
    return "\n".join(["## In pictures", "", *lines]) if lines else ""


def with_section(page: str, made: str) -> str:
    """A help page with its pictures replaced. A few stand above the inputs, many below the outputs."""
    page = re.sub(r"## In pictures\n.*?\n(?=## |\Z)", "", page, flags=re.S)
    if "## Inputs\n" not in page:
        raise ValueError("the page has no section '## Inputs'")
    if not made:
        return page
    if made.count("![") <= FEW:
        head, inputs, rest = page.partition("## Inputs\n")
        return f"{head}{made}\n{inputs}{rest}"
    head, outputs, rest = page.partition("## Outputs\n")
    table, following, notes = rest.partition("\n## ")
    return f"{head}{outputs}{table}\n{made}{following}{notes}"


def _title(node: str) -> str:
    return _NAMES[node]["display_name"]


def options_page() -> str:
    lines = [
        "# What each option looks like",
        "",
        "Every picture was made by a workflow of this pack with one thing changed; `docs/make_help_pictures.py`",
        "makes them again. They are small on purpose: most come from the pack's toy model (views of 64 pixels),",
        "those of stone from an exemplar. What differs is what to look at.",
    ]
    for subject, group in SUBJECTS:
        lines += ["", f"## {subject}"]
        for picture in group:
            nodes = ", ".join(f"[{_title(node)}](../web/docs/{node}.md)" for node in picture.nodes)
            flows = sorted({tile.workflow for tile in picture.runs()})
            made = ", ".join(f"`{name}`" for name in flows)
            lines += ["", f"**{picture.option}** ({nodes}): {picture.caption} Made by {made}.", ""]
            lines += [f"![{picture.alt}](../web/docs/images/{picture.name}.webp)"]
    lines += ["", "## Not shown", "", "Tried with the models that come with the pack, and no difference was seen:", ""]
    lines += [f"- {_title(node)}, {option}: {why}." for node, option, why in UNSEEN]
    return "\n".join(lines) + "\n"


def kept(path: Path) -> dict[str, Any]:
    """What a picture's file tells of how it was made."""
    with Image.open(path) as image:
        return json.loads(told(image))


def gallery_page() -> str:
    lines = [
        "# Gallery",
        "",
        "No checkpoint, no GPU: every picture here comes from a workflow of this pack, run on two CPU cores",
        "(shared with other work) with the pack's toy model of 11 megabytes, or with a model made of small pictures of",
        "materials (exemplars). Open the workflow, change what is named, and press Run; `docs/make_help_pictures.py`",
        "makes them all again.",
    ]
    for title, group in GALLERY:
        lines += ["", f"## {title}"]
        for shown in group:
            lines += ["", f"![{shown.words}](gallery/{shown.name}.webp)", "", _told(shown)]
    lines += ["", "## As they come"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in SHIPPED:
        row = re.search(rf"^\| `{name}` \| ([^|]+) \| [^|]+ \| ([^|]+) \|", readme, re.M)
        if row is None:
            raise ValueError(f"README.md has no row for {name}")
        words = f"{row[1][:1].upper()}{row[1][1:]}"
        lines += ["", f"![{words}](../workflows/{name}.jpg)", "", f"*{words}.* `{name}`. {row[2]}."]
    return "\n".join(lines) + "\n"


def _told(shown: Shown) -> str:
    """Whose run it is, how long it took, and what was changed, as run.py's --set takes it."""
    tiles = shown.picture.runs()
    flows = ", ".join(f"`{name}`" for name in dict.fromkeys(tile.workflow for tile in tiles))
    seconds = kept(HALL / f"{shown.name}.webp")["seconds"]
    changes = [", ".join(f"`{text}`" for text in tile.set) for tile in tiles]
    return "\n".join([f"*{shown.words}* {flows}, {seconds:.0f} s, with", "", *(f"- {change}" for change in changes)])


def write(nodes: Sequence[str] = ()) -> list[Path]:
    """All pages; returns those that changed."""
    made = {HELP / f"{node}.md": _helped(node) for node in nodes or sorted(_NAMES)}
    made |= {OPTIONS: options_page(), GALLERY_PAGE: gallery_page()}
    changed = [path for path, text in made.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in changed:
        path.write_text(made[path], encoding="utf-8")
    return changed


def _helped(node: str) -> str:
    return with_section((HELP / f"{node}.md").read_text(encoding="utf-8"), section(node))
