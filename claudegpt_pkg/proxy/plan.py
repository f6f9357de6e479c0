"""What a request is to become: which model on which tier, how much effort, which tools, and the body to send.

    plan(ask, proxy)                  → Plan
    translated(ask, its_plan)         → Translation

The request, the settings, the account and what was learnt of it decide together. Nothing is sent here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from ..accounts.providers.base import Provider
from ..capabilities import Capabilities
from ..effort import EffortPolicy, SessionEfforts
from ..errors import InvalidRequest
from ..models import TIERS, Choice, choose, pick
from ..records.session_usage import Ledger
from ..records.trace import Traces
from ..records.usage_log import UsageLog
from ..settings.effort import effort_policy
from ..settings.options import (
    BLOCK_MCP,
    DROP_TOOLS,
    FIRST_EVENT_TIMEOUT,
    IDENTITY,
    IDLE_TIMEOUT,
    MAP_WEB_SEARCH,
    NO_WEB_SEARCH,
    PARALLEL_TOOLS,
    PASSTHROUGH,
)
from ..settings.settings import Settings
from ..translate.request.effort import read_requested_effort
from ..translate.request.system_prompt import Identity
from ..translate.request.translate import Target, Translation, conversation_key, translate
from ..translate.tools import ToolRules, only_searches
from ..translate.wire.json_text import TOO_DEEP
from ..upstream.stream import Limits
from .mcp_tools import McpTools

CLAUDE_CODE = "claude-cli/"  # how its user agent begins


@dataclass(frozen=True)
class Rules:
    """The user's settings, as far as a turn needs them."""

    passthrough: bool | None
    identity: bool
    tools: ToolRules
    effort: EffortPolicy
    limits: Limits
    no_web_search: tuple[str, ...] = ()  # parts of the names of models that get none

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        dropped: tuple[str, ...] = settings[DROP_TOOLS]
        return cls(
            passthrough=settings[PASSTHROUGH],
            identity=settings[IDENTITY],
            tools=ToolRules(
                drop=frozenset(dropped),
                block_mcp=settings[BLOCK_MCP],
                parallel=settings[PARALLEL_TOOLS],
                web_search=settings[MAP_WEB_SEARCH],
            ),
            effort=effort_policy(settings),
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
    learned: dict[str, Capabilities] = field(default_factory=dict)  # by model: less than what the provider states
    ledger: Ledger = field(default_factory=Ledger)
    usage_log: UsageLog | None = None
    mcp: McpTools | None = None
    session_efforts: SessionEfforts = field(init=False)

    def __post_init__(self) -> None:
        self.session_efforts = SessionEfforts(self.rules.effort)

    def known(self, model: str) -> Capabilities:
        """What was learned of a model, without what the provider states."""
        return self.learned.get(model) or Capabilities()

    def capabilities(self, model: str) -> Capabilities:
        """What a model takes: what the provider states, less what was learned."""
        return self.provider.capabilities.without(self.known(model))


@dataclass(frozen=True)
class Ask:
    """A valid Messages request, its bytes, and what its headers say."""

    request: dict[str, Any]
    body: bytes = b"{}"
    session_id: str | None = None
    agent_id: str | None = None
    user_agent: str = ""


@dataclass(frozen=True)
class Plan:
    """What a request is to become: which model on which tier, and the target of its translation."""

    choice: Choice
    target: Target
    window: int
    known: Capabilities  # what was learned of the model before this attempt


def plan(ask: Ask, proxy: Proxy, *, silent: Collection[str] = ()) -> Plan:
    """Decide everything that the request, the settings, the account and the lessons decide together.

    `silent`: models that gave no answer while the hosted search was declared.
    """
    request, provider, rules = ask.request, proxy.provider, proxy.rules
    choice = chosen(request, proxy, silent)
    model, taken = provider.model(choice.model), proxy.capabilities(choice.model)
    target = Target(
        model=choice.model,
        effort=rules.effort.for_request(
            read_requested_effort(request, session_id=ask.session_id, by_agent=bool(ask.agent_id)),
            tier=choice.tier,
            levels=levels(proxy, choice.model),
            suffix=choice.effort,
            sessions=proxy.session_efforts,
        ),
        cache_key=conversation_key(request, session_id=ask.session_id, agent_id=ask.agent_id),
        capabilities=replace(taken, web_search=can_search(choice.model, proxy, silent)),
        identity=Identity(model.name, model.id) if rules.identity else None,
        tools=tool_rules(ask, proxy),
        cache_retention=model.cache_retention,
        keeps_thinking=ask.user_agent.startswith(CLAUDE_CODE),
    )
    return Plan(choice, target, model.window, proxy.known(choice.model))


def levels(proxy: Proxy, model: str) -> tuple[str, ...]:
    """The levels of effort that a model takes, as was learnt or as the account says; from least to most."""
    return proxy.capabilities(model).efforts or proxy.provider.model(model).efforts


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
    excluded = any(part.lower() in model.lower() for part in proxy.rules.no_web_search)
    return (
        proxy.rules.tools.web_search and proxy.capabilities(model).web_search and not excluded and model not in silent
    )


def tool_rules(ask: Ask, proxy: Proxy) -> ToolRules:
    """Claude Code runs mutating calls one after another by itself: `auto` is `on` for it."""
    rules = proxy.rules.tools
    parallel = "on" if rules.parallel == "auto" and ask.user_agent.startswith(CLAUDE_CODE) else rules.parallel
    return replace(rules, parallel=parallel)


def translated(ask: Ask, plan: Plan) -> Translation:
    """Raises InvalidRequest for what cannot be translated."""
    try:
        return translate(ask.request, plan.target)
    except RecursionError:
        raise InvalidRequest(TOO_DEEP) from None
