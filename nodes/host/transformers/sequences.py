"""Where the picture's tokens lie in the sequences that a transformer attends to, told by their lengths.

A layer does not say what it attends to. Lengths tell, and where two lengths are equal, the order of the layers.
"""

from __future__ import annotations

from collections.abc import Callable

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
    return lambda queries, keys: 0 if queries == keys >= tokens else None


def finds_sd3(call: ModelCall, tokens: int) -> First:
    """Text and picture; in some layers the picture alone, too."""
    text = _text(call) + getattr(call.network, "register_length", 0)
    starts = {tokens: 0, text + tokens: text}
    return lambda queries, keys: starts.get(queries) if queries == keys else None


def finds_wan(call: ModelCall, tokens: int) -> First:
    """The picture alone; afterwards it reads the text, which may be as long as it."""
    a_block = 3 if getattr(call.network, "model_type", "") == "i2v" else 2
    alike, count = _text(call) == tokens, 0

    def first(queries: int, keys: int) -> int | None:
        nonlocal count
        count += 1
        own = queries == keys == tokens
        return 0 if own and (not alike or (count - 1) % a_block == 0) else None

    return first


def finds_lumina(call: ModelCall, tokens: int) -> First:
    """Some layers with the text alone, some with the picture, then text and picture; both may be filled up."""
    network = call.network
    filled = getattr(network, "pad_tokens_multiple", None) or 1
    picture = -(-tokens // filled) * filled
    text = -(-_text(call) // filled) * filled
    of_text, count = len(network.context_refiner), 0

    def first(queries: int, keys: int) -> int | None:
        nonlocal count
        count += 1
        if queries != keys or queries < picture or (count <= of_text and queries == text):
            return None
        return queries - picture

    return first
