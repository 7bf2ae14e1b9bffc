"""Inputs that several mesh nodes share."""

from __future__ import annotations

from ..declare import Inputs, Socket

MESH_SCENE: Inputs = {
    "space": Socket("CANONICAL_SPACE").says("The mesh's texture, from MeshSpace."),
    "rig": Socket("VIEW_RIG").says("The cameras, from OrbitRig."),
}
