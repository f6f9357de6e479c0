"""A backend's answers to the turns with which claudegpt tries an account: it calls the tool it is told to call, where
there is one."""

from __future__ import annotations

import json
import time

from .answers import Reply, answer, call, reasoning
from .backend import FakeBackend, Request
from .login import FakeLogin


def is_trial(request: Request) -> bool:
    return "connection test" in json.dumps(request.body.get("input"))


def call_the_tool(request: Request) -> Reply:
    if not request.body.get("tools"):
        return answer("ready")
    return answer(reasoning("A test."), call("Bash", command="echo ready"))


def takes_trials(backend: FakeBackend) -> FakeBackend:
    """The backend, which answers trials from now on, whenever they come."""
    backend.route(is_trial, call_the_tool)
    return backend


def trials(backend: FakeBackend) -> list[Request]:
    return [request for request in backend.side if is_trial(request)]


class TokensOf:
    """The access tokens that a login server holds good, as a backend's credentials."""

    def __init__(self, login: FakeLogin):
        self._login = login

    def __contains__(self, token: object) -> bool:
        return any(one.access.get(str(token), 0) > time.time() and not one.ended for one in self._login.logins)


def trusts(backend: FakeBackend, login: FakeLogin) -> FakeBackend:
    """The backend, which takes what the login server gives, for that server's account."""
    backend.credentials = TokensOf(login)  # type: ignore[assignment]
    backend.account_id = login.account
    return backend
