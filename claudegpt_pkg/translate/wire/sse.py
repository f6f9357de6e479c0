"""Server-sent events: the upstream's bytes → events (dicts), and events for the client → bytes. No I/O.

A line ends at LF, CRLF or CR and nowhere else: U+2028 and U+0085 are ordinary characters. The decoder works on bytes,
so a character that is split between two chunks cannot break. It holds one event of at most MAX_EVENT bytes.
"""

from __future__ import annotations

from typing import Any

import orjson

from ...errors import UpstreamFailed
from .json_text import loads_halves, mend_surrogates

Event = dict[str, Any]
_PLACE = ("type", "item_id", "content_index", "summary_index")  # says which text a delta continues
MAX_HALVES = 64  # of emojis that wait for their other half; each item has one at most
MAX_EVENT = 64 * 2**20  # bytes; images and whole responses fit many times over


class Decoder:
    """Takes chunks as they arrive; `feed` returns the events that they complete."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []  # of the event not yet complete
        self._held = 0  # bytes in _parts
        self._halves: dict[tuple[Any, ...], str] = {}  # by place: the half in which its last delta ended
        self._after_cr = False  # the last chunk ended in CR: a leading LF belongs to it

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that `chunk` completes, in order. Raises UpstreamFailed for data that is not JSON."""
        if self._after_cr or b"\r" in chunk:
            chunk = self._plain_newlines(chunk)
        if not chunk:
            return []
        if b"\n\n" not in chunk and not (self._parts and chunk[0] == 10 and self._parts[-1][-1] == 10):
            self._hold(chunk)
            return []
        blocks = b"".join([*self._parts, chunk]).split(b"\n\n")
        self._parts, self._held = [], 0
        if rest := blocks.pop():
            self._hold(rest)
        return [event for block in blocks if (event := self._parse(block)) is not None]

    def flush(self) -> list[Event]:
        """Return the last event at the end of the stream, if the server left out its closing blank line."""
        rest, self._parts, self._held = b"".join(self._parts), [], 0
        try:
            event = self._parse(rest)
        except UpstreamFailed:  # the event was cut: that the answer has no end says so better
            return []
        return [event] if event is not None else []

    def _parse(self, block: bytes) -> Event | None:
        data = _event_data(block)
        if not data:
            return None
        try:
            event = orjson.loads(data)
        except ValueError:
            event = self._with_halves(data)
        if not isinstance(event, dict):
            return None
        if "type" not in event and (name := _event_name(block)):
            event["type"] = name
        return event

    def _with_halves(self, data: bytes) -> Any:
        """Parse an event with half of an emoji in it. The next delta of the same item has the other half."""
        try:
            event = loads_halves(data)
        except ValueError:
            raise UpstreamFailed(f"The upstream sent an event that is not JSON: {data[:80]!r}.") from None
        if isinstance(event, dict) and isinstance(delta := event.get("delta"), str):
            place = tuple(str(event.get(name)) for name in _PLACE)
            delta = self._halves.pop(place, "") + delta
            if len(self._halves) > MAX_HALVES:
                self._halves.clear()
            if "\ud800" <= delta[-1:] <= "\udbff":
                delta, self._halves[place] = delta[:-1], delta[-1]
            event["delta"] = delta
        try:
            return mend_surrogates(event)
        except ValueError as problem:
            raise UpstreamFailed(f"The upstream sent an event that cannot be read: {problem}.") from None

    def _hold(self, piece: bytes) -> None:
        self._held += len(piece)
        if self._held > MAX_EVENT:
            raise UpstreamFailed(f"The upstream sent a single event of over {MAX_EVENT >> 20} MB.")
        self._parts.append(piece)

    def _plain_newlines(self, chunk: bytes) -> bytes:
        if self._after_cr and chunk[:1] == b"\n":
            chunk = chunk[1:]
            self._after_cr = False
            if not chunk:
                return chunk
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _event_data(block: bytes) -> bytes:
    """Return one event's data; nothing for comments, other fields, and the [DONE] that some servers send."""
    at = block.find(b"data:")
    if at < 0:
        return b""
    if (at == 0 or block[at - 1] == 10) and block.find(b"\n", at) < 0:
        data = block[at + 5 :]  # one data line, and it is the last: nearly always
    else:
        lines = block.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        data = b"\n".join(line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:"))
    return b"" if data.strip() == b"[DONE]" else data


def _event_name(block: bytes) -> str:
    """Return what the `event:` line of an event says; some servers give the type only there."""
    for line in block.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        if line.startswith(b"event:"):
            return line[6:].strip().decode("utf-8", "replace")
    return ""


def encode(event: Event) -> bytes:
    """Return one event as the client reads it."""
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))
