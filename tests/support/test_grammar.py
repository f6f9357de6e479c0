"""The checker itself: it passes what is right and says where anything else goes wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.grammar import Event, check, check_error, check_message, folded

USAGE = {"input_tokens": 3, "output_tokens": 5, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}


def start() -> Event:
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "gpt-6.1-sol",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": USAGE,
    }
    return {"type": "message_start", "message": message}


def opened(index: int, **block: Any) -> Event:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, **what: Any) -> Event:
    return {"type": "content_block_delta", "index": index, "delta": what}


def closed(index: int) -> Event:
    return {"type": "content_block_stop", "index": index}


def stopping(reason: str | None = "end_turn") -> Event:
    return {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": USAGE}


STOP: Event = {"type": "message_stop"}
PING: Event = {"type": "ping"}
ERROR: Event = {"type": "error", "error": {"type": "api_error", "message": "it broke"}}


def text(index: int = 0) -> list[Event]:
    return [opened(index, type="text", text=""), delta(index, type="text_delta", text="hello"), closed(index)]


def thinking(index: int = 0) -> list[Event]:
    return [
        opened(index, type="thinking", thinking="", signature=""),
        delta(index, type="thinking_delta", thinking="hm"),
        delta(index, type="signature_delta", signature="sig"),
        closed(index),
    ]


def tool(index: int = 0, arguments: str = '{"command":"ls"}') -> list[Event]:
    return [
        opened(index, type="tool_use", id="toolu_1", name="Bash", input={}),
        delta(index, type="input_json_delta", partial_json=arguments[:5]),
        delta(index, type="input_json_delta", partial_json=arguments[5:]),
        closed(index),
    ]


def sse(events: list[Event]) -> bytes:
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


def test_a_whole_stream_passes_and_folds_into_its_blocks() -> None:
    events = check(sse([start(), PING, *thinking(0), *text(1), PING, *tool(2), stopping("tool_use"), STOP]))
    assert PING not in events
    assert folded(events) == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "text", "text": "hello"},
        {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls"}},
    ]


def test_a_stream_may_end_in_one_error_wherever_it_is() -> None:
    check([start(), ERROR])
    check([start(), *text()[:2], ERROR])


def test_an_answer_without_blocks_is_an_answer() -> None:
    check([start(), stopping(), STOP])


def test_max_tokens_may_cut_the_arguments_of_the_last_call() -> None:
    check([start(), *tool(arguments='{"command":'), stopping("max_tokens"), STOP])


def test_a_stream_the_client_left_may_stop_anywhere() -> None:
    check([start(), *text()[:1]], whole=False)


BROKEN: dict[str, tuple[str, list[Event]]] = {
    "nothing at all": ("stops before", []),
    "cut before the end": ("stops before", [start(), *text(), stopping()]),
    "no message_start": ("comes first", text()),
    "two message_starts": ("second message_start", [start(), start()]),
    "a block inside a block": ("inside another", [start(), *text()[:1], *text(1)]),
    "a gap in the indices": ("is next", [start(), *text(1)]),
    "an index used twice": ("is next", [start(), *text(0), *text(0)]),
    "a delta after the block closed": ("no block is open", [start(), *text(), text()[1]]),
    "a delta of another block": ("is the open one", [start(), *text(0), *text(1)[:1], text(0)[1]]),
    "thinking inside text": (
        "thinking_delta inside a text",
        [start(), text()[0], delta(0, type="thinking_delta", thinking="x")],
    ),
    "thinking without a signature": ("without its signature", [start(), *thinking()[:2], closed(0)]),
    "thinking after its signature": ("the last of", [start(), *thinking()[:3], thinking()[1]]),
    "a block never closed": ("inside a block", [start(), *text()[:2], stopping(), STOP]),
    "no stop_reason": ("stop_reason", [start(), *text(), stopping(None), STOP]),
    "an unknown stop_reason": ("Anthropic's shape", [start(), *text(), stopping("done"), STOP]),
    "end_turn after a tool call": ("unanswered", [start(), *tool(), stopping("end_turn"), STOP]),
    "tool_use without a tool": ("without a tool_use", [start(), *text(), stopping("tool_use"), STOP]),
    "two message_deltas": ("only message_stop", [start(), *text(), stopping(), stopping(), STOP]),
    "a block after message_delta": ("only message_stop", [start(), stopping(), *text()]),
    "message_stop alone": ("without message_delta", [start(), *text(), STOP]),
    "an event after the end": ("after the end", [start(), stopping(), STOP, PING]),
    "an event after an error": ("after the end", [start(), ERROR, STOP]),
    "an unknown event": ("Anthropic's shape", [start(), {"type": "response.created"}]),
    "a key nobody knows": ("do not have", [{**start(), "sequence_number": 1}]),
    "a key nobody knows, deep": ("do not have", [start(), opened(0, type="text", text="", obfuscation="x")]),
    "arguments that are no JSON": (
        "JSON object",
        [start(), *tool(arguments='{"command":'), stopping("tool_use"), STOP],
    ),
    "a block after half arguments": ("JSON object", [start(), *tool(arguments='{"command":'), *text(1)]),
    "an error of no known type": ("a client knows", [{"type": "error", "error": {"type": "oops", "message": "x"}}]),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_stream_is_refused(case: str) -> None:
    words, events = BROKEN[case]
    with pytest.raises(AssertionError, match=words):
        check(events)


@pytest.mark.parametrize(
    "body",
    [
        b'event: ping\ndata: {"type":"ping"}\n',
        b'data: {"type":"ping"}\n\n',
        b'event: message_stop\ndata: {"type":"ping"}\n\n',
    ],
)
def test_bytes_that_are_not_events_are_refused(body: bytes) -> None:
    with pytest.raises(AssertionError):
        check(body, whole=False)


def test_a_whole_message_follows_the_same_rules() -> None:
    message = {**start()["message"], "content": [{"type": "text", "text": "hello"}], "stop_reason": "end_turn"}
    assert check_message(message) is message
    with pytest.raises(AssertionError, match="stop_reason"):
        check_message({**message, "stop_reason": None})


@pytest.mark.parametrize("kind", ["request_too_large", "rate_limit_error", "overloaded_error", "not_found_error"])
def test_the_error_types_a_client_reacts_to_are_known(kind: str) -> None:
    check_error({"type": "error", "error": {"type": kind, "message": "x"}})


def test_an_error_body_has_a_known_type_and_says_something() -> None:
    assert check_error(ERROR) == {"type": "api_error", "message": "it broke"}
    with pytest.raises(AssertionError):
        check_error({"type": "error", "error": {"type": "api_error", "message": ""}})
