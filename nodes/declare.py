"""How nodes are declared: once, beside the function that they call.

    @Node("Rig Report", "space", inputs=SCENE, outputs={"views": Socket("INT").says("Number of views.")})
    class RigReport:
        \"\"\"Shows what the views see.\"\"\"

        def report(self, space: Any, rig: Any) -> tuple[int]:
            return (len(Scene(space, rig).view_places()),)

The name of the class is the node's id, for ever; its docstring is what users read about it; its one public method is
what runs, given the inputs by name. Everything here is a value; ``v1.py`` alone makes of it what hosts read.
"""

# pyright: strict
from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from .checks import check_inputs
from .host.errors import named

# What a host calls by itself, beside the function that runs.
_HOOKS = ("check_lazy_status",)

AnyInput = TypeVar("AnyInput", bound="Input")
AnyClass = TypeVar("AnyClass", bound=type)
Hidden = Literal["PROMPT", "EXTRA_PNGINFO", "UNIQUE_ID", "DYNPROMPT"]


@dataclass(frozen=True)
class Unless:
    """Any value but this one."""

    value: str | int


LINKED: Literal["linked"] = "linked"
"""Whatever comes by a link, and only then."""

Shown = tuple[str, ...] | Unless | Literal["linked"]
"""For which values of another input one has a meaning: these choices, all but one value, or any that is linked."""


@dataclass(frozen=True)
class Input:
    """What all inputs have. advanced: it is folded away until the user asks for more. shown_when: it means something
    only where all of these hold for other inputs of its node, and is folded away (web/fold.js) elsewhere; the function
    must not read it there."""

    tooltip: str = field(default="", kw_only=True)
    advanced: bool = field(default=False, kw_only=True)
    shown_when: tuple[tuple[str, Shown], ...] = field(default=(), kw_only=True)

    def says(self: AnyInput, tooltip: str) -> AnyInput:
        """The same input with this tooltip."""
        return replace(self, tooltip=tooltip)

    def when(self: AnyInput, **shown: Shown) -> AnyInput:
        """The same input, shown only where these hold: ``when(kind=("ring",))``."""
        return replace(self, shown_when=tuple(shown.items()))

    def given(self: AnyInput, **changes: Any) -> AnyInput:
        """The same input but for these values. Raises TypeError for one that it does not have."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Socket(Input):
    """What only a link gives, and an output. kind: a type of the host, or several, with commas, of which any will do;
    a type that has widgets (STRING) then has none."""

    kind: str


@dataclass(frozen=True)
class Number(Input):
    """A number with a fraction. round: to what the host rounds what is typed; None: to the step."""

    default: float
    low: float
    high: float
    step: float = 0.01
    round: float | None = None
    kind = "FLOAT"


@dataclass(frozen=True)
class Whole(Input):
    """A number without a fraction. after_generate: the host offers to change it after every run, as it does seeds."""

    default: int
    low: int
    high: int
    step: int | None = None
    after_generate: bool = False
    kind = "INT"


@dataclass(frozen=True)
class Choice(Input):
    """One of several texts; a function where they are looked up (files) each time that the host asks. default: the
    first, where it is None. labels: what is shown (web/looks.js) instead of choices that say little."""

    choices: Collection[str] | Callable[[], Collection[str]]
    default: str | None = None
    labels: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)
    kind = "COMBO"


@dataclass(frozen=True)
class Switch(Input):
    """On or off."""

    default: bool
    kind = "BOOLEAN"


@dataclass(frozen=True)
class Text(Input):
    """Words. multiline: in several lines; dynamic: of several words in braces, {red|blue}, the host takes one."""

    default: str = ""
    multiline: bool = False
    dynamic: bool = False
    kind = "STRING"


Inputs = Mapping[str, Input]


def defaults(inputs: Inputs) -> dict[str, Any]:
    """What the inputs start from, by name; those without a default left out."""
    found = {name: getattr(value, "default", None) for name, value in inputs.items()}
    return {name: default for name, default in found.items() if default is not None}


@dataclass(frozen=True)
class Node:
    """A declaration, and the decorator that makes a node of a class with it.

    name: shown to users. category: where its menu has it, below the pack's own. inputs, optional: required ones, and
    those that may be left out, for which the function has defaults. hidden: what the host gives without being asked on
    screen. outputs: by name, in order; one that is called ``report`` is shown in the node as well (web/reports.js).
    search: more words that it is found by. output_node: it is run for what it shows or saves.

    The function is wrapped: inputs that no node can use are refused (``check_inputs``), and errors begin with the
    node's id. Raises TypeError, when the file is imported, for a class whose function and inputs do not fit.
    """

    name: str
    category: str
    inputs: Inputs
    outputs: Mapping[str, Socket]
    optional: Inputs = field(default_factory=lambda: {})
    hidden: Mapping[str, Hidden] = field(default_factory=lambda: {})
    search: Sequence[str] = ()
    output_node: bool = False

    def __call__(self, node: AnyClass) -> AnyClass:
        method = _method_of(node)
        function = getattr(node, method)
        parameters = dict(list(inspect.signature(function).parameters.items())[1:])
        self._check(node.__name__, parameters)
        given = {**self.inputs, **self.optional}
        kinds = {name: str(getattr(value, "kind", "")) for name, value in given.items()}

        @functools.wraps(function)
        def checked(itself: Any, *values: Any, **by_name: Any) -> Any:
            with named(node.__name__):
                check_inputs(kinds, dict(zip(parameters, values, strict=False)) | by_name)
                return function(itself, *values, **by_name)

        for name, value in {method: checked, "DECLARATION": self, "RUNS": method}.items():
            setattr(node, name, value)
        return node

    def _check(self, node: str, parameters: Mapping[str, inspect.Parameter]) -> None:
        takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        names = {name for name, parameter in parameters.items() if parameter.kind is not parameter.VAR_KEYWORD}
        may_lack = {*self.optional, *self.hidden}
        asked = {*self.inputs, *may_lack}
        for name in sorted((names - asked) | (set() if takes_all else asked - names)):
            raise TypeError(f"{node}: '{name}' is an input or a parameter of its function, but not both")
        for name in sorted(names & may_lack):
            if parameters[name].default is inspect.Parameter.empty:
                raise TypeError(f"{node}: '{name}' may be left out; give the function a default for it")
        for name, value in {**self.inputs, **self.optional, **self.outputs}.items():
            if not value.tooltip:
                raise TypeError(f"{node}: '{name}' has no tooltip; write what it is with says(...)")
        given = {**self.inputs, **self.optional}
        for name, value in given.items():
            for of, shown in value.shown_when:
                if of == name or of not in given or not _possible(given[of], shown):
                    raise TypeError(f"{node}: '{name}' is shown when '{of}' is {shown}, which it never is")


def _possible(value: Input, shown: Shown) -> bool:
    """Whether an input may be so."""
    if shown == LINKED:
        return isinstance(value, Socket)
    if isinstance(shown, Unless):
        return isinstance(value, Choice | Whole)
    return isinstance(value, Choice) and not callable(value.choices) and {*shown} < {*value.choices}


def _method_of(node: type) -> str:
    """The name of the class's one public function."""
    public = [n for n, v in vars(node).items() if inspect.isfunction(v) and not n.startswith("_") and n not in _HOOKS]
    if len(public) != 1:
        raise TypeError(f"{node.__name__}: one public function runs a node, not {', '.join(public) or 'none'}")
    return public[0]
