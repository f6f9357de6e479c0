"""Logging in to ChatGPT, and out: `login`, `logout`.

In time: a door is opened on this machine (port 1455 or 1457: the only ones the login server sends a browser to), the
login page is shown and opened, the browser comes back through the door with a code, the code becomes tokens, the tokens
are saved, and only then does the page say that it can be closed. Where the browser runs on another machine it finds no
door: the address it ends at, pasted into the terminal, does the same. Or no door at all: `device`.

The door and the terminal are waited for together, in one thread. ^C leaves everything as it was.
"""

from __future__ import annotations

import os
import secrets
import select
import sys
import time
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from ..errors import BadSetting, NotLoggedIn
from ..settings import AUTH_URL, Settings
from . import device, oauth
from .door import Door, Finish, open_door
from .server import LoginServer
from .tokens import TokenFile, Tokens, own_file

Show = Callable[[str], None]

PATIENCE = 15 * 60.0  # seconds the user has for the login page


def login(
    settings: Settings, show: Show, *, with_device: bool = False, browser: bool = True, typed: TextIO | None = None
) -> Tokens:
    """Log in and save the tokens. `show` gets what the user must read, some lines at a time.

    `typed` is where the user can paste the address the browser ended at (the terminal), or None. Raises NotLoggedIn
    when the user refuses or takes too long, BadSetting when there is no free port or no room for the file,
    UpstreamFailed when the login server fails; the login saved before stays.
    """
    server = LoginServer(settings[AUTH_URL])
    file = own_file(settings.dirs.data)
    if with_device:
        tokens = device.login(server, file, show)
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
    if problem := file.log_out(lambda tokens: revoke(server, tokens)):
        show(f"{problem.message} The login could not be ended at the server; here it is deleted.")
    show("Logged out.")


def revoke(server: LoginServer, tokens: Tokens) -> None:
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
    with open_door(ports) as door:
        if door is None and typed is None:
            raise BadSetting(
                f"The ports that a login needs are taken ({' and '.join(map(str, ports))}).",
                "End the other login, or run `claudegpt login --device`.",
            )
        redirect = oauth.redirect_uri(door.port if door else ports[0])

        def finish(address: str) -> Tokens:
            code = oauth.callback_code(address, state=state)
            return file.log_in(lambda: server.exchange(code, verifier=pkce.verifier, redirect=redirect))

        page = oauth.authorize_url(server.url, redirect=redirect, state=state, challenge=pkce.challenge)
        show(f"Log in to ChatGPT on this page:\n\n{page}\n")
        if typed:
            show(f"If that browser is on another machine, paste the address it ends at ({redirect}?…) here.")
        if open_page:
            open_page(page)
        return first_answer(Wait(door, typed, time.monotonic() + patience), finish, show)


@dataclass(frozen=True)
class Wait:
    """What a login waits for: the door, the terminal, and how long, on the monotonic clock."""

    door: Door | None
    typed: TextIO | None
    deadline: float

    def ready(self) -> list[Door | TextIO]:
        """The places where something has come. Raises NotLoggedIn when nothing has come in time."""
        places: list[Door | TextIO] = [place for place in (self.door, self.typed) if place]
        left = max(0.0, self.deadline - time.monotonic())
        found = select.select(places, [], [], left)[0] if places else []
        if not found:
            raise NotLoggedIn("Nobody logged in.", "Run `claudegpt login` again.")
        return found


def first_answer(wait: Wait, finish: Finish, show: Show) -> Tokens:
    """The tokens that `finish` makes of the first address of this login that comes, through the door or typed."""
    while True:
        ready = wait.ready()
        if wait.door in ready and wait.door and (tokens := wait.door.receive(finish)):
            return tokens
        if wait.typed not in ready or not wait.typed:
            continue
        line = wait.typed.readline()
        if not line:
            wait = Wait(wait.door, None, wait.deadline)  # the terminal is gone; the door may still be used
        elif line.strip():
            try:
                return finish(line)
            except oauth.OtherLogin as problem:
                show(str(problem))


def open_page(page: str, environ: Mapping[str, str] = os.environ) -> None:
    """Open the user's browser, where there is a screen: on a far or bare machine it would fill this terminal."""
    screen = sys.platform in ("darwin", "win32") or any(
        environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME")
    )
    if screen and not environ.get("SSH_CONNECTION"):
        webbrowser.open(page)
