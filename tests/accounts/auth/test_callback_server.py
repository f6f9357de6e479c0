"""The web server to which the browser returns: no visitor ends the login, keeps the browser out, or gets the code."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TextIO

import pytest

from claudegpt_pkg.accounts.auth import callback_server
from claudegpt_pkg.accounts.auth.callback_server import HEAD_LIMIT, MOST_VISITS, open_callback_server
from claudegpt_pkg.accounts.auth.login import browser_login
from claudegpt_pkg.accounts.auth.login_server import LoginServer
from claudegpt_pkg.accounts.auth.tokens import TokenFile, Tokens, own_file
from claudegpt_pkg.errors import NotLoggedIn
from tests.accounts.auth.test_login import Browser, free_ports, pasted, terminal
from tests.support.fakes.backend import DEADLINE
from tests.support.fakes.login import FakeLogin


def has_ipv6() -> bool:
    with suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")


@pytest.fixture
def server() -> Iterator[FakeLogin]:
    with FakeLogin(ports=free_ports(2), strict=True) as fake:
        yield fake
        fake.check()


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return own_file(tmp_path / "data")


def log_in(
    server: FakeLogin,
    file: TokenFile,
    visits: Callable[[str], None],
    *,
    typed: TextIO | None = None,
    patience: float = DEADLINE,
) -> Tokens:
    """A login during which `visits(page)` runs in a thread of its own."""
    threads: list[threading.Thread] = []

    def open_page(page: str) -> None:
        threads.append(threading.Thread(target=visits, args=[page]))
        threads[0].start()

    try:
        return browser_login(
            LoginServer(server.url),
            file,
            lambda text: None,
            open_page=open_page,
            typed=typed,
            ports=server.ports,
            patience=patience,
        )
    finally:
        for thread in threads:
            thread.join(DEADLINE)


def connect(port: int, host: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection((host, port), timeout=DEADLINE)


def exchange(port: int, sent: bytes) -> bytes:
    """All that is answered to `sent`."""
    received = b""
    with connect(port) as visit:
        with suppress(OSError):  # it may have been answered and closed before all was sent
            visit.sendall(sent)
        with suppress(OSError):
            while data := visit.recv(65_536):
                received += data
    return received


MALFORMED = [
    b"GET http://[ HTTP/1.1\r\n\r\n",
    b"GET //[::1/auth/callback HTTP/1.1\r\n\r\n",
    b"GET http://[v1.x]/ HTTP/1.1\r\n\r\n",
    b"GET http://a]b/auth/callback?state=x HTTP/1.1\r\n\r\n",
    b"GET \xff\xfe HTTP/1.1\r\n\r\n",
    b"GET /auth/callback?\x00 HTTP/1.1\r\n\r\n",
    b"GET  HTTP/1.1\r\n\r\n",
    b"GET /auth/callback\r\n\r\n",
    b"get /auth/callback HTTP/1.1\r\n\r\n",
    b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\n\n",
    b"POST /auth/callback HTTP/1.1\r\ncontent-length: 1000000\r\n\r\n",
    b"CONNECT [::1 HTTP/1.1\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\n\r\n",
    b"GET /favicon.ico HTTP/1.1\r\n\r\n",
    b"GET / HTTP/9.9\r\nx: y\r\n\r\n",
    b"GET /auth/callback HTTP/1.1\r\n\r\n",
    b"GET /auth/callback?state=%ff%00%0d%0a&code=%1b HTTP/1.1\r\n\r\n",
    b"GET /auth/callback?state=%ed%a0%80 HTTP/1.1\r\n\r\n",
    b"GET /auth/callback?" + b"state=x&" * 1000 + b" HTTP/1.1\r\n\r\n",
    b"GET /auth/callback?" + b"x" * 2 * HEAD_LIMIT + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * HEAD_LIMIT,
]


@pytest.mark.parametrize("sent", MALFORMED, ids=lambda sent: repr(sent[:40]))
def test_whatever_comes_is_answered_and_the_login_goes_on(server: FakeLogin, file: TokenFile, sent: bytes) -> None:
    answers: list[bytes] = []
    browser = Browser()

    def visits(page: str) -> None:
        answers.append(exchange(server.ports[0], sent))
        browser.open(page)
        browser.page()

    assert log_in(server, file, visits) == file.read()
    assert answers[0].startswith(b"HTTP/1.1 4") and b"traceback" not in answers[0].lower()
    assert browser.page().status_code == 200


def test_a_visitor_that_drips_does_not_keep_the_browser_out(server: FakeLogin, file: TokenFile) -> None:
    browser = Browser()
    stop = threading.Event()

    def drip(visit: socket.socket) -> None:
        with suppress(OSError):
            while not stop.wait(0.05):
                visit.sendall(b"x")

    def visits(page: str) -> None:
        with ExitStack() as open_visits:
            for _ in range(5):
                visit = open_visits.enter_context(connect(server.ports[0]))
                threading.Thread(target=drip, args=[visit], daemon=True).start()
            began = time.monotonic()
            browser.open(page)
            browser.page()
            assert time.monotonic() - began < DEADLINE / 2
            stop.set()

    assert log_in(server, file, visits) == file.read()


def test_a_visit_has_its_time_as_a_whole(server: FakeLogin, file: TokenFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback_server, "VISIT_SECONDS", 0.3)
    ended = threading.Event()
    browser = Browser()

    def visits(page: str) -> None:
        with connect(server.ports[0]) as visit, suppress(OSError):
            for _ in range(int(DEADLINE / 0.02)):
                visit.sendall(b"GET /"[:1])
                visit.settimeout(0.02)
                with suppress(TimeoutError):
                    if not visit.recv(1):
                        break
        ended.set()
        browser.open(page)
        browser.page()

    assert log_in(server, file, visits) == file.read()
    assert ended.is_set()


def test_more_visitors_than_there_is_room_for_do_not_keep_the_browser_out(server: FakeLogin, file: TokenFile) -> None:
    browser = Browser()

    def visits(page: str) -> None:
        with ExitStack() as crowd:
            for _ in range(3 * MOST_VISITS):
                crowd.enter_context(connect(server.ports[0]))
            browser.open(page)
            browser.page()

    assert log_in(server, file, visits) == file.read()


def test_the_keyboard_is_read_while_visitors_drip(server: FakeLogin, file: TokenFile) -> None:
    def visits(page: str) -> None:
        with connect(server.ports[0]) as visit:
            visit.sendall(b"GET /")
            keyboard.write(f"http://[\n{pasted(page)}\n")
            with suppress(OSError):
                visit.recv(1)

    with terminal() as (typed, keyboard):
        assert log_in(server, file, visits, typed=typed) == file.read()


def test_the_deadline_counts_while_visitors_drip(server: FakeLogin, file: TokenFile) -> None:
    over = threading.Event()

    def visits(page: str) -> None:
        while not over.wait(0.01):
            with suppress(OSError), connect(server.ports[0]) as visit:
                visit.sendall(b"GET /")

    try:
        with pytest.raises(NotLoggedIn, match="Nobody logged in"):
            threading.Timer(1.0, over.set).start()
            log_in(server, file, visits, patience=0.5)
    finally:
        over.set()


def test_a_code_that_was_used_twice_at_once_still_logs_in(server: FakeLogin, file: TokenFile) -> None:
    """As a browser that opens the address ahead of need does."""

    def visits(page: str) -> None:
        address = pasted(page).partition(f":{server.ports[0]}")[2]
        request = f"GET {address} HTTP/1.1\r\n\r\n".encode()
        with connect(server.ports[0]) as first, connect(server.ports[0]) as second:
            for visit in (first, second):
                visit.sendall(request)
            assert b"You are logged in" in first.recv(65_536)

    assert log_in(server, file, visits) == file.read()


# Where it listens.


@needs_ipv6
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_browser_may_come_to_either_address(server: FakeLogin, file: TokenFile, host: str) -> None:
    answers: list[bytes] = []

    def visits(page: str) -> None:
        address = pasted(page).partition(f":{server.ports[0]}")[2]
        with connect(server.ports[0], host) as visit:
            visit.sendall(f"GET {address} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
            while data := visit.recv(65_536):
                answers.append(data)

    assert log_in(server, file, visits) == file.read()
    assert b"You are logged in" in b"".join(answers)


@needs_ipv6
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_port_of_which_another_program_has_one_address_is_not_used(family: socket.AddressFamily, host: str) -> None:
    """That program would receive the code."""
    first, second = free_ports(2)
    with socket.create_server((host, first), family=family), open_callback_server((first, second)) as found:
        assert found and found.port == second
    with socket.create_server(("127.0.0.1", first)):
        pass  # nothing of the attempt is left


def test_a_machine_without_ipv6_listens_on_the_other_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        return listen(family, address, port)

    listen = callback_server._listener
    monkeypatch.setattr(callback_server, "_listener", without)
    with open_callback_server(free_ports(1)) as found:
        assert found and len(found.sockets) == 1
