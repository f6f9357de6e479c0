"""The command line as a user types it: what runs, what is said, the exit status. With a stand-in for Claude Code."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from claudegpt_pkg import __version__
from claudegpt_pkg.claude.session import Session
from claudegpt_pkg.cli import main
from claudegpt_pkg.cli.main import run
from claudegpt_pkg.errors import NotLoggedIn
from tests.support.launched import SCRIPTS

ROOT = str(Path(main.__file__).parents[2])
Said = Callable[[], tuple[str, str]]


@pytest.fixture(autouse=True)
def stand_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the stand-in as its Claude Code and nothing configured."""
    program = home / "claude"
    program.write_text(SCRIPTS["python"])
    program.chmod(0o755)
    monkeypatch.setenv("CLAUDEGPT_CLAUDE_BIN", str(program))
    monkeypatch.chdir(home)
    return program


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Said:
    """(stdout, stderr) since the last look."""

    def read() -> tuple[str, str]:
        stdout, stderr = capfd.readouterr()
        return stdout, stderr

    return read


def command(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`claudegpt WORDS…` in a process of its own."""
    env = {**os.environ, "NOTES": str(Path("notes").absolute()), "PYTHONPATH": ROOT, **variables}
    line = [sys.executable, "-P", "-m", "claudegpt_pkg", *words]
    return subprocess.run(line, env=env, capture_output=True, text=True, input="typed\n", timeout=60)


# The plain form.


@pytest.mark.parametrize(("words", "status"), [(["exit", "0"], 0), (["exit", "7"], 7), (["die", "15"], 143)])
def test_the_exit_status_is_claudes(words: list[str], status: int) -> None:
    ran = command("--provider", "demo", *words)
    assert (ran.returncode, ran.stdout, ran.stderr) == (status, "", "")


def test_claude_talks_to_us_with_its_own_stdin_and_stdout() -> None:
    assert command("get", "/health", CLAUDEGPT_PROVIDER="demo").stdout.startswith("{")
    assert command("cat", CLAUDEGPT_PROVIDER="demo").stdout == "typed\n"


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_a_stream_that_was_closed_before_us_is_an_empty_one(closed: str) -> None:
    env = {**os.environ, "NOTES": str(Path("notes").absolute()), "PYTHONPATH": ROOT}
    line = f"'{sys.executable}' -P -m claudegpt_pkg --provider demo cat {closed}"
    ran = subprocess.run(["sh", "-c", line], env=env, capture_output=True, text=True, input="typed", timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "" if "<" in closed else "typed", "")


def test_in_a_folder_that_is_gone_claude_itself_says_so(home: Path, launched: list[Session]) -> None:
    (home / "gone").mkdir()
    os.chdir(home / "gone")
    (home / "gone").rmdir()
    assert run(["--provider", "demo", "-p", "hi"]) == 0
    assert launched[0].args == ["-p", "hi"]


def test_claude_gets_its_words_in_order(launched: list[Session]) -> None:
    assert run(["-p", "hi", "--provider", "demo", "--allowedTools", "Bash", "--port", "0", "--", "-x"]) == 0
    assert launched[0].args == ["-p", "hi", "--allowedTools", "Bash", "--", "-x"]


@pytest.mark.parametrize("level", ["low", "medium", "high", "xhigh", "max"])
def test_an_effort_that_claude_knows_is_told_to_it(launched: list[Session], level: str) -> None:
    run(["--provider", "demo", "-p", "hi", "--effort", level])
    assert launched[0].args == ["--effort", level, "-p", "hi"]


@pytest.mark.parametrize("level", ["none", "minimal"])
def test_an_effort_that_claude_does_not_know_is_told_by_another_name(launched: list[Session], level: str) -> None:
    run(["--provider", "demo", "-p", "hi", "--effort", level])
    assert launched[0].args == ["--effort", "low", "-p", "hi"]


def test_isolation_gives_claude_a_configuration_of_ours(launched: list[Session], home: Path) -> None:
    run(["--provider", "demo", "--isolate"])
    assert launched[0].env["CLAUDE_CONFIG_DIR"] == str(home / "claudegpt" / "data" / "claude")
    run(["--provider", "demo", "--isolate", "--no-isolate"])
    assert "CLAUDE_CONFIG_DIR" not in launched[1].env


@pytest.mark.parametrize("before", [[], ["--"], ["--provider", "demo"]])
def test_a_command_of_claudes_runs_without_a_proxy(before: list[str], stand_in: Path) -> None:
    stand_in.write_text('#!/bin/sh\necho "$@" $ANTHROPIC_BASE_URL\n')
    ran = command(*before, "mcp", "add", "--port", "80")
    assert (ran.stdout, ran.stderr, ran.returncode) == ("mcp add --port 80\n", "", 0)


@pytest.mark.parametrize("word", ["--help", "-h", "--version", "-v"])
def test_after_a_double_dash_claude_answers_about_itself(word: str, stand_in: Path) -> None:
    stand_in.write_text('#!/bin/sh\necho "claude $@"\n')
    assert command("--", word).stdout == f"claude {word}\n"


# demo


def test_the_demo_is_the_plain_form_with_the_demo_provider(launched: list[Session]) -> None:
    assert run(["demo", "--yes", "-p", "hi", "--trace", "--name", "--yes"]) == 0
    assert launched[0].args == ["-p", "hi", "--name", "--yes"]
    assert "demo" in launched[0].env["ANTHROPIC_DEFAULT_OPUS_MODEL_DESCRIPTION"]


def test_help_for_the_demo_is_about_the_demo(said: Said) -> None:
    assert run(["demo", "--help"]) == 0
    assert said()[0].startswith(
        "Usage: claudegpt demo [--yes] [CLAUDE ARGS]...\n\n  Try it offline: a built-in script answers"
    )


# What can go wrong.


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (["-p", "hi"], 2, "No account is set up."),
        (["--provider", "gpt"], 2, "--provider is one of"),
        (["--provider"], 2, "--provider needs a value"),
        (["setup", "--provider", "gpt"], 2, "--provider is one of"),
        (["serve", "--provider", "gpt"], 2, "--provider is one of"),
        (["serve", "--port", "a"], 2, "--port is a whole number"),
        (["--effort", "lots"], 2, "--effort is one of"),
        (["--port", "a"], 2, "--port is a whole number"),
        (["--provider", "openai"], 2, "Provider openai needs a key. Set OPENAI_API_KEY."),
        (["--provider", "demo", "--settings", "gone.json"], 2, "Cannot read --settings gone.json"),
        (["--provider", "demo", "--bg", "do it"], 2, "A background session cannot run here"),
        (["serve", "--host", "0.0.0.0", "--provider", "demo"], 2, "Other machines can reach 0.0.0.0, so the proxy"),
        (["config", "set", "CLAUDEGPT_TRACE", "maybe"], 2, "CLAUDEGPT_TRACE is 1 or 0, not 'maybe'."),
        (["config", "get", "PASTHROUGH"], 2, "There is no setting PASTHROUGH. Did you mean PASSTHROUGH_MODE?"),
    ],
)
def test_bad_input_is_one_line_and_a_status(words: list[str], status: int, line: str, said: Said) -> None:
    assert run(words) == status
    stdout, stderr = said()
    assert stdout == ""
    assert stderr.startswith(f"claudegpt: {line}") and stderr.count("\n") == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "box.example"])
@pytest.mark.parametrize("token", ["x", "Kq7-Kq7-Kq7-Kq7", " Kq7 "])
def test_a_network_is_only_served_with_a_token_that_is_hard_to_guess(
    host: str, token: str, monkeypatch: pytest.MonkeyPatch, said: Said
) -> None:
    monkeypatch.setenv("CLAUDEGPT_TOKEN", token)
    assert run(["serve", "--host", host, "--provider", "demo"]) == 2
    problem = said()[1]
    assert "CLAUDEGPT_TOKEN must have 16 characters or more" in problem and "openssl rand" in problem


@pytest.mark.parametrize("words", [["serve", "--nope"], ["config", "nope"], ["config", "get"]])
def test_a_command_used_wrongly_says_how_it_is_used(words: list[str], said: Said) -> None:
    assert run(words) == 2
    stdout, stderr = said()
    assert stdout == "" and "Usage: claudegpt" in stderr


def test_a_missing_claude_is_status_4(monkeypatch: pytest.MonkeyPatch, said: Said) -> None:
    monkeypatch.setenv("CLAUDEGPT_CLAUDE_BIN", "/nowhere/claude")
    assert run(["--provider", "demo"]) == 4
    assert "/nowhere/claude" in said()[1]


def test_a_taken_port_is_said(said: Said) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run(["--provider", "demo", "--port", str(taken.getsockname()[1])]) == 2
    assert "Address already in use" in said()[1]


def test_an_error_of_ours_ends_with_its_status(monkeypatch: pytest.MonkeyPatch, said: Said) -> None:
    def fail(words: object) -> int:
        raise NotLoggedIn("Not [logged] in.", "Log in.")

    monkeypatch.setattr(main, "_dispatch", fail)
    assert run([]) == 3
    assert said() == ("", "claudegpt: Not [logged] in. Log in.\n")


def test_a_bug_is_one_line_unless_the_user_wants_to_see_it(monkeypatch: pytest.MonkeyPatch, said: Said) -> None:
    def fail(words: object) -> int:
        raise ZeroDivisionError("a\nbug")

    monkeypatch.setattr(main, "_dispatch", fail)
    assert run([]) == 1
    assert said() == (
        "",
        "claudegpt: This is a bug in claudegpt: ZeroDivisionError: a bug (set CLAUDEGPT_DEBUG=1 to see where)\n",
    )
    monkeypatch.setenv("CLAUDEGPT_DEBUG", "1")
    assert run([]) == 1
    shown = said()[1]
    assert (
        shown.startswith("Traceback")
        and "in fail\n" in shown
        and "This is a bug in claudegpt: ZeroDivisionError" in shown
    )


@pytest.mark.parametrize("words", [["config"], ["config", "path"], ["--help"], ["--version"]])
def test_a_result_that_finds_no_room_is_said_to(words: list[str]) -> None:
    command = [sys.executable, "-m", "claudegpt_pkg", *words]
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    assert (ran.returncode, ran.stderr) == (1, "claudegpt: The output cannot be written: No space left on device.\n")


def test_an_os_error_from_elsewhere_is_a_bug(monkeypatch: pytest.MonkeyPatch, said: Said) -> None:
    def fail(words: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(main, "_dispatch", fail)
    assert run([]) == 1
    assert "This is a bug in claudegpt: OSError" in said()[1]


# Version.


def test_the_version_is_ours_and_claudes(stand_in: Path, said: Said) -> None:
    stand_in.write_text('#!/bin/sh\necho "2.1.330 (Claude Code)"\n')
    assert run(["--version"]) == 0
    assert said() == (f"claudegpt {__version__}\n2.1.330 (Claude Code)\n", "")


def test_the_word_version_is_the_option(stand_in: Path, said: Said) -> None:
    stand_in.write_text('#!/bin/sh\necho "2.1.330 (Claude Code)"\n')
    assert run(["version"]) == 0
    assert said() == (f"claudegpt {__version__}\n2.1.330 (Claude Code)\n", "")


def test_the_version_is_told_without_a_claude_too(monkeypatch: pytest.MonkeyPatch, said: Said) -> None:
    monkeypatch.setenv("CLAUDEGPT_CLAUDE_BIN", "/nowhere/claude")
    assert run(["-v"]) == 0
    assert said()[0] == f"claudegpt {__version__}\n"


@pytest.mark.parametrize("words", ["config", "--version"])
def test_a_reader_that_has_seen_enough_is_no_bug(words: str) -> None:
    line = f"{sys.executable} -P -m claudegpt_pkg {words} | true; echo ${{PIPESTATUS[0]}}"
    env = {**os.environ, "PYTHONPATH": ROOT}
    ran = subprocess.run(["bash", "-c", line], env=env, capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.stderr) in (("0\n", ""), ("1\n", ""))


# Commands about an account.


@pytest.mark.parametrize("command", ["status", "models", "doctor"])
def test_the_account_can_be_named_before_and_behind_them(command: str, said: Said) -> None:
    shown = []
    for words in ([command, "--provider", "demo"], ["--provider", "demo", command]):
        assert run(words) in (0, 1)  # doctor: the stand-in is no Claude Code
        shown.append(re.sub(r":\d+", ":PORT", said()[0].partition("✓\tmodel")[0]))
    assert "demo" in shown[0] and shown[0] == shown[1]


@pytest.mark.parametrize("command", ["status", "models", "doctor", "serve"])
def test_an_account_that_there_is_not_is_refused_behind_them(command: str, said: Said) -> None:
    assert run([command, "--provider", "gpt"]) == 2
    assert "--provider is one of" in said()[1]


# A `claude` that leads back to claudegpt.


@pytest.fixture
def wrapper(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `claude` on PATH that starts claudegpt, and keeps count."""
    file = home / "first" / "claude"
    file.parent.mkdir()
    file.write_text(f'#!/bin/sh\necho x >>"{home}/starts"\nexec "{sys.executable}" -P -m claudegpt_pkg "$@"\n')
    file.chmod(0o755)
    monkeypatch.delenv("CLAUDEGPT_CLAUDE_BIN")
    monkeypatch.setenv("PATH", f"{file.parent}:{home / 'second'}:{os.environ['PATH']}")
    monkeypatch.chdir(home)
    return file


@pytest.mark.usefixtures("wrapper")
@pytest.mark.parametrize("port", ["0", "45871"])
def test_a_wrapper_that_leads_back_to_us_gives_way_to_the_next_program(home: Path, port: str) -> None:
    """It runs once, and there is one proxy: a second one could not have the same port."""
    program = home / "second" / "claude"
    program.parent.mkdir()
    program.write_text(SCRIPTS["python"])
    program.chmod(0o755)
    ran = command("--provider", "demo", "--port", port, "get", "/health")
    assert (ran.returncode, ran.stdout[:1]) == (0, "{"), ran
    assert (home / "starts").read_text() == "x\n"


def test_a_version_is_that_of_the_next_program(home: Path, wrapper: Path) -> None:
    program = home / "second" / "claude"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho '2.1.330 (Claude Code)'\n")
    program.chmod(0o755)
    assert "2.1.330" in command("--version").stdout


def test_a_wrapper_without_a_next_program_ends_with_a_sentence(home: Path, wrapper: Path) -> None:
    ran = command("--provider", "demo", "-p", "hi")
    assert ran.returncode == 4
    assert "~/first/claude leads back to claudegpt" in ran.stderr
    assert (home / "starts").read_text() == "x\n"
    ran = command("--provider", "demo", "-p", "hi", CLAUDEGPT_CLAUDE_BIN=str(wrapper))
    assert ran.returncode == 4 and "leads back to claudegpt" in ran.stderr


@pytest.mark.parametrize("words", [["--tmux"], ["--tmux=classic"]])
def test_a_session_in_a_tmux_of_claudes_is_refused(words: list[str], said: Said) -> None:
    """It would go on without its proxy when the terminal is detached."""
    assert run(["--provider", "demo", "--worktree", "x", *words]) == 2
    assert "outlive the proxy" in said()[1]


# Inside a session.


def test_what_a_session_exported_is_not_the_users_choice(
    launched: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claude Code starts its commands with its own environment and what our settings file puts over it."""
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert run(["--provider", "openai", "-p", "hi"]) == 0
    outer = {**launched[0].env, **launched[0].settings["env"]}
    for name, value in {**outer, "CLAUDEGPT_OPENAI_OPUS": "qwen3:32b"}.items():
        monkeypatch.setenv(name, value)
    assert run(["--provider", "openai", "-p", "hi"]) == 0
    assert launched[1].env["ANTHROPIC_DEFAULT_OPUS_MODEL"] == "qwen3:32b"
    assert launched[1].env["ANTHROPIC_AUTH_TOKEN"] != outer["ANTHROPIC_AUTH_TOKEN"]
    assert "ANTHROPIC_DEFAULT_OPUS_MODEL" not in os.environ
