"""A message's events as the protocol has them: its parts announced, numbered and ended, each text told once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..wire import openai
from .items import Event, Kind, message_parts, part_text, read_citation
from .numbering import Part, Record, number_or_none
from .repair_base import DELTA_COST, WAITING_COST, RepairBase


class TextRepair(RepairBase):
    """The part of the repairer that reads messages."""

    def _text_delta(self, event: Event) -> None:
        delta = event.get("delta")
        if not isinstance(delta, str) or not delta:  # says nothing, and may well be another item's
            return
        record = self._record(Kind.TEXT, event)
        if record is None:
            return
        kind = "refusal" if event["type"] == "response.refusal.delta" else "output_text"
        part = self._find_part(record, event.get("content_index"), kind)
        self._emit_text(record, part, delta)
        if part.index == event.get("content_index") and part.type == kind:
            self._expect_same(event, record, part)

    def _text_done(self, event: Event) -> None:
        text = part_text(event)
        if not text:
            return
        record = self._record(Kind.TEXT, event, starts=True)
        kind = "refusal" if event["type"] == "response.refusal.done" else "output_text"
        if record and (part := self._find_finished_part(record, event.get("content_index"), kind, text)):
            self._emit_text(record, part, text[part.length :])
            part.whole = hash(text)

    def _text_part_added(self, event: Event, kind: str) -> None:
        record = self._record(Kind.TEXT, event, starts=True)
        if record is None:
            return
        key = number_or_none(event.get("content_index"))
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

    def _text_part_done(self, event: Event, kind: str) -> None:
        part = event["part"]
        text = part_text(part)
        record = self._record(Kind.TEXT, event, starts=bool(text))
        if record is None:
            return
        known = self._find_finished_part(record, event.get("content_index"), kind, text)
        if known is None:
            return
        self._emit_text(record, known, text[known.length :])
        notes = part.get("annotations")
        self._annotate(record, known, notes if isinstance(notes, list) else ())
        known.whole = hash(text)
        self._end_part(record, known)

    def _annotation(self, event: Event) -> None:
        note = read_citation(event.get("annotation"))
        record = self._record(Kind.TEXT, event, starts=True) if note else None
        if note is None or record is None:
            return
        key = number_or_none(event.get("content_index"))
        if not record.parts:
            self._add_part(record, key, "output_text", is_announced=False)
        part = record.keyed.get(key) or record.parts[-1]
        part.annotated = True
        self._emit_annotation(record, part, note)

    def _find_part(self, record: Record, number: Any, kind: str) -> Part:
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

    def _find_finished_part(self, record: Record, number: Any, kind: str, text: str) -> Part | None:
        """The part whose whole text is `text`; None if that part was already sent."""
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
        self._emit(record, openai.part_added_event(record.index, part.index, kind))
        return part

    def _emit_text(self, record: Record, part: Part, text: str) -> None:
        if not text:
            return
        self._note_content(record)
        self._count(len(text) + DELTA_COST)
        part.length += len(text)
        self._emit(record, openai.text_delta_event(record.index, part.index, part.type, text))

    def _annotate(self, record: Record, part: Part, notes: Iterable[Any], shift: int = 0) -> None:
        """Tell of annotations that did not come by themselves."""
        found = [note for note in (read_citation(note, shift) for note in notes) if note]
        if found and not part.annotated:
            part.annotated = True
            for note in found:
                self._emit_annotation(record, part, note)

    def _emit_annotation(self, record: Record, part: Part, note: openai.UrlCitation) -> None:
        self._count(len(note["url"]) + len(note["title"]) + WAITING_COST)
        self._emit(record, openai.annotation_added_event(record.index, part.index, note))

    def _finish_message(self, record: Record, fields: Mapping[str, Any]) -> None:
        while record.successor:
            record = record.successor
        if not record.is_open:
            rest = _missing_texts(record, message_parts(fields.get("content"))) if record.over else []
            if not rest:
                return
            record = self._continue_message(record)
        self._emit_missing_text(record, message_parts(fields.get("content")))
        self._identify(record, {name: fields[name] for name in ("id", "phase") if name in fields})
        self._close(record)

    def _emit_missing_text(self, record: Record, told: list[tuple[int, str, str, list[Any]]]) -> None:
        keys = {place for place, *_ in told}
        by_key = {part.key: part for part in record.parts if part.is_announced and part.key in keys}
        if not record.base and len(by_key) == len(record.parts) > 0:
            for place, kind, text, notes in told:
                part = by_key.get(place) or (self._add_part(record, place, kind, is_announced=True) if text else None)
                if part:
                    self._emit_text(record, part, text[part.length :])
                    self._annotate(record, part, notes)
            return
        for at, kind, rest in _missing_texts(record, told):
            last = record.parts[-1] if record.parts else None
            if last is None or last.is_done or (at == 0 and last.length):
                last = self._add_part(record, None, kind, is_announced=False)
            self._emit_text(record, last, rest)
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


def _missing_texts(record: Record, told: list[tuple[int, str, str, list[Any]]]) -> list[tuple[int, str, str]]:
    """(where it begins in its part, type, text) of what has not streamed of a message, counted by characters."""
    streamed = record.base + sum(part.length for part in record.parts)
    rest = []
    for _, kind, text, _ in told:
        if streamed < len(text):
            rest.append((streamed, kind, text[streamed:]))
        streamed = max(0, streamed - len(text))
    return rest
