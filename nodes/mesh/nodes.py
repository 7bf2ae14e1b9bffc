"""Meshes: the canonical space of a texture, what cameras see of it, and turntables."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.mesh.looks import NORMAL_SPACES, SPANS
from ...renderers.mesh.maps.maps import SAMPLINGS
from ...renderers.mesh.space import MeshTexture
from ...renderers.mesh.turntable import LIGHTS
from ...renderers.mesh.uvs.atlas import LAYOUTS
from ..declare import Choice, Node, Number, Socket, Switch, Text, Whole
from ..host.mesh_socket import from_socket
from ..widgets import side
from .pictures import condition_images, space_texture, turntable_frames
from .widgets import MESH_SCENE

_BACKGROUND = "Colour behind the object: white, grey, black, or e.g. #8090a0."


@Node(
    "Mesh Space",
    "mesh",
    inputs={
        "mesh": Socket("MESH").says("A mesh with texture coordinates, from SyncTweediesLoadMesh."),
        "texture_size": side(1024).says("Sides of the texture that is baked, pixels."),
        "latent_size": Whole(0, 0, 8192, 8, advanced=True).says(
            "Cells along the longer side of the grid on which latents meet. 0: as fine as the views' own pixels; "
            "finer shares less between views, coarser blurs."
        ),
    },
    optional={
        "layout": Choice(LAYOUTS, default="tiles").says(
            "Several materials: tiles gives each a part of the texture, joint lets all use the whole texture by their "
            "own coordinates."
        ),
        "sampling": Choice(SAMPLINGS, default="nearest", advanced=True).says(
            "How views read the texture while sampling. nearest, as published, mixes no cells, so fine grain stays; "
            "bilinear is smoother and takes grain at every step."
        ),
        "two_sided": Switch(True, advanced=True).says(
            "Surfaces seen from behind are painted too: leaves, cloth, cards. Off: only fronts."
        ),
    },
    outputs={
        "space": Socket("CANONICAL_SPACE").says("Connect together with OrbitRig's rig."),
        "texture": Socket("IMAGE").says(
            "The look that the mesh came with, as the picture of this space: what an edit starts from."
        ),
    },
    search=["mesh texture", "texture a mesh", "retexture", "model texture", "material", "uv", "3d", "texturing"],
)
class MeshSpace:
    """The texture of a mesh as the space that views share. Costs some milliseconds; what depends on the cameras is
    built when it is first used and kept."""

    def build(
        self,
        mesh: Any,
        texture_size: int,
        latent_size: int,
        layout: Any = "tiles",
        sampling: Any = "nearest",
        two_sided: bool = True,
    ) -> tuple[MeshTexture, Tensor]:
        scene = from_socket(mesh)
        space = MeshTexture(scene, texture_size, texture_size, latent_size, layout, sampling, two_sided)
        return space, space_texture(space)


@Node(
    "Mesh Views",
    "mesh",
    inputs=MESH_SCENE,
    optional={
        "depth_range": Choice(SPANS, default="per view").says(
            "Near and far of each view, as published, or of all views, so that a place has one grey in all of them."
        ),
        "depth_floor": Number(0.0, 0.0, 0.9, 0.05, advanced=True).says(
            "Grey of the farthest surface; above 0 it stands out from the background."
        ),
        "soft_depth": Switch(True, advanced=True).says("Soften edges of the depth by 2 pixels, as published."),
        "normals": Choice(NORMAL_SPACES, default="camera").says(
            "camera: red right, green up, blue to the camera. Some models have red to the left: compare with what "
            "their preprocessor makes. world: red +X, green +Y, blue +Z."
        ),
        "background": Text("white").says(f"texture: {_BACKGROUND}"),
    },
    outputs={
        "depth": Socket("IMAGE").says("Inverse depth, near is white, background black: for depth ControlNets."),
        "normal": Socket("IMAGE").says("Directions of the surface as colours: for normal ControlNets."),
        "mask": Socket("MASK").says("1 where the object is."),
        "position": Socket("IMAGE").says("Where in the object's box: red, green and blue are x, y and z."),
        "texture": Socket("IMAGE").says("The look that the mesh came with, unlit: what an edit starts from."),
        "shading": Socket("IMAGE").says("Lit from the camera on grey: its edges suit canny and line-art ControlNets."),
    },
    search=["depth map", "normal map", "render mesh", "controlnet", "3d"],
)
class MeshViews:
    """What the cameras see of a mesh: hints for ControlNets, masks, its own texture. Costs some hundredths of a second
    per view."""

    def render(
        self,
        space: Any,
        rig: Any,
        depth_range: Any = "per view",
        depth_floor: float = 0.0,
        soft_depth: bool = True,
        normals: Any = "camera",
        background: str = "white",
    ) -> tuple[Tensor, ...]:
        return condition_images(space, rig, depth_range, depth_floor, soft_depth, normals, background)


@Node(
    "Mesh Turntable",
    "mesh",
    inputs={
        "mesh": Socket("MESH").says("A textured mesh."),
        "frames": Whole(36, 1, 720).says("How many, once around."),
        "width": side(512).says("Width of a frame, pixels."),
        "height": side(512).says("Height of a frame, pixels."),
        "elevation": Number(15.0, -90.0, 90.0, 5.0).says(
            "Height of the camera in degrees; below 0 it shows the underside."
        ),
        "start": Number(0.0, -360.0, 360.0, 5.0, advanced=True).says(
            "Azimuth of the first frame in degrees; 0 sees the +Z side."
        ),
        "light": Choice(LIGHTS[::-1]).says("soft: a light that goes with the camera. none: the texture's own colours."),
        "background": Text("white").says(_BACKGROUND),
    },
    optional={
        "fov": Number(40.0, 5.0, 120.0, 5.0, advanced=True).says(
            "How strong the perspective is, in degrees; the object is fitted in any case."
        )
    },
    outputs={"frames": Socket("IMAGE").says("One image per frame, for a video or a preview.")},
    search=["render mesh", "rotate", "spin", "video", "preview", "3d"],
)
class MeshTurntable:
    """Frames of the mesh with its textures, once around. Costs about a fifth of a second per frame of 512 x 512."""

    def turn(self, mesh: Any, frames: int, width: int, height: int, background: str, **view: Any) -> tuple[Tensor]:
        return (turntable_frames(from_socket(mesh), frames, height, width, background, **view),)
