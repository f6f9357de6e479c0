"""A call's events as the protocol has them: announced by its name, its arguments told once and whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..wire import openai
from .arguments import PARALLEL, parallel_calls
from .items import Event, Kind, mapping, text_of, to_json
from .numbering import Part, Record
from .repair_base import DELTA_COST, RepairBase, arguments_by_worth, write_or_empty


class CallRepair(RepairBase):
    """The part of the repairer that reads calls."""

    def _arguments_delta(self, event: Event) -> None:
        delta = event.get("delta")
        if isinstance(delta, dict):
            delta = to_json(delta)
        if not isinstance(delta, str) or not delta:
            return
        record = self._record(Kind.CALL, event)
        if record is None:
            return
        self._note_content(record)
        self._count(len(delta) + DELTA_COST)
        if not record.parts:
            record.parts.append(Part(0, None, "arguments", is_announced=True))
        record.parts[0].length += len(delta)
        self._emit(record, openai.arguments_delta_event(record.index, delta))
        self._expect_same(event, record, record.parts[0])

    def _arguments_done(self, event: Event) -> None:
        item = mapping(event.get("item"))
        given = event.get("arguments")
        given = item.get("arguments") if given is None else given
        record = self._record(Kind.CALL, event, starts=True) if given else self._items.for_delta(Kind.CALL, event)
        if record is None or not record.is_open:
            return
        self._count(len(to_json(given)))
        record.arguments.append(given)
        if not record.is_named:
            record.identify(
                {"name": event.get("name"), **{key: item[key] for key in ("name", "call_id") if key in item}}
            )

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
        streamed = "".join(text_of(mapping(event).get("delta")) for event in record.early)
        calls = next(
            (calls for given in (*arguments_by_worth(record), streamed) if (calls := parallel_calls(name, given))), []
        )
        record.is_open, record.is_named = False, True
        if not calls:  # the client is told of a tool that it does not have, and the model of its mistake
            record.early.insert(0, openai.item_added_event(record.index, self._announcement(record)))
            record.early += self._ended_call(record)
        else:
            record.early = []
            first = self._announcement(record)["call_id"]
        for at, (called, given) in enumerate(calls):
            self._items.count()
            index = record.index if at == 0 else self._items.spare_index()
            item = openai.function_call(f"{first}_{at}" if at else first, called, write_or_empty(given))
            record.early += [
                openai.item_added_event(index, {**item, "arguments": ""}),
                openai.arguments_delta_event(index, item["arguments"]),
                openai.arguments_done_event(index, item["arguments"]),
                openai.item_done_event(index, item),
            ]
        self._release()
