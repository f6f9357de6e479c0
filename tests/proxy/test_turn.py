"""One turn through the real app and real sockets: attempts, refusals, and what the client gets of each failure."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from claudegpt_pkg.proxy.context import Patience
from claudegpt_pkg.proxy.learning import MOST_CHANGES
from claudegpt_pkg.proxy.plan import Ask
from claudegpt_pkg.proxy.stream_sink import Discard
from claudegpt_pkg.proxy.turn import MOST_ATTEMPTS, Turn
from tests.support import grammar
from tests.support.fakes.answers import (
    EOF,
    Answer,
    Bytes,
    HttpError,
    Item,
    Reply,
    answer,
    call,
    error,
    error_event,
    failed,
    incomplete,
    overloaded,
    reasoning,
    sse,
    text,
)
from tests.support.fakes.backend import DEADLINE, FakeBackend, Request
from tests.support.fakes.rules import Kind
from tests.support.served import KEY, TOKEN, Served, ask, served
from tests.support.wire import chunk, listening, read_request, stream_head

OVERLOADED = "server_is_overloaded"
THINKING: dict[str, Any] = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}
TOOLS = [{"name": "Bash", "description": "Run it", "input_schema": {"type": "object", "properties": {}}}]


def test_a_long_answer_does_not_hold_the_request_it_answers(backend: FakeBackend, proxy: Served) -> None:
    asked = ask(max_tokens=4321)
    backend.script(answer("One two three", stall_after=9))
    with proxy.reading(asked) as reading:
        reading.until("content_block_delta")
        held = [each for each in gc.get_objects() if isinstance(each, dict) and each.get("max_tokens") == 4321]
        assert [each for each in held if each is not asked] == []


def test_an_answer_comes_through(backend: FakeBackend, proxy: Served) -> None:
    backend.script(answer("Hello there."))
    assert grammar.text_of(proxy.events(ask())) == "Hello there."


@pytest.mark.parametrize("kind", ["openai", "chatgpt", "azure"])
@pytest.mark.parametrize("stream", [True, False])
def test_each_kind_of_backend_is_content_with_two_turns(tmp_path: Path, kind: Kind, stream: bool) -> None:
    thought = reasoning("Looking around.")
    with FakeBackend(kind) as backend, served(backend, tmp_path) as proxy:
        backend.script(answer(thought, "Let me see.", call("Bash", command="ls")), answer("Two files."))
        body = ask("what is here?", tools=TOOLS, stream=stream, system="You are an agent.", **THINKING)
        blocks = grammar.folded(proxy.events(body)) if stream else proxy.message(body)["content"]
        result = {"type": "tool_result", "tool_use_id": blocks[2]["id"], "content": "a b"}
        turn = [{"role": "assistant", "content": blocks}, {"role": "user", "content": [result]}]
        again = {**body, "messages": [*body["messages"], *turn]}
        last = grammar.folded(proxy.events(again)) if stream else proxy.message(again)["content"]
        assert last[-1]["text"] == "Two files."
        backend.check()
    (replayed,) = backend.requests[1].of_type("reasoning")
    assert {key: replayed[key] for key in thought.done} == thought.done
    keys = [request.body["prompt_cache_key"] for request in backend.requests]
    assert keys[0] == keys[1]


def test_our_patience_is_within_the_clients() -> None:
    assert Patience().hold <= 3 and Patience().ping <= 15
    assert sum(Patience().retry * 2**attempt for attempt in range(MOST_ATTEMPTS - 1)) < 5


# Attempts before the first real event.

PASSING: dict[str, Reply] = {
    "500": error(500, "server_error", "Oh.", kind="server_error"),
    "502": HttpError(502, "<html>Bad Gateway</html>"),
    "503": error(503, OVERLOADED, "Busy."),
    "504": HttpError(504, None),
    "408": HttpError(408, None),
    "409": HttpError(409, None),
    "429 for a moment": error(429, "rate_limit_exceeded", "Slow down.", headers={"retry-after-ms": "20"}),
    "429 in words": error(429, "rate_limit_exceeded", "Please try again in 20ms."),
    "a block page": HttpError(403, "<html>Just a moment...</html>"),
    "no event at all": Bytes(()),
    "a connection reset": answer("x", cut_after=0),
    "reset after the handshake": answer("x", cut_after=2),
    "the end after the handshake": answer(end=EOF),
    "overload inside a 200": overloaded(),
    "a rate limit inside a 200": answer(end=failed("rate_limit_exceeded", "Please try again in 20ms.")),
    "an error event": answer(end=error_event("server_error", "Oh.")),
    "a nested error event": answer(end=error_event(OVERLOADED, "Oh.", nested=True)),
    "a page instead of a stream": Bytes((b"<html></html>",), {"content-type": "text/html"}),
    "nonsense": Bytes((b"data: {nonsense\n\n",)),
}


@pytest.mark.parametrize("name", PASSING)
@pytest.mark.parametrize("stream", [True, False])
def test_what_passes_by_itself_is_never_seen_by_the_client(
    backend: FakeBackend, proxy: Served, name: str, stream: bool
) -> None:
    backend.script(PASSING[name], answer("Here I am."))
    if stream:
        assert grammar.text_of(proxy.events(ask())) == "Here I am."
    else:
        assert proxy.message(ask(stream=False))["content"][0]["text"] == "Here I am."
    assert backend.requests[0].raw == backend.requests[1].raw


def test_an_upstream_that_is_down_is_asked_a_few_times_and_then_named(tmp_path: Path) -> None:
    def close(connection: socket.socket) -> None:
        read_request(connection)
        connection.close()

    with listening(close) as server, served(server.url, tmp_path) as proxy:
        response, error = proxy.error(ask())
    assert server.connections == MOST_ATTEMPTS
    assert response.status_code == 502 and error["type"] == "api_error"
    assert error["message"] == f"The connection to 127.0.0.1:{server.port} broke: the server closed it."
    assert "x-should-retry" not in response.headers  # the client's own patience is longer


FATAL: dict[str, tuple[Reply, int, str, dict[str, str]]] = {
    "a bad request": (error(400, None, "No."), 400, "invalid_request_error", {}),
    "a wrong key": (error(401, "invalid_api_key", "No."), 401, "authentication_error", {"x-should-retry": "false"}),
    "no permission": (error(403, None, "No."), 403, "permission_error", {}),
    "no such model": (error(404, "model_not_found", "No."), 404, "not_found_error", {}),
    "a body too large": (HttpError(413, "<html></html>"), 413, "request_too_large", {}),
    "a long rate limit": (
        error(429, "rate_limit_exceeded", "No.", headers={"retry-after": "33"}),
        429,
        "rate_limit_error",
        {"retry-after": "33"},
    ),
    "a long overload": (
        error(503, None, "No.", headers={"retry-after": "33"}),
        529,
        "overloaded_error",
        {"retry-after": "33"},
    ),
    "a rate limit without a word": (error(429, "rate_limit_exceeded", "No."), 429, "rate_limit_error", {}),
    "no credit": (error(429, "insufficient_quota", "No."), 429, "rate_limit_error", {"x-should-retry": "false"}),
    "the plan's limit": (
        error(429, None, "No.", kind="usage_limit_reached", plan_type="plus", resets_in_seconds=60),
        429,
        "rate_limit_error",
        {"x-should-retry": "false"},
    ),
    "a policy": (answer(end=failed("bio_policy", "No.")), 400, "invalid_request_error", {}),
    "a prompt too long": (answer(end=failed("context_length_exceeded", "No.")), 400, "invalid_request_error", {}),
    "the filter": (error(400, "content_filter", "No."), 400, "invalid_request_error", {}),
}


@pytest.mark.parametrize("name", FATAL)
@pytest.mark.parametrize("stream", [True, False])
def test_what_does_not_pass_reaches_the_client_at_once_with_its_status(
    backend: FakeBackend, proxy: Served, name: str, stream: bool
) -> None:
    reply, status, kind, headers = FATAL[name]
    backend.script(reply)
    response, told = proxy.error(ask(stream=stream))
    assert (response.status_code, told["type"]) == (status, kind)
    steering = {key: value for key, value in response.headers.items() if key in ("x-should-retry", "retry-after")}
    assert steering == headers
    assert "{" not in told["message"]


def test_an_empty_answer_is_asked_for_again_once(backend: FakeBackend, proxy: Served) -> None:
    backend.script(answer(), answer("At last."))
    assert grammar.text_of(proxy.events(ask())) == "At last."


def test_a_second_empty_answer_is_an_error_that_says_so(backend: FakeBackend, proxy: Served) -> None:
    backend.script(answer(), answer())
    response, told = proxy.error(ask())
    assert response.status_code == 502 and response.headers["x-should-retry"] == "false"
    assert told["message"] == "The model ended its turn without an answer. Ask again."


def test_an_answer_without_content_that_was_cut_by_the_limit_is_no_empty_answer(
    backend: FakeBackend, proxy: Served
) -> None:
    backend.script(answer(end=incomplete("max_output_tokens")))
    assert grammar.stop_reason(proxy.events(ask())) == "max_tokens"


# Between two attempts.


def in_one_piece(*items: Item | str) -> Any:
    """A stream that says something and fails, all in one chunk."""

    def reply(request: Request) -> Bytes:
        stream = answer(*items, end=failed(OVERLOADED, "Busy."))
        return Bytes((b"".join(map(sse, stream.events(request.body, {"input_tokens": 1}))),))

    return reply


@pytest.mark.parametrize("items", [("Text.",), (reasoning("Thinking."), "Text."), (call("Bash"),)])
def test_what_arrived_together_with_a_failure_was_never_sent_and_is_asked_for_again(
    backend: FakeBackend, proxy: Served, items: tuple[Item | str, ...]
) -> None:
    backend.script(in_one_piece(*items), answer("Better."))
    assert grammar.text_of(proxy.events(ask(tools=TOOLS, **THINKING))) == "Better."


def test_what_arrived_before_it_is_sent(tmp_path: Path) -> None:
    """The last delta and the failure in one piece: nothing of the answer is kept back."""
    events = answer("one two", end=failed(OVERLOADED, "Busy.")).events({"model": "m"}, {"input_tokens": 1})
    first = next(place for place, event in enumerate(events) if event["type"].endswith("text.delta")) + 1
    seen = threading.Event()

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(stream_head() + chunk(b"".join(map(sse, events[:first]))))
        seen.wait(DEADLINE)
        connection.sendall(chunk(b"".join(map(sse, events[first:]))) + chunk(b""))

    with listening(handle) as server, served(server.url, tmp_path) as proxy, proxy.reading(ask()) as stream:
        stream.until("content_block_delta")
        seen.set()
        heard = stream.to_the_end()
    assert [event["delta"]["text"] for event in heard if event["type"] == "content_block_delta"] == ["one ", "two"]
    assert heard[-1]["error"]["type"] == "overloaded_error"


def test_a_handshake_sent_while_waiting_for_another_attempt_is_sent_once(backend: FakeBackend, tmp_path: Path) -> None:
    backend.script(answer(end=EOF), answer("Second.", stall_after=1))
    with (
        served(backend, tmp_path, patience=Patience(hold=0.05, ping=60, retry=0.5)) as proxy,
        proxy.reading(ask()) as stream,
    ):
        stream.until("message_start")
        backend.release()
        assert grammar.text_of(stream.to_the_end()) == "Second."


# After the first real event.

RICH = (reasoning("Thinking it over."), text("Some words."), call("Bash", command="ls -la"))


def lengths() -> range:
    return range(len(answer(*RICH).events({"model": "m"}, {"input_tokens": 1})))


@pytest.mark.parametrize("count", lengths())
@pytest.mark.parametrize("how", ["reset", "closed"])
def test_a_stream_cut_at_any_event_never_looks_like_a_success(
    backend: FakeBackend, proxy: Served, count: int, how: str
) -> None:
    backend.route(lambda _: True, cut(count) if how == "closed" else answer(*RICH, cut_after=count))
    response = proxy.post(ask(tools=TOOLS, **THINKING))
    if response.status_code == 200:
        assert grammar.check(response.content)[-1]["type"] == "error"
        assert b"message_stop" not in response.content
    else:
        assert response.status_code == 502
        grammar.check_error(response.json())


@pytest.mark.parametrize(
    ("version", "closed"), [("2.0.77", False), ("2.1.9", False), ("2.1.10", True), ("2.1.197", True), ("2.1.330", True)]
)
def test_a_cut_text_is_closed_but_for_versions_that_would_take_it_for_the_whole(
    backend: FakeBackend, proxy: Served, version: str, closed: bool
) -> None:
    backend.route(lambda _: True, answer("one two three", cut_after=6))
    events = proxy.events(ask(), headers={"user-agent": f"claude-cli/{version} (external, cli)"})
    assert ("content_block_stop" in [event["type"] for event in events]) is closed
    assert events[-1]["type"] == "error"


def cut(count: int) -> Any:
    """The first `count` events, then the regular end of the body."""

    def reply(request: Request) -> Bytes:
        events = answer(*RICH).events(request.body, {"input_tokens": 1})
        return Bytes(tuple(map(sse, events[:count])))

    return reply


@pytest.mark.parametrize("count", lengths())
def test_cut_while_the_client_asks_for_the_whole_it_is_an_error(
    backend: FakeBackend, proxy: Served, count: int
) -> None:
    backend.route(lambda _: True, cut(count))
    response, _ = proxy.error(ask(tools=TOOLS, stream=False, **THINKING))
    assert response.status_code == 502


ENDS: dict[str, Any] = {
    "failed": {"end": failed(OVERLOADED, "Busy.")},
    "an error event": {"end": error_event("server_error", "Oh.")},
    "a rate limit": {"end": failed("rate_limit_exceeded", "Please try again in 20ms.")},
    "a refused parameter": {"end": failed("x", "Unsupported parameter: include")},
    "the end": {"end": EOF},
}


@pytest.mark.parametrize("name", ENDS)
def test_after_the_first_real_event_nothing_is_asked_again(backend: FakeBackend, proxy: Served, name: str) -> None:
    backend.script(replace(answer("one two", **ENDS[name]), stall_after=5))
    with proxy.reading(ask()) as stream:
        stream.until("content_block_delta")
        backend.release()
        events = stream.to_the_end()
    assert events[-1]["type"] == "error" and len(backend.requests) == 1
    assert grammar.check_error(events[-1])["message"]


# Refusals.

REFUSALS: dict[str, tuple[HttpError, dict[str, Any], Any]] = {
    "a summary": (
        error(400, "unsupported_value", "Your organization must be verified.", param="reasoning.summary"),
        THINKING,
        lambda body: "summary" not in body["reasoning"],
    ),
    "a level of effort": (
        error(
            400,
            "unsupported_value",
            "Unsupported value: 'high' is not supported with this model. Supported values are: 'low' and 'medium'.",
            param="reasoning.effort",
        ),
        THINKING,
        lambda body: body["reasoning"]["effort"] == "medium",
    ),
    "a level without a list": (
        error(400, None, "Invalid value for reasoning.effort.", param="reasoning.effort"),
        THINKING,
        lambda body: body["reasoning"]["effort"] not in ("high", "none"),
    ),
    "reasoning": (
        error(400, None, "Unsupported parameter: 'reasoning.effort' is not supported with this model."),
        THINKING,
        lambda body: "reasoning" not in body,
    ),
    "encrypted reasoning": (
        error(400, None, "Encrypted content is not supported with this model.", param="include"),
        {},
        lambda body: "include" not in body,
    ),
    "a parameter of OpenAI's": (
        error(400, "unknown_parameter", "Unknown parameter: 'stream_options.include_obfuscation'."),
        {},
        lambda body: "stream_options" not in body,
    ),
    "a parameter in the ChatGPT backend's words": (
        HttpError(400, {"detail": "Unsupported parameter: prompt_cache_key"}),
        {},
        lambda body: "prompt_cache_key" not in body,
    ),
    "so much output": (
        error(400, "invalid_value", "max_tokens is too large: 64000. This model supports at most 16384."),
        {"max_tokens": 64_000},
        lambda body: "max_output_tokens" not in body,
    ),
    "a forced tool, which is then asked for in words": (
        error(400, "unsupported_parameter", "Unsupported parameter: 'tool_choice'.", param="tool_choice"),
        {
            "tools": [{"name": "A", "input_schema": {}}, {"name": "B", "input_schema": {}}],
            "tool_choice": {"type": "tool", "name": "B"},
        },
        lambda body: (
            "tool_choice" not in body
            and [tool["name"] for tool in body["tools"]] == ["B"]
            and "Call the tool B now" in body["instructions"]
        ),
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_field_is_left_out_at_once_and_in_later_turns(backend: FakeBackend, proxy: Served, name: str) -> None:
    refusal, fields, without = REFUSALS[name]
    backend.script(refusal, answer("Now."), answer("And now."))
    assert grammar.text_of(proxy.events(ask(**fields))) == "Now."
    assert grammar.text_of(proxy.events(ask("again", **fields))) == "And now."
    bodies = [request.body for request in backend.requests]
    assert [without(body) for body in bodies] == [False, True, True]


def test_a_format_that_a_model_does_not_take_is_asked_for_in_words(backend: FakeBackend, proxy: Served) -> None:
    refusal = error(400, "unsupported_parameter", "Unsupported parameter: 'text.format'.", param="text.format")
    backend.route(lambda request: "text" in request.body, lambda _: refusal)
    backend.script(answer("{}"), answer("{}"))
    schema = {"type": "object", "properties": {"title": {"type": "string"}}}
    for _ in range(2):
        fields: dict[str, Any] = {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
        assert grammar.text_of(proxy.events(ask(**fields))) == "{}"
        assert '{"type":"object","properties":{"title"' in backend.requests[-1].body["instructions"]
    assert len(backend.side) == 1


@pytest.mark.parametrize(("headers", "attempts"), [({}, MOST_ATTEMPTS), ({"x-stainless-retry-count": "3"}, 2)])
def test_a_client_that_retries_by_itself_needs_only_one_more_attempt(
    backend: FakeBackend, proxy: Served, headers: dict[str, str], attempts: int
) -> None:
    backend.script(*[error(500, None, "Oh.")] * attempts)
    assert proxy.post(ask(), headers=headers).status_code == 502
    assert len(backend.requests) == attempts


# One refused part does not end the conversation.

CLAUDE_CODE = {"user-agent": "claude-cli/2.1.330 (external, cli)"}
BASH = {"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}


def seeing(data: str = "iVBORw0KGgo=") -> list[dict[str, Any]]:
    source = {"type": "base64", "media_type": "image/png", "data": data}
    return [{"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image", "source": source}]}]


BAD_IMAGE = error(400, "invalid_value", "The image data you provided does not represent a valid image.", param="input")
NO_IMAGES = error(400, None, "This model does not support image inputs.")


@pytest.mark.parametrize("refusal", [BAD_IMAGE, NO_IMAGES])
def test_a_refused_image_is_replaced_by_a_line_of_text(backend: FakeBackend, proxy: Served, refusal: HttpError) -> None:
    backend.script(refusal, answer("Now."), answer("And now."))
    for words in ("Now.", "And now."):
        assert grammar.text_of(proxy.events(ask(messages=seeing()))) == words
    assert ["input_image" in request.raw.decode() for request in backend.requests] == [True, False, False]
    assert "cannot be shown here" in backend.requests[-1].raw.decode()


def test_claude_code_is_told_of_a_refused_image_so_that_it_drops_it_and_if_it_does_not_we_do(
    backend: FakeBackend, proxy: Served
) -> None:
    backend.script(BAD_IMAGE, BAD_IMAGE, answer("Now."))
    response = proxy.post(ask(messages=seeing()), headers=CLAUDE_CODE)
    assert response.status_code == 400 and "Could not process image" in response.json()["error"]["message"]
    assert grammar.text_of(proxy.events(ask(messages=seeing()), headers=CLAUDE_CODE)) == "Now."


def test_only_the_refused_image_is_replaced_from_then_on(backend: FakeBackend, proxy: Served) -> None:
    backend.script(BAD_IMAGE, answer("Now."), answer("Another."))
    proxy.events(ask(messages=seeing()))
    proxy.events(ask(messages=seeing("iVBORw0KGgoAAA==")))
    assert "input_image" in backend.requests[-1].raw.decode()


def test_a_tool_whose_schema_is_refused_goes_open_and_the_trace_names_it(backend: FakeBackend, proxy: Served) -> None:
    refusal = error(
        400,
        "invalid_function_parameters",
        "Invalid schema for function 'mcp__a__b': 'any' is not valid under any of the given schemas.",
        param="tools[1].parameters",
    )
    tools = [BASH, {"name": "mcp__a__b", "input_schema": {"type": "object", "properties": {"n": {"type": "number"}}}}]
    backend.script(refusal, answer("Now."), answer("And now."))
    for words in ("Now.", "And now."):
        assert grammar.text_of(proxy.events(ask(tools=tools))) == words
    first, second, third = (request.body["tools"] for request in backend.requests)
    assert first[1]["parameters"]["properties"] and second == third
    assert [tool["parameters"]["properties"] for tool in second] == [first[0]["parameters"]["properties"], {}]


def test_a_refusal_without_a_reason_of_a_request_that_fills_the_window_makes_the_client_compact(
    backend: FakeBackend, proxy: Served
) -> None:
    window = proxy.proxy.provider.model(proxy.proxy.provider.tiers.opus).window
    backend.script(error(400, None, "Das geht so nicht."))
    response = proxy.post(ask("long " * window))
    assert response.json()["error"]["message"].startswith("prompt is too long")


UNKNOWN = error(400, "unknown_parameter", "Unknown parameter: 'stream_options'.")


@pytest.mark.parametrize("end", [error(500, None, "Oh."), error(400, None, "Strange.")])
def test_a_field_that_was_left_out_in_vain_is_sent_again(backend: FakeBackend, proxy: Served, end: HttpError) -> None:
    """Only an answer shows that leaving it out helped."""
    backend.script(UNKNOWN, *[end] * (MOST_ATTEMPTS if end.status == 500 else 1))
    proxy.error(ask())
    assert "stream_options" not in backend.requests[-1].body and proxy.proxy.learned == {}
    backend.script(answer("There."))
    assert grammar.text_of(proxy.events(ask())) == "There."
    assert "stream_options" in backend.requests[-1].body


def test_an_interrupted_turn_teaches_nothing(backend: FakeBackend, proxy: Served) -> None:
    backend.script(UNKNOWN, answer("Late.", stall_after=1))
    assert proxy.loop
    turn = Turn(Ask(ask(stream=False)), proxy.proxy)
    running = asyncio.run_coroutine_threadsafe(turn.run(Discard()), proxy.loop)
    backend.wait_request(2)
    running.cancel()
    backend.requests[1].wait_left()
    assert proxy.proxy.learned == {}


def test_a_refusal_by_one_model_says_nothing_about_another(backend: FakeBackend, proxy: Served) -> None:
    refusal = error(400, None, "Your organization must be verified.", param="reasoning.summary")
    backend.script(refusal, answer("a"), answer("b"))
    proxy.events(ask(**THINKING))
    proxy.events(ask(model="claude-sonnet-4-6", **THINKING))
    assert ["summary" in request.body["reasoning"] for request in backend.requests] == [True, False, True]


def test_one_turn_may_meet_several_refusals(backend: FakeBackend, proxy: Served) -> None:
    backend.script(
        error(400, None, "Your organization must be verified.", param="reasoning.summary"),
        error(400, None, "Unknown parameter: 'stream_options'."),
        error(500, None, "Oh."),
        error(400, None, "Unknown parameter: 'prompt_cache_key'."),
        answer("There."),
    )
    assert grammar.text_of(proxy.events(ask(**THINKING))) == "There."
    assert not {"stream_options", "prompt_cache_key"} & backend.requests[-1].body.keys()


def test_a_backend_that_refuses_everything_is_not_asked_for_ever(tmp_path: Path) -> None:
    """Each refusal teaches something: what it names is left out, and it names the next thing."""
    names = ["stream_options", "include", "prompt_cache_key", "max_output_tokens", "reasoning", "text"]

    def refuse(request: Request) -> HttpError:
        level = (request.body.get("reasoning") or {}).get("effort")
        left = next((name for name in names if name in request.body and name != "reasoning"), None)
        return error(400, None, f"Unknown parameter: '{left}'" if left else f"Invalid value '{level}' for effort.")

    with FakeBackend() as backend, served(backend, tmp_path) as proxy:
        backend.route(lambda _: True, refuse)
        response, told = proxy.error(ask(**THINKING))
    assert response.status_code == 400 and "Invalid value" in told["message"]
    assert MOST_ATTEMPTS < len(backend.side) <= MOST_CHANGES + 1


def test_the_strict_backends_own_list_of_efforts_is_believed(tmp_path: Path) -> None:
    with FakeBackend("azure", deployments={"gpt-6.1-sol": "gpt-5.5"}) as backend, served(backend, tmp_path) as proxy:
        backend.script(answer("Now."), answer("And now."))
        for _ in range(2):
            proxy.events(ask(output_config={"effort": "max"}, thinking={"type": "adaptive"}))
        asked = [*backend.lacked, *backend.requests]
        assert [request.body["reasoning"]["effort"] for request in asked] == ["max", "xhigh", "xhigh"]
        backend.check()


def test_reasoning_that_can_no_longer_be_read_is_left_out_and_the_turn_goes_on(tmp_path: Path) -> None:
    with FakeBackend("openai") as backend, served(backend, tmp_path) as proxy:
        backend.script(answer(reasoning("Hm."), call("Bash")))
        first = grammar.folded(proxy.events(ask(tools=TOOLS, **THINKING)))
        result = {"type": "tool_result", "tool_use_id": first[-1]["id"], "content": "done"}
        messages = [
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": first},
            {"role": "user", "content": [result]},
        ]
        backend.memory.forget()
        backend.script(answer("never given: refused"), answer("Done."), answer("Still."))
        for words in ("Done.", "Still."):
            assert grammar.text_of(proxy.events(ask(tools=TOOLS, messages=messages, **THINKING))) == words
        assert [len(request.of_type("reasoning")) for request in backend.requests] == [0, 1, 0, 0]
        assert len(backend.faults) == 1 and "could not be verified" in backend.faults[0]


def test_a_picture_in_a_tools_output_follows_in_a_message_where_outputs_are_text_only(
    backend: FakeBackend, proxy: Served
) -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    messages = [
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Read", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [picture]}]},
    ]
    backend.script(
        error(400, "invalid_type", "Invalid type for 'input[2].output': expected a string."), answer("A cat.")
    )
    assert grammar.text_of(proxy.events(ask(messages=messages))) == "A cat."
    assert isinstance(backend.requests[1].of_type("function_call_output")[0]["output"], str)
    assert backend.requests[1].of_type("message")[-1]["content"][-1]["type"] == "input_image"


# The prompt is too long.


@pytest.mark.parametrize("words", ["hello " * 3_000, "CRITICAL: Respond with TEXT ONLY. " + "summarise " * 3_000])
@pytest.mark.parametrize("stream", [True, False])
def test_a_prompt_over_the_window_is_said_in_the_words_the_client_compacts_on(
    tmp_path: Path, words: str, stream: bool
) -> None:
    with FakeBackend("openai", window=2_000) as backend, served(backend, tmp_path) as proxy:
        backend.script(answer("never"))
        response, told = proxy.error(ask(words, stream=stream))
    assert response.status_code == 400 and told["type"] == "invalid_request_error"
    assert told["message"] == "prompt is too long for this model"


# Traces.


def test_a_trace_holds_the_whole_turn(backend: FakeBackend, proxy: Served) -> None:
    backend.script(
        error(400, None, "Unknown parameter: 'stream_options'."),
        answer(reasoning("Thinking."), "Words.", call("Bash", command="ls")),
    )
    body = ask(tools=TOOLS, top_k=5, **THINKING)
    client = {"user-agent": "claude-cli/2.1.330 (external, cli)", "x-claude-code-agent-id": "a1"}
    events = proxy.events(body, headers={**client, "x-claude-code-session-id": "session-1"})
    trace = proxy.trace()
    assert trace["request"] == body
    assert trace["sent"] == backend.requests[1].body
    assert trace["answer"]["content"] == grammar.folded(events)
    assert trace["answer"]["stop_reason"] == "tool_use"
    assert trace["usage"] == grammar.usage(events)
    assert trace["learned"] == ["Unknown parameter: 'stream_options'."]
    assert ["top_k", "dropped: the upstream has no such parameter"] in trace["notes"]
    assert (trace["client"], trace["agent"]) == tuple(client.values())
    assert (trace["session"], trace["provider"]) == ("session-1", "openai") and "error" not in trace
    assert (trace["tier"], trace["model"], trace["effort"]) == ("opus", "gpt-6.1-sol", "high")
    marks = trace["milliseconds"]
    assert 0 <= marks["translated"] <= marks["accepted"] <= marks["first"] <= marks["done"]


@pytest.mark.parametrize("count", [0, 5])
def test_a_trace_of_a_turn_that_failed_says_how(backend: FakeBackend, proxy: Served, count: int) -> None:
    reply: Answer | HttpError = error(400, None, "No.") if count == 0 else answer("one two", cut_after=count, pace=0.01)
    backend.script(reply)
    proxy.post(ask())
    trace = proxy.trace()
    assert trace["error"]["status"] == (400 if count == 0 else 502)
    assert trace["error"]["message"].endswith(".")
    assert trace["milliseconds"]["failed"] > 0 and "done" not in trace["milliseconds"]
    assert trace["answer"] == {} if count == 0 else trace["answer"]["content"][0]["text"] == "one "


def test_a_client_that_leaves_at_message_stop_has_had_its_answer(tmp_path: Path) -> None:
    """The end of the upstream's body is still being read then."""
    whole = answer("All of it.").events({"model": "m"}, {"input_tokens": 1})

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(stream_head() + chunk(b"".join(map(sse, whole))))
        connection.recv(1)

    with listening(handle) as server, served(server.url, tmp_path) as proxy:
        with proxy.reading(ask()) as stream:
            stream.until("message_stop")
        trace = proxy.trace()
    assert "error" not in trace and trace["usage"]["output_tokens"] == 3


def test_a_bug_is_in_the_trace_too(backend: FakeBackend, proxy: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claudegpt_pkg.proxy.plan.translate", lambda *_: 1 / 0)
    proxy.error(ask())
    assert proxy.trace()["error"] == {"kind": "bug", "message": "ZeroDivisionError('division by zero')"}


@pytest.mark.parametrize("reply", [answer("Fine."), error(401, "invalid_api_key", "Incorrect API key provided: ***.")])
def test_no_trace_holds_a_secret(backend: FakeBackend, proxy: Served, reply: Reply) -> None:
    backend.script(reply)
    proxy.post(ask(), headers={"x-api-key": TOKEN, "cookie": f"session={TOKEN}"})
    trace = json.dumps(proxy.trace())
    assert TOKEN not in trace and KEY not in trace and "Bearer" not in trace


def test_without_traces_no_file_is_written(backend: FakeBackend, tmp_path: Path) -> None:
    backend.script(answer("ok"))
    with served(backend, tmp_path, CLAUDEGPT_TRACE=0) as proxy:
        proxy.events(ask())
        assert proxy.proxy.traces is None and not proxy.traces.exists()


def test_a_trace_directory_that_cannot_be_written_costs_nothing(backend: FakeBackend, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    backend.script(answer("a"), answer("b"))
    with served(backend, tmp_path, CLAUDEGPT_TRACE_DIR=blocked / "traces") as proxy:
        for words in ("a", "b"):
            assert grammar.text_of(proxy.events(ask())) == words
            assert proxy.proxy.traces
            proxy.proxy.traces.flush()
