"""A picture as a recipe: which workflow is run, with what changed, and which part of the result is shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class More:
    """A node beside those of the workflow. ``inputs``: values, or "key.slot" for a wire from that node; what is not
    named has the node's default."""

    kind: str
    inputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tile:
    """One run, and the strip below it.

    ``label``: what differs from the tiles beside it. ``set``: "NODE.INPUT=VALUE" as run.py's --set. ``wires``:
    "NODE.INPUT" to "key.slot" of a node in the workflow or in ``more``. ``show``: "key.slot", an output that holds
    pictures, and which of them (``frames``, else the first; side by side in rows of ``across``). ``mask``: it holds
    masks, shown in grey. ``crop``: parts of width and height. ``twice``: shown twice side by side.
    """

    label: str
    set: tuple[str, ...] = ()
    wires: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, More] = field(default_factory=dict)
    show: str = ""
    frames: tuple[int, ...] = ()
    across: int = 0
    crop: Box = (0.0, 0.0, 1.0, 1.0)
    workflow: str = ""
    twice: bool = False
    mask: bool = False

    def over(self, base: Tile) -> Tile:
        """This tile with what it leaves open taken from ``base``."""
        usual = Tile("")
        given = {
            name: getattr(base, name)
            for name in ("show", "frames", "across", "crop", "workflow", "twice", "mask")
            if getattr(self, name) == getattr(usual, name)
        }
        return replace(
            self,
            set=(*base.set, *self.set),
            wires={**base.wires, **self.wires},
            more={**base.more, **self.more},
            **given,
        )


@dataclass(frozen=True)
class Picture:
    """``name``: of the file. ``nodes``: on whose help pages it stands. ``option``: what it is about. ``caption``:
    what to see in it. ``base``: what all tiles share. ``across``: tiles beside each other. ``alike``: that the tiles
    show one picture is what is to be seen."""

    name: str
    nodes: tuple[str, ...]
    option: str
    caption: str
    base: Tile
    tiles: tuple[Tile, ...]
    across: int = 1
    alike: bool = False

    def runs(self) -> list[Tile]:
        return [tile.over(self.base) for tile in self.tiles]

    @property
    def alt(self) -> str:
        shown = ", ".join(tile.label for tile in self.tiles if tile.label)
        return f"{self.option}: {shown}" if shown else self.option

    def text(self) -> str:
        """The recipe, as it is kept in the picture's file."""
        told = [
            {name: value for name, value in _plain(tile).items() if value != _plain(Tile(""))[name]}
            for tile in self.runs()
        ]
        return json.dumps({"name": self.name, "across": self.across, "tiles": told}, sort_keys=True)


def is_wire(text: str) -> bool:
    """Whether an input of ``More`` is a wire: "15.0", "words.0"."""
    key, dot, slot = text.rpartition(".")
    return bool(dot) and slot.isdigit() and (key.isdigit() or key.isidentifier())


def _plain(tile: Tile) -> dict[str, Any]:
    plain = {name: getattr(tile, name) for name in tile.__dataclass_fields__}
    plain["more"] = {key: {"kind": node.kind, **node.inputs} for key, node in tile.more.items()}
    plain["wires"] = dict(tile.wires)
    return plain
