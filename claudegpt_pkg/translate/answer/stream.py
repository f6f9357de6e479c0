"""Responses events in, Messages events out: the one state machine for every answer.

    stream = MessageStream(reply)
    for event in upstream:           # dicts, as sse.Decoder gives them
        for ours in stream.receive(event): ...
    stream.finish()                  # raises unless the answer came to its end

Each item of the answer is a *lane* on its way to a block (blocks.py), so items may interleave as they like. What comes
only in a `done` event, or only in `response.completed`, is made up for; what comes twice is sent once; servers that
number their items or parts wrongly, or not at all, are understood by what they say. A failure raises: it can never look
like `end_turn`.

Event facts: backends.md §1.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from ...errors import EmptyAnswer, Unfinished, UpstreamFailed
from .. import reasoning
from ..wire import anthropic
from ..wire.json_text import dumps
from .blocks import Blocks, Reply
from .items import LANES, Event, Lane, Place, differs, head, search_input, text_parts, thinking_part

INCOMPLETE = {"max_output_tokens": "max_tokens", "content_filter": "refusal"}


class ResponseFailed(Exception):
    """The upstream said, within its stream, that the answer failed; `error` is its own account of it."""

    def __init__(self, error: Mapping[str, Any]):
        super().__init__(error.get("message") or error.get("code") or "the upstream gave no reason")
        self.error = error


class MessageStream:
    """See the module."""

    def __init__(self, reply: Reply):
        self._blocks = Blocks(reply)
        self._shows_thinking = reply.show_thinking
        self._lanes: dict[Place, Lane] = {}
        self._moved: dict[str, int] = {}  # item id → its index here, where a server gave that to another item too
        self._refused = False
        self._late: list[Mapping[str, Any]] = []  # reasoning whose blob came after its block was closed

    @property
    def done(self) -> bool:
        return self._blocks.done

    @property
    def usage(self) -> dict[str, Any]:
        """The Messages API's; an estimate until the upstream tells."""
        return self._blocks.usage

    @property
    def stop_reason(self) -> str | None:
        return self._blocks.stop_reason

    def start(self) -> list[Event]:
        """message_start, if it has not been sent: for an answer that lets the client wait."""
        self._blocks.out = []
        self._blocks.start()
        return self._blocks.out

    def receive(self, event: Event) -> list[Event]:
        """What the client should see of one upstream event; often nothing, sometimes several events.

        Raises ResponseFailed where the upstream says so, EmptyAnswer for an answer that ends with nothing in it,
        UpstreamFailed for an event whose fields are not what the protocol has there.
        """
        try:
            handle = HANDLERS.get(event.get("type") or "")
            if handle is None or self._blocks.done:  # unknown events are passed over, here, on purpose
                return []
            self._blocks.out = []
            handle(self, event)
        except (AttributeError, TypeError) as problem:
            kind = event.get("type")
            raise UpstreamFailed(f"The upstream sent {kind} in another shape than the protocol's.") from problem
        return self._blocks.out

    def finish(self) -> None:
        """To be called when the upstream's stream has ended. Raises Unfinished if the answer has not."""
        if not self.done:
            raise Unfinished("The upstream closed the connection before the answer was complete.")

    def break_off(self) -> list[Event]:
        """What to say before the answer ends in an error: the end of an open text block, or of a whole thought.

        After a whole block the newest client (2.1.330) asks for the rest by itself; within one it gives up. Half a
        thought or half a call is not made to look whole.
        """
        self._blocks.out = []
        self._blocks.break_off()
        return self._blocks.out

    # Text, thinking and arguments as they arrive.

    def _text(self, event: Event) -> None:
        place = (event.get("output_index") or 0, event.get("content_index") or 0)
        lane = self._lanes.get(place)
        if lane is None:
            if not event.get("delta"):  # says nothing, and may well be another item's
                return
            lane = self._add_lane("text", place, {})
        self._blocks.push(lane, event.get("delta"))

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
            self._blocks.close(lane)

    def _annotation(self, event: Event) -> None:
        lane = self._lanes.get(self._place(event))
        if lane and isinstance(event.get("annotation"), dict):
            lane.annotations.append(event["annotation"])

    def _thinking(self, event: Event) -> None:
        self._blocks.push(self._lane("thinking", event), event.get("delta"), thinking_part(event))

    def _thinking_done(self, event: Event) -> None:
        self._blocks.push_rest(self._lane("thinking", event), event.get("text") or "", thinking_part(event))

    def _thinking_part_added(self, event: Event) -> None:
        self._lane("thinking", event)

    def _thinking_part_done(self, event: Event) -> None:
        text = (event.get("part") or {}).get("text") or ""
        self._blocks.push_rest(self._lane("thinking", event), text, thinking_part(event))

    def _arguments(self, event: Event) -> None:
        delta = event.get("delta")
        self._blocks.push(self._lane("call", event), delta if isinstance(delta, str) or not delta else dumps(delta))

    def _arguments_done(self, event: Event) -> None:
        if event.get("arguments"):
            self._push_arguments(self._lane("call", event), event["arguments"])

    def _push_arguments(self, lane: Lane, arguments: Any) -> None:
        if isinstance(arguments, str):
            self._blocks.push_rest(lane, arguments)
        elif not lane.length:  # an object; its own text may differ from what streamed
            self._blocks.push(lane, dumps(arguments or {}))

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
            self._blocks.identify(lane, item)

    def _complete(self, index: int, kind: str, item: Mapping[str, Any]) -> None:
        self._announce(index, kind, item)
        COMPLETERS[kind](self, index, item)
        for lane in self._lanes_of(index, kind):
            self._blocks.close(lane)

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
            self._blocks.push_rest(lane, text)

    def _complete_reasoning(self, index: int, item: Mapping[str, Any]) -> None:
        lane = self._lanes[index, "thinking"]
        if not lane.closed:
            lane.item = item
            texts = {("summary", at): part for at, part in enumerate(text_parts(item.get("summary")))}
            texts |= {("text", at): part for at, part in enumerate(text_parts(item.get("content")))}
            if lane.length.keys() <= texts.keys():  # else they were numbered otherwise while they streamed
                for at, part in texts.items():
                    self._blocks.push_rest(lane, part.get("text") or "", at)
        elif item.get("encrypted_content") and not lane.item.get("encrypted_content"):
            lane.item = item
            if not self._blocks.is_waiting(lane):
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

    def _add_lane(self, kind: str, place: Place, item: Mapping[str, Any]) -> Lane:
        lane = self._lanes[place] = Lane(kind, place, item)
        self._blocks.add(lane)
        return lane

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
            self._blocks.stop(INCOMPLETE.get(reason or "", "max_tokens"))
        elif self._blocks.called:
            self._blocks.stop("tool_use")
        elif not self._blocks.answered:
            raise EmptyAnswer("The model ended its turn without an answer.", "Ask again.")
        else:
            self._blocks.stop("refusal" if self._refused else "end_turn")

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
            self._blocks.close(lane)
        self._blocks.no_more()
        # Only where the turn goes on: `-p` prints the last block of the last message, which must be the answer. What
        # led to an answer the upstream does not need again.
        if not self.done and self._shows_thinking and self._blocks.called:
            for late in self._late:
                self._blocks.put(anthropic.redacted_thinking_block(reasoning.sign(dict(late), late=True)))

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
            self._blocks.estimate_output()
            return
        details = usage.get("input_tokens_details") or {}
        self._blocks.usage = anthropic.usage(
            input_tokens=usage.get("input_tokens") or 0,
            cached_tokens=details.get("cached_tokens") or 0,
            cache_write_tokens=details.get("cache_write_tokens") or 0,
            output_tokens=usage.get("output_tokens") or 0,
            searches=self._blocks.searches,
        )

    def _failed(self, event: Event) -> None:
        response = event.get("response") or {}
        error = response.get("error") or event.get("error") or event
        raise ResponseFailed(error if isinstance(error, dict) else {"message": str(error)})

    def _untyped(self, event: Event) -> None:
        """A server in between may say that it failed in an event of no type."""
        if event.get("error"):
            self._failed(event)


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
