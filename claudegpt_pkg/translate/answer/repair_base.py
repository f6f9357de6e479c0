"""The part of the repairer that does not depend on what an item is: finding, announcing, ending and ordering items.

Each item is announced once and in the server's order, and ended once. Events of items behind a call whose name is not
known yet wait for it. All that the answer makes the proxy keep is counted here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...errors import UpstreamFailed
from ..wire import openai
from .arguments import PARALLEL, read_arguments
from .items import Event, Kind, replayable_reasoning, search_item, to_json
from .numbering import Numbering, Part, Record, number_or_none

MAX_SIZE = 64 * 2**20  # bytes of one answer that are kept
DELTA_COST = 16  # bytes that one more piece of text costs beside its characters
WAITING_COST = 240  # bytes that an event costs while it waits
NOTHING = "no type"  # of events

Out = list[openai.AnswerEvent]


class RepairBase:
    """See the module. `name` is part of the ids of calls to which the server gives none."""

    def __init__(self, name: str):
        self._name = name
        self._items = Numbering()
        self._named = 0  # so many items, in their order, may be told of: each is announced, or never will be
        self._size = 0
        self._out: Out = []
        self._same_type = NOTHING  # what the next delta must say to pass unchanged
        self._same_item: Any = None
        self._same_index: Any = None
        self._same_number = ""
        self._same_part: Any = None

    def passes(self, event: Event) -> bool:
        """Whether the event is as the protocol has it, because it fits the one before: nearly every delta."""
        if (
            event.get("output_index") != self._same_index
            or event.get("type") != self._same_type
            or event.get("item_id") != self._same_item
            or event.get(self._same_number) != self._same_part
            or type(delta := event.get("delta")) is not str
            or not delta
        ):
            return False
        size = len(delta)
        self._same.length += size
        self._size += size + DELTA_COST
        return self._size <= MAX_SIZE

    def _record(self, kind: Kind, event: Event, *, starts: bool = False) -> Record | None:
        """The open item that an event adds to, a new one if need be; None if its item is over.

        `starts`: the event may come again for an item that is over, and then says nothing new.
        """
        record = self._items.for_delta(kind, event)
        if record is None:
            return self._add(kind, number_or_none(event.get("output_index")), {})
        if record.over and kind is Kind.TEXT:
            return None if starts else self._continue_message(record)
        if record.is_open:
            return record
        is_its_own = event.get("item_id") is not None and record is self._items.by_id(kind, event["item_id"])
        return None if starts or is_its_own else self._add(kind, record.key, {})

    def _continue_message(self, record: Record) -> Record:
        """A message that goes on although another item has begun: the rest of its text is a new item."""
        successor = self._add(record.kind, record.key, record.fields)
        successor.base = record.base + sum(part.length for part in record.parts)
        record.successor = successor
        return successor

    def _add(self, kind: Kind, key: int | None, fields: Mapping[str, Any]) -> Record:
        if kind is Kind.THINKING and self._items.last(kind) is None:
            self._end_empty_messages()
        record = self._items.add(kind, key, fields)
        record.is_named = kind is not Kind.CALL or self._is_nameable(record.fields)
        if record.order == self._named and record.is_named:
            self._named += 1
        if record.is_named:
            self._emit(record, openai.item_added_event(record.index, self._announcement(record)))
        return record

    def _end_empty_messages(self) -> None:
        """A message announced before the answer's first reasoning says its text behind it (LiteLLM)."""
        empty = [record for record in self._items.of_kind(Kind.TEXT) if record.is_open and not record.has_content]
        if len(empty) == len(self._items.records):
            for record in empty:
                record.over = True
                self._close(record)

    def _identify(self, record: Record, fields: Mapping[str, Any]) -> None:
        record.identify(fields)
        self._items.learn_ids(record)
        if not record.is_named and self._is_nameable(record.fields):
            self._announce(record)

    def _announce(self, record: Record) -> None:
        """Announce an item that was not known by name, then all that waited for it."""
        record.is_named = True
        record.early.insert(0, openai.item_added_event(record.index, self._announcement(record)))
        self._release()

    def _release(self) -> None:
        records = self._items.records
        while self._named < len(records) and records[self._named].is_named:
            record = records[self._named]
            self._out += record.early
            record.early = []
            self._named += 1

    def _is_nameable(self, fields: Mapping[str, Any]) -> bool:
        """Whether a call can be announced. One that stands for several calls cannot before its arguments are whole."""
        if fields.get("type") == "tool_search_call":
            return True
        name = fields.get("name")
        return isinstance(name, str) and bool(name) and name not in PARALLEL

    def _announcement(self, record: Record) -> Event:
        """The item as its announcement has it."""
        fields = record.fields
        if record.kind is Kind.TEXT:
            return openai.answer_message(fields.get("phase"))
        if record.kind is Kind.THINKING:
            return replayable_reasoning(fields)
        if record.kind is Kind.SEARCH:
            return search_item({}, record.order)
        call_id = record.public_id or record.call_id or record.id or f"call_{self._name}_{record.order}"
        record.public_id = call_id
        if fields.get("type") == "tool_search_call":
            return openai.tool_search_call(call_id, {})
        return openai.function_call(call_id, fields["name"], "")

    def _note_content(self, record: Record) -> None:
        """Another item under the same number, or under none, is over when this one has something to say."""
        record.has_content = True
        self._end_previous(record, Kind.TEXT, Kind.THINKING)

    def _end_previous(self, record: Record, *kinds: Kind) -> None:
        over = self._items.note_active(record)
        if over and over.kind in kinds:
            over.over = True
            self._close(over)

    def _close(self, record: Record) -> None:
        """Tell of the item's end; nothing of it comes after."""
        record.is_open = False
        if record.kind is Kind.TEXT:
            for part in record.parts:
                self._end_part(record, part)
            self._emit(record, openai.item_done_event(record.index, self._announcement(record)))
        elif record.kind is Kind.THINKING:
            self._emit(record, openai.item_done_event(record.index, replayable_reasoning(record.fields)))
        elif record.kind is Kind.SEARCH:
            self._emit(record, openai.item_done_event(record.index, search_item(record.fields, record.order)))
        elif record.is_named:
            for event in self._ended_call(record):
                self._emit(record, event)
        else:  # a call without a name
            record.early, record.is_named = [], True
            self._release()

    def _end_part(self, record: Record, part: Part) -> None:
        if not part.is_done:
            part.is_done = True
            self._emit(record, openai.part_done_event(record.index, part.index))

    def _ended_call(self, record: Record) -> Out:
        arguments = _best_arguments(arguments_by_worth(record))
        item = {**self._announcement(record), "arguments": arguments}
        return [openai.arguments_done_event(record.index, arguments), openai.item_done_event(record.index, item)]

    def _emit(self, record: Record, event: openai.AnswerEvent) -> None:
        if record.order < self._named:
            self._out.append(event)
        else:  # it, or an item before it, has no name yet
            self._count(WAITING_COST)
            record.early.append(event)

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > MAX_SIZE:
            raise UpstreamFailed(f"The upstream's answer is larger than {MAX_SIZE >> 20} MB.", retry=False)

    def _expect_same(self, event: Event, record: Record, part: Part, numbered_by: str = "content_index") -> None:
        """Let deltas pass unchanged that say the same as `event` about where they belong."""
        item_id = event.get("item_id")
        is_plain = item_id is None or isinstance(item_id, str)
        if is_plain and record.order < self._named and record.index == event.get("output_index"):
            self._same_type, self._same_item, self._same_index = event["type"], item_id, record.index
            self._same_number, self._same_part, self._same = numbered_by, event.get(numbered_by), part


def _best_arguments(candidates: Iterable[Any]) -> str:
    """The whole arguments as text: the first that are an object; else the first there are."""
    found = [write_or_empty(given) if isinstance(given, dict) else given for given in candidates]
    texts = [given for given in found if isinstance(given, str) and given]
    return next(
        (text for text in texts if text.strip() and read_arguments(text) is not None), texts[0] if texts else ""
    )


def write_or_empty(value: Any) -> str:
    return to_json(value) or "{}"


def arguments_by_worth(record: Record) -> list[Any]:
    """A call's whole arguments, the server's last word first."""
    return [*reversed(record.arguments), record.fields.get("arguments")]
