"""Fields of tools, messages and blocks that nothing reads: each kind of field is noted once.

So nothing that a client says is left out in silence. The fields of the request itself are checked in translate.py, and
those of messages in the one pass over them (conversation_facts.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..tools import ToolParam, is_web_search
from . import client_tools
from .content import Block, blocks_of
from .draft import Note

Holder = tuple[Mapping[str, Any], frozenset[str], str]  # what holds fields, those that are read, and its name

UNKNOWN = "dropped: not known here"
CACHED = "dropped: the upstream caches by prefix on its own"
NO_COUNTERPART = "dropped: a block with no counterpart upstream"
CODE_EXECUTION = "dropped: Anthropic's code execution"
# Why nothing is lost if these are left out, wherever they stand, or what is lost.
DROPPED_WITHIN = {
    "allowed_callers": CODE_EXECUTION,
    "cache_control": CACHED,
    "caller": CODE_EXECUTION,
    "citations": "dropped: only a reader of the answer needs them; documents are not cited",
    "display": "dropped: a summary of the thinking is shown whatever it says",
    "eager_input_streaming": "dropped: arguments always stream",
    "input_examples": "dropped: the upstream has no such field",
    "strict": "dropped: strict fills every optional argument",
}
# Fields that are read, or that are noted where they are read.
THINKING = frozenset({"type", "budget_tokens"})
TOOL = frozenset({"type", "name", "description", "input_schema", "defer_loading"})
CLIENT_TOOL = frozenset({"type", "name", "defer_loading"}) | client_tools.FIELDS
CHOICE = frozenset({"type", "name", "disable_parallel_tool_use"})
SEARCH = frozenset({"type", "name", "allowed_domains", "blocked_domains", "max_uses", "user_location"})
MESSAGE = frozenset({"role", "content", "clear_at", "output_config"})
EFFORT = frozenset({"effort"})
# By the type of a block; what becomes of a type that is not here is noted where it is translated.
BLOCKS = {
    kind: frozenset({"type", *fields})
    for kind, fields in {
        "text": ("text",),
        "image": ("source",),
        "document": ("source", "title", "context"),
        "search_result": ("source", "title", "content"),
        "tool_use": ("id", "name", "input"),
        "tool_result": ("tool_use_id", "content", "is_error"),
        "tool_reference": ("tool_name",),
        "thinking": ("thinking", "signature"),
        "redacted_thinking": ("data",),
        "tool_addition": ("tool",),
        "tool_removal": ("tool",),
    }.items()
}


def unread_notes(request: Mapping[str, Any], added_tools: Iterable[ToolParam] = ()) -> list[Note]:
    """(field, what became of it) for everything but the messages, each once."""
    odd = (holder for holder in _holders(request, added_tools) if not holder[0].keys() <= holder[1])
    notes = dict.fromkeys(note for holder in odd for note in notes_on(*holder))
    others = (block["type"] for block in blocks_of(request.get("system")) if block["type"] != "text")
    return [*notes, *((f"system.{kind}", NO_COUNTERPART) for kind in dict.fromkeys(others))]


def notes_on(holder: Mapping[str, Any], read: frozenset[str], name: str) -> Iterator[Note]:
    for field in holder:
        if field in read:
            continue
        if field == "cache_control":
            yield field, CACHED  # nearly everywhere, so the place does not matter
        elif holder[field]:
            yield f"{name}.{field}", DROPPED_WITHIN.get(field, UNKNOWN)


def holders_in_block(block: Block, where: str) -> Iterator[Holder]:
    """The block itself, and the blocks within it."""
    kind = block["type"]
    if kind in BLOCKS:
        yield block, BLOCKS[kind], f"{where}.{kind}"
    inner: Any = None
    if kind in ("tool_result", "search_result"):
        inner = block.get("content")
    elif kind == "document":
        inner = block["source"].get("content")
    if inner and not isinstance(inner, str):
        for each in inner:
            yield from holders_in_block(each, where)


def _holders(request: Mapping[str, Any], added_tools: Iterable[ToolParam]) -> Iterator[Holder]:
    yield request.get("thinking") or {}, THINKING, "thinking"
    yield request.get("tool_choice") or {}, CHOICE, "tool_choice"
    for tool in (*(request.get("tools") or ()), *added_tools):
        yield tool, _read_fields(tool), "tools"
    system = request.get("system")
    for block in system if isinstance(system, list) else ():
        yield from holders_in_block(block, "system")


def _read_fields(tool: ToolParam) -> frozenset[str]:
    if is_web_search(tool):
        return SEARCH
    return CLIENT_TOOL if client_tools.is_client_tool(tool) else TOOL
