"""STL, text and binary: bare triangles.

3D Systems, "StereoLithography Interface Specification" (1988). Read here and not by trimesh, which refuses text files
of several solids and binary files whose count is wrong, and reads text into float32.
"""

from __future__ import annotations

import re
import struct
from array import array
from pathlib import Path

import numpy as np

from ...arrays import Array, shaped
from ..material import Part
from ..mesh import Mesh
from .pieces import Limits, Notes, Piece, join
from .polygons import cut_faces
from .text_file import lines_of, plain_text, without_mark

_HEAD, _FACET = 84, 50
_CUT_OFF = "it is cut off; export or download it again"
_CUT = "it holds no faces, or is cut off; export or download it again"
_UNKNOWN = 0xFFFFFFFF  # written by programs that never came back to the head


def read_stl(path: Path, root: Path, limits: Limits, notes: Notes) -> Mesh:
    """An STL file -> Mesh: corners at the same place become one vertex, in the file's order; solids become one mesh.

    Facets that are there count where a binary file's head says fewer, none or no number: ``notes`` tell, and also
    what lies behind the last facet. Raises ValueError for a file that is cut off (fewer facets than the head says, the
    last one of a text not whole) or has no facet, and as ``Mesh``.
    """
    data = path.read_bytes()
    if _is_text(data):
        places, corners = _text(plain_text(path, "STL"), limits, notes)
    else:
        places, corners = _binary(data, limits, notes)
    # (-0 is 0)
    _, first, inverse = np.unique(places + 0.0, axis=0, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    piece = Piece(places[np.sort(first)], rank[shaped(inverse, -1)][corners], 0)
    return join([piece], [Part("material")], path.stem, notes)


def _is_text(data: bytes) -> bool:
    """Binary files may begin with 'solid' too: those are as long as their count says, or hold zero bytes early."""
    if len(data) >= _HEAD and len(data) == _HEAD + _FACET * struct.unpack_from("<I", data, 80)[0]:
        return False
    head = data[:1024]
    return head.startswith((b"\xff\xfe", b"\xfe\xff")) or (
        without_mark(head).lstrip()[:5].lower() == b"solid" and b"\0" not in head
    )


def _binary(data: bytes, limits: Limits, notes: Notes) -> tuple[Array, Array]:
    """(places float64 [3 F, 3], corners [F, 3])."""
    there, extra = divmod(max(len(data) - _HEAD, 0), _FACET)
    if not there:
        raise ValueError(_CUT)
    claimed = struct.unpack_from("<I", data, 80)[0]
    if claimed > there and claimed != _UNKNOWN:
        raise ValueError(f"its head says {claimed} facets, and it holds {there}: {_CUT_OFF}")
    # A count that is too small is wrong where only whole facets follow; else what follows is something else.
    count = there if claimed in (0, _UNKNOWN) or not extra else claimed
    limits.check_faces(count)
    row = np.dtype([("normal", "<f4", 3), ("places", "<f4", 9), ("attribute", "<u2")])
    with np.errstate(invalid="ignore"):  # (signalling NaNs, which Mesh refuses)
        places = np.frombuffer(data, row, count, _HEAD)["places"].astype(np.float64)
    if claimed < count:
        # (facets without area behind the last are padding)
        real = places[:, 3:].any(1) | places[:, :3].any(1)
        count = max(int(np.flatnonzero(real)[-1]) + 1 if real.any() else 0, claimed, 1)
        places = places[:count]
    if claimed != count:
        notes.add(f"its head says {claimed} facets, and it holds {count} whole ones, which are read")
    left = len(data) - _HEAD - _FACET * count
    if left:
        notes.add(f"{left} bytes after the last facet are left out")
    return shaped(places, -1, 3), shaped(np.arange(3 * count), -1, 3)


def _text(data: bytes, limits: Limits, notes: Notes) -> tuple[Array, Array]:
    """(places float64 [C, 3], corners [F, 3]) of all solids in the file."""
    places, sizes = array("d"), array("i")
    solids = held = 0
    last = data.rstrip().count(b"\n") + 1
    for number, line in enumerate(lines_of(data), 1):
        words = line.lower().split()
        if words and words[0] == b"solid":
            solids += 1
            # (the name may be any words; a file may stand on one line)
            facet = re.search(rb"\sfacet\s+normal\s", line, re.IGNORECASE)
            words = line[facet.start() :].lower().split() if facet else []
        elif words and words[0] == b"endsolid":
            words = []
        at = 0
        while at < len(words):
            word = words[at]
            at += 1
            if word == b"vertex":
                found = _numbers(words[at : at + 3])
                if len(found) != 3 and number < last:
                    raise ValueError(f"a vertex on line {number} does not hold 3 numbers; export or download it again")
                places.extend(found)
                at += 3
            elif word in (b"endloop", b"endfacet"):
                corners = len(places) // 3 - held
                if corners >= 3:
                    sizes.append(corners)
                    held += corners
                del places[3 * held :]
        if len(sizes) > limits.max_faces:
            limits.check_faces(data.lower().count(b"endfacet"))
    if len(places) > 3 * held:
        raise ValueError(f"its last facet is not whole: {_CUT_OFF}")
    if not sizes:
        raise ValueError(_CUT)
    if solids > 1:
        notes.add(f"its {solids} solids become one mesh")
    table = shaped(np.frombuffer(places, np.float64), -1, 3)
    picked, _ = cut_faces(table, np.arange(len(table)), np.frombuffer(sizes, np.int32), limits, notes)
    return table, picked


def _numbers(words: list[bytes]) -> list[float]:
    try:
        return [float(word) for word in words]
    except ValueError:
        return []
