"""OBJ with MTL, PLY, STL and OFF files to be changed."""

from __future__ import annotations

import struct

from helpers.mesh_files import picture
from syncpack.renderers.mesh.files.load import load_mesh

from fuzz.attack import Files, Reader

_OBJ = b"""mtllib a.mtl b.mtl
v 0 0 0 1 0 0
v 4 0 0 # corner
v 4 4 0
v 0 4 0
v 1 1 0
v 1 3 0
v 3 3 0
v 3 1 0
vt 0 0
vt 1 0
vt 1 1
vn 0 0 1
usemtl red
f 1 2 3 4 1 5 6 7 8 5
usemtl blue
f 1/1/1 2/2/1 3/3/1
f -1//1 -2//1 -3//1
"""
_MTL = b"newmtl red\nKd 1 0 0\nd 0.5\nTr 0.5\nnewmtl blue\nKd 0 0 1\nmap_Kd -s 1 1 1 wall.png\nmap_d wall.png\n"
_POINTS = ((0, 0, 0), (4, 0, 0), (4, 4, 0), (0, 4, 0), (2, 1, 0))
_FACES = ((0, 1, 2, 4, 3), (0, 1, 2), (0, 2, 3, 1))
_TEXT_HEAD = (
    "ply\nformat {} 1.0\ncomment TextureFile wall.png\nelement other 1\nproperty int a\nelement vertex 5\n"
    "property double x\nproperty double y\nproperty double z\nproperty uchar red\nproperty uchar green\n"
    "property uchar blue\nelement face 3\nproperty list uchar int vertex_indices\nend_header\n"
)


def obj() -> Files:
    return {"a.obj": _OBJ, "a.mtl": _MTL, "b.mtl": b"newmtl green\nKd 0 1 0\n", "wall.png": picture(mode="RGBA")}


def ply(form: str) -> Files:
    head = _TEXT_HEAD.format(form).encode()
    if form == "ascii":
        body = "7\n" + "".join(f"{x} {y} {z} 255 0 9\n" for x, y, z in _POINTS)
        body += "".join(f"{len(face)} {' '.join(map(str, face))}\n" for face in _FACES)
        return {"a.ply": head + body.encode(), "wall.png": picture()}
    order = ">" if "big" in form else "<"
    data = struct.pack(order + "i", 7) + b"".join(struct.pack(order + "3d3B", *p, 255, 0, 9) for p in _POINTS)
    data += b"".join(struct.pack(f"{order}B{len(f)}i", len(f), *f) for f in _FACES)
    return {"a.ply": head + data, "wall.png": picture()}


def facets(solids: int = 2) -> bytes:
    """Text STL."""
    one = "facet normal 0 0 1\n outer loop\n  vertex 0 0 {0}\n  vertex 1 0 {0}\n  vertex 0 1 {0}\n endloop\nendfacet\n"
    return "".join(f"solid a\n{one.format(i)}{one.format(-1e3 - i)}endsolid a\n" for i in range(solids)).encode()


def binary_stl(count: int, claimed: int, extra: bytes = b"") -> bytes:
    rows = b"".join(struct.pack("<12fH", 0, 0, 1, 0, 0, i, 1, 0, i, 0, 1, i, 0) for i in range(count))
    return b"made by hand".ljust(80, b"\0") + struct.pack("<I", claimed) + rows + extra


_OFF = b"OFF\n# by hand\n5 2 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n.5 .2 0\n5 0 1 2 4 3 255 0 0\n3 0 1 2\n"
_COFF = b"STCNOFF\n3 1 0\n0 0 0 0 0 1 255 0 0 255 0 0\n1 0 0 0 0 1 0 255 0 255 1 0\n0 1 0 0 0 1 0 0 9 9 0 1\n3 0 1 2\n"

TEXT_READERS: dict[str, Reader] = {
    "obj_mtl": Reader(lambda: [obj()], load_mesh),
    "mtl": Reader(
        lambda: [
            {
                "a.obj": b"mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl red\nf 1 2 3\n",
                "a.mtl": _MTL,
                "wall.png": picture(),
            }
        ],
        load_mesh,
    ),
    "ply_text": Reader(lambda: [ply("ascii")], load_mesh),
    "ply_binary": Reader(lambda: [ply("binary_little_endian"), ply("binary_big_endian")], load_mesh),
    "stl_text": Reader(lambda: [{"a.stl": facets()}], load_mesh),
    "stl_binary": Reader(lambda: [{"a.stl": binary_stl(4, 4)}, {"a.stl": binary_stl(3, 9, b"xy")}], load_mesh),
    "off": Reader(lambda: [{"a.off": _OFF}, {"a.off": _COFF}], load_mesh),
}
