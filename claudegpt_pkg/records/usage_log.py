"""The usage log: one line in the state folder for each answer, from which `claudegpt usage` adds up what was spent.

    log.add(entry)             # in the event loop, when an answer has ended; a thread writes it a moment later
    log.flush()                # now, at the end of a session
    read_entries(folder)       # every entry that is still stored, the oldest first

A line is a JSON array of some 60 bytes: when the answer ended (seconds since 1970), the provider, 1 if each token has a
price or 0 if a plan covers it, the model, 1 for a turn or 0 for a side request, tokens in, how many of these were
cached, tokens out, dollars at the list price of that day or null. No word of a conversation is in it.

Sessions share the file without waiting for each other: lines are appended in one write. A file that is full becomes the
older one and replaces the older one before it, so that there are never more than two. An entry that cannot be written
is not counted, and nothing else happens.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from ..errors import BadSetting
from ..files import PRIVATE_FILE, is_own, make_private_folder
from ..formats import FAR
from .spending import Spent

DELAY = 1.0  # seconds in which the entries of answers that end are collected and written together
FULL = 8 << 20  # bytes: some 130,000 answers


@dataclass(frozen=True)
class UsageEntry:
    """One answer: when it ended (seconds since 1970), which account and model gave it, what it took."""

    at: float
    provider: str
    metered: bool
    model: str
    spent: Spent


Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class _Line(msgspec.Struct, array_like=True):
    """An entry as it stands in the file. A later version of claudegpt may add fields at the end."""

    at: Annotated[float, msgspec.Meta(ge=0, lt=FAR)]
    provider: str
    metered: int
    model: str
    turns: Count
    tokens_in: Count
    cached: Count
    tokens_out: Count
    cost: float | None


class UsageLog:
    """Appends to the log. Belongs to one event loop."""

    def __init__(self, folder: Path):
        self._file = log_file(folder)
        self._waiting: list[bytes] = []

    def add(self, entry: UsageEntry) -> None:
        if not self._waiting:
            loop = asyncio.get_running_loop()
            loop.call_later(DELAY, lambda: loop.run_in_executor(None, append_lines, self._file, self._take()))
        self._waiting.append(encode_entry(entry))

    def flush(self) -> None:
        append_lines(self._file, self._take())

    def _take(self) -> bytes:
        lines, self._waiting = self._waiting, []
        return b"".join(lines)


def log_file(folder: Path) -> Path:
    return folder / "usage.jsonl"


def older_log_file(folder: Path) -> Path:
    return folder / "usage-old.jsonl"


# Write.


def encode_entry(entry: UsageEntry) -> bytes:
    spent = entry.spent
    cost = None if spent.cost is None else round(spent.cost, 8)
    counts = (spent.turns, spent.tokens_in, spent.cached, spent.tokens_out)
    fields = (int(entry.at), entry.provider, int(entry.metered), entry.model, *counts, cost)
    return msgspec.json.encode(fields) + b"\n"


def append_lines(file: Path, lines: bytes) -> None:
    """Append whole lines. What the disk does not take is lost."""
    if not lines:
        return
    with suppress(OSError):
        make_private_folder(file.parent)
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE_FILE)
        try:
            os.write(handle, lines)
            if os.fstat(handle).st_size >= FULL:
                _put_away(file, handle)
        finally:
            os.close(handle)


def _put_away(file: Path, handle: int) -> None:
    """Rename the full file that `handle` is. A session that saw it full too waits, and then finds a new file there."""
    fcntl.flock(handle, fcntl.LOCK_EX)
    if os.path.samestat(os.fstat(handle), file.stat()):
        file.replace(older_log_file(file.parent))


# Read.


def read_entries(folder: Path) -> Iterator[UsageEntry]:
    """Every entry, the oldest first. A line that is not one is passed over, as is the file of another user.

    Raises BadSetting for a log that cannot be read.
    """
    for file in (older_log_file(folder), log_file(folder)):
        try:
            with file.open("rb") as lines:
                if is_own(os.fstat(lines.fileno())):
                    yield from filter(None, map(_decode_line, lines))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as problem:
            raise BadSetting(f"Cannot read {file}: {problem.strerror}.", "Correct its permissions.") from None


_decoder = msgspec.json.Decoder(_Line)


def _decode_line(line: bytes) -> UsageEntry | None:
    """None for what is not an entry: a full disk may have left a part of one."""
    try:
        found = _decoder.decode(line)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None
    spent = Spent(found.turns, found.tokens_in, found.cached, found.tokens_out, found.cost)
    return UsageEntry(found.at, found.provider, bool(found.metered), found.model, spent)
