"""A lane: one item of an answer, or one part of a message, on its way to one block of the client's.

What a lane is, where it is, and how the small shapes in an answer are read, whichever of its ways a server writes them.
`stream.MessageStream` decides what goes through it and when.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..wire import anthropic
from ..wire.json_text import dumps
from .argument_filter import ArgumentFilter
from .stop_filter import StopFilter

Event = dict[str, Any]
# (output_index, content_index) of a message's part; other items have one lane each, (output_index, kind of lane).
Place = tuple[int, int | str]
Delta = Callable[[int, str], Event]

# Item type → kind of lane; others have no block of their own.
LANES = {
    "message": "text",
    "reasoning": "thinking",
    "function_call": "call",
    "tool_search_call": "call",
    "web_search_call": "search",
}
DELTAS: dict[str, Delta] = {
    "text": anthropic.text_delta,
    "thinking": anthropic.thinking_delta,
    "call": anthropic.input_json_delta,
    "search": anthropic.input_json_delta,
}


class Lane:
    """One item of the answer, or one content part of a message, on its way to one block."""

    __slots__ = (
        "annotations",
        "block",
        "closed",
        "delta",
        "filter",
        "item",
        "kind",
        "length",
        "part",
        "place",
        "queue",
    )

    def __init__(self, kind: str, place: Place, item: Mapping[str, Any]):
        self.kind = kind
        self.place = place
        self.item = item
        self.delta: Delta = DELTAS[kind]
        self.length: dict[Any, int] = {}  # characters received, by part
        self.part: Any = None  # the part the last text belonged to
        self.queue: list[str] = []  # texts waiting for their turn
        self.annotations: list[Mapping[str, Any]] = []
        self.filter: ArgumentFilter | StopFilter | None = None
        self.block: int | None = None  # its index, once started
        self.closed = False


def head(index: int, kind: str) -> Place:
    """Where an item's lane is; a message's first."""
    return index, 0 if kind == "text" else kind


def differs(known: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
    return bool(known.get("id") and item.get("id") and known["id"] != item["id"])


def thinking_part(event: Event) -> tuple[str, int]:
    if "summary_index" in event:
        return "summary", event["summary_index"] or 0
    return "text", event.get("content_index") or 0


def text_parts(content: Any) -> list[Mapping[str, Any]]:
    """The parts of a message or summary; a plain string, which some servers give, is one."""
    if isinstance(content, str):
        return [{"text": content}]
    return [part for part in content or () if isinstance(part, dict)]


def search_id(lane: Lane) -> str:
    return "srvtoolu_" + re.sub(r"[^a-zA-Z0-9_]", "_", str(lane.item.get("id") or lane.place[0]))


def search_input(item: Mapping[str, Any]) -> str:
    """What was searched for, or the page that was opened, as the client's web_search input."""
    action = item.get("action") or {}
    queries = ", ".join(query for query in action.get("queries") or () if query)
    query = action.get("query") or queries or action.get("url") or ""
    return dumps({"query": query})


def citations(annotations: Iterable[Mapping[str, Any]], text: str) -> list[dict[str, Any]]:
    return [
        anthropic.web_citation(
            url=note["url"],
            title=note.get("title") or "",
            cited_text=text[note.get("start_index") or 0 : note.get("end_index") or 0],
        )
        for note in annotations
        if note.get("type") == "url_citation" and note.get("url")
    ]
