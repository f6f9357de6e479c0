"""Servers that say what no well-behaved one would: a function is called with each connection, in a thread of its own.

with listening(lambda connection: connection.close()) as server:
    server.url                  # "http://127.0.0.1:41234"
    server.connections          # how many have come
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CERTIFICATES = Path(__file__).parent / "certificates"
AUTHORITY = CERTIFICATES / "authority.pem"
Handler = Callable[[socket.socket], None]


class Listening:
    def __init__(self, listener: socket.socket, handle: Handler, tls: ssl.SSLContext | None):
        self.port = listener.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self.connections = 0
        self._listener = listener
        self._handle = handle
        self._tls = tls
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):  # the client may always leave
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._open.append(connection)
            self._handle(connection)


@contextmanager
def listening(handle: Handler, *, tls: bool = False) -> Iterator[Listening]:
    server = Listening(socket.create_server(("127.0.0.1", 0)), handle, server_context() if tls else None)
    try:
        yield server
    finally:
        server.close()


def server_context() -> ssl.SSLContext:
    """Of `localhost`, `upstream.example` and 127.0.0.1, signed by AUTHORITY."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "server.pem")
    return context


def read_request(connection: socket.socket) -> tuple[str, dict[str, str], bytes]:
    """Request line, headers and body; ConnectionError when the client has left."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += received(connection)
    head, _, body = head.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += received(connection)
    return first, headers, body


def received(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise ConnectionResetError
    return data


def stream_head() -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
