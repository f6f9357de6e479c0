"""One file a turn: what the client asked, what was sent, what came back, how long it took. Never a secret.

A trace holds bodies and our own account of them, no request headers: that is where credentials are. One that stands in
a body all the same, because a tool read it in a file or a server quoted it, is left out. Files are 0600 in a 0700
directory, named by the time of their turn's end so that their order is their age, and the oldest go when the directory
passes its cap.
Writing waits a moment and happens in a thread: a turn's successor, which the client sends at once, comes first.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from ..secret import without_secrets, without_whole_secrets
from ..translate.answer.fold import Folder

DELAY = 0.2  # seconds between a turn's end and its trace
SECOND = 1_000_000  # microseconds
KEPT_AFTER_SWEEP = 0.9  # of the cap, so that not every turn has to sweep
LOOK_AGAIN = 0.05  # of the cap, after which we look again what other sessions have added


@dataclass(frozen=True)
class Kept:
    """A trace to be written: `record` as JSON, `bodies` that already are JSON text, and the answer to be folded."""

    name: str  # of its file, without the suffix
    record: Mapping[str, Any]
    bodies: Mapping[str, bytes]
    answer: Folder


class Traces:
    """The trace directory. `cap` in bytes; a directory that cannot be written costs the traces, not the turn."""

    def __init__(self, directory: Path, cap: int):
        self._directory = directory
        self._cap = cap
        self._room = 0.0  # bytes that may be written before the directory is looked at
        self._last = 0  # microseconds since 1970: the newest trace's
        self._waiting: deque[Kept] = deque()
        self._timer: threading.Timer | None = None
        self._writing = threading.Lock()

    def keep(self, name: str, record: Mapping[str, Any], bodies: Mapping[str, bytes], answer: Folder) -> None:
        """Have a trace written soon; costs the caller nothing."""
        self._waiting.append(Kept(f"{self._stamp()}-{name}", record, bodies, answer))
        if self._timer is None:
            self._timer = threading.Timer(DELAY, self.flush)
            self._timer.daemon = True
            self._timer.start()

    def flush(self) -> None:
        """Write what waits, now. Blocking."""
        self._timer = None  # first: what is kept from here on has a timer of its own
        with self._writing:
            while self._waiting:
                kept = self._waiting.popleft()
                try:
                    self._write(kept)
                except OSError:  # a full or read-only disk must not end a session
                    self._waiting.clear()
                except TypeError:  # something that cannot be JSON; a word about it would stand on Claude's terminal
                    continue

    def _stamp(self) -> str:
        """The time, later with every call also where the clock says otherwise."""
        self._last = max(self._last + 1, int(time.time() * SECOND))
        whole, rest = divmod(self._last, SECOND)
        return time.strftime("%Y%m%d-%H%M%S", time.localtime(whole)) + f"-{rest:06}"

    def _write(self, kept: Kept) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self._directory / f"{kept.name}.json", "wb", opener=private) as file:
            file.writelines(pieces(kept))
            size = file.tell()
        self._sweep(size)

    def _sweep(self, added: int) -> None:
        self._room -= added
        if self._room > 0:
            return
        files = sorted(self._files())
        total = sum(size for _, size in files)
        wanted = self._cap * KEPT_AFTER_SWEEP if total > self._cap else total
        for path, size in files:
            if total <= wanted:
                break
            path.unlink(missing_ok=True)
            total -= size
        self._room = min(self._cap - total, self._cap * LOOK_AGAIN)

    def _files(self) -> Iterator[tuple[Path, int]]:
        for path in self._directory.glob("*.json"):
            try:
                yield path, path.stat().st_size
            except FileNotFoundError:  # another session swept it
                continue


def pieces(kept: Kept) -> Iterator[bytes]:
    """One JSON object, in pieces: the bodies may be large and are written as they are."""
    yield without_secrets(orjson.dumps(kept.record).decode()).encode()[:-1]
    for name, body in kept.bodies.items():
        yield b',"%b":' % name.encode()
        yield without_whole_secrets(body)
    yield b',"answer":%b}\n' % without_whole_secrets(orjson.dumps(kept.answer.message()))


def private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
