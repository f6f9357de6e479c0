"""A program in a real terminal, read and typed at as a person would.

    with Screen(["bash"], cwd=folder, env=env) as screen:
        screen.send("echo hello\\r")
        screen.wait_for("hello")          until it is on the screen; AssertionError with the screen if it never is

The terminal is a pty; what it shows is kept by pyte, a terminal emulator, which also answers the program's questions
(where is the cursor, what are you). Nothing sleeps: every wait ends when the screen changes to what is waited for.
"""

from __future__ import annotations

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

TIMEOUT = 30.0  # seconds
CTRL_C, CTRL_D, CTRL_Z, ESCAPE, ENTER = "\x03", "\x04", "\x1a", "\x1b", "\r"


class Screen:
    """A pty with a program in it; a context manager that ends the program's whole session."""

    def __init__(self, words: Sequence[str], *, cwd: Path, env: Mapping[str, str], columns: int, lines: int):
        self._emulator = _Answering(columns, lines, self._write)
        self._stream = pyte.ByteStream(self._emulator)
        self._changed = threading.Condition()
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
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Screen:
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._master)  # hangs up on whatever runs there
        self._program.wait(TIMEOUT)

    @property
    def text(self) -> str:
        """What is on the screen, and what has scrolled off it."""
        with self._changed:
            return self._emulator.text()

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

    def run(self, command: str, timeout: float = TIMEOUT) -> int:
        """A command typed at the shell; its exit status, once the shell has its prompt again."""
        mark = f"status-{time.monotonic_ns()}"
        self.send(f"{command}; echo {mark[:6]}''{mark[6:]}=$?\r")
        found: list[re.Match[str]] = []

        def ended() -> bool:
            found[:] = re.finditer(rf"{mark}=(\d+)", self._emulator.text())
            return bool(found)

        self._wait(ended, f"{command!r} to end", timeout)
        return int(found[-1][1])

    def resize(self, columns: int, lines: int) -> None:
        with self._changed:
            self._emulator.resize(lines, columns)
        self._set_size(columns, lines)

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def _wait(self, condition: Callable[[], bool], what: str, timeout: float) -> None:
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                raise AssertionError(f"waited {timeout:g} s for {what}; the screen:\n{self._emulator.visible()}")

    def _write(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def _read(self) -> None:
        while True:
            try:
                select.select([self._master], [], [])
                data = os.read(self._master, 65536)
            except (OSError, ValueError):
                data = b""
            with self._changed:
                if data:
                    self._stream.feed(data)
                self._changed.notify_all()
            if not data:
                return


class _Answering(pyte.HistoryScreen):
    """A screen that answers the questions a program asks its terminal, through `answer`."""

    def __init__(self, columns: int, lines: int, answer: Callable[[str], None]):
        super().__init__(columns, lines, history=5000)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        self._answer(data)

    def visible(self) -> str:
        return "\n".join(line.rstrip() for line in self.display).rstrip()

    def text(self) -> str:
        gone = ["".join(row[column].data for column in range(self.columns)).rstrip() for row in self.history.top]
        return "\n".join([*gone, self.visible()])

    def select_graphic_rendition(self, *attrs: int, **options: Any) -> None:
        if not options.get("private"):  # `CSI > … m` sets keyboard options, not colours
            super().select_graphic_rendition(*attrs)


def _found(wanted: str | re.Pattern[str], text: str) -> bool:
    return bool(wanted.search(text)) if isinstance(wanted, re.Pattern) else wanted in text
