"""What a sampling run depends on, as one number: the same in another process, another one when anything else would come
out.

Tensors count by their bytes, weights of networks by a sample of each (a checkpoint takes seconds to read whole),
functions by their names and what they hold, other objects by their classes and attributes. What cannot be read counts
by its class; what differs from process to process (addresses, ids, caches) does not count where it is known, and where
it is not, two equal runs get two numbers.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import inspect
from collections.abc import Iterable, Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

# Attributes and keys of the host's objects that change without changing what comes out. (Not of values, whose fields
# all count.)
FLEETING = frozenset(
    {"uuid", "patches_uuid", "cond_hint", "load_device", "offload_device", "device", "output_device", "inner_model"}
    | {"loaded_models", "conds", "backup", "object_patches_backup", "is_clip", "size", "current_used_memory", "parent"}
    | {"cached_patcher_init", "hook_ref", "model_loaded_weight_memory", "currently_injected", "disable_offload"}
)
# How many values of each weight are read, evenly spread.
_OF_A_WEIGHT = 64


def identity(*values: Any) -> str:
    """64 hexadecimal digits for values of any kind."""
    reading = _Reading()
    for value in values:
        reading.take(value)
    return reading.hash.hexdigest()


class _Reading:
    """One pass over values, which may point at each other."""

    def __init__(self) -> None:
        self.hash = hashlib.blake2b(digest_size=32)
        self.seen: dict[int, int] = {}
        self.kept: list[Any] = []  # (so that no id is given twice)

    def say(self, *words: Any) -> None:
        self.hash.update("\x1f".join(str(word) for word in words).encode() + b"\x1e")

    def take(self, value: Any) -> None:
        if value is None or isinstance(value, bool | int | float | complex | str | bytes):
            self.say(type(value).__name__, repr(value))
        elif isinstance(value, torch.dtype | torch.device | enum.Enum | type) or inspect.ismodule(value):
            self.say("name", value)
        elif self._is_new(value):
            self._take_content(value)

    def _is_new(self, value: Any) -> bool:
        if id(value) in self.seen:
            self.say("again", self.seen[id(value)])
            return False
        self.seen[id(value)] = len(self.seen)
        self.kept.append(value)
        return True

    def _take_content(self, value: Any) -> None:
        if isinstance(value, Tensor):
            self._tensor(value)
        elif isinstance(value, np.ndarray):
            self.say("array", value.dtype, value.shape)
            self.hash.update(np.ascontiguousarray(cast(Any, value)).tobytes())
        elif isinstance(value, Mapping):
            self._entries("mapping", cast("Mapping[Any, Any]", value).items())
        elif isinstance(value, list | tuple):
            self.say(type(value).__name__, len(cast("list[Any]", value)))
            for item in cast("Iterable[Any]", value):
                self.take(item)
        elif isinstance(value, set | frozenset):
            self.say("set", *sorted(map(repr, cast("Iterable[Any]", value))))
        elif isinstance(value, torch.nn.Module):
            self._network(value, {})
        elif hasattr(value, "model_options") and hasattr(value, "patches"):
            self._patcher(value)
        elif isinstance(value, functools.partial):
            self.take([value.func, value.args, value.keywords])
        elif inspect.ismethod(value):
            self.take([value.__func__, value.__self__])
        elif inspect.isroutine(value):
            self._function(value)
        elif dataclasses.is_dataclass(value):
            self.say(_class(value))
            for field in dataclasses.fields(value):
                self.say(field.name)
                self.take(getattr(value, field.name))
        else:
            self.say(_class(value))
            self._entries("attributes", getattr(value, "__dict__", {}).items())

    def _entries(self, what: str, entries: Iterable[tuple[Any, Any]]) -> None:
        named = sorted(((str(key), value) for key, value in entries), key=lambda entry: entry[0])
        self.say(what)
        for key, value in named:
            if key not in FLEETING:
                self.say(key)
                self.take(value)

    def _tensor(self, value: Tensor) -> None:
        self.say("tensor", value.dtype, tuple(value.shape))
        if value.device.type == "meta" or value.layout != torch.strided:
            return
        whole = value.detach().cpu().contiguous()
        self.hash.update(whole.reshape(-1).view(torch.uint8).numpy().tobytes() if whole.numel() else b"")

    def _network(self, network: torch.nn.Module, originals: Mapping[str, Any]) -> None:
        """originals: weights as they were before the host put others in their place."""
        self.say("network", _class(network))
        for name, weight in (*network.named_parameters(), *network.named_buffers()):
            weight = cast("Tensor", getattr(originals.get(name), "weight", weight))
            self.say(name, weight.dtype, tuple(weight.shape))
            if weight.device.type == "meta" or not weight.numel() or type(weight.data) is not Tensor:
                continue
            flat = weight.detach().reshape(-1)
            some = flat[:: max(1, flat.numel() // _OF_A_WEIGHT)][:_OF_A_WEIGHT]
            self.hash.update(some.cpu().contiguous().view(torch.uint8).numpy().tobytes())

    def _patcher(self, patcher: Any) -> None:
        """A MODEL of the host: its network, and what is patched on top."""
        if isinstance(getattr(patcher, "model", None), torch.nn.Module):
            self._network(patcher.model, getattr(patcher, "backup", {}))
        for name in ("patches", "model_options", "object_patches", "hook_patches"):
            self.say(name)
            self.take(getattr(patcher, name, None))

    def _function(self, function: Any) -> None:
        self.say("function", getattr(function, "__module__", ""), getattr(function, "__qualname__", ""))
        for cell in getattr(function, "__closure__", None) or ():
            try:
                self.take(cell.cell_contents)
            except ValueError:  # (a name that its function has not given a value yet)
                self.say("empty")
        self.take(getattr(function, "__defaults__", None))


def _class(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
