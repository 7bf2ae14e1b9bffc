"""From a scene to a scene, as a user wires it: loaded, sampled, baked, saved; changed a little, and in part."""

import json
import math

import pytest
import torch
from helpers.host_vaes import PatchVae
from helpers.hosting import host_module, opinionated, run_advanced, run_node
from helpers.splat_files import save_splats
from oracles.splat_twins import ball
from syncpack.nodes.host.splat_socket import Splat, splats_of
from syncpack.nodes.models.exemplar_nodes import ExemplarModel
from syncpack.nodes.splats.file_nodes import CameraFileRig, SaveSplats, SyncTweediesLoadSplats
from syncpack.nodes.splats.nodes import SplatMask, SplatSpace, SplatTextureBake
from syncpack.nodes.splats.view_nodes import SplatViews

pytestmark = pytest.mark.host

BAKE = dict(aggregation="least_squares", robust=0, bands="kept", unseen="nearest")
UPPER = dict(x=0.0, y=1.0, z=0.0, width=4.0, height=2.0, depth=4.0)
VIEWS = 6


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The host's folders with a grey ball of splats and the six cameras it was recorded with."""
    folder_paths = host_module("folder_paths", "comfy.cmd.folder_paths")
    root = tmp_path_factory.mktemp("host")
    before = {kind: getattr(folder_paths, f"get_{kind}_directory")() for kind in ("output", "input")}
    for kind in before:
        (root / kind).mkdir()
        getattr(folder_paths, f"set_{kind}_directory")(str(root / kind))
    splats = ball(500)
    save_splats(splats.recoloured(torch.full((500, 3), 0.3)), root / "input" / "ball.ply")
    frames = []
    for i in range(VIEWS):
        a, e = math.pi / 3 * i, 0.6 * (-1) ** i
        right, back = (
            (math.cos(a), 0, -math.sin(a)),
            (math.cos(e) * math.sin(a), math.sin(e), math.cos(e) * math.cos(a)),
        )
        up = (-math.sin(e) * math.sin(a), math.cos(e), -math.sin(e) * math.cos(a))
        columns = (*zip(right, up, back, [3.2 * b for b in back], strict=True), (0, 0, 0, 1))
        frames.append({"file_path": f"r_{i}", "transform_matrix": [list(c) for c in columns]})
    (root / "input" / "transforms.json").write_text(json.dumps({"camera_angle_x": 0.8, "frames": frames}))
    yield root
    for kind, folder in before.items():
        getattr(folder_paths, f"set_{kind}_directory")(folder)


@pytest.fixture(scope="module")
def wired(folders):
    """(SPLAT, space, its colours, rig)."""
    splat, _ = SyncTweediesLoadSplats().load("ball.ply")
    space, colours = SplatSpace().build(splat, "+y", "antialiased", "torch")
    return splat, space, colours, CameraFileRig().build("transforms.json", 24, 24, 0, 1)[0]


@pytest.fixture(scope="module")
def stripes():
    """An exemplar of red and green stripes, as a model of pixels."""
    picture = torch.zeros(1, 32, 32, 3)
    picture[:, :, (torch.arange(32) // 4) % 2 == 0, 0] = 0.9
    picture[:, :, (torch.arange(32) // 4) % 2 == 1, 1] = 0.9
    return ExemplarModel().build(picture, "stripes", True)


def test_a_scene_is_painted_and_saved(folders, wired, stripes):
    splat, space, _, rig = wired
    model, _, vae = stripes
    views, canonical = run_node(model, space, rig, steps=5, aggregation="least_squares")
    assert views["samples"].shape == (VIEWS, 3, 24, 24) and canonical["samples"].shape == (1, 3, 1, 500)
    painted, report = SplatTextureBake().bake(space, rig, views=views, vae=vae, **BAKE)
    colours = splats_of(painted).colours
    assert float(colours[:, 2].mean()) < 0.2 < float(colours[:, :2].amax(1).mean()), "red and green, no blue"
    assert "500 of 500" in report
    file = SaveSplats().save(painted, "ball", "ply")["result"][1]
    before, after = (folders / "input" / "ball.ply").read_bytes(), (folders / "output" / file).read_bytes()
    assert len(after) == len(before) and after != before
    (folders / "input" / "again.ply").write_bytes(after)
    again, _ = SyncTweediesLoadSplats().load("again.ply")
    assert torch.equal(splats_of(again).sh, splats_of(painted).sh)
    for name in ("x", "opacity", "scale_1", "rot_3"):
        assert splats_of(again).source.rows[name].tobytes() == splats_of(splat).source.rows[name].tobytes()


def test_present_colours_are_a_start(wired, stripes):
    """Red above and green below: with little noise it stays so, with more it does not."""
    splat, _, _, rig = wired
    model, _, vae = stripes
    above = (splats_of(splat).object_positions[:, 1:2] > 0).float()
    given = torch.cat([0.9 * above, 0.9 * (1 - above), torch.zeros(500, 1)], 1)
    space, colours = SplatSpace().build(Splat(splats_of(splat).recoloured(given)), "+y", "antialiased", "torch")
    away = []
    for denoise in (0.2, 1.0):
        start = {"samples": vae.encode(colours)}
        assert start["samples"].shape == (1, 3, 1, 500)
        views, _ = run_node(model, space, rig, steps=4, denoise=denoise, canonical=start)
        painted, _ = SplatTextureBake().bake(space, rig, views=views, vae=vae, **BAKE)
        away.append(float((splats_of(painted).colours - given).abs().mean()))
    assert away[0] < 0.6 * away[1]


def test_a_mask_of_splats_changes_those_alone(wired, stripes):
    splat, space, colours, rig = wired
    model, _, vae = stripes
    mask, count = SplatMask().choose(space, **UPPER)
    start = {"samples": vae.encode(colours), "noise_mask": mask}
    views, canonical = run_node(model, space, rig, steps=4, canonical=start)
    kept = mask[0, 0] < 0.5
    assert float((canonical["samples"] - start["samples"])[0, :, 0, kept].abs().max()) < 1e-5
    painted, report = SplatTextureBake().bake(space, rig, views=views, vae=vae, mask=mask, **BAKE)
    assert torch.equal(splats_of(painted).sh[kept], splats_of(splat).sh[kept]) and f"{count} of 500" in report
    assert float((splats_of(painted).colours[~kept] - 0.3).abs().mean()) > 0.05


def test_views_of_latents_start_from_pictures(wired):
    """A model of latents: the encoded views go through the SAMPLER door, and are baked through the VAE."""
    _, space, _, rig = wired
    vae = PatchVae()
    images = SplatViews().render(space, rig, "grey", "joint")[0]
    latent = {"samples": vae.encode(images)}
    assert latent["samples"].shape[-2:] == (3, 3)
    views = run_advanced(opinionated(), space, rig, latent, steps=3)
    assert views.shape == latent["samples"].shape and bool(torch.isfinite(views).all())
    painted, _ = SplatTextureBake().bake(space, rig, views={"samples": views}, vae=vae, **BAKE)
    assert bool(torch.isfinite(splats_of(painted).sh).all())
