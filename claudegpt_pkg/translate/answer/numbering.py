"""Which item of an answer an event belongs to, whichever way the server numbers its items.

The rules that servers keep to, in this order:

1. An `item_id` equals the item's `id` or its `call_id`. Some servers invent another id for every event; such ids match
   nothing and are passed over.
2. An `output_index` names the last item of the event's kind that was announced under it.
3. Otherwise the event belongs to the last item of its kind, unless that item is over.

An item is over at its `output_item.done`, or when another item under the same number, or under none, is announced or
has something to say. Nothing here knows what is in an item.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import UpstreamFailed
from ..wire import openai
from .items import Kind

_TEXTS = ("name", "phase", "type", "encrypted_content")  # fields that are text, or not there
MAX_ITEMS = 4096  # items of an answer, and content parts of them; real answers have some dozens


class Part:
    """One content part of a message, or one part of a reasoning text."""

    __slots__ = ("annotated", "index", "is_announced", "is_done", "key", "length", "type", "whole")

    def __init__(self, index: int, key: Any, kind: str, *, is_announced: bool):
        self.index = index  # as the protocol numbers it
        self.key = key  # as the server numbers it, if it does
        self.type = kind
        self.is_announced = is_announced
        self.is_done = False
        self.annotated = False
        self.length = 0  # characters received
        self.whole: int | None = None  # hash of the text that a `done` event gave


class Record:
    """One item of the answer, as the server has told it so far."""

    __slots__ = (
        "announced",
        "announcement",
        "arguments",
        "base",
        "call_id",
        "digest",
        "early",
        "fields",
        "has_content",
        "id",
        "index",
        "is_named",
        "is_open",
        "key",
        "keyed",
        "kind",
        "order",
        "over",
        "parts",
        "public_id",
        "successor",
    )

    def __init__(self, kind: Kind, order: int, key: int | None, fields: Mapping[str, Any]):
        self.kind = kind
        self.order = order  # of its announcement
        self.index = order  # its output_index, as the protocol numbers it
        self.key = key  # its output_index, as the server numbers it, if it does
        self.fields: dict[str, Any] = {}  # of the item
        self.id: str | None = None
        self.call_id: str | None = None
        self.public_id: str | None = None  # the call's id as it was announced
        self.announced = False
        self.announcement: int | None = None  # hash of the item as it was announced
        self.is_open = True
        self.over = False  # closed because another item began, not by the server's word
        self.successor: Record | None = None  # the item in which the rest of this one's text came
        self.base = 0  # characters of the message that came in the items it succeeds
        self.parts: list[Part] = []
        self.keyed: dict[int | None, Part] = {}  # announced parts, by the server's number
        self.digest: int | None = None  # of what the server said when the item was done
        self.has_content = False
        self.is_named = True  # False while it is not known what to announce: a call without a name
        self.early: list[openai.AnswerEvent] = []  # events that wait until it, or an item before it, is named
        self.arguments: list[Any] = []  # a call's whole arguments, from each event that had them
        if fields:
            self.identify(fields)

    def identify(self, fields: Mapping[str, Any]) -> None:
        """Add what an announcement or the end of the item says; what it leaves out stays."""
        for name, value in fields.items():
            if value is not None and (name not in _TEXTS or (isinstance(value, str) and value)):
                self.fields[name] = value
        self.id = text_or_none(fields.get("id")) or self.id
        self.call_id = text_or_none(fields.get("call_id")) or self.call_id
        self.announced = True


class Numbering:
    """The items of one answer, found by any of their names in constant time."""

    def __init__(self) -> None:
        self.records: list[Record] = []  # in the order of their announcement
        self._count = 0  # items and parts
        self._spare = 0
        self._by_id: dict[tuple[Kind, str], Record] = {}
        self._by_key: dict[tuple[Kind, int | None], Record] = {}
        self._last: dict[Kind, Record] = {}
        self._active: dict[int | None, Record] = {}  # by the server's number: who was announced or spoke last
        self._by_kind: dict[Kind, list[Record]] = {}

    def add(self, kind: Kind, key: int | None, fields: Mapping[str, Any]) -> Record:
        """A new item. Raises UpstreamFailed if the answer has too many."""
        self.count()
        record = Record(kind, len(self.records), key, fields)
        self.records.append(record)
        self._last[kind] = self._by_key[kind, key] = record
        self._by_kind.setdefault(kind, []).append(record)
        self.learn_ids(record)
        return record

    def count(self) -> None:
        """Count one more item or part."""
        self._count += 1
        if self._count > MAX_ITEMS:
            raise UpstreamFailed(f"The upstream's answer has more than {MAX_ITEMS:,} items and parts.", retry=False)

    def spare_index(self) -> int:
        """An output_index that no item has."""
        self._spare += 1
        return MAX_ITEMS + self._spare

    def learn_ids(self, record: Record) -> None:
        for name in (record.id, record.call_id):
            if name:
                self._by_id[record.kind, name] = record

    def by_id(self, kind: Kind, *names: Any) -> Record | None:
        """The item that has one of these ids."""
        for name in names:
            if name is not None and (text := text_or_none(name)) and (found := self._by_id.get((kind, text))):
                return found
        return None

    def at(self, kind: Kind, key: int | None) -> Record | None:
        """The last item of a kind under the server's number, or under no number."""
        return self._by_key.get((kind, key))

    def last(self, kind: Kind) -> Record | None:
        return self._last.get(kind)

    def of_kind(self, kind: Kind) -> Iterator[Record]:
        return iter(self._by_kind.get(kind, ()))

    def for_delta(self, kind: Kind, event: Mapping[str, Any]) -> Record | None:
        """The item that a piece of text belongs to; None if no item fits. It may be closed."""
        item_id = event.get("item_id")
        if item_id is not None and (found := self.by_id(kind, item_id)):
            return found
        key = number_or_none(event.get("output_index"))
        found = self.at(kind, key)
        if key is None:
            last = self.last(kind)
            return last if last and (last.is_open or found is None) else found
        if found is None and (last := self.last(kind)) and last.is_open and last.key is None:
            return last  # announced without a number
        return found

    def note_active(self, record: Record) -> Record | None:
        """Note that `record` was announced or said something; the item under its number that is thereby over."""
        before = self._active.get(record.key)
        self._active[record.key] = record
        return before if before is not record and before and before.is_open else None


def text_or_none(value: Any) -> str | None:
    """An id as text; some servers write numbers."""
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def number_or_none(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
