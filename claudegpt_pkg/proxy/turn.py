"""One turn: translate the request, send it, translate the answer back as it streams.

In time: the request is planned (which model, how much effort, which tools), translated and sent. Until the first real
event nothing has happened for the client, so what may succeed in a moment is tried again, and what the backend was
seen not to take is left out and sent again at once. After it, a failure is told, never repeated (backends.md §5).

Nothing here outlives the turn but `lessons`, which only save a refused request, and the effort that agents follow. What
a refusal taught becomes one once the request without it is answered. That a model has no search does once it was silent
with it in two turns, and answered without it in both: in one alone, the upstream may have been out for that moment.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from ..capabilities import Capabilities
from ..claude.versions import TAKES_PART_FOR_WHOLE, of_user_agent
from ..errors import ClaudegptError, EmptyAnswer, InvalidRequest, ServerFault, Unfinished, UpstreamFailed
from ..records.usage_log import Use
from ..translate.answer.blocks import Reply
from ..translate.answer.fold import Folder, Message
from ..translate.answer.stream import MessageStream, ResponseFailed
from ..translate.request.effort import named_level
from ..translate.tools import only_searches
from ..translate.wire.json_text import encode
from ..translate.wire.sse import Event
from ..upstream.error_mapping import may_retry, ours
from ..upstream.error_report import Report
from ..upstream.refusals import Trial
from ..upstream.stream import Refused, open_stream
from .plan import Ask, Proxy, plan, translated

ATTEMPTS = 4
MOST_LESSONS = 10  # of one turn: a backend that refuses everything must not be asked for ever


class Sink(Protocol):
    """Where an answer goes."""

    def accepted(self, start: Callable[[], list[Event]]) -> None:
        """The upstream has said 200; `start` gives the handshake, should the client have to wait for more."""

    async def emit(self, events: list[Event]) -> None: ...


class Turn:
    """One request on its way; `run` it once."""

    def __init__(self, ask: Ask, proxy: Proxy):
        self.id = uuid.uuid4().hex
        self.began = time.time()
        self._clock = time.perf_counter()
        self.streaming = bool(ask.request.get("stream"))
        self._ask: Ask | None = ask  # None once no further attempt can be made: a long answer must not hold it
        self._asked = ask.body
        self._with_tools = bool(ask.request.get("tools"))
        self._body = b"null"
        self._proxy = proxy
        self._started = False  # the client was given message_start
        self._asked_again = False  # after an empty answer
        self._trials: dict[str, Trial] = {}  # by model: what this turn goes without
        self._silent: set[str] = set()  # models that gave no answer while the hosted search was declared
        self._silent_before = {model for model, known in proxy.learned.items() if known.silent_search}
        self._may_break_off = of_user_agent(ask.user_agent) not in TAKES_PART_FOR_WHOLE
        self._folder = Folder()
        self._record: dict[str, Any] = {
            "id": self.id,
            "began": self.began,
            "client": ask.user_agent,
            "session": ask.session_id,
            "agent": ask.agent_id,
            "provider": proxy.provider.name,
        }
        self._learned: list[str] = []  # refusals that made the request another
        self._marks: dict[str, float] = {}  # milliseconds since the turn began

    @property
    def message(self) -> Message:
        """What was answered so far, as one Message."""
        return self._folder.message()

    async def run(self, sink: Sink) -> None:
        """Answer into `sink`. Raises ClaudegptError when there is no answer, or only a part of one."""
        self._note_main_loop()
        try:
            await self._until_answered(sink)
        except asyncio.CancelledError:
            self._proxy.ledger.broken_off += self._with_tools and "usage" not in self._record
            raise
        finally:
            self._keep_trace(sys.exception())

    def _note_main_loop(self) -> None:
        """What it is set to: its model, and the effort that its agents are to follow."""
        ask, proxy = self._ask, self._proxy
        if not ask or ask.agent_id or not self._with_tools or only_searches(ask.request["tools"]):
            return
        proxy.ledger.show(ask.request["model"])
        proxy.session_efforts.note(ask.session_id, named_level(ask.request))

    async def _until_answered(self, sink: Sink) -> None:
        attempt, delay = 1, self._proxy.patience.retry
        while True:
            self._stream = self._prepare()
            try:
                return await self._attempt(sink)
            except (Refused, ResponseFailed) as problem:
                report = problem.report if isinstance(problem, Refused) else Report.of_event(problem.error)
                if not self._real and self._learn(report):
                    continue
                error = ours(report, tokens=self._tokens, window=self._plan.window)
            except UpstreamFailed as problem:
                error = problem
            if self._real and self._may_break_off and (rest := self._stream.break_off()):
                await sink.emit(self._seen(rest))
            late = time.perf_counter() - self._clock > self._proxy.patience.again
            if self._real or late or attempt >= ATTEMPTS or not self._may_retry(error):
                if self._real or late or not self._may_leave_out_search(error):
                    raise error
                continue
            attempt += 1
            await asyncio.sleep(max(delay * random.uniform(0.5, 1.0), error.retry_after or 0))
            delay *= 2

    def _may_retry(self, error: ClaudegptError) -> bool:
        if isinstance(error, EmptyAnswer):
            again, self._asked_again = not self._asked_again, True
            return again
        return may_retry(error)

    def _may_leave_out_search(self, error: ClaudegptError) -> bool:
        """Some deployments do not refuse the hosted search: they answer nothing when it is declared, or fail."""
        if not (self._searching and isinstance(error, EmptyAnswer | Unfinished | ServerFault)):
            return False
        self._silent.add(self._plan.choice.model)
        return True

    def _prepare(self) -> MessageStream:
        """Plan and translate; anew at each attempt, for what was learnt since the last."""
        assert self._ask is not None
        self._real = False
        try:
            self._plan = plan(self._ask, self._tried(), silent=self._silent)
        except InvalidRequest:  # nothing is left that could be asked
            self._keep_lessons()
            raise
        translation = translated(self._ask, self._plan)
        self._sent = translation.body
        self._body = encode(self._sent)
        self._tokens = translation.estimated_tokens(len(self._body))
        target = self._plan.target
        self._searching = translation.table.web_search is not None
        self._record |= {"tier": self._plan.choice.tier, "model": target.model, "effort": target.effort}
        self._record["notes"] = translation.notes
        self._mark("translated")
        reply = Reply(
            message_id=f"msg_{self.id}",
            model=self._ask.request["model"],
            input_tokens=self._tokens,
            table=translation.table.for_answer(),
            stop_sequences=translation.stop_sequences,
            show_thinking=translation.show_thinking,
            started=self._started,
        )
        return MessageStream(reply)

    async def _attempt(self, sink: Sink) -> None:
        proxy, target, stream = self._proxy, self._plan.target, self._stream
        async with open_stream(
            proxy.client, proxy.provider, self._body, cache_key=target.cache_key, limits=proxy.rules.limits
        ) as upstream:
            self._mark("accepted")
            proxy.ledger.note(upstream.headers)
            sink.accepted(self._start)
            async for events in upstream:
                ours, failure = receive_all(stream, events)
                if ours and (self._real or not failure):
                    if not self._real:
                        self._commit()
                    upstream.begun = upstream.begun or any(map(is_delta, ours))
                    await sink.emit(self._seen(ours))
                if failure:
                    raise failure
                if stream.done:
                    break
            stream.finish()
            self._note_silence()
            self._count(stream.usage)
            self._mark("done")
            if stream.stop_reason != "stop_sequence":  # there the upstream goes on, and must be cut off
                await upstream.drain()

    def _count(self, usage: dict[str, Any]) -> None:
        proxy, self._record["usage"] = self._proxy, usage
        model, provider = proxy.provider.model(self._plan.target.model), proxy.provider
        spent = proxy.ledger.add(model, usage, turn=self._with_tools)
        if proxy.usage_log:
            proxy.usage_log.add(Use(time.time(), provider.name, provider.metered, model.id, spent))

    def _start(self) -> list[Event]:
        """The handshake, of whichever attempt is under way."""
        return self._seen(self._stream.start())

    def _commit(self) -> None:
        """The first real event: from here on there is no way back."""
        self._real = True
        self._mark("first")
        self._keep_lessons()
        self._ask, self._sent = None, {}

    def _seen(self, events: list[Event]) -> list[Event]:
        self._started = True
        for event in events:
            self._folder.add(event)
        return events

    def _learn(self, report: Report) -> bool:
        """Whether the refusal taught something, so that the request is worth sending again without it."""
        trial = self._trials.get(self._plan.choice.model) or Trial()
        if len(self._learned) >= MOST_LESSONS or not trial.learn(report, self._plan.known, self._sent):
            return False
        self._trials[self._plan.choice.model] = trial
        self._learned.append(report.message)
        return True

    def _keep_lessons(self) -> None:
        lessons = self._proxy.learned
        for model, trial in self._trials.items():
            lessons[model] = trial.helped(lessons.get(model) or Capabilities())

    def _tried(self) -> Proxy:
        """The proxy as this turn has it, with what was learnt since it began."""
        if not self._trials:
            return self._proxy
        lessons = self._proxy.learned
        tried = {model: trial.applied(lessons.get(model) or Capabilities()) for model, trial in self._trials.items()}
        return replace(self._proxy, learned={**lessons, **tried})

    def _note_silence(self) -> None:
        """There is an answer: with the search, or without it after silence with it."""
        lessons, model = self._proxy.learned, self._plan.choice.model
        for silent in self._silent:
            known, again = lessons.get(silent) or Capabilities(), silent in self._silent_before
            lessons[silent] = replace(known, web_search=known.web_search and not again, silent_search=not again)
            self._learned.append(f"No answer of {silent} while the hosted search was declared.")
        if self._searching and model in lessons:
            lessons[model] = replace(lessons[model], silent_search=False)

    def _mark(self, name: str) -> None:
        self._marks[name] = round((time.perf_counter() - self._clock) * 1000, 2)

    def _keep_trace(self, problem: BaseException | None) -> None:
        if self._proxy.traces:
            if problem and "done" not in self._marks:
                self._mark("failed")
                self._record["error"] = error_record(problem)
            record = {**self._record, "learned": self._learned, "milliseconds": self._marks}
            self._proxy.traces.keep(self.id, record, {"request": self._asked, "sent": self._body}, self._folder)


def error_record(problem: BaseException) -> dict[str, Any]:
    """How a turn ended that did not come to its end, for its trace."""
    if isinstance(problem, ClaudegptError):
        return {"kind": problem.kind, "status": problem.status, "message": str(problem)}
    if isinstance(problem, asyncio.CancelledError):
        return {"kind": "cancelled", "message": "the client went away"}
    return {"kind": "bug", "message": repr(problem)}


def is_delta(event: Event) -> bool:
    return bool(event["type"] == "content_block_delta")


def receive_all(stream: MessageStream, events: list[Event]) -> tuple[list[Event], Exception | None]:
    """What the client should see of events that arrived together, and the failure that ended them."""
    ours: list[Event] = []
    try:
        for event in events:
            ours += stream.receive(event)
    except (ResponseFailed, UpstreamFailed) as failure:
        return ours, failure
    return ours, None
