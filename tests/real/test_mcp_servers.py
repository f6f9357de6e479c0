"""The user's MCP servers, from their own `~/.claude.json`: their tools reach the model once, declared by Claude Code or
by PROXY_MCP_SERVERS, and what the model calls is run by Claude Code, and can be."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from claudegpt_pkg.translate.tools import shorten_name
from tests.real.mcp_http import over_http
from tests.real.session import ROOT, Session
from tests.support.fakes.answers import Answer, answer, call
from tests.support.fakes.backend import FakeBackend, Request

TOOLS = ["mcp__registers__look_up_0", "mcp__registers__look_up_1"]


def registers(count: int) -> dict[str, Any]:
    args = ["-m", "tests.real.mcp_server", str(count)]
    return {"type": "stdio", "command": sys.executable, "args": args, "env": {"PYTHONPATH": str(ROOT)}}


USUAL = {"registers": registers(2), "broken": {"command": "false"}}


def configure(session: Session, servers: Mapping[str, Any] = USUAL) -> None:
    state = session.home / ".claude.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), "mcpServers": servers}))


@pytest.fixture
def url() -> Iterator[str]:
    """A server over streamable HTTP."""
    with over_http(2) as url:
        yield url


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


def run(
    session: Session, backend: FakeBackend, servers: Mapping[str, Any] = USUAL, **env: str
) -> tuple[str, list[list[str]]]:
    """What was said on stderr, and the MCP tools of each request."""
    configure(session, servers)
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
    """By Claude Code itself where it holds nothing back, and then nothing is waited for."""
    said, requests = run(session, backend, CLAUDEGPT_TOOL_SEARCH=search, PROXY_MCP_SERVERS="all")
    assert all(names == TOOLS for names in requests)
    lines = {"claudegpt: MCP server broken: Connection closed", "claudegpt: MCP server registers: 2 tools"}
    assert set(said.splitlines()) <= lines
    assert search == "0" or "registers: 2 tools" in said


def test_injected_tools_can_be_run_at_once(session: Session, backend: FakeBackend) -> None:
    """Claude Code would not wait for its servers, and then refuse the first call of a tool of theirs."""
    del session.env["MCP_CONNECTION_NONBLOCKING"]
    _, requests = run(session, backend, PROXY_MCP_SERVERS="all")
    assert requests == [TOOLS, TOOLS]


@pytest.mark.parametrize("inject", ["all", ""])
def test_servers_over_http_are_like_any(session: Session, backend: FakeBackend, url: str, inject: str) -> None:
    servers = {"registers": {"type": "http", "url": url}}
    _, requests = run(session, backend, servers, PROXY_MCP_SERVERS=inject)
    assert requests[-1] == (TOOLS if inject else TOOLS[1:])


@pytest.mark.parametrize("inject", ["all", ""])
def test_a_hundred_tools_under_names_that_are_too_long_are_declared_once(
    session: Session, backend: FakeBackend, inject: str
) -> None:
    server = "registers-of-" + "x" * 50
    names = [shorten_name(f"mcp__{server}__look_up_{number}") for number in range(100)]
    configure(session, {server: registers(100)})
    backend.script(answer(call(names[7], key="k7")), answer("Found."))
    env = {"PROXY_MCP_SERVERS": inject, "CLAUDEGPT_TOOL_SEARCH": "1" if inject else "0"}
    assert session.run("Look up k7", "--allowedTools", f"mcp__{server}", env=env).stdout == "Found.\n"
    for request in backend.requests:
        assert sorted(declared(request)) == sorted(names)
    [output] = backend.requests[1].of_type("function_call_output")
    assert "register 7 has k7" in str(output["output"])


def test_a_server_that_hangs_is_not_waited_for(session: Session, backend: FakeBackend) -> None:
    session.env["MCP_CONNECT_TIMEOUT_MS"] = "1000"
    configure(session, {"hangs": {"command": "sh", "args": ["-c", "cat >/dev/null"]}})
    backend.script(answer("Said."))
    ran = session.run("Say it", env={"PROXY_MCP_SERVERS": "all"})
    assert (ran.stdout, ran.stderr) == ("Said.\n", "")


def test_an_agent_that_may_not_use_them_is_not_given_them(session: Session, backend: FakeBackend) -> None:
    configure(session)
    agents = {
        "reader": {"description": "reads", "prompt": "You are the reader.", "tools": ["Read"]},
        "helper": {"description": "helps", "prompt": "You are the helper."},
    }

    def reply(request: Request) -> Answer:
        if b"You are the" in request.raw:
            return answer("Done.")
        if request.of_type("function_call_output"):
            return answer("Both are done.")
        return answer(*(call("Agent", description="go", prompt="Go", subagent_type=name) for name in agents))

    backend.route(lambda request: bool(request.body.get("tools")), reply)
    args = ("--agents", json.dumps(agents), "--allowedTools", "Agent")
    assert "Both are done." in session.run("Have both go", *args, env={"PROXY_MCP_SERVERS": "all"}).stdout
    given = {
        name: declared(request) for name in agents for request in backend.side if f"the {name}.".encode() in request.raw
    }
    assert given == {"reader": [], "helper": TOOLS}


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


def test_no_server_that_claude_code_does_not_connect_is_started(session: Session, backend: FakeBackend) -> None:
    """One is switched off for this folder; one comes from a repository's file, whose settings allow it by themselves.

    Claude Code starts the second itself under `-p`, unless its settings leave out the project's files.
    """
    marks = {name: session.work.parent / f"{name}-ran" for name in ("off", "theirs")}
    starts = {name: {"command": "touch", "args": [str(mark)]} for name, mark in marks.items()}
    state = session.home / ".claude.json"
    known = json.loads(state.read_text())
    known["projects"][str(session.work)] = {"disabledMcpServers": ["off"]}
    state.write_text(json.dumps({**known, "mcpServers": {"registers": registers(1), "off": starts["off"]}}))
    (session.work / ".mcp.json").write_text(json.dumps({"mcpServers": {"theirs": starts["theirs"]}}))
    (session.work / ".claude").mkdir()
    for name in ("settings.json", "settings.local.json"):
        (session.work / ".claude" / name).write_text('{"enableAllProjectMcpServers": true}')
    backend.script(answer("Hello."))
    ran = session.run("Hello", "--setting-sources", "user", env={"PROXY_MCP_SERVERS": "all,off,theirs"})
    assert ran.stdout == "Hello.\n"
    assert [name for name, mark in marks.items() if mark.exists()] == []
    assert TOOLS[0] in declared(backend.requests[0])
