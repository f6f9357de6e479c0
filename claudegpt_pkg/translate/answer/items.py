"""The small shapes within an answer, read whichever way a server writes them, and written as the protocol has them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from ...errors import InvalidRequest
from ..wire import openai
from ..wire.json_text import dumps

Event = dict[str, Any]


class Kind(Enum):
    """What an item becomes: text blocks, a thinking block, a tool call, or a search made by the server."""

    TEXT = auto()
    THINKING = auto()
    CALL = auto()
    SEARCH = auto()


# Item type → kind; other items become nothing.
KINDS = {
    "message": Kind.TEXT,
    "reasoning": Kind.THINKING,
    "function_call": Kind.CALL,
    "tool_search_call": Kind.CALL,
    "web_search_call": Kind.SEARCH,
}
# The parts of a message that are said to the user. A part of no type is one, too.
ANSWER_PARTS = {"output_text": "output_text", "text": "output_text", "refusal": "refusal", None: "output_text"}
MAX_WORDS = 2000  # characters of what a server says went wrong
MAX_COUNT = 2**53  # of tokens; more is no count


def item_kind(item: Any) -> Kind | None:
    """The kind of an item; None if it is none of ours, or no item at all."""
    name = item.get("type") if isinstance(item, dict) else None
    return KINDS.get(name) if isinstance(name, str) else None


def mapping(value: Any) -> Mapping[str, Any]:
    """`value`, or an empty mapping if it is none."""
    return value if isinstance(value, dict) else {}


def text_of(value: Any) -> str:
    """`value`, or no text if it is none."""
    return value if isinstance(value, str) else ""


def answer_part(part: Any) -> str | None:
    """The protocol's type of a content part that is answer text; None for any other, such as `reasoning_text`."""
    name = part.get("type") if isinstance(part, dict) else ""
    return ANSWER_PARTS.get(name) if name is None or isinstance(name, str) else None


def part_text(part: Mapping[str, Any]) -> str:
    return text_of(part.get("text")) or text_of(part.get("refusal"))


def message_parts(content: Any) -> list[tuple[int, str, str, list[Any]]]:
    """(place, type, text, annotations) of each part of a message that is answer text.

    Some servers give the whole message as a plain string.
    """
    if isinstance(content, str):
        return [(0, "output_text", content, [])]
    parts = content if isinstance(content, list) else []
    return [
        (place, kind, part_text(part), part["annotations"] if isinstance(part.get("annotations"), list) else [])
        for place, part in enumerate(parts)
        if (kind := answer_part(part))
    ]


def thinking_texts(parts: Any) -> list[str]:
    """The texts of a reasoning item's `summary` or `content`; some servers give one plain string."""
    if isinstance(parts, str):
        return [parts]
    return [text_of(part.get("text")) for part in (parts if isinstance(parts, list) else ()) if isinstance(part, dict)]


def replayable_reasoning(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A reasoning item with what a replay needs, each field of the type that the protocol gives it."""
    kept: dict[str, Any] = {}
    for name in ("id", "encrypted_content"):
        if isinstance(fields.get(name), str) and fields[name]:
            kept[name] = fields[name]
    for name in ("summary", "content"):
        parts = fields.get(name)
        if isinstance(parts, list) and all(isinstance(part, dict) for part in parts) and to_json(parts):
            kept[name] = parts
    return openai.reasoning(kept)


def search_item(fields: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A hosted search: its query or address, its sources as [{url, title}], and whether it failed."""
    action = mapping(fields.get("action"))
    queries = [text for text in _list(action.get("queries")) if isinstance(text, str) and text]
    query = text_of(action.get("query")) or ", ".join(queries) or text_of(action.get("url"))
    found = [*_list(action.get("sources")), *_list(fields.get("results"))]  # xAI: beside the action
    sources: dict[str, str] = {}
    for source in map(mapping, found):
        if url := text_of(source.get("url")):
            sources[url] = sources.get(url) or text_of(source.get("title"))
    return openai.web_search_call(
        text_of(fields.get("id")) or str(number),
        query=query,
        sources=[openai.source(url, title) for url, title in sources.items()],
        failed=fields.get("status") == "failed",
    )


def read_citation(note: Any, shift: int = 0) -> openai.UrlCitation | None:
    """A citation of an address, counted from `shift` characters later; None for any other annotation."""
    note = mapping(note)
    inner = note.get("url_citation")  # some nest it, as the chat protocol does
    note = {**note, **inner} if isinstance(inner, dict) else note
    url = text_of(note.get("url"))
    if note.get("type") != "url_citation" or not url:
        return None
    start, end = (_count_or_none(note.get(name)) or 0 for name in ("start_index", "end_index"))
    return openai.url_citation(url=url, title=text_of(note.get("title")), start=start + shift, end=end + shift)


def _count_or_none(value: Any) -> int | None:
    """A count of tokens or characters; None if it is none."""
    if isinstance(value, float) and 0 <= value < MAX_COUNT:
        value = int(value)
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_COUNT
    return value if is_count else None


def usage_counts(usage: Any) -> dict[str, int]:
    """The counts that a server's `usage` really has: input, output, cached and cache_write tokens.

    A zero for the input is no count: something was sent. Servers that stem from the chat protocol use its names.
    """
    usage = mapping(usage)
    details = mapping(usage.get("input_tokens_details")) or mapping(usage.get("prompt_tokens_details"))
    counts = {
        "input_tokens": _first_count(usage, "input_tokens", "prompt_tokens"),
        "output_tokens": _first_count(usage, "output_tokens", "completion_tokens"),
        "cached_tokens": _count_or_none(details.get("cached_tokens")),
        "cache_write_tokens": _count_or_none(details.get("cache_write_tokens")),
    }
    return {name: count for name, count in counts.items() if count}


def error_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """What a failed answer says went wrong, as one object; `type` and `status` in it wherever the server put them."""
    response = mapping(event.get("response"))
    found = response.get("error") or event.get("error")
    if found and not isinstance(found, dict):
        found = {"message": found}
    error = dict(found) if found else {name: value for name, value in event.items() if name not in _ENVELOPE}
    for name in ("message", "code", "type", "param"):
        if isinstance(error.get(name), dict | list):
            error[name] = to_json(error[name])[:MAX_WORDS]
    if not error.get("type") and isinstance(event.get("error_type"), str):
        error["type"] = event["error_type"]
    for holder in (error, event):
        for name in ("status", "status_code", "http_status"):
            status = _status_or_none(holder.get(name))
            if status and 400 <= status <= 599:
                return {**error, "status": status}
    return error


def _status_or_none(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        return int(value)
    return _count_or_none(value)


def to_json(value: Any) -> str:
    """A JSON value as text; "" if it is nested too deeply to be written."""
    try:
        return dumps(value)
    except InvalidRequest:
        return ""


_ENVELOPE = ("type", "sequence_number", "response", "error", "event_id")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _first_count(usage: Mapping[str, Any], *names: str) -> int | None:
    return next((count for name in names if (count := _count_or_none(usage.get(name)))), None)
