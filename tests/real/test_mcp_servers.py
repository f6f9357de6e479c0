"""The user's MCP servers, from their own `~/.claude.json`: their tools reach the model once, declared by Claude Code or
by PROXY_MCP_SERVERS, and what the model calls is run by Claude Code."""

from __future__ import annotations

import json
import sys

import pytest

from tests.fakes.answers import Answer, answer, call
from tests.fakes.backend import FakeBackend, Request
from tests.real.session import ROOT, Session

TOOLS = ["mcp__registers__look_up_0", "mcp__registers__look_up_1"]


def configure(session: Session) -> None:
    state = session.home / ".claude.json"
    server = {"type": "stdio", "command": sys.executable, "args": ["-m", "tests.real.mcp_server", "2"]}
    servers = {"registers": {**server, "env": {"PYTHONPATH": str(ROOT)}}, "broken": {"command": "false"}}
    state.write_text(json.dumps({**json.loads(state.read_text()), "mcpServers": servers}))


def work(request: Request) -> Answer:
    """Looks k7 up: found by search where it is not declared, again while Claude Code has not reached its server."""
    outputs = [str(item["output"]) for item in request.of_type("function_call_output")]
    if outputs and "register 1 has k7" in outputs[-1]:
        return answer("Found.")
    if TOOLS[1] not in declared(request) and not outputs:
        return answer(call("ToolSearch", query=f"select:{TOOLS[1]}", max_results=5))
    return answer(call(TOOLS[1], key="k7"))


def declared(request: Request) -> list[str]:
    return [tool["name"] for tool in request.body["tools"] if tool["name"].startswith("mcp__")]


def run(session: Session, backend: FakeBackend, **env: str) -> tuple[str, list[list[str]]]:
    """What was said on stderr, and the MCP tools of each request."""
    configure(session)
    backend.route(lambda request: bool(request.body.get("tools")), work)
    ran = session.run("Look up k7", "--allowedTools", "mcp__registers", env=env)
    assert ran.stdout == "Found.\n"
    requests = [declared(request) for request in backend.side]
    assert all(len(names) == len(set(names)) for names in requests)
    return ran.stderr, requests


@pytest.mark.parametrize("search", ["0", "1"])
def test_injected_tools_are_declared_from_the_first_request_on(
    session: Session, backend: FakeBackend, search: str
) -> None:
    said, requests = run(session, backend, CLAUDEGPT_TOOL_SEARCH=search, PROXY_MCP_SERVERS="all")
    assert all(names == TOOLS for names in requests)
    assert sorted(said.splitlines()) == [
        "claudegpt: MCP server broken: Connection closed",
        "claudegpt: MCP server registers: 2 tools",
    ]


def test_only_the_servers_that_are_named_are_asked(session: Session, backend: FakeBackend) -> None:
    said, requests = run(session, backend, PROXY_MCP_SERVERS="registers")
    assert said == "claudegpt: MCP server registers: 2 tools\n"
    assert requests[0] == TOOLS


@pytest.mark.parametrize("search", ["0", "1"])
def test_without_injection_they_come_from_claude_code(session: Session, backend: FakeBackend, search: str) -> None:
    said, requests = run(session, backend, CLAUDEGPT_TOOL_SEARCH=search)
    assert said == ""
    assert requests[-1] == (TOOLS if search == "0" else TOOLS[1:])


def test_blocked_they_reach_no_request_however_they_come(session: Session, backend: FakeBackend) -> None:
    configure(session)
    backend.script(answer("Nothing to look up with."))
    session.run("Look up k7", env={"PROXY_MCP_SERVERS": "all", "CLAUDEGPT_BLOCK_MCP": "1"})
    assert declared(backend.requests[0]) == []
