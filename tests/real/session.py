"""The real Claude Code through the real command line, in a home of its own, against a strict backend.

    ran = session.run("what is here?", "--allowedTools", "Bash")      `claudegpt -p …`, to its end
    with session.terminal() as screen: …                              a shell in a terminal, to type `claudegpt` in

Whatever a test does, `session.check()` then holds every stream that went to Claude Code against the grammar, and
looks for processes left behind.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.real.clients import binary
from tests.real.screen import ENTER, PS1, Screen
from tests.real.tapped import LEFT, WHOLE
from tests.support import grammar, planted
from tests.support.fakes.backend import FakeBackend, wait_until

ROOT = Path(__file__).parent.parent.parent
COMMAND = (sys.executable, "-P", "-m", "tests.real.tapped")


READY = re.compile("^❯", re.M)  # where the prompt is typed, at the beginning of its line; the shell has another
STOP_TASKS = "Exit and stop tasks"


@dataclass(frozen=True)
class Ran:
    """A command that came to its end."""

    stdout: str
    stderr: str
    status: int

    @property
    def result(self) -> dict[str, Any]:
        """What `--output-format json` printed: one object and nothing else."""
        return dict(json.loads(self.stdout))

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What `--output-format stream-json` printed: an object a line."""
        return [json.loads(line) for line in self.stdout.splitlines()]


class Session:
    """One home and one work folder; Claude Code in one version."""

    def __init__(self, version: str, folder: Path, backend: FakeBackend):
        self.version = version
        self.backend = backend
        self.home = folder / "home"
        self.work = folder / "work"
        self.taps = folder / "taps"
        self.tmp = folder / "tmp"
        self._shell = folder / "shell"
        for path in (self.home, self.work, self.taps, self.tmp):
            path.mkdir()
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "TMPDIR": str(self.tmp),
            "PYTHONPATH": str(ROOT),
            "TAP_FOLDER": str(self.taps),
            "CLAUDEGPT_HOME": str(self.home / "claudegpt"),
            "CLAUDEGPT_CLAUDE_BIN": str(binary(version)),
            "CLAUDEGPT_TOKEN": planted.DOOR,
            "CLAUDEGPT_PROVIDER": "openai",
            "OPENAI_API_KEY": "test-key",
            "OPENAI_BASE_URL": backend.url,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            # a user's MCP servers that are slow to start may miss the first request; the suite's must not
            "MCP_CONNECTION_NONBLOCKING": "0",
            "MCP_CONNECT_TIMEOUT_MS": "60000",
        }
        # once: a terminal opened beside another must not truncate what the other's shell is reading
        self._shell.write_text(f"PS1='{PS1}'\nclaudegpt() {{ {' '.join(COMMAND)} \"$@\"; }}\n")
        self.skip_onboarding()

    def skip_onboarding(self) -> None:
        """No questions about a theme, about security, about trusting the folder."""
        known = {
            "hasCompletedOnboarding": True,
            "theme": "dark",
            "projects": {str(self.work): {"hasTrustDialogAccepted": True}},
        }
        (self.home / ".claude.json").write_text(json.dumps(known))

    def run(
        self,
        prompt: str,
        *args: str,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 180,
    ) -> Ran:
        """`claudegpt -p PROMPT ARGS…`, to its end."""
        return self.command("-p", prompt, *args, stdin=stdin, env=env, timeout=timeout)

    def command(
        self, *words: str, stdin: str | None = None, env: Mapping[str, str] | None = None, timeout: float = 180
    ) -> Ran:
        """`claudegpt WORDS…`, to its end."""
        done = subprocess.run(
            [*COMMAND, *words],
            cwd=self.work,
            env={**self.env, **(env or {})},
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        planted.look_at(done.stdout + done.stderr, f"what {words} printed")
        return Ran(done.stdout, done.stderr, done.returncode)

    def terminal(self, *, columns: int = 120, lines: int = 40) -> Screen:
        """A terminal with an interactive shell in the work folder, where `claudegpt` is the command."""
        shell = ["bash", "--noprofile", "--rcfile", str(self._shell), "-i"]
        return Screen(shell, cwd=self.work, env=self.env, columns=columns, lines=lines)

    def streams(self) -> list[list[grammar.Event]]:
        """Every stream Claude Code was sent, in order, each checked."""
        return [
            grammar.check(path.read_bytes(), whole=path.suffix == WHOLE)
            for path in sorted(self.taps.iterdir())
            if path.suffix in (WHOLE, LEFT)
        ]

    def check(self) -> None:
        wait_until(lambda: not self.processes(), lambda: f"these to end: {self.processes()}")
        self.streams()
        runs = self.home / "claudegpt" / "state" / "run"
        assert not runs.exists() or not list(runs.iterdir()), "a run's private folder is left behind"

    def processes(self) -> list[tuple[int, str]]:
        """(process id, command line) of whatever runs in this home."""
        mark = f"HOME={self.home}".encode()
        return [(pid, words) for pid, words, environ in running() if mark in environ]


def start(screen: Screen, command: str = "claudegpt") -> None:
    """Claude Code up and waiting for a prompt."""
    screen.shell_status()
    screen.type(command)
    screen.wait_for("Claude Code v")
    screen.wait_for(READY)


def leave(screen: Screen) -> int:
    """`/exit`; the status the shell saw. The newest client asks whether what runs in the background may end."""
    screen.type("/exit")
    wait_until(lambda: screen.at_shell() or STOP_TASKS in screen.text, lambda: f"the end of:\n{screen.text}")
    if not screen.at_shell():
        screen.press(ENTER, screen.at_shell)
    return screen.shell_status()


def running() -> Iterator[tuple[int, str, list[bytes]]]:
    """(process id, command line, environment) of every process we may look into."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environ = (folder / "environ").read_bytes().split(b"\0")
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended while we looked, or is another user's
        yield int(folder.name), words.strip(), environ
