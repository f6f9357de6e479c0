"""One trace as text: the request, what was sent to the backend and what was changed in it, the times, the answer.

    entries(trace) → (name, text) pairs, in this order:
        turn, time, session, client · request, sent, changed, learned · took, tokens, ended
        · the newest messages · the answer

Of the conversation only the messages that are new in this turn are shown, and of a long text only its beginning. The
trace has all of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..formats import format_count, format_milliseconds, format_number
from ..models import known_model
from ..records.spending import Spent, format_tokens, spent_on
from ..translate.request.content import blocks_of
from ..translate.wire.json_text import dumps

MOST_LINES = 12  # of one text
MOST_CHARACTERS = 2_000  # of these
MOST_FIELDS = 12  # listed together in one note
STEPS = {"first": "first event"}  # other names for the times in a trace
Block = Mapping[str, Any]
Entry = tuple[str, str]


def entries(trace: Mapping[str, Any]) -> Iterator[Entry]:
    request, answer = trace["request"], trace.get("answer") or {}
    yield "turn", trace["id"]
    yield "time", time.strftime("%a %d %b %Y %H:%M:%S", time.localtime(trace["began"]))
    if session := trace.get("session"):
        yield "session", session
    if client := trace.get("client"):
        yield "client", client
    yield "request", _describe_request(request)
    if trace.get("sent"):
        yield "sent", _describe_sent(trace)
    if notes := trace.get("notes"):
        yield "changed", "\n".join(_describe_changes(notes))
    if refusals := trace.get("learned"):
        yield "learned", "\n".join(refusals)
    times = trace.get("milliseconds") or {}
    yield "took", " · ".join(f"{format_milliseconds(value)} {STEPS.get(name, name)}" for name, value in times.items())
    if usage := trace.get("usage"):
        yield "tokens", format_tokens(spent_tokens(usage))
    yield "ended", _describe_end(trace)
    for message in _newest_messages(request.get("messages") or ()):
        yield from _content_entries(message.get("content"), by=str(message.get("role")), whole="--request")
    yield from _content_entries(answer.get("content"), by="answer", whole="--answer")


def spent_tokens(usage: Mapping[str, Any]) -> Spent:
    """An answer's tokens, without their price, which depends on the account."""
    return spent_on(known_model(""), usage, turn=True)


# The request, from Claude Code and to the backend.


def _describe_request(request: Mapping[str, Any]) -> str:
    effort = (request.get("output_config") or {}).get("effort")
    return _join_parts(
        request.get("model"),
        effort and f"effort {effort}",
        format_count(len(request.get("messages") or ()), "message"),
        format_count(len(request.get("tools") or ()), "tool"),
        "streamed" if request.get("stream") else "not streamed",
    )


def _describe_sent(trace: Mapping[str, Any]) -> str:
    body, tier, provider = trace["sent"], trace.get("tier"), trace.get("provider")
    effort = (body.get("reasoning") or {}).get("effort")
    return _join_parts(
        body.get("model"),
        tier and f"tier {tier}",
        provider and f"provider {provider}",
        effort and f"effort {effort}",
        format_count(len(body.get("input") or ()), "item"),
        format_count(len(body.get("tools") or ()), "tool"),
        f"{format_number(len(dumps(body)))}B",
    )


def _join_parts(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)


def _describe_changes(notes: Iterable[Sequence[str]]) -> Iterator[str]:
    """The fields that could not be translated as they are; fields with the same note stand together."""
    fields: dict[str, list[str]] = {}
    for field, what in notes:
        fields.setdefault(what, []).append(field)
    for what, names in fields.items():
        more = f" and {len(names) - MOST_FIELDS} more" if len(names) > MOST_FIELDS else ""
        yield f"{', '.join(names[:MOST_FIELDS])}{more}: {what}"


def _describe_end(trace: Mapping[str, Any]) -> str:
    error = trace.get("error")
    if not error:
        return f"done: {(trace.get('answer') or {}).get('stop_reason')}"
    status = f" ({error['status']})" if error.get("status") else ""
    return f"{error['kind']}{status}: {error.get('message')}"


# The messages.


def _newest_messages(messages: Sequence[Block]) -> Sequence[Block]:
    """The messages after the last one of the assistant."""
    answers = [at for at, message in enumerate(messages) if message.get("role") == "assistant"]
    return messages[answers[-1] + 1 :] if answers else messages


def _content_entries(content: Any, *, by: str, whole: str) -> Iterator[Entry]:
    """Each block's name (for a text, `by`) and its beginning; the option `whole` shows the rest."""
    if content:
        yield "", ""
    for name, text in _block_entries(content):
        yield name or by, _shorten(text, whole)


def _block_entries(content: Any) -> Iterator[Entry]:
    for block in blocks_of(content):
        yield BLOCKS.get(block["type"], _other_entry)(block)


def _text_entry(block: Block) -> Entry:
    return "", block["text"]


def _thinking_entry(block: Block) -> Entry:
    return "thinking", block.get("thinking") or "[encrypted]"


def _tool_use_entry(block: Block) -> Entry:
    return "call", f"{block['name']} {dumps(block['input'])}"


def _tool_result_entry(block: Block) -> Entry:
    inside = "\n".join(_join_parts(*entry) for entry in _block_entries(block.get("content")))
    return "error" if block.get("is_error") else "result", inside


def _media_entry(block: Block) -> Entry:
    source = block["source"]
    size = f"{format_number(len(source['data']))} characters" if source.get("data") else None
    return block["type"], _join_parts(source.get("media_type"), source.get("url"), size)


def _other_entry(block: Block) -> Entry:
    return block["type"], dumps({name: value for name, value in block.items() if name != "type"})


BLOCKS: dict[str, Callable[[Block], Entry]] = {
    "text": _text_entry,
    "thinking": _thinking_entry,
    "redacted_thinking": _thinking_entry,
    "tool_use": _tool_use_entry,
    "tool_result": _tool_result_entry,
    "image": _media_entry,
    "document": _media_entry,
}


def _shorten(text: str, whole: str) -> str:
    lines = text[:MOST_CHARACTERS].splitlines()[:MOST_LINES]
    left = len(text) - len("\n".join(lines))
    if left > 1:  # more than a line break
        lines.append(f"[{format_number(left)} more characters: {whole}]")
    return "\n".join(lines)
