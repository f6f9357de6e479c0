"""A small web server on loopback with the pages that a fetch may meet, friendly and hostile.

    with WebHost() as host:
        host.url("/page")                  # http://127.0.0.1:PORT/page
        host.paths                         # every path that was requested
        host.connections                   # how many connections were made

It listens on 127.0.0.1 only. A test of a forbidden address asserts that `connections` stays 0.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import threading
import zlib
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

HTML = "text/html; charset=utf-8"
Answer = Callable[[BaseHTTPRequestHandler], None]


def send(
    handler: BaseHTTPRequestHandler, body: bytes, kind: str | None = HTML, status: int = 200, **headers: str
) -> None:
    handler.send_response(status)
    if kind is not None:
        handler.send_header("content-type", kind)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def redirect(handler: BaseHTTPRequestHandler, location: str, status: int = 302) -> None:
    send(handler, b"", status=status, location=location)


class WebHost:
    """A context manager. `pages` maps a path to its body, or to a function that writes the whole answer."""

    def __init__(self, pages: Mapping[str, bytes | str | Answer] | None = None):
        self.pages: dict[str, bytes | str | Answer] = {**HOSTILE, **(pages or {})}
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.connections = 0
        self.released = threading.Event()  # ends every answer that is still being written
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            web_host = host

            def setup(self) -> None:
                host.connections += 1
                super().setup()

            def do_GET(self) -> None:
                host.paths.append(self.path)
                host.headers.append({name.lower(): value for name, value in self.headers.items()})
                page = host.pages.get(self.path.partition("?")[0], b"")
                with contextlib.suppress(OSError):
                    if callable(page):
                        page(self)
                    elif page:
                        send(self, page.encode() if isinstance(page, str) else page)
                    else:
                        send(self, b"nothing here", status=404)

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.name}{path}"

    def __enter__(self) -> WebHost:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


def released(handler: BaseHTTPRequestHandler) -> threading.Event:
    event: threading.Event = handler.web_host.released  # type: ignore[attr-defined]
    return event


def drip(handler: BaseHTTPRequestHandler) -> None:
    """A byte every 50 ms, until the test is over."""
    handler.send_response(200)
    handler.send_header("content-type", HTML)
    handler.end_headers()
    while not released(handler).wait(0.05):
        handler.wfile.write(b"x")
        handler.wfile.flush()


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("content-type", "text/plain")
    handler.end_headers()
    while not released(handler).is_set():
        handler.wfile.write(b"y" * 65_536)


@functools.cache
def bomb() -> bytes:
    """64 MB of zeros in 64 kB."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    zeros = bytes(1 << 20)
    return b"".join(packer.compress(zeros) for _ in range(64)) + packer.flush()


def gzip_bomb(handler: BaseHTTPRequestHandler) -> None:
    send(handler, bomb(), content_encoding="gzip")


def endless_head(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nx-long: ")
    while not released(handler).is_set():
        handler.wfile.write(b"z" * 65_536)


HOSTILE: dict[str, bytes | str | Answer] = {
    "/drip": drip,
    "/endless": endless,
    "/bomb": gzip_bomb,
    "/endless-head": endless_head,
    "/loop": lambda handler: redirect(handler, "/loop"),
    "/hop/1": lambda handler: redirect(handler, "/hop/2", 301),
    "/hop/2": lambda handler: redirect(handler, "/hop/3", 307),
    "/hop/3": "<title>Arrived</title><p>The end of three hops.",
    "/to-metadata": lambda handler: redirect(handler, "http://169.254.169.254/latest/meta-data/"),
    "/to-file": lambda handler: redirect(handler, "file:///etc/passwd"),
    "/to-elsewhere": lambda handler: redirect(handler, "https://elsewhere.example/page?x=1"),
    "/zipped": lambda handler: send(handler, gzip.compress(b"<p>packed</p>"), content_encoding="gzip"),
    "/deflated": lambda handler: send(handler, zlib.compress(b"<p>packed</p>"), content_encoding="deflate"),
    "/raw-deflated": lambda handler: send(
        handler, zlib.compress(b"<p>packed</p>", wbits=-15), content_encoding="deflate"
    ),
    "/broken-zip": lambda handler: send(handler, b"this is no gzip", content_encoding="gzip"),
    "/strange-coding": lambda handler: send(handler, b"?", content_encoding="br"),
    "/picture": lambda handler: send(handler, b"\x89PNG\r\n", "image/png"),
    "/busy": lambda handler: send(handler, b"", status=429),
    "/latin": lambda handler: send(handler, "<p>Grüße</p>".encode("latin-1"), "text/html; charset=iso-8859-1"),
    "/wrong-charset": lambda handler: send(handler, "<p>한국어</p>".encode(), "text/html; charset=iso-8859-1"),
    "/no-such-charset": lambda handler: send(handler, b"<p>text</p>", "text/html; charset=x-nonsense"),
    "/plain": lambda handler: send(handler, b"a < b\n", "text/plain"),
    "/json": lambda handler: send(handler, b'{"a": [1, 2]}', "application/json"),
    "/untyped": lambda handler: send(handler, b"<!DOCTYPE html><p>typed by its first bytes", None),
    "/empty": lambda handler: send(handler, b""),
}
