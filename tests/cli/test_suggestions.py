"""A mistyped command is asked about or refused before it costs a turn; a prompt still reaches Claude Code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from claudegpt_pkg.claude import install
from claudegpt_pkg.claude.arguments import OUR_COMMANDS
from claudegpt_pkg.claude.session import Session
from claudegpt_pkg.cli.suggestions import find_command
from claudegpt_pkg.terminal import questions
from claudegpt_pkg.terminal.questions import Choice
from tests.conftest import Run


@pytest.fixture(autouse=True)
def claude_code(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = home / "claude"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("CLAUDEGPT_CLAUDE_BIN", str(program))
    monkeypatch.setenv("CLAUDEGPT_PROVIDER", "demo")


@pytest.mark.parametrize(
    ("word", "command"),
    [
        ("statsu", "status"),
        ("Staus", "status"),
        ("sattus", "status"),
        ("dcotor", "doctor"),
        ("model", "models"),
        ("traces", "trace"),
        ("confg", "config"),
        ("us", "use"),
        ("verison", "version"),
        ("hlep", "help"),
    ],
)
def test_a_misspelt_command_is_found(word: str, command: str) -> None:
    assert find_command(word) == command


@pytest.mark.parametrize(
    "word", ["hello", "explain", "test", "fix", "review", "state", "hi", "-p", "--print", "/init", "2+2", ""]
)
def test_a_word_that_is_not_close_to_a_command_is_a_prompt(word: str) -> None:
    assert find_command(word) is None


def test_every_command_is_closest_to_itself() -> None:
    assert {name: find_command(name) for name in OUR_COMMANDS} == {name: name for name in OUR_COMMANDS}


@pytest.mark.parametrize(
    "words", [["statsu"], ["--provider", "demo", "statsu"], ["statsu", "--json"], ["settings"], ["whoami"]]
)
def test_without_a_terminal_it_is_refused_with_the_suggestion(
    run: Run, launched: list[Session], words: list[str]
) -> None:
    status, out, err = run(*words)
    assert (status, out, launched) == (2, "", [])
    assert "Did you mean `claudegpt " in err and "as a prompt, run `claudegpt -- " in err


@pytest.mark.parametrize(
    "words",
    [["--", "statsu"], ["-p", "statsu"], ["explain", "settings"], ["fix", "statsu"], ["statsu is wrong"], ["hello"]],
)
def test_a_prompt_reaches_claude_code(run: Run, launched: list[Session], words: list[str]) -> None:
    assert run(*words)[0] == 0
    assert launched[0].args == [word for word in words if word != "--"]


class Answers:
    """A person at the terminal who gives one answer to any question."""

    def __init__(self, answer: str):
        self.answer = answer
        self.titles: list[str] = []

    def choose(self, question: str, choices: Sequence[Choice], *, default: str | None, flag: str) -> str:
        self.titles = [question, *(choice.title for choice in choices)]
        return self.answer


def answering(answer: str, monkeypatch: pytest.MonkeyPatch) -> Answers:
    person = Answers(answer)
    monkeypatch.setattr(install, "on_terminal", lambda: True)
    monkeypatch.setattr(questions, "Terminal", lambda: person)
    return person


def test_on_a_terminal_the_command_is_run_if_the_user_wants_it(
    run: Run, launched: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    person = answering("status", monkeypatch)
    status, out, _ = run("statsu")
    assert status == 0 and out.startswith("provider\tdemo") and not launched
    assert person.titles == [
        "There is no command `statsu`. What do you want?",
        "Run `claudegpt status`",
        'Send "statsu" to Claude Code as a prompt',
        "Quit",
    ]


def test_on_a_terminal_the_word_is_sent_if_the_user_wants_that(
    run: Run, launched: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    answering("", monkeypatch)
    assert run("statsu")[0] == 0
    assert launched[0].args == ["statsu"]


def test_on_a_terminal_the_user_can_quit(run: Run, launched: list[Session], monkeypatch: pytest.MonkeyPatch) -> None:
    answering("quit", monkeypatch)
    assert run("statsu")[0] == 130 and not launched
