"""`claudegpt trace`: what trace.py has left, in a table; one of them, to be read or to be piped on.

    show_traces(settings, limit=20, as_json=False)       # the newest first
    show_trace(settings, "3f2a91", part="sent")          # as JSON; in words for None

A trace is found by the beginning of its id. One that cannot be read, because its session is still writing it or the
disk was full, costs its row: the row says so.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import BadSetting
from ..records.spending import short
from ..settings.options import TRACE
from ..settings.settings import Settings
from ..terminal.console import result_entries, result_json, result_table, say
from ..translate.wire.json_text import loads
from .trace_text import duration, entries, used

ALL = ""  # instead of the name of a part
LEAST_OF_ID = 6  # characters shown; more where they are needed to tell one from another
MOST_NAMED = 10  # of the traces that an id may mean
WEEK = 7 * 86_400
COLUMNS = ("id", "time", "session", "model", "tier", "effort", "in", "cached", "out", "first", "total", "status")
NUMBERS = ("in", "cached", "out", "first", "total")
SPARE = ("session", "tier", "first")  # in this order, where the terminal is too narrow


@dataclass(frozen=True)
class Row:
    """What the table says of a trace. None: not known, as everything is of an unreadable one."""

    id: str
    began: float
    session: str | None = None
    provider: str | None = None
    model: str | None = None
    tier: str | None = None
    effort: str | None = None
    status: str = "unreadable"  # "done", or the kind of its error
    tokens_in: int | None = None
    cached: int | None = None
    tokens_out: int | None = None
    first_ms: float | None = None
    total_ms: float | None = None

    @property
    def hit_rate(self) -> float | None:
        return (self.cached or 0) / self.tokens_in if self.tokens_in else None


def show_traces(settings: Settings, *, limit: int, as_json: bool) -> None:
    """The newest `limit`, all for 0. Raises BadSetting where their folder cannot be read."""
    files = found(settings)
    rows = [row_of(file) for file in files[: limit or None]]
    if as_json:
        result_json([{**asdict(row), "began": local(row.began)} for row in rows])
        return
    if not settings[TRACE]:
        say(turned_off(settings))
    elif not files:
        say(f"There is no trace in {settings.trace_dir} yet: each turn leaves one there.")
    if rows and sys.stdout.isatty():
        length, now = telling_length([id_of(file) for file in files]), time.time()
        result_table(COLUMNS, [brief(row, length, now) for row in rows], numbers=NUMBERS, spare=SPARE)
    else:
        result_table(COLUMNS, map(whole, rows))


def show_trace(settings: Settings, wanted: str, *, part: str | None) -> None:
    """Raises BadSetting unless there is exactly one trace that begins so, and it can be read."""
    file = find(settings, wanted)
    try:
        trace = read(file)
        told = list(entries(trace)) if part is None else []
    except UNREADABLE as problem:
        raise BadSetting(f"The trace {file} cannot be read ({problem}).", "It may have been cut off.") from None
    if part is None:
        result_entries(told)
    else:
        result_json(trace.get(part) if part else trace)


def turned_off(settings: Settings) -> str:
    return (
        f"Traces are turned off ({TRACE.name} from {settings.source(TRACE)}): `claudegpt --trace` keeps them for a "
        f"session, `claudegpt config set {TRACE.name} 1` for all."
    )


# Finding.


def found(settings: Settings) -> list[Path]:
    """Every trace, the newest first."""
    folder = settings.trace_dir
    try:
        return sorted((file for file in folder.iterdir() if file.suffix == ".json"), reverse=True)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as problem:
        raise BadSetting(f"Cannot read {folder}: {problem.strerror}.", "Correct its permissions.") from None


def find(settings: Settings, wanted: str) -> Path:
    """The one whose id begins so. A message's id, as Claude Code's own files have it, is one too."""
    beginning = wanted.lower().removeprefix("msg_")
    files = [file for file in found(settings) if id_of(file).startswith(beginning)]
    if len(files) == 1:
        return files[0]
    if not files:
        why = "`claudegpt trace` lists what there is." if settings[TRACE] else turned_off(settings)
        raise BadSetting(f"There is no trace {wanted!r}.", why)
    ids = [id_of(file) for file in files]
    names = [name[: telling_length(ids)] for name in ids[:MOST_NAMED]]
    raise BadSetting(f"{len(files)} traces begin with {wanted!r}.", f"Give more of it: {', '.join(names)}.")


def id_of(file: Path) -> str:
    return file.stem.rpartition("-")[2]


def telling_length(ids: Sequence[str]) -> int:
    """How much of each id tells it from all the others."""
    longest = max(map(len, ids), default=0)
    lengths = (length for length in range(LEAST_OF_ID, longest) if len({name[:length] for name in ids}) == len(ids))
    return next(lengths, longest)


# Reading.

UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError)


def read(file: Path) -> dict[str, Any]:
    trace = loads(file.read_bytes())
    if not isinstance(trace, dict):
        raise ValueError("it is no JSON object")
    return trace


def row_of(file: Path) -> Row:
    try:
        return row_from(read(file))
    except UNREADABLE:
        return Row(id_of(file), written(file))


def written(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:  # swept meanwhile
        return time.time()


def row_from(trace: Mapping[str, Any]) -> Row:
    usage, marks, error = trace.get("usage"), trace.get("milliseconds") or {}, trace.get("error")
    spent = used(usage) if usage else None
    return Row(
        id=trace["id"],
        began=datetime.fromtimestamp(trace["began"]).timestamp(),  # raises for a time that no calendar has
        session=trace.get("session"),
        provider=trace.get("provider"),
        model=trace.get("model"),
        tier=trace.get("tier"),
        effort=trace.get("effort"),
        status=error["kind"] if error else "done",
        tokens_in=spent.tokens_in if spent else None,
        cached=spent.cached if spent else None,
        tokens_out=spent.tokens_out if spent else None,
        first_ms=marks.get("first"),
        total_ms=marks.get("done", marks.get("failed")),
    )


# The table's cells.


def whole(row: Row) -> list[str]:
    """For a program: nothing shortened, times in ISO 8601 and milliseconds, "" for what is not known."""
    rate = None if row.hit_rate is None else f"{row.hit_rate:.2f}"
    numbers = (row.tokens_in, rate, row.tokens_out, row.first_ms, row.total_ms)
    cells = (row.id, local(row.began), row.session, row.model, row.tier, row.effort, *numbers, row.status)
    return ["" if cell is None else str(cell) for cell in cells]


def brief(row: Row, length: int, now: float) -> list[str]:
    """For a person."""
    return [
        row.id[:length],
        recent(row.began, now),
        (row.session or "")[:LEAST_OF_ID],
        row.model or "",
        row.tier or "",
        row.effort or "",
        "" if row.tokens_in is None else short(row.tokens_in),
        "" if row.hit_rate is None else f"{row.hit_rate:.0%}",
        "" if row.tokens_out is None else short(row.tokens_out),
        "" if row.first_ms is None else duration(row.first_ms),
        "" if row.total_ms is None else duration(row.total_ms),
        row.status.removesuffix("_error"),
    ]


def local(moment: float) -> str:
    return datetime.fromtimestamp(moment).astimezone().isoformat(timespec="milliseconds")


def recent(moment: float, now: float) -> str:
    """14:05:09 today, Sat 14:05 this week, 21 Nov before."""
    then = time.localtime(moment)
    if then[:3] == time.localtime(now)[:3]:
        return time.strftime("%H:%M:%S", then)
    return time.strftime("%a %H:%M" if 0 < now - moment < WEEK else "%d %b", then)
