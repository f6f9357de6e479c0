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

from ..wire import openai
from .items import (
    KINDS,
    Event,
    Kind,
    answer_part,
    error_of,
    item_kind,
    mapping,
    message_parts,
    search_item,
    text_of,
    to_json,
    usage_counts,
)
from .numbering import Record, number_or_none, text_or_none
from .repair_base import NOTHING, Out
from .repair_calls import CallRepair
from .repair_reasoning import ReasoningRepair
from .repair_text import TextRepair


class Repairer(TextRepair, ReasoningRepair, CallRepair):
    """See the module."""

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

    def _part_added(self, event: Event) -> None:
        if kind := answer_part(event.get("part")):
            self._text_part_added(event, kind)
        elif mapping(event.get("part")).get("type") == "reasoning_text":
            self._announce_thinking_part(event, "content_index")

    def _part_done(self, event: Event) -> None:
        part = event.get("part")
        if kind := answer_part(part):
            self._text_part_done(event, kind)
        elif mapping(part).get("type") == "reasoning_text":
            self._finish_thinking_part(event, "content_index", text_of(mapping(part).get("text")))

    def _item_added(self, event: Event) -> None:
        fields = mapping(event.get("item"))
        kind = item_kind(fields)
        if kind is None:
            return
        text = to_json(fields)
        self._count(len(text))
        key = number_or_none(event.get("output_index"))
        known = self._find_announced(kind, key, fields, hash(text))
        if known is None:
            known = self._add(kind, key, fields)
        elif known.is_open:
            self._identify(known, fields)
        known.announcement = known.announcement or hash(text)
        self._end_previous(known, Kind.TEXT)

    def _find_announced(
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

    def _item_done(self, event: Event) -> None:
        fields = mapping(event.get("item"))
        kind = item_kind(fields)
        if kind is None:
            return
        self._count(len(to_json(fields)))
        key = number_or_none(event.get("output_index"))
        digest = _digest(kind, fields)
        record = self._find_finished(kind, key, fields, digest)
        if record is None:
            record = self._add(kind, key, fields)
            self._end_previous(record, Kind.TEXT)
        self._finish(record, fields)
        record.digest = digest

    def _find_finished(self, kind: Kind, key: int | None, fields: Mapping[str, Any], digest: int) -> Record | None:
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

    def _finish(self, record: Record, fields: Mapping[str, Any]) -> None:
        """The server's last word on an item."""
        FINISHERS[record.kind](self, record, fields)

    def _finish_search(self, record: Record, fields: Mapping[str, Any]) -> None:
        if record.is_open:
            record.identify(fields)
            self._items.learn_ids(record)
            self._close(record)

    def _complete_answer(self, event: Event) -> None:
        response = mapping(event.get("response"))
        if response.get("status") in ("failed", "cancelled"):
            self._fail(event)
            return
        output = response.get("output")
        self._finish_output(_merge_searches(output if isinstance(output, list) else ()))
        for record in self._items.records[:]:
            if record.is_open:
                self._finish(record, record.fields)
        counts = usage_counts(response.get("usage"))
        if response.get("status") == "incomplete" or event.get("type") == "response.incomplete":
            reason = text_of(mapping(response.get("incomplete_details")).get("reason"))
            self._out.append(openai.incomplete_event(counts, reason))
        else:
            self._out.append(openai.completed_event(counts))

    def _finish_output(self, output: list[Mapping[str, Any]]) -> None:
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

    def _fail(self, event: Event) -> None:
        self._out.append(openai.failed_event(error_of(event)))

    def _read_untyped(self, event: Event) -> None:
        """A server in between may report a failure without a type; some send the whole answer as one object."""
        if event.get("error") and not isinstance(event.get("output"), list):
            self._fail(event)
        elif event.get("object") == "response" or isinstance(event.get("output"), list):
            self._complete_answer({"response": event})


def _digest(kind: Kind, fields: Mapping[str, Any]) -> int:
    """A hash of what an item says when it is done: two messages that say the same under one id are one."""
    if kind is Kind.TEXT:
        return hash("".join(text for _, _, text, _ in message_parts(fields.get("content"))))
    return hash(to_json(fields))


def _merge_searches(output: Iterable[Any]) -> list[Mapping[str, Any]]:
    """The items of a finished answer that become something; a search that is there twice, once, with its query."""
    items: list[Mapping[str, Any]] = []
    searches: dict[str, int] = {}
    for item in output:
        kind = item_kind(item)
        name = item.get("id") if kind is Kind.SEARCH else None
        at = searches.setdefault(name, len(items)) if isinstance(name, str) else len(items)
        if at == len(items):
            items += [item] if kind else []
        elif search_item(item, 0)["action"]["query"]:
            items[at] = item
    return items


FINISHERS: dict[Kind, Callable[[Repairer, Record, Mapping[str, Any]], None]] = {
    Kind.TEXT: Repairer._finish_message,
    Kind.THINKING: Repairer._finish_reasoning,
    Kind.CALL: Repairer._finish_call,
    Kind.SEARCH: Repairer._finish_search,
}
# Event type → what it means; "" for events without a type. No other event says anything to the client.
HANDLERS: dict[str, Callable[[Repairer, Event], None]] = {
    "": Repairer._read_untyped,
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
    "response.completed": Repairer._complete_answer,
    "response.incomplete": Repairer._complete_answer,
    "response.failed": Repairer._fail,
    "response.cancelled": Repairer._fail,
    "response.error": Repairer._fail,
    "error": Repairer._fail,
}
