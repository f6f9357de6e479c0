"""Connections to the server, with limits on what a client that has not shown the token can make it hold or do.

A *stranger* is a connection on which no request has carried the token yet: another user's process, a web page, or, if
the proxy listens on the network, anybody. A stranger may cost next to nothing:

    head of a request             64 kB and 256 lines; also the trailers of a body
    time until the head is whole  10 s, silence included
    body                          not read: the answer goes out, then the connection is closed
    requests a connection         one: nothing that is sent behind it is looked at
    connections at once           256, the oldest is closed first

A connection that has carried the token once is never limited in time or number: Claude Code keeps connections open for
hours and opens many at once. The app's own `state.knows_token(headers)` tells which request carries the token; without
such a function every complete request makes its connection known.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

RawHeaders = Iterable[tuple[bytes, bytes]]

HEAD_LIMIT = 64 << 10  # bytes
HEAD_LINES = 256  # Claude Code sends about 30
HEAD_WITHIN = 10.0  # seconds
STRANGERS = 256  # connections
# A connection of the user's own counts as a stranger's until its first head is read, which takes milliseconds: among
# very young strangers nobody is closed, up to a limit that protects memory and open files.
YOUNG = 1.0  # seconds
YOUNG_STRANGERS = 1024  # connections
# Closing a connection with unread bytes resets it, and the client may lose the answer. So some of the body is read and
# dropped, for a moment.
LINGER = 2.0  # seconds
LINGER_BYTES = 1 << 20

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 30\r\nconnection: close\r\n\r\n"
    b"The request head is too large."
)


class Strangers:
    """The connections that have not shown the token, the oldest first. Closes the oldest when there are too many."""

    def __init__(self, knows_token: Callable[[RawHeaders], bool]):
        self.knows_token = knows_token
        self._since: dict[Connection, float] = {}  # when each was opened, by the loop's clock
        self._most = min(YOUNG_STRANGERS, max(STRANGERS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4))
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._since)

    def add(self, connection: Connection) -> None:
        self._since[connection] = connection.loop.time()
        self._close_surplus(connection.loop)

    def discard(self, connection: Connection) -> None:
        self._since.pop(connection, None)

    def _close_surplus(self, loop: asyncio.AbstractEventLoop) -> None:
        while len(self._since) > STRANGERS:
            oldest, since = next(iter(self._since.items()))
            wait = since + YOUNG - loop.time()
            if wait > 0 and len(self._since) <= self._most:
                self._timer = self._timer or loop.call_later(wait, self._look_again, loop)
                return
            del self._since[oldest]
            oldest.transport.abort()

    def _look_again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        self._close_surplus(loop)


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with the limits above."""

    def __init__(self, *, strangers: Strangers, **options: Any):
        super().__init__(**options)
        self._strangers = strangers
        self._known = False
        self._timer: asyncio.TimerHandle | None = None
        self._in_head = True  # else a body, its trailers, or the pause between two requests
        self._unfinished = 0  # bytes received since the last whole head, piece of a body, or end of a request
        self._head_size = 0
        self._head_lines = 0
        self._deaf = False  # what is received from here on is dropped
        self._dropped = 0
        self._whole = False  # the stranger's request has come to its end

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_WITHIN, transport.close)
        self._strangers.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            self._dropped += len(data)
            if self._dropped > LINGER_BYTES:
                self.flow.pause_reading()
            return
        self._unfinished += len(data)
        super().data_received(data)
        if self._unfinished > HEAD_LIMIT and not self._deaf and not self.transport.is_closing():
            self._refuse()

    # What the parser finds.

    def on_message_begin(self) -> None:
        if self._deaf:
            return
        self._in_head, self._head_size, self._head_lines = True, 0, 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._deaf and self._has_room(len(url)):
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._deaf or not self._in_head:  # a trailer: nothing here needs one
            return
        self._head_lines += 1
        if self._has_room(len(name) + len(value)):
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._deaf:
            return
        self._in_head, self._unfinished = False, 0
        if not self._has_room(0):
            self._refuse()
        elif self._known or self._strangers.knows_token(self.headers):
            self._known = True
            self._forget()
            super().on_headers_complete()
        else:
            super().on_headers_complete()
            self._deaf = True
            self.cycle.keep_alive = False
            self.cycle.transport = _Lingering(self)  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        self._unfinished = 0
        if not self._deaf:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._unfinished = 0
        if self._deaf:
            self._whole = True
        else:
            super().on_message_complete()

    # Ends.

    def linger(self) -> None:
        """Close the connection so that the client can still read its answer."""
        if self._whole:
            self.transport.close()
        elif not self.transport.is_closing():
            self._deaf = True
            self.flow.resume_reading()
            with suppress(OSError, RuntimeError):
                self.transport.write_eof()
            self._stop_timer()
            self._timer = self.loop.call_later(LINGER, self.transport.abort)

    def _refuse(self) -> None:
        self._deaf = True
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_TOO_LARGE)
            self.linger()
        else:  # within another answer
            self.transport.close()

    def _has_room(self, more: int) -> bool:
        self._head_size += more
        return self._head_size <= HEAD_LIMIT and self._head_lines <= HEAD_LINES

    def _forget(self) -> None:
        """No longer a stranger: known by now, or gone."""
        self._strangers.discard(self)
        self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None


class _Lingering:
    """A stranger's transport as the request's answer uses it: closing it leaves the client time to read."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def write(self, data: bytes) -> None:
        self._connection.transport.write(data)

    def is_closing(self) -> bool:
        return self._connection.transport.is_closing()

    def close(self) -> None:
        self._connection.linger()


def raise_file_limit() -> None:
    """Let this process open as many files as the system allows it to."""
    for wanted in (resource.getrlimit(resource.RLIMIT_NOFILE)[1], 10_240):  # macOS refuses its own "unlimited"
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY or soft >= wanted != resource.RLIM_INFINITY:
            return
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
