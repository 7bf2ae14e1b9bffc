"""What PLY files are made of, as numpy names it (Turk, "The PLY Polygon File Format", 1994)."""

_OLD = {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4"}
_NEW = {"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4", "float32": "f4"}

KINDS = {**_OLD, **_NEW, "double": "f8", "float64": "f8"}
"""Types of properties."""

ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
"""Encodings of rows: text, or the byte order."""
