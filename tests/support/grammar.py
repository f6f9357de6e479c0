"""The grammar of a Messages stream, and the checker that every stream in a test goes through.

    stream  = message_start block* message_delta message_stop
            | a beginning of that, then one error event
    block   = content_block_start delta* content_block_stop       one open at a time, indices 0, 1, 2 …
    ping    = anywhere

    events = check(response_bytes)       the events without pings; AssertionError says where it breaks
    folded(events)                       the content blocks as a client ends up with them

A delta fits the kind of the open block. A thinking block ends with its one signature. A tool's input is one JSON
object, which only max_tokens may cut off, and no two calls have one id. Each event is also checked against the
`anthropic` package's own types. A key that those types do not have is a fault, because another client may refuse it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from anthropic.types.beta import BetaMessage, BetaRawMessageStreamEvent
from pydantic import BaseModel, TypeAdapter, ValidationError

Event = dict[str, Any]

# The deltas a block may carry. Kinds not named here carry none: they arrive whole in their content_block_start.
DELTAS: dict[str, frozenset[str]] = {
    "text": frozenset({"text_delta", "citations_delta"}),
    "thinking": frozenset({"thinking_delta", "signature_delta"}),
    "tool_use": frozenset({"input_json_delta"}),
    "server_tool_use": frozenset({"input_json_delta"}),
}
STREAM_EVENT: TypeAdapter[Any] = TypeAdapter(BetaRawMessageStreamEvent)
MESSAGE: TypeAdapter[BetaMessage] = TypeAdapter(BetaMessage)
BROKEN_INPUT = "a tool's input is a JSON object, unless max_tokens cut it off"
# The documented ones. The package's own list lacks request_too_large.
ERROR_TYPES = frozenset(
    {
        "invalid_request_error",
        "authentication_error",
        "billing_error",
        "permission_error",
        "not_found_error",
        "request_too_large",
        "rate_limit_error",
        "timeout_error",
        "api_error",
        "overloaded_error",
    }
)


def check(stream: bytes | Iterable[Event], *, whole: bool = True) -> list[Event]:
    """Return the events without pings. `whole=False`: the client broke the stream off, so any beginning is right."""
    events = read_sse(stream) if isinstance(stream, bytes) else list(stream)
    reader = _Reader()
    for place, event in enumerate(events):
        try:
            reader.receive(event)
        except AssertionError as fault:
            raise AssertionError(
                f"{fault}\nat event {place}: {_short(event)}\nafter: {_shape(events[:place])}"
            ) from None
    if whole:
        assert reader.ended, f"the stream stops before message_stop or an error\nafter: {_shape(events)}"
    return [event for event in events if event["type"] != "ping"]


def check_message(message: dict[str, Any]) -> dict[str, Any]:
    """Check a whole Message (`stream: false`) against the same rules, and return it."""
    _fits(MESSAGE, message)
    assert message["stop_reason"], "a whole message has a stop_reason"
    _stop_reason_fits(message["stop_reason"], [block["type"] for block in message["content"]])
    return message


def check_error(body: dict[str, Any]) -> dict[str, Any]:
    """Check an Anthropic error body, and return its `error`."""
    assert body.keys() <= {"type", "error", "request_id"} and body["type"] == "error", f"not an error body: {body}"
    error: dict[str, Any] = body["error"]
    assert {"type", "message"} <= error.keys() <= {"type", "message", "details"}, f"a type and a message: {error}"
    assert error["type"] in ERROR_TYPES, f"not an error a client knows: {error}"
    assert error["message"].strip(), "an error says what happened"
    return error


def folded(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Return the content blocks of a checked stream, with their texts, signatures and inputs put together."""
    blocks: list[dict[str, Any]] = []
    parts: list[list[str]] = []
    for event in events:
        if event["type"] == "content_block_start":
            blocks.append(dict(event["content_block"]))
            parts.append([])
        elif event["type"] == "content_block_delta":
            _fold(blocks[-1], parts[-1], event["delta"])
        elif event["type"] == "content_block_stop" and parts[-1]:
            blocks[-1]["input"] = json.loads("".join(parts[-1]))
    return blocks


def text_of(events: Iterable[Event]) -> str:
    return "".join(block["text"] for block in folded(events) if block["type"] == "text")


def stop_reason(events: Iterable[Event]) -> str:
    return next(str(event["delta"]["stop_reason"]) for event in events if event["type"] == "message_delta")


def usage(events: Iterable[Event]) -> dict[str, Any]:
    return next(dict(event["usage"]) for event in events if event["type"] == "message_delta")


def read_sse(stream: bytes) -> list[Event]:
    """Return the events of an SSE body as Anthropic writes it: `event:` names the type, `data:` is one line of JSON."""
    text = stream.decode()
    assert not text or text.endswith("\n\n"), f"the stream ends inside an event: …{text[-80:]!r}"
    return [_read_event(chunk) for chunk in text.split("\n\n")[:-1]]


def _read_event(chunk: str) -> Event:
    lines = chunk.split("\n")
    assert len(lines) == 2 and lines[0].startswith("event: ") and lines[1].startswith("data: "), (
        f"not an event: {chunk!r}"
    )
    event = json.loads(lines[1].removeprefix("data: "))
    assert event["type"] == lines[0].removeprefix("event: "), f"named and typed differently: {chunk!r}"
    return dict(event)


class _Reader:
    """Follows a stream and knows where in the grammar it is."""

    def __init__(self) -> None:
        self.started = False
        self.ended = False
        self._blocks: list[str] = []
        self._call_ids: set[str] = set()
        self._open: _Block | None = None
        self._broken = False  # the last block is a call whose arguments stop in the middle
        self._stopping = False

    def receive(self, event: Event) -> None:
        assert not self.ended, "an event after the end"
        kind = event["type"]
        if kind == "ping":
            assert event == {"type": "ping"}, "a ping says nothing else"
            return
        if kind == "error":
            check_error(event)
            self.ended = True
            return
        _fits(STREAM_EVENT, event)
        assert self.started or kind == "message_start", "message_start comes first"
        assert not self._stopping or kind == "message_stop", "only message_stop follows message_delta"
        getattr(self, f"_{kind}")(event)

    def _message_start(self, event: Event) -> None:
        assert not self.started, "a second message_start"
        self.started = True
        message = event["message"]
        assert message["content"] == [], "a message starts empty"
        assert message["stop_reason"] is None, "a message starts without a stop_reason"
        assert message["usage"]["input_tokens"] >= 0

    def _content_block_start(self, event: Event) -> None:
        assert self._open is None, "a block opens inside another"
        assert not self._broken, BROKEN_INPUT
        assert event["index"] == len(self._blocks), f"block {event['index']} opens, {len(self._blocks)} is next"
        self._open = _Block(event["content_block"])
        if self._open.kind == "tool_use":
            call_id = event["content_block"]["id"]
            assert call_id not in self._call_ids, f"two calls have the id {call_id}"
            self._call_ids.add(call_id)
        self._blocks.append(self._open.kind)

    def _content_block_delta(self, event: Event) -> None:
        self._current(event).receive(event["delta"])

    def _content_block_stop(self, event: Event) -> None:
        self._broken = not self._current(event).close()
        self._open = None

    def _current(self, event: Event) -> _Block:
        assert self._open is not None, "no block is open"
        assert event["index"] == len(self._blocks) - 1, f"block {len(self._blocks) - 1} is the open one"
        return self._open

    def _message_delta(self, event: Event) -> None:
        assert self._open is None, "the message ends inside a block"
        self._stopping = True
        reason = event["delta"]["stop_reason"]
        assert reason, "message_delta carries the stop_reason"
        assert not self._broken or reason == "max_tokens", BROKEN_INPUT
        _stop_reason_fits(reason, self._blocks)
        assert event["usage"]["output_tokens"] >= 0

    def _message_stop(self, event: Event) -> None:
        assert self._stopping, "message_stop without message_delta"
        self.ended = True


class _Block:
    """One open content block."""

    def __init__(self, block: dict[str, Any]) -> None:
        self.kind: str = block["type"]
        self._signed = False
        self._input = ""
        for key in ("text", "thinking", "signature"):
            assert not block.get(key), f"a {self.kind} block starts with an empty {key}"
        if self.kind in ("tool_use", "server_tool_use"):
            assert block["input"] == {}, "a tool's input starts as {}"
            assert block["id"] and block["name"]

    def receive(self, delta: dict[str, Any]) -> None:
        assert delta["type"] in DELTAS.get(self.kind, ()), f"a {delta['type']} inside a {self.kind} block"
        assert not self._signed, "the signature is the last of a thinking block"
        self._signed = delta["type"] == "signature_delta"
        self._input += delta.get("partial_json", "")

    def close(self) -> bool:
        """Return whether the block is whole. A call that the token limit cut off may not be."""
        assert self._signed or self.kind != "thinking", "a thinking block closes without its signature"
        try:
            return isinstance(json.loads(self._input or "{}"), dict)
        except ValueError:
            return False


def _stop_reason_fits(reason: str, blocks: Sequence[str]) -> None:
    if reason == "tool_use":
        assert "tool_use" in blocks, "stop_reason tool_use without a tool_use block"
    if reason == "end_turn":
        assert "tool_use" not in blocks, "stop_reason end_turn leaves a tool_use block unanswered"


def _fold(block: dict[str, Any], parts: list[str], delta: dict[str, Any]) -> None:
    match delta:
        case {"text": text}:
            block["text"] += text
        case {"thinking": text}:
            block["thinking"] += text
        case {"signature": signature}:
            block["signature"] = signature
        case {"partial_json": part}:
            parts.append(part)
        case {"citation": citation}:
            block["citations"] = [*(block.get("citations") or []), citation]


def _fits(shape: TypeAdapter[Any], value: dict[str, Any]) -> None:
    try:
        parsed = shape.validate_python(value, strict=True)
    except ValidationError as fault:
        raise AssertionError(f"not of Anthropic's shape: {_reasons(fault)}") from None
    unknown = _unknown(parsed)
    assert not unknown, f"keys Anthropic's types do not have: {unknown}"


def _reasons(fault: ValidationError) -> str:
    """Say what is wrong, without the faults of alternatives that `type` rules out."""
    reasons = [(error["loc"], error["msg"]) for error in fault.errors()]
    others = [where[:-1] for where, reason in reasons if where[-1:] == ("type",) and reason.startswith("Input should")]
    kept = [one for one in reasons if not any(one[0][: len(other)] == other for other in others)]
    return "; ".join(f"{'.'.join(map(str, where))}: {reason}" for where, reason in kept or reasons[:1])


def _unknown(value: object, where: str = "") -> list[str]:
    """Return the paths of the keys that the package's models accepted without having them."""
    if isinstance(value, list):
        return [key for place, item in enumerate(value) for key in _unknown(item, f"{where}[{place}]")]
    if not isinstance(value, BaseModel):
        return []
    found = [f"{where}.{key}".lstrip(".") for key in value.model_extra or {}]
    for name in value.model_fields_set:
        found += _unknown(getattr(value, name, None), f"{where}.{name}".lstrip("."))
    return found


def _short(event: Event) -> str:
    text = json.dumps(event, ensure_ascii=False)
    return text if len(text) < 400 else text[:400] + "…"


def _shape(events: Iterable[Event]) -> str:
    return " ".join(event["type"] for event in list(events)[-30:])
