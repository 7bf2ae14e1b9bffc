"""Make the thumbnails of the video workflows, and the films of docs/video.md, by running them.

Run ``python docs/make_videos.py [NAME ...]``.
A thumbnail shows frames beside each other, above them what the video was before; a film is what the workflow saves,
enlarged. ``--from FOLDER`` takes what a run of the workflows has put there already.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageSequence

ROOT = Path(__file__).resolve().parents[1]
SCALE, COLUMNS, GAP = 3, 4, 4
# Of each workflow: the films it saves, the last one its result.
FILMS = {
    "video_restyle": ("video_restyle_before", "video_restyle"),
    "video_loop": ("video_loop",),
    "video_panorama": ("video_panorama",),
}


def frames(path: Path) -> list[Image.Image]:
    with Image.open(path) as film:
        return [frame.convert("RGB") for frame in ImageSequence.Iterator(film)]


def spread(film: list[Image.Image], count: int) -> list[Image.Image]:
    """``count`` of its frames, evenly, the first among them."""
    return [film[number * len(film) // count] for number in range(count)]


def thumbnail(films: list[list[Image.Image]]) -> Image.Image:
    """One row of frames for each film; a single film has two."""
    rows = [spread(film, COLUMNS) for film in films]
    if len(films) == 1:
        both = spread(films[0], 2 * COLUMNS)
        rows = [both[:COLUMNS], both[COLUMNS:]]
    width, height = rows[0][0].size
    made = Image.new("RGB", (COLUMNS * (width + GAP) - GAP, len(rows) * (height + GAP) - GAP), (24, 24, 26))
    for down, row in enumerate(rows):
        for across, frame in enumerate(row):
            made.paste(frame, (across * (width + GAP), down * (height + GAP)))
    return made.resize((made.width * 2, made.height * 2), Image.Resampling.LANCZOS)


def main() -> None:
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("names", nargs="*", choices=[*FILMS, []], metavar="NAME", help="these workflows alone")
    asked.add_argument("--from", dest="folder", type=Path, help="where the workflows were run")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as own:
        wanted = given.names or list(FILMS)
        folder = given.folder or Path(own)
        if given.folder is None:
            command = [sys.executable, str(ROOT / "run.py"), "demo", *wanted, "--output", own]
            subprocess.run(command, check=True)
        for name in wanted:
            saved = FILMS[name]
            films = [frames(sorted(folder.rglob(f"{film}_0*.webp"))[-1]) for film in saved]
            thumbnail(films).save(ROOT / "workflows" / f"{name}.jpg", quality=88)
            large = [f.resize((f.width * SCALE, f.height * SCALE), Image.Resampling.LANCZOS) for f in films[-1]]
            path = ROOT / "docs" / "gallery" / f"{name}.webp"
            large[0].save(path, save_all=True, append_images=large[1:], duration=100, loop=0, quality=80, method=6)
            print(path.relative_to(ROOT), f"{path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
