"""One trace in words: what was asked, what was sent and what became of it on the way, how it went, what came back.

    entries(trace) → (name, text) pairs, in this order:
        turn, time, session, client · asked, sent, became, learned · took, tokens, ended
        · the newest messages · the answer

Of the conversation only what is new in this turn is told, and of a long text its beginning: the trace has all of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..models import known
from ..records.spending import Spent, short, spent_on, tokens_told
from ..translate.request.content import blocks_of
from ..translate.wire.json_text import dumps

MOST_LINES = 12  # of one text
MOST_CHARACTERS = 2_000  # of these
MOST_FIELDS = 12  # that became the same
STEPS = {"first": "first event"}  # marks by the name that people understand
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
    yield "asked", asked(request)
    if trace.get("sent"):
        yield "sent", sent(trace)
    if notes := trace.get("notes"):
        yield "became", "\n".join(became(notes))
    if refusals := trace.get("learned"):
        yield "learned", "\n".join(refusals)
    marks = trace.get("milliseconds") or {}
    yield "took", " · ".join(f"{duration(value)} {STEPS.get(name, name)}" for name, value in marks.items())
    if usage := trace.get("usage"):
        yield "tokens", tokens_told(used(usage))
    yield "ended", ended(trace)
    for message in newest(request.get("messages") or ()):
        yield from said(message.get("content"), by=str(message.get("role")), whole="--request")
    yield from said(answer.get("content"), by="answer", whole="--answer")


def used(usage: Mapping[str, Any]) -> Spent:
    """An answer's tokens; not their price, which the account knows."""
    return spent_on(known(""), usage, turn=True)


# The request, there and onwards.


def asked(request: Mapping[str, Any]) -> str:
    effort = (request.get("output_config") or {}).get("effort")
    return listed(
        request.get("model"),
        effort and f"effort {effort}",
        counted(request.get("messages"), "message"),
        counted(request.get("tools"), "tool"),
        "streamed" if request.get("stream") else "in one piece",
    )


def sent(trace: Mapping[str, Any]) -> str:
    body, tier, provider = trace["sent"], trace.get("tier"), trace.get("provider")
    effort = (body.get("reasoning") or {}).get("effort")
    return listed(
        body.get("model"),
        tier and f"tier {tier}",
        provider and f"provider {provider}",
        effort and f"effort {effort}",
        counted(body.get("input"), "item"),
        counted(body.get("tools"), "tool"),
        f"{short(len(dumps(body)))}B",
    )


def listed(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)


def counted(things: Sequence[Any] | None, name: str) -> str:
    count = len(things or ())
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def became(notes: Iterable[Sequence[str]]) -> Iterator[str]:
    """The fields that could not be translated as they are, together where the same became of them."""
    fields: dict[str, list[str]] = {}
    for field, what in notes:
        fields.setdefault(what, []).append(field)
    for what, names in fields.items():
        more = f" and {len(names) - MOST_FIELDS} more" if len(names) > MOST_FIELDS else ""
        yield f"{', '.join(names[:MOST_FIELDS])}{more}: {what}"


def ended(trace: Mapping[str, Any]) -> str:
    error = trace.get("error")
    if not error:
        return f"done: {(trace.get('answer') or {}).get('stop_reason')}"
    status = f" ({error['status']})" if error.get("status") else ""
    return f"{error['kind']}{status}: {error.get('message')}"


# What was said.


def newest(messages: Sequence[Block]) -> Sequence[Block]:
    """The messages behind the last of the assistant's."""
    spoken = [at for at, message in enumerate(messages) if message.get("role") == "assistant"]
    return messages[spoken[-1] + 1 :] if spoken else messages


def said(content: Any, *, by: str, whole: str) -> Iterator[Entry]:
    """Each block: its name, or who said it where it is a text, and its beginning; `whole` tells the rest."""
    if content:
        yield "", ""
    for name, text in told(content):
        yield name or by, beginning(text, whole)


def told(content: Any) -> Iterator[Entry]:
    for block in blocks_of(content):
        yield BLOCKS.get(block["type"], other)(block)


def words(block: Block) -> Entry:
    return "", block["text"]


def thinking(block: Block) -> Entry:
    return "thinking", block.get("thinking") or "[sealed]"


def tool_use(block: Block) -> Entry:
    return "call", f"{block['name']} {dumps(block['input'])}"


def tool_result(block: Block) -> Entry:
    inside = "\n".join(listed(*entry) for entry in told(block.get("content")))
    return "error" if block.get("is_error") else "result", inside


def medium(block: Block) -> Entry:
    source = block["source"]
    size = f"{short(len(source['data']))} characters" if source.get("data") else None
    return block["type"], listed(source.get("media_type"), source.get("url"), size)


def other(block: Block) -> Entry:
    return block["type"], dumps({name: value for name, value in block.items() if name != "type"})


BLOCKS: dict[str, Callable[[Block], Entry]] = {
    "text": words,
    "thinking": thinking,
    "redacted_thinking": thinking,
    "tool_use": tool_use,
    "tool_result": tool_result,
    "image": medium,
    "document": medium,
}


def beginning(text: str, whole: str) -> str:
    lines = text[:MOST_CHARACTERS].splitlines()[:MOST_LINES]
    left = len(text) - len("\n".join(lines))
    if left > 1:  # more than a line break
        lines.append(f"[{short(left)} characters more: {whole}]")
    return "\n".join(lines)


def duration(milliseconds: float) -> str:
    """9ms, 940ms, 12.4s, 125s"""
    if milliseconds < 999.5:
        return f"{milliseconds:.0f}ms"
    seconds = milliseconds / 1000
    return f"{seconds:.1f}s" if seconds < 99.95 else f"{seconds:.0f}s"
