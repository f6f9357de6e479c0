"""Lanes in, Messages events out: contiguous blocks, one open at a time, in the order of the answer.

    blocks = Blocks(reply)
    blocks.add(lane)              # where it belongs: after the others of its item
    blocks.push(lane, "text")     # out at once if it is the lane's turn, else when it comes
    blocks.close(lane)            # nothing more will come
    blocks.stop("end_turn")       # the message's own end

What is to go out stands in `out`. message_start comes once and first. The first unfinished lane streams as it arrives,
later ones wait, each of them whole. A thinking block ends with its signature, once it is known what the reasoning led
to: that is part of it. A stop sequence ends the message where it is met.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .. import reasoning
from ..tools import SEARCH_TOOL, ToolTable
from ..wire import anthropic
from .argument_filter import ArgumentFilter, senseless_values
from .items import Event, Lane, citations, search_id
from .stop_filter import StopFilter

CHARS_PER_TOKEN = 4  # for the output of an answer cut before its usage is known


@dataclass(frozen=True)
class Reply:
    """What the answer's translation needs to know of the request."""

    message_id: str
    model: str  # as the client named it
    input_tokens: int  # estimated
    table: ToolTable
    stop_sequences: tuple[str, ...] = ()
    show_thinking: bool = True
    started: bool = False  # the client has its message_start


class Blocks:
    """See the module. All that is not underscored may be read at any time."""

    def __init__(self, reply: Reply):
        self.out: list[Event] = []
        self.started = reply.started
        self.done = False
        self.usage: dict[str, Any] = anthropic.usage(input_tokens=reply.input_tokens)
        self.stop_reason: str | None = None
        self.answered = False  # there was text, a call, or a search: not only reasoning
        self.called = False
        self.searches = 0
        self._reply = reply
        self._waiting: list[Lane] = []  # unfinished, in order; the first is the one that streams
        self._all_known = False  # no more lanes will come
        self._count = 0
        self._written = 0  # characters
        self._texts: list[str] = []  # of the open text block, for citations

    def add(self, lane: Lane) -> None:
        same_item = [at for at, other in enumerate(self._waiting) if other.place[0] == lane.place[0]]
        self._waiting.insert(same_item[-1] + 1 if same_item else len(self._waiting), lane)
        if self._waiting[0] is lane or self._waiting[0].closed:
            self._advance()

    def identify(self, lane: Lane, item: Mapping[str, Any]) -> None:
        """What the lane is of, where that was not known when it was added."""
        lane.item = item
        self._advance()

    def push(self, lane: Lane, text: str | None, part: Any = None) -> None:
        """Text for a lane: out at once if it is the lane's turn, else into its queue."""
        if lane.closed or not text:
            return
        if part != lane.part:
            if lane.part is not None and lane.kind == "thinking":
                self._pass(lane, "\n\n")
            lane.part = part
        lane.length[part] = lane.length.get(part, 0) + len(text)
        self._pass(lane, text)

    def push_rest(self, lane: Lane, whole: str, part: Any = None) -> None:
        """The end of a text of which a `done` event gives the whole."""
        self.push(lane, whole[lane.length.get(part, 0) :], part)

    def close(self, lane: Lane) -> None:
        if not lane.closed:
            lane.closed = True
            if self._waiting and self._waiting[0] is lane:
                self._advance()

    def no_more(self) -> None:
        """All lanes are known: nothing has to wait for the one after it."""
        self._all_known = True
        self._advance()

    def is_waiting(self, lane: Lane) -> bool:
        return lane in self._waiting

    def put(self, block: anthropic.Block) -> None:
        """A block that is whole from the start."""
        self._start_block(block)
        self._stop_block()

    def break_off(self) -> None:
        """End an open text block, or a thought that is whole; nothing comes after it."""
        self.no_more()
        lane = self._waiting[0] if self._waiting and not self.done else None
        if lane and lane.kind == "text" and lane.block is not None:
            self._end(lane)
            self._waiting.clear()

    def start(self) -> None:
        if not self.started:
            self.started = True
            reply = self._reply
            self.out.append(
                anthropic.message_start(message_id=reply.message_id, model=reply.model, usage=dict(self.usage))
            )

    def stop(self, reason: str, sequence: str | None = None) -> None:
        self.start()
        self.stop_reason = reason
        self.out.append(anthropic.message_delta(stop_reason=reason, stop_sequence=sequence, usage=self.usage))
        self.out.append(anthropic.message_stop())
        self.done = True

    def estimate_output(self) -> None:
        self.usage["output_tokens"] = self._written // CHARS_PER_TOKEN + 1

    # What may go out now, and what must wait.

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

    def _pass(self, lane: Lane, text: str) -> None:
        if lane.block is not None or (self._waiting[0] is lane and self._begin(lane)):
            self._write(lane, text)
        else:
            lane.queue.append(text)

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
            self.answered = True
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
            self.out.append(lane.delta(lane.block, text))  # type: ignore[arg-type]  # begun: it has an index
        if isinstance(lane.filter, StopFilter) and lane.filter.matched is not None:
            self._stop_at(lane.filter.matched)

    def _end(self, lane: Lane) -> None:
        """Close the lane's block with what belongs at its end."""
        if lane.block is None:
            return
        if lane.filter is not None and (rest := lane.filter.flush()):
            self.out.append(lane.delta(lane.block, rest))
            self._texts.append(rest)
        if lane.kind == "thinking":
            phase = self._waiting[1].item.get("phase") if len(self._waiting) > 1 else None
            self.out.append(anthropic.signature_delta(lane.block, reasoning.sign(dict(lane.item), phase=phase)))
        if lane.kind == "text":
            whole = "".join(self._texts)
            self.out += [anthropic.citations_delta(lane.block, cite) for cite in citations(lane.annotations, whole)]
        self._stop_block()
        if lane.kind == "search":
            self._search_results(lane)

    def _stop_at(self, sequence: str) -> None:
        self._stop_block()
        self.estimate_output()
        self.stop("stop_sequence", sequence)

    # Blocks.

    def _start_block(self, block: anthropic.Block) -> int:
        self.start()
        index, self._count = self._count, self._count + 1
        self.out.append(anthropic.content_block_start(index, block))
        return index

    def _stop_block(self) -> None:
        self.out.append(anthropic.content_block_stop(self._count - 1))

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
        self.called = True
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
        self.searches += 1
        self.put(anthropic.web_search_tool_result_block(search_id(lane), results))


STARTERS: dict[str, Callable[[Blocks, Lane], anthropic.Block | None]] = {
    "text": Blocks._text_block,
    "thinking": Blocks._thinking_block,
    "call": Blocks._call_block,
    "search": Blocks._search_block,
}
