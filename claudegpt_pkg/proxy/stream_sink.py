"""Where a turn's answer goes: to the client as server-sent events, or nowhere.

with StreamSink(send, request_id, patience) as sink:
    await run_while_connected(receive, turn.run(sink))
await sink.end()
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import Message, Receive, Send

from ..translate.wire import anthropic
from ..translate.wire.sse import Event, encode
from .context import Patience

STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
]


class Discard:
    """The sink of a request without `stream`: the turn itself keeps the answer."""

    def accept(self, start: Callable[[], list[Event]]) -> None:
        return

    async def emit(self, events: list[Event]) -> None:
        return


class StreamSink:
    """Sends events to the client as server-sent events; use it as a context manager around the turn.

    The handshake waits for the first real event, at most `Patience.hold` after the upstream accepted the request, so
    that a failure until then is an HTTP status. In a silence the client gets a ping every `Patience.ping` seconds.
    """

    def __init__(self, send: Send, request_id: str, patience: Patience):
        self._send = send
        self._request_id = request_id
        self._patience = patience
        self._begun = False
        self._ended = False  # the last event is sent; the upstream's body may still be read to its end
        self._silent_since = 0.0
        self._handshake: Callable[[], list[Event]] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> StreamSink:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()

    def accept(self, start: Callable[[], list[Event]]) -> None:
        self._handshake = start
        if self._timer is None:
            self._timer = self._loop.call_later(self._patience.hold, self._break_silence)

    async def emit(self, events: list[Event]) -> None:
        self._ended = events[-1]["type"] == "message_stop"
        await self._write(b"".join(map(encode, events)))

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, data: bytes) -> None:
        self._silent_since = self._loop.time()
        if not self._begun:
            self._begun = True
            headers = [*STREAM_HEADERS, (b"request-id", self._request_id.encode())]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    def _break_silence(self) -> None:
        """Send a ping if nothing was sent since the hold ended or for `Patience.ping` seconds."""
        if self._ended:
            return
        wait, silent = self._patience.ping, self._loop.time() - self._silent_since
        if not self._begun or silent >= wait:
            task = self._loop.create_task(self._ping())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            wait -= silent
        self._timer = self._loop.call_later(wait, self._break_silence)

    async def _ping(self) -> None:
        """Send a ping, after the handshake if that has not been sent by the time this task runs."""
        if self._ended:
            return
        handshake = self._handshake() if self._handshake and not self._begun else []
        await self.emit([*handshake, anthropic.ping()])


async def run_while_connected(receive: Receive, work: Awaitable[None]) -> None:
    """Await `work`, but cancel it the moment the client disconnects: an interrupted answer must cost nothing more."""
    working = asyncio.ensure_future(work)
    disconnect = asyncio.ensure_future(_wait_for_disconnect(receive))
    try:
        await asyncio.wait({working, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
            return
        working.result()
    finally:
        disconnect.cancel()
        if not working.done():
            working.cancel()


async def _wait_for_disconnect(receive: Receive) -> None:
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()
