"""One file a turn: what the client asked, what was sent, what came back, how long it took. Never a secret.

A trace holds bodies and our own account of them, no request headers: that is where credentials are. Files are 0600 in
a 0700 directory, named by time so that their order is their age, and the oldest go when the directory passes its cap.
Writing happens in a thread, after the client has its answer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

KEPT_AFTER_SWEEP = 0.9  # of the cap, so that not every turn has to sweep


class Traces:
    """The trace directory. `cap` in bytes; a directory that cannot be written costs the traces, not the turn."""

    def __init__(self, directory: Path, cap: int):
        self._directory = directory
        self._cap = cap
        self._size: int | None = None  # of all traces; None: not yet looked

    def write(self, name: str, trace: dict[str, Any]) -> None:
        """Keep one trace. Values may be `raw(json_bytes)`. Blocking: call it in a thread."""
        data = orjson.dumps(trace, option=orjson.OPT_APPEND_NEWLINE)
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime())
            target = self._directory / f"{stamp}-{name}.json"
            with open(target, "wb", opener=private) as file:
                file.write(data)
            self._sweep(len(data))
        except OSError:
            return

    def _sweep(self, added: int) -> None:
        if self._size is None:
            self._size = sum(size for _, size in self._files())
        else:
            self._size += added
        if self._size <= self._cap:
            return
        for path, size in sorted(self._files()):
            if self._size <= self._cap * KEPT_AFTER_SWEEP:
                break
            path.unlink(missing_ok=True)
            self._size -= size

    def _files(self) -> Iterator[tuple[Path, int]]:
        for path in self._directory.glob("*.json"):
            try:
                yield path, path.stat().st_size
            except FileNotFoundError:  # another session swept it
                continue


def private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def raw(json_bytes: bytes) -> orjson.Fragment:
    """JSON that already is text, to be kept as it is."""
    return orjson.Fragment(json_bytes)
