"""A program in a real terminal, read and typed at as a person would.

    with Screen(["bash"], cwd=folder, env=env, columns=80, lines=24) as screen:
        screen.send("echo hello\\r")
        screen.wait_for("hello")          until it is on the screen; AssertionError with the screen if it never is

The terminal is a pty; what it shows is kept by pyte, a terminal emulator, which also answers the program's questions
(where is the cursor, what are you). Nothing sleeps: every wait ends when the screen changes to what is waited for.
"""

from __future__ import annotations

import copy
import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pyte

from tests.support import planted

TIMEOUT = 60.0  # seconds: Claude Code takes its time where the machine is busy
# The shell's prompt says how many commands it has had, and `$?`.
PS1 = r"shell:\#:$?> "
PROMPT = re.compile(r"shell:(\d+):(\d+)>")
ALTERNATE = 1049  # the private mode of full-screen programs
KEYBOARD = re.compile(rb"\x1b\[[<=>][0-9;]*u")
HALF_SEQUENCE = re.compile(rb"\x1b(\[[<=>]?[0-9;]*)?$")
CTRL_C, CTRL_D, CTRL_U, CTRL_Z, ESCAPE, ENTER = "\x03", "\x04", "\x15", "\x1a", "\x1b", "\r"


class Screen:
    """A pty with a program in it; a context manager that ends the program's whole session."""

    def __init__(self, words: Sequence[str], *, cwd: Path, env: Mapping[str, str], columns: int, lines: int):
        self._emulator = _Emulator(columns, lines, self._write)
        self._stream = pyte.ByteStream(self._emulator)
        self._changed = threading.Condition()
        self._prompts = 0
        self._written = ""  # all that was ever sent to the terminal
        self._unread = b""
        self._master, slave = os.openpty()
        self._set_size(columns, lines)
        self._program = subprocess.Popen(
            words,
            cwd=cwd,
            env=env,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # the terminal is its own, for job control
        )
        os.close(slave)
        self._stopped, self._stop = os.pipe()
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Screen:
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._stop)
        self._reader.join(TIMEOUT)
        os.close(self._master)  # hangs up, as closing a terminal's window does
        self._program.wait(TIMEOUT)
        planted.look_at(self._written, "the terminal")

    @property
    def text(self) -> str:
        """What is on the screen, and what has scrolled off it."""
        with self._changed:
            return self._emulator.text()

    @property
    def written(self) -> str:
        """All that was ever sent to the terminal, colours included."""
        with self._changed:
            return self._written

    def send(self, keys: str) -> None:
        self._write(keys)

    def type(self, line: str) -> None:
        """A line and Enter. The Enter goes alone, once the line is seen: together they would look pasted."""
        self.send(line)
        self.wait_for(line[-20:])
        self.send(ENTER)

    def wait_for(self, wanted: str | re.Pattern[str], timeout: float = TIMEOUT) -> None:
        """Until the text, or what the pattern finds, is on the screen."""
        self._wait(lambda: _found(wanted, self._emulator.text()), f"{wanted!r} to appear", timeout)

    def wait_gone(self, unwanted: str | re.Pattern[str], timeout: float = TIMEOUT) -> None:
        """Until it is nowhere on the visible screen."""
        self._wait(lambda: not _found(unwanted, self._emulator.visible()), f"{unwanted!r} to go", timeout)

    def press(self, key: str, wanted: str | Callable[[], bool], timeout: float = TIMEOUT) -> None:
        """A key, again until the text is there: a dialog takes no key in its first moments."""
        there = wanted if callable(wanted) else lambda: wanted in self._emulator.text()
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self.send(key)
            with self._changed:
                if self._changed.wait_for(there, 1.0):
                    return
        self._wait(there, f"what {key!r} brings", 0)

    def shell_status(self, timeout: float = TIMEOUT) -> int:
        """`$?`, once the shell has written a new prompt: one that no earlier call of this has seen. It may be on no
        screen: a program that dies late takes the alternate one away with it."""
        self._wait(self.at_shell, "the shell's prompt", timeout)
        *_, last = PROMPT.finditer(self._written)
        self._prompts = int(last[1])
        return int(last[2])

    def at_shell(self) -> bool:
        """Whether the shell has written a new prompt."""
        return any(int(prompt[1]) > self._prompts for prompt in PROMPT.finditer(self._written))

    def run(self, command: str, timeout: float = TIMEOUT) -> int:
        """A command typed at the shell; its exit status. First the line is emptied: a program that was stopped may have
        left the terminal's answer to a question of its own."""
        self.send(f"{CTRL_U}{command}\r")
        return self.shell_status(timeout)

    def wait_program(self, timeout: float = TIMEOUT) -> None:
        """Until a program, not the shell, has the terminal and reads it key by key."""

        def reading() -> bool:
            return self._foreground() != self._program.pid and not termios.tcgetattr(self._master)[3] & termios.ICANON

        self._wait(reading, "a program to read the keys", timeout)

    def _foreground(self) -> int:
        return os.tcgetpgrp(self._master)

    def resize(self, columns: int, lines: int) -> None:
        with self._changed:
            self._emulator.resize(lines, columns)
        self._set_size(columns, lines)

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def _wait(self, condition: Callable[[], bool], what: str, timeout: float) -> None:
        end = time.monotonic() + timeout
        with self._changed:
            while not condition():
                left = end - time.monotonic()
                assert left > 0, f"waited {timeout:g} s for {what}; the screen:\n{self._emulator.visible()}"
                self._changed.wait(min(left, 0.2))  # what is waited for may be no output

    def _write(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def _read(self) -> None:
        while True:
            try:
                ready, _, _ = select.select([self._master, self._stopped], [], [])
                data = b"" if self._stopped in ready else os.read(self._master, 65536)
            except OSError:  # the last program that had the terminal open is gone
                data = b""
            with self._changed:
                self._written += data.decode(errors="replace")
                self._show(data)
                self._changed.notify_all()
            if not data:
                os.close(self._stopped)
                return

    def _show(self, data: bytes) -> None:
        """Without what pyte would print as text: the keyboard protocol's `CSI < u` and its like, whole or half."""
        data = KEYBOARD.sub(b"", self._unread + data)
        half = HALF_SEQUENCE.search(data)
        self._unread = data[half.start() :] if half else b""
        self._stream.feed(data[: half.start()] if half else data)


class _Emulator(pyte.HistoryScreen):
    """pyte's screen, and what it lacks: the alternate screen, and a way for its answers to reach the program."""

    def __init__(self, columns: int, lines: int, answer: Callable[[str], None]):
        self._behind: tuple[Any, Any] | None = None  # the main screen and its cursor, while the other one is shown
        super().__init__(columns, lines, history=5000)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        self._answer(data)

    def set_mode(self, *modes: int, **options: Any) -> None:
        super().set_mode(*modes, **options)
        if ALTERNATE in modes and options.get("private") and self._behind is None:
            self._behind = copy.deepcopy(self.buffer), copy.copy(self.cursor)
            self.erase_in_display(2)

    def reset_mode(self, *modes: int, **options: Any) -> None:
        super().reset_mode(*modes, **options)
        if ALTERNATE in modes and options.get("private") and self._behind is not None:
            self.buffer, self.cursor = self._behind
            self._behind = None

    def select_graphic_rendition(self, *attrs: int, **options: Any) -> None:
        if not options.get("private"):  # `CSI > … m` sets keyboard options, not colours
            super().select_graphic_rendition(*attrs)

    def visible(self) -> str:
        return "\n".join(line.rstrip() for line in self.display).rstrip()

    def text(self) -> str:
        gone = ["".join(row[column].data for column in range(self.columns)).rstrip() for row in self.history.top]
        return "\n".join([*gone, self.visible()])


def _found(wanted: str | re.Pattern[str], text: str) -> bool:
    return bool(wanted.search(text)) if isinstance(wanted, re.Pattern) else wanted in text
