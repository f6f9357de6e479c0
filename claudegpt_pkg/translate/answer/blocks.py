"""The blocks of one Message, written one after the other: each method returns the Messages events it makes.

    writer = BlockWriter(reply)
    writer.open_text()              # message_start, if it is due, and content_block_start
    writer.text(writer.index, "Hi")
    writer.close_text([])
    writer.stop("end_turn")

Which block may be open when is decided in stream.py. Here stands what a block begins and ends with: a stop sequence
ends the message where it is met, a text block ends with its citations, a thinking block with its signature, a search
is followed by its results.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .. import reasoning
from ..tools import SEARCH_TOOL, ToolTable
from ..wire import anthropic, openai
from .argument_filter import senseless_values
from .arguments import ArgumentStream
from .items import Event
from .stop_filter import StopFilter

CHARS_PER_TOKEN = 4  # for the output of an answer whose usage is not known


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
    titles_first: bool = False  # a search's results wait for the text whose citations name their titles


class BlockWriter:
    """See the module. What has no underscore may be read at any time."""

    def __init__(self, reply: Reply):
        self.done = False
        self.usage: dict[str, Any] = anthropic.usage(input_tokens=reply.input_tokens)
        self.stop_reason: str | None = None
        self.answered = False  # there was text, a call, or a search: not only reasoning
        self.called = False
        self.index = -1  # of the block that began last
        self._reply = reply
        self._started = reply.started
        self._searches = 0  # that succeeded
        self._written = 0  # characters
        self._texts: list[str] = []  # of the open text block, for citations
        self._stop_filter: StopFilter | None = None  # of the open text block
        self._titles: dict[str, str] = {}  # of sources, by address, as citations name them
        self._results: list[Mapping[str, Any]] = []  # searches whose results are not told yet

    def start(self) -> list[Event]:
        """message_start, once."""
        if self._started:
            return []
        self._started = True
        reply = self._reply
        return [anthropic.message_start(message_id=reply.message_id, model=reply.model, usage=dict(self.usage))]

    def stop(self, reason: str, sequence: str | None = None) -> list[Event]:
        """The end of the message."""
        self.stop_reason = reason
        self.done = True
        delta = anthropic.message_delta(stop_reason=reason, stop_sequence=sequence, usage=self.usage)
        return [*self.start(), delta, anthropic.message_stop()]

    def count(self, counts: Mapping[str, int]) -> None:
        """Take the upstream's usage; what it does not count stays an estimate."""
        self.usage = anthropic.usage(
            input_tokens=counts.get("input_tokens") or self._reply.input_tokens,
            cached_tokens=counts.get("cached_tokens", 0),
            cache_write_tokens=counts.get("cache_write_tokens", 0),
            output_tokens=counts.get("output_tokens") or self._written // CHARS_PER_TOKEN + 1,
            searches=self._searches,
        )

    # Text.

    def open_text(self) -> list[Event]:
        self._texts = []
        self._stop_filter = StopFilter(self._reply.stop_sequences) if self._reply.stop_sequences else None
        self.answered = True
        return self._open(anthropic.text_block())

    def text(self, block: int, text: str) -> list[Event]:
        if self._stop_filter is None:
            self._written += len(text)
            self._texts.append(text)
            return [anthropic.text_delta(block, text)]
        text = self._stop_filter.feed(text)
        out = []
        if text:
            self._written += len(text)
            self._texts.append(text)
            out.append(anthropic.text_delta(block, text))
        if self._stop_filter.matched is not None:
            out.append(anthropic.content_block_stop(self.index))
            out += self.late_results()
            self.count({})
            out += self.stop("stop_sequence", self._stop_filter.matched)
        return out

    def close_text(self, annotations: Iterable[openai.UrlCitation]) -> list[Event]:
        out = []
        if self._stop_filter and (rest := self._stop_filter.flush()):
            self._texts.append(rest)
            out.append(anthropic.text_delta(self.index, rest))
        if annotations:
            whole = "".join(self._texts)
            out += [anthropic.citations_delta(self.index, _citation(note, whole)) for note in annotations]
        self._texts = []
        return [*out, anthropic.content_block_stop(self.index), *self.late_results()]

    # Thinking.

    def open_thinking(self) -> list[Event]:
        return self._open(anthropic.thinking_block())

    def thinking(self, block: int, text: str) -> list[Event]:
        self._written += len(text)
        return [anthropic.thinking_delta(block, text)]

    def close_thinking(self, item: Mapping[str, Any], phase: str | None) -> list[Event]:
        """`phase`: of the message that the reasoning led to."""
        signature = reasoning.sign(item, phase=phase)
        return [anthropic.signature_delta(self.index, signature), anthropic.content_block_stop(self.index)]

    def late_thinking(self, item: Mapping[str, Any]) -> list[Event]:
        """Reasoning whose encrypted content came when its block was closed."""
        return self._whole(anthropic.redacted_thinking_block(reasoning.sign(item, late=True)))

    # Calls.

    def open_call(self, item: Mapping[str, Any]) -> tuple[list[Event], ArgumentStream]:
        table = self._reply.table
        name = SEARCH_TOOL if item["type"] == "tool_search_call" else table.original(item["name"])
        self.answered = self.called = True
        out = self.late_results() + self._open(anthropic.tool_use_block(item["call_id"], name))
        return out, ArgumentStream(senseless_values(table.schemas.get(name) or {}))

    def arguments(self, block: int, text: str) -> list[Event]:
        if not text:
            return []
        self._written += len(text)
        return [anthropic.input_json_delta(block, text)]

    def close_call(self, rest: str) -> list[Event]:
        return [*self.arguments(self.index, rest), anthropic.content_block_stop(self.index)]

    # Searches that the server made.

    def open_search(self, item: Mapping[str, Any]) -> list[Event]:
        self.answered = True
        block = anthropic.server_tool_use_block(_search_id(item), self._reply.table.web_search or "web_search")
        query = anthropic.web_search_input(item["action"]["query"])
        return [*self._open(block), anthropic.input_json_delta(self.index, query)]

    def close_search(self, item: Mapping[str, Any]) -> list[Event]:
        """The search's end, and its results, unless their titles may still come."""
        self._results.append(item)
        end = anthropic.content_block_stop(self.index)
        return [end] if not (self._reply.titles_first or self.has_titles(item)) else [end, *self.late_results()]

    def has_titles(self, item: Mapping[str, Any]) -> bool:
        """Whether each source of a search has a title."""
        return all(source["title"] or source["url"] in self._titles for source in item["action"]["sources"])

    def name_source(self, url: str, title: str) -> None:
        """Note what a citation calls a source."""
        if title:
            self._titles.setdefault(url, title)

    def late_results(self) -> list[Event]:
        """The results of searches that have not been told."""
        searches, self._results = self._results, []
        return [event for item in searches for event in self._whole(self._search_results(item))]

    def _search_results(self, item: Mapping[str, Any]) -> anthropic.Block:
        if item["status"] == "failed":
            return anthropic.web_search_failed_block(_search_id(item))
        self._searches += 1
        results = [
            anthropic.web_search_result(
                url=source["url"], title=source["title"] or self._titles.get(source["url"]) or source["url"]
            )
            for source in item["action"]["sources"]
            if not self._reply.table.is_blocked(source["url"])
        ]
        return anthropic.web_search_tool_result_block(_search_id(item), results)

    # Blocks.

    def _open(self, block: anthropic.Block) -> list[Event]:
        self.index += 1
        return [*self.start(), anthropic.content_block_start(self.index, block)]

    def _whole(self, block: anthropic.Block) -> list[Event]:
        """A block that is complete from the start."""
        return [*self._open(block), anthropic.content_block_stop(self.index)]


def _search_id(item: Mapping[str, Any]) -> str:
    return "srvtoolu_" + re.sub(r"[^a-zA-Z0-9_]", "_", item["id"])


def _citation(note: openai.UrlCitation, text: str) -> dict[str, Any]:
    cited = text[note["start_index"] : note["end_index"]]
    return anthropic.web_citation(url=note["url"], title=note["title"], cited_text=cited)
