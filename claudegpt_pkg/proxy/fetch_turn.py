"""A turn in which the proxy fetches web pages for the model: several rounds of `Turn`, one answer for the client.

    turn = FetchTurn(ask, proxy, web, tool)
    await turn.run(sink)

In each round the model may call the fetch function. The client sees such a call as `server_tool_use`, its result as
`web_fetch_tool_result`, and everything else as it streams. If a round calls no tool of the client's, the next round
sends the results to the model. The client gets one `message_start`, blocks numbered through, and one end with the usage
of all rounds. A page that cannot be had is a result with an error code, never the end of the turn.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import ClaudegptError
from ..translate.answer.fold import Folder, Message
from ..translate.request.web_fetch import SERVER_TOOL, FetchTool, mark_page, server_call_id, with_fetch_as_function
from ..translate.wire import anthropic
from ..translate.wire.json_text import loads
from ..translate.wire.sse import Event
from ..web.addresses import AddressRules, FetchError
from ..web.pages import Found
from .context import Proxy, WebFetch
from .plan import Ask
from .turn import Sink, Turn

CHARS_PER_TOKEN = 4
EXTRACT_TOKENS = 4_000
AGENT = "web-fetch"  # whose conversation the extracts are: a cache key of their own
COUNTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")


class FetchTurn:
    """One request with a fetch tool; call `run` once. From outside it looks like a `Turn`."""

    def __init__(self, ask: Ask, proxy: Proxy, web: WebFetch, tool: FetchTool):
        self.id = ask.request_id or uuid.uuid4().hex
        self.streaming = bool(ask.request.get("stream"))
        self._ask = ask
        self._proxy = proxy
        self._tool = tool
        self._folder = Folder()
        self._history: list[Any] = list(ask.request["messages"])
        self._most = min(tool.max_uses or web.most, web.most)
        self._pages = Pages(ask, proxy, web, tool, most=self._most)

    @property
    def message(self) -> Message:
        """What was answered so far, as one Message."""
        return self._folder.message()

    async def run(self, sink: Sink) -> None:
        """Answer into `sink`. Raises ClaudegptError if there is no answer, or only a part of one."""
        answer = Answer(sink, self._folder)
        last = self._most + 1  # the model can see in one more round that no fetch is left; then it has to answer
        for number in range(last + 1):
            turn, round_ = self._turn(number, last), Round(answer, self._tool, self._pages)
            try:
                await turn.run(round_)
                blocks = await round_.finish(turn.message["content"])
            finally:
                round_.cancel()
            if not round_.fetched or round_.called:
                break
            self._history.append({"role": "assistant", "content": blocks})
        await answer.end()

    def _turn(self, number: int, last: int) -> Turn:
        request = {**self._ask.request, "messages": self._history}
        if number == last:
            request["tool_choice"] = anthropic.no_tool_choice()
        elif number and (request.get("tool_choice") or {}).get("type") in ("any", "tool"):
            del request["tool_choice"]  # it was for the first round
        changed = with_fetch_as_function(request, self._tool)
        request_id = f"{self.id}-{number}" if number else self.id
        return Turn(replace(self._ask, request=changed, request_id=request_id), self._proxy)


class Pages:
    """Answers the calls of one turn."""

    def __init__(self, ask: Ask, proxy: Proxy, web: WebFetch, tool: FetchTool, *, most: int):
        self._ask = ask
        self._proxy = proxy
        self._web = web
        self._tool = tool
        self._left = most
        self._rules = AddressRules(tool.allowed_domains, tool.blocked_domains, web.private_hosts)

    async def answer(self, call_id: str, arguments: str) -> anthropic.Block:
        """The `web_fetch_tool_result` block for one call with these JSON arguments."""
        server_id = server_call_id(call_id)
        self._left -= 1
        if self._left < 0:
            return anthropic.web_fetch_error_block(server_id, "max_uses_exceeded")
        try:
            wanted = loads(arguments or "{}")
        except (ValueError, RecursionError):
            wanted = None
        if not isinstance(wanted, dict):
            return anthropic.web_fetch_error_block(server_id, "invalid_tool_input")
        try:
            found = await self._web.reader.read(wanted.get("url"), self._rules)
        except FetchError as problem:
            return anthropic.web_fetch_error_block(server_id, problem.code)
        return anthropic.web_fetch_result_block(
            server_id,
            url=found.url,
            title=found.title,
            text=await self._for_the_model(found, wanted.get("prompt")),
            retrieved_at=found.retrieved_at,
            citations=self._tool.citations,
        )

    async def _for_the_model(self, found: Found, question: Any) -> str:
        """The page's text, or the small model's extract if the page is long and a question was asked."""
        web, text, limit = self._web, found.text, self._tool.max_content_tokens
        if isinstance(question, str) and question.strip() and web.summarizer and len(text) > web.summary_chars:
            marked = mark_page(found.url, found.title, text)
            question, most = question.strip(), web.summary_chars
            try:
                extract = await web.reader.extract(marked, question, self._ask_small_model, most=most)
            except ClaudegptError:  # without the small model, the model reads the page itself
                extract = ""
            text = extract or text
        return text[: limit * CHARS_PER_TOKEN] if limit else text

    async def _ask_small_model(self, prompt: str) -> str:
        messages = [{"role": "user", "content": prompt}]
        request = {"model": self._web.summarizer, "max_tokens": EXTRACT_TOKENS, "messages": messages}
        ask = Ask(request, session_id=self._ask.session_id, agent_id=AGENT, user_agent=self._ask.user_agent)
        turn = Turn(ask, self._proxy)
        await turn.run(_Nowhere())
        return "".join(block.get("text") or "" for block in turn.message["content"])


class Answer:
    """The one answer that the client gets of all rounds."""

    def __init__(self, sink: Sink, folder: Folder):
        self.blocks = 0  # handed on so far
        self.fetches = 0
        self._sink = sink
        self._folder = folder
        self._accepted = self._started = False
        self._usage = dict.fromkeys(COUNTS, 0)
        self._searches = 0
        self._end: Event = {}

    def accept(self, start: Callable[[], list[Event]]) -> None:
        """Only the first round's handshake is the message's."""
        if not self._accepted:
            self._accepted = True
            self._sink.accept(lambda: self._note(start()))

    async def emit(self, events: list[Event]) -> None:
        if events := [event for event in events if event["type"] != "message_start" or not self._started]:
            await self._sink.emit(self._note(events))

    def keep_end(self, event: Event) -> None:
        """Keep the end of a round: its usage counts, and the last round's end is the answer's."""
        for name in COUNTS:
            self._usage[name] += event["usage"].get(name) or 0
        self._searches += (event["usage"].get("server_tool_use") or {}).get("web_search_requests") or 0
        self._end = event

    async def end(self) -> None:
        requests = {"web_search_requests": self._searches, "web_fetch_requests": self.fetches}
        usage = {**self._usage, "server_tool_use": requests}
        await self.emit([{**self._end, "usage": usage}, anthropic.message_stop()])

    def _note(self, events: list[Event]) -> list[Event]:
        for event in events:
            self._started = self._started or event["type"] == "message_start"
            self._folder.add(event)
        return events


@dataclass
class Fetch:
    """One call of the fetch function in a round."""

    index: int  # of its block in the round
    call_id: str
    arguments: list[str] = field(default_factory=list)  # as they stream
    result: asyncio.Task[anthropic.Block] | None = None  # once the call is whole


class Round:
    """The sink of one round. It numbers the blocks on, shows fetches as server tool use, and keeps the end back.

    What comes behind a fetch waits until the page is there, so that the client gets the blocks in their order.
    """

    def __init__(self, answer: Answer, tool: FetchTool, pages: Pages):
        self.called = False  # the model called a tool of the client's
        self.fetched = False
        self._answer = answer
        self._name = tool.name
        self._pages = pages
        self._next = answer.blocks  # the number of the next block in the answer
        self._fetches: dict[int, Fetch] = {}
        self._waiting: list[Event | Fetch] = []

    def accept(self, start: Callable[[], list[Event]]) -> None:
        self._answer.accept(start)

    async def emit(self, events: list[Event]) -> None:
        out: list[Event] = []
        for event in events:
            shown = self._take(event)
            if shown is None:
                continue
            if self._waiting:
                self._waiting.append(shown)
            else:
                out.append(self._number(shown))
            if shown["type"] == "content_block_stop" and (fetch := self._fetches.get(shown["index"])):
                arguments = "".join(fetch.arguments)
                fetch.result = asyncio.create_task(self._pages.answer(fetch.call_id, arguments))
                self._waiting.append(fetch)
        if out:
            await self._answer.emit(out)

    async def finish(self, content: list[anthropic.Block]) -> list[anthropic.Block]:
        """Hand on what waits for pages. Returns the round's blocks, of which `content` are the model's, as a history
        holds them."""
        results: dict[int, anthropic.Block] = {}
        out: list[Event] = []
        for waiting in self._waiting:
            if not isinstance(waiting, Fetch):
                out.append(self._number(waiting))
                continue
            if out:
                await self._answer.emit(out)
            assert waiting.result
            block = results[waiting.index] = await waiting.result
            self._answer.fetches += 1
            out = [anthropic.content_block_start(self._next, block), anthropic.content_block_stop(self._next)]
            self._next += 1
        if out:
            await self._answer.emit(out)
        self._answer.blocks = self._next
        history: list[anthropic.Block] = []
        for index, block in enumerate(content):
            if index in results:
                use = anthropic.server_tool_use_block(server_call_id(block["id"]), SERVER_TOOL)
                history += [{**use, "input": block["input"]}, results[index]]
            else:
                history.append(block)
        return history

    def cancel(self) -> None:
        """Stop what is still being fetched: the client went away, or the round failed."""
        for fetch in self._fetches.values():
            if fetch.result:
                fetch.result.cancel()

    def _take(self, event: Event) -> Event | None:
        """The event as the client sees it, still with this round's number; None if the client does not see it."""
        kind = event["type"]
        if kind == "content_block_start" and event["content_block"]["type"] == "tool_use":
            return self._tool_use(event)
        if kind == "content_block_delta" and (fetch := self._fetches.get(event["index"])):
            fetch.arguments.append(event["delta"].get("partial_json") or "")
        elif kind == "message_delta":
            stop = event["delta"]["stop_reason"]
            if stop == "tool_use" and not self.called:  # the client has nothing to run
                event = {**event, "delta": {**event["delta"], "stop_reason": "end_turn"}}
            self._answer.keep_end(event)
            return None
        elif kind == "message_stop":
            return None
        return event

    def _tool_use(self, event: Event) -> Event:
        block = event["content_block"]
        if block["name"] != self._name:
            self.called = True
            return event
        self.fetched = True
        self._fetches[event["index"]] = Fetch(event["index"], block["id"])
        use = anthropic.server_tool_use_block(server_call_id(block["id"]), SERVER_TOOL)
        return {**event, "content_block": use}

    def _number(self, event: Event) -> Event:
        """The event with its block's number in the answer: blocks follow one another, and one is open at a time."""
        kind = event["type"]
        if kind == "content_block_start":
            number, self._next = self._next, self._next + 1
        elif kind in ("content_block_delta", "content_block_stop"):
            number = self._next - 1
        else:
            return event
        return event if event["index"] == number else {**event, "index": number}


class _Nowhere:
    """The sink of the small model's answer: the turn itself keeps what was answered."""

    def accept(self, start: Callable[[], list[Event]]) -> None:
        return

    async def emit(self, events: list[Event]) -> None:
        return
