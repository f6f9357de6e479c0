"""One turn: a Messages request is translated, sent, and its answer handed on as it streams.

    turn = Turn(ask, proxy)
    await turn.run(sink)

An attempt is planned and translated anew each time, for what was learned since the last one. What follows a failed
attempt is decided in attempts.py, what a refusal teaches in learning.py, what is recorded in turn_record.py. Nothing
outlives the turn except what was learned and what was recorded.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..accounts.quota import read_headers
from ..claude.versions import TAKES_PART_FOR_WHOLE, parse_user_agent
from ..errors import InvalidRequest, UpstreamFailed
from ..translate.answer.blocks import Reply
from ..translate.answer.fold import Folder, Message
from ..translate.answer.stream import MessageStream, ResponseFailed
from ..translate.request.effort import named_level
from ..translate.request.tool_choice import forces_search
from ..translate.tools import only_searches
from ..translate.wire.json_text import encode_json
from ..translate.wire.sse import Event
from ..upstream.error_mapping import map_error
from ..upstream.error_report import Report
from ..upstream.refused_media import media_of
from ..upstream.stream import Refused, open_stream
from .attempts import Attempts, Failure, SearchSkipped, Step
from .context import Proxy
from .learning import Learning
from .plan import CLAUDE_CODE, Ask, Plan, make_plan, translate_as_planned
from .served_model import read_served_model
from .turn_record import TurnRecord

MOST_ATTEMPTS = 4
MOST_IF_CLIENT_RETRIES = 2  # Claude Code and Anthropic's SDKs send a failed request again by themselves


class Sink(Protocol):
    """Where an answer goes."""

    def accept(self, start: Callable[[], list[Event]]) -> None:
        """The upstream has answered 200; `start` makes the handshake, in case the client has to wait for more."""

    async def emit(self, events: list[Event]) -> None: ...


@dataclass
class Attempt:
    """One request to the backend and its answer."""

    plan: Plan
    body: dict[str, Any]  # emptied when the answer begins: a long answer must not hold it
    data: bytes  # the body, encoded
    tokens: int  # estimated
    searching: bool  # the hosted web search is declared
    must_search: bool  # the request is for a web search and nothing else, or forces one
    answer: MessageStream
    begun: bool = False  # the client has something of the answer


class Turn:
    """One request on its way; call `run` once."""

    def __init__(self, ask: Ask, proxy: Proxy):
        self.streaming = bool(ask.request.get("stream"))
        self._ask: Ask | None = ask  # None once no further attempt can be made: a long answer must not hold it
        self._proxy = proxy
        self._started = False  # the client was given message_start
        self._may_break_off = parse_user_agent(ask.user_agent) not in TAKES_PART_FOR_WHOLE
        self._folder = Folder()
        self._record = TurnRecord(ask, proxy)
        self._learning = Learning(proxy, client_drops_media=ask.user_agent.startswith(CLAUDE_CODE))
        most = MOST_IF_CLIENT_RETRIES if ask.client_retries else MOST_ATTEMPTS
        self._attempts = Attempts(most=most, delay=proxy.patience.retry)

    @property
    def id(self) -> str:
        return self._record.id

    @property
    def message(self) -> Message:
        """What was answered so far, as one Message."""
        return self._folder.message()

    async def run(self, sink: Sink) -> None:
        """Answer into `sink`. Raises ClaudegptError if there is no answer, or only a part of one."""
        self._note_main_loop()
        try:
            while not await self._try_once(sink):
                pass
        finally:
            self._record.close(sys.exception(), self._learning.messages, self._folder)

    def _note_main_loop(self) -> None:
        """Note the model that the main loop is set to, and the effort that its agents are to follow."""
        ask = self._ask
        if not ask or ask.agent_id or not ask.request.get("tools") or only_searches(ask.request["tools"]):
            return
        self._proxy.session_usage.note_model(ask.request["model"])
        self._proxy.session_efforts.note(ask.session_id, named_level(ask.request, ask.facts))

    async def _try_once(self, sink: Sink) -> bool:
        """Make one attempt and do what has to be done before the next. Returns whether the request was answered."""
        attempt = self._prepare()
        try:
            await self._send(attempt, sink)
            return True
        except (Refused, ResponseFailed, UpstreamFailed) as problem:
            failure = self._failure(problem, attempt)
        if attempt.begun and self._may_break_off and (rest := attempt.answer.break_off()):
            await sink.emit(self._note_sent(rest))
        step = self._attempts.after(failure)
        if step is Step.RAISE:
            raise failure.error
        if step is Step.RESEND_WITHOUT_SEARCH and isinstance(failure.error, SearchSkipped):
            self._learning.note_skipped_search(attempt.plan.choice.model)
        elif step is Step.RESEND_WITHOUT_SEARCH:
            self._learning.suspect_search(attempt.plan.choice.model)
        if step is Step.RESEND:
            await asyncio.sleep(self._attempts.wait(failure.error))
        return False

    def _prepare(self) -> Attempt:
        """Plan and translate the next attempt."""
        ask = self._ask
        assert ask is not None
        try:
            skipped = bool(self._learning.skipped)
            plan = make_plan(ask, self._learning.view(), silent=self._learning.silent, must_search=skipped)
        except InvalidRequest:  # no model is left that could be asked
            self._learning.keep()
            raise
        translation = translate_as_planned(ask, plan)
        data = encode_json(translation.body)
        tokens = translation.estimated_tokens(len(data))
        self._record.note_plan(plan, translation, data)
        searching = translation.table.web_search is not None
        only_searches_upstream = searching and len(translation.body["tools"]) == 1
        reply = Reply(
            message_id=f"msg_{self.id}",
            model=ask.request["model"],
            input_tokens=tokens,
            table=translation.table.for_answer(),
            stop_sequences=translation.stop_sequences,
            show_thinking=translation.show_thinking,
            started=self._started,
            titles_first=only_searches_upstream or not self.streaming,
        )
        forces = searching and forces_search(ask.request.get("tool_choice"), translation.table)
        # Newer versions of Claude Code leave the choice to the model, but want nothing except search results.
        is_side_request = ask.user_agent.startswith(CLAUDE_CODE) and only_searches(ask.request.get("tools") or ())
        must = forces or (searching and is_side_request)
        return Attempt(plan, translation.body, data, tokens, searching, must, MessageStream(reply))

    async def _send(self, attempt: Attempt, sink: Sink) -> None:
        proxy, target, answer = self._proxy, attempt.plan.target, attempt.answer
        async with open_stream(
            proxy.client, proxy.provider, attempt.data, cache_key=target.cache_key, limits=proxy.rules.limits
        ) as upstream:
            self._record.mark("accepted")
            proxy.session_usage.keep_windows(read_headers(upstream.headers))
            sink.accept(lambda: self._note_sent(answer.start()))
            held: list[Event] | None = [] if attempt.must_search else None  # until the search is seen
            async for events in upstream:
                outgoing, failure = _receive_all(answer, events)
                if not attempt.begun or answer.done:
                    self._note_served_model(attempt, upstream.headers, events)
                if held is not None:
                    held += outgoing
                    outgoing, held = (held, None) if any(map(_starts_search, outgoing)) else ([], held)
                if outgoing and (attempt.begun or not failure):
                    if not attempt.begun:
                        self._begin(attempt)
                    await sink.emit(self._note_sent(outgoing))
                if failure:
                    raise failure
                if answer.done:
                    break
            answer.finish()
            if held is not None:
                raise SearchSkipped(f"{target.model} answered a request for a web search without searching.")
            self._learning.note_answer(attempt.plan.choice.model, searched=attempt.searching)
            self._record.count(target.model, answer.usage)
            self._record.mark("done")
            if answer.stop_reason != "stop_sequence":  # there the upstream goes on, and must be cut off
                await upstream.drain()

    def _note_served_model(self, attempt: Attempt, headers: Mapping[str, str], events: list[Event]) -> None:
        asked, served = attempt.plan.target.model, read_served_model(headers, events)
        if served and not self._proxy.provider.tiers.literal:
            self._record.note_served_model(asked, served)

    def _begin(self, attempt: Attempt) -> None:
        """The first real event: no further attempt can be made."""
        attempt.begun = True
        attempt.body = {}
        self._record.mark("first")
        self._learning.keep()
        self._ask = None

    def _failure(self, problem: Refused | ResponseFailed | UpstreamFailed, attempt: Attempt) -> Failure:
        late = self._record.seconds > self._proxy.patience.again
        if isinstance(problem, UpstreamFailed):
            return Failure(problem, attempt.begun, False, late, attempt.searching)
        report = problem.report if isinstance(problem, Refused) else Report.of_event(problem.error)
        changed = not attempt.begun and self._learning.from_refusal(report, attempt.plan, attempt.body)
        media = {medium.kind for medium in media_of(attempt.body)}
        error = map_error(report, tokens=attempt.tokens, window=attempt.plan.window, media=media)
        return Failure(error, attempt.begun, changed, late, attempt.searching)

    def _note_sent(self, events: list[Event]) -> list[Event]:
        self._started = True
        for event in events:
            self._folder.add(event)
        return events


def _starts_search(event: Event) -> bool:
    return bool(event["type"] == "content_block_start" and event["content_block"]["type"] == "server_tool_use")


def _receive_all(stream: MessageStream, events: list[Event]) -> tuple[list[Event], Exception | None]:
    """What the client should see of events that arrived together, and the failure that ended them."""
    outgoing: list[Event] = []
    try:
        for event in events:
            outgoing += stream.receive(event)
    except (ResponseFailed, UpstreamFailed) as failure:
        return outgoing, failure
    return outgoing, None
