"""One line for each answer of an account, in the state directory: what `claudegpt usage` adds up (usage.py).

    log.add(use)         # by the event loop, when an answer has ended; a thread writes it in a moment
    log.flush()          # now, at the end of a session
    read(folder)         # every use that is still known, the oldest first

A line is a JSON array of some 60 bytes: when (seconds since 1970), the provider, 1 where each token has its price or 0
where a plan covers it, the model, 1 for a turn or 0 for a side request, tokens in, how many of these were cached,
tokens out, dollars at the list price of that day or null. There is no word of a conversation in it.

Sessions share the file without waiting for each other: lines are appended in one write. A full file becomes the old
one, and the older one is gone, so there are never more than two. What cannot be written is not counted, no more.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from ..errors import BadSetting
from ..files import PRIVATE_FILE, make_private_folder
from ..formats import FAR
from .spending import Spent

DELAY = 1.0  # seconds in which answers that end are written together
FULL = 8 << 20  # bytes: some 130,000 answers


@dataclass(frozen=True)
class Use:
    """One answer: when it ended (seconds since 1970), who gave it, what it took."""

    at: float
    provider: str
    metered: bool
    model: str
    spent: Spent


class UsageLog:
    """The log, to be added to. Belongs to one event loop."""

    def __init__(self, folder: Path):
        self._file = newest(folder)
        self._waiting: list[bytes] = []

    def add(self, use: Use) -> None:
        if not self._waiting:
            loop = asyncio.get_running_loop()
            loop.call_later(DELAY, lambda: loop.run_in_executor(None, append, self._file, self._take()))
        self._waiting.append(line(use))

    def flush(self) -> None:
        append(self._file, self._take())

    def _take(self) -> bytes:
        lines, self._waiting = self._waiting, []
        return b"".join(lines)


def newest(folder: Path) -> Path:
    return folder / "usage.jsonl"


def older(folder: Path) -> Path:
    return folder / "usage-old.jsonl"


# Writing.


def line(use: Use) -> bytes:
    spent = use.spent
    cost = None if spent.cost is None else round(spent.cost, 8)
    counts = (spent.turns, spent.tokens_in, spent.cached, spent.tokens_out)
    return orjson.dumps((int(use.at), use.provider, int(use.metered), use.model, *counts, cost)) + b"\n"


def append(file: Path, lines: bytes) -> None:
    if not lines:
        return
    with suppress(OSError):
        make_private_folder(file.parent)
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE_FILE)
        try:
            os.write(handle, lines)
            if os.fstat(handle).st_size >= FULL:
                put_away(file, handle)
        finally:
            os.close(handle)


def put_away(file: Path, handle: int) -> None:
    """Rename the full file that `handle` is. Whoever else saw it full waits, and finds another under its name."""
    fcntl.flock(handle, fcntl.LOCK_EX)
    if os.path.samestat(os.fstat(handle), file.stat()):
        file.replace(older(file.parent))


# Reading.


def read(folder: Path) -> Iterator[Use]:
    """Raises BadSetting where there is a log that cannot be read; a line that is none is passed over."""
    for file in (older(folder), newest(folder)):
        try:
            with file.open("rb") as lines:
                yield from filter(None, map(parsed, lines))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as problem:
            raise BadSetting(f"Cannot read {file}: {problem.strerror}.", "Correct its permissions.") from None


def parsed(line: bytes) -> Use | None:
    """None for what a full disk has left of a line. A later version of ours may add fields at the end."""
    try:
        at, provider, metered, model, turns, tokens_in, cached, tokens_out, cost, *_ = orjson.loads(line)
        spent = Spent(int(turns), int(tokens_in), int(cached), int(tokens_out), None if cost is None else float(cost))
        return Use(float(at), str(provider), bool(metered), str(model), spent) if 0 <= at < FAR else None
    except (ValueError, TypeError):
        return None
