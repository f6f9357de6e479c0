"""Serves a Starlette app on a bound socket, in a thread of its own.

    listener = bind("127.0.0.1", 0)                 # listens from here on: early requests wait in the backlog
    with serving(make_app, listener) as server:     # a thread imports, builds and serves the app
        server.url                                  # "http://127.0.0.1:41234"
        server.ready()                              # waits until the app answers; raises why it cannot

`make_app` runs in the thread, so that its imports are loaded while the caller goes on. If the thread ends before it is
told to, `died` is called, in the thread, and `server.failure` says why. At the end of the block, open streams are cut;
their cancellation may take CLOSE_WITHIN. connections.py limits what clients without the app's token may do.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ..errors import BadSetting, ClaudegptError
from ..settings.options import PORT

if TYPE_CHECKING:
    from starlette.applications import Starlette

BACKLOG = 2048
KEEP_ALIVE = 3600  # seconds; with uvicorn's default of 5, Claude Code opens a connection for every turn
CLOSE_WITHIN = 0.5  # seconds
END_WITHIN = 5.0  # seconds; it usually takes milliseconds, but the last traces are written in this time


class ServerFailed(ClaudegptError):
    """The server could not start, or ended by itself."""


@dataclass(frozen=True)
class Site:
    """An app that is not made yet, and the listening socket it is for."""

    make_app: Callable[[], Starlette]
    listener: socket.socket


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises BadSetting if the address is in use or not one of this machine."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as problem:
        raise BadSetting(f"Cannot listen on {host}: {problem.strerror}.", "Correct CLAUDEGPT_HOST.") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as problem:
        listener.close()
        raise BadSetting(
            f"Cannot listen on {host} port {port}: {problem.strerror}.",
            f"Choose another port, or leave {PORT.name} out for a free one.",
        ) from None
    return listener


def url_of(listener: socket.socket) -> str:
    """The address at which a client on this machine reaches the socket."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def serving(
    make_app: Callable[[], Starlette], listener: socket.socket, died: Callable[[], None] = lambda: None
) -> Iterator[Server]:
    """Serve the app during the block; close the socket after it."""
    server = Server(make_app, listener, died)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Server:
    """The thread that serves an app, and its state."""

    def __init__(self, make_app: Callable[[], Starlette], listener: socket.socket, died: Callable[[], None]):
        self.url = url_of(listener)
        self.failure: ClaudegptError | None = None
        self._make_app = make_app
        self._listener = listener
        self._died = died
        self._thread = threading.Thread(target=self._run, name="claudegpt-server", daemon=True)
        self._known = threading.Event()  # set once the app answers, or cannot any more
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def start(self) -> None:
        self._thread.start()

    def ready(self) -> None:
        """Wait until the app answers. Raises what prevented it from starting."""
        self._known.wait()
        if self.failure:
            raise self.failure

    def stop(self) -> None:
        """End the thread: within CLOSE_WITHIN and the time of the app's own shutdown, at most END_WITHIN."""
        self._stopping = True
        if self._loop and self._stop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(END_WITHIN)
        self._listener.close()

    def _run(self) -> None:
        logging.getLogger().addHandler(logging.NullHandler())  # keeps warnings off Claude Code's terminal
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(self._serve())
        except ClaudegptError as problem:
            self.failure = problem
        except BaseException as problem:  # noqa: BLE001 — the end of a thread: nothing above it catches
            self.failure = ServerFailed(f"The proxy failed: {type(problem).__name__}: {problem}.")
        if not self._stopping:
            self.failure = self.failure or ServerFailed("The proxy ended by itself.")
            self._died()
        self._known.set()

    async def _serve(self) -> None:
        import uvicorn

        from .connections import Connection, Strangers, raise_file_limit

        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        if self._stopping:
            return
        stop, known = self._stop, self._known

        class PromptServer(uvicorn.Server):
            """Stops at once: uvicorn's own loop polls ten times a second whether to stop, and then sleeps once more."""

            async def main_loop(self) -> None:
                known.set()
                await stop.wait()

            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                for listener in self.servers:
                    listener.close()
                if tasks := list(self.server_state.tasks):
                    for task in tasks:
                        task.cancel()
                    await asyncio.wait(tasks, timeout=CLOSE_WITHIN)
                await self.lifespan.shutdown()

        made = self._make_app()
        app = _LifespanWatch(made)
        raise_file_limit()
        strangers = Strangers(getattr(made.state, "knows_token", lambda headers: True))
        config = uvicorn.Config(
            app,
            http=cast(Any, partial(Connection, strangers=strangers)),
            ws="none",
            lifespan="on",
            log_config=None,
            log_level=logging.CRITICAL,  # the terminal belongs to Claude Code
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            backlog=BACKLOG,
        )
        try:
            await PromptServer(config).serve(sockets=[self._listener])
        except SystemExit:  # uvicorn reports a failed lifespan this way
            raise app.failure or ServerFailed("The proxy could not start.") from None
        if app.failure:
            raise app.failure


class _LifespanWatch:
    """The app, and what its lifespan raised: uvicorn itself keeps only that the lifespan failed."""

    def __init__(self, app: Any):
        self._app = app
        self.failure: Exception | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as problem:
            if scope["type"] == "lifespan":
                self.failure = problem
            raise


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    import uvloop

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
