"""An app served in a thread: it is bound before it is loaded, ends with its block, and reports its failure."""

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


def test_the_shutdown_of_the_app_is_awaited(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_block_that_ends_at_once_leaves_no_thread(listener: socket.socket) -> None:
    with serving(make_app, listener):
        pass
    wait_until(nothing_serves, "the server's thread to end")


def test_an_error_in_making_the_app_is_raised(listener: socket.socket) -> None:
    def unmakeable() -> Starlette:
        raise BadSetting("It cannot be made.")

    died = threading.Event()
    with serving(unmakeable, listener, died.set) as server:
        with pytest.raises(BadSetting, match=r"It cannot be made\."):
            server.ready()
        assert died.wait(DEADLINE)


def test_a_bug_in_making_the_app_is_named(listener: socket.socket) -> None:
    def buggy() -> Starlette:
        raise KeyError("x")

    with serving(buggy, listener) as server, pytest.raises(ServerFailed, match="KeyError"):
        server.ready()


@pytest.mark.parametrize("problem", [BadSetting("Bad."), RuntimeError("worse")])
def test_an_error_of_the_lifespan_is_raised(listener: socket.socket, problem: Exception) -> None:
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        raise problem
        yield

    with serving(app_with(lifespan), listener) as server, pytest.raises(ClaudegptError, match=str(problem)):
        server.ready()


def test_a_failing_handler_prints_nothing(listener: socket.socket, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(make_app, listener) as server:
        assert httpx.get(f"{server.url}/fails").status_code == 500
    assert capfd.readouterr() == ("", "")


def test_an_orderly_end_is_no_failure(listener: socket.socket) -> None:
    died = threading.Event()
    with serving(make_app, listener, died.set) as server:
        server.ready()
    assert not died.is_set() and server.failure is None


def test_a_port_in_use_is_an_error_with_a_hint(listener: socket.socket) -> None:
    with pytest.raises(BadSetting, match=r"port \d+: Address already in use.*CLAUDEGPT_PORT"):
        bind("127.0.0.1", listener.getsockname()[1])
    listener.close()


@pytest.mark.parametrize("host", ["no such host", "192.0.2.1"])
def test_an_address_of_another_machine_is_an_error(host: str) -> None:
    with pytest.raises(BadSetting, match=f"Cannot listen on {host}"):
        bind(host, 0)


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]")])
def test_the_url_can_be_reached_from_this_machine(host: str, shown: str) -> None:
    with bind(host, 0) as listener:
        assert url_of(listener) == f"http://{shown}:{listener.getsockname()[1]}"
