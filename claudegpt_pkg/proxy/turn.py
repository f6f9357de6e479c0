"""One turn: translate the request, send it, translate the answer back as it streams.

In time: the request is planned (which model, how much effort, which tools), translated and sent. Until the first real
event nothing has happened for the client, so what may succeed in a moment is tried again, and what the backend was
seen not to take is left out and sent again at once. After it, a failure is told, never repeated (backends.md §5).

Nothing here outlives the turn but `lessons`, which only save a refused request.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import httpx

from ..errors import ClaudegptError, EmptyAnswer, InvalidRequest, Unfinished, UpstreamFailed
from ..mcp import McpTools
from ..models import TIERS, Choice, Tier, choose, pick
from ..providers.base import Provider
from ..settings import (
    BLOCK_MCP,
    DROP_TOOLS,
    EFFORT,
    FIRST_EVENT_TIMEOUT,
    IDENTITY,
    IDLE_TIMEOUT,
    MAP_WEB_SEARCH,
    NO_WEB_SEARCH,
    PARALLEL_TOOLS,
    PASSTHROUGH,
    REASONING_HAIKU,
    REASONING_OPUS,
    REASONING_SONNET,
    TOOLS_REASONING,
    Settings,
)
from ..trace import Traces
from ..translate.blocks import Reply
from ..translate.effort import AGENT_DEFAULT, EffortRules, named, resolve, told_as
from ..translate.jsontext import TOO_DEEP, encode
from ..translate.message import Folder, Message
from ..translate.prompt import Identity
from ..translate.request import Target, Translation, conversation_key, translate
from ..translate.sse import Event
from ..translate.stream import MessageStream, ResponseFailed
from ..translate.tools import ToolRules, only_searches
from ..usage_log import UsageLog, Use
from .failures import Report, may_retry, ours
from .ledger import Ledger
from .lessons import Lessons, lesson
from .upstream import Limits, Refused, open_stream

ATTEMPTS = 4
MOST_LESSONS = 10  # of one turn: a backend that refuses everything must not be asked for ever
CLAUDE_CODE = "claude-cli/"  # how its user agent begins
# Claude Code before 2.1.10: after a whole block an error counts for nothing, and the part is the answer.
TAKES_PART_FOR_WHOLE = re.compile(r"claude-cli/([01]\.|2\.0\.|2\.1\.\d\b)")


@dataclass(frozen=True)
class Rules:
    """The user's settings, as far as a turn needs them."""

    passthrough: bool | None
    identity: bool
    tools: ToolRules
    effort: Mapping[Tier | None, EffortRules]
    limits: Limits
    no_web_search: tuple[str, ...] = ()  # parts of the names of models that get none

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        general, with_tools = settings[EFFORT], settings[TOOLS_REASONING]
        dropped: tuple[str, ...] = settings[DROP_TOOLS]
        forced = general if settings.source(EFFORT) == "flag" else None
        rules = EffortRules(
            default=general,
            most_with_tools=with_tools,
            forced=forced,
            meant_by=frozenset({told_as(forced)} if forced else ()),
        )
        return cls(
            passthrough=settings[PASSTHROUGH],
            identity=settings[IDENTITY],
            tools=ToolRules(
                drop=frozenset(dropped),
                block_mcp=settings[BLOCK_MCP],
                parallel=settings[PARALLEL_TOOLS],
                web_search=settings[MAP_WEB_SEARCH],
            ),
            effort={
                None: rules,
                "opus": replace(rules, default=forced or settings[REASONING_OPUS] or general),
                "sonnet": replace(rules, default=forced or settings[REASONING_SONNET] or general),
                "haiku": replace(rules, most=settings[REASONING_HAIKU]),
            },
            limits=Limits(settings[FIRST_EVENT_TIMEOUT], settings[IDLE_TIMEOUT]),
            no_web_search=settings[NO_WEB_SEARCH],
        )


@dataclass(frozen=True)
class Patience:
    """Seconds of the proxy's own pace."""

    hold: float = 3.0  # that the handshake waits for the first real event
    ping: float = 10.0  # of silence after which the client hears a ping
    retry: float = 0.5  # before the second attempt; doubled each time, with jitter
    again: float = 60.0  # after which no further attempt begins: whoever has waited so long should hear something


@dataclass
class Proxy:
    """What all turns share: the account, the rules, one HTTP client, and what the backend was seen not to take."""

    provider: Provider
    rules: Rules
    client: httpx.AsyncClient
    traces: Traces | None = None
    patience: Patience = field(default_factory=Patience)
    lessons: dict[str, Lessons] = field(default_factory=dict)  # by model
    ledger: Ledger = field(default_factory=Ledger)
    usage_log: UsageLog | None = None
    mcp: McpTools | None = None
    typed_effort: str | None = None  # instead of the one `--effort` gave, by `/effort`


@dataclass(frozen=True)
class Ask:
    """A valid Messages request, its bytes, and what its headers say."""

    request: dict[str, Any]
    body: bytes = b"{}"
    session_id: str | None = None
    agent_id: str | None = None
    user_agent: str = ""


class Sink(Protocol):
    """Where an answer goes."""

    def accepted(self, start: Callable[[], list[Event]]) -> None:
        """The upstream has said 200; `start` gives the handshake, should the client have to wait for more."""

    async def emit(self, events: list[Event]) -> None: ...


@dataclass(frozen=True)
class Plan:
    """What a request is to become: which model on which tier, and the target of its translation."""

    choice: Choice
    target: Target
    window: int
    lessons: Lessons


def plan(ask: Ask, proxy: Proxy, *, silent: Collection[str] = ()) -> Plan:
    """Decide everything that the request, the settings, the account and the lessons decide together.

    `silent`: models that gave no answer while the hosted search was declared.
    """
    request, provider, rules = ask.request, proxy.provider, proxy.rules
    choice = chosen(request, proxy, silent)
    model, backend = provider.model(choice.model), provider.backend
    known = proxy.lessons.get(choice.model) or Lessons()
    levels = known.efforts or model.efforts
    target = Target(
        model=choice.model,
        effort=resolve(request, suffix=choice.effort, rules=effort_rules(ask, proxy, choice.tier), levels=levels),
        cache_key=conversation_key(request, session_id=ask.session_id, agent_id=ask.agent_id),
        summary="auto" if known.summary else None,
        identity=Identity(model.name, model.id) if rules.identity else None,
        tools=tool_rules(ask, proxy, choice.model, known=known, silent=silent),
        instructions=backend.instructions,
        least_output_tokens=backend.max_output_tokens,
        media_in_outputs=known.media_in_outputs,
        obfuscation_option=backend.obfuscation_option,
        cache_retention=model.cache_retention,
        refused_includes=known.includes,
        refused_reasoning=known.refused_reasoning,
        phases=known.phases,
        keeps_thinking=ask.user_agent.startswith(CLAUDE_CODE),
    )
    return Plan(choice, target, model.window, known)


def effort_rules(ask: Ask, proxy: Proxy, tier: Tier | None) -> EffortRules:
    """With `--effort`, an agent on another model than the session's thinks as the main loop does: 2.1.330 would give it
    a default of its own."""
    rules = proxy.rules.effort[tier]
    if rules.forced is None:
        return rules
    if ask.agent_id:
        return replace(rules, forced=proxy.typed_effort or rules.forced, meant_by=rules.meant_by | {AGENT_DEFAULT})
    level = named(ask.request)
    if level and ask.request.get("tools"):
        proxy.typed_effort = None if level in rules.meant_by else level
    return rules


def chosen(request: Mapping[str, Any], proxy: Proxy, silent: Collection[str]) -> Choice:
    """The model for a request. Where the client does nothing but search, any tier's model that can will do.

    Where all of them were silent, the first is asked without it: an answer shows that it was the search. Raises
    InvalidRequest where none is known to have it: the client tells the model, which then goes on without.
    """
    tiers = proxy.provider.tiers
    choice = choose(request["model"], tiers, proxy.rules.passthrough)
    if not only_searches(request.get("tools") or ()):
        return choice
    for able in (choice, *(pick(tier, tiers) for tier in reversed(TIERS))):
        if can_search(able.model, proxy, silent):
            return able
    if silent:
        return choice
    raise InvalidRequest(
        f"Web search cannot be had: {choice.model} has none, and no other tier's model does."
        if proxy.rules.tools.web_search
        else f"Web search is turned off ({MAP_WEB_SEARCH.name})."
    )


def can_search(model: str, proxy: Proxy, silent: Collection[str]) -> bool:
    """Whether the backend's hosted search may be declared to a model."""
    known = proxy.lessons.get(model) or Lessons()
    excluded = any(part.lower() in model.lower() for part in proxy.rules.no_web_search)
    return proxy.rules.tools.web_search and known.web_search and not excluded and model not in silent


def tool_rules(ask: Ask, proxy: Proxy, model: str, *, known: Lessons, silent: Collection[str]) -> ToolRules:
    """Claude Code runs mutating calls one after another by itself: `auto` is `on` for it."""
    rules = proxy.rules.tools
    parallel = "on" if rules.parallel == "auto" and ask.user_agent.startswith(CLAUDE_CODE) else rules.parallel
    return replace(
        rules,
        parallel=parallel,
        tool_search=proxy.provider.backend.tool_search and known.tool_search,
        web_search=can_search(model, proxy, silent),
    )


def translated(ask: Ask, proxy: Proxy, plan: Plan) -> tuple[Translation, dict[str, Any]]:
    """The translation, and the body as this provider takes it."""
    try:
        translation = translate(ask.request, plan.target)
    except RecursionError:
        raise InvalidRequest(TOO_DEEP) from None
    body = proxy.provider.prepare(translation.body)
    return translation, {key: value for key, value in body.items() if key not in plan.lessons.parameters}


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
        self._silent: set[str] = set()  # models that gave no answer while the hosted search was declared
        self._may_break_off = not TAKES_PART_FOR_WHOLE.match(ask.user_agent)
        self._folder = Folder()
        self._record: dict[str, Any] = {
            "id": self.id,
            "began": self.began,
            "session": ask.session_id,
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
        try:
            await self._until_answered(sink)
        finally:
            self._keep_trace(sys.exception())

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
        """Some deployments refuse nothing and answer nothing when the hosted search is declared."""
        if not (self._searching and isinstance(error, EmptyAnswer | Unfinished)):
            return False
        self._silent.add(self._plan.choice.model)
        return True

    def _prepare(self) -> MessageStream:
        """Plan and translate; anew at each attempt, for what was learnt since the last."""
        assert self._ask is not None
        self._real = False
        self._plan = plan(self._ask, self._proxy, silent=self._silent)
        translation, self._sent = translated(self._ask, self._proxy, self._plan)
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
            self._remember_silence()
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
        self._ask, self._sent = None, {}

    def _seen(self, events: list[Event]) -> list[Event]:
        self._started = True
        for event in events:
            self._folder.add(event)
        return events

    def _learn(self, report: Report) -> bool:
        """Whether the refusal taught something, so that the request is worth sending again without it."""
        learned = lesson(report, self._plan.lessons, self._sent)
        if learned is None or len(self._learned) >= MOST_LESSONS:
            return False
        self._learned.append(report.message)
        model, lessons = self._plan.choice.model, self._proxy.lessons
        if model in lessons:  # perhaps another turn has learnt something else meanwhile
            learned = lesson(report, lessons[model], self._sent) or lessons[model]
        lessons[model] = learned
        return True

    def _remember_silence(self) -> None:
        """Without the search there is an answer: then it was the search."""
        lessons = self._proxy.lessons
        for model in self._silent:
            lessons[model] = replace(lessons.get(model) or Lessons(), web_search=False)
            self._learned.append(f"No answer of {model} while the hosted search was declared.")

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
