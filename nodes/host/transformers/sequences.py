"""Where the picture's tokens lie in the sequences that a transformer attends to, told by their lengths.

A layer does not say what it attends to. Lengths tell, and where two lengths are equal, the order of the layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .calls import ModelCall

First = Callable[[int, int], int | None]
"""(number of queries, number of keys) -> the first token of the picture where it attends to itself, else None."""


def _text(call: ModelCall) -> int:
    return 0 if call.context is None else call.context.shape[1]


def finds_joint(call: ModelCall, tokens: int) -> First:
    """Text, picture, and perhaps pictures of reference behind it."""
    text = _text(call)
    return lambda queries, keys: text if queries == keys >= text + tokens else None


def finds_leading(call: ModelCall, tokens: int) -> First:
    """The picture, then text."""
    return _leading(call, tokens, 0)


def _leading(call: ModelCall, tokens: int, of_text: int) -> First:
    text, count = _text(call), 0

    def first(queries: int, keys: int) -> int | None:
        nonlocal count
        count += 1
        return 0 if queries == keys >= tokens and not (count <= of_text and queries == text) else None

    return first


def finds_hunyuan(call: ModelCall, tokens: int) -> First:
    """Some layers with the text alone, then text and picture; in hosts of 2025 picture and text."""
    blocks = call.network.txt_in.individual_token_refiner.blocks
    if hasattr(call.network.params, "use_cond_type_embedding"):
        return finds_after_blocks_of_text(lambda network: blocks)(call, tokens)
    return _leading(call, tokens, len(blocks))


def finds_with_registers(call: ModelCall, tokens: int) -> First:
    """Perhaps registers, text and picture; in some layers the picture alone, too."""
    registers = getattr(call.network, "register_tokens", None)
    more = getattr(call.network, "register_length", 0) if registers is None else registers.shape[1]
    text = _text(call) + more
    starts = {tokens: 0, text + tokens: text}
    return lambda queries, keys: starts.get(queries) if queries == keys else None


def finds_before_text(call: ModelCall, tokens: int) -> First:
    """The picture alone; afterwards it reads the text, which may be as long as it."""
    a_block = 3 if getattr(call.network, "model_type", "") == "i2v" else 2
    alike, count = _text(call) == tokens, 0

    def first(queries: int, keys: int) -> int | None:
        nonlocal count
        count += 1
        own = queries == keys == tokens
        return 0 if own and (not alike or (count - 1) % a_block == 0) else None

    return first


def finds_after_blocks_of_text(blocks: Callable[[Any], Any]) -> Callable[[ModelCall, int], First]:
    """Some layers with the text alone (the network's ``blocks``), perhaps some with the picture, then text, perhaps
    pictures of reference, and the picture; text and picture may be filled up."""

    def finds(call: ModelCall, tokens: int) -> First:
        filled = getattr(call.network, "pad_tokens_multiple", None) or 1
        picture = -(-tokens // filled) * filled
        text = -(-_text(call) // filled) * filled
        of_text, count = len(blocks(call.network)), 0

        def first(queries: int, keys: int) -> int | None:
            nonlocal count
            count += 1
            if queries != keys or queries < picture or (count <= of_text and queries == text):
                return None
            return queries - picture

        return first

    return finds
