"""Tools whose schemas Claude Code holds back until they are searched for: on a backend that knows tool search itself,
and on one that does not."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.real.plan import codex_login
from tests.real.session import ROOT, Session
from tests.support.fakes.answers import answer, call, tool_search
from tests.support.fakes.backend import FakeBackend

pytestmark = pytest.mark.every_version("2.1.332 declares ToolSearch with another schema than 2.1.330")

SEARCH = {"query": "select:NotebookEdit", "max_results": 5}
USE = {"notebook_path": "/nowhere.ipynb", "new_source": "x"}


def names(backend: FakeBackend) -> list[list[str]]:
    """The tools declared in each request."""
    return [[tool.get("name", tool["type"]) for tool in request.body["tools"]] for request in backend.requests]


def test_on_the_plan_the_backend_s_own_search_finds_the_tool(session: Session, plan: FakeBackend) -> None:
    codex_login(session, plan)
    plan.script(answer(tool_search(**SEARCH)), answer(call("NotebookEdit", **USE)), answer("Tried."))
    assert session.run("Edit the notebook").stdout == "Tried.\n"
    first, second, third = names(plan)
    assert "tool_search" in first and "NotebookEdit" not in first
    assert first == second == third, "the prompt cache's prefix changed"
    [found] = plan.requests[2].of_type("tool_search_output")
    assert [tool["name"] for tool in found["tools"]] == ["NotebookEdit"]
    assert "notebook_path" in found["tools"][0]["parameters"]["properties"]
    [tried] = plan.requests[2].of_type("function_call_output")
    assert "not been read yet" in tried["output"] or "does not exist" in tried["output"]


def test_elsewhere_the_found_tool_is_declared_behind_all_others(session: Session, backend: FakeBackend) -> None:
    backend.script(answer(call("ToolSearch", **SEARCH)), answer(call("NotebookEdit", **USE)), answer("Tried."))
    assert session.run("Edit the notebook").stdout == "Tried.\n"
    first, second, third = names(backend)
    assert "ToolSearch" in first and "NotebookEdit" not in first
    assert second == third == [*first, "NotebookEdit"]


def test_without_search_all_tools_are_declared_from_the_start(session: Session, backend: FakeBackend) -> None:
    backend.script(answer("Nothing held back."))
    session.run("Hi", env={"CLAUDEGPT_TOOL_SEARCH": "0"})
    [declared] = names(backend)
    assert {"Bash", "NotebookEdit", "WebFetch"} < set(declared)
    assert not {"ToolSearch", "tool_search", "DeferredToolPlaceholder"} & set(declared)
    assert b"deferred tools" not in backend.requests[0].raw


def test_a_tool_the_settings_drop_is_neither_declared_nor_found(session: Session, backend: FakeBackend) -> None:
    backend.script(answer(call("ToolSearch", **SEARCH)), answer("There is none."))
    session.run("Edit the notebook", env={"CLAUDEGPT_DROP_TOOLS": "NotebookEdit, Bash"})
    first, second = names(backend)
    assert first == second
    assert "Read" in first and not {"Bash", "NotebookEdit"} & set(first)


def test_on_the_plan_a_tool_the_settings_drop_is_not_found(session: Session, plan: FakeBackend) -> None:
    codex_login(session, plan)
    plan.script(answer(tool_search(**SEARCH)), answer("There is none."))
    session.run("Edit the notebook", env={"CLAUDEGPT_DROP_TOOLS": "NotebookEdit"})
    [found] = plan.requests[1].of_type("tool_search_output")
    assert found["tools"] == []


@pytest.mark.parametrize("found_by", ["the client", "the backend"])
def test_250_tools_of_a_server_cost_a_request_their_names_only(
    session: Session, backend: FakeBackend, plan: FakeBackend, tmp_path: Path, found_by: str
) -> None:
    words = [sys.executable, "-m", "tests.real.mcp_server", "250"]
    server = {"command": words[0], "args": words[1:], "env": {"PYTHONPATH": str(ROOT)}}
    file = tmp_path / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"registers": server}}))
    query = {"query": "select:mcp__registers__look_up_217", "max_results": 5}
    asked, search = backend, call("ToolSearch", **query)
    if found_by == "the backend":
        codex_login(session, plan)
        asked, search = plan, tool_search(**query)
    asked.script(answer(search), answer(call("mcp__registers__look_up_217", key="k7")), answer("Found."))
    ran = session.run("Look it up", "--mcp-config", str(file), "--allowedTools", "mcp__registers")
    assert ran.stdout == "Found.\n"
    assert "register 217 has k7" in str(asked.requests[2].of_type("function_call_output")[-1]["output"])
    assert not any(name.startswith("mcp__") for name in names(asked)[0])
    assert b"look_up_249" in asked.requests[0].raw and b"Looks a key up" not in asked.requests[0].raw
    assert max(len(request.raw) for request in asked.requests) < 80_000
