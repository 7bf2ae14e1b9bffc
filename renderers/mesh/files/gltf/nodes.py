"""Which meshes a glTF scene shows, and where: its nodes, and the pose in which skinned meshes are bound."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....arrays import Array, shaped, turned
from ....quaternions import turn_rows
from ..pieces import Notes
from .file import Gltf

_LOOP = "its nodes form a circle; export it again"


def placed_meshes(gltf: Gltf, notes: Notes) -> list[tuple[dict[str, Any], Array]]:
    """(mesh, world matrix [4, 4]) of every node of the default scene that has a mesh, in the order of the nodes.

    Skinned meshes lie as their first joint holds them in the bind pose. Raises ValueError for circles, and where nodes
    are children so many times over that the scene is far larger than the file.
    """
    nodes = gltf.items("nodes")
    found: list[tuple[dict[str, Any], Array]] = []
    skins = _Skins(gltf)
    waiting = [(index, np.eye(4), 0) for index in reversed(_roots(gltf, notes))]
    left = 10_000 + 4 * len(nodes)
    while waiting:
        index, above, depth = waiting.pop()
        if depth > len(nodes):
            raise ValueError(_LOOP)
        node = gltf.item("nodes", index)
        world = above @ transform(node)
        for kind in ("camera", "light"):
            if kind in node or kind in node.get("extensions", {}).get("KHR_lights_punctual", {}):
                notes.add(f"{kind}s in the file are left out")
        if "mesh" in node:
            found.append((gltf.item("meshes", node["mesh"]), skins.world(node, world)))
        children = node.get("children", [])
        left -= len(children)
        if left < 0:
            raise ValueError("its nodes are children of several others many times over; export it again")
        waiting += [(child, world, depth + 1) for child in reversed(children)]
    return found


def _roots(gltf: Gltf, notes: Notes) -> list[Any]:
    scenes = gltf.items("scenes")
    if not scenes:
        children = {c for node in gltf.items("nodes") for c in node.get("children", [])}
        return [i for i in range(len(gltf.items("nodes"))) if i not in children]
    if len(scenes) > 1:
        notes.add(f"the file has {len(scenes)} scenes; the default one is used")
    return gltf.item("scenes", gltf.tree.get("scene", 0)).get("nodes", [])


class _Skins:
    """Where skinned meshes lie: joints move them, not their own node (glTF 2.0, 3.7.3.2)."""

    def __init__(self, gltf: Gltf) -> None:
        self.gltf = gltf
        self._parents: dict[int, int] | None = None

    def world(self, node: dict[str, Any], own: Array) -> Array:
        """``own`` for meshes without a skin, or with one that names no joints."""
        if "skin" not in node:
            return own
        skin = self.gltf.item("skins", node["skin"])
        joints: list[int] = skin.get("joints") or []
        if not joints:
            return own
        bind = np.eye(4)
        if "inverseBindMatrices" in skin:
            bind = turned(shaped(self.gltf.accessor(skin["inverseBindMatrices"])[0], 4, 4))
        return self._node(joints[0]) @ bind

    def _node(self, index: int) -> Array:
        """World matrix of a node, whichever scene it is in."""
        if self._parents is None:
            nodes = self.gltf.items("nodes")
            self._parents = {c: i for i, node in enumerate(nodes) for c in node.get("children", [])}
        world, seen = transform(self.gltf.item("nodes", index)), {index}
        while index in self._parents:
            index = self._parents[index]
            if index in seen:
                raise ValueError(_LOOP)
            seen.add(index)
            world = transform(self.gltf.item("nodes", index)) @ world
        return world


def transform(node: dict[str, Any]) -> Array:
    """A node's own matrix [4, 4]."""
    if "matrix" in node:
        return turned(shaped(np.array(node["matrix"], np.float64), 4, 4))
    x, y, z, w = node.get("rotation", (0, 0, 0, 1))
    turn = np.array(turn_rows(w, x, y, z))
    world = np.eye(4)
    world[:3, :3] = turn * np.array(node.get("scale", (1, 1, 1)))
    world[:3, 3] = node.get("translation", (0, 0, 0))
    return world


def cofactors(matrix: Array) -> Array:
    """[3, 3]: the inverse transpose, up to a scale, for singular matrices too. What normals are turned by."""
    rows = [np.cross(matrix[1], matrix[2]), np.cross(matrix[2], matrix[0]), np.cross(matrix[0], matrix[1])]
    return np.stack(rows)
