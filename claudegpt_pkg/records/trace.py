"""The traces: one file for each turn, with the request, the body sent, the answer and the times. Never a secret.

    traces = Traces(folder, cap=256 << 20)
    traces.keep(turn_id, record, bodies, answer)     # written soon, by a thread
    traces.flush()                                   # now
    find_traces(folder)                              # the files, the newest first

A trace has no request headers, because credentials are sent there. A credential that stands in a body all the same,
because a tool read it from a file or a server quoted it, is replaced by ***. Files are 0600. A file's name begins with
the time at which its turn ended, so that the order of names is the order of age. When the folder grows over its cap,
the oldest traces are deleted. The folder may be one of the user's with other files in it: only this user's own files
that have the name of a trace are ever listed, counted or deleted.

Writing waits a moment and happens in a thread, because Claude Code sends its next request as soon as a turn ends.
"""

from __future__ import annotations

import os
import re
import stat
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import orjson

from ..files import PRIVATE_FILE, is_own, make_missing_folders
from ..formats import FAR
from ..secret import mask_secrets, mask_whole_secrets
from ..translate.answer.fold import Folder
from ..translate.wire.json_text import loads

DELAY = 0.2  # seconds between a turn's end and its trace
MICROSECONDS = 1_000_000  # a second's
KEPT_AFTER_SWEEP = 0.9  # of the cap, so that not every turn has to delete something
LOOK_AGAIN = 0.05  # of the cap: after so many bytes, the folder is read again for what other sessions have added
FILE_NAME = re.compile(r"\d{8}-\d{6}-\d{6}-([0-9A-Za-z_]+)\.json")


@dataclass(frozen=True)
class TraceFile:
    """A trace on the disk; files are ordered by the time of their turn's end."""

    path: Path
    id: str
    size: int  # bytes


def find_traces(folder: Path) -> list[TraceFile]:
    """Every trace in `folder`, the newest first. Raises OSError if the folder cannot be read."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        return sorted(_trace_files(entries), key=lambda file: file.path.name, reverse=True)
    return []


def _trace_files(entries: Iterator[os.DirEntry[str]]) -> Iterator[TraceFile]:
    for entry in entries:
        named = FILE_NAME.fullmatch(entry.name)
        if not named:
            continue
        with suppress(FileNotFoundError):  # another session has just deleted it
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(status.st_mode) and is_own(status):
                yield TraceFile(Path(entry.path), named[1], status.st_size)


# Read.


class TraceUsage(msgspec.Struct):
    """The token counts of an answer, as the Messages API has them."""

    input_tokens: int | float | None = 0
    cache_creation_input_tokens: int | float | None = 0
    cache_read_input_tokens: int | float | None = 0
    output_tokens: int | float | None = 0


class TraceError(msgspec.Struct):
    """How a turn ended that has no complete answer; `kind` is Anthropic's error type, "cancelled" or "bug"."""

    kind: str


class TraceSummary(msgspec.Struct):
    """What a list shows of a trace: none of its bodies."""

    id: str
    began: Annotated[float, msgspec.Meta(ge=0, lt=FAR)]  # seconds since 1970
    session: str | None = None
    provider: str | None = None
    model: str | None = None
    tier: str | None = None
    effort: str | None = None
    usage: TraceUsage | None = None
    milliseconds: dict[str, float] = {}
    error: TraceError | None = None


_summary_decoder = msgspec.json.Decoder(TraceSummary)


def read_summary(file: TraceFile) -> TraceSummary:
    """Raises OSError if the file cannot be read, ValueError if it does not hold a whole trace."""
    data = file.path.read_bytes()
    try:
        try:
            return _summary_decoder.decode(data)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:  # half of a surrogate pair in a body, which Claude Code does send, or no JSON
            return msgspec.convert(loads(data), TraceSummary)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_trace(file: TraceFile) -> dict[str, Any]:
    """The whole trace. Raises like `read_summary`."""
    try:
        trace = loads(file.path.read_bytes())
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(trace, dict):
        raise ValueError("it is not a JSON object")
    return trace


# Write.


@dataclass(frozen=True)
class _Pending:
    """A trace to be written: `record` as JSON, `bodies` that already are JSON text, and the answer to be folded."""

    name: str  # of its file, without the suffix
    record: Mapping[str, Any]
    bodies: Mapping[str, bytes]
    answer: Folder


class Traces:
    """Writes traces into a folder of at most `cap` bytes. A folder that cannot be written costs the traces only."""

    def __init__(self, folder: Path, cap: int):
        self._folder = folder
        self._cap = cap
        self._room = 0.0  # bytes that may be written before the folder is read again
        self._last = 0  # microseconds since 1970: the newest trace's
        self._waiting: deque[_Pending] = deque()
        self._timer: threading.Timer | None = None
        self._writing = threading.Lock()

    def keep(self, turn_id: str, record: Mapping[str, Any], bodies: Mapping[str, bytes], answer: Folder) -> None:
        """Have a trace written soon. Returns at once."""
        self._waiting.append(_Pending(f"{self._time_stamp()}-{turn_id}", record, bodies, answer))
        if self._timer is None:
            self._timer = threading.Timer(DELAY, self.flush)
            self._timer.daemon = True
            self._timer.start()

    def flush(self) -> None:
        """Write all waiting traces now. Blocks."""
        self._timer = None  # first: a trace that is added from here on starts a timer of its own
        with self._writing:
            while self._waiting:
                pending = self._waiting.popleft()
                try:
                    self._write(pending)
                except OSError:  # a full or read-only disk must not end a session
                    self._waiting.clear()
                except TypeError:  # not JSON; a message about it would appear on Claude Code's terminal
                    continue

    def _time_stamp(self) -> str:
        """The time; later with every call, even if the clock is set back."""
        self._last = max(self._last + 1, int(time.time() * MICROSECONDS))
        seconds, rest = divmod(self._last, MICROSECONDS)
        return time.strftime("%Y%m%d-%H%M%S", time.localtime(seconds)) + f"-{rest:06}"

    def _write(self, pending: _Pending) -> None:
        make_missing_folders(self._folder)
        with open(self._folder / f"{pending.name}.json", "wb", opener=_open_private) as file:
            file.writelines(_encode(pending))
            size = file.tell()
        self._sweep(size)

    def _sweep(self, added: int) -> None:
        """Delete the oldest traces if the folder is over its cap."""
        self._room -= added
        if self._room > 0:
            return
        files = find_traces(self._folder)
        total = sum(file.size for file in files)
        wanted = self._cap * KEPT_AFTER_SWEEP if total > self._cap else total
        for file in reversed(files):
            if total <= wanted:
                break
            file.path.unlink(missing_ok=True)
            total -= file.size
        self._room = min(self._cap - total, self._cap * LOOK_AGAIN)


def _encode(pending: _Pending) -> Iterator[bytes]:
    """One JSON object, in pieces: the bodies may be large and are written as they are."""
    yield mask_secrets(orjson.dumps(pending.record).decode()).encode()[:-1]
    for name, body in pending.bodies.items():
        yield b',"%b":' % name.encode()
        yield mask_whole_secrets(body)
    yield b',"answer":%b}\n' % mask_whole_secrets(orjson.dumps(pending.answer.message()))


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_EXCL | os.O_NOFOLLOW, PRIVATE_FILE)
