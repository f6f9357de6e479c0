"""HTTP in, HTTP out: bodies of every kind, the held handshake, pings, clients that go away, the smaller routes."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from anthropic import Anthropic
from anthropic.types import ModelInfo
from anthropic.types.message_tokens_count import MessageTokensCount
from starlette.requests import Request

from claudegpt_pkg.accounts.model_list import refresh_now
from claudegpt_pkg.accounts.providers.openai import openai
from claudegpt_pkg.errors import RequestTooLarge
from claudegpt_pkg.proxy.context import Patience
from claudegpt_pkg.proxy.routes import read_body
from tests.support import grammar
from tests.support.fakes.answers import answer, call, overloaded, reasoning, sse, web_search
from tests.support.fakes.backend import FakeBackend, wait_until
from tests.support.served import TOKEN, Served, ask, served, settings_for
from tests.support.wire import chunk, listening, read_request, stream_head

MB = 2**20
TOOL = {"name": "Bash", "description": "Run it", "input_schema": {"type": "object", "properties": {}}}

# Bodies.


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b'{"model": "x"',
        b"{'model': 'x'}",
        b'{"model": NaN}',
        b"\xff\xfe",
        b'"\xc3\x28"',
        b"[" * 100_000,
        b'{"text": "\\ud83d", "deep": ' + b"[" * 100_000,
        b"\x1f\x8b\x08\x00",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_not_json_is_told_so(proxy: Served, body: bytes) -> None:
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        response, error = proxy.error(body, path)
        assert response.status_code == 400 and error["type"] == "invalid_request_error"
        assert error["message"].startswith("The request body is not JSON")


@pytest.mark.parametrize("where", ["tools", "messages"])
def test_what_is_nested_too_deeply_is_told_so(proxy: Served, where: str) -> None:
    deep: dict[str, Any] = {}
    for _ in range(400):
        deep = {"a": deep}
    call = {"type": "tool_use", "id": "c", "name": "Bash", "input": deep}
    cases: dict[str, dict[str, Any]] = {
        "tools": {"tools": [{"name": "Bash", "input_schema": {"type": "object", "properties": {"a": deep}}}]},
        "messages": {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": [call]}]},
    }
    response, error = proxy.error(ask(**cases[where]))
    assert response.status_code == 400
    assert error["message"] == "The request is nested too deeply to be sent on."


WRONG: list[tuple[Any, str]] = [
    ([], "The request body is not a JSON object."),
    (7, "The request body is not a JSON object."),
    (ask(model=None), "model:"),
    (ask(model=7), "model:"),
    (ask(max_tokens=None), "max_tokens:"),
    (ask(max_tokens="many"), "max_tokens:"),
    (ask(max_tokens=0), "max_tokens:"),
    (ask(messages=None), "messages:"),
    (ask(messages=[]), "messages:"),
    (ask(messages="hello"), "messages:"),
    (ask(messages=["hello"]), "messages.0:"),
    (ask(messages=[{"role": "robot", "content": "x"}]), "messages.0.role:"),
    (ask(messages=[{"role": "user", "content": 7}]), "messages.0.content:"),
    (ask(messages=[{"role": "user", "content": [7]}]), "messages.0.content.0.type:"),
    (ask(messages=[{"role": "user", "content": [{"type": "text"}]}]), "messages.0.content.0.text:"),
    (ask(messages=[{"role": "user", "content": [{"type": "tool_result"}]}]), "messages.0.content.0.tool_use_id:"),
    (ask(system=7), "system:"),
    (ask(tools={}) | {"tools": {"a": 1}}, "tools:"),
    (ask(tools=[7]), "tools.0:"),
    (ask(thinking="hard"), "thinking:"),
    (ask(stop_sequences="x"), "stop_sequences:"),
]


@pytest.mark.parametrize(("body", "field"), WRONG, ids=[field for _, field in WRONG])
def test_a_wrong_shape_is_named_by_its_field(proxy: Served, body: Any, field: str) -> None:
    response, error = proxy.error(body)
    assert response.status_code == 400 and error["type"] == "invalid_request_error"
    assert error["message"].startswith(field)


def test_half_an_emoji_goes_through_as_the_replacement_character(backend: FakeBackend, proxy: Served) -> None:
    backend.script(answer("ok"))
    proxy.events(ask("cut: \ud83d and \u2028 whole: \U0001f600"))
    (message,) = backend.requests[0].of_type("message")
    assert message["content"][0]["text"] == "cut: \ufffd and \u2028 whole: \U0001f600"


@pytest.mark.parametrize("limit", ["2mb", "500kb"])
def test_a_body_over_the_limit_is_refused_with_and_without_its_length(
    backend: FakeBackend, tmp_path: Path, limit: str
) -> None:
    with served(backend, tmp_path, PROXY_JSON_LIMIT=limit) as proxy:
        body = json.dumps(ask("x" * 3 * MB)).encode()
        for content in (body, (body[at : at + 65_536] for at in range(0, len(body), 65_536))):
            response = proxy.client.post("/v1/messages", content=content)
            assert response.status_code == 413
            error = grammar.check_error(response.json())
            assert error["type"] == "request_too_large"
            size = {"2mb": "2 MB", "500kb": "0.488 MB"}[limit]
            assert error["message"] == f"The request is larger than {size}. Raise PROXY_JSON_LIMIT."
        backend.script(answer("ok"))
        proxy.events(ask("and the next one is served"))


def test_a_body_of_the_limit_is_taken(backend: FakeBackend, tmp_path: Path) -> None:
    body = json.dumps(ask("hello")).encode()
    backend.script(answer("ok"))
    with served(backend, tmp_path, PROXY_JSON_LIMIT=len(body)) as proxy:
        assert proxy.post(body).status_code == 200
        assert proxy.post(body + b" ").status_code == 413


def test_no_more_of_an_endless_body_is_read_than_the_limit_allows() -> None:
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += MB
        return {"type": "http.request", "body": bytes(MB), "more_body": True}

    request = Request({"type": "http", "method": "POST", "headers": [], "path": "/"}, receive)
    with pytest.raises(RequestTooLarge):
        asyncio.run(read_body(request, 5 * MB))
    assert read == 6 * MB


def test_a_length_that_lies_is_no_way_around_the_limit() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": bytes(2 * MB), "more_body": False}

    request = Request({"type": "http", "method": "POST", "headers": [(b"content-length", b"5")], "path": "/"}, receive)
    with pytest.raises(RequestTooLarge):
        asyncio.run(read_body(request, MB))


def test_sixty_megabytes_go_through(backend: FakeBackend, proxy: Served) -> None:
    picture = {"type": "base64", "media_type": "image/png", "data": "A" * (60 * MB)}
    backend.script(answer("I see."))
    body = ask(messages=[{"role": "user", "content": [{"type": "image", "source": picture}]}])
    assert grammar.text_of(proxy.events(body)) == "I see."
    assert len(backend.requests[0].raw) > 60 * MB


def test_a_huge_event_comes_through_whole(backend: FakeBackend, proxy: Served) -> None:
    words = "x" * (8 * MB)
    backend.script(answer(words))
    assert grammar.text_of(proxy.events(ask())) == words


def test_an_event_without_end_is_given_up(backend: FakeBackend, proxy: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claudegpt_pkg.translate.wire.sse.MAX_EVENT", MB)
    backend.script(*[answer("x" * (2 * MB))] * 4)
    response, error = proxy.error(ask())
    assert response.status_code == 502 and "a single event of over 1 MB" in error["message"]


@pytest.mark.parametrize("session", ["a\nb", "ü", "x" * 5_000, "", " ", "\x00"])
@pytest.mark.parametrize("where", ["header", "metadata"])
def test_a_session_id_of_any_kind_is_no_obstacle(tmp_path: Path, session: str, where: str) -> None:
    headers = {}
    body = ask()
    if where == "metadata":
        body["metadata"] = {"user_id": json.dumps({"session_id": session})}
    else:
        headers = {b"x-claude-code-session-id": session.replace("\n", "-").replace("\x00", "-").strip().encode()}
    with FakeBackend("chatgpt") as backend, served(backend, tmp_path) as proxy:
        backend.script(answer("ok"))
        assert proxy.post(body, headers=headers).status_code == 200
        backend.check()


# The handshake, held.


def test_a_silent_upstream_leaves_the_client_a_handshake_and_pings(backend: FakeBackend, tmp_path: Path) -> None:
    backend.script(answer("At last.", stall_after=2))
    with (
        served(backend, tmp_path, patience=Patience(hold=0.02, ping=0.02)) as proxy,
        proxy.reading(ask()) as stream,
    ):
        stream.until("message_start")
        for _ in range(3):
            stream.until("ping")
        backend.release()
        assert grammar.text_of(stream.to_the_end()) == "At last."


def test_while_the_end_of_the_upstreams_body_is_waited_for_there_are_no_pings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claudegpt_pkg.upstream.stream.LAST_BYTES_WITHIN", 0.5)
    whole = answer("All of it.").events({"model": "m"}, {"input_tokens": 1})

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(stream_head() + chunk(b"".join(map(sse, whole))))
        connection.recv(1)  # until it is left

    patience = Patience(hold=0.02, ping=0.02)
    with listening(handle) as server, served(server.url, tmp_path, patience=patience) as proxy:
        events = proxy.events(ask())
    assert grammar.text_of(events) == "All of it."


def test_a_silence_within_the_answer_is_filled_with_pings(backend: FakeBackend, tmp_path: Path) -> None:
    backend.script(answer("one two", stall_after=5))
    with (
        served(backend, tmp_path, patience=Patience(hold=60, ping=0.02)) as proxy,
        proxy.reading(ask()) as stream,
    ):
        stream.until("content_block_delta")
        backend.release()
        assert grammar.text_of(stream.to_the_end()) == "one two"


def test_an_answer_in_time_has_no_pings(backend: FakeBackend, proxy: Served) -> None:
    backend.script(answer(reasoning("Hm."), "Yes."))
    assert b"event: ping" not in proxy.post(ask()).content


def test_a_failure_within_the_hold_has_its_own_status(backend: FakeBackend, proxy: Served) -> None:
    backend.script(*[overloaded()] * 4)
    response, error = proxy.error(ask())
    assert response.status_code == 529 and error["type"] == "overloaded_error"


def test_a_failure_after_the_hold_is_an_error_event(backend: FakeBackend, tmp_path: Path) -> None:
    backend.script(replace(overloaded(), stall_after=2), *[overloaded()] * 3)
    with (
        served(backend, tmp_path, patience=Patience(hold=0.01, ping=60, retry=0.01)) as proxy,
        proxy.reading(ask()) as stream,
    ):
        stream.until("ping")
        backend.release()
        events = stream.to_the_end()
    assert [event["type"] for event in events] == ["message_start", "error"]
    assert events[-1]["error"]["type"] == "overloaded_error"


# Clients that go away.


@pytest.fixture
def leaving(proxy: Served) -> Iterator[Callable[..., socket.socket]]:
    """Sends a request and reads nothing; the socket is the test's to close."""
    opened: list[socket.socket] = []

    def leave(body: Any) -> socket.socket:
        opened.append(send(proxy, body))
        return opened[-1]

    yield leave
    for connection in opened:
        connection.close()


def send(proxy: Served, body: Any) -> socket.socket:
    where = urlsplit(proxy.url)
    connection = socket.create_connection((where.hostname, where.port))
    content = json.dumps(body).encode()
    head = f"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-api-key: {TOKEN}\r\n"
    connection.sendall(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)
    return connection


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("after", [0, 2, 5], ids=["before any event", "in the hold", "in the stream"])
def test_a_client_that_goes_away_ends_its_upstream_request(
    backend: FakeBackend, proxy: Served, leaving: Callable[..., socket.socket], stream: bool, after: int
) -> None:
    backend.script(answer("one two", stall_after=after))
    connection = leaving(ask(stream=stream))
    request = backend.wait_request()
    wait_until(lambda: request.sent == after, lambda: "the upstream's silence")
    if stream and after == 5:
        assert b"one" in read_until(connection, b"one")
    connection.close()
    request.wait_left()
    wait_until(lambda: tasks(proxy) == 0, lambda: "the turn's end")
    assert proxy.trace()["error"] == {"kind": "cancelled", "message": "the client went away"}


def test_a_client_that_goes_away_between_two_attempts_is_not_served_any_more(
    backend: FakeBackend, tmp_path: Path
) -> None:
    backend.script(overloaded())
    with served(backend, tmp_path, patience=Patience(retry=3600)) as proxy:
        connection = send(proxy, ask())
        backend.wait_request().wait_answered()
        connection.close()
        wait_until(lambda: tasks(proxy) == 0, lambda: "the turn's end")
    assert len(backend.requests) == 1


def test_a_hundred_interrupted_answers_leave_nothing_behind(
    backend: FakeBackend, proxy: Served, leaving: Callable[..., socket.socket]
) -> None:
    backend.script(*[answer("one two", stall_after=stall) for stall in (0, 2, 3, 5) for _ in range(25)])
    descriptors = open_descriptors()
    for number in range(100):
        connection = leaving(ask())
        backend.wait_request(number + 1)
        connection.close()
    for request in backend.requests:
        request.wait_left()
    wait_until(lambda: tasks(proxy) == 0, lambda: "the end of all turns")
    wait_until(lambda: open_descriptors() <= descriptors, lambda: "the end of all connections")


def open_descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def read_until(connection: socket.socket, words: bytes) -> bytes:
    read = b""
    while words not in read:
        read += connection.recv(65_536)
    return read


def tasks(proxy: Served) -> int:
    """How many turns are under way."""
    return sum(1 for task in asyncio.all_tasks(proxy.loop) if "answer" in str(task.get_coro()))


# stream: false, and the smaller routes.


@pytest.mark.parametrize(
    "items",
    [
        ("Only text.",),
        (reasoning("Thinking it over."), "Text after it."),
        (reasoning(), call("Bash", command="ls"), call("Bash", command="pwd")),
        ("Before.", call("Bash")),
        (web_search("weather", "https://a.example"), "Sunny."),
    ],
)
def test_a_whole_answer_is_the_folded_stream(backend: FakeBackend, proxy: Served, items: tuple[Any, ...]) -> None:
    searching = {"type": "web_search_20250305", "name": "web_search"}
    body = ask(tools=[TOOL, searching], thinking={"type": "adaptive"})
    backend.script(answer(*items), answer(*items))
    events = proxy.events(body)
    message = proxy.message({**body, "stream": False})
    # A search's results wait for their titles in a whole answer, and follow the text that names them in a stream.
    assert sorted(message["content"], key=str) == sorted(grammar.folded(events), key=str)
    assert message["stop_reason"] == grammar.stop_reason(events)
    assert message["usage"]["output_tokens"] == grammar.usage(events)["output_tokens"]


def test_a_whole_answer_that_fails_has_its_status_however_late(backend: FakeBackend, proxy: Served) -> None:
    backend.route(lambda _: True, overloaded("Half of it"))
    response, error = proxy.error(ask(stream=False))
    assert response.status_code == 529 and error["type"] == "overloaded_error"


def test_every_answer_names_its_turn(backend: FakeBackend, proxy: Served) -> None:
    backend.script(answer("a"), answer("b"))
    streamed, whole = proxy.post(ask()), proxy.post(ask(stream=False))
    assert streamed.headers["request-id"] != whole.headers["request-id"]
    assert whole.json()["id"] == f"msg_{whole.headers['request-id']}"


def test_tokens_are_counted_over_what_would_be_sent(proxy: Served) -> None:
    def count(**fields: Any) -> int:
        body = {key: value for key, value in ask(**fields).items() if key not in ("max_tokens", "stream")}
        response = proxy.post(body, "/v1/messages/count_tokens?beta=true")
        return MessageTokensCount.model_validate(response.json(), strict=True).input_tokens

    words = " word" * 1_000
    plain = count()
    assert 3 <= plain <= 30
    assert count(system=words) - plain == pytest.approx(1_000, abs=10)
    assert count(tools=[{**TOOL, "description": words}]) - plain == pytest.approx(1_030, abs=30)
    assert count(tools=[TOOL], messages=[]) < 60


def test_the_models_are_listed_as_the_sdk_reads_them(proxy: Served) -> None:
    client = Anthropic(base_url=proxy.url, auth_token=TOKEN, api_key=None, max_retries=0)
    models = list(client.models.list(limit=1000))
    assert [model.id for model in models] == ["gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna"]
    assert [model.display_name for model in models] == ["GPT-6.1 Sol", "GPT-6.1 Terra", "GPT-6 Luna"]
    page = proxy.client.get("/v1/models?limit=1000").json()
    assert page.keys() == {"data", "has_more", "first_id", "last_id"} and page["has_more"] is False
    assert (page["first_id"], page["last_id"]) == ("gpt-6.1-sol", "gpt-6-luna")


def test_what_cannot_converse_is_listed_nowhere(backend: FakeBackend, tmp_path: Path) -> None:
    settings = settings_for(backend.url, tmp_path)
    refresh_now(openai(settings), settings.dirs.cache)  # the strict backend's list has an embedding model
    with served(backend, tmp_path, provider=openai(settings)) as proxy:
        for agent in ("claude-code/2.1.330", "python"):
            page = proxy.client.get("/v1/models?limit=1000", headers={"user-agent": agent}).json()
            assert "gpt-5.5" in str(page) and "embedding" not in str(page)
        backend.script(answer("As you like."))
        proxy.events(ask("hi", model="text-embedding-3-small"))
    assert backend.requests[0].body["model"] == "text-embedding-3-small", "but by its name any can be asked"


def test_claude_code_is_told_what_to_list_besides_the_tiers(backend: FakeBackend, tmp_path: Path) -> None:
    settings = settings_for(backend.url, tmp_path)
    provider = replace(openai(settings), offered=("gpt-6-astra", "gpt-6.1-sol"))
    with served(backend, tmp_path, provider=provider) as proxy:
        agent = {"user-agent": "claude-code/2.1.197"}
        page = proxy.client.get("/v1/models?limit=1000", headers=agent).json()
        assert [(row["id"], row["display_name"]) for row in page["data"]] == [("claudegpt/gpt-6-astra", "GPT-6 Astra")]
        backend.script(answer("Astra."))
        proxy.events(ask("hi", model="claudegpt/gpt-6-astra"))
    assert backend.requests[0].body["model"] == "gpt-6-astra"


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("claude-opus-4-8", "GPT-6.1 Sol"),
        ("claude-haiku-4-5-20251001", "GPT-6 Luna"),
        ("gpt-6-astra", "GPT-6 Astra"),
        ("org/some-model", "org/some-model"),
    ],
)
def test_any_model_can_be_asked_about(proxy: Served, asked: str, name: str) -> None:
    client = Anthropic(base_url=proxy.url, auth_token=TOKEN, api_key=None, max_retries=0)
    model = client.models.retrieve(asked)
    assert (model.id, model.display_name) == (asked, name)
    ModelInfo.model_validate(proxy.client.get(f"/v1/models/{asked}").json())
