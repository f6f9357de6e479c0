"""Claude Code under the launcher is as if exec'd, and whatever ends, nothing stays. With a stand-in for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from claudegpt_pkg.claude.launcher import private_file
from claudegpt_pkg.errors import BadSetting
from tests.real.screen import CTRL_C, CTRL_Z, Screen
from tests.support.auth_files import disk_with
from tests.support.fakes.backend import DEADLINE, wait_until

ROOT = Path(__file__).parents[2]
SOON = 10.0  # seconds; one end follows the other within one, where nothing else keeps the machine busy
SENT = ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT")


class Launched:
    """A launcher with the stand-in in it, to be started."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.notes_file = folder / "notes"
        self.env = {**os.environ, "PYTHONPATH": str(ROOT), "NOTES": str(self.notes_file), "APP": "small"}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-P", "-m", "tests.support.launched", str(self.folder), *words]

    def start(self, *words: str, own_group: bool = False) -> subprocess.Popen[str]:
        pipe, command = subprocess.PIPE, self.command(*words)
        return subprocess.Popen(
            command, env=self.env, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=own_group
        )

    def run(self, *words: str, input: str = "") -> subprocess.CompletedProcess[str]:
        with self.start(*words) as process:
            stdout, stderr = process.communicate(input, timeout=DEADLINE)
        return subprocess.CompletedProcess(words, process.returncode, stdout, stderr)

    def notes(self) -> list[dict[str, Any]]:
        text = self.notes_file.read_text() if self.notes_file.exists() else ""
        whole = text[: text.rfind("\n") + 1]  # of a line that is being written it may be a part
        return [json.loads(line) for line in whole.splitlines()]

    def first(self, key: str) -> Any:
        """What the stand-in noted under `key`, once it did."""
        wait_until(lambda: any(key in note for note in self.notes()), f"the stand-in to note {key}")
        return next(note[key] for note in self.notes() if key in note)

    def signals(self) -> list[str]:
        return [note["signal"] for note in self.notes() if "signal" in note]

    def left(self) -> list[str]:
        """Processes and files that are there because of this run."""
        processes = [line for line in ps() if str(self.folder / "run") in line]
        return processes + [str(path) for path in (self.folder / "run").glob("*")]


def ps() -> list[str]:
    return subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.fixture(params=["Linux", "as on macOS"])
def any_system(request: pytest.FixtureRequest, launched: Launched) -> str:
    if request.param != "Linux":
        launched.env["LIKE_MACOS"] = "1"
    return str(request.param)


@pytest.fixture
def launched(tmp_path: Path) -> Iterator[Launched]:
    launched = Launched(tmp_path)
    yield launched
    assert launched.left() == []


@pytest.mark.parametrize(("words", "status"), [("exit 0", 0), ("exit 3", 3), ("die 15", 143), ("die 9", 137)])
def test_the_exit_status_is_claudes(launched: Launched, any_system: str, words: str, status: int) -> None:
    assert launched.run(*words.split()).returncode == status


def test_stdin_and_stdout_are_claudes(launched: Launched) -> None:
    ran = launched.run("cat", input="through\n")
    assert (ran.stdout, ran.stderr) == ("through\n", "")


def test_the_settings_are_a_private_file_that_is_gone_afterwards(launched: Launched) -> None:
    launched.run("exit", "0")
    started = launched.notes()[0]
    assert started["settings"] == {"env": {"TOKEN": "s3cr3t"}}
    assert started["modes"] == ["0o600", "0o700"]
    assert not Path(started["settings_file"]).exists()


def test_no_secret_is_in_the_process_list(launched: Launched) -> None:
    launched.run("exit", "0")
    assert "s3cr3t" not in " ".join(launched.notes()[0]["argv"])


def test_requests_made_before_the_app_is_loaded_wait_for_it(launched: Launched) -> None:
    launched.env["APP"] = "late"
    assert launched.run("get", "/").stdout == "hello"


def test_an_open_stream_does_not_delay_the_end(launched: Launched) -> None:
    with launched.start("stream", "/endless") as process:
        launched.first("asks")
        ended_within(process, SOON)
    assert process.returncode == 0


def test_when_the_app_fails_claude_is_ended_and_the_reason_said(launched: Launched) -> None:
    launched.env["APP"] = "broken"
    ran = launched.run("stubborn")
    assert (ran.returncode, ran.stderr) == (2, "This app cannot be made. Make another.\n")


@pytest.mark.parametrize("name", SENT)
def test_a_signal_sent_to_us_reaches_claude_once(launched: Launched, any_system: str, name: str) -> None:
    with launched.start("wait") as process:
        launched.first("ready")
        process.send_signal(getattr(signal, name))
        assert launched.first("signal") == name
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE)
    assert launched.signals() in ([name], [name, "SIGTERM"])
    assert process.returncode == 0


def test_killed_we_leave_nothing(launched: Launched) -> None:
    with launched.start("wait") as process:
        launched.first("ready")
        process.kill()
        process.wait(DEADLINE)
    wait_until(lambda: not launched.left(), "everything to be gone")
    assert launched.signals() == ["SIGTERM"]


def test_killed_we_leave_nothing_even_if_claude_would_stay(launched: Launched) -> None:
    with launched.start("stubborn") as process:
        launched.first("ready")
        process.kill()
        process.wait(DEADLINE)
    wait_until(lambda: not launched.left(), "everything to be gone")


@pytest.mark.parametrize("whom", ["us", "our whole group"])
def test_killed_we_leave_the_users_default_as_it_was(launched: Launched, whom: str) -> None:
    theirs = launched.folder / "user.json"
    theirs.write_text('{"model":  "haiku"}')
    with launched.start("pick", str(theirs), "gpt-6-astra", own_group=True) as process:
        launched.first("ready")
        assert "gpt-6-astra" in theirs.read_text()
        (os.killpg if whom == "our whole group" else os.kill)(process.pid, signal.SIGKILL)
        process.wait(DEADLINE)
    wait_until(lambda: not launched.left(), "everything to be gone")
    assert theirs.read_text() == '{"model":  "haiku"}'
    assert "gpt-6-astra" in (launched.folder / "picked-model-here.json").read_text()


def test_what_the_next_start_must_know_after_a_power_cut_goes_to_the_disk(launched: Launched) -> None:
    synced = launched.folder / "synced"
    sync = launched.folder / "sync"
    sync.write_text(f'#!/bin/sh\necho "$@" >{synced}\n')
    sync.chmod(0o755)
    launched.env["PATH"] = f"{launched.folder}:{launched.env['PATH']}"
    with launched.start("wait") as process:
        wait_until(lambda: synced.exists() and "default.json" in synced.read_text(), "the note to be synced")
        process.terminate()
        process.wait(DEADLINE)


def test_killed_we_let_go_of_our_callers_pipe(launched: Launched) -> None:
    with launched.start("stubborn") as process:
        launched.first("ready")
        process.kill()
        begun = time.monotonic()
        process.communicate()  # until every holder of the pipe is gone
        assert time.monotonic() - begun < SOON
    wait_until(lambda: not launched.left(), "everything to be gone")


def test_claude_killed_we_end_at_once(launched: Launched) -> None:
    with launched.start("wait") as process:
        launched.first("ready")
        os.kill(launched.first("pid"), signal.SIGKILL)
        ended_within(process, SOON)
    assert process.returncode == 137


def test_started_to_ignore_hangups_both_do(launched: Launched) -> None:
    words = ["nohup", *launched.command("wait")]
    with subprocess.Popen(words, env=launched.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        launched.first("ready")
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGUSR1)
        assert launched.first("signal") == "SIGUSR1"
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0


def test_claude_starts_with_the_signals_we_were_started_with(launched: Launched) -> None:
    launched.env["STAND_IN"] = "status"
    ran = launched.run("exit", "0")
    blocked, ignored = (int(line.split()[1], 16) for line in ran.stdout.splitlines())
    assert blocked == 0
    assert not ignored & 1 << signal.SIGPIPE - 1


# In a terminal.


@pytest.fixture
def screen(launched: Launched) -> Iterator[Screen]:
    shell = ["bash", "--norc", "--noprofile", "-i"]
    env = {**launched.env, "PS1": "$ ", "TERM": "xterm"}
    with Screen(shell, cwd=launched.folder, env=env, columns=100, lines=30) as screen:
        yield screen


def in_shell(launched: Launched, *words: str) -> str:
    return " ".join(f"'{word}'" for word in launched.command(*words))


def test_a_ctrl_c_reaches_claude_once(any_system: str, launched: Launched, screen: Screen) -> None:
    screen.send(f"{in_shell(launched, 'wait')}; echo status=$?\r")
    launched.first("ready")
    screen.send(CTRL_C)
    screen.wait_for("status=0")
    assert launched.signals() == ["SIGINT"]


def test_a_resize_reaches_claude_once(any_system: str, launched: Launched, screen: Screen) -> None:
    screen.send(f"{in_shell(launched, 'wait')}; echo status=$?\r")
    launched.first("ready")
    screen.resize(90, 20)
    assert launched.first("signal") == "SIGWINCH"
    screen.send(CTRL_C)
    screen.wait_for("status=0")
    assert launched.signals() == ["SIGWINCH", "SIGINT"]


def test_ctrl_z_stops_both_and_fg_continues_both(any_system: str, launched: Launched, screen: Screen) -> None:
    screen.send(f"{in_shell(launched, 'wait')}\r")
    launched.first("ready")
    screen.send(CTRL_Z)
    screen.wait_for("Stopped")
    screen.send("fg; echo status=$?\r")
    assert launched.first("signal") == "SIGCONT"
    screen.send(CTRL_C)
    screen.wait_for("status=0")
    assert "SIGINT" in launched.signals()


@pytest.mark.parametrize("whom", ["group", "self"])
def test_a_program_that_suspends_itself_stops_us_too(
    any_system: str, whom: str, launched: Launched, screen: Screen
) -> None:
    screen.send(f"{in_shell(launched, 'suspend', whom)}\r")
    screen.wait_for("Stopped")
    screen.send("fg; echo status=$?\r")
    screen.wait_for("status=0")
    assert launched.first("continued")


def test_a_terminal_that_closes_ends_both(launched: Launched) -> None:
    env = {**launched.env, "TERM": "xterm"}
    with Screen(launched.command("wait"), cwd=launched.folder, env=env, columns=80, lines=24):
        launched.first("ready")
    wait_until(lambda: not launched.left(), "everything to be gone")
    assert "SIGHUP" in launched.signals()


def ended_within(process: subprocess.Popen[str], seconds: float) -> None:
    begun = time.monotonic()
    process.wait(DEADLINE)
    assert time.monotonic() - begun < seconds


def test_on_a_full_disk_nothing_is_started_and_the_next_step_is_said(tmp_path: Path) -> None:
    with disk_with(100), pytest.raises(BadSetting, match=r"Cannot write in .*: File too large\. Make room on the disk"):
        private_file(tmp_path / "settings.json", "x" * 200)
