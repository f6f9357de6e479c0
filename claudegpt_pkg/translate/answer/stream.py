"""Responses events in, Messages events out: the one state machine for every answer.

    stream = MessageStream(reply)
    for event in upstream:               # dicts, as sse.Decoder gives them
        for out in stream.receive(event): ...
    stream.finish()                      # raises unless the answer came to its end

`receive` first lets repair.py turn the server's event into the protocol's own; the machine below relies on that and
looks nothing up twice. Each item of the answer becomes one or more *lanes*, each of which becomes one content block:

- One block is open at a time. The first lane that is not closed streams as its text arrives; the others wait.
- Lanes stand in the order in which their items were announced; all parts of a message come before what is behind it.
- A thinking block ends when it is known what the reasoning led to, because its signature carries that message's phase.
- A call whose arguments are not whole ends when the next item begins: only the length limit may cut it.
- A search's results wait for their titles, which only the citations of the text behind it name (`Reply.titles_first`),
  or follow behind that text.

A failure raises, so it can never look like `end_turn`. A KeyError, AttributeError or TypeError in here is a bug of ours
and nothing catches it here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any

from ...errors import EmptyAnswer, Unfinished
from ..wire import openai
from .arguments import ArgumentStream
from .blocks import BlockWriter, Reply
from .items import KINDS, Event, Kind
from .repair import Repairer


class State(Enum):
    """Where a lane is on its way to a block."""

    WAITING = auto()  # its block has not begun; the upstream may add to it
    STREAMING = auto()  # its block is open and gets each text at once
    WHOLE = auto()  # its block has not begun; the upstream has told all of it
    ENDING = auto()  # its block is open and has all its text; its end waits for what a later event tells
    CLOSED = auto()  # its block has ended, or it has none


class Signal(Enum):
    """What happens to a lane."""

    OPEN = auto()  # its block begins
    FINISH = auto()  # the upstream says that nothing more comes
    CLOSE = auto()  # its block ends
    SKIP = auto()  # it has nothing to show


TRANSITIONS = {
    (State.WAITING, Signal.OPEN): State.STREAMING,
    (State.WAITING, Signal.FINISH): State.WHOLE,
    (State.STREAMING, Signal.FINISH): State.ENDING,
    (State.STREAMING, Signal.CLOSE): State.CLOSED,  # a stop sequence, or the answer breaks off
    (State.WHOLE, Signal.OPEN): State.ENDING,
    (State.WHOLE, Signal.SKIP): State.CLOSED,
    (State.ENDING, Signal.CLOSE): State.CLOSED,
}
STREAMING = State.STREAMING  # looked up once: it is asked for with every delta
INCOMPLETE = {"max_output_tokens": "max_tokens", "content_filter": "refusal"}


class ResponseFailed(Exception):
    """The upstream reported within its stream that the answer failed; `error` is its own account of it."""

    def __init__(self, error: Mapping[str, Any]):
        super().__init__(error.get("message") or error.get("code") or "the upstream gave no reason")
        self.error = error


class Lane:
    """One item of the answer, or one part of a message, on its way to one block."""

    __slots__ = ("annotations", "arguments", "block", "last_part", "owner", "pending", "state", "whole")

    def __init__(self, owner: Item):
        self.owner = owner
        self.state = State.WAITING
        self.pending: list[str] = []  # texts that wait for the lane's turn
        self.annotations: list[openai.UrlCitation] = []
        self.last_part: Any = None  # the part of the reasoning that the last text belonged to
        self.arguments: ArgumentStream | None = None
        self.whole = ""  # a call's arguments as the upstream repeats them at the end
        self.block = -1  # its index, once it has begun

    def change(self, signal: Signal) -> None:
        self.state = TRANSITIONS[self.state, signal]


class Item:
    """One item of the answer, with its lanes in order."""

    __slots__ = ("fields", "has_blob", "is_done", "kind", "lanes", "order", "parts")

    def __init__(self, kind: Kind, order: int, fields: Mapping[str, Any]):
        self.kind = kind
        self.order = order
        self.fields = fields  # the item as the protocol has it
        self.has_blob = bool(fields.get("encrypted_content"))  # of reasoning: it will be worth a block
        self.is_done = False
        self.parts: dict[int, Lane] = {}  # by content_index; other items have one lane, at 0
        self.lanes: deque[Lane] = deque()  # those that are not closed

    def add_lane(self, part: int) -> Lane:
        lane = self.parts[part] = Lane(self)
        self.lanes.append(lane)
        return lane


class MessageStream:
    """See the module."""

    def __init__(self, reply: Reply):
        self._reply = reply
        self._repairer = Repairer(reply.message_id.removeprefix("msg_"))
        self._writer = BlockWriter(reply)
        self._items: dict[int, Item] = {}  # by output_index
        self._queue: deque[Item] = deque()  # those not finished, in order; the first one streams
        self._ended_text = -1  # order of the last message that is done
        self._all_known = False  # no more items will come
        self._is_cut = False  # the answer ended at its length limit
        self._refused = False
        self._late: list[Mapping[str, Any]] = []  # reasoning whose encrypted content came after its block was closed

    @property
    def done(self) -> bool:
        return self._writer.done

    @property
    def usage(self) -> dict[str, Any]:
        """The Messages API's; an estimate until the upstream tells."""
        return self._writer.usage

    @property
    def stop_reason(self) -> str | None:
        return self._writer.stop_reason

    def start(self) -> list[Event]:
        """message_start, if it has not been sent: for an answer that lets the client wait."""
        return self._writer.start()

    def receive(self, event: Event) -> list[Event]:
        """What the client should get for one upstream event; often nothing, sometimes several events.

        Raises ResponseFailed if the upstream reports a failure, EmptyAnswer for an answer that ends with nothing in it,
        UpstreamFailed for an answer that is larger than any real one.
        """
        if self._writer.done:
            return []
        if self._repairer.passes(event):
            return HANDLERS[event["type"]](self, event)
        out: list[Event] = []
        for each in self._repairer.repair(event):
            if not self._writer.done:
                out += HANDLERS[each["type"]](self, each)
        return out

    def finish(self) -> None:
        """To be called when the upstream's stream has ended. Raises Unfinished if the answer has not."""
        if not self.done:
            raise Unfinished("The upstream closed the connection before the answer was complete.")

    def break_off(self) -> list[Event]:
        """What to send before the answer ends in an error: the end of an open text block, or of a whole thought.

        After a whole block the newest client (2.1.330) asks for the rest by itself; within one it gives up. Half a
        thought or half a call is not made to look whole.
        """
        out: list[Event] = []
        item = self._queue[0] if self._queue and not self.done else None
        lane = item.lanes[0] if item and item.lanes else None
        if item and lane and lane.block >= 0:
            is_whole = item.kind is Kind.THINKING and lane.state is State.ENDING
            if item.kind is Kind.TEXT or is_whole:
                out = self._close(lane)
        self._queue.clear()
        return out

    # What the upstream tells, event by event.

    def _item_added(self, event: openai.ItemEvent) -> list[Event]:
        fields = event["item"]
        item = Item(KINDS[fields["type"]], len(self._items), fields)
        self._items[event["output_index"]] = item
        self._queue.append(item)
        if item.kind is not Kind.TEXT:
            item.add_lane(0)
        return self._advance()

    def _part_added(self, event: openai.PartAdded) -> list[Event]:
        self._items[event["output_index"]].add_lane(event["content_index"])
        return []

    def _text(self, event: openai.ContentDelta) -> list[Event]:
        lane = self._items[event["output_index"]].parts[event["content_index"]]
        if lane.state is STREAMING:
            return self._writer.text(lane.block, event["delta"])
        return self._wait(lane, event["delta"])

    def _refusal(self, event: openai.ContentDelta) -> list[Event]:
        self._refused = True
        return self._text(event)

    def _annotation(self, event: openai.AnnotationAdded) -> list[Event]:
        note = event["annotation"]
        self._writer.name_source(note["url"], note["title"])
        self._items[event["output_index"]].parts[event["content_index"]].annotations.append(note)
        return []

    def _part_done(self, event: openai.PartDone) -> list[Event]:
        self._items[event["output_index"]].parts[event["content_index"]].change(Signal.FINISH)
        return self._advance()

    def _summary(self, event: openai.SummaryDelta) -> list[Event]:
        return self._think(event, ("summary", event["summary_index"]))

    def _reasoning(self, event: openai.ContentDelta) -> list[Event]:
        return self._think(event, ("text", event["content_index"]))

    def _think(self, event: openai.SummaryDelta | openai.ContentDelta, part: tuple[str, int]) -> list[Event]:
        lane, text = self._items[event["output_index"]].parts[0], event["delta"]
        if part != lane.last_part:
            text = text if lane.last_part is None else "\n\n" + text
            lane.last_part = part
        return self._write(lane, text) if lane.state is STREAMING else self._wait(lane, text)

    def _arguments(self, event: openai.ArgumentsDelta) -> list[Event]:
        lane = self._items[event["output_index"]].parts[0]
        if lane.state is STREAMING and lane.arguments:
            return self._writer.arguments(lane.block, lane.arguments.feed(event["delta"]))
        return self._wait(lane, event["delta"])

    def _arguments_done(self, event: openai.ArgumentsDone) -> list[Event]:
        self._items[event["output_index"]].parts[0].whole = event["arguments"]
        return []

    def _item_done(self, event: openai.ItemEvent) -> list[Event]:
        item = self._items[event["output_index"]]
        item.fields = event["item"]
        if item.is_done:  # reasoning whose encrypted content comes late
            if item.parts[0].state is State.CLOSED and item.parts[0].block >= 0:
                self._late.append(item.fields)
            return []
        item.is_done = True
        if item.kind is Kind.TEXT:
            self._ended_text = max(self._ended_text, item.order)
        else:
            item.parts[0].change(Signal.FINISH)
        return self._advance()

    def _complete(self, event: openai.EndEvent) -> list[Event]:
        return self._end(event["response"]["usage"], "")

    def _incomplete(self, event: openai.EndEvent) -> list[Event]:
        reason = event["response"]["incomplete_details"]["reason"]
        return self._end(event["response"]["usage"], INCOMPLETE.get(reason, "max_tokens"))

    def _fail(self, event: openai.FailedEvent) -> list[Event]:
        raise ResponseFailed(event["response"]["error"])

    def _end(self, counts: Mapping[str, int], reason: str) -> list[Event]:
        self._all_known, self._is_cut = True, reason == "max_tokens"
        out = self._advance()
        writer = self._writer
        if writer.done:
            return out
        # Only where the turn goes on: `-p` prints the last block of the last message, which must be the answer. What
        # led to an answer the upstream does not need again.
        if self._reply.show_thinking and writer.called:
            for late in self._late:
                out += writer.late_thinking(late)
        out += writer.late_results()
        writer.count(counts)
        if reason:
            return out + writer.stop(reason)
        if writer.called:
            return out + writer.stop("tool_use")
        if not writer.answered:
            raise EmptyAnswer("The model ended its turn without an answer.", "Ask again.")
        return out + writer.stop("refusal" if self._refused else "end_turn")

    # What may go out now, and what must wait.

    def _wait(self, lane: Lane, text: str) -> list[Event]:
        """Keep a text until its lane's turn has come, which may be now."""
        lane.pending.append(text)
        return self._advance() if self._queue[0] is lane.owner else []

    def _advance(self) -> list[Event]:
        """Let each item in turn go as far as it can, until one is not finished."""
        out: list[Event] = []
        while self._queue and not self._writer.done:
            item = self._queue[0]
            while item.lanes:
                lane = item.lanes[0]
                out += self._move(lane)
                if lane.state is not State.CLOSED or self._writer.done:
                    return out
                item.lanes.popleft()
            if not item.is_done:
                return out
            self._queue.popleft()
        return out

    def _move(self, lane: Lane) -> list[Event]:
        """Let the lane whose turn it is go as far as it can."""
        out: list[Event] = []
        if lane.state in (State.WAITING, State.WHOLE):
            if not self._can_open(lane):
                if lane.state is State.WHOLE:
                    lane.change(Signal.SKIP)
                return out
            out += self._open(lane)
            lane.change(Signal.OPEN)
            for text in lane.pending:
                out += self._write(lane, text)
                if self._writer.done:
                    return out
            lane.pending.clear()
        if lane.state is State.ENDING and not self._is_held(lane):
            out += self._close(lane)
        return out

    def _can_open(self, lane: Lane) -> bool:
        """Whether the lane has something to show, and all is known that its block must begin with."""
        item, kind = lane.owner, lane.owner.kind
        if kind is Kind.THINKING:  # announced with its encrypted content, it begins before its first word
            is_worth_it = lane.pending or item.has_blob or item.fields.get("encrypted_content")
            return self._reply.show_thinking and bool(is_worth_it)
        if kind is Kind.SEARCH:
            return lane.state is State.WHOLE
        return kind is Kind.CALL or bool(lane.pending)

    def _open(self, lane: Lane) -> list[Event]:
        item, writer = lane.owner, self._writer
        if item.kind is Kind.TEXT:
            out = writer.open_text()
        elif item.kind is Kind.THINKING:
            out = writer.open_thinking()
        elif item.kind is Kind.CALL:
            out, lane.arguments = writer.open_call(item.fields)
        else:
            out = writer.open_search(item.fields)
        lane.block = writer.index
        return out

    def _write(self, lane: Lane, text: str) -> list[Event]:
        kind = lane.owner.kind
        if kind is Kind.TEXT:
            return self._writer.text(lane.block, text)
        if kind is Kind.THINKING:
            return self._writer.thinking(lane.block, text)
        assert lane.arguments
        return self._writer.arguments(lane.block, lane.arguments.feed(text))

    def _is_held(self, lane: Lane) -> bool:
        """Whether a lane's end must wait for the item after it."""
        if self._all_known:
            return False
        item = lane.owner
        if item.kind is Kind.SEARCH:
            waits = self._reply.titles_first and not self._writer.has_titles(item.fields)
            return waits and self._ended_text < item.order
        has_next = len(self._queue) > 1
        if item.kind is Kind.THINKING:
            return not has_next
        return lane.arguments is not None and not (has_next or lane.arguments.is_whole)

    def _close(self, lane: Lane) -> list[Event]:
        """End the lane's block with what belongs at its end."""
        item, writer = lane.owner, self._writer
        if item.kind is Kind.TEXT:
            out = writer.close_text(lane.annotations)
        elif item.kind is Kind.THINKING:
            following = self._queue[1].fields if len(self._queue) > 1 else {}
            out = writer.close_thinking(item.fields, following.get("phase"))
        elif item.kind is Kind.CALL:
            assert lane.arguments
            out = writer.close_call(lane.arguments.finish(lane.whole, may_be_cut=self._is_cut))
        else:
            out = writer.close_search(item.fields)
        lane.change(Signal.CLOSE)
        return out


HANDLERS: dict[str, Callable[[MessageStream, Any], list[Event]]] = {
    "response.output_text.delta": MessageStream._text,
    "response.function_call_arguments.delta": MessageStream._arguments,
    "response.reasoning_summary_text.delta": MessageStream._summary,
    "response.reasoning_text.delta": MessageStream._reasoning,
    "response.refusal.delta": MessageStream._refusal,
    "response.output_text.annotation.added": MessageStream._annotation,
    "response.content_part.added": MessageStream._part_added,
    "response.content_part.done": MessageStream._part_done,
    "response.function_call_arguments.done": MessageStream._arguments_done,
    "response.output_item.added": MessageStream._item_added,
    "response.output_item.done": MessageStream._item_done,
    "response.completed": MessageStream._complete,
    "response.incomplete": MessageStream._incomplete,
    "response.failed": MessageStream._fail,
}
