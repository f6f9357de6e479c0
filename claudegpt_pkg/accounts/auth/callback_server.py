"""The web server on this machine to which the browser returns after a login. It has no thread; the caller waits for it.

    with open_callback_server(oauth.PORTS) as server:      # None if every port is taken
        readable, _, _ = select(server.sockets, [], [], server.next_deadline() - now)
        tokens = server.receive(readable, finish)          # finish(address) → tokens; the page says how it went

It listens on 127.0.0.1 and on ::1, because a browser may resolve `localhost` to either: if another program has one of
the two, that program could receive the code, so the next port is used.

Any program on this machine and any web page can connect. Each visit has one second as a whole and 16 kB, visits wait
side by side, and whatever is not the awaited address is answered with a page and changes nothing.
"""

from __future__ import annotations

import errno
import html
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ...errors import ClaudegptError
from .oauth import OtherLogin
from .tokens import Tokens

Finish = Callable[[str], Tokens]

VISIT_SECONDS = 1.0  # for a whole visit; browsers open connections ahead of need and send nothing on them
HEAD_LIMIT = 16_384  # bytes of a request's head
MOST_VISITS = 64  # at once; the oldest is dropped for a new one
TAKEN = (errno.EADDRINUSE, errno.EACCES)
REQUEST_LINE = re.compile(rb"([A-Z]{1,16}) ([!-~]+) HTTP/\d\.\d\r?\n")
HEAD_END = re.compile(rb"\r?\n\r?\n")

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>claudegpt</title>
<body style="font: 1.1rem/1.6 system-ui, sans-serif; max-width: 36rem; margin: 18vh auto; padding: 0 1rem">
<h1 style="font-size: 1.6rem">{title}</h1><p>{text}</p></body></html>
"""


@dataclass(frozen=True)
class Page:
    """What a visitor sees."""

    status: str  # "200 OK"
    title: str
    text: str

    def encode(self) -> bytes:
        body = PAGE.format(title=html.escape(self.title), text=html.escape(self.text)).encode(errors="replace")
        head = (
            f"HTTP/1.1 {self.status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {len(body)}\r\n"
            # The address holds the code: it must not travel on, nor stay in a cache.
            "cache-control: no-store\r\nreferrer-policy: no-referrer\r\nx-content-type-options: nosniff\r\n"
            "connection: close\r\n\r\n"
        )
        return head.encode() + body


MALFORMED = Page("400 Bad Request", "That is not a request", "This address belongs to a login with claudegpt.")
TOO_LARGE = Page("431 Request Header Fields Too Large", "Too large", MALFORMED.text)
NOT_GET = Page("405 Method Not Allowed", "Nothing here", MALFORMED.text)
NOT_FOUND = Page("404 Not Found", "Nothing here", MALFORMED.text)
LOGGED_IN = Page("200 OK", "You are logged in", "You can close this page and go back to the terminal.")


@dataclass(eq=False)
class _Visit:
    """One connection: what it has sent so far, until when it may go on, and whether it has its answer."""

    connection: socket.socket
    deadline: float  # on the monotonic clock
    head: bytearray = field(default_factory=bytearray)
    answered: bool = False


class CallbackServer:
    """Listening sockets on one port of loopback, and the visits under way."""

    def __init__(self, port: int, listeners: Sequence[socket.socket]):
        self.port = port
        self._listeners = listeners
        self._visits: list[_Visit] = []

    @property
    def sockets(self) -> list[socket.socket]:
        """What to wait for until readable."""
        return [*self._listeners, *(visit.connection for visit in self._visits)]

    def next_deadline(self) -> float:
        """When to call `receive` although nothing is readable; infinity if there is no open visit."""
        return min((visit.deadline for visit in self._visits), default=float("inf"))

    def receive(self, readable: Sequence[object], finish: Finish) -> Tokens | None:
        """Take what has come from the readable sockets; the tokens, once the awaited visit was among them.

        Raises what `finish` raises, except OtherLogin, which only that visitor reads. Blocks only within `finish`.
        """
        for listener in self._listeners:
            if listener in readable:
                self._accept(listener)
        for visit in list(self._visits):
            if visit.connection in readable and (tokens := self._read(visit, finish)):
                return tokens
            if visit in self._visits and time.monotonic() >= visit.deadline:
                self._end(visit)
        return None

    def close(self) -> None:
        for listener in self._listeners:
            listener.close()
        for visit in list(self._visits):
            self._end(visit)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # the visitor has gone again
            connection, _ = listener.accept()
            connection.setblocking(False)
            self._visits.append(_Visit(connection, time.monotonic() + VISIT_SECONDS))
        if len(self._visits) > MOST_VISITS:
            self._end(self._visits[0])

    def _read(self, visit: _Visit, finish: Finish) -> Tokens | None:
        try:
            data = visit.connection.recv(HEAD_LIMIT)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if not data:
            self._end(visit)
            return None
        if visit.answered:  # what comes after the head is read, so that closing does not take back the answer
            return None
        visit.head += data
        if len(visit.head) > HEAD_LIMIT:
            self._answer(visit, TOO_LARGE)
        elif HEAD_END.search(visit.head):
            return self._let_in(visit, finish)
        return None

    def _let_in(self, visit: _Visit, finish: Finish) -> Tokens | None:
        """Answer a visit whose head is complete; the tokens if it was the awaited one."""
        address = _address(bytes(visit.head))
        if isinstance(address, Page):
            self._answer(visit, address)
            return None
        try:
            tokens = finish(address)
        except OtherLogin as problem:
            self._answer(visit, Page("400 Bad Request", "Another login", str(problem)))
            return None
        except ClaudegptError as problem:
            self._answer(visit, Page("400 Bad Request", "Not logged in", f"{problem} You can close this page."))
            raise
        self._answer(visit, LOGGED_IN)
        return tokens

    def _answer(self, visit: _Visit, page: Page) -> None:
        visit.answered = True
        with suppress(OSError):
            visit.connection.send(page.encode())  # a page fits into a new connection's buffer
            visit.connection.shutdown(socket.SHUT_WR)

    def _end(self, visit: _Visit) -> None:
        self._visits.remove(visit)
        visit.connection.close()


def _address(head: bytes) -> str | Page:
    """The path and query that a request asks for, if it is that of a login; else the page to answer with."""
    request = REQUEST_LINE.match(head)
    if not request:
        return MALFORMED
    if request[1] != b"GET":
        return NOT_GET
    address = request[2].decode("ascii")
    try:
        path = urlsplit(address).path
    except ValueError:
        return MALFORMED
    return address if path == "/auth/callback" else NOT_FOUND


# Opening.


@contextmanager
def open_callback_server(ports: Sequence[int]) -> Iterator[CallbackServer | None]:
    """A server on the first of `ports` that is free, None when none is."""
    server = next((found for port in ports if (found := _listen(port))), None)
    try:
        yield server
    finally:
        if server:
            server.close()


def _listen(port: int) -> CallbackServer | None:
    """A server on `port` of each loopback address that this machine has; None if another program has one of them."""
    listeners: list[socket.socket] = []
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            listeners.append(_listener(family, address, port))
        except OSError as problem:
            if problem.errno in TAKEN:
                for listener in listeners:
                    listener.close()
                return None
    return CallbackServer(port, listeners) if listeners else None


def _listener(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(MOST_VISITS)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
