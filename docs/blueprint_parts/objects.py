"""Blueprints of meshes and splats."""

from __future__ import annotations

from .blueprint import Blueprint
from .parts import (
    DEPTH,
    LOAD_CHECKPOINT,
    SAMPLER,
    SIZES,
    TURBO,
    Node,
    change_and_hold,
    may_follow_depth,
    model_from,
    model_wishes,
    seed_and_quality,
    sized,
    starts_from,
    views_from,
)

# Behind the words, by the side that a view shows.
_SIDES = "front: , from the front\nback: , from the back\ntop: , from above\n*: , from the side"
_MESH = (
    "**file**: a mesh in ComfyUI's input folder (GLB, glTF, OBJ, PLY, STL); or connect Load 3D to **model_3d**. One "
    "without texture coordinates is unwrapped.\n\n"
)
_SPLATS = (
    "**file**: a scene in ComfyUI's input folder (PLY, .splat); or connect it to **model_3d**. **up**: scenes from "
    "photographs mostly have -y; a scene that lies on its side has another. Splats keep their shapes and places.\n\n"
)
_MESH_OUT = (
    "Connect **mesh** to Preview Mesh to turn it and to Save Textured Mesh, **turntable** to Preview Image or a video."
)
_SPLATS_OUT = "Connect **splats** to Save Splats, **turntable** to Preview Image or a video."
_MATERIAL = (
    "**What to load**: no model. **image** is a picture of a material (Load Image): bark, stones, cloth, seen straight "
    "on; its middle square is used, 192 pixels of it, and views are painted with its patches.\n\n"
)
_CHANGES = (
    "**prompt** says what it becomes. **change**: 0.5 touches the surface, 0.75 changes materials. **keep drawing**: 1 "
    "holds light and dark of the coarse shapes.\n\n"
)


def _mesh_file(b: Blueprint) -> None:
    b.socket("model_3d", _FILE_3D["mesh"], (b.node("SyncTweediesLoadMesh"), "model_3d"))


def _splat_file(b: Blueprint) -> None:
    b.socket("model_3d", _FILE_3D["splats"], (b.node("SyncTweediesLoadSplats"), "model_3d"))


_FILE_3D = {
    "mesh": "FILE_3D,FILE_3D_GLB,FILE_3D_GLTF,FILE_3D_OBJ,FILE_3D_STL,FILE_3D_PLY",
    "splats": "FILE_3D,FILE_3D_SPLAT_ANY,FILE_3D_PLY,FILE_3D_SPLAT",
}


def _mesh_results(b: Blueprint) -> None:
    b.gives("mesh", b.node("MeshTextureBake"), "mesh")
    b.gives("texture", b.node("MeshTextureBake"), "texture")
    b.gives("turntable", b.node("MeshTurntable"), "frames")


def _splat_results(b: Blueprint, turntable: Node) -> None:
    b.gives("splats", b.node("SplatTextureBake"), "splats")
    b.gives("turntable", turntable, "frames")


def _mesh_with_words(name: str, start: bool) -> Blueprint:
    """A mesh painted from words; start: from what it shows."""
    b = Blueprint(name, "mesh_text_controlnet")
    model_from(b, b.node("ToyWorldModel"), control_net=True)
    quality = sized(b, "object")
    views_from(b, quality)
    b.link(quality, "width", b.node("MeshSpace"), "texture_size")
    control = may_follow_depth(b, b.node("MeshViews"), "depth", 0.8)
    _mesh_file(b)
    words = b.graph.set(b.node("ViewPrompts"), prompts=_SIDES)
    b.widget("prompt", words, "prefix", value="a teapot of grass" if start else "a teapot made of bricks")
    b.widget("negative", words, "negative")
    b.widget("file", b.node("SyncTweediesLoadMesh"), "file")
    b.widget("texture_size", quality, "width")
    seed_and_quality(b, quality)
    if start:
        change_and_hold(b, starts_from(b, b.node("MeshViews"), "texture", "views", change=0.75, coarse="gauss"))
    else:
        b.widget("control_strength", control, "strength")
    b.widget("front", b.node("OrbitRig"), "front")
    model_wishes(b, quality)
    _mesh_results(b)
    return b


def mesh_from_words() -> tuple[Blueprint, str]:
    b = _mesh_with_words("Texture a Mesh from Words", start=False)
    return b, b.text(
        "Paints a mesh from words: views from all around are denoised together on its texture by your model.",
        ["text to texture", "3d texture", "paint mesh", "glb", "obj", "syncmvd", "bake", "synctweedies"],
        f"# Texture a mesh from words\n\n{LOAD_CHECKPOINT}{DEPTH}{_MESH}**prompt** names the object and its material; "
        f"from the front, from the side, from above is added for each view.\n\n{SIZES}\n\n{TURBO}{_MESH_OUT}",
    )


def restyle_mesh() -> tuple[Blueprint, str]:
    b = _mesh_with_words("Restyle a Mesh", start=True)
    return b, b.text(
        "Words change what the texture of a mesh is made of; its drawing stays.",
        ["retexture", "3d texture", "edit texture", "img2img mesh", "glb", "style transfer", "synctweedies"],
        f"# Restyle a mesh\n\n{LOAD_CHECKPOINT}{DEPTH}{_MESH}{_CHANGES}{SIZES}\n\n{TURBO}{_MESH_OUT}",
    )


def mesh_from_material() -> tuple[Blueprint, str]:
    b = Blueprint("Texture a Mesh from a Material", "mesh_exemplar")
    _material(b)
    quality = sized(b, "object")
    rig = b.node("OrbitRig")
    b.link(quality, "views", rig, "views")
    _mesh_file(b)
    b.widget("file", b.node("SyncTweediesLoadMesh"), "file")
    b.widget("texture_size", b.node("MeshSpace"), "texture_size")
    seed_and_quality(b, quality)
    _view_size(b)
    _mesh_results(b)
    return b, b.text(
        "Paints a mesh with the material of one picture (bark, stones, cloth), without a checkpoint and without words.",
        ["material", "texture transfer", "texture synthesis", "paint mesh", "glb", "obj", "bake", "synctweedies"],
        f"# Texture a mesh from a material\n\n{_MATERIAL}{_MESH}{_MATERIAL_SIZES}{_MESH_OUT}",
    )


def recolour_splats() -> tuple[Blueprint, str]:
    b = Blueprint("Recolour Splats", "splats_exemplar")
    _material(b)
    quality = sized(b, "object")
    b.link(quality, "views", b.node("OrbitRig"), "views")
    _splat_file(b)
    b.widget("file", b.node("SyncTweediesLoadSplats"), "file")
    seed_and_quality(b, quality)
    b.widget("up", b.node("SplatSpace"), "up")
    b.feeds("up", b.node("SplatTurntable", "Turntable after"), "up")
    _view_size(b)
    _splat_results(b, b.node("SplatTurntable", "Turntable after"))
    return b, b.text(
        "Gives a scene of 3D Gaussian splats the material of one picture (bark, stones, grass), without a checkpoint.",
        ["3dgs", "gaussian splatting", "ply", "splat colours", "recolor", "material", "synctweedies"],
        f"# Recolour splats\n\n{_MATERIAL}{_SPLATS}{_MATERIAL_SIZES}{_SPLATS_OUT}",
    )


def restyle_splats() -> tuple[Blueprint, str]:
    b = Blueprint("Restyle Splats", "splats_text_controlnet")
    model_from(b, b.node("ToyWorldModel"), control_net=True)
    quality = sized(b, "object")
    views_from(b, quality)
    b.link(b.node("SplatSpace"), "space", b.node("OrbitRig"), "space")
    for node in (b.node("SplatViews"), b.node("SplatTextureBake")):
        b.graph.unlink(node, "mask")
    may_follow_depth(b, b.node("SplatViews"), "depth", 0.8)
    _splat_file(b)
    words = b.graph.set(b.node("ViewPrompts"), prompts=_SIDES)
    b.widget("prompt", words, "prefix", value="a tower of grass")
    b.widget("negative", words, "negative")
    b.widget("file", b.node("SyncTweediesLoadSplats"), "file")
    seed_and_quality(b, quality)
    change_and_hold(b, starts_from(b, b.node("SplatViews"), "images", "views", change=0.75, coarse="gauss"))
    b.widget("up", b.node("SplatSpace"), "up")
    b.feeds("up", b.node("SplatTurntable"), "up")
    model_wishes(b, quality)
    _splat_results(b, b.node("SplatTurntable"))
    return b, b.text(
        "Words change the colours of a scene of 3D Gaussian splats; its drawing stays.",
        ["3dgs", "gaussian splatting", "ply", "edit splats", "style transfer", "recolor", "synctweedies"],
        f"# Restyle splats\n\n{LOAD_CHECKPOINT}{DEPTH}{_SPLATS}{_CHANGES}{SIZES}\n\n{TURBO}{_SPLATS_OUT}",
    )


_MATERIAL_SIZES = (
    "**quality**: draft 10 steps and 8 views, good 20 and 12, best 35 and 18. **view size**: larger views show a finer "
    "pattern, and cost time.\n\n"
)


def _material(b: Blueprint) -> None:
    """The exemplar model of one picture, whatever it is called."""
    fit = b.add("ImageScale", "Its middle", upscale_method="lanczos", width=192, height=192, crop="center")
    model, picture = b.node("ExemplarModel"), b.node("SyncTweediesExemplarPicture")
    b.takes("image", picture, "image")
    b.doors[0].feeds = [(fit, "image")]
    b.link(fit, "IMAGE", model, "image")
    b.graph.set(model, names="material", periodic=False)
    b.graph.set(b.graph.source(b.node(SAMPLER), "positive"), text="material")


def _view_size(b: Blueprint) -> None:
    rig = b.node("OrbitRig")
    b.widget("view_size", rig, "width")
    b.feeds("view_size", rig, "height")


MADE = (mesh_from_words, mesh_from_material, restyle_mesh, restyle_splats, recolour_splats)
