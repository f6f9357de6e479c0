"""What a script yields: moves, and the calls in them.

A script is a generator. It yields a `Move` with tool calls and receives their results; it returns its last move, the
answer. It keeps no state between requests: `model.decide` runs it again from the start with the results of the
conversation. Each script yields a limited number of moves, uses only tools that the client declares, overwrites and
deletes nothing, and goes on if a tool is missing, denied or broken.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from .conversation import Conversation, Result
from .sample import Sampler


@dataclass(frozen=True)
class Call:
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Move:
    """What the model does next: think, say something, call tools. A move without calls ends the turn."""

    think: str = ""
    say: str = ""
    calls: tuple[Call, ...] = ()


Results = tuple[Result, ...]
Script = Generator[Move, Results, Move]


def make_call(talk: Conversation, name: str, **values: Any) -> Call | None:
    """A call of the client's tool with those of `values` that its schema has; None if the call cannot be made."""
    schema = talk.tools.get(name)
    if schema is None:
        return None
    known = schema.get("properties") or values
    if any(required not in values for required in schema.get("required") or ()):
        return None
    return Call(name, {key: value for key, value in values.items() if key in known})


def make_arguments(talk: Conversation, name: str) -> dict[str, Any]:
    """Make arguments that fit the tool's schema from the user's words."""
    value = Sampler(talk.tools[name], talk.prompt).value()
    return value if isinstance(value, dict) else {}
