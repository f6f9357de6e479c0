"""What any server sends → the events of an answer as the Responses protocol has them.

    repairer = Repairer(name="msg_1")
    if repairer.passes(event): ...                  # nearly every delta: it is as it should be
    for repaired in repairer.repair(event): ...     # else none, one or several

What the events that come out have, whatever went in:

- Each item is announced once (`output_item.added`), says something, and is done once (`output_item.done`). Its
  `output_index` is its own, a call has a name and a `call_id`, and the announcements stand in the server's order.
- A message's parts are announced, numbered from 0 and done. The deltas of a part are its whole text, each once: what a
  server gives only in a `done` event, in the finished item or at the very end comes as a delta.
- Reasoning parts are numbered from 0. A call ends with `function_call_arguments.done`.
- `response.completed` and `response.incomplete` come when all items are done; their usage has only real counts.
- Every field has the protocol's type. What is no text where a text belongs, and what nobody knows, is left out.

There is one exception: a reasoning item may be done twice. Azure sends encrypted_content only in `response.completed`,
so the second `output_item.done` has it.

Which item an event belongs to is decided in numbering.py, what an item says in items.py. An event that fits the one
before it, as nearly all deltas do, passes unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ...errors import UpstreamFailed
from ..wire import openai
from .arguments import PARALLEL, parallel_calls, read_object
from .items import (
    KINDS,
    Event,
    Kind,
    answer_part,
    error_of,
    kind_of,
    mapping,
    message_parts,
    reasoning_item,
    said_in,
    search_item,
    text_of,
    thinking_texts,
    url_citation,
    usage_counts,
    written,
)
from .numbering import Numbering, Part, Record, number_or_none, text_or_none

MAX_SIZE = 64 * 2**20  # bytes of one answer that are kept
DELTA_COST = 16  # bytes that one more piece of text costs beside its characters
WAITING_COST = 240  # bytes that an event costs while it waits

NOTHING = "no type"  # of events

Out = list[Event]


class Repairer:
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

    def repair(self, event: Event) -> Out:
        """The events that this one means, if it does not pass as it is.

        Raises UpstreamFailed for an answer that is larger than any real one.
        """
        self._same_type = NOTHING
        handle = HANDLERS.get(kind) if isinstance(kind := event.get("type") or "", str) else None
        if handle is None:  # an event that nobody knows, or that says nothing to the client
            return []
        self._out = []
        handle(self, event)
        return self._out

    # Text.

    def _text_delta(self, event: Event) -> None:
        delta = event.get("delta")
        if not isinstance(delta, str) or not delta:  # says nothing, and may well be another item's
            return
        record = self._record(Kind.TEXT, event)
        if record is None:
            return
        kind = "refusal" if event["type"] == "response.refusal.delta" else "output_text"
        part = self._part_for(record, event.get("content_index"), kind)
        self._say(record, part, delta)
        if part.index == event.get("content_index") and part.type == kind:
            self._expect_same(event, record, part)

    def _text_done(self, event: Event) -> None:
        text = said_in(event)
        if not text:
            return
        record = self._record(Kind.TEXT, event, starts=True)
        kind = "refusal" if event["type"] == "response.refusal.done" else "output_text"
        if record and (part := self._part_told(record, event.get("content_index"), kind, text)):
            self._say(record, part, text[part.length :])
            part.whole = hash(text)

    def _part_added(self, event: Event) -> None:
        part = mapping(event.get("part"))
        if answer_part(event.get("part")) is None:
            if part.get("type") == "reasoning_text":
                self._announce_thinking_part(event, "content_index")
            return
        record = self._record(Kind.TEXT, event, starts=True)
        if record is None:
            return
        kind, key = answer_part(part) or "", number_or_none(event.get("content_index"))
        last = record.parts[-1] if record.parts else None
        known = record.keyed.get(key) if key is not None else None
        if known and not known.is_done:
            return  # announced twice
        is_known = not last.is_announced and (not last.length or last.key == key) if last else False
        if last and not last.is_done and (is_known or (not last.length and None in (key, last.key))):
            last.key, last.is_announced, record.keyed[key] = key, True, last
            return
        if last and key is None:
            self._end_part(record, last)
        self._add_part(record, key, kind, is_announced=True)

    def _part_done(self, event: Event) -> None:
        part = mapping(event.get("part"))
        kind = answer_part(event.get("part"))
        if kind is None:
            if part.get("type") == "reasoning_text":
                self._thinking_whole(event, "content_index", text_of(part.get("text")))
            return
        text = said_in(part)
        record = self._record(Kind.TEXT, event, starts=bool(text))
        if record is None:
            return
        known = self._part_told(record, event.get("content_index"), kind, text)
        if known is None:
            return
        self._say(record, known, text[known.length :])
        notes = part.get("annotations")
        self._annotate(record, known, notes if isinstance(notes, list) else ())
        known.whole = hash(text)
        self._end_part(record, known)

    def _annotation(self, event: Event) -> None:
        note = url_citation(event.get("annotation"))
        record = self._record(Kind.TEXT, event, starts=True) if note else None
        if note is None or record is None:
            return
        key = number_or_none(event.get("content_index"))
        if not record.parts:
            self._add_part(record, key, "output_text", is_announced=False)
        part = record.keyed.get(key) or record.parts[-1]
        part.annotated = True
        self._emit_annotation(record, part, note)

    def _part_for(self, record: Record, number: Any, kind: str) -> Part:
        """The part that a delta belongs to. A number that no `content_part.added` announced is no new part (vLLM)."""
        key = number_or_none(number)
        known, last = record.keyed.get(key), record.parts[-1] if record.parts else None
        if known and not known.is_done:
            return known
        is_over = last is None or last.is_done or (last.whole is not None and last.key != key)
        if last is None or is_over or (last.type != kind and last.length):
            return self._add_part(record, key, kind, is_announced=False)
        last.type = kind
        return last

    def _part_told(self, record: Record, number: Any, kind: str, text: str) -> Part | None:
        """The part of which `text` is the whole; None if it was told before."""
        key = number_or_none(number)
        known, last = record.keyed.get(key), record.parts[-1] if record.parts else None
        for part in (known, last):
            if part and not part.is_done:
                return part
        was_told = (known and key is not None) or (last and (last.whole == hash(text) or last.key == key is not None))
        return None if was_told or not text else self._add_part(record, key, kind, is_announced=False)

    def _add_part(self, record: Record, key: int | None, kind: str, *, is_announced: bool) -> Part:
        self._items.count()
        part = Part(len(record.parts), key, kind, is_announced=is_announced)
        record.parts.append(part)
        if is_announced:
            record.keyed[key] = part
        self._emit(record, openai.part_added(record.index, part.index, kind))
        return part

    def _end_part(self, record: Record, part: Part) -> None:
        if not part.is_done:
            part.is_done = True
            self._emit(record, openai.part_done(record.index, part.index))

    def _say(self, record: Record, part: Part, text: str) -> None:
        if not text:
            return
        self._speaks(record)
        self._count(len(text) + DELTA_COST)
        part.length += len(text)
        self._emit(record, openai.text_delta(record.index, part.index, part.type, text))

    def _annotate(self, record: Record, part: Part, notes: Iterable[Any], shift: int = 0) -> None:
        """Tell of annotations that did not come by themselves."""
        found = [note for note in (url_citation(note, shift) for note in notes) if note]
        if found and not part.annotated:
            part.annotated = True
            for note in found:
                self._emit_annotation(record, part, note)

    def _emit_annotation(self, record: Record, part: Part, note: Mapping[str, Any]) -> None:
        self._count(len(note["url"]) + len(note["title"]) + WAITING_COST)
        self._emit(record, openai.annotation_added(record.index, part.index, note))

    # Reasoning.

    def _summary_delta(self, event: Event) -> None:
        self._thinking_delta(event, "summary_index")

    def _reasoning_delta(self, event: Event) -> None:
        self._thinking_delta(event, "content_index")

    def _summary_done(self, event: Event) -> None:
        self._thinking_whole(event, "summary_index", text_of(event.get("text")))

    def _reasoning_done(self, event: Event) -> None:
        self._thinking_whole(event, "content_index", text_of(event.get("text")))

    def _summary_part_added(self, event: Event) -> None:
        self._announce_thinking_part(event, "summary_index")

    def _summary_part_done(self, event: Event) -> None:
        self._thinking_whole(event, "summary_index", text_of(mapping(event.get("part")).get("text")), is_part=True)

    def _thinking_delta(self, event: Event, numbered_by: str) -> None:
        delta = event.get("delta")
        if not isinstance(delta, str) or not delta:
            return
        record = self._record(Kind.THINKING, event)
        if record is not None:
            part = self._thinking_part(record, event.get(numbered_by), numbered_by)
            self._think(record, part, delta)
            if part.index == event.get(numbered_by) and event["type"] != "response.reasoning.delta":
                self._expect_same(event, record, part, numbered_by)

    def _announce_thinking_part(self, event: Event, numbered_by: str) -> None:
        record = self._record(Kind.THINKING, event, starts=True)
        if record is None:
            return
        key = number_or_none(event.get(numbered_by))
        last = record.parts[-1] if record.parts else None
        if last is None or (last.length and (last.is_done or last.key != key or key is None)):
            self._add_thinking_part(record, key, numbered_by, is_announced=True)
        elif not last.length:
            last.key, last.type, last.is_announced, last.is_done = key, numbered_by, True, False

    def _thinking_whole(self, event: Event, numbered_by: str, text: str, *, is_part: bool = False) -> None:
        """A part's whole text; it is over with that."""
        record = (
            self._record(Kind.THINKING, event, starts=True) if text else self._items.for_delta(Kind.THINKING, event)
        )
        if record is None or not record.is_open:
            return
        key = number_or_none(event.get(numbered_by))
        part = next((part for part in record.parts if part.type == numbered_by and part.key == key is not None), None)
        last = record.parts[-1] if record.parts else None
        if part is None and last and last.type == numbered_by and (not last.is_done or last.whole == hash(text)):
            part = last
        if text:
            part = part or self._add_thinking_part(record, key, numbered_by, is_announced=False)
            if part is record.parts[-1]:
                self._think(record, part, text[part.length :])
            part.whole = hash(text)
        if part:
            part.is_done = True

    def _thinking_part(self, record: Record, key: Any, numbered_by: str) -> Part:
        """The part that a delta belongs to. A new `summary_index` is a new part; vLLM counts `content_index` up."""
        last = record.parts[-1] if record.parts else None
        if last is None or last.type != numbered_by:
            return self._add_thinking_part(record, number_or_none(key), numbered_by, is_announced=False)
        if last.key == key and (key is not None or not last.is_done):
            return last
        if last.is_done or (numbered_by == "summary_index" and key is not None and last.key is not None):
            return self._add_thinking_part(record, number_or_none(key), numbered_by, is_announced=False)
        return last

    def _add_thinking_part(self, record: Record, key: int | None, numbered_by: str, *, is_announced: bool) -> Part:
        self._items.count()
        part = Part(len(record.parts), key, numbered_by, is_announced=is_announced)
        record.parts.append(part)
        return part

    def _think(self, record: Record, part: Part, text: str) -> None:
        if not text:
            return
        self._speaks(record)
        self._count(len(text) + DELTA_COST)
        part.length += len(text)
        delta = openai.summary_delta if part.type == "summary_index" else openai.reasoning_delta
        self._emit(record, delta(record.index, part.index, text))

    # Calls.

    def _arguments_delta(self, event: Event) -> None:
        delta = event.get("delta")
        if isinstance(delta, dict):
            delta = written(delta)
        if not isinstance(delta, str) or not delta:
            return
        record = self._record(Kind.CALL, event)
        if record is None:
            return
        self._speaks(record)
        self._count(len(delta) + DELTA_COST)
        if not record.parts:
            record.parts.append(Part(0, None, "arguments", is_announced=True))
        record.parts[0].length += len(delta)
        self._emit(record, openai.arguments_delta(record.index, delta))
        self._expect_same(event, record, record.parts[0])

    def _arguments_done(self, event: Event) -> None:
        item = mapping(event.get("item"))
        given = event.get("arguments")
        given = item.get("arguments") if given is None else given
        record = self._record(Kind.CALL, event, starts=True) if given else self._items.for_delta(Kind.CALL, event)
        if record is None or not record.is_open:
            return
        self._count(len(written(given)))
        record.arguments.append(given)
        if not record.is_named:
            record.identify(
                {"name": event.get("name"), **{key: item[key] for key in ("name", "call_id") if key in item}}
            )

    # Items.

    def _record(self, kind: Kind, event: Event, *, starts: bool = False) -> Record | None:
        """The open item that an event adds to, a new one if need be; None if its item is over.

        `starts`: the event may come again for an item that is over, and then says nothing new.
        """
        record = self._items.for_delta(kind, event)
        if record is None:
            return self._add(kind, number_or_none(event.get("output_index")), {})
        if record.over and kind is Kind.TEXT:
            while record.successor:
                record = record.successor
            return record if record.is_open else None if starts else self._succeed(record)
        if record.is_open:
            return record
        is_its_own = event.get("item_id") is not None and record is self._items.by_id(kind, event["item_id"])
        return None if starts or is_its_own else self._add(kind, record.key, {})

    def _succeed(self, record: Record) -> Record:
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
            self._emit(record, openai.item_added(record.index, self._announced(record)))
        return record

    def _is_nameable(self, fields: Mapping[str, Any]) -> bool:
        """Whether a call can be announced. One that stands for several calls cannot before its arguments are whole."""
        if fields.get("type") == "tool_search_call":
            return True
        name = fields.get("name")
        return isinstance(name, str) and bool(name) and name not in PARALLEL

    def _item_added(self, event: Event) -> None:
        fields = mapping(event.get("item"))
        kind = kind_of(fields)
        if kind is None:
            return
        text = written(fields)
        self._count(len(text))
        key = number_or_none(event.get("output_index"))
        known = self._announced_before(kind, key, fields, hash(text))
        if known is None:
            known = self._add(kind, key, fields)
        elif known.is_open:
            self._identify(known, fields)
        known.announcement = known.announcement or hash(text)
        self._end_speaker(known, Kind.TEXT)

    def _end_empty_messages(self) -> None:
        """A message announced before the answer's first reasoning says its text behind it (LiteLLM)."""
        empty = [record for record in self._items.of_kind(Kind.TEXT) if record.is_open and not record.has_content]
        if len(empty) == len(self._items.records):
            for record in empty:
                record.over = True
                self._close(record)

    def _announced_before(
        self, kind: Kind, key: int | None, fields: Mapping[str, Any], announcement: int
    ) -> Record | None:
        """The item that an announcement is of, if events told of it before."""
        known = self._items.by_id(kind, fields.get("call_id"), fields.get("id"))
        if known:
            return known if known.is_open or kind in (Kind.CALL, Kind.SEARCH) else None
        known = self._items.at(kind, key)
        if known is None or not known.is_open:
            return None
        if not known.announced:
            return known
        is_same = not known.has_content and not known.id and not known.call_id and known.announcement == announcement
        return known if is_same and key is not None else None

    def _identify(self, record: Record, fields: Mapping[str, Any]) -> None:
        record.identify(fields)
        self._items.learn_ids(record)
        if not record.is_named and self._is_nameable(record.fields):
            self._announce(record)

    def _announce(self, record: Record) -> None:
        """Announce an item that was not known by name, then all that waited for it."""
        record.is_named = True
        record.early.insert(0, openai.item_added(record.index, self._announced(record)))
        self._release()

    def _release(self) -> None:
        records = self._items.records
        while self._named < len(records) and records[self._named].is_named:
            record = records[self._named]
            self._out += record.early
            record.early = []
            self._named += 1

    def _announced(self, record: Record) -> Event:
        """The item as its announcement has it."""
        fields = record.fields
        if record.kind is Kind.TEXT:
            return openai.answer_message(fields.get("phase"))
        if record.kind is Kind.THINKING:
            return reasoning_item(fields)
        if record.kind is Kind.SEARCH:
            return search_item({}, record.order)
        call_id = record.public_id or record.call_id or record.id or f"call_{self._name}_{record.order}"
        record.public_id = call_id
        if fields.get("type") == "tool_search_call":
            return openai.tool_search_call(call_id, {})
        return openai.function_call(call_id, fields["name"], "")

    def _item_done(self, event: Event) -> None:
        fields = mapping(event.get("item"))
        kind = kind_of(fields)
        if kind is None:
            return
        self._count(len(written(fields)))
        key = number_or_none(event.get("output_index"))
        digest = digest_of(kind, fields)
        record = self._told_of(kind, key, fields, digest)
        if record is None:
            record = self._add(kind, key, fields)
            self._end_speaker(record, Kind.TEXT)
        self._finish(record, fields)
        record.digest = digest

    def _told_of(self, kind: Kind, key: int | None, fields: Mapping[str, Any], digest: int) -> Record | None:
        """The item whose end this is; None if no event has told of it."""
        known = self._items.by_id(kind, fields.get("call_id"), fields.get("id"))
        if known:
            is_another = kind is Kind.TEXT and known.digest not in (None, digest)
            return None if is_another else known
        known = self._items.at(kind, key)
        if known is None or not known.is_open:
            last = self._items.last(kind)
            if last and last.is_open and (key is None or last.key is None):
                known = last
        if known is None:
            return None
        call_id = text_or_none(fields.get("call_id"))
        if known.call_id and call_id and call_id != known.call_id:
            return None
        return known if known.is_open or (key is not None and known.digest == digest) else None

    def _speaks(self, record: Record) -> None:
        """Another item under the same number, or under none, is over when this one has something to say."""
        record.has_content = True
        self._end_speaker(record, Kind.TEXT, Kind.THINKING)

    def _end_speaker(self, record: Record, *kinds: Kind) -> None:
        over = self._items.speak(record)
        if over and over.kind in kinds:
            over.over = True
            self._close(over)

    def _finish(self, record: Record, fields: Mapping[str, Any]) -> None:
        """The server's last word on an item."""
        FINISHERS[record.kind](self, record, fields)

    def _finish_message(self, record: Record, fields: Mapping[str, Any]) -> None:
        while record.successor:
            record = record.successor
        if not record.is_open:
            rest = message_rest(record, message_parts(fields.get("content"))) if record.over else []
            if not rest:
                return
            record = self._succeed(record)
        self._tell_message(record, message_parts(fields.get("content")))
        self._identify(record, {name: fields[name] for name in ("id", "phase") if name in fields})
        self._close(record)

    def _tell_message(self, record: Record, told: list[tuple[int, str, str, list[Any]]]) -> None:
        keys = {place for place, *_ in told}
        by_key = {part.key: part for part in record.parts if part.is_announced and part.key in keys}
        if not record.base and len(by_key) == len(record.parts) > 0:
            for place, kind, text, notes in told:
                part = by_key.get(place) or (self._add_part(record, place, kind, is_announced=True) if text else None)
                if part:
                    self._say(record, part, text[part.length :])
                    self._annotate(record, part, notes)
            return
        for at, kind, rest in message_rest(record, told):
            last = record.parts[-1] if record.parts else None
            if last is None or last.is_done or (at == 0 and last.length):
                last = self._add_part(record, None, kind, is_announced=False)
            self._say(record, last, rest)
        self._annotate_by_place(record, told)

    def _annotate_by_place(self, record: Record, told: list[tuple[int, str, str, list[Any]]]) -> None:
        """Annotations of parts that the server numbered otherwise, or not: by where their text begins."""
        parts, start, offset = iter(record.parts), record.base, 0
        part = next(parts, None)
        for *_, text, notes in told:
            while part and start + part.length <= offset:
                start += part.length
                part = next(parts, None)
            if part and notes:
                self._annotate(record, part, notes, offset - start)
            offset += len(text)

    def _finish_reasoning(self, record: Record, fields: Mapping[str, Any]) -> None:
        if record.is_open:
            told = {
                "summary_index": thinking_texts(fields.get("summary")),
                "content_index": thinking_texts(fields.get("content")),
            }
            if all(told[part.type] for part in record.parts if part.length):
                for numbered_by, texts in told.items():
                    self._tell_reasoning(record, numbered_by, texts)
            if fields is not record.fields:
                record.fields.pop("encrypted_content", None)  # that of the announcement is not the final one
                record.identify(fields)
            self._items.learn_ids(record)
            self._close(record)
        elif not reasoning_item(record.fields).get("encrypted_content") and (
            late := reasoning_item({**record.fields, **{key: fields[key] for key in fields if fields[key]}})
        ).get("encrypted_content"):
            record.fields = late
            self._emit(record, openai.item_done(record.index, late))

    def _tell_reasoning(self, record: Record, numbered_by: str, texts: list[str]) -> None:
        """What has not streamed of one of the two ways in which reasoning is told."""
        streamed = sum(part.length for part in record.parts if part.type == numbered_by)
        for text in texts:
            if streamed >= len(text):
                streamed -= len(text)
                continue
            last = record.parts[-1] if record.parts else None
            if last is None or last.type != numbered_by or (last.length and not streamed):
                last = self._add_thinking_part(record, None, numbered_by, is_announced=False)
            self._think(record, last, text[streamed:])
            streamed = 0

    def _finish_call(self, record: Record, fields: Mapping[str, Any]) -> None:
        if not record.is_open:
            return
        if fields is not record.fields:
            record.arguments.append(fields.get("arguments"))
        record.identify({name: value for name, value in fields.items() if name != "arguments"})
        self._items.learn_ids(record)
        name = record.fields.get("name")
        if not record.is_named and isinstance(name, str) and name in PARALLEL:
            self._split(record, name)
            return
        if not record.is_named and self._is_nameable(record.fields):
            self._announce(record)
        self._close(record)

    def _split(self, record: Record, name: str) -> None:
        """Announce the calls that a `multi_tool_use.parallel` stands for, in its place."""
        streamed = "".join(event["delta"] for event in record.early)
        calls = next((calls for given in (*_by_worth(record), streamed) if (calls := parallel_calls(name, given))), [])
        record.is_open, record.is_named = False, True
        if not calls:  # the client is told of a tool that it does not have, and the model of its mistake
            record.early.insert(0, openai.item_added(record.index, self._announced(record)))
            record.early += self._ended_call(record)
        else:
            record.early = []
            first = self._announced(record)["call_id"]
        for at, (called, given) in enumerate(calls):
            self._items.count()
            index = record.index if at == 0 else self._items.spare_index()
            item = openai.function_call(f"{first}_{at}" if at else first, called, dumps_or_empty(given))
            record.early += [
                openai.item_added(index, {**item, "arguments": ""}),
                openai.arguments_delta(index, item["arguments"]),
                openai.arguments_done(index, item["arguments"]),
                openai.item_done(index, item),
            ]
        self._release()

    def _finish_search(self, record: Record, fields: Mapping[str, Any]) -> None:
        if record.is_open:
            record.identify(fields)
            self._items.learn_ids(record)
            self._close(record)

    def _close(self, record: Record) -> None:
        """Tell of the item's end; nothing of it comes after."""
        if not record.is_open:
            return
        record.is_open = False
        if record.kind is Kind.TEXT:
            for part in record.parts:
                self._end_part(record, part)
            self._emit(record, openai.item_done(record.index, self._announced(record)))
        elif record.kind is Kind.THINKING:
            self._emit(record, openai.item_done(record.index, reasoning_item(record.fields)))
        elif record.kind is Kind.SEARCH:
            self._emit(record, openai.item_done(record.index, search_item(record.fields, record.order)))
        elif record.is_named:
            for event in self._ended_call(record):
                self._emit(record, event)
        else:  # a call nobody can name
            record.early, record.is_named = [], True
            self._release()

    def _ended_call(self, record: Record) -> Out:
        arguments = best_arguments(_by_worth(record))
        item = {**self._announced(record), "arguments": arguments}
        return [openai.arguments_done(record.index, arguments), openai.item_done(record.index, item)]

    def _emit(self, record: Record, event: Event) -> None:
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

    # The end.

    def _completed(self, event: Event) -> None:
        response = mapping(event.get("response"))
        if response.get("status") in ("failed", "cancelled"):
            self._failed(event)
            return
        output = response.get("output")
        self._tell_output(merged_searches(output if isinstance(output, list) else ()))
        for record in self._items.records[:]:
            if record.is_open:
                self._finish(record, record.fields)
        counts = usage_counts(response.get("usage"))
        if response.get("status") == "incomplete" or event.get("type") == "response.incomplete":
            reason = text_of(mapping(response.get("incomplete_details")).get("reason"))
            self._out.append(openai.incomplete(counts, reason))
        else:
            self._out.append(openai.completed(counts))

    def _tell_output(self, output: list[Mapping[str, Any]]) -> None:
        """Items as the end of the answer has them: what no event told of is made up for."""
        told = [self._items.by_id(KINDS[item["type"]], item.get("call_id"), item.get("id")) for item in output]
        for item, record in zip(output, told, strict=True):
            if record and record.kind is Kind.THINKING:  # its encrypted content belongs into its own block
                self._finish(record, item)
        claimed = {record.order for record in told if record}
        # Some servers give an item another id at the end: then it is the first of its kind that no id tells.
        unclaimed = {kind: [one for one in self._items.of_kind(kind) if one.order not in claimed] for kind in Kind}
        for records in unclaimed.values():
            records.reverse()
        for item, record in zip(output, told, strict=True):
            kind = KINDS[item["type"]]
            record = record or (unclaimed[kind].pop() if unclaimed[kind] else None)
            self._finish(record or self._add(kind, None, item), item)

    def _failed(self, event: Event) -> None:
        self._out.append(openai.failed(error_of(event)))

    def _untyped(self, event: Event) -> None:
        """A server in between may report a failure without a type; some send the whole answer as one object."""
        if event.get("error") and not isinstance(event.get("output"), list):
            self._failed(event)
        elif event.get("object") == "response" or isinstance(event.get("output"), list):
            self._completed({"response": event})


def digest_of(kind: Kind, fields: Mapping[str, Any]) -> int:
    """A hash of what an item says when it is done: two messages that say the same under one id are one."""
    if kind is Kind.TEXT:
        return hash("".join(text for _, _, text, _ in message_parts(fields.get("content"))))
    return hash(written(fields))


def message_rest(record: Record, told: list[tuple[int, str, str, list[Any]]]) -> list[tuple[int, str, str]]:
    """(where it begins in its part, type, text) of what has not streamed of a message, counted by characters."""
    streamed = record.base + sum(part.length for part in record.parts)
    rest = []
    for _, kind, text, _ in told:
        if streamed < len(text):
            rest.append((streamed, kind, text[streamed:]))
        streamed = max(0, streamed - len(text))
    return rest


def best_arguments(candidates: Iterable[Any]) -> str:
    """The whole arguments as text: the first that are an object; else the first there are."""
    found = [dumps_or_empty(given) if isinstance(given, dict) else given for given in candidates]
    texts = [given for given in found if isinstance(given, str) and given]
    return next((text for text in texts if text.strip() and read_object(text) is not None), texts[0] if texts else "")


def merged_searches(output: Iterable[Any]) -> list[Mapping[str, Any]]:
    """The items of a finished answer that become something; a search that is there twice, once, with its query."""
    items: list[Mapping[str, Any]] = []
    searches: dict[str, int] = {}
    for item in output:
        kind = kind_of(item)
        name = item.get("id") if kind is Kind.SEARCH else None
        at = searches.setdefault(name, len(items)) if isinstance(name, str) else len(items)
        if at == len(items):
            items += [item] if kind else []
        elif search_item(item, 0)["action"]["query"]:
            items[at] = item
    return items


def dumps_or_empty(value: Any) -> str:
    return written(value) or "{}"


def _by_worth(record: Record) -> list[Any]:
    """A call's whole arguments, the server's last word first."""
    return [*reversed(record.arguments), record.fields.get("arguments")]


FINISHERS: dict[Kind, Callable[[Repairer, Record, Mapping[str, Any]], None]] = {
    Kind.TEXT: Repairer._finish_message,
    Kind.THINKING: Repairer._finish_reasoning,
    Kind.CALL: Repairer._finish_call,
    Kind.SEARCH: Repairer._finish_search,
}
# Event type → what it means; "" for events without a type. No other event says anything to the client.
HANDLERS: dict[str, Callable[[Repairer, Event], None]] = {
    "": Repairer._untyped,
    "response.output_text.delta": Repairer._text_delta,
    "response.output_text.done": Repairer._text_done,
    "response.output_text.annotation.added": Repairer._annotation,
    "response.refusal.delta": Repairer._text_delta,
    "response.refusal.done": Repairer._text_done,
    "response.content_part.added": Repairer._part_added,
    "response.content_part.done": Repairer._part_done,
    "response.reasoning_summary_part.added": Repairer._summary_part_added,
    "response.reasoning_summary_part.done": Repairer._summary_part_done,
    "response.reasoning_summary_text.delta": Repairer._summary_delta,
    "response.reasoning_summary_text.done": Repairer._summary_done,
    "response.reasoning_text.delta": Repairer._reasoning_delta,
    "response.reasoning_text.done": Repairer._reasoning_done,
    "response.reasoning.delta": Repairer._reasoning_delta,
    "response.reasoning.done": Repairer._reasoning_done,
    "response.function_call_arguments.delta": Repairer._arguments_delta,
    "response.function_call_arguments.done": Repairer._arguments_done,
    "response.output_item.added": Repairer._item_added,
    "response.output_item.done": Repairer._item_done,
    "response.completed": Repairer._completed,
    "response.incomplete": Repairer._completed,
    "response.failed": Repairer._failed,
    "response.cancelled": Repairer._failed,
    "response.error": Repairer._failed,
    "error": Repairer._failed,
}
