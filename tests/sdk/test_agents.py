"""Both Agent SDKs drive claudegpt in place of Claude Code, and `claudegpt serve` with a Claude Code of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real.clients import NEW
from tests.real.session import COMMAND, Session
from tests.sdk.packages import node_folder, python_folder
from tests.support.fakes.answers import answer, call
from tests.support.fakes.backend import FakeBackend, Request

HERE = Path(__file__).parent / "agents"
Use = Callable[[str], dict[str, Any]]

pytestmark = pytest.mark.real


@pytest.fixture
def session(tmp_path: Path, backend: FakeBackend) -> Iterator[Session]:
    session = Session(NEW, tmp_path, backend)
    yield session
    session.check()


@pytest.fixture(params=["python", "typescript"])
def use(request: pytest.FixtureRequest, session: Session, tmp_path: Path) -> Use:
    """Run one scenario of the SDK's program, and give what it printed."""
    claude = tmp_path / "claude"
    claude.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    claude.chmod(0o755)
    packages = os.pathsep.join([str(python_folder()), session.env["PYTHONPATH"]])
    env = {**session.env, "PYTHONPATH": packages, "CLAUDE": str(claude), "SDK": str(node_folder())}
    words = (
        [sys.executable, str(HERE / "program.py")] if request.param == "python" else ["node", str(HERE / "program.mjs")]
    )

    def run(scenario: str) -> dict[str, Any]:
        done = subprocess.run(
            [*words, scenario], cwd=session.work, env=env, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)  # one object: nothing of ours is on stdout
        return found

    return run


def last_text(request: Request) -> str:
    """The last user message of a request, or the last output of a tool, as text."""
    return json.dumps(request.items[-1])


def test_a_tool_runs_and_its_result_goes_back(use: Use, backend: FakeBackend) -> None:
    backend.script(answer(call("Bash", command="echo from the tool", description="say")), answer("Done."))
    assert use("tools") | {"session": ""} == {"texts": ["Done."], "result": "Done.", "error": False, "session": ""}
    assert "from the tool" in last_text(backend.requests[1])


def test_the_callback_for_permissions_allows_denies_and_changes(use: Use, backend: FakeBackend) -> None:
    backend.script(
        answer(
            call("Bash", command="touch forbidden", description="x"),
            call("Bash", command="touch fine", description="y"),
        ),
        answer("Both were decided."),
    )
    found = use("permission")
    assert sorted(found["seen"]) == [["Bash", "touch fine"], ["Bash", "touch forbidden"]]
    outputs = json.dumps(backend.requests[1].of_type("function_call_output"))
    assert "not that one" in outputs and "changed" in outputs


def test_hooks_run(use: Use, backend: FakeBackend) -> None:
    backend.script(answer(call("Bash", command="echo hooked", description="x")), answer("Done."))
    found = use("hooks")
    assert found["seen"] == ["Bash"] and found["result"] == "Done."


def test_a_tool_of_an_mcp_server_in_the_process_runs(use: Use, backend: FakeBackend) -> None:
    backend.script(answer(call("mcp__sums__add", a=40, b=2)), answer("It is 42."))
    assert use("mcp")["result"] == "It is 42."
    assert "42" in last_text(backend.requests[1])


def test_an_interrupted_turn_ends_and_the_next_one_is_answered(use: Use, backend: FakeBackend) -> None:
    backend.script(answer("Once upon a time " * 20, stall_after=12), answer("Now this."))
    found = use("interrupt")
    assert found["interrupted"] and found["result"] == "Now this."


def test_a_session_is_resumed(use: Use, backend: FakeBackend) -> None:
    backend.script(answer("Noted."), answer("It was 42."))
    found = use("resume")
    assert found["result"] == "It was 42." and "remember 42" in json.dumps(backend.requests[1].items)


def test_structured_output_is_an_object(use: Use, backend: FakeBackend) -> None:
    backend.script(answer(call("StructuredOutput", n=7)))
    assert use("structured")["structured"] == {"n": 7}


def test_partial_messages_arrive_as_stream_events(use: Use, backend: FakeBackend) -> None:
    backend.script(answer("One two three four."))
    kinds = use("partial")["kinds"]
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop" and kinds.count("content_block_delta") > 1


def test_two_sessions_at_once_get_their_own_answers(use: Use, backend: FakeBackend) -> None:
    def reply(request: Request) -> Any:
        return answer("to the left" if '"left"' in json.dumps(request.items) else "to the right")

    backend.script(reply, reply)
    assert [each["result"] for each in use("two")["both"]] == ["to the left", "to the right"]
