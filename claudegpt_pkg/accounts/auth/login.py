"""Logging in to ChatGPT, and out: `login`, `logout`.

In time: a callback server is opened on this machine (port 1455 or 1457, the only ones to which the login server sends
a browser); the login page is shown and opened; the browser returns to the callback server with a code; the code is
exchanged for tokens; the tokens are saved; and only then does the page say that it can be closed. If the browser runs
on another machine, it finds no callback server: the user pastes the address where it ended into the terminal. With
`--device` there is no callback at all (device.py).

One thread waits for the callback server and the keyboard together, so neither can keep the other waiting. ^C leaves
everything as it was.
"""

from __future__ import annotations

import os
import secrets
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TextIO

from ...errors import BadSetting, NotLoggedIn
from ...settings.options import AUTH_URL
from ...settings.settings import Settings
from . import device, oauth
from .callback_server import CallbackServer, Finish, open_callback_server
from .login_server import LoginServer
from .tokens import TokenFile, Tokens, own_file

Show = Callable[[str], None]

PATIENCE = 15 * 60.0  # seconds the user has for the login page


def login(
    settings: Settings,
    show: Show,
    *,
    with_device: bool = False,
    browser: bool = True,
    typed: TextIO | None = None,
    show_code: device.ShowCode | None = None,
    waiting: device.Waiting = device.no_sign,
) -> Tokens:
    """Log in and save the tokens. `show` gets what the user must read, some lines at a time; `show_code` and `waiting`
    as for device.login.

    `typed` is where the user can paste the address the browser ended at (the terminal), or None. Raises NotLoggedIn
    when the user refuses or takes too long, BadSetting when there is no free port or no room for the file,
    UpstreamFailed when the login server fails; the login saved before stays.
    """
    server = LoginServer(settings[AUTH_URL])
    file = own_file(settings.dirs.data)
    file.make_sure()
    if with_device:
        tokens = device.login_with_code(server, file, show, show_code=show_code, waiting=waiting)
    else:
        tokens = browser_login(server, file, show, open_page=open_page if browser else None, typed=typed)
    show(f"Logged in as {tokens.email or tokens.account_id or 'somebody'} ({oauth.plan_name(tokens.plan)}).")
    return tokens


def logout(settings: Settings, show: Show) -> None:
    """End the login at the server, then delete it here. Raises NotLoggedIn when there is none."""
    file = own_file(settings.dirs.data)
    if not file.path.exists():
        raise NotLoggedIn("There is no login to end.")
    server = LoginServer(settings[AUTH_URL])
    if problem := file.log_out(lambda tokens: _revoke(server, tokens)):
        show(f"{problem.message} The login could not be ended at the server; here it is deleted.")
    show("Logged out.")


def _revoke(server: LoginServer, tokens: Tokens) -> None:
    if tokens.refresh:
        server.revoke(tokens.refresh, hint="refresh_token")
    else:
        server.revoke(tokens.access, hint="access_token")


def browser_login(
    server: LoginServer,
    file: TokenFile,
    show: Show,
    *,
    open_page: Callable[[str], object] | None,
    typed: TextIO | None,
    ports: Sequence[int] = oauth.PORTS,
    patience: float = PATIENCE,
) -> Tokens:
    """Log in through a browser, on this machine or another. Raises like `login`."""
    pkce = oauth.Pkce.new()
    state = secrets.token_urlsafe(32)
    with open_callback_server(ports) as callbacks:
        if callbacks is None and typed is None:
            raise BadSetting(
                f"Other programs use the ports that a login needs ({' and '.join(map(str, ports))}).",
                "End the other login, or run `claudegpt login --device`.",
            )
        redirect = oauth.redirect_uri(callbacks.port if callbacks else ports[0])

        def finish(address: str) -> Tokens:
            code = oauth.callback_code(address, state=state)
            return file.log_in(lambda: server.exchange(code, verifier=pkce.verifier, redirect=redirect))

        page = oauth.authorize_url(server.url, redirect=redirect, state=state, challenge=pkce.challenge)
        show(f"Log in to ChatGPT on this page, within 15 minutes:\n\n{page}\n")
        if typed:
            why = "If that browser is on another machine," if callbacks else "Other programs have the ports it ends at:"
            show(f"{why} paste the address it ends at ({redirect}?…) here.")
        if open_page and open_page(page):
            show("I opened this page in your browser. If you do not see it there, open it yourself.")
        keyboard = Keyboard(typed.fileno()) if typed else None
        return _first_answer(callbacks, keyboard, finish, show, time.monotonic() + patience)


class Keyboard:
    """Lines from a file descriptor. A file object would buffer lines, and `select` would not see them."""

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self._rest = b""
        self.closed = False

    def fileno(self) -> int:
        return self._descriptor

    def lines(self) -> list[str]:
        """The lines finished since the last call, without blank ones; at the end of the input also the last one."""
        data = os.read(self._descriptor, 65_536)
        self.closed = not data
        *whole, self._rest = (self._rest + data).split(b"\n")
        found = [*whole, self._rest] if self.closed else whole
        return [line.decode(errors="replace") for line in found if line.strip()]


def _first_answer(
    callbacks: CallbackServer | None, keyboard: Keyboard | None, finish: Finish, show: Show, deadline: float
) -> Tokens:
    """The tokens that `finish` makes of the first address of this login that arrives, by browser or keyboard.

    `deadline` is on the monotonic clock. Raises what `finish` raises, and NotLoggedIn when nothing comes in time.
    """
    while True:
        now = time.monotonic()
        places = [*(callbacks.sockets if callbacks else ()), *([keyboard] if keyboard else ())]
        if now >= deadline or not places:
            raise NotLoggedIn("Nobody logged in.", "Run `claudegpt login` again.")
        wake = min(deadline, callbacks.next_deadline()) if callbacks else deadline
        readable: list[object] = select.select(places, [], [], max(0.0, wake - now))[0]
        if keyboard in readable and keyboard:
            for line in keyboard.lines():
                try:
                    return finish(line)
                except oauth.OtherLogin as problem:
                    show(str(problem))
            if keyboard.closed:
                keyboard = None  # the terminal is gone; a browser may still come
        if callbacks and (tokens := callbacks.receive(readable, finish)):
            return tokens


def open_page(page: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Open the user's browser, if there is a screen for it here or BROWSER names a program; never waits for it.

    It gets a process and a session of its own, without a terminal: a browser may stay in the foreground for hours, and
    one that shows its pages as text would fill this terminal. The page's address is always shown too. Returns whether a
    browser was started.
    """
    screen = sys.platform == "darwin" or any(
        environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME")
    )
    if environ.get("BROWSER") or (screen and not environ.get("SSH_CONNECTION")):
        nothing = subprocess.DEVNULL
        command = [sys.executable, "-I", "-m", "webbrowser", page]  # -I: no code from the current folder
        with suppress(OSError):
            process = subprocess.Popen(
                command, stdin=nothing, stdout=nothing, stderr=nothing, env=environ, cwd="/", start_new_session=True
            )
            threading.Thread(target=process.wait, daemon=True).start()
            return True
    return False
