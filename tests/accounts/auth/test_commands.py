"""`claudegpt login` and `logout` as typed, in a terminal of their own."""

from __future__ import annotations

import codecs
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from claudegpt_pkg.accounts.auth.tokens import own_file
from claudegpt_pkg.settings.settings import load
from tests.support.fakes.login import FakeLogin

ROOT = str(Path(__file__).parents[3])
DEADLINE = 60.0


@pytest.fixture
def server() -> Iterator[FakeLogin]:
    with FakeLogin(strict=True) as fake:
        yield fake
        fake.check()


class Terminal:
    """`claudegpt WORDS…` with a terminal for stdin and stderr; `shown` is what stands there so far."""

    def __init__(self, *words: str):
        self._ours, theirs = pty.openpty()
        command = [sys.executable, "-P", "-m", "claudegpt_pkg", *words]
        env = {**os.environ, "PYTHONPATH": ROOT}
        self.process = subprocess.Popen(command, env=env, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE)
        os.close(theirs)
        self.shown = ""
        self._decode = codecs.getincrementaldecoder("utf-8")().decode  # a letter may come in two pieces

    def until(self, pattern: str) -> re.Match[str]:
        deadline = time.monotonic() + DEADLINE
        while not (found := re.search(pattern, self.shown)):
            assert select.select([self._ours], [], [], deadline - time.monotonic())[0], self.shown
            self.shown += self._decode(os.read(self._ours, 65_536))
        return found

    def type(self, line: str) -> None:
        os.write(self._ours, line.encode() + b"\n")

    def end(self) -> int:
        out, _ = self.process.communicate(timeout=DEADLINE)
        assert out == b"", "stdout is for results"
        os.close(self._ours)
        return self.process.returncode


@pytest.fixture
def logged_out(home: Path, server: FakeLogin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDEGPT_AUTH_URL", server.url)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.usefixtures("logged_out")
def test_login_over_ssh_by_pasting_the_address_then_logout(server: FakeLogin) -> None:
    terminal = Terminal("login", "--no-browser")
    page = terminal.until(r"(http://127\.0\.0\.1:\d+/oauth/authorize\?\S+)\r\n")[1]
    terminal.until(r"paste the address")
    terminal.type(httpx.get(page).headers["location"])
    terminal.until(r"Logged in as ann@example.com \(ChatGPT Plus\)")
    terminal.until(r"claudegpt use chatgpt")
    assert terminal.end() == 0
    tokens = own_file(load().dirs.data).read()
    assert tokens.access.reveal() not in terminal.shown

    terminal = Terminal("logout")
    terminal.until("Logged out")
    assert terminal.end() == 0
    assert tokens.refresh and server.revoked == [tokens.refresh.reveal()]


@pytest.mark.usefixtures("logged_out")
def test_login_with_a_code_on_another_device(server: FakeLogin) -> None:
    server.device_waits = 0
    server.device_interval = "1"
    terminal = Terminal("login", "--device")
    terminal.until(
        rf"{re.escape(server.url)}/codex/device\s+and enter this code there:\s+(\x1b\[1m)?ABCD-1234(\x1b\[0m)?\s"
    )
    terminal.until("Logged in as ann@example.com")
    assert terminal.end() == 0


@pytest.mark.usefixtures("logged_out")
def test_interrupted_login_leaves_nothing_behind() -> None:
    terminal = Terminal("login", "--no-browser")
    terminal.until("/oauth/authorize")
    terminal.until("paste the address")
    terminal.process.send_signal(2)
    assert terminal.end() == 130
    assert "Traceback" not in terminal.shown and not own_file(load().dirs.data).path.exists()


@pytest.mark.usefixtures("logged_out")
def test_logout_without_a_login_is_status_3() -> None:
    terminal = Terminal("logout")
    terminal.until("There is no login to end")
    assert terminal.end() == 3
