"""Draw the thumbnails of workflows whose results cannot be made without a model of the user's: inputs, views, outputs.

``.venv/bin/python docs/make_diagrams.py [NAME ...]`` writes ``workflows/NAME.jpg`` of all those workflows, or of these.
What they show comes from the workflow's file and the table of methods (docs/diagrams/facts.py), and is kept as the
JPG's comment, which a test compares with the file. Where a result can be shown, put its picture there and the name into
RESULTS.
"""

from __future__ import annotations

import io
import sys
from itertools import pairwise
from typing import Any

from diagrams import scenes, spaces
from diagrams.facts import Facts, Reader, facts, rig_of
from diagrams.films import film
from diagrams.parts import (
    COLUMN,
    LEFT,
    RIGHT,
    TOP,
    flow,
    frame,
    half_of,
    inputs,
    middle_of,
    side_by_side,
    size_of,
    start_of,
    told,
    turn,
)
from diagrams.pen import BOLD, INK, LINE, QUIET, Colour, Pen, curve
from PIL import Image, ImageFilter
from workflow_graphs import FOLDER

# They name a model file, and yet their thumbnails are results: made with another model that can be shown.
RESULTS = ("controlnet_lora_views",)
MARK = "A diagram, made by docs/make_diagrams.py.\n"
ACCENTS: dict[str, Colour] = {
    "plane": (31, 122, 128),
    "panorama": (56, 104, 176),
    "illusion": (203, 96, 62),
    "mesh": (164, 84, 108),
    "splats": (112, 92, 168),
    "video": (78, 116, 74),
}
SECOND: Colour = (56, 104, 148)
GLAZES = {"blue": (48, 84, 160), "red": (176, 62, 52), "green": (62, 122, 84), "gold": (190, 140, 52)}


def drawn() -> list[str]:
    """Workflows whose thumbnail is a diagram: those that name a model file which is not the pack's own."""
    names = sorted(path.stem for path in FOLDER.glob("*.json"))
    return [name for name in names if name not in RESULTS and Reader(name).files()]


def windows(
    pen: Pen, says: Facts, box: tuple[float, float, float, float], picture: Image.Image, accent: Colour
) -> None:
    """A canvas under its views, those drawn bold that show how the method goes."""
    (width, height), (wide, high) = says.sizes[-1], says.view
    scale = (box[2] - box[0]) / width
    across, down = ((side - own) // says.offset + 1 for side, own in zip((width, height), says.view, strict=True))
    near = min(across - 1, max(1, round(0.62 * wide / says.offset))) // 2 * 2 + 1
    chosen = [0, near, across - 1] if across > 4 else [0, near]
    if "side by side" in says.aside:
        chosen = [round((0.4 + i) * wide / says.offset) for i in range(int(says.aside.split()[0]) - 1)]
    elif "at random" in says.aside:
        chosen = [(7 * i + 2) % across for i in range(int(says.aside.split()[0]))]
    if "one scene" in says.aside:
        chosen = [across // 2]
    places = spaces.windows(pen, box, picture, (wide * scale, high * scale), (across, down), chosen, accent)
    middle = (box[1] + box[3]) / 2
    if "leans" in says.process:
        for a, b in pairwise(places):
            x, far = (a[0] + a[2]) / 2, (b[0] + b[2]) / 2
            pen.arrow(
                curve((far - 4, middle), (far - 12, middle - 26), (x + 12, middle - 26), (x + 4, middle)),
                accent,
                LINE,
                9,
            )
            pen.dot((far - 4, middle), 4, accent)
    if "one scene" in says.aside:
        for end, start in ((places[chosen[0]][0] - 10, box[0] + 26), (places[chosen[0]][2] + 10, box[2] - 26)):
            pen.arrow([(start, middle), (end, middle)], accent)


def wide(pen: Pen, says: Facts, accent: Colour) -> None:
    """A canvas under its windows above, the finished one below."""
    inputs(pen, says, accent, TOP + 60)
    width, height = says.sizes[-1]
    left = LEFT + 226
    long = RIGHT - left
    high = long * height / width
    size = long * 3, round(high * 3)
    words = scenes.mood(says.words[0])
    top = TOP + 6 + (108 - high) / 2
    result = scenes.landscape(*size, words)
    windows(pen, says, (left, top, RIGHT, top + high), half_of(says, start_of(says, *size), result, 12), accent)
    below = 386 - high - (108 - high) / 2
    middle = (top + high + below) / 2
    pen.arrow([(left + 22, middle - 22), (left + 22, middle + 27)], accent)
    told(pen, says, (left + 46, middle - 25), "la")
    pen.paste(result, (left, below, RIGHT, below + high))
    size_of(pen, says)
    flow(pen, (LEFT + COLUMN + 8, TOP + 60), (left - 8, TOP + 60), accent)


def flat(pen: Pen, says: Facts, accent: Colour) -> None:
    """A canvas that is not so wide, or one of two passes: on its way in the middle, the result on the right."""
    middle = middle_of(says)
    inputs(pen, says, accent, middle)
    (w, h), (width, height) = says.sizes[0], says.sizes[-1]
    twice = len(says.sizes) > 1
    words = scenes.mood(says.words[0])
    small, large = (132.0, 270.0) if twice else (174.0, 212.0)
    left, tall, high = LEFT + COLUMN + 40, small * h / w, large * height / width
    box = (left, middle - tall / 2, left + small, middle + tall / 2)
    right = (RIGHT - large, middle - high / 2, RIGHT, middle + high / 2)
    scene = scenes.landscape(1000, round(1000 * height / width), words)
    if twice:
        pen.paste(scene, box)
        pen.text((left + small / 2, box[3] + 12), side_by_side(says.sizes[0]), 20, QUIET, "ma")
        windows(pen, says, right, scene, accent)
        told(pen, says, ((right[0] + RIGHT) / 2, right[3] + 16))
    else:
        windows(pen, says, box, half_of(says, start_of(says, *scene.size), scene, 18), accent)
        pen.paste(scene, right)
        told(pen, says, (left + small / 2, box[3] + 20))
    flow(pen, (LEFT + COLUMN + 8, middle), (left - 8, middle), accent)
    flow(pen, (box[2] + 8, middle), (right[0] - 8, middle), accent)
    size_of(pen, says)


def around(pen: Pen, says: Facts, accent: Colour) -> None:
    """A sphere and its panorama."""
    middle = middle_of(says)
    inputs(pen, says, accent, middle)
    centre = (LEFT + COLUMN + 48 + 82.0, middle - 16)
    inside = any(kind == "depth map" for kind, _ in says.given)
    words = scenes.mood(says.words[0])
    scene = scenes.room(960, 480)[0] if inside else scenes.landscape(960, 480, words)
    start = scene if inside else start_of(says, 960, 480)
    half = half_of(says, start, scene, 14)
    spaces.sphere(pen, centre, 82, scene, half, rig_of(says.name)[0], accent)
    told(pen, says, (centre[0], centre[1] + 92))
    right = (RIGHT - 224.0, centre[1] - 56, float(RIGHT), centre[1] + 56)
    pen.paste(scene, right)
    flow(pen, (LEFT + COLUMN + 8, centre[1]), (centre[0] - 90, centre[1]), accent)
    flow(pen, (centre[0] + 90, centre[1]), (right[0] - 8, centre[1]), accent)
    turn(pen, ((right[0] + RIGHT) / 2, right[3] + 32), accent)
    size_of(pen, says)


def objects(pen: Pen, says: Facts, accent: Colour) -> None:
    """A mesh or splats, cameras around it, and the same with new colours."""
    middle = middle_of(says)
    inputs(pen, says, accent, middle)
    centre = (LEFT + COLUMN + 36 + 104.0, middle - 12)
    directions = rig_of(says.name)[1]
    mesh, file = says.kind == "mesh", says.given[0][1]
    if mesh:
        spaces.orbit_line(pen, centre, 100, accent)
    spaces.cameras(pen, centre, 102, directions, accent, False)
    if mesh:
        spaces.teapot(pen, (centre[0] - 48, centre[1] - 40), 0.46, None)
    else:
        spaces.cloud(pen, centre, 64, file, None)
    spaces.cameras(pen, centre, 102, directions, accent, True)
    told(pen, says, (centre[0], centre[1] + (84 if mesh else 106)))
    if mesh:
        glaze = next((c for word, c in GLAZES.items() if word in says.words[0]), accent)
        spaces.teapot(pen, (RIGHT - 188, centre[1] - 70), 0.92, glaze)
    else:
        spaces.cloud(pen, (RIGHT - 92, centre[1]), 106, file, "snow" in says.words[0])
    flow(pen, (LEFT + COLUMN + 8, centre[1]), (centre[0] - 110, centre[1]), accent)
    flow(pen, (centre[0] + 109, centre[1]), (RIGHT - 196, centre[1]), accent)


def readings(pen: Pen, says: Facts, accent: Colour) -> None:
    """Two prompts, one picture, and how it reads."""
    colours, rows = (accent, SECOND), (TOP + 64.0, TOP + 194.0)
    for text, colour, y in zip(says.words, colours, rows, strict=True):
        pen.bubble((LEFT, y), 196, text, colour, 3, around=True)
    art, middle, left = scenes.painting(640), sum(rows) / 2, LEFT + 232.0
    twice, side = len(says.sizes) > 1, 134.0
    if twice:
        coarse = art.resize((16, 16), Image.Resampling.BOX).resize((640, 640), Image.Resampling.NEAREST)
        pen.paste(coarse, (left, middle - 31, left + 62, middle + 31))
        pen.text((left + 31, middle + 40), str(says.sizes[0][0]), 20, QUIET, "ma")
    large = left + (96 if twice else 44)
    pen.paste(art, (large, middle - side / 2, large + side, middle + side / 2))
    pen.text((large + side / 2, middle + side / 2 + 9), str(says.sizes[-1][0]), 20, QUIET, "ma")
    pen.text(((left + large + side) / 2, middle + side / 2 + 38), says.process, 21, INK, "ma")
    if twice:
        flow(pen, (left + 68, middle), (large - 6, middle), INK)
    first = left if twice else large
    for colour, y, lift in zip(colours, rows, (-14, 14), strict=True):
        flow(pen, (LEFT + 202, y), (first - 7, middle + lift), colour)
    if says.warp not in READINGS:
        raise ValueError(f"{says.name}: the warp {says.warp} has no drawing yet; see READINGS")
    names = says.warp.split(" and ") if " and " in says.warp else ("", "")
    for (turned, size, blur), name, colour, y in zip(READINGS[says.warp], names, colours, rows, strict=True):
        shown = art.rotate(turned) if isinstance(turned, int) else art.transpose(turned)
        box = (RIGHT - 57 - size / 2, y - size / 2, RIGHT - 57 + size / 2, y + size / 2)
        pen.paste(shown.filter(ImageFilter.GaussianBlur(blur)), box, colour, BOLD, 5)
        pen.text((RIGHT - 57, box[3] + 5), name, 20, QUIET, "ma")
        flow(pen, (large + side + 8, middle + (y - middle) / 4), (box[0] - 9, y), colour)


# What is done to the picture of a reading, how large it is shown, how blurred: of both readings of a warp.
READINGS: dict[str, tuple[tuple[Any, float, float], tuple[Any, float, float]]] = {
    "rotate_90": ((0, 114, 0), (-90, 114, 0)),
    "rotate_180": ((0, 114, 0), (180, 114, 0)),
    "flip_x": ((0, 114, 0), (Image.Transpose.FLIP_LEFT_RIGHT, 114, 0)),
    "flip_y": ((0, 114, 0), (Image.Transpose.FLIP_TOP_BOTTOM, 114, 0)),
    "near and far": ((0, 98, 0), (0, 46, 26)),
}


def diagram(says: Facts) -> Image.Image:
    """The picture, 640 x 400."""
    accent = ACCENTS[says.kind]
    pen = Pen()
    frame(pen, says, accent)
    if says.kind == "plane":
        layout = wide if says.sizes[-1][0] > 2.6 * says.sizes[-1][1] else flat
    else:
        layout = {"panorama": around, "illusion": readings, "video": film}.get(says.kind, objects)
    layout(pen, says, accent)
    return pen.finished()


def encoded(says: Facts) -> bytes:
    """The JPG."""
    stream = io.BytesIO()
    diagram(says).save(stream, "JPEG", quality=79, optimize=True, comment=(MARK + says.text()).encode())
    return stream.getvalue()


def main() -> None:
    for name in sys.argv[1:] or drawn():
        (FOLDER / f"{name}.jpg").write_bytes(encoded(facts(name)))


if __name__ == "__main__":
    main()
