"""Log in with a code that the user types on another device: no browser has to reach this machine.

In order: the server gives a code; the user opens its page on any device and types the code; this module asks every few
seconds whether that has happened; the answer holds an authorization code and its verifier, which are exchanged for
tokens as after a browser login.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from ...errors import NotLoggedIn, UpstreamFailed
from ...secret import Secret
from ...untrusted import read_handle, read_name, read_number, read_object
from .. import http
from . import oauth
from .login_server import LoginServer
from .tokens import TokenFile, Tokens

START = "/api/accounts/deviceauth/usercode"
ASK = "/api/accounts/deviceauth/token"
PATIENCE = 15 * 60.0  # seconds a code lives
INTERVAL = 5.0  # seconds between two questions, unless the server says otherwise
LONGEST_INTERVAL = 60.0
SLOWER = 5.0  # seconds more when it says `slow_down`
FAILURES = 3  # questions in a row that may fail before we give up
# Codes that end the wait; every other 403 or 404 means "not yet".
REFUSED = {
    "deviceauth_expired_token": "The code was not used in time.",
    "deviceauth_access_denied": "The login was refused.",
}


ShowCode = Callable[[str, str], None]  # the page, the code
Waiting = Callable[[float], AbstractContextManager[object]]


def no_sign(seconds: float) -> AbstractContextManager[object]:
    return nullcontext()


@dataclass(frozen=True)
class Code:
    """The code that the user types, and how to ask about it."""

    id: str
    typed: str
    interval: float


@dataclass(frozen=True)
class Approval:
    """The user approved the login."""

    code: Secret
    verifier: Secret


@dataclass(frozen=True)
class Pending:
    """Not yet; ask again, after `slower` seconds more than usual."""

    slower: float = 0.0


def login_with_code(
    server: LoginServer,
    file: TokenFile,
    show: Callable[[str], None],
    *,
    show_code: ShowCode | None = None,
    waiting: Waiting = no_sign,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Tokens:
    """Log in and save the tokens. Raises NotLoggedIn when the user refuses or takes too long, UpstreamFailed.

    `show_code` shows the page and the code instead of `show`; `waiting` is a sign of life for so many seconds.
    """
    code = begin(server)
    page = f"{server.url}/codex/device"
    if show_code:
        show_code(page, code.typed)
    else:
        show(f"Open this page in any browser, on any device:\n\n{page}\n\nand enter this code there:\n\n{code.typed}\n")
    show("The code is good for 15 minutes. Enter it only if you started this login yourself.")
    with waiting(PATIENCE):
        approval = _wait_for_code(server, code, sleep=sleep, deadline=clock() + PATIENCE, clock=clock)
    redirect = f"{server.url}/deviceauth/callback"
    return file.log_in(lambda: server.exchange(approval.code, verifier=approval.verifier, redirect=redirect))


def begin(server: LoginServer) -> Code:
    answer = server.post(START, json={"client_id": oauth.CLIENT_ID})
    if answer.status == 404:
        raise UpstreamFailed("The login server offers no login by code.", "Run `claudegpt login` without --device.")
    body = read_object(answer.body)
    if answer.status != 200 or body is None:
        raise oauth.read_refusal(answer.status, answer.body, sent="The request for a code")
    id, typed = read_handle(body.get("device_auth_id")), read_name(body.get("user_code"))
    if not id or not typed:
        raise UpstreamFailed("The login server answered without a code.", oauth.TRY_LATER)
    return Code(id, typed, interval_in(body.get("interval")))


def interval_in(value: object) -> float:
    """Seconds between two questions; the server writes them as a string."""
    seconds = read_number(value)
    return INTERVAL if seconds is None else min(max(seconds, 1.0), LONGEST_INTERVAL)


def _wait_for_code(
    server: LoginServer, code: Code, *, sleep: Callable[[float], None], deadline: float, clock: Callable[[], float]
) -> Approval:
    failures = 0
    while clock() < deadline:
        sleep(code.interval)
        try:
            said = _verdict(server.post(ASK, json={"device_auth_id": code.id, "user_code": code.typed}))
        except UpstreamFailed:
            failures += 1
            if failures == FAILURES:
                raise
            continue
        if isinstance(said, Approval):
            return said
        failures = 0
        code = replace(code, interval=code.interval + said.slower)
    raise NotLoggedIn(REFUSED["deviceauth_expired_token"], oauth.LOG_IN_AGAIN)


def _verdict(answer: http.Answer) -> Approval | Pending:
    """What an answer about a code means. Raises NotLoggedIn when it is over, UpstreamFailed when it says nothing."""
    body = read_object(answer.body)
    error = oauth.error_code(body or {})
    if error in REFUSED:
        raise NotLoggedIn(REFUSED[error], oauth.LOG_IN_AGAIN)
    if error == "slow_down" or answer.status == 429:
        return Pending(SLOWER)
    if answer.status in (403, 404) and "html" not in answer.headers.get("content-type", ""):
        return Pending()
    if answer.status != 200 or body is None:
        raise oauth.read_refusal(answer.status, answer.body, sent="The code", hint=oauth.LOG_IN_AGAIN)
    code, verifier = oauth.secret_in(body, "authorization_code"), oauth.secret_in(body, "code_verifier")
    if not code or not verifier:
        raise UpstreamFailed("The login server answered without a code.", oauth.TRY_LATER)
    return Approval(code, verifier)
