"""The mesh and splat workflows, run by run.py on a real host: the very files users open, made smaller with --set."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.demo_runs import ROOT, run_demo
from syncpack.renderers.mesh.files.load import load_mesh
from syncpack.renderers.splats.files.load_save import load_splats

MESHES = ("mesh_exemplar", "mesh_edit", "mesh_reference_style")
SPLATS = ("splats_exemplar", "splats_text_controlnet")
TEXT = "mesh_text_controlnet"

pytestmark = pytest.mark.host


def written(made: subprocess.CompletedProcess[str], start: str, ending: str) -> Path:
    """The file of that name beside the pictures whose paths a run printed."""
    assert made.returncode == 0, made.stderr[-3000:]
    folder = next(Path(line).parent for line in made.stdout.splitlines() if Path(line).name.startswith(start))
    return next(iter(sorted(folder.glob(f"{start}_0*{ending}"))))


@pytest.fixture(scope="module")
def meshes(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    small = ("OrbitRig.width=40", "OrbitRig.height=40", "OrbitRig.views=8", "MeshTurntable.frames=1")
    steps = ("All views together.steps=4", "First run.steps=4", "Second run.steps=4")
    return run_demo(MESHES, tmp_path_factory.mktemp("output"), (*small, *steps))


@pytest.fixture(scope="module")
def splats(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    small = ("OrbitRig.width=40", "OrbitRig.height=40", "OrbitRig.views=6", "All views together.steps=3")
    turning = ("Turntable after.frames=1", "Turntable before.frames=1", "Turntable.frames=1")
    return run_demo(SPLATS, tmp_path_factory.mktemp("output"), (*small, *turning))


def texture_of(file: Path) -> tuple[np.ndarray, list[str]]:
    loaded = load_mesh(file)
    texture = loaded.mesh.parts[0].texture
    assert texture is not None
    return texture.numpy() * 255, loaded.notes


@pytest.mark.parametrize("name", MESHES)
def test_a_textured_teapot(meshes: subprocess.CompletedProcess[str], name: str) -> None:
    file = written(meshes, name, ".glb")
    texture, _ = texture_of(file)
    side = 1024 if name == "mesh_exemplar" else 512
    assert texture.shape == (side, side, 3) and 15 < texture.std() < 90
    made, own = load_mesh(file).mesh, load_mesh(ROOT / "assets" / "teapot.glb").mesh
    assert len(made.faces) == len(own.faces)
    assert torch.equal(made.vertices[: len(own.vertices)], own.vertices)


def test_the_edit_is_green_below(meshes: subprocess.CompletedProcess[str]) -> None:
    """Stone above the middle, meadow below it."""
    mesh = load_mesh(written(meshes, "mesh_edit", ".glb")).mesh
    texture, _ = texture_of(written(meshes, "mesh_edit", ".glb"))
    middle = mesh.uvs[mesh.face_uvs].mean(1)
    column = (middle[:, 0] * 512).long().clamp(0, 511)
    row = ((1 - middle[:, 1]) * 512).long().clamp(0, 511)
    colour = torch.from_numpy(texture)[row, column]
    green = colour[:, 1] - colour[:, [0, 2]].mean(1)
    height = mesh.vertices[mesh.faces].mean(1)[:, 1]
    low, high = mesh.vertices[:, 1].min(), mesh.vertices[:, 1].max()
    part = (height - low) / (high - low)
    assert float(green[part < 0.35].mean()) > float(green[part > 0.6].mean()) + 10


@pytest.mark.parametrize("name", ["splats_exemplar", "splats_text"])
def test_splats_keep_all_but_their_colours(splats: subprocess.CompletedProcess[str], name: str) -> None:
    made = load_splats(written(splats, name, ".ply"))
    own = load_splats(ROOT / "assets" / "lighthouse.splat")
    torch.testing.assert_close(made.positions, own.positions, rtol=0, atol=1e-6)
    changed = (made.colours - own.colours).abs().amax(1) > 0.01
    share = float(changed.float().mean())
    # The second changes the upper half alone.
    assert share > 0.9 if name == "splats_exemplar" else 0.05 < share < 0.9


def test_words_and_depth(tmp_path: Path) -> None:
    """Checkpoint, depth ControlNet, prompts by direction, cross-view attention, backgrounds: small random files."""
    small = ("OrbitRig.width=64", "OrbitRig.height=64", "All views together.steps=2", "MeshTurntable.frames=1")
    file = written(run_demo([TEXT], tmp_path, small), "mesh_text", ".glb")
    assert texture_of(file)[0].std() > 1
