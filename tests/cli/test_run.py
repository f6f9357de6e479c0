"""What a session is started with, and the notices of a session without an interface."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from claudegpt_pkg.claude.session import Session
from claudegpt_pkg.cli.run import run_claude, session_options
from claudegpt_pkg.settings.options import EFFORT, MCP_SERVERS, PROVIDER, REASONING_SONNET, STATUS_LINE, TOOL_SEARCH
from claudegpt_pkg.settings.settings import load


def start(home: Path, *args: str) -> int:
    return run_claude(home / "claude", args, load({PROVIDER.name: "demo"}), {**os.environ})


def test_a_session_begins_with_the_effort_of_the_settings(
    launched: list[Session], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(EFFORT.name, "minimal")
    monkeypatch.setenv(REASONING_SONNET.name, "xhigh")
    start(home, "-p", "hi")
    start(home, "-p", "hi", "--model", "sonnet")
    start(home, "-p", "hi", "--effort", "max")
    assert [session.args[:2] for session in launched[:2]] == [["--effort", "low"], ["--effort", "xhigh"]]
    assert launched[2].args == ["-p", "hi", "--effort", "max"]


def test_the_settings_become_options_of_the_session() -> None:
    plain = session_options(load({}))
    assert plain.tool_search and not plain.waits_for_servers and plain.effort.general is None
    assert plain.status_line is not None and plain.status_line.endswith("/status_line_command.py")
    chosen = session_options(
        load({TOOL_SEARCH.name: "0", STATUS_LINE.name: "0", MCP_SERVERS.name: "files", EFFORT.name: "max"})
    )
    assert not chosen.tool_search and chosen.status_line is None and chosen.waits_for_servers
    assert chosen.effort.command_line == "max"


def test_a_key_in_a_file_that_others_can_read_is_reported(
    home: Path, launched: list[Session], capfd: pytest.CaptureFixture[str]
) -> None:
    file = home / "claudegpt" / "config" / "config.env"
    file.parent.mkdir(parents=True)
    file.write_text("OPENAI_API_KEY=sk-0123456789\n")
    file.chmod(0o644)
    assert start(home, "-p", "hi") == 0 and launched
    shown = "~/claudegpt/config/config.env"
    assert f"claudegpt: Others can read {shown}. Run `chmod 600 {shown}`." in capfd.readouterr().err
    file.chmod(0o600)
    assert start(home, "-p", "hi") == 0
    assert capfd.readouterr() == ("", "")


def test_redirects_in_claude_codes_settings_are_named(
    launched: list[Session], home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (home / ".claude").mkdir()
    (home / ".claude" / "settings.json").write_text('{"env": {"ANTHROPIC_BASE_URL": "http://old"}}')
    start(home)
    line = "claudegpt: Ignored for this session, from your Claude settings: ANTHROPIC_BASE_URL\n"
    assert capfd.readouterr() == ("", line)
    assert launched[0].settings["env"]["ANTHROPIC_BASE_URL"].startswith("http://127.0.0.1:")
