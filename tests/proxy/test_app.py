"""The check of the token, addresses that do not exist, request ids, the log, and what errors and bugs become."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from claudegpt_pkg.proxy.app import create_app, host_name
from claudegpt_pkg.secret import Secret
from claudegpt_pkg.server import bind, serving
from claudegpt_pkg.settings.values import is_loopback
from tests.support import grammar
from tests.support.fakes.answers import answer, error
from tests.support.fakes.backend import FakeBackend
from tests.support.served import TOKEN, Served, ask, chatgpt_plan, served, settings_for

PATHS = ("/", "/v1/models", "/v1/models/claude-opus-4-8", "/v1/messages", "/v1/messages/count_tokens", "/nowhere")


@pytest.fixture
def stranger(proxy: Served) -> Iterator[httpx.Client]:
    """A client without the token."""
    with httpx.Client(base_url=proxy.url, trust_env=False) as client:
        yield client


# The token.


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer  {TOKEN}"},
        {"x-api-key": TOKEN},
        {"x-api-key": TOKEN, "authorization": "Bearer something-else"},
        {"x-api-key": "something-else", "authorization": f"Bearer {TOKEN}"},
    ],
)
def test_either_header_may_carry_the_token(stranger: httpx.Client, headers: dict[str, str]) -> None:
    assert stranger.get("/v1/models", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": TOKEN},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Bearer {TOKEN.upper()}"},
        {"x-api-key": ""},
        {"x-api-key": f"Bearer {TOKEN}"},
        {"x-api-key": b"\xff\xfe"},
        {"cookie": f"token={TOKEN}"},
    ],
)
def test_a_request_without_the_token_is_refused(stranger: httpx.Client, headers: dict[str, str]) -> None:
    response = stranger.get("/v1/models", headers=headers)
    assert response.status_code == 401
    assert grammar.check_error(response.json())["type"] == "authentication_error"
    assert response.headers["x-should-retry"] == "false"


def test_every_route_refuses_a_stranger_in_the_same_way(stranger: httpx.Client) -> None:
    answers = [stranger.request(method, path) for path in PATHS for method in ("GET", "POST", "DELETE")]
    errors = [response.json()["error"] for response in answers]
    assert {response.status_code for response in answers} == {401}
    assert all(error == errors[0] for error in errors) and TOKEN not in answers[0].text


@pytest.mark.parametrize("path", ["/health/", "/health/x", "//health", "/HEALTH", "/v1/../health/..", "/health%2f"])
def test_only_the_path_health_needs_no_token(stranger: httpx.Client, path: str) -> None:
    assert stranger.get("/health").json() == {"status": "ok"}
    assert stranger.get(path).status_code == 401


def test_a_token_may_have_characters_beyond_ascii(backend: FakeBackend, tmp_path: Path) -> None:
    settings = settings_for(backend.url, tmp_path)
    app = create_app(settings, chatgpt_plan(backend.url, settings), token=Secret("schlüssel"))
    with serving(lambda: app, bind("127.0.0.1", 0)) as server:
        server.ready()
        for given, status in (("schlüssel", 200), ("schlussel", 401)):
            assert httpx.get(f"{server.url}/v1/models", headers={b"x-api-key": given.encode()}).status_code == status


def test_an_empty_token_lets_nobody_in(backend: FakeBackend, tmp_path: Path) -> None:
    settings = settings_for(backend.url, tmp_path)
    app = create_app(settings, chatgpt_plan(backend.url, settings), token=Secret(""))
    with serving(lambda: app, bind("127.0.0.1", 0)) as server:
        server.ready()
        assert httpx.get(f"{server.url}/v1/models").status_code == 401


# Host names and web pages.


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:4000",
        "127.1.2.3:80",
        "localhost",
        "localhost:4000",
        "LocalHost.",
        "localhost.:4000",
        "claude.localhost",
        "[::1]",
        "[::1]:4000",
        "[0:0:0:0:0:0:0:1]:4000",
    ],
)
def test_loopback_names_are_answered(proxy: Served, host: str) -> None:
    assert proxy.client.get("/v1/models", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.com",
        "example.com:4000",
        "127.0.0.1.example.com",
        "localhost.example.com",
        "notlocalhost",
        "0.0.0.0",
        "192.168.1.5:4000",
        "[::]",
        "[2001:db8::1]:4000",
        "2130706433",
        "example.com#127.0.0.1",
        "127.0.0.1@example.com",
        "example.com, 127.0.0.1",
    ],
)
def test_other_host_names_are_refused(proxy: Served, host: str) -> None:
    """An attacker's name can resolve to this machine (DNS rebinding)."""
    response = proxy.client.get("/v1/models", headers={"host": host})
    assert response.status_code == 403
    assert grammar.check_error(response.json())["type"] == "permission_error"


def test_a_request_without_a_host_is_refused(proxy: Served) -> None:
    where = urlsplit(proxy.url)
    with socket.create_connection((where.hostname, where.port)) as connection:
        connection.sendall(f"GET /v1/models HTTP/1.0\r\nx-api-key: {TOKEN}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize("origin", ["https://example.com", "http://localhost:3000", "null", ""])
@pytest.mark.parametrize("path", ["/health", "/v1/messages", "/nowhere"])
def test_web_pages_are_refused_even_with_the_token(proxy: Served, origin: str, path: str) -> None:
    response = proxy.client.post(path, headers={"origin": origin})
    assert response.status_code == 403
    assert not [name for name in response.headers if name.startswith("access-control")]


def test_a_preflight_is_refused(proxy: Served) -> None:
    headers = {"origin": "https://example.com", "access-control-request-method": "POST"}
    assert proxy.client.options("/v1/messages", headers=headers).status_code == 403


def test_a_proxy_on_the_network_answers_at_any_name_to_a_client_with_the_token(
    backend: FakeBackend, tmp_path: Path
) -> None:
    with served(backend, tmp_path, CLAUDEGPT_HOST="0.0.0.0") as proxy:
        assert proxy.client.get("/v1/models", headers={"host": "box.example:4000"}).status_code == 200
        assert proxy.client.get("/v1/models", headers={"host": "box", "authorization": "x"}).status_code == 401
        assert proxy.client.get("/v1/models", headers={"host": "box", "origin": "https://a.example"}).status_code == 403


def test_the_name_in_a_host_header_is_found() -> None:
    assert [host_name(host) for host in ("a:1", "[::1]:2", "[::1]", "a", "")] == ["a", "::1", "::1", "a", ""]
    assert is_loopback("::1") and is_loopback("[::1]") and not is_loopback("::") and not is_loopback("")


# Addresses that do not exist.


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nowhere"),
        ("POST", "/v1/complete"),
        ("POST", "/v1/messages/batches"),
        ("POST", "/v1/messages/"),
        ("GET", "/api/claude_cli/bootstrap"),
        ("POST", "/api/event_logging/batch"),
        ("GET", "/favicon.ico"),
    ],
)
def test_an_unknown_address_is_a_404_in_anthropics_form(proxy: Served, method: str, path: str) -> None:
    response = proxy.client.request(method, path, content=b"{}")
    assert response.status_code == 404
    error = grammar.check_error(response.json())
    assert error == {"type": "not_found_error", "message": f"There is no {method} {path} here."}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/messages", {"POST"}),
        ("PUT", "/v1/messages/count_tokens", {"POST"}),
        ("POST", "/v1/models", {"GET", "HEAD"}),
        ("DELETE", "/", {"GET", "HEAD"}),
    ],
)
def test_a_wrong_method_is_a_405_that_names_the_allowed_ones(
    proxy: Served, method: str, path: str, allowed: set[str]
) -> None:
    response = proxy.client.request(method, path)
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == allowed
    grammar.check_error(response.json())


def test_the_first_requests_of_claude_code_are_answered(proxy: Served) -> None:
    assert proxy.client.head("/").status_code == 200
    assert proxy.client.head("/health").status_code == 200


# The id of a request.

ANSWERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "success": ("GET", "/v1/models", {}),
    "the door": ("GET", "/v1/models", {"headers": {"authorization": "none"}}),
    "a web page": ("GET", "/health", {"headers": {"origin": "https://a.example"}}),
    "no such address": ("GET", "/nowhere", {}),
    "no such method": ("DELETE", "/v1/messages", {}),
    "no JSON": ("POST", "/v1/messages", {"content": b"{"}),
    "a missing field": ("POST", "/v1/messages/count_tokens", {"json": {}}),
    "no model": ("POST", "/status-line", {"content": b"[]"}),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_answer_has_an_id_of_its_own(proxy: Served, kind: str) -> None:
    method, path, options = ANSWERS[kind]
    first, second = (proxy.client.request(method, path, **options) for _ in range(2))
    assert first.headers["request-id"] and first.headers["request-id"] != second.headers["request-id"]
    if first.status_code >= 400:
        assert first.json()["request_id"] == first.headers["request-id"]


@pytest.mark.parametrize("stream", [True, False])
def test_a_failed_turn_is_found_by_the_id_of_its_error(backend: FakeBackend, proxy: Served, stream: bool) -> None:
    backend.script(error(400, "invalid_prompt", "This prompt was flagged."))
    response, _ = proxy.error(ask(stream=stream))
    assert response.headers["request-id"] == response.json()["request_id"] == proxy.trace()["id"]


def test_an_error_in_a_stream_has_the_id_of_its_header(backend: FakeBackend, proxy: Served) -> None:
    backend.script(answer("one two", cut_after=5))
    response = proxy.post(ask())
    *_, last = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]
    assert last["type"] == "error"
    assert last["request_id"] == response.headers["request-id"] == proxy.trace()["id"]


# The log.


def test_each_request_with_the_token_is_a_line_of_the_log(backend: FakeBackend, tmp_path: Path) -> None:
    settings, lines = settings_for(backend.url, tmp_path), list[str]()
    backend.script(answer("Hi."))
    app = create_app(settings, chatgpt_plan(backend.url, settings), token=Secret(TOKEN), log=lines.append)
    known = {"x-api-key": TOKEN}
    with serving(lambda: app, bind("127.0.0.1", 0)) as server, httpx.Client(base_url=server.url) as client:
        server.ready()
        answered = client.post("/v1/messages", headers=known, json=ask())
        client.get("/no%1B%5B2Jwhere", headers=known)
        client.get("/health", headers=known)
        client.get("/v1/models")  # a stranger must not be able to fill the log
        client.post("/v1/messages", headers={"x-api-key": "x"})
    message, nowhere = lines
    request_id = answered.headers["request-id"]
    assert re.fullmatch(rf"\d\d:\d\d:\d\d POST /v1/messages 200 [\d.]+m?s {request_id}", message)
    assert " 404 " in nowhere and nowhere.isprintable()


# Errors and bugs.

BUG = "This is a bug in claudegpt: ZeroDivisionError: oh. Please report it with the output of `claudegpt trace show`."


def test_a_bug_is_an_error_body_before_the_stream_begins(
    backend: FakeBackend, proxy: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claudegpt_pkg.proxy.plan.translate", broken)
    response, error = proxy.error(ask())
    assert response.status_code == 500
    assert error == {"type": "api_error", "message": BUG}
    assert response.headers["x-should-retry"] == "false"


def test_a_bug_is_an_error_event_after_it_began(
    backend: FakeBackend, proxy: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.script(answer("one two", stall_after=5))
    with proxy.reading(ask()) as stream:
        stream.until("content_block_delta")
        monkeypatch.setattr("claudegpt_pkg.translate.answer.blocks.BlockWriter.text", broken)
        backend.release()
        assert stream.to_the_end()[-1]["error"]["message"] == BUG


@pytest.mark.parametrize("bug", [AttributeError("oh"), TypeError("oh"), KeyError("oh")])
@pytest.mark.parametrize(
    "place", ["stream.MessageStream.receive", "repair.Repairer.repair", "blocks.BlockWriter._open"]
)
def test_a_bug_in_the_stream_machine_is_ours_and_is_not_retried(
    backend: FakeBackend, proxy: Served, monkeypatch: pytest.MonkeyPatch, place: str, bug: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise bug

    backend.script(answer("Fine."))
    monkeypatch.setattr(f"claudegpt_pkg.translate.answer.{place}", fail)
    response, error = proxy.error(ask())
    assert (response.status_code, error["type"]) == (500, "api_error")
    assert "a bug in claudegpt" in error["message"] and "upstream" not in error["message"]
    assert response.headers["x-should-retry"] == "false"
    assert len(backend.requests) == 1
    assert proxy.trace()["error"] == {"kind": "bug", "message": repr(bug)}


def test_the_next_request_is_served_after_a_bug(
    backend: FakeBackend, proxy: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("claudegpt_pkg.proxy.plan.translate", broken)
        proxy.error(ask())
    backend.script(answer("Fine."))
    assert grammar.text_of(proxy.events(ask())) == "Fine."


def broken(*_: object, **__: object) -> None:
    raise ZeroDivisionError("oh")
