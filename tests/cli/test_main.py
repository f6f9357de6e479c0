"""The command line as a user types it: what runs, what it prints, the exit status. A stand-in replaces Claude Code."""

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
Output = Callable[[], tuple[str, str]]


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
def output(capfd: pytest.CaptureFixture[str]) -> Output:
    """A function that returns (stdout, stderr) since its last call."""

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
def test_the_exit_status_is_claude_codes(words: list[str], status: int) -> None:
    ran = command("--provider", "demo", *words)
    assert (ran.returncode, ran.stdout, ran.stderr) == (status, "", "")


def test_claude_code_reaches_the_proxy_and_keeps_stdin_and_stdout() -> None:
    assert command("get", "/health", CLAUDEGPT_PROVIDER="demo").stdout.startswith("{")
    assert command("cat", CLAUDEGPT_PROVIDER="demo").stdout == "typed\n"


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_a_closed_standard_stream_is_replaced_by_an_empty_one(closed: str) -> None:
    env = {**os.environ, "NOTES": str(Path("notes").absolute()), "PYTHONPATH": ROOT}
    line = f"'{sys.executable}' -P -m claudegpt_pkg --provider demo cat {closed}"
    ran = subprocess.run(["sh", "-c", line], env=env, capture_output=True, text=True, input="typed", timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "" if "<" in closed else "typed", "")


def test_in_a_deleted_folder_claude_code_is_started_all_the_same(home: Path, launched: list[Session]) -> None:
    (home / "gone").mkdir()
    os.chdir(home / "gone")
    (home / "gone").rmdir()
    assert run(["--provider", "demo", "-p", "hi"]) == 0
    assert launched[0].args == ["-p", "hi"]


def test_claude_code_gets_its_words_in_order(launched: list[Session]) -> None:
    assert run(["-p", "hi", "--provider", "demo", "--allowedTools", "Bash", "--port", "0", "--", "-x"]) == 0
    assert launched[0].args == ["-p", "hi", "--allowedTools", "Bash", "--", "-x"]


@pytest.mark.parametrize("level", ["low", "medium", "high", "xhigh", "max"])
def test_an_effort_that_claude_code_knows_is_passed_on(launched: list[Session], level: str) -> None:
    run(["--provider", "demo", "-p", "hi", "--effort", level])
    assert launched[0].args == ["--effort", level, "-p", "hi"]


@pytest.mark.parametrize("level", ["none", "minimal"])
def test_an_effort_that_claude_code_does_not_know_is_passed_on_as_another(launched: list[Session], level: str) -> None:
    run(["--provider", "demo", "-p", "hi", "--effort", level])
    assert launched[0].args == ["--effort", "low", "-p", "hi"]


def test_isolation_gives_claude_code_a_private_configuration(launched: list[Session], home: Path) -> None:
    run(["--provider", "demo", "--isolate"])
    assert launched[0].env["CLAUDE_CONFIG_DIR"] == str(home / "claudegpt" / "data" / "claude")
    run(["--provider", "demo", "--isolate", "--no-isolate"])
    assert "CLAUDE_CONFIG_DIR" not in launched[1].env


@pytest.mark.parametrize("before", [[], ["--"], ["--provider", "demo"]])
def test_a_command_of_claude_code_runs_without_a_proxy(before: list[str], stand_in: Path) -> None:
    stand_in.write_text('#!/bin/sh\necho "$@" $ANTHROPIC_BASE_URL\n')
    ran = command(*before, "mcp", "add", "--port", "80")
    assert (ran.stdout, ran.stderr, ran.returncode) == ("mcp add --port 80\n", "", 0)


@pytest.mark.parametrize("word", ["--help", "-h", "--version", "-v"])
def test_after_a_double_dash_claude_code_answers_questions(word: str, stand_in: Path) -> None:
    stand_in.write_text('#!/bin/sh\necho "claude $@"\n')
    assert command("--", word).stdout == f"claude {word}\n"


# demo


def test_the_demo_is_the_plain_form_with_the_demo_provider(launched: list[Session]) -> None:
    assert run(["demo", "--yes", "-p", "hi", "--trace", "--name", "--yes"]) == 0
    assert launched[0].args == ["-p", "hi", "--name", "--yes"]
    assert "demo" in launched[0].env["ANTHROPIC_DEFAULT_OPUS_MODEL_DESCRIPTION"]


def test_the_help_of_the_demo_is_about_the_demo(output: Output) -> None:
    assert run(["demo", "--help"]) == 0
    assert output()[0].startswith(
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
def test_bad_input_is_reported_in_one_line_with_a_status(
    words: list[str], status: int, line: str, output: Output
) -> None:
    assert run(words) == status
    stdout, stderr = output()
    assert stdout == ""
    assert stderr.startswith(f"claudegpt: {line}") and stderr.count("\n") == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "box.example"])
@pytest.mark.parametrize("token", ["x", "Kq7-Kq7-Kq7-Kq7", " Kq7 "])
def test_a_network_is_only_served_with_a_token_that_is_hard_to_guess(
    host: str, token: str, monkeypatch: pytest.MonkeyPatch, output: Output
) -> None:
    monkeypatch.setenv("CLAUDEGPT_TOKEN", token)
    assert run(["serve", "--host", host, "--provider", "demo"]) == 2
    problem = output()[1]
    assert "CLAUDEGPT_TOKEN must have 16 characters or more" in problem and "openssl rand" in problem


@pytest.mark.parametrize("words", [["serve", "--nope"], ["config", "nope"], ["config", "get"]])
def test_a_command_with_wrong_words_shows_its_usage(words: list[str], output: Output) -> None:
    assert run(words) == 2
    stdout, stderr = output()
    assert stdout == "" and "Usage: claudegpt" in stderr


def test_a_missing_claude_code_is_status_4(monkeypatch: pytest.MonkeyPatch, output: Output) -> None:
    monkeypatch.setenv("CLAUDEGPT_CLAUDE_BIN", "/nowhere/claude")
    assert run(["--provider", "demo"]) == 4
    assert "/nowhere/claude" in output()[1]


def test_a_port_in_use_is_reported(output: Output) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run(["--provider", "demo", "--port", str(taken.getsockname()[1])]) == 2
    assert "Address already in use" in output()[1]


def test_an_error_ends_with_the_status_of_its_class(monkeypatch: pytest.MonkeyPatch, output: Output) -> None:
    def fail(words: object) -> int:
        raise NotLoggedIn("Not [logged] in.", "Log in.")

    monkeypatch.setattr(main, "_dispatch", fail)
    assert run([]) == 3
    assert output() == ("", "claudegpt: Not [logged] in. Log in.\n")


def test_a_bug_is_one_line_and_a_traceback_with_debug(monkeypatch: pytest.MonkeyPatch, output: Output) -> None:
    def fail(words: object) -> int:
        raise ZeroDivisionError("a\nbug")

    monkeypatch.setattr(main, "_dispatch", fail)
    assert run([]) == 1
    assert output() == (
        "",
        "claudegpt: This is a bug in claudegpt: ZeroDivisionError: a bug (set CLAUDEGPT_DEBUG=1 to see where)\n",
    )
    monkeypatch.setenv("CLAUDEGPT_DEBUG", "1")
    assert run([]) == 1
    shown = output()[1]
    assert (
        shown.startswith("Traceback")
        and "in fail\n" in shown
        and "This is a bug in claudegpt: ZeroDivisionError" in shown
    )


@pytest.mark.parametrize("words", [["config"], ["config", "path"], ["--help"], ["--version"]])
def test_a_full_disk_under_stdout_is_reported(words: list[str]) -> None:
    command = [sys.executable, "-m", "claudegpt_pkg", *words]
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    assert (ran.returncode, ran.stderr) == (1, "claudegpt: The output cannot be written: No space left on device.\n")


def test_an_os_error_from_elsewhere_is_a_bug(monkeypatch: pytest.MonkeyPatch, output: Output) -> None:
    def fail(words: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(main, "_dispatch", fail)
    assert run([]) == 1
    assert "This is a bug in claudegpt: OSError" in output()[1]


# Version.


def test_version_shows_ours_and_claude_codes(stand_in: Path, output: Output) -> None:
    stand_in.write_text('#!/bin/sh\necho "2.1.330 (Claude Code)"\n')
    assert run(["--version"]) == 0
    assert output() == (f"claudegpt {__version__}\n2.1.330 (Claude Code)\n", "")


def test_the_word_version_is_the_option(stand_in: Path, output: Output) -> None:
    stand_in.write_text('#!/bin/sh\necho "2.1.330 (Claude Code)"\n')
    assert run(["version"]) == 0
    assert output() == (f"claudegpt {__version__}\n2.1.330 (Claude Code)\n", "")


def test_version_works_without_claude_code(monkeypatch: pytest.MonkeyPatch, output: Output) -> None:
    monkeypatch.setenv("CLAUDEGPT_CLAUDE_BIN", "/nowhere/claude")
    assert run(["-v"]) == 0
    assert output()[0] == f"claudegpt {__version__}\n"


@pytest.mark.parametrize("words", ["config", "--version"])
def test_a_closed_pipe_is_no_bug(words: str) -> None:
    line = f"{sys.executable} -P -m claudegpt_pkg {words} | true; echo ${{PIPESTATUS[0]}}"
    env = {**os.environ, "PYTHONPATH": ROOT}
    ran = subprocess.run(["bash", "-c", line], env=env, capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.stderr) in (("0\n", ""), ("1\n", ""))


# Commands about an account.


@pytest.mark.parametrize("command", ["status", "models", "doctor"])
def test_the_account_can_be_named_before_and_after_a_command(command: str, output: Output) -> None:
    shown = []
    for words in ([command, "--provider", "demo"], ["--provider", "demo", command]):
        assert run(words) in (0, 1)  # doctor: the stand-in is no Claude Code
        shown.append(re.sub(r":\d+", ":PORT", output()[0].partition("✓\tmodel")[0]))
    assert "demo" in shown[0] and shown[0] == shown[1]


@pytest.mark.parametrize("command", ["status", "models", "doctor", "serve"])
def test_an_unknown_account_after_a_command_is_refused(command: str, output: Output) -> None:
    assert run([command, "--provider", "gpt"]) == 2
    assert "--provider is one of" in output()[1]


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
def test_a_session_in_a_tmux_of_claudes_is_refused(words: list[str], output: Output) -> None:
    """It would go on without its proxy when the terminal is detached."""
    assert run(["--provider", "demo", "--worktree", "x", *words]) == 2
    assert "outlive the proxy" in output()[1]


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
