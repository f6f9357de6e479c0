"""Reasoning's events as the protocol has them: summaries and raw text, in parts numbered from 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..wire import openai
from .items import Event, Kind, mapping, replayable_reasoning, text_of, thinking_texts
from .numbering import Part, Record, number_or_none
from .repair_base import DELTA_COST, RepairBase


class ReasoningRepair(RepairBase):
    """The part of the repairer that reads reasoning."""

    def _summary_delta(self, event: Event) -> None:
        self._thinking_delta(event, "summary_index")

    def _reasoning_delta(self, event: Event) -> None:
        self._thinking_delta(event, "content_index")

    def _summary_done(self, event: Event) -> None:
        self._finish_thinking_part(event, "summary_index", text_of(event.get("text")))

    def _reasoning_done(self, event: Event) -> None:
        self._finish_thinking_part(event, "content_index", text_of(event.get("text")))

    def _summary_part_added(self, event: Event) -> None:
        self._announce_thinking_part(event, "summary_index")

    def _summary_part_done(self, event: Event) -> None:
        self._finish_thinking_part(
            event, "summary_index", text_of(mapping(event.get("part")).get("text")), is_part=True
        )

    def _thinking_delta(self, event: Event, numbered_by: str) -> None:
        delta = event.get("delta")
        if not isinstance(delta, str) or not delta:
            return
        record = self._record(Kind.THINKING, event)
        if record is not None:
            part = self._thinking_part(record, event.get(numbered_by), numbered_by)
            self._emit_thinking(record, part, delta)
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

    def _finish_thinking_part(self, event: Event, numbered_by: str, text: str, *, is_part: bool = False) -> None:
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
                self._emit_thinking(record, part, text[part.length :])
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

    def _emit_thinking(self, record: Record, part: Part, text: str) -> None:
        if not text:
            return
        self._note_content(record)
        self._count(len(text) + DELTA_COST)
        part.length += len(text)
        delta = openai.summary_delta_event if part.type == "summary_index" else openai.reasoning_delta_event
        self._emit(record, delta(record.index, part.index, text))

    def _finish_reasoning(self, record: Record, fields: Mapping[str, Any]) -> None:
        if record.is_open:
            told = {
                "summary_index": thinking_texts(fields.get("summary")),
                "content_index": thinking_texts(fields.get("content")),
            }
            if all(told[part.type] for part in record.parts if part.length):
                for numbered_by, texts in told.items():
                    self._emit_missing_thinking(record, numbered_by, texts)
            if fields is not record.fields:
                record.fields.pop("encrypted_content", None)  # that of the announcement is not the final one
                record.identify(fields)
            self._items.learn_ids(record)
            self._close(record)
        elif not replayable_reasoning(record.fields).get("encrypted_content") and (
            late := replayable_reasoning({**record.fields, **{key: fields[key] for key in fields if fields[key]}})
        ).get("encrypted_content"):
            record.fields = late
            self._emit(record, openai.item_done_event(record.index, late))

    def _emit_missing_thinking(self, record: Record, numbered_by: str, texts: list[str]) -> None:
        """What has not streamed of one of the two ways in which reasoning is told."""
        streamed = sum(part.length for part in record.parts if part.type == numbered_by)
        for text in texts:
            if streamed >= len(text):
                streamed -= len(text)
                continue
            last = record.parts[-1] if record.parts else None
            if last is None or last.type != numbered_by or (last.length and not streamed):
                last = self._add_thinking_part(record, None, numbered_by, is_announced=False)
            self._emit_thinking(record, last, text[streamed:])
            streamed = 0
