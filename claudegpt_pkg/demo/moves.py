"""What a script yields: moves, and the calls in them.

A script is plain Python. It yields a `Move` with tool calls and is handed their results; it returns its last move, the
answer. It holds no state between requests: `model.decide` runs it again from the start with the results the
conversation already has. Each script yields a bounded number of moves whatever the tools return, uses only tools the
client declared, overwrites and deletes nothing, and goes on without what is missing, denied or broken.
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
    """What the model does next: think, say something, call tools. Without calls it is the end of the turn."""

    think: str = ""
    say: str = ""
    calls: tuple[Call, ...] = ()


Results = tuple[Result, ...]
Script = Generator[Move, Results, Move]


def use(talk: Conversation, name: str, **values: Any) -> Call | None:
    """A call of the client's tool, with those of `values` its schema knows; None where it cannot be made."""
    schema = talk.tools.get(name)
    if schema is None:
        return None
    known = schema.get("properties") or values
    if any(required not in values for required in schema.get("required") or ()):
        return None
    return Call(name, {key: value for key, value in values.items() if key in known})


def sampled(talk: Conversation, name: str) -> dict[str, Any]:
    """Arguments that fit the tool's schema, made from the user's words."""
    value = Sampler(talk.tools[name], talk.prompt).value()
    return value if isinstance(value, dict) else {}
