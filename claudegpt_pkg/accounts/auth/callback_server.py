"""Where the browser comes back to after a login: a tiny web server on this machine, one visit at a time, no thread.

with open_door(PORTS) as door:            # None when every port is taken
    select([door, ...])                   # readable when somebody is there
    tokens = door.receive(finish)         # finish(address) → tokens; the visitor reads how it went
"""

from __future__ import annotations

import html
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from urllib.parse import urlsplit

from ...errors import ClaudegptError
from .oauth import OtherLogin
from .tokens import Tokens

Finish = Callable[[str], Tokens]

PATIENCE = 1.0  # seconds; browsers open connections ahead of need and say nothing on them

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>claudegpt</title>
<body style="font: 1.1rem/1.6 system-ui, sans-serif; max-width: 36rem; margin: 18vh auto; padding: 0 1rem">
<h1 style="font-size: 1.6rem">{title}</h1><p>{text}</p></body></html>
"""


@dataclass(frozen=True)
class Page:
    """What a visitor sees."""

    status: int
    title: str
    text: str

    def encode(self) -> bytes:
        return PAGE.format(title=html.escape(self.title), text=html.escape(self.text)).encode()


@contextmanager
def open_door(ports: Sequence[int]) -> Iterator[Door | None]:
    """A door on the first of `ports` that is free, None when none is."""
    door = first_free(ports)
    try:
        yield door
    finally:
        if door:
            door.server_close()


def first_free(ports: Sequence[int]) -> Door | None:
    for port in ports:
        try:
            return Door(port)
        except OSError:
            continue
    return None


class Door(TCPServer):
    """A listening socket on loopback; `receive` answers who waits there."""

    allow_reuse_address = True

    def __init__(self, port: int):
        super().__init__(("127.0.0.1", port), Visit)
        self.port = port
        self._finish: Finish | None = None
        self._outcome: Tokens | ClaudegptError | None = None

    def receive(self, finish: Finish) -> Tokens | None:
        """Answer one visit; the tokens, if it was the awaited one. Raises what `finish` raised, OtherLogin excepted."""
        self._finish = finish
        self.handle_request()
        if isinstance(self._outcome, ClaudegptError):
            raise self._outcome
        return self._outcome

    def page(self, address: str) -> Page:
        """Let the visitor at `address` in, and say how it went."""
        if urlsplit(address).path != "/auth/callback" or self._finish is None:
            return Page(404, "Nothing here", "This is the door of a claudegpt login.")
        try:
            self._outcome = self._finish(address)
        except OtherLogin as problem:
            return Page(400, "Another login", str(problem))
        except ClaudegptError as problem:
            self._outcome = problem
            return Page(400, "Not logged in", f"{problem} You can close this page.")
        return Page(200, "You are logged in", "You can close this page and go back to the terminal.")

    def handle_error(self, request: object, client_address: object) -> None:
        """A visitor who hangs up is no news; called by socketserver while it handles the exception."""
        problem = sys.exception()
        if problem and not isinstance(problem, OSError):
            raise problem


class Visit(BaseHTTPRequestHandler):
    """One request of a browser."""

    server: Door
    timeout = PATIENCE

    def do_GET(self) -> None:
        page = self.server.page(self.path)
        body = page.encode()
        self.send_response(page.status)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        self.send_header("referrer-policy", "no-referrer")  # the address holds the code
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "claudegpt"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the address holds the code."""
