"""What stands within a request's tools, messages and blocks and is read by nothing here: each kind of it is noted once,
so that nothing a client says is left out in silence. The fields of the request itself are request.py's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..tools import is_web_search
from .content import Block
from .messages import added_tools

Note = tuple[str, str]
Holder = tuple[Mapping[str, Any], frozenset[str], str]  # what holds fields, those that are read, and its name

UNKNOWN = "dropped: not known here"
CACHED = "dropped: the upstream caches by prefix on its own"
CODE_EXECUTION = "dropped: Anthropic's code execution"
# Why nothing is lost by leaving these out wherever they stand, or what is.
DROPPED_WITHIN = {
    "allowed_callers": CODE_EXECUTION,
    "cache_control": CACHED,
    "caller": CODE_EXECUTION,
    "citations": "dropped: of what comes back only a reader needs them; documents are not cited",
    "display": "dropped: a summary of the thinking is shown whatever it says",
    "eager_input_streaming": "dropped: arguments always stream",
    "input_examples": "dropped: the upstream has no such field",
    "strict": "dropped: strict fills every optional argument",
}
# Fields that are read, or noted where they are.
THINKING = frozenset({"type", "budget_tokens"})
TOOL = frozenset({"type", "name", "description", "input_schema", "defer_loading"})
CHOICE = frozenset({"type", "name", "disable_parallel_tool_use"})
SEARCH = frozenset({"type", "name", "allowed_domains", "blocked_domains", "max_uses", "user_location"})
MESSAGE = frozenset({"role", "content", "clear_at", "output_config"})
EFFORT = frozenset({"effort"})
# Of each type of block; what becomes of a type that is not here is noted where it is met.
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


def unread(request: Mapping[str, Any]) -> list[Note]:
    """(field, what became of it), each once."""
    odd = [holder for holder in holders(request) if not holder[0].keys() <= holder[1]]
    return list(dict.fromkeys(note for holder in odd for note in notes_on(*holder)))


def notes_on(holder: Mapping[str, Any], read: frozenset[str], name: str) -> Iterator[Note]:
    for field in holder:
        if field in read:
            continue
        if field == "cache_control":
            yield field, CACHED  # nearly everywhere: where does not matter
        elif holder[field]:
            yield f"{name}.{field}", DROPPED_WITHIN.get(field, UNKNOWN)


def holders(request: Mapping[str, Any]) -> Iterator[Holder]:
    yield request.get("thinking") or {}, THINKING, "thinking"
    yield request.get("tool_choice") or {}, CHOICE, "tool_choice"
    for tool in (*(request.get("tools") or ()), *added_tools(request["messages"])):
        yield tool, SEARCH if is_web_search(tool) else TOOL, "tools"
    yield from of_blocks(request.get("system"), "system")
    for message in request["messages"]:
        yield message, MESSAGE, "messages"
        yield message.get("output_config") or {}, EFFORT, "messages.output_config"
        yield from of_blocks(message.get("content"), "messages")


def of_blocks(content: str | Iterable[Block] | None, where: str) -> Iterator[Holder]:
    """Those of blocks, and of the blocks within them."""
    if not content or isinstance(content, str):
        return
    for block in content:
        kind = block["type"]
        if kind in BLOCKS:
            yield block, BLOCKS[kind], f"{where}.{kind}"
        if kind in ("tool_result", "search_result"):
            yield from of_blocks(block.get("content"), where)
        elif kind == "document":
            yield from of_blocks(block["source"].get("content"), where)
