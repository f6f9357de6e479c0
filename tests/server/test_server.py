"""An app in a thread: bound before it is loaded, gone when the block ends, and its failure is the caller's to hear."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from claudegpt_pkg.errors import BadSetting, ClaudegptError
from claudegpt_pkg.server import ServerFailed, bind, serving, url_of
from tests.support.fakes.backend import DEADLINE, wait_until

SOON = 10.0  # seconds: more than the busiest machine needs, less than what it would take otherwise


def nothing_serves() -> bool:
    return "claudegpt-server" not in {thread.name for thread in threading.enumerate()}


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


async def size(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def fails(request: Request) -> Response:
    raise RuntimeError("a handler failed")


async def endless(request: Request) -> Response:
    async def drops() -> AsyncIterator[bytes]:
        while True:
            yield b"drop"
            await asyncio.sleep(0.01)

    return StreamingResponse(drops())


def make_app() -> Starlette:
    routes = [Route("/", hello), Route("/size", size, methods=["POST"]), Route("/fails", fails), Route("/e", endless)]
    return Starlette(routes=routes)


def app_with(lifespan: Callable[[Starlette], AsyncIterator[None]]) -> Callable[[], Starlette]:
    return lambda: Starlette(lifespan=asynccontextmanager(lifespan))


@pytest.fixture
def listener() -> socket.socket:
    return bind("127.0.0.1", 0)


def test_a_request_made_before_the_app_is_made_is_answered(listener: socket.socket) -> None:
    asked = threading.Event()

    def make_late() -> Starlette:
        assert asked.wait(DEADLINE)
        return make_app()

    with serving(make_late, listener) as server, socket.create_connection(listener.getsockname()) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        asked.set()
        assert client.makefile("rb").read().endswith(b"hello")
        assert server.failure is None


def test_a_large_body_arrives(listener: socket.socket) -> None:
    with serving(make_app, listener) as server:
        assert httpx.post(f"{server.url}/size", content=b"x" * 2**26, timeout=DEADLINE).text == str(2**26)


def test_the_app_is_closed_and_the_port_free_afterwards(listener: socket.socket) -> None:
    ended = threading.Event()

    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        ended.set()

    with serving(app_with(lifespan), listener) as server:
        server.ready()
        port = listener.getsockname()[1]
    assert ended.wait(DEADLINE)
    bind("127.0.0.1", port).close()
    wait_until(nothing_serves, "the server's thread to end")


def test_what_the_app_does_at_its_end_is_waited_for(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than for its streams: it writes what a session was, and machines are busy."""
    monkeypatch.setattr("claudegpt_pkg.server.CLOSE_WITHIN", 0.01)
    ended = threading.Event()

    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.sleep(0.1)
        ended.set()

    with serving(app_with(lifespan), listener) as server:
        server.ready()
    assert ended.is_set()


def test_an_open_stream_is_cut_at_the_end(listener: socket.socket) -> None:
    with httpx.Client() as client:
        with serving(make_app, listener) as server:
            stream = client.send(client.build_request("GET", f"{server.url}/e"), stream=True)
            chunks = stream.iter_raw()
            next(chunks)
            begun = time.monotonic()
        assert time.monotonic() - begun < SOON
        with pytest.raises(httpx.RemoteProtocolError):
            list(chunks)


def test_a_block_left_at_once_leaves_nothing(listener: socket.socket) -> None:
    with serving(make_app, listener):
        pass
    wait_until(nothing_serves, "the server's thread to end")


def test_what_kept_the_app_from_being_made_is_raised(listener: socket.socket) -> None:
    def unmakeable() -> Starlette:
        raise BadSetting("It cannot be made.")

    died = threading.Event()
    with serving(unmakeable, listener, died.set) as server:
        with pytest.raises(BadSetting, match=r"It cannot be made\."):
            server.ready()
        assert died.wait(DEADLINE)


def test_a_bug_in_starting_is_named(listener: socket.socket) -> None:
    def buggy() -> Starlette:
        raise KeyError("x")

    with serving(buggy, listener) as server, pytest.raises(ServerFailed, match="KeyError"):
        server.ready()


@pytest.mark.parametrize("problem", [BadSetting("Bad."), RuntimeError("worse")])
def test_what_kept_the_lifespan_from_starting_is_raised(listener: socket.socket, problem: Exception) -> None:
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        raise problem
        yield

    with serving(app_with(lifespan), listener) as server, pytest.raises(ClaudegptError, match=str(problem)):
        server.ready()


def test_a_handler_that_fails_writes_nothing_on_the_terminal(
    listener: socket.socket, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(make_app, listener) as server:
        assert httpx.get(f"{server.url}/fails").status_code == 500
    assert capfd.readouterr() == ("", "")


def test_ending_as_asked_is_no_death(listener: socket.socket) -> None:
    died = threading.Event()
    with serving(make_app, listener, died.set) as server:
        server.ready()
    assert not died.is_set() and server.failure is None


def test_a_taken_port_is_said_with_what_to_do(listener: socket.socket) -> None:
    with pytest.raises(BadSetting, match=r"port \d+: Address already in use.*CLAUDEGPT_PORT"):
        bind("127.0.0.1", listener.getsockname()[1])
    listener.close()


@pytest.mark.parametrize("host", ["no such host", "192.0.2.1"])
def test_an_address_that_is_not_ours_is_refused(host: str) -> None:
    with pytest.raises(BadSetting, match=f"Cannot listen on {host}"):
        bind(host, 0)


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]")])
def test_the_url_is_one_that_this_machine_can_use(host: str, shown: str) -> None:
    with bind(host, 0) as listener:
        assert url_of(listener) == f"http://{shown}:{listener.getsockname()[1]}"
