"""The way to the upstream: connections that fail in every way, silence, proxies, certificates, many streams at once."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
import threading
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from claudegpt_pkg.accounts.providers.base import Provider
from claudegpt_pkg.errors import BadSetting, UpstreamFailed
from claudegpt_pkg.models import Tiers
from claudegpt_pkg.proxy.context import Patience
from claudegpt_pkg.proxy.turn import MOST_ATTEMPTS
from claudegpt_pkg.upstream.error_mapping import may_retry
from claudegpt_pkg.upstream.stream import ERROR_BODY_LIMIT, Limits, Refused, StallWatch, Stream, new_client, open_stream
from tests.support import grammar
from tests.support.fakes.answers import Bytes, answer, reasoning, sse
from tests.support.fakes.backend import DEADLINE, FakeBackend, wait_until
from tests.support.served import TOKEN, Served, ask, served
from tests.support.wire import AUTHORITY, chunk, listening, read_request, received, stream_head

PATIENT = Limits(first_event=20, idle=20)
EVENT = {"type": "response.created"}
DELTA = {"type": "response.output_text.delta", "delta": "x"}
ANSWER = b"".join(map(sse, answer("Hello.").events({"model": "m"}, {"input_tokens": 1, "output_tokens": 1})))


def provider(url: str) -> Provider:
    return Provider("test", "test", f"{url}/responses", Tiers("a", "b", "c"))


def read(url: str, *, limits: Limits = PATIENT, pause: Callable[[Stream], Any] | None = None) -> list[dict[str, Any]]:
    """All events of the stream at `url`; `pause` is awaited after each list of them."""

    async def reading() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async with (
            new_client(url) as client,
            open_stream(client, provider(url), b"{}", cache_key="key", limits=limits) as stream,
        ):
            async for events in stream:
                found += events
                if pause:
                    await pause(stream)
        return found

    return asyncio.run(reading())


def failure(url: str, limits: Limits = PATIENT) -> UpstreamFailed:
    with pytest.raises(UpstreamFailed) as caught:
        read(url, limits=limits)
    return caught.value


def saying(data: bytes, *, abort: bool = False) -> Callable[[socket.socket], None]:
    """A server that reads a request, writes `data`, and closes, or resets, the connection."""

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(data)
        if abort:
            reset(connection)
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    return handle


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# Connections that fail.


def test_a_refused_connection_says_so_in_plain_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = failure(f"http://127.0.0.1:{port}")
    assert str(error) == f"Cannot connect to 127.0.0.1:{port}: Connection refused. Check the address and the network."
    assert may_retry(error)


def test_an_unknown_host_is_named() -> None:
    error = failure("http://no-such-host.invalid")
    assert str(error).startswith("Cannot connect to no-such-host.invalid: ") and may_retry(error)


BROKEN = {
    "reset before the answer": (saying(b"", abort=True), "broke"),
    "closed before the answer": (saying(b""), "broke: the server closed it"),
    "no HTTP": (saying(b"hello\r\n\r\n"), "broke: Bad status line"),
    "cut in the headers": (saying(b"HTTP/1.1 200 OK\r\ncontent-"), "broke"),
    "shorter than said": (saying(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nab"), "ended in the middle"),
    "cut in a chunk": (saying(stream_head() + b"50\r\nab"), "ended in the middle"),
    "reset in a chunk": (saying(stream_head() + b"50\r\nab", abort=True), "broke"),
    "no chunk": (saying(stream_head() + b"zz\r\nab"), "broke: Invalid character in chunk size"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_connection_may_be_retried(name: str) -> None:
    handle, words = BROKEN[name]
    with listening(handle) as server:
        error = failure(server.url)
    assert words in str(error) and "\n" not in str(error) and "<" not in str(error)
    assert f"127.0.0.1:{server.port}" in str(error) and may_retry(error)


def test_an_untrusted_certificate_is_named_and_not_retried() -> None:
    with listening(saying(b""), tls=True) as server:
        error = failure(server.url)
    assert "is not trusted" in str(error) and "SSL_CERT_FILE" in str(error)
    assert not may_retry(error)


def test_a_redirect_is_not_followed() -> None:
    answer = b"HTTP/1.1 307 x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    with listening(saying(answer)) as server, pytest.raises(Refused) as caught:
        read(server.url)
    assert caught.value.report.status == 307


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/json"])
def test_a_success_that_is_not_a_stream_is_refused(kind: str) -> None:
    body = {"text/html; charset=utf-8": b"<html>log in</html>", "application/json": b'{"error": {"message": "no"}}'}
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body[kind])}\r\n\r\n".encode()
    with listening(saying(head + body[kind])) as server, pytest.raises(Refused) as caught:
        read(server.url)
    assert (caught.value.report.html, caught.value.report.message) in {(True, "OK"), (False, "no")}


@pytest.mark.parametrize("status", [200, 400])
def test_a_compressed_answer_is_read_although_it_was_requested_plain(status: int) -> None:
    body = gzip.compress(ANSWER if status == 200 else b'{"error": {"message": "So not."}}')
    kind = "text/event-stream" if status == 200 else "application/json"
    head = (
        f"HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\ncontent-encoding: gzip\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with listening(saying(head.encode() + body)) as server:
        if status == 200:
            assert read(server.url)[-1]["type"] == "response.completed"
        else:
            with pytest.raises(Refused, match=r"So not\."):
                read(server.url)


def test_damaged_compression_is_an_error_of_the_upstream() -> None:
    head = b"HTTP/1.1 200 x\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nplain"
    with listening(saying(head)) as server:
        assert "cannot be read" in str(failure(server.url))


@pytest.mark.parametrize(("status", "kind"), [(200, UpstreamFailed), (400, Refused)])
def test_an_encoding_that_nobody_asked_for_loses_no_more_than_the_body(status: int, kind: type[Exception]) -> None:
    head = f"HTTP/1.1 {status} x\r\ncontent-encoding: br\r\ncontent-length: 5\r\n\r\nplain"
    with listening(saying(head.encode())) as server, pytest.raises(kind):
        read(server.url)


def test_an_endless_error_body_is_read_in_part() -> None:
    sent = 0

    def handle(connection: socket.socket) -> None:
        nonlocal sent
        read_request(connection)
        connection.sendall(b"HTTP/1.1 500 x\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(chunk(b"x" * 65_536))
            sent += 65_536

    with listening(handle) as server, pytest.raises(Refused) as caught:
        read(server.url)
    assert len(caught.value.report.message) < 500
    assert sent < 40 * ERROR_BODY_LIMIT


# Silence.


@pytest.mark.parametrize("announced", [0, 2], ids=["no word", "announced and never begun"])
def test_an_upstream_that_never_answers_is_given_up(backend: FakeBackend, tmp_path: Path, announced: int) -> None:
    backend.route(lambda _: True, answer("never", stall_after=announced))
    with served(backend, tmp_path, CLAUDEGPT_STREAM_FIRST_EVENT_TIMEOUT=0.2) as proxy:
        response, error = proxy.error(ask())
    assert response.status_code == 502 and error["message"] == "The upstream was silent for 0.2 seconds."
    assert 1 < len(backend.side) <= MOST_ATTEMPTS
    for request in backend.side:
        request.wait_left()


def test_after_a_long_silence_there_is_no_further_attempt(backend: FakeBackend, tmp_path: Path) -> None:
    backend.route(lambda _: True, answer("never", stall_after=0))
    patience = Patience(retry=0.01, again=0.1)
    with served(backend, tmp_path, CLAUDEGPT_STREAM_FIRST_EVENT_TIMEOUT=0.2, patience=patience) as proxy:
        response, _ = proxy.error(ask())
    assert response.status_code == 502 and len(backend.side) <= 1


def test_an_answer_that_falls_silent_ends_in_an_error(backend: FakeBackend, tmp_path: Path) -> None:
    backend.script(answer("one two", stall_after=5))
    with served(backend, tmp_path, CLAUDEGPT_STREAM_IDLE_TIMEOUT=0.05) as proxy:
        assert proxy.streamed_error(ask())["message"] == "The upstream was silent for 0.05 seconds."
    backend.requests[0].wait_left()


@pytest.mark.parametrize("before", [[], ["One."]], ids=["at the beginning", "after a text"])
def test_a_model_may_reason_in_silence(backend: FakeBackend, tmp_path: Path, before: list[str]) -> None:
    """The item is announced, nothing of it is shown: the longer limit holds."""
    whole = answer(*before, reasoning(), "Done.")
    kinds = [event["type"] for event in whole.events({"model": "m"}, {"input_tokens": 1})]
    announced = [at for at, kind in enumerate(kinds) if kind == "response.output_item.added"][len(before)]
    backend.script(replace(whole, stall_after=announced + 1))
    with (
        served(backend, tmp_path, CLAUDEGPT_STREAM_IDLE_TIMEOUT=1.5, patience=Patience(hold=0.1, ping=2)) as proxy,
        proxy.reading(ask(thinking={"type": "adaptive"})) as stream,
    ):
        stream.until("content_block_start")
        stream.until("ping")  # long after the limit within an answer
        backend.release()
        assert grammar.text_of(stream.to_the_end()) == "".join([*before, "Done."])


def test_a_slow_client_is_not_taken_for_a_silent_upstream() -> None:
    more, sent = threading.Event(), threading.Event()

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(stream_head() + chunk(sse(DELTA)))
        more.wait(DEADLINE)
        connection.sendall(chunk(sse(DELTA)) + chunk(b""))
        sent.set()

    async def slowly(stream: Stream) -> None:
        if more.is_set():
            await asyncio.sleep(1.5)
        else:
            more.set()
            await asyncio.to_thread(sent.wait, DEADLINE)

    with listening(handle) as server:
        assert read(server.url, limits=Limits(first_event=DEADLINE, idle=1.0), pause=slowly) == [DELTA, DELTA]


class Allowed(StallWatch):
    """Notes the seconds that are allowed."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def allow(self, seconds: float) -> None:
        self.seconds.append(seconds)


def allowed(*pieces: bytes, **headers: str) -> list[float]:
    """The silence allowed after each piece of a stream: 1.0 within a text, 2.0 elsewhere."""
    watch = Allowed()

    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def reading() -> None:
        given = {"content-type": "text/event-stream", **headers}
        response = httpx.Response(200, headers=given, content=body())
        async for _ in Stream(response, watch, Limits(first_event=2.0, idle=1.0)):
            pass

    asyncio.run(reading())
    return watch.seconds


TYPED = {
    "response.output_text.delta": 1.0,
    "response.refusal.delta": 1.0,
    "response.function_call_arguments.delta": 1.0,
    "response.created": 2.0,
    "response.output_text.done": 2.0,
    "response.output_item.added": 2.0,
    "response.output_item.done": 2.0,
    "response.reasoning_summary_text.delta": 2.0,
    "response.web_search_call.searching": 2.0,
}


@pytest.mark.parametrize(("kind", "seconds"), TYPED.items())
def test_the_short_limit_holds_only_while_a_text_or_arguments_stream(kind: str, seconds: float) -> None:
    assert allowed(sse(DELTA), sse({"type": kind})) == [1.0, seconds]


def test_keep_alive_events_and_comments_say_nothing_about_what_streams() -> None:
    kept = [b": alive\n\n", sse({"type": "keepalive"}), sse({"type": "codex.rate_limits"})]
    assert allowed(sse(DELTA), *kept) == [1.0] * 4
    assert allowed(sse(EVENT), *kept) == [2.0] * 4


def test_an_answer_that_is_held_back_for_checks_is_given_the_long_limit() -> None:
    assert allowed(sse(DELTA), **{"x-codex-safety-buffering-enabled": "true"}) == [2.0]


def test_an_answer_that_never_ends_is_given_up_however_steadily_it_comes() -> None:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(stream_head())
        with suppress(OSError):
            while True:
                connection.sendall(chunk(b": alive\n\n"))

    limits = Limits(first_event=DEADLINE, idle=DEADLINE, whole=0.3)
    with listening(handle) as server:
        assert "took longer than" in str(failure(server.url, limits))


# Size.


def flooding(head: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    """A server that sends `piece` again and again."""

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(head)
        with suppress(OSError):
            while True:
                connection.sendall(chunk(piece))

    return handle


@pytest.mark.parametrize("piece", [sse(DELTA) * 500, b": alive\n\n" * 3000, b"\n" * 30_000, b'{"a":"' + b"x" * 30_000])
def test_an_answer_without_end_is_a_failure_of_the_upstream(piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claudegpt_pkg.upstream.stream.ANSWER_LIMIT", 1 << 20)
    with listening(flooding(stream_head(), piece)) as server:
        error = failure(server.url)
    assert "larger than" in str(error) and not may_retry(error)


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_small_answer_that_decompresses_to_gigabytes_is_read_as_far_as_the_limit(
    status: int, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claudegpt_pkg.upstream.stream.ANSWER_LIMIT", 4 << 20)
    zeros = zlib.compressobj(9, zlib.DEFLATED, 31 if encoding == "gzip" else 15)
    bomb = b"".join(zeros.compress(b": alive\n\n" * 116_509) for _ in range(256)) + zeros.flush()  # 256 MB
    head = f"HTTP/1.1 {status} x\r\ncontent-type: text/event-stream\r\ncontent-encoding: {encoding}\r\n"
    head += f"content-length: {len(bomb)}\r\n\r\n"
    tracemalloc.start()
    try:
        with listening(saying(head.encode() + bomb)) as server:
            if status == 200:
                assert "larger than" in str(failure(server.url))
            else:
                with pytest.raises(Refused):
                    read(server.url)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_an_error_body_that_drips_costs_seconds_and_what_came_of_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claudegpt_pkg.upstream.stream.ERROR_BODY_SECONDS", 0.2)
    given_up = threading.Event()

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 400 x\r\ncontent-length: 1000000\r\n\r\nIt is so.")
        given_up.wait(DEADLINE)

    with listening(handle) as server:
        with pytest.raises(Refused, match=r"It is so\."):
            read(server.url)
        given_up.set()


# An answer in another wrapping.

WHOLE = {"object": "response", "status": "completed", "output": [{"type": "message", "content": []}]}


def answered_with(body: bytes, kind: str) -> list[dict[str, Any]]:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    with listening(saying(head + body)) as server:
        return read(server.url)


@pytest.mark.parametrize("kind", ["application/json", "text/html", "text/plain", "text/event-stream"])
@pytest.mark.parametrize("before", [b"", b"\n\n", b"\xef\xbb\xbf", b": hello\n\n"])
def test_a_stream_is_known_by_its_first_bytes(kind: str, before: bytes) -> None:
    assert answered_with(before + ANSWER, kind)[-1]["type"] == "response.completed"


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream", "text/plain"])
def test_one_whole_response_is_taken_for_its_last_event(kind: str) -> None:
    assert answered_with(json.dumps(WHOLE).encode(), kind) == [{"type": "response.completed", "response": WHOLE}]


@pytest.mark.parametrize("body", [b'{"error": {"message": "No."}}', b'{"detail": "No."}', b'[{"error": "No."}]'])
def test_an_error_that_comes_as_a_success_is_a_refusal_whatever_its_label(body: bytes) -> None:
    for kind in ("application/json", "text/event-stream"):
        with pytest.raises(Refused, match=r"No\."):
            answered_with(body, kind)


@pytest.mark.parametrize("body", [b"{", b"{}", b'{"output": 1}', b"[" * 100_000])
def test_json_that_is_no_response_is_a_refusal(body: bytes) -> None:
    with pytest.raises(Refused):
        answered_with(body, "text/event-stream")


def test_an_expired_limit_leaves_no_cancellation_behind() -> None:
    async def twice() -> None:
        with listening(silent) as server:
            async with new_client(server.url) as client:
                for _ in range(2):
                    with pytest.raises(UpstreamFailed, match="silent"):
                        async with open_stream(
                            client, provider(server.url), b"{}", cache_key="k", limits=Limits(0.02, 0.02)
                        ):
                            pass
                    task = asyncio.current_task()
                    assert task and task.cancelling() == 0
                    await asyncio.sleep(0)

    asyncio.run(twice())


# The environment's proxies and certificates.


def connect_proxy(seen: list[str]) -> Callable[[socket.socket], None]:
    """An HTTP proxy that tunnels, or forwards, everything to the address in the request line; it resolves
    upstream.example to this machine."""

    def handle(connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += received(connection)
        line = head.split(b"\r\n")[0].decode()
        seen.append(line)
        port = int(line.split()[1].removeprefix("http://").partition("/")[0].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as upstream:
            if line.startswith("CONNECT"):
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                upstream.sendall(head)
            threading.Thread(target=splice, args=(connection, upstream), daemon=True).start()
            splice(upstream, connection)

    return handle


def silent(connection: socket.socket) -> None:
    while True:
        received(connection)


def splice(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
    except OSError:
        return


def well_behaved(connection: socket.socket) -> None:
    while True:
        read_request(connection)
        connection.sendall(stream_head() + chunk(ANSWER) + chunk(b""))


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the environment's proxies, and nothing else of the kind."""

    def set_proxies(**variables: str) -> None:
        for name in ("NO_PROXY", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_proxies


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_the_environments_proxy_is_used_and_its_certificates_trusted(
    proxied: Callable[..., None], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    seen: list[str] = []
    monkeypatch.setenv("SSL_CERT_FILE", str(AUTHORITY))
    with listening(well_behaved, tls=True) as server, listening(connect_proxy(seen)) as between:
        proxied(**{variable: between.url})
        events = read(f"https://upstream.example:{server.port}")
    assert events[-1]["type"] == "response.completed"
    assert seen == [f"CONNECT upstream.example:{server.port} HTTP/1.1"]


def test_a_plain_address_goes_through_the_proxy_for_those(proxied: Callable[..., None]) -> None:
    seen: list[str] = []
    with listening(well_behaved) as server, listening(connect_proxy(seen)) as between:
        proxied(HTTP_PROXY=between.url)
        assert read(f"http://upstream.example:{server.port}")[-1]["type"] == "response.completed"
    assert seen == [f"POST http://upstream.example:{server.port}/responses HTTP/1.1"]


def test_the_names_in_no_proxy_are_asked_directly(proxied: Callable[..., None]) -> None:
    seen: list[str] = []
    with listening(connect_proxy(seen)) as between:
        proxied(HTTP_PROXY=between.url, NO_PROXY="other.example,.invalid")
        error = failure("http://no-such-host.invalid")
    assert "Cannot connect to no-such-host.invalid" in str(error) and not seen


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_always_asked_directly(proxied: Callable[..., None], host: str) -> None:
    """The demo's backend, a local server of the user's: no proxy could reach them."""
    seen: list[str] = []
    with listening(well_behaved) as server, listening(connect_proxy(seen)) as between:
        proxied(HTTP_PROXY=between.url, ALL_PROXY=between.url)
        assert read(f"http://{host}:{server.port}")[-1]["type"] == "response.completed"
    assert not seen


def test_a_proxy_that_fails_is_named_as_the_one_at_fault(proxied: Callable[..., None]) -> None:
    proxied(HTTPS_PROXY="http://127.0.0.1:1")
    assert str(failure("https://upstream.example")) == (
        "The HTTP proxy on the way to upstream.example failed: Connection refused. Check HTTPS_PROXY."
    )
    denial = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"
    with listening(saying(denial)) as between:
        proxied(HTTPS_PROXY=between.url)
        assert "failed: Proxy Authentication Required" in str(failure("https://upstream.example"))


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (
            {"HTTPS_PROXY": "socks5://127.0.0.1:1080"},
            "HTTPS_PROXY names a SOCKS proxy",
        ),
        (
            {"ALL_PROXY": "socks5h://127.0.0.1:1080"},
            "ALL_PROXY names a SOCKS proxy",
        ),
        ({"HTTPS_PROXY": "quic://127.0.0.1:1080"}, "Correct HTTPS_PROXY"),
        ({"SSL_CERT_FILE": "/no/such/file"}, "Correct SSL_CERT_FILE"),
    ],
)
def test_what_the_environment_says_and_cannot_be_used_is_a_bad_setting(
    proxied: Callable[..., None], variables: dict[str, str], words: str
) -> None:
    proxied(**variables)
    with pytest.raises(BadSetting) as caught:
        new_client("https://upstream.example")
    assert words in str(caught.value)


def test_a_socks_proxy_that_would_not_be_used_is_no_obstacle(proxied: Callable[..., None]) -> None:
    proxied(HTTPS_PROXY="http://127.0.0.1:1", HTTP_PROXY="http://127.0.0.1:1", ALL_PROXY="socks5://127.0.0.1:1080")
    assert "The HTTP proxy on the way" in str(failure("https://upstream.example"))


def test_a_socks_proxy_is_no_obstacle_to_a_backend_that_needs_none(proxied: Callable[..., None]) -> None:
    proxied(ALL_PROXY="socks5://127.0.0.1:1080")
    new_client("http://127.0.0.1:1")


# Many turns.


def test_turns_in_sequence_share_a_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claudegpt_pkg.upstream.stream.LAST_BYTES_WITHIN", DEADLINE)  # our server may be kept waiting

    def handle(connection: socket.socket) -> None:
        while True:
            read_request(connection)
            connection.sendall(stream_head() + chunk(ANSWER))
            connection.sendall(chunk(b""))  # the end of the body comes by itself, as from most servers

    with listening(handle) as server, served(server.url, tmp_path) as proxy:
        for _ in range(5):
            assert grammar.text_of(proxy.events(ask())) == "Hello."
        assert server.connections == 1


def test_a_body_without_its_end_is_not_waited_for(tmp_path: Path) -> None:
    gone = threading.Event()

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(stream_head() + chunk(ANSWER))
        if not connection.recv(1):
            gone.set()

    with listening(handle) as server, served(server.url, tmp_path) as proxy:
        assert grammar.text_of(proxy.events(ask())) == "Hello."
        assert gone.wait(DEADLINE)


def test_an_answer_cut_by_a_stop_sequence_stops_costing(backend: FakeBackend, proxy: Served) -> None:
    backend.script(answer("yes</block>and on and on", stall_after=8))
    events = proxy.events(ask(stop_sequences=["</block>"]))
    assert grammar.text_of(events) == "yes" and grammar.stop_reason(events) == "stop_sequence"
    backend.requests[0].wait_left()


def test_a_hundred_and_fifty_streams_run_at_once(backend: FakeBackend, proxy: Served) -> None:
    backend.script(*[answer("one two", stall_after=5)] * 150)
    content = json.dumps(ask()).encode()
    head = f"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-api-key: {TOKEN}\r\nconnection: close\r\n"
    where = ("127.0.0.1", int(proxy.url.rpartition(":")[2]))
    clients = [socket.create_connection(where) for _ in range(150)]
    for client in clients:
        client.sendall(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)
    wait_until(lambda: sum(request.sent == 5 for request in backend.requests) == 150, lambda: "all to be under way")
    backend.release()
    for client in clients:
        with client, client.makefile("rb") as file:
            assert b"message_stop" in file.read()


# Bytes.


@pytest.mark.parametrize("size", [1, 7, 65_536])
def test_the_size_of_the_chunks_changes_no_event(backend: FakeBackend, proxy: Served, size: int) -> None:
    stream = "".join(
        sse(event).decode() for event in answer("日本 \u2028 \u0085 😀").events({"model": "m"}, {"input_tokens": 1})
    ).encode()
    backend.script(Bytes(tuple(stream[at : at + size] for at in range(0, len(stream), size))))
    assert grammar.text_of(proxy.events(ask())) == "日本 \u2028 \u0085 😀"
