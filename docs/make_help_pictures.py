"""Make the small pictures of the help pages and of the gallery, and put them into their pages.

``.venv/bin/python docs/make_help_pictures.py [NAME ...]`` runs the workflows that docs/pictures lists, on a host of
this machine, and writes ``web/docs/images/NAME.webp`` or ``docs/gallery/NAME.webp``, all of them or these; then the
pages. ``--pages`` writes the pages alone. A picture keeps its recipe as its description, which a test compares with the
table; results of runs are kept below .run, so that a second time is quick (``--anew`` forgets them).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from pictures import pages, runs, sheet
from pictures.gallery import GALLERY
from pictures.recipe import Picture


def make(studio: runs.Studio, picture: Picture, path: Path, style: sheet.Style) -> None:
    made = [studio.made(tile) for tile in picture.runs()]
    if not picture.alike:
        sheet.refuse_alike(picture, [shown for shown, _ in made])
    told = json.dumps({"recipe": picture.text(), "seconds": round(sum(seconds for _, seconds in made), 1)})
    drawn = sheet.drawn(picture, [shown for shown, _ in made], style)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sheet.encoded(drawn, told, style))
    print(path.relative_to(pages.ROOT), f"{path.stat().st_size / 1000:.0f} kB", flush=True)


def main(arguments: list[str]) -> int:
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("names", nargs="*", metavar="NAME")
    asked.add_argument("--pages", action="store_true", help="write the pages alone")
    asked.add_argument("--anew", action="store_true", help="run what was run before, too")
    given = asked.parse_args(arguments)
    if given.anew:
        shutil.rmtree(runs.KEPT, ignore_errors=True)
    all_of_them = [(picture, pages.IMAGES, sheet.HELP) for picture in pages.pictures()]
    all_of_them += [(shown.picture, pages.HALL, sheet.HALL) for _, group in GALLERY for shown in group]
    unknown = set(given.names) - {picture.name for picture, _, _ in all_of_them}
    if unknown:
        print(f"no picture is called {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    if not given.pages:
        with runs.studio() as studio:
            for picture, folder, style in all_of_them:
                if not given.names or picture.name in given.names:
                    make(studio, picture, folder / f"{picture.name}.webp", style)
    for path in pages.write():
        print(path.relative_to(pages.ROOT), "written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
