"""A Starlette app on a socket, in a thread of its own.

    listener = bind("127.0.0.1", 0)                 # listening from here on: early requests wait in the backlog
    with serving(make_app, listener) as server:     # the thread imports, builds and serves the app
        server.url                                  # "http://127.0.0.1:41234"
        server.ready()                              # waits until it answers; raises what kept it from starting

`make_app` runs in the thread, so that what it imports is loaded while the caller goes on. When the thread ends before
it was asked to, `died` is called, in the thread, and `server.failure` says why. On leaving, open streams are cut; what
they do on being cancelled may take CLOSE_WITHIN.
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
KEEP_ALIVE = 3600  # seconds; the default of 5 makes the client open a connection at every turn
CLOSE_WITHIN = 0.5  # seconds
END_WITHIN = 5.0  # seconds; mostly it takes milliseconds, but the last traces are written in it


class ServerFailed(ClaudegptError):
    """The proxy could not start, or ended by itself."""


@dataclass(frozen=True)
class Site:
    """An app that is not made yet, and the listening socket it is for."""

    make_app: Callable[[], Starlette]
    listener: socket.socket


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises BadSetting when the address is taken or not ours."""
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
    """The address a client on this machine reaches the socket at."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def serving(
    make_app: Callable[[], Starlette], listener: socket.socket, died: Callable[[], None] = lambda: None
) -> Iterator[Server]:
    """Serve the app as long as the block lasts; the socket is closed after it."""
    server = Server(make_app, listener, died)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Server:
    """The thread and what is known of it."""

    def __init__(self, make_app: Callable[[], Starlette], listener: socket.socket, died: Callable[[], None]):
        self.url = url_of(listener)
        self.failure: ClaudegptError | None = None
        self._make_app = make_app
        self._listener = listener
        self._died = died
        self._thread = threading.Thread(target=self._run, name="claudegpt-server", daemon=True)
        self._known = threading.Event()  # it answers, or it never will
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def start(self) -> None:
        self._thread.start()

    def ready(self) -> None:
        """Wait until the app answers. Raises what kept it from starting."""
        self._known.wait()
        if self.failure:
            raise self.failure

    def stop(self) -> None:
        """End the thread, within CLOSE_WITHIN and what the app's own ending takes, at most END_WITHIN."""
        self._stopping = True
        if self._loop and self._stop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(END_WITHIN)
        self._listener.close()

    def _run(self) -> None:
        logging.getLogger().addHandler(logging.NullHandler())  # else warnings would land on Claude's terminal
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(self._serve())
        except ClaudegptError as problem:
            self.failure = problem
        except BaseException as problem:  # noqa: BLE001 — the end of a thread: nobody above would hear of it
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

        class Prompt(uvicorn.Server):
            """Without the naps: uvicorn's own loop looks ten times a second whether to stop, then sleeps once more."""

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
        app = Watched(made)
        raise_file_limit()
        strangers = Strangers(getattr(made.state, "knows_token", lambda headers: True))
        config = uvicorn.Config(
            app,
            http=cast(Any, partial(Connection, strangers=strangers)),
            ws="none",
            lifespan="on",
            log_config=None,
            log_level=logging.CRITICAL,  # the terminal is Claude's
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            backlog=BACKLOG,
        )
        try:
            await Prompt(config).serve(sockets=[self._listener])
        except SystemExit:  # uvicorn's way to say that the lifespan failed
            raise app.failure or ServerFailed("The proxy could not start.") from None
        if app.failure:
            raise app.failure


class Watched:
    """The app, remembering what its lifespan raised, of which uvicorn only keeps that it failed."""

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
