"""`claudegpt trace`: list the stored traces, or show one of them as text or JSON.

    show_traces(settings, limit=20, as_json=False)       # the newest first
    show_trace(settings, "3f2a91", part="sent")          # as JSON; as text if `part` is None

A trace is found by the beginning of its id. A trace that cannot be read, because its session is still writing it or the
disk was full, is listed with the status "unreadable".
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import msgspec

from ..errors import BadSetting
from ..formats import format_milliseconds, format_number, format_short_moment
from ..records.trace import TraceFile, TraceSummary, find_traces, read_summary, read_trace
from ..settings.options import TRACE
from ..settings.settings import Settings
from ..terminal.console import result_entries, result_json, result_table, say
from .trace_text import entries, spent_tokens

ALL = ""  # stands for all parts, in place of the name of one
SHORTEST_ID = 6  # characters shown; more if they are needed to tell one id from another
MOST_NAMED = 10  # ids listed when the beginning of an id is ambiguous
COLUMNS = ("id", "time", "session", "model", "tier", "effort", "in", "cached", "out", "first", "total", "status")
NUMBERS = ("in", "cached", "out", "first", "total")
SPARE = ("session", "tier", "first")  # left out, in this order, if the terminal is too narrow


@dataclass(frozen=True)
class Row:
    """One trace in the table. None: unknown, as everything but the id and the time is for an unreadable trace."""

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
    """List the newest `limit` traces, all of them for 0. Raises BadSetting if their folder cannot be read."""
    files = _list_traces(settings)
    rows = [_read_row(file) for file in files[: limit or None]]
    if as_json:
        result_json([{**asdict(row), "began": _iso_time(row.began)} for row in rows])
        return
    if not settings[TRACE]:
        say(_explain_no_traces(settings))
    elif not files:
        say(f"There is no trace in {settings.trace_dir} yet. Each turn of a session stores one there.")
    if rows and sys.stdout.isatty():
        length, now = unique_length([file.id for file in files]), time.time()
        result_table(COLUMNS, [_short_cells(row, length, now) for row in rows], numbers=NUMBERS, spare=SPARE)
    else:
        result_table(COLUMNS, map(_full_cells, rows))


def show_trace(settings: Settings, wanted: str, *, part: str | None) -> None:
    """Show the trace whose id begins with `wanted`. Raises BadSetting unless exactly one does and can be read."""
    file = _find_trace(settings, wanted)
    try:
        trace = read_trace(file)
        lines = list(entries(trace)) if part is None else []
    except UNREADABLE as problem:
        hint = "It may be incomplete: its session was killed, or the disk was full."
        raise BadSetting(f"The trace {file.path} cannot be read ({problem}).", hint) from None
    if part is None:
        result_entries(lines)
    else:
        result_json(trace.get(part) if part else trace)


def _explain_no_traces(settings: Settings) -> str:
    return (
        f"Traces are turned off ({TRACE.name} from {settings.source(TRACE)}). `claudegpt --trace` stores them for one "
        f"session, `claudegpt config set {TRACE.name} 1` for all."
    )


# Find.


def _list_traces(settings: Settings) -> list[TraceFile]:
    """Every trace, the newest first. Raises BadSetting if their folder cannot be read."""
    folder = settings.trace_dir
    try:
        return find_traces(folder)
    except OSError as problem:
        raise BadSetting(f"Cannot read {folder}: {problem.strerror}.", "Correct its permissions.") from None


def _find_trace(settings: Settings, wanted: str) -> TraceFile:
    """The trace whose id begins with `wanted`. The id of an answer in Claude Code's own files (msg_…) works too."""
    beginning = wanted.lower().removeprefix("msg_")
    files = [file for file in _list_traces(settings) if file.id.startswith(beginning)]
    if len(files) == 1:
        return files[0]
    if not files:
        hint = "`claudegpt trace` lists the stored traces." if settings[TRACE] else _explain_no_traces(settings)
        raise BadSetting(f"There is no trace {wanted!r}.", hint)
    ids = [file.id for file in files]
    names = [name[: unique_length(ids)] for name in ids[:MOST_NAMED]]
    raise BadSetting(f"{len(files)} traces begin with {wanted!r}.", f"Give more characters: {', '.join(names)}.")


def unique_length(ids: Sequence[str]) -> int:
    """The number of characters at which every id differs from all others."""
    longest = max(map(len, ids), default=0)
    lengths = (length for length in range(SHORTEST_ID, longest) if len({name[:length] for name in ids}) == len(ids))
    return next(lengths, longest)


# Read.

# `entries` trusts the fields of a trace: one that another program wrote may have any.
UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)


def _read_row(file: TraceFile) -> Row:
    try:
        return _row_from_trace(read_summary(file))
    except (OSError, ValueError):
        return Row(file.id, _modified_at(file))


def _modified_at(file: TraceFile) -> float:
    try:
        return file.path.stat().st_mtime
    except OSError:  # deleted meanwhile, as the oldest trace
        return time.time()


def _row_from_trace(trace: TraceSummary) -> Row:
    spent = spent_tokens(msgspec.structs.asdict(trace.usage)) if trace.usage else None
    return Row(
        id=trace.id,
        began=trace.began,
        session=trace.session,
        provider=trace.provider,
        model=trace.model,
        tier=trace.tier,
        effort=trace.effort,
        status=trace.error.kind if trace.error else "done",
        tokens_in=spent.tokens_in if spent else None,
        cached=spent.cached if spent else None,
        tokens_out=spent.tokens_out if spent else None,
        first_ms=trace.milliseconds.get("first"),
        total_ms=trace.milliseconds.get("done", trace.milliseconds.get("failed")),
    )


def _full_cells(row: Row) -> list[str]:
    """For a program: nothing is shortened, times are in ISO 8601 and milliseconds, "" stands for unknown."""
    rate = None if row.hit_rate is None else f"{row.hit_rate:.2f}"
    numbers = (row.tokens_in, rate, row.tokens_out, row.first_ms, row.total_ms)
    cells = (row.id, _iso_time(row.began), row.session, row.model, row.tier, row.effort, *numbers, row.status)
    return ["" if cell is None else str(cell) for cell in cells]


def _short_cells(row: Row, length: int, now: float) -> list[str]:
    """For a person: short ids, times and numbers."""
    return [
        row.id[:length],
        format_short_moment(row.began, now, seconds=True),
        (row.session or "")[:SHORTEST_ID],
        row.model or "",
        row.tier or "",
        row.effort or "",
        "" if row.tokens_in is None else format_number(row.tokens_in),
        "" if row.hit_rate is None else f"{row.hit_rate:.0%}",
        "" if row.tokens_out is None else format_number(row.tokens_out),
        "" if row.first_ms is None else format_milliseconds(row.first_ms),
        "" if row.total_ms is None else format_milliseconds(row.total_ms),
        row.status.removesuffix("_error"),
    ]


def _iso_time(moment: float) -> str:
    return datetime.fromtimestamp(moment).astimezone().isoformat(timespec="milliseconds")
