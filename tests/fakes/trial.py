"""A backend's answers to the turns with which claudegpt tries an account: it calls the tool it is told to call."""

from __future__ import annotations

import json

from .answers import Reply, answer, call, reasoning
from .backend import FakeBackend, Request


def is_trial(request: Request) -> bool:
    return "connection test" in json.dumps(request.body.get("input"))


def call_the_tool(request: Request) -> Reply:
    return answer(reasoning("A test."), call("Bash", command="echo ready"))


def takes_trials(backend: FakeBackend) -> FakeBackend:
    """The backend, which answers trials from now on, whenever they come."""
    backend.route(is_trial, call_the_tool)
    return backend


def trials(backend: FakeBackend) -> list[Request]:
    return [request for request in backend.side if is_trial(request)]
