"""Questions have limits on the whole, proxies and certificates count only where they are used, errors are in words."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from claudegpt_pkg.accounts import http
from claudegpt_pkg.accounts.http import NoAnswer, Question, ask_now, client_options, proxy_for
from claudegpt_pkg.errors import BadSetting
from tests.support.transports import response
from tests.support.wire import listening

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
PATIENCE = 0.4  # seconds for a whole question, in tests of that limit
MOST = 30.0  # seconds; far more than any of these may take


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def dripping(first: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    """Sends `first`, then `drop` for ever, each well within any limit on a single read."""

    def handle(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(first)
        gone = threading.Event()
        while not gone.wait(0.01):
            connection.sendall(drop)

    return handle


def silent(connection: socket.socket) -> None:
    connection.recv(65_536)
    threading.Event().wait(MOST)


def sending(data: bytes) -> Callable[[socket.socket], None]:
    def handle(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(data)

    return handle


def flooding(first: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    def handle(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(first)
        while True:
            connection.sendall(piece)

    return handle


# Limits on the whole.


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"", b"H"),  # of the status line
        (HEAD, b"x: y\r\n"),  # of a head without end
        (HEAD + b"content-length: 1000000\r\n\r\n", b"["),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n[\r\n"),
        (HEAD + b"\r\n", b" "),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    ],
)
def test_a_server_that_drips_costs_the_time_of_one_question(first: bytes, drop: bytes) -> None:
    with listening(dripping(first, drop)) as server:
        began = time.monotonic()
        with pytest.raises(NoAnswer):
            ask_now(Question(server.url, "The server", seconds=PATIENCE))
        assert time.monotonic() - began < MOST


def test_a_server_that_says_nothing_costs_the_time_of_one_question() -> None:
    words = r"did not finish its answer within 0\.4 seconds|did not answer in time"
    with listening(silent) as server, pytest.raises(NoAnswer, match=words):
        ask_now(Question(server.url, "The server", seconds=PATIENCE))


def test_an_answer_without_end_costs_its_limit() -> None:
    with listening(flooding(HEAD + b"\r\n", b"x" * 65_536)) as server, pytest.raises(NoAnswer, match="more than 2 MB"):
        ask_now(Question(server.url, "The server", seconds=MOST, limit=2 << 20))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "x-gzip"])
def test_a_compressed_bomb_costs_its_limit(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = (zlib.compress if encoding == "deflate" else gzip.compress)(bytes(200 << 20))
    head = HEAD + f"content-encoding: {encoding}\r\ncontent-length: {len(bomb)}\r\n\r\n".encode()
    decompressed: list[int] = []
    inflated = http._inflate

    def counting(inflate: zlib._Decompress, chunk: bytes) -> object:
        for piece in inflated(inflate, chunk):
            decompressed.append(len(piece))
            yield piece

    monkeypatch.setattr(http, "_inflate", counting)
    with listening(sending(head + bomb)) as server, pytest.raises(NoAnswer, match="more than 2 MB"):
        ask_now(Question(server.url, "The server", seconds=MOST, limit=2 << 20))
    assert sum(decompressed) <= 4 << 20 and max(decompressed) <= 1 << 20


def answer_of(body: bytes, encoding: str, status: int = 200) -> http.Answer:
    transport = httpx.MockTransport(lambda request: response(status, body, {"content-encoding": encoding}))
    return ask_now(Question("http://127.0.0.1:1", "The server"), transport)


def test_an_answer_is_decompressed_whatever_its_status_is() -> None:
    assert answer_of(gzip.compress(b"[]"), "gzip").body == b"[]"
    assert answer_of(zlib.compress(b"no"), "Deflate", 403).body == b"no"
    assert answer_of(b"[]", "identity").body == b"[]"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "\x1b[2J"])
def test_an_encoding_that_was_not_requested_is_an_error(encoding: str) -> None:
    with pytest.raises(NoAnswer, match="not requested") as caught:
        answer_of(b"x", encoding)
    assert caught.value.message.isprintable()


def test_bytes_that_are_not_compressed_are_an_error() -> None:
    with pytest.raises(NoAnswer, match="cannot be decompressed"):
        answer_of(b"[]", "gzip")


# Proxies.

PROXY = "http://proxy.test:3128"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.2",
        "127.255.0.9",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "x.localhost",
        "a.b.localhost.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[0:0:0:0:0:0:0:1]",
        "127.1",
        "2130706433",
        "0x7f.1",
    ],
)
def test_a_server_on_this_machine_is_never_reached_through_a_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, PROXY)
    assert proxy_for(f"http://{host}:8080/v1") is None
    assert proxy_for(f"https://{host}/v1") is None


@pytest.mark.parametrize("host", ["localhost.test", "notlocalhost", "128.0.0.1", "10.0.0.1", "[::2]", "127.0.0.1.test"])
def test_another_machine_is_reached_through_the_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", PROXY)
    proxy = proxy_for(f"http://{host}:8080/v1")
    assert proxy and str(proxy.url) == PROXY


def test_the_key_does_not_reach_a_proxy_beside_a_server_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bytes] = []

    def between(connection: socket.socket) -> None:
        heard.append(connection.recv(65_536))

    with listening(between) as proxy, listening(sending(HEAD + b"content-length: 2\r\n\r\n{}")) as backend:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        for host in ("127.0.0.1", "localhost", "127.0.0.2", "localhost.", "x.localhost"):
            question = Question(f"http://{host}:{backend.port}/", "The server", headers={"authorization": "Bearer key"})
            with suppress(NoAnswer):  # not every machine can resolve each of them, nor serves on all
                assert ask_now(question).body == b"{}"
    assert not heard and backend.connections >= 2


@pytest.mark.parametrize(
    ("no_proxy", "direct"),
    [
        ("[::1],fe80::/10", False),  # as OrbStack sets it
        ("[::1,]],///,http://,:,:80,%,@@,1.2.3.4/99", False),
        ("*", True),
        ("example.com", True),
        (".example.com", True),
        ("*.example.com", True),
        ("API.Example.COM", True),
        ("api.example.com:443", True),
        ("api.example.com:8080", False),
        ("https://api.example.com", True),
        ("ample.com", False),
        ("other.com, example.com ", True),
        ("10.0.0.0/8", False),
        ("", False),
    ],
)
def test_no_proxy_is_read_entry_by_entry(monkeypatch: pytest.MonkeyPatch, no_proxy: str, direct: bool) -> None:
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert (proxy_for("https://api.example.com/v1") is None) is direct


@pytest.mark.parametrize(
    ("no_proxy", "host"),
    [
        ("10.0.0.0/8", "10.1.2.3"),
        ("fe80::/10", "[fe80::1]"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("10.1.2.3", "10.1.2.3"),
    ],
)
def test_no_proxy_names_networks_too(monkeypatch: pytest.MonkeyPatch, no_proxy: str, host: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_for(f"http://{host}/") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "socks5://me:planted-secret@127.0.0.1:1080"),
        ("ALL_PROXY", "SOCKS5H://127.0.0.1:1080"),
        ("https_proxy", "quic://127.0.0.1:1080"),
        ("HTTPS_PROXY", "http://me:planted-secret@proxy.test:port"),
        ("HTTPS_PROXY", "http://"),
        ("HTTPS_PROXY", "http://["),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSetting) as caught:
        client_options("https://api.example.com/v1")
    assert caught.value.message.startswith(name) and "planted-secret" not in str(caught.value)
    client_options("http://127.0.0.1:8080/v1")  # which needs no proxy


def test_an_http_proxy_goes_before_a_socks_proxy_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """As proxy programs export them."""
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    proxy = proxy_for("https://api.example.com")
    assert proxy and str(proxy.url) == PROXY


# Certificates.


def test_missing_certificates_stop_only_what_is_encrypted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(missing))
    assert client_options("http://192.0.2.1/v1")["verify"] is False
    with pytest.raises(BadSetting, match=r"Cannot read the certificates in .*ca\.pem: No such file.*SSL_CERT_FILE"):
        client_options("https://192.0.2.1/v1")
    missing.write_text("not a certificate")
    with pytest.raises(BadSetting, match="SSL_CERT_FILE"):
        client_options("https://192.0.2.1/v1")


def test_a_certificate_that_is_not_trusted_is_named() -> None:
    words = r"certificate of 127\.0\.0\.1:\d+ is not trusted"
    with listening(lambda connection: None, tls=True) as server, pytest.raises(NoAnswer, match=words) as caught:
        ask_now(Question(server.url, "The server"))
    assert "SSL_CERT_FILE" in caught.value.hint and "clock" in caught.value.hint


# Errors in words.


@pytest.mark.parametrize(
    ("problem", "message", "hint"),
    [
        (
            httpx.ProxyError("407 Proxy Authentication Required"),
            "The HTTP proxy on the way to api.test failed: 407",
            "PROXY",
        ),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"), "is not trusted", "SSL_CERT_FILE"),
        (httpx.ConnectTimeout(""), "it did not answer in time", "Check the address"),
        (httpx.RemoteProtocolError("bad\x1b[2J\nline"), "bad\ufffd[2J line", "Check the address"),
        (httpx.ReadError(""), "ReadError", "Check the address"),
    ],
)
def test_what_kept_a_server_away_comes_with_what_to_do(problem: httpx.RequestError, message: str, hint: str) -> None:
    found = http.unreachable(problem, "https://api.test/v1", "The server")
    assert message in found.message and hint in found.hint and found.message.isprintable()


def test_a_connection_that_is_refused_is_told_in_the_systems_words() -> None:
    with pytest.raises(NoAnswer, match=r"^The server cannot be reached at http://127\.0\.0\.1:9: Connection refused\."):
        ask_now(Question("http://127.0.0.1:9", "The server"))
