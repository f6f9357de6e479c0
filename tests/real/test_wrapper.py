"""claudegpt as an editor's process wrapper: started as VS Code's extension starts it, with the real Claude Code."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.real.clients import binary
from tests.real.session import COMMAND, Session
from tests.support.fakes.answers import answer
from tests.support.fakes.backend import DEADLINE, FakeBackend

EXTENSION_LINE = (
    "--output-format stream-json --verbose --input-format stream-json --max-thinking-tokens 31999 "
    "--permission-prompt-tool stdio --setting-sources user,project,local --permission-mode default "
    "--include-partial-messages"
)
EXTENSION = EXTENSION_LINE.split()
LOG = "wrapper.log"


@pytest.fixture
def environment(session: Session) -> dict[str, str]:
    """A session's, without the setting that names a Claude Code: the command line does."""
    return {name: value for name, value in session.env.items() if name != "CLAUDEGPT_CLAUDE_BIN"}


def messages(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """Every line on stdout, up to the result; a line that is not JSON fails."""
    assert process.stdout
    for line in process.stdout:
        message = json.loads(line)
        yield message
        if message["type"] == "result":
            return


def test_the_panel_of_an_editor_is_answered_and_lists_our_models(
    session: Session, backend: FakeBackend, environment: dict[str, str]
) -> None:
    backend.script(answer("Hello from GPT."))
    command = [*COMMAND, str(binary(session.version)), *EXTENSION]
    asked = [
        {"type": "control_request", "request_id": "1", "request": {"subtype": "initialize", "hooks": {}}},
        {"type": "user", "message": {"role": "user", "content": "hi"}, "parent_tool_use_id": None, "session_id": ""},
    ]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=session.work, env=environment, text=True, **pipes) as process:
        assert process.stdin
        process.stdin.write("".join(json.dumps(line) + "\n" for line in asked))
        process.stdin.flush()
        seen = list(messages(process))
        process.stdin.close()
        assert process.wait(DEADLINE) == 0
    assert seen[-1]["result"] == "Hello from GPT."
    models = next(each for each in seen if each["type"] == "control_response")["response"]["response"]["models"]
    assert "gpt-6.1-sol" in json.dumps(models)


def test_the_wrapped_program_answers_its_own_questions(session: Session, environment: dict[str, str]) -> None:
    program = str(binary(session.version))
    done = subprocess.run(
        [*COMMAND, program, "--version"],
        cwd=session.work,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.stdout.startswith(session.version) and "claudegpt" not in done.stdout


def test_an_error_of_ours_is_in_the_log_and_not_on_stdout(session: Session, environment: dict[str, str]) -> None:
    environment.pop("OPENAI_API_KEY")
    environment.pop("OPENAI_BASE_URL")
    command = [*COMMAND, str(binary(session.version)), *EXTENSION]
    done = subprocess.run(
        command, cwd=session.work, env=environment, capture_output=True, text=True, input="", timeout=DEADLINE
    )
    assert done.returncode != 0 and done.stdout == ""
    log = (session.home / "claudegpt" / "state" / LOG).read_text()
    assert "OPENAI_API_KEY" in log and "OPENAI_API_KEY" in done.stderr
