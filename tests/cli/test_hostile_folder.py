"""Every command, run by the real Python in a folder that somebody hostile wrote: nothing of it runs or counts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from claudegpt_pkg.claude.arguments import OUR_COMMANDS
from tests.support.fakes.backend import DEADLINE
from tests.support.hostile import make_hostile_folder

CLAUDE = """#!/bin/sh
case "$*" in
    --version) pwd >>"$FOLDERS"; echo "9.9.9 (Claude Code)" ;;
    *) echo "session in $PWD" ;;
esac
"""
# Each command with the words that it needs; serve waits for clients, and the others of this list come to an end.
WORDS: dict[str, list[str]] = {
    "setup": ["--provider", "demo", "--no-check", "--yes"],
    "trace": ["ls"],
    "config": ["list"],
    "completion": ["bash"],
    "uninstall": ["--yes"],
    "demo": ["-p", "hi"],
    "vscode": ["--editor", "code"],
}
COMMANDS = sorted(OUR_COMMANDS - {"serve", "login", "update", "upgrade"})


class Stand:
    """A home and a hostile folder to stand in. `.` comes first on PATH and on PYTHONPATH."""

    def __init__(self, tmp_path: Path):
        self.home = tmp_path / "home"
        self.bin = tmp_path / "bin"
        self.folder = make_hostile_folder(tmp_path / "hostile" / "repository")
        self.marker = tmp_path / "marker"
        self.folders = tmp_path / "folders"
        for folder in (self.home, self.bin):
            folder.mkdir()
        (self.bin / "claude").write_text(CLAUDE)
        (self.bin / "claude").chmod(0o755)
        self.env = {
            "HOME": str(self.home),
            "CLAUDEGPT_HOME": str(self.home / "claudegpt"),
            "PATH": f".::{self.bin}:/usr/bin:/bin",
            "PYTHONPATH": ":",
            "MARKER": str(self.marker),
            "FOLDERS": str(self.folders),
            "NO_PROXY": "*",
        }

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-m", "claudegpt_pkg", *words]
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        return subprocess.run(
            command, cwd=self.folder, env=self.env, stdin=nothing, stdout=pipe, stderr=pipe, text=True, timeout=DEADLINE
        )

    def hostile_traces(self) -> str:
        return self.marker.read_text() if self.marker.exists() else ""


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_runs_nothing_of_the_folder(stand: Stand, command: str) -> None:
    ran = stand.run("--provider", "demo", command, *WORDS.get(command, []))
    assert "bug" not in ran.stderr
    assert stand.hostile_traces() == ""
    assert "hostile" not in (ran.stdout + ran.stderr).replace(str(stand.folder), "")


def test_a_session_runs_nothing_of_the_folder_but_starts_in_it(stand: Stand) -> None:
    ran = stand.run("--provider", "demo", "-p", "hi")
    assert ran.stdout == f"session in {stand.folder}\n", ran.stderr
    assert stand.hostile_traces() == ""


def test_claude_code_is_asked_for_its_version_outside_the_folder(stand: Stand) -> None:
    stand.run("--version")
    assert set(stand.folders.read_text().split()) == {"/"}


def test_settings_of_the_folder_do_not_count(stand: Stand) -> None:
    shown = stand.run("config", "list", "--json").stdout
    assert "CLAUDEGPT_PROVIDER" in shown
    assert "/hostile" not in shown and "hostile-key" not in shown and str(stand.folder) not in shown
