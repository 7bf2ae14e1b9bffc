"""The viewer's geometry (JavaScript, run by node where it is installed) is the pack's geometry."""

import json
import math

import pytest
import torch
from helpers import javascript
from helpers.javascript import WEB, needs_node
from syncpack.renderers.cameras.looks import Look, angles, rays


def run(script):
    return javascript.run("preview360/geometry.mjs", script)


LOOKS = [(0, 0, 90), (90, 0, 60), (180, 20, 100), (-135, -70, 30), (12, 90, 90), (-77, -90, 120)]


@needs_node
def test_rays_and_angles_are_those_of_the_cameras():
    height, width = 6, 9
    found = run(
        f"""return {json.dumps(LOOKS)}.map(([azimuth, elevation, fov]) =>
          Array.from({{ length: {height} }}, (_, y) => Array.from({{ length: {width} }}, (_, x) => {{
            const way = g.ray({{ azimuth, elevation, fov }}, x + 0.5, y + 0.5, {width}, {height});
            const seen = g.angles(way);
            return [...way, seen.azimuth, seen.elevation];
          }})));"""
    )
    for look, values in zip(LOOKS, torch.tensor(found, dtype=torch.float64), strict=True):
        expected = rays(Look.degrees(*look), height, width)
        assert float((values[..., :3] - expected).abs().max()) < 1e-12
        azimuth, elevation = angles(expected)
        turns = (values[..., 3] - azimuth.rad2deg() + 180) % 360 - 180
        level = elevation.abs() < math.radians(89.9)  # straight up every azimuth is right
        assert float(turns[level].abs().max()) < 1e-9
        assert float((values[..., 4] - elevation.rad2deg()).abs().max()) < 1e-6


@needs_node
def test_a_dragged_picture_follows_the_pointer():
    """The direction that was a little beside the middle comes to the middle."""
    for right, down in ((3, 0), (0, -4), (5, 2)):
        moved = run(
            f"""const look = {{ azimuth: 170, elevation: 0, fov: 90 }};
            const grabbed = g.angles(g.ray(look, 256 - {right}, 256 - {down}, 512, 512));
            const after = g.dragged(look, {right}, {down}, 512);
            return [grabbed.azimuth, grabbed.elevation, after.azimuth, after.elevation];"""
        )
        assert moved[0] == pytest.approx(moved[2], abs=0.01) and moved[1] == pytest.approx(moved[3], abs=0.01)


@needs_node
def test_looks_stay_in_range():
    found = run(
        """const far = { azimuth: 170, elevation: 80, fov: 90 };
        return [g.turned(far, 20, 30), g.turned(far, -700, -300), g.zoomed(far, 100), g.zoomed(far, 0.001),
          [-180, 180, 540, 0, -181].map(g.wrapped), g.START];"""
    )
    assert found[0] == {"azimuth": -170, "elevation": 90, "fov": 90}
    assert found[1] == {"azimuth": -170, "elevation": -90, "fov": 90}
    assert found[2]["fov"] == 120 and found[3]["fov"] == 10
    assert found[4] == [180, 180, 180, 0, 179]
    assert found[5] == {"azimuth": 0, "elevation": 0, "fov": 90}


@needs_node
@pytest.mark.parametrize("path", sorted(p.relative_to(WEB).as_posix() for p in WEB.rglob("*.mjs")))
def test_scripts_are_sound(path):
    javascript.check(WEB / path)


def test_the_page_loads_small_scripts_and_nothing_from_elsewhere():
    """Every .js under web/ is loaded with the page, in every host."""
    scripts = sorted(WEB.rglob("*.js"))
    names = [p.relative_to(WEB).as_posix() for p in scripts]
    assert names == ["fold.js", "looks.js", "panels.js", "reports.js", "upload.js"]
    assert sum(p.stat().st_size for p in scripts) < 20_000
    for script in (*WEB.rglob("*.js"), *WEB.rglob("*.mjs")):
        text = script.read_text(encoding="utf-8")
        assert "http://" not in text and "https://" not in text and "base64" not in text, script.name
        assert script.stat().st_size < 16_000, script.name
