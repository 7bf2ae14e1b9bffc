"""Write the blueprints, ``subgraphs/*.json``: ``.venv/bin/python docs/make_blueprints.py``.

Each is cut out of a workflow (docs/blueprint_parts), so run this again when one of those has changed; a test
holds the files to what this writes. ComfyUI lists them in its node search.
"""

from __future__ import annotations

from blueprint_parts import objects, pictures, videos
from workflow_graphs import ROOT

FOLDER = ROOT / "subgraphs"


def texts() -> dict[str, str]:
    """File names and what stands in them."""
    made = [make() for make in (*pictures.MADE, *videos.MADE, *objects.MADE)]
    return {f"{blueprint.title}.json": text for blueprint, text in made}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    found = texts()
    for old in FOLDER.glob("*.json"):
        if old.name not in found:
            old.unlink()
    for name, text in found.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
