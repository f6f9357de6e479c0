"""Attacks on the proxy by a client that has not shown the token, and the session that must not notice them."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from claudegpt_pkg.demo.server import create_app as create_demo
from claudegpt_pkg.server import Server, bind, connections, serving
from tests.support import grammar
from tests.support.fakes.answers import answer
from tests.support.fakes.backend import DEADLINE, FakeBackend, wait_until
from tests.support.served import TOKEN, Served, ask, served

MEGABYTE = 1 << 20
BUFFERS = 64 * MEGABYTE  # more than the kernel may hold of a connection, both sides together
PLENTY = 100 * MEGABYTE
KNOWN = f"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nx-api-key: {TOKEN}\r\n".encode()
STRANGER = b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\n"


@pytest.fixture
def connect(proxy: Served) -> Iterator[Callable[[], socket.socket]]:
    """Opens connections to the proxy."""
    where = urlsplit(proxy.url)
    with ExitStack() as stack:
        yield lambda: stack.enter_context(socket.create_connection((where.hostname, where.port), timeout=DEADLINE))


@pytest.fixture
def quick_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's patience with strangers is a fraction of a second."""
    for name in ("HEAD_WITHIN", "LINGER", "YOUNG"):
        monkeypatch.setattr(connections, name, 0.2)


def flood(connection: socket.socket, piece: bytes, most: int = PLENTY) -> int:
    """Send `piece` again and again; how many bytes went out until the server closed the connection."""
    sent = 0
    try:
        while sent < most:
            connection.sendall(piece)
            sent += len(piece)
    except OSError:
        pass
    return sent


def read_all(connection: socket.socket) -> bytes:
    """What the server sends until it closes the connection."""
    data = b""
    try:
        while piece := connection.recv(MEGABYTE):
            data += piece
    except ConnectionResetError:
        pass
    return data


def is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def resident() -> int:
    """Bytes of memory that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# The head.

ENDLESS = {
    "the method": (b"", b"A" * 65536),
    "the address": (b"GET /", b"a" * 65536),
    "the address, escaped": (b"GET /?", b"%41" * 20000),
    "a header's name": (STRANGER, b"a" * 65536),
    "a header's value": (STRANGER + b"a: ", b"a" * 65536),
    "a header's value, byte by byte": (STRANGER + b"a: ", b"a" * 7),
    "headers": (STRANGER, b"a: b\r\n" * 10000),
    "short headers": (STRANGER, b"a:\r\n" * 10000),
    "folded lines": (STRANGER + b"a: b\r\n", b" c\r\n" * 10000),
    "empty lines before the request": (b"", b"\r\n" * 30000),
    "no HTTP at all": (b"\x16\x03\x01\x02\x00", b"\x00\xff" * 30000),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_head_without_end_is_cut_off(proxy: Served, connect: Callable[[], socket.socket], kind: str) -> None:
    begin, piece = ENDLESS[kind]
    before, connection = resident(), connect()
    connection.sendall(begin)
    assert flood(connection, piece) < BUFFERS
    assert resident() - before < PLENTY  # the rest of the tests has its own share of it
    assert proxy.client.get("/v1/models").status_code == 200


def test_a_head_that_is_too_large_is_named_so(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    connection.sendall(STRANGER + b"a: " + b"b" * 80_000)
    assert read_all(connection).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("headers", [b"a: " + b"b" * 70_000 + b"\r\n", b"a: b\r\n" * 300])
def test_a_whole_head_that_is_too_large_is_refused_even_with_the_token(
    connect: Callable[[], socket.socket], headers: bytes
) -> None:
    connection = connect()
    connection.sendall(KNOWN + headers + b"\r\n")
    assert read_all(connection).startswith(b"HTTP/1.1 431 ")


def test_a_head_below_the_limits_is_read(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    connection.sendall(KNOWN + b"a: b\r\n" * 200 + b"c: " + b"d" * 60_000 + b"\r\n\r\n")
    assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("begin", [b"", b"G", STRANGER, KNOWN])
def test_a_connection_without_a_whole_head_is_closed(
    quick_timeouts: None, connect: Callable[[], socket.socket], begin: bytes
) -> None:
    connection = connect()
    connection.sendall(begin)
    assert read_all(connection) == b""


def test_a_head_that_drips_is_not_waited_for(quick_timeouts: None, connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    connection.sendall(STRANGER + b"a: ")
    began = time.monotonic()
    while not is_closed(connection):
        assert time.monotonic() - began < DEADLINE
        try:
            connection.sendall(b"b")
        except OSError:
            break
        connection.settimeout(DEADLINE)


@pytest.mark.parametrize("token", [f"x-api-key: {TOKEN}\r\n".encode(), b""], ids=["known", "stranger"])
def test_trailers_without_end_are_cut_off(connect: Callable[[], socket.socket], proxy: Served, token: bytes) -> None:
    connection = connect()
    connection.sendall(STRANGER + token + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n")
    assert flood(connection, b"a: " + b"b" * 65_000) < BUFFERS
    assert proxy.client.get("/v1/models").status_code == 200


def test_a_trailer_is_no_header(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    head = b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
    connection.sendall(head + b"0\r\nx-api-key: " + TOKEN.encode() + b"\r\n\r\n")
    assert read_all(connection).startswith(b"HTTP/1.1 401 ")


# The body.


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"content-length: 100000000000\r\n\r\n", b"a" * 65536),
        (b"transfer-encoding: chunked\r\n\r\n", b"10000\r\n" + b"a" * 65536 + b"\r\n"),
        (b"transfer-encoding: chunked\r\n\r\n1;", b"a" * 65536),
        (b"content-length: 100000000000\r\nexpect: 100-continue\r\n\r\n", b"a" * 65536),
        (b"connection: upgrade\r\nupgrade: websocket\r\n\r\n", b"a" * 65536),
        (b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\n\r\n", b"a" * 65536),
    ],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/health", "/nowhere"])
def test_a_strangers_body_is_not_read(
    proxy: Served, connect: Callable[[], socket.socket], head: bytes, piece: bytes, path: str
) -> None:
    before, connection = resident(), connect()
    connection.sendall(b"POST %b HTTP/1.1\r\nhost: localhost\r\n%b" % (path.encode(), head))
    assert flood(connection, piece) < BUFFERS
    assert resident() - before < PLENTY  # the rest of the tests has its own share of it
    assert proxy.client.get("/v1/models").status_code == 200


def test_a_stranger_can_read_why_it_is_refused_although_its_body_is_still_coming(
    connect: Callable[[], socket.socket],
) -> None:
    connection = connect()
    connection.sendall(STRANGER + b"content-length: 500000\r\n\r\n")
    connection.sendall(b"a" * 500_000)
    head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 401 ") and b"connection: close" in head
    assert b"authentication_error" in body


def test_a_stranger_that_stays_after_its_answer_is_sent_away(
    quick_timeouts: None, connect: Callable[[], socket.socket]
) -> None:
    connection = connect()
    connection.sendall(STRANGER + b"content-length: 5\r\n\r\n")
    assert read_all(connection).startswith(b"HTTP/1.1 401 ")
    wait_until(lambda: flood(connection, b"a", 100) < 100, "the connection to be closed")


# Many.


def test_a_stranger_has_one_request_on_a_connection(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    request = b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n"
    flood(connection, request * 1000, 10 * MEGABYTE)
    assert read_all(connection).count(b"HTTP/1.1 ") == 1


def test_requests_sent_at_once_with_the_token_are_all_answered(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    connection.sendall((KNOWN + b"\r\n") * 3 + KNOWN + b"connection: close\r\n\r\n")
    assert read_all(connection).count(b"HTTP/1.1 200 ") == 4


def test_silent_connections_lock_nobody_out(
    proxy: Served, connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "YOUNG", 0.2)
    silent = [connect() for _ in range(1100)]
    with httpx.Client(base_url=proxy.url, headers={"x-api-key": TOKEN}, timeout=DEADLINE) as client:
        assert client.get("/v1/models").status_code == 200
    wait_until(lambda: count_open(silent) <= connections.STRANGERS, "the silent connections to be closed")
    open_ones = [not is_closed(connection) for connection in silent]
    assert open_ones == sorted(open_ones)  # the oldest are closed
    assert proxy.client.get("/v1/models").status_code == 200


def count_open(found: list[socket.socket]) -> int:
    return sum(not is_closed(connection) for connection in found)


@contextmanager
def limited_files(most: int) -> Iterator[None]:
    """This process may have only `most` more files open than it has, but may raise the limit by itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_limit_of_open_files_is_raised(backend: FakeBackend, tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with limited_files(256), served(backend, tmp_path):
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)


# The user's own session.


def test_a_connection_that_has_shown_the_token_may_be_idle(
    quick_timeouts: None, connect: Callable[[], socket.socket]
) -> None:
    kept, other = connect(), connect()
    kept.sendall(KNOWN + b"\r\n")
    assert kept.recv(MEGABYTE).startswith(b"HTTP/1.1 200 ")
    assert read_all(other) == b""  # the server's patience with a stranger is over
    assert not is_closed(kept)
    kept.settimeout(DEADLINE)
    kept.sendall(KNOWN + b"\r\n")
    assert kept.recv(MEGABYTE).startswith(b"HTTP/1.1 200 ")


def test_a_stream_outlasts_every_limit_for_strangers(
    quick_timeouts: None, backend: FakeBackend, proxy: Served, connect: Callable[[], socket.socket]
) -> None:
    backend.script(answer("one two", stall_after=5))
    with proxy.reading(ask()) as stream:
        stream.until("content_block_delta")
        silent = connect()
        assert read_all(silent) == b""
        backend.release()
        assert grammar.text_of(stream.to_the_end()) == "one two"


def test_a_body_with_the_token_is_read_however_slowly_it_comes(
    quick_timeouts: None, proxy: Served, connect: Callable[[], socket.socket]
) -> None:
    connection, silent = connect(), connect()
    connection.sendall(STRANGER + b"x-api-key: %b\r\ncontent-length: 2\r\n\r\n{" % TOKEN.encode())
    assert read_all(silent) == b""
    connection.sendall(b"}")
    assert connection.recv(100).startswith(b"HTTP/1.1 400 ")  # it was read: it lacks fields


def test_more_sessions_than_strangers_are_served_at_once(proxy: Served, connect: Callable[[], socket.socket]) -> None:
    kept = [connect() for _ in range(connections.STRANGERS + 50)]
    for connection in kept:
        connection.sendall(KNOWN + b"\r\n")
    for connection in kept:
        assert connection.recv(MEGABYTE).startswith(b"HTTP/1.1 200 ")
    assert count_open(kept) == len(kept)


# The demo's server.


@pytest.fixture
def demo() -> Iterator[Server]:
    with serving(lambda: create_demo(pace=0, key="the-key"), bind("127.0.0.1", 0)) as server:
        server.ready()
        yield server


def test_the_demo_does_not_read_what_comes_without_its_key(demo: Server) -> None:
    where = urlsplit(demo.url)
    with socket.create_connection((where.hostname, where.port), timeout=DEADLINE) as connection:
        connection.sendall(b"POST /v1/responses HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000000\r\n\r\n")
        assert flood(connection, b"a" * 65536) < BUFFERS
    assert httpx.get(f"{demo.url}/v1/models").status_code == 401
    assert httpx.get(f"{demo.url}/v1/models", headers={"authorization": "Bearer the-key"}).status_code == 200
