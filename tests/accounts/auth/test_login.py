from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import httpx
import pytest

from claudegpt_pkg.accounts.auth.login import browser_login, login, logout, open_page
from claudegpt_pkg.accounts.auth.login_server import LoginServer
from claudegpt_pkg.accounts.auth.tokens import TokenFile, Tokens, own_file
from claudegpt_pkg.errors import BadSetting, NotLoggedIn, UpstreamFailed
from claudegpt_pkg.secret import Secret
from claudegpt_pkg.settings.settings import Settings, load
from tests.support import auth_files
from tests.support.fakes.backend import DEADLINE
from tests.support.fakes.login import FakeLogin


class Browser:
    """Opens the page in the background and follows it to its end; `pages` are where it ended."""

    def __init__(self, change: Callable[[str], str] = lambda address: address):
        self.change = change  # of the address it is sent back to
        self.pages: list[httpx.Response] = []
        self._thread: threading.Thread | None = None

    def open(self, url: str) -> None:
        self._thread = threading.Thread(target=self._follow, args=[url])
        self._thread.start()

    def _follow(self, url: str) -> None:
        back = httpx.get(url).headers["location"]
        self.pages.append(httpx.get(self.change(back), timeout=DEADLINE))

    def page(self) -> httpx.Response:
        assert self._thread
        self._thread.join(DEADLINE)
        return self.pages[-1]


def free_ports(count: int) -> tuple[int, ...]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return tuple(one.getsockname()[1] for one in sockets)
    finally:
        for one in sockets:
            one.close()


@pytest.fixture
def server() -> Iterator[FakeLogin]:
    with FakeLogin(ports=free_ports(2), strict=True) as fake:
        yield fake
        fake.check()


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return own_file(tmp_path / "data")


@pytest.fixture
def shown() -> list[str]:
    return []


@contextmanager
def terminal() -> Iterator[tuple[TextIO, TextIO]]:
    """What the program reads, and what the user types into."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as typed, os.fdopen(writing, "w", buffering=1) as keyboard:
        yield typed, keyboard


def run(
    server: FakeLogin,
    file: TokenFile,
    shown: list[str],
    *,
    open_page: Callable[[str], object] | None = None,
    typed: TextIO | None = None,
    patience: float = 20,
) -> Tokens:
    return browser_login(
        LoginServer(server.url),
        file,
        shown.append,
        open_page=open_page,
        typed=typed,
        ports=server.ports,
        patience=patience,
    )


def test_a_login_through_the_browser_is_saved_and_the_page_says_so(
    server: FakeLogin, file: TokenFile, shown: list[str]
) -> None:
    browser = Browser()
    tokens = run(server, file, shown, open_page=browser.open)
    assert file.read() == tokens
    assert (tokens.account_id, tokens.plan, tokens.email) == ("account-1", "plus", "ann@example.com")
    assert "You are logged in" in browser.page().text and "close this page" in browser.page().text
    assert browser.page().headers["referrer-policy"] == "no-referrer"
    assert auth_files.content(file)["auth_mode"] == "chatgpt"


def test_the_page_is_shown_even_when_a_browser_opens(server: FakeLogin, file: TokenFile, shown: list[str]) -> None:
    browser = Browser()
    run(server, file, shown, open_page=browser.open)
    assert f"\n\n{server.url}/oauth/authorize?" in shown[0]


@pytest.mark.parametrize("started", [True, False])
def test_the_user_is_told_that_a_browser_was_opened(
    server: FakeLogin, file: TokenFile, shown: list[str], started: bool
) -> None:
    browser = Browser()

    def open_browser(page: str) -> bool:
        browser.open(page)
        return started

    run(server, file, shown, open_page=open_browser)
    told = "I opened this page in your browser. If you do not see it there, open it yourself."
    assert (told in shown) is started


def test_no_secret_is_shown(server: FakeLogin, file: TokenFile, shown: list[str]) -> None:
    browser = Browser()
    tokens = run(server, file, shown, open_page=browser.open)
    told = "\n".join(shown) + browser.page().text
    assert tokens.refresh
    for secret in (tokens.access, tokens.refresh):
        assert secret.reveal() not in told
    assert "code_verifier" not in told


def test_the_second_port_serves_when_the_first_is_taken(server: FakeLogin, file: TokenFile, shown: list[str]) -> None:
    browser = Browser()
    with socket.create_server(("127.0.0.1", server.ports[0])):
        run(server, file, shown, open_page=browser.open)
    assert f"localhost%3A{server.ports[1]}" in shown[0]


def test_with_both_ports_taken_the_device_login_is_named(server: FakeLogin, file: TokenFile, shown: list[str]) -> None:
    first, second = (socket.create_server(("127.0.0.1", port)) for port in server.ports)
    with first, second, pytest.raises(BadSetting, match=r"Other programs use the ports .*login --device"):
        run(server, file, shown)


def test_the_ports_are_free_again_afterwards(server: FakeLogin, file: TokenFile, shown: list[str]) -> None:
    for _ in range(2):
        browser = Browser()
        run(server, file, shown, open_page=browser.open)
        browser.page()
        assert f"localhost%3A{server.ports[0]}" in shown[-1]


def test_a_user_who_refuses_is_told_and_keeps_the_old_login(
    server: FakeLogin, file: TokenFile, shown: list[str]
) -> None:
    auth_files.write(file.path, server.log_in())
    before = file.path.read_bytes()
    server.denies = True
    browser = Browser()
    with pytest.raises(NotLoggedIn, match=r"refused: The user said no\."):
        run(server, file, shown, open_page=browser.open)
    assert browser.page().status_code == 400 and "The user said no" in browser.page().text
    assert file.path.read_bytes() == before


def test_another_logins_state_is_turned_away_and_ours_still_awaited(
    server: FakeLogin, file: TokenFile, shown: list[str]
) -> None:
    stranger = Browser(change=lambda address: address.partition("state=")[0] + "state=forged")
    honest = Browser()

    def both(url: str) -> None:
        stranger.open(url)
        assert stranger.page().status_code == 400
        honest.open(url)

    tokens = run(server, file, shown, open_page=lambda url: threading.Thread(target=both, args=[url]).start())
    assert "belongs to another login" in stranger.page().text
    assert file.read() == tokens and len(server.logins) == 1


def test_other_addresses_and_silent_visitors_are_nobody(server: FakeLogin, file: TokenFile, shown: list[str]) -> None:
    honest = Browser()

    def visits(url: str) -> None:
        port = server.ports[0]
        silent = socket.create_connection(("127.0.0.1", port))
        rude = socket.create_connection(("127.0.0.1", port))
        rude.sendall(b"\x16\x03\x01 not http at all\r\n\r\n")
        gone = socket.create_connection(("127.0.0.1", port))
        gone.close()
        assert httpx.get(f"http://127.0.0.1:{port}/favicon.ico", timeout=DEADLINE).status_code == 404
        honest.open(url)
        honest.page()
        silent.close()
        rude.close()

    tokens = run(server, file, shown, open_page=lambda url: threading.Thread(target=visits, args=[url]).start())
    assert file.read() == tokens


def test_error_text_of_the_server_cannot_put_markup_on_our_page(
    server: FakeLogin, file: TokenFile, shown: list[str]
) -> None:
    browser = Browser(change=lambda address: address.replace("code=", "error=<script>alert(1)</script>&was="))
    with pytest.raises(NotLoggedIn):
        run(server, file, shown, open_page=browser.open)
    assert "<script>" not in browser.page().text and "&lt;script&gt;" in browser.page().text


@pytest.mark.parametrize(
    ("status", "body", "raised", "words"),
    [
        (200, "<html>sign in to the hotel</html>", UpstreamFailed, "HTTP 200 with a web page. Try again"),
        (503, {"error": "busy"}, UpstreamFailed, "HTTP 503: busy. Try again"),
        (400, {"error": "invalid_grant"}, NotLoggedIn, r"invalid_grant\). Run the login again."),
    ],
)
def test_an_exchange_that_fails_is_said_on_the_page_too(
    server: FakeLogin,
    file: TokenFile,
    shown: list[str],
    status: int,
    body: object,
    raised: type[Exception],
    words: str,
) -> None:
    server.say("/oauth/token", status, body)
    browser = Browser()
    with pytest.raises(raised, match=words):
        run(server, file, shown, open_page=browser.open)
    assert "Not logged in" in browser.page().text and not file.path.exists()


def test_nobody_coming_ends_the_wait(server: FakeLogin, file: TokenFile, shown: list[str]) -> None:
    with pytest.raises(NotLoggedIn, match="Nobody logged in"):
        run(server, file, shown, patience=0.01)


def pasted(url: str) -> str:
    """Where a browser on another machine ends: an address it cannot open."""
    return str(httpx.get(url).headers["location"])


def test_the_address_can_be_pasted_instead(server: FakeLogin, file: TokenFile, shown: list[str]) -> None:
    with terminal() as (typed, keyboard):
        tokens = run(server, file, shown, typed=typed, open_page=lambda url: keyboard.write(pasted(url) + "\n"))
    assert file.read() == tokens
    assert any("paste the address it ends at" in line for line in shown)


def test_the_address_can_be_pasted_with_both_ports_taken(server: FakeLogin, file: TokenFile, shown: list[str]) -> None:
    first, second = (socket.create_server(("127.0.0.1", port)) for port in server.ports)
    with first, second, terminal() as (typed, keyboard):
        tokens = run(server, file, shown, typed=typed, open_page=lambda url: keyboard.write(pasted(url) + "\n"))
    assert file.read() == tokens
    assert any("Other programs have the ports it ends at: paste" in line for line in shown)


def test_what_is_not_the_address_is_said_and_asked_for_again(
    server: FakeLogin, file: TokenFile, shown: list[str]
) -> None:
    def type_wrongly_first(url: str) -> None:
        wrong = pasted(url).partition("state=")[0] + "state=old"
        keyboard.write(f"\nhello?\n{wrong}\n{pasted(url)}\n")

    with terminal() as (typed, keyboard):
        tokens = run(server, file, shown, typed=typed, open_page=type_wrongly_first)
    assert file.read() == tokens
    assert "not the address of a finished login" in shown[-2] and "another login" in shown[-1]


def test_a_terminal_that_closes_leaves_the_door_open(server: FakeLogin, file: TokenFile, shown: list[str]) -> None:
    browser = Browser()
    with open(os.devnull) as typed:  # noqa: PTH123 - at its end from the start
        tokens = run(server, file, shown, typed=typed, open_page=browser.open)
    assert file.read() == tokens


def test_interrupted_while_waiting_nothing_is_left(server: FakeLogin, file: TokenFile, shown: list[str]) -> None:
    def interrupt(url: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(server, file, shown, open_page=interrupt)
    assert not file.path.exists()
    socket.create_server(("127.0.0.1", server.ports[0])).close()


@pytest.mark.parametrize(
    ("environ", "opens"),
    [
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "w"}, True),
        ({}, False),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "x"}, False),
        ({"BROWSER": "firefox", "SSH_CONNECTION": "x"}, True),  # as editors set it that open pages on the near machine
    ],
)
def test_a_browser_is_opened_only_if_there_is_a_screen_or_the_user_names_one(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], opens: bool
) -> None:
    opened: list[list[str]] = []

    class Process:
        def __init__(self, command: list[str], **options: object):
            opened.append(command)

        def wait(self) -> None: ...

    monkeypatch.setattr("claudegpt_pkg.accounts.auth.login.subprocess.Popen", Process)
    monkeypatch.setattr("sys.platform", "linux")
    assert open_page("https://x", environ) is opens
    assert bool(opened) == opens and all(command[-1] == "https://x" for command in opened)


class Program:
    """A BROWSER that stays in the foreground, tries to take the terminal, and writes what it found."""

    def __init__(self, folder: Path):
        self._pipe, file = folder / "written", folder / "browser"
        os.mkfifo(self._pipe)
        file.write_text(
            "#!/bin/sh\n"
            f"exec >{self._pipe} 2>&1\n"
            "read -r typed && echo typed; true </dev/tty && echo has a terminal; echo $$; echo $1\n"
            "exec >/dev/null 2>&1\n"
            "exec sleep 600\n"
        )
        file.chmod(0o755)
        self.environ = {"BROWSER": str(file), "PATH": os.environ["PATH"]}
        self.found = ""
        self._process = 0

    def page(self) -> str:
        """The page that it was started with; waits until it is."""
        self.found = self._pipe.read_text()
        *_, process, page = self.found.splitlines()
        self._process = int(process)
        return page

    def end(self) -> None:
        if self._process:
            os.kill(self._process, signal.SIGKILL)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    started = Program(tmp_path)
    yield started
    started.end()


def test_a_browser_that_stays_is_not_waited_for_and_has_no_terminal(program: Program) -> None:
    open_page("https://x.test/?a=b&c=d", program.environ)
    assert program.page() == "https://x.test/?a=b&c=d"
    assert "typed" not in program.found and "has a terminal" not in program.found


def test_the_page_is_there_while_a_browser_stays_in_front(
    server: FakeLogin, file: TokenFile, shown: list[str], program: Program
) -> None:
    browser = Browser()

    def opens(url: str) -> None:
        open_page(url, program.environ)
        threading.Thread(target=lambda: browser.open(program.page())).start()

    assert run(server, file, shown, open_page=opens) == file.read()


def test_a_program_that_cannot_be_started_does_not_end_the_login(
    server: FakeLogin, file: TokenFile, shown: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/no/such/python")
    browser = Browser()

    def opens(url: str) -> None:
        open_page(url, {"BROWSER": "x"})
        browser.open(url)

    assert run(server, file, shown, open_page=opens) == file.read()


@pytest.mark.parametrize("change", [("code=", "error=access_denied&error_description=missing_codex_entitlement&was=")])
def test_a_workspace_without_codex_is_told_whom_to_ask(
    server: FakeLogin, file: TokenFile, shown: list[str], change: tuple[str, str]
) -> None:
    browser = Browser(change=lambda address: address.replace(*change))
    words = "Codex is not enabled for this workspace: ask its administrator, or choose another workspace."
    with pytest.raises(NotLoggedIn) as caught:
        run(server, file, shown, open_page=browser.open)
    assert str(caught.value) == words and words in browser.page().text


def test_words_of_the_login_page_cannot_steer_the_terminal(
    server: FakeLogin, file: TokenFile, shown: list[str]
) -> None:
    browser = Browser(change=lambda address: address.replace("code=", "error=%1b]52;c;aGk=%07%0a%e2%80%ae&was="))
    with pytest.raises(NotLoggedIn) as caught:
        run(server, file, shown, open_page=browser.open)
    assert str(caught.value).isprintable() and "]52;c;aGk=" in str(caught.value)


# The commands.


def settings_for(server: FakeLogin, home: Path) -> Settings:
    return load(environ={"CLAUDEGPT_HOME": str(home), "CLAUDEGPT_AUTH_URL": server.url, "HOME": str(home)})


@pytest.fixture
def settings(server: FakeLogin, tmp_path: Path) -> Settings:
    return settings_for(server, tmp_path)


def test_login_without_a_browser_here_ends_with_who_is_logged_in(tmp_path: Path) -> None:
    shown: list[str] = []

    def show(text: str) -> None:
        shown.append(text)
        for page in [line for line in text.splitlines() if "/oauth/authorize?" in line]:
            keyboard.write(pasted(page) + "\n")

    with FakeLogin() as server, terminal() as (typed, keyboard):
        settings = settings_for(server, tmp_path)
        tokens = login(settings, show, browser=False, typed=typed)
        server.check()
    assert own_file(settings.dirs.data).read() == tokens
    assert shown[-1] == "Logged in as ann@example.com (ChatGPT Plus)."


@pytest.mark.parametrize("with_device", [True, False])
def test_where_a_login_could_not_be_saved_nobody_is_asked_to_make_one(
    server: FakeLogin, settings: Settings, shown: list[str], with_device: bool
) -> None:
    with auth_files.disk_with(100), pytest.raises(BadSetting, match="Make room on the disk"):
        login(settings, shown.append, with_device=with_device, browser=False)
    assert not shown and not server.asked


def test_logout_ends_the_login_at_the_server_and_deletes_it(
    server: FakeLogin, settings: Settings, shown: list[str]
) -> None:
    file = auth_files.own(settings.dirs.data, server.log_in())
    refresh = server.logins[0].refresh
    logout(settings, shown.append)
    assert server.revoked == [refresh] and server.logins[0].ended
    assert not file.path.exists() and shown == ["Logged out."]


@pytest.mark.parametrize("status", [502, 200])  # with 200 it is a hotel's
def test_logout_deletes_the_login_though_the_server_fails(
    server: FakeLogin, settings: Settings, shown: list[str], status: int
) -> None:
    file = auth_files.own(settings.dirs.data, server.log_in())
    server.say("/oauth/revoke", status, "<html>")
    logout(settings, shown.append)
    assert not file.path.exists()
    assert "could not be ended at the server" in shown[0] and shown[-1] == "Logged out."


def test_logout_of_a_file_that_cannot_be_read_deletes_it(settings: Settings, shown: list[str]) -> None:
    file = auth_files.own(settings.dirs.data, "{cut")
    logout(settings, shown.append)
    assert not file.path.exists() and "incomplete" in shown[0]


def test_logout_without_a_login_says_so(settings: Settings, shown: list[str]) -> None:
    with pytest.raises(NotLoggedIn, match="no login to end"):
        logout(settings, shown.append)


def test_a_login_server_that_is_away_is_said() -> None:
    with pytest.raises(UpstreamFailed, match="cannot be reached"):
        LoginServer("http://127.0.0.1:1").refresh(Secret("x"))
