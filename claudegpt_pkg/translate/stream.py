"""Responses events in, Messages events out: the one state machine for every answer.

    stream = MessageStream(reply)
    for event in upstream:           # dicts, as sse.Decoder gives them
        for ours in stream.receive(event): ...
    stream.finish()                  # raises unless the answer came to its end

Rules it keeps. message_start comes once and first. Blocks have contiguous indices and one is open at a time: each item
of the answer is a *lane*; the first unfinished lane streams as it arrives, later ones wait in order, so items may
interleave as they like. What comes only in a `done` event, or only in `response.completed`, is made up for; what comes
twice is sent once; servers that number their items or parts wrongly, or not at all, are understood by what they say.
A thinking block ends with its signature, once it is known what the reasoning led to: that is part of it. A failure
raises: it can never look like `end_turn`.

Event facts: backends.md §1.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import EmptyAnswer, Unfinished, UpstreamFailed
from . import anthropic, reasoning
from .arguments import ArgumentFilter, senseless_values
from .jsontext import dumps
from .lane import (
    LANES,
    Lane,
    Place,
    citations,
    differs,
    head,
    search_id,
    search_input,
    text_parts,
    thinking_part,
)
from .stop import StopFilter
from .tools import SEARCH_TOOL, ToolTable

Event = dict[str, Any]

CHARS_PER_TOKEN = 4  # for the output of an answer cut before its usage is known
INCOMPLETE = {"max_output_tokens": "max_tokens", "content_filter": "refusal"}


class ResponseFailed(Exception):
    """The upstream said, within its stream, that the answer failed; `error` is its own account of it."""

    def __init__(self, error: Mapping[str, Any]):
        super().__init__(error.get("message") or error.get("code") or "the upstream gave no reason")
        self.error = error


@dataclass(frozen=True)
class Reply:
    """What the answer's translation needs to know of the request."""

    message_id: str
    model: str  # as the client named it
    input_tokens: int  # estimated
    table: ToolTable
    stop_sequences: tuple[str, ...] = ()
    show_thinking: bool = True


class MessageStream:
    """See the module. `started`, `done` and `usage` may be read at any time."""

    def __init__(self, reply: Reply):
        self.started = False
        self.done = False
        self.usage: dict[str, Any] = anthropic.usage(input_tokens=reply.input_tokens)
        self.stop_reason: str | None = None
        self._reply = reply
        self._out: list[Event] = []
        self._lanes: dict[Place, Lane] = {}
        self._moved: dict[str, int] = {}  # item id → its index here, where a server gave that to another item too
        self._waiting: list[Lane] = []  # unfinished, in order; the first is the one that streams
        self._all_known = False  # no more items will come
        self._blocks = 0
        self._open = False
        self._answered = False  # there was text, a call, or a search: not only reasoning
        self._called = False
        self._refused = False
        self._searches = 0
        self._late: list[Mapping[str, Any]] = []  # reasoning whose blob came after its block was closed
        self._written = 0  # characters
        self._texts: list[str] = []  # of the open text block, for citations

    def start(self) -> list[Event]:
        """message_start, if it has not been sent: for an answer that lets the client wait."""
        self._out = []
        self._start()
        return self._out

    def receive(self, event: Event) -> list[Event]:
        """What the client should see of one upstream event; often nothing, sometimes several events.

        Raises ResponseFailed where the upstream says so, EmptyAnswer for an answer that ends with nothing in it,
        UpstreamFailed for an event whose fields are not what the protocol has there.
        """
        try:
            handle = HANDLERS.get(event.get("type") or "")
            if handle is None or self.done:  # unknown events are passed over, here, on purpose
                return []
            self._out = []
            handle(self, event)
        except (AttributeError, TypeError) as problem:
            kind = event.get("type")
            raise UpstreamFailed(f"The upstream sent {kind} in another shape than the protocol's.") from problem
        return self._out

    def finish(self) -> None:
        """To be called when the upstream's stream has ended. Raises Unfinished if the answer has not."""
        if not self.done:
            raise Unfinished("The upstream closed the connection before the answer was complete.")

    def break_off(self) -> list[Event]:
        """What to say before the answer ends in an error: the end of an open text block.

        After a whole block the newest client (2.1.330) asks for the rest by itself; within one it gives up. Half a
        thought or half a call is not made to look whole.
        """
        self._out = []
        lane = self._waiting[0] if self._waiting and not self.done else None
        if lane and lane.kind == "text" and lane.block is not None:
            self._end(lane)
            self._waiting.clear()
        return self._out

    # Text, thinking and arguments as they arrive.

    def _text(self, event: Event) -> None:
        place = (event.get("output_index") or 0, event.get("content_index") or 0)
        lane = self._lanes.get(place)
        if lane is None:
            if not event.get("delta"):  # says nothing, and may well be another item's
                return
            lane = self._add_lane("text", place, {})
        self._push(lane, event.get("delta"))

    def _refusal(self, event: Event) -> None:
        self._refused = True
        self._text(event)

    def _text_done(self, event: Event) -> None:
        self._text_so_far(self._place(event), event.get("text") or event.get("refusal") or "")

    def _part_added(self, event: Event) -> None:
        place = self._place(event)
        if (event.get("part") or {}).get("type") in ("output_text", "refusal") and place not in self._lanes:
            self._add_lane("text", place, {})

    def _part_done(self, event: Event) -> None:
        index, part = self._index(event), event.get("content_index") or 0
        self._message_part((index, part), event.get("part") or {})
        lane = self._lanes.get((index, part))
        if lane and not lane.closed:
            if (index, part + 1) not in self._lanes:  # the message may go on: what comes after it must wait
                self._add_lane("text", (index, part + 1), {})
            self._close(lane)

    def _annotation(self, event: Event) -> None:
        lane = self._lanes.get(self._place(event))
        if lane and isinstance(event.get("annotation"), dict):
            lane.annotations.append(event["annotation"])

    def _thinking(self, event: Event) -> None:
        self._push(self._lane("thinking", event), event.get("delta"), thinking_part(event))

    def _thinking_done(self, event: Event) -> None:
        self._push_rest(self._lane("thinking", event), event.get("text") or "", thinking_part(event))

    def _thinking_part_added(self, event: Event) -> None:
        self._lane("thinking", event)

    def _thinking_part_done(self, event: Event) -> None:
        text = (event.get("part") or {}).get("text") or ""
        self._push_rest(self._lane("thinking", event), text, thinking_part(event))

    def _arguments(self, event: Event) -> None:
        delta = event.get("delta")
        self._push(self._lane("call", event), delta if isinstance(delta, str) or not delta else dumps(delta))

    def _arguments_done(self, event: Event) -> None:
        if event.get("arguments"):
            self._push_arguments(self._lane("call", event), event["arguments"])

    def _push_arguments(self, lane: Lane, arguments: Any) -> None:
        if isinstance(arguments, str):
            self._push_rest(lane, arguments)
        elif not lane.length:  # an object; its own text may differ from what streamed
            self._push(lane, dumps(arguments or {}))

    def _lane(self, kind: str, event: Event) -> Lane:
        place = (self._index(event), kind)
        return self._lanes.get(place) or self._add_lane(kind, place, {})

    def _place(self, event: Event) -> Place:
        return self._index(event), event.get("content_index") or 0

    def _index(self, event: Event) -> int:
        index: int = event.get("output_index") or 0
        if not self._moved:
            return index
        return self._moved.get(event.get("item_id") or (event.get("item") or {}).get("id") or "", index)

    # Items.

    def _item_added(self, event: Event) -> None:
        item, index = event.get("item") or {}, self._index(event)
        if kind := LANES.get(item.get("type") or ""):
            lane = self._lanes.get(head(index, kind))
            if lane and lane.item and (lane.closed or differs(lane.item, item)):
                self._move(index, kind)
            self._announce(index, kind, item)

    def _item_done(self, event: Event) -> None:
        item, index = event.get("item") or {}, self._index(event)
        if kind := LANES.get(item.get("type") or ""):
            lane = self._lanes.get(head(index, kind))
            if lane and lane.closed and event.get("output_index") is None and differs(lane.item, item):
                self._move(index, kind)
            self._complete(index, kind, item)

    def _move(self, index: int, kind: str) -> None:
        """Make room at an index for an item of the same kind: some servers number all items 0, or none."""
        free = min(place[0] for place in (*self._lanes, (0, 0))) - 1
        for lane in self._lanes_of(index, kind):
            del self._lanes[lane.place]
            lane.place = (free, lane.place[1])
            self._lanes[lane.place] = lane
            if lane.item.get("id"):
                self._moved[lane.item["id"]] = free

    def _lanes_of(self, index: int, kind: str) -> list[Lane]:
        return [lane for place, lane in self._lanes.items() if place[0] == index and lane.kind == kind]

    def _announce(self, index: int, kind: str, item: Mapping[str, Any]) -> None:
        lane = self._lanes.get(head(index, kind))
        if lane is None:
            self._add_lane(kind, head(index, kind), item)
        elif not lane.item:
            lane.item = item
            self._advance()

    def _complete(self, index: int, kind: str, item: Mapping[str, Any]) -> None:
        self._announce(index, kind, item)
        COMPLETERS[kind](self, index, item)
        for lane in self._lanes_of(index, kind):
            self._close(lane)

    def _complete_message(self, index: int, item: Mapping[str, Any]) -> None:
        parts = text_parts(item.get("content"))
        places: list[Place] = [(index, at) for at in range(len(parts))]
        streamed = [lane.place for lane in self._lanes_of(index, "text") if lane.length]
        if not set(streamed) <= set(places):  # numbered otherwise than they stand
            places = [*streamed, *(place for place in places if place not in streamed)]
        for place, part in zip(places, parts, strict=False):
            self._message_part(place, part)

    def _message_part(self, place: Place, part: Mapping[str, Any]) -> None:
        if part.get("type") == "refusal":
            self._refused = True
        self._text_so_far(place, part.get("text") or part.get("refusal") or "")
        lane = self._lanes.get(place)
        if lane and not lane.annotations:
            lane.annotations += [note for note in part.get("annotations") or () if isinstance(note, dict)]

    def _text_so_far(self, place: Place, text: str) -> None:
        lane = self._lanes.get(place)
        if lane is None and text:
            lane = self._add_lane("text", place, {})
        if lane:
            self._push_rest(lane, text)

    def _complete_reasoning(self, index: int, item: Mapping[str, Any]) -> None:
        lane = self._lanes[index, "thinking"]
        if not lane.closed:
            lane.item = item
            texts = {("summary", at): part for at, part in enumerate(text_parts(item.get("summary")))}
            texts |= {("text", at): part for at, part in enumerate(text_parts(item.get("content")))}
            if lane.length.keys() <= texts.keys():  # else they were numbered otherwise while they streamed
                for at, part in texts.items():
                    self._push_rest(lane, part.get("text") or "", at)
        elif item.get("encrypted_content") and not lane.item.get("encrypted_content"):
            lane.item = item
            if lane not in self._waiting:
                self._late.append(lane.item)

    def _complete_call(self, index: int, item: Mapping[str, Any]) -> None:
        lane = self._lanes[index, "call"]
        if not lane.closed:
            lane.item = {**lane.item, **{key: value for key, value in item.items() if value is not None}}
            self._push_arguments(lane, item.get("arguments"))

    def _complete_search(self, index: int, item: Mapping[str, Any]) -> None:
        lane = self._lanes[index, "search"]
        if not lane.closed:
            lane.item = item
            lane.queue.append(search_input(item))

    # Lanes: what may go out now, and what must wait.

    def _add_lane(self, kind: str, place: Place, item: Mapping[str, Any]) -> Lane:
        lane = Lane(kind, place, item)
        same_item = [at for at, other in enumerate(self._waiting) if other.place[0] == place[0]]
        self._lanes[place] = lane
        self._waiting.insert(same_item[-1] + 1 if same_item else len(self._waiting), lane)
        if self._waiting[0] is lane or self._waiting[0].closed:
            self._advance()
        return lane

    def _push(self, lane: Lane, text: str | None, part: Any = None) -> None:
        """Text for a lane: out at once if it is the lane's turn, else into its queue."""
        if lane.closed or not text:
            return
        if part != lane.part:
            if lane.part is not None and lane.kind == "thinking":
                self._pass(lane, "\n\n")
            lane.part = part
        lane.length[part] = lane.length.get(part, 0) + len(text)
        self._pass(lane, text)

    def _push_rest(self, lane: Lane, whole: str, part: Any = None) -> None:
        """The end of a text of which a `done` event gives the whole."""
        self._push(lane, whole[lane.length.get(part, 0) :], part)

    def _pass(self, lane: Lane, text: str) -> None:
        if lane.block is not None or (self._waiting[0] is lane and self._begin(lane)):
            self._write(lane, text)
        else:
            lane.queue.append(text)

    def _close(self, lane: Lane) -> None:
        if not lane.closed:
            lane.closed = True
            if self._waiting and self._waiting[0] is lane:
                self._advance()

    def _advance(self) -> None:
        """Let the first waiting lane go as far as it can, and each after it, until one is unfinished."""
        while self._waiting and not self.done:
            lane = self._waiting[0]
            if lane.kind != "text" or lane.queue:
                if lane.block is None and not self._begin(lane):
                    if not lane.closed:
                        return
                    lane.queue.clear()  # nothing can be made of it: a call without a name, muted reasoning
                queue, lane.queue = lane.queue, []
                for text in queue:
                    self._write(lane, text)
            if not lane.closed or self.done or self._is_held(lane):
                return
            self._end(lane)
            if self.done:
                return
            self._waiting.pop(0)

    def _is_held(self, lane: Lane) -> bool:
        """Whether a lane's end must wait for the item after it: the signature of reasoning carries what is said there
        of the message it led to."""
        return lane.kind == "thinking" and lane.block is not None and len(self._waiting) == 1 and not self._all_known

    def _begin(self, lane: Lane) -> bool:
        """Open the lane's block, if it is to have one and all is known that its start must say."""
        block = STARTERS[lane.kind](self, lane)
        if block is None:
            return False
        if lane.kind != "thinking":
            self._answered = True
        lane.block = self._start_block(block)
        return True

    def _write(self, lane: Lane, text: str) -> None:
        if self.done:  # a stop sequence was met
            return
        if lane.filter is not None:
            text = lane.filter.feed(text)
        if text:
            self._written += len(text)
            if lane.kind == "text":
                self._texts.append(text)
            self._out.append(lane.delta(lane.block, text))  # type: ignore[arg-type]  # begun: it has an index
        if isinstance(lane.filter, StopFilter) and lane.filter.matched is not None:
            self._stop_at(lane.filter.matched)

    def _end(self, lane: Lane) -> None:
        """Close the lane's block with what belongs at its end."""
        if lane.block is None:
            return
        if lane.filter is not None and (rest := lane.filter.flush()):
            self._out.append(lane.delta(lane.block, rest))
            self._texts.append(rest)
        if lane.kind == "thinking":
            phase = self._waiting[1].item.get("phase") if len(self._waiting) > 1 else None
            self._out.append(anthropic.signature_delta(lane.block, reasoning.sign(dict(lane.item), phase=phase)))
        if lane.kind == "text":
            whole = "".join(self._texts)
            self._out += [anthropic.citations_delta(lane.block, cite) for cite in citations(lane.annotations, whole)]
        self._stop_block()
        if lane.kind == "search":
            self._search_results(lane)

    # Blocks.

    def _start(self) -> None:
        if not self.started:
            self.started = True
            reply = self._reply
            self._out.append(
                anthropic.message_start(message_id=reply.message_id, model=reply.model, usage=dict(self.usage))
            )

    def _start_block(self, block: anthropic.Block) -> int:
        self._start()
        index, self._blocks = self._blocks, self._blocks + 1
        self._open = True
        self._out.append(anthropic.content_block_start(index, block))
        return index

    def _stop_block(self) -> None:
        self._open = False
        self._out.append(anthropic.content_block_stop(self._blocks - 1))

    def _text_block(self, lane: Lane) -> anthropic.Block:
        self._texts = []
        if self._reply.stop_sequences:
            lane.filter = StopFilter(self._reply.stop_sequences)
        return anthropic.text_block()

    def _thinking_block(self, lane: Lane) -> anthropic.Block | None:
        return anthropic.thinking_block() if self._reply.show_thinking else None

    def _call_block(self, lane: Lane) -> anthropic.Block | None:
        table, item = self._reply.table, lane.item
        if item.get("type") == "tool_search_call":
            name: str | None = SEARCH_TOOL
        else:
            name = table.original(item["name"]) if item.get("name") else None
        call_id = item.get("call_id") or item.get("id")
        if not name or not call_id:
            return None
        self._called = True
        if empties := senseless_values(table.schemas.get(name) or {}):
            lane.filter = ArgumentFilter(empties)
        return anthropic.tool_use_block(call_id, name)

    def _search_block(self, lane: Lane) -> anthropic.Block | None:
        if not lane.closed:
            return None
        return anthropic.server_tool_use_block(search_id(lane), self._reply.table.web_search or "web_search")

    def _search_results(self, lane: Lane) -> None:
        action = lane.item.get("action") or {}
        sources = [source for source in action.get("sources") or () if isinstance(source, dict) and source.get("url")]
        results = [
            anthropic.web_search_result(url=source["url"], title=source.get("title") or source["url"])
            for source in sources
        ]
        self._searches += 1
        self._start_block(anthropic.web_search_tool_result_block(search_id(lane), results))
        self._stop_block()

    # The end.

    def _completed(self, event: Event) -> None:
        response = event.get("response") or {}
        if response.get("status") in ("failed", "cancelled"):
            self._failed(event)
        self._make_up(response.get("output") or ())
        if self.done:
            return
        self._read_usage(response.get("usage"))
        if response.get("status") == "incomplete" or event["type"] == "response.incomplete":
            reason = (response.get("incomplete_details") or {}).get("reason")
            self._end_message(INCOMPLETE.get(reason or "", "max_tokens"))
        elif self._called:
            self._end_message("tool_use")
        elif not self._answered:
            raise EmptyAnswer("The model ended its turn without an answer.", "Ask again.")
        else:
            self._end_message("refusal" if self._refused else "end_turn")

    def _make_up(self, output: Iterable[Any]) -> None:
        """Items that only the end of the answer tells of, and the end of those that were never closed."""
        known = [item for item in output if isinstance(item, dict) and item.get("type") in LANES]
        streamed = [self._streamed_as(item) for item in known]
        for item, lane in zip(known, streamed, strict=True):
            if lane and lane.kind == "thinking":  # before any block that still waits is let go: its blob belongs to it
                self._complete_reasoning(lane.place[0], item)
        claimed = {(lane.kind, lane.place[0]) for lane in streamed if lane}
        for item, lane in zip(known, streamed, strict=True):
            kind = LANES[item["type"]]
            lane = lane or self._unclaimed(kind, claimed)
            index = lane.place[0] if lane else max((place[0] for place in self._lanes), default=-1) + 1
            claimed.add((kind, index))
            self._complete(index, kind, item)
        for lane in list(self._lanes.values()):
            self._close(lane)
        self._all_known = True
        self._advance()
        if not self.done and self._reply.show_thinking:
            for late in self._late:
                self._start_block(anthropic.redacted_thinking_block(reasoning.sign(dict(late), late=True)))
                self._stop_block()

    def _streamed_as(self, item: Mapping[str, Any]) -> Lane | None:
        """The lane in which an item of the finished answer was streamed, known by its id or call_id."""
        own = {item[key] for key in ("id", "call_id") if item.get(key)}
        lanes = (lane for lane in self._lanes.values() if lane.kind == LANES[item["type"]])
        return next((lane for lane in lanes if own & {lane.item.get("id"), lane.item.get("call_id")}), None)

    def _unclaimed(self, kind: str, claimed: Collection[tuple[str, int]]) -> Lane | None:
        """Some servers give an item another id at the end: then it is the first of its kind that no id tells."""
        lanes = (lane for lane in self._lanes.values() if lane.kind == kind)
        return next((lane for lane in lanes if (kind, lane.place[0]) not in claimed), None)

    def _read_usage(self, usage: Mapping[str, Any] | None) -> None:
        if not usage:
            self._estimate_output()
            return
        details = usage.get("input_tokens_details") or {}
        self.usage = anthropic.usage(
            input_tokens=usage.get("input_tokens") or 0,
            cached_tokens=details.get("cached_tokens") or 0,
            cache_write_tokens=details.get("cache_write_tokens") or 0,
            output_tokens=usage.get("output_tokens") or 0,
            searches=self._searches,
        )

    def _estimate_output(self) -> None:
        self.usage["output_tokens"] = self._written // CHARS_PER_TOKEN + 1

    def _stop_at(self, sequence: str) -> None:
        self._stop_block()
        self._estimate_output()
        self._end_message("stop_sequence", sequence)

    def _end_message(self, reason: str, sequence: str | None = None) -> None:
        self._start()
        self.stop_reason = reason
        self._out.append(anthropic.message_delta(stop_reason=reason, stop_sequence=sequence, usage=self.usage))
        self._out.append(anthropic.message_stop())
        self.done = True

    def _failed(self, event: Event) -> None:
        response = event.get("response") or {}
        error = response.get("error") or event.get("error") or event
        raise ResponseFailed(error if isinstance(error, dict) else {"message": str(error)})

    def _untyped(self, event: Event) -> None:
        """A server in between may say that it failed in an event of no type."""
        if event.get("error"):
            self._failed(event)


STARTERS: dict[str, Callable[[MessageStream, Lane], anthropic.Block | None]] = {
    "text": MessageStream._text_block,
    "thinking": MessageStream._thinking_block,
    "call": MessageStream._call_block,
    "search": MessageStream._search_block,
}
COMPLETERS: dict[str, Callable[[MessageStream, int, Mapping[str, Any]], None]] = {
    "text": MessageStream._complete_message,
    "thinking": MessageStream._complete_reasoning,
    "call": MessageStream._complete_call,
    "search": MessageStream._complete_search,
}
HANDLERS: dict[str, Callable[[MessageStream, Event], None]] = {
    "": MessageStream._untyped,
    "response.output_text.delta": MessageStream._text,
    "response.output_text.done": MessageStream._text_done,
    "response.output_text.annotation.added": MessageStream._annotation,
    "response.refusal.delta": MessageStream._refusal,
    "response.refusal.done": MessageStream._text_done,
    "response.content_part.added": MessageStream._part_added,
    "response.content_part.done": MessageStream._part_done,
    "response.reasoning_summary_part.added": MessageStream._thinking_part_added,
    "response.reasoning_summary_part.done": MessageStream._thinking_part_done,
    "response.reasoning_summary_text.delta": MessageStream._thinking,
    "response.reasoning_summary_text.done": MessageStream._thinking_done,
    "response.reasoning_text.delta": MessageStream._thinking,
    "response.reasoning_text.done": MessageStream._thinking_done,
    "response.function_call_arguments.delta": MessageStream._arguments,
    "response.function_call_arguments.done": MessageStream._arguments_done,
    "response.output_item.added": MessageStream._item_added,
    "response.output_item.done": MessageStream._item_done,
    "response.completed": MessageStream._completed,
    "response.incomplete": MessageStream._completed,
    "response.failed": MessageStream._failed,
    "response.cancelled": MessageStream._failed,
    "error": MessageStream._failed,
}
