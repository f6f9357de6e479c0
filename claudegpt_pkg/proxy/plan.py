"""Decides what a request becomes: which model on which tier, how much effort, which tools.

    plan = make_plan(ask, proxy)
    translation = translate_as_planned(ask, plan)

The request, the settings, the account and what was learned about the model decide together. Nothing is sent here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ..capabilities import Capabilities
from ..errors import InvalidRequest
from ..models import TIERS, ModelChoice, choose_for_tier, choose_model
from ..settings.options import MAP_WEB_SEARCH
from ..translate.request.cache_key import conversation_key
from ..translate.request.conversation_facts import ConversationFacts, read_facts
from ..translate.request.effort import read_requested_effort
from ..translate.request.system_prompt import Identity
from ..translate.request.translate import Target, Translation, translate
from ..translate.tools import ToolRules, only_searches
from ..translate.wire.json_text import TOO_DEEP
from .context import Proxy

CLAUDE_CODE = "claude-cli/"  # how its user agent begins


@dataclass(frozen=True)
class Ask:
    """A valid Messages request, its bytes, and what its headers say."""

    request: dict[str, Any]
    body: bytes = b"{}"
    session_id: str | None = None
    agent_id: str | None = None
    user_agent: str = ""
    client_retries: bool = False  # the client sends a failed request again by itself
    request_id: str = ""

    @cached_property
    def facts(self) -> ConversationFacts:
        return read_facts(self.request["messages"])


@dataclass(frozen=True)
class Plan:
    """The model that a request goes to, and the target of its translation."""

    choice: ModelChoice
    target: Target
    window: int  # tokens
    known: Capabilities  # what was learned of the model before this attempt


def make_plan(ask: Ask, proxy: Proxy, *, silent: Collection[str] = (), must_search: bool = False) -> Plan:
    """`silent`: models that gave no answer in this turn while the hosted web search was declared. With `must_search`
    the search is forced, and a model did not make it: only a model that can search will do."""
    request, provider, rules = ask.request, proxy.provider, proxy.rules
    choice = _choose_model(request, proxy, silent, must_search or only_searches(request.get("tools") or ()))
    model, taken = provider.model(choice.model), proxy.capabilities(choice.model)
    target = Target(
        model=choice.model,
        effort=rules.effort.for_request(
            read_requested_effort(request, ask.facts, session_id=ask.session_id, by_agent=bool(ask.agent_id)),
            tier=choice.tier,
            levels=effort_levels(proxy, choice.model),
            suffix=choice.effort,
            sessions=proxy.session_efforts,
        ),
        cache_key=conversation_key(request, session_id=ask.session_id, agent_id=ask.agent_id),
        capabilities=replace(taken, web_search=_can_search(choice.model, proxy, silent)),
        identity=Identity(model.name, model.id, model.maker) if rules.identity else None,
        tools=_tool_rules(ask, proxy),
        cache_retention=model.cache_retention,
        keeps_thinking=ask.user_agent.startswith(CLAUDE_CODE),
    )
    return Plan(choice, target, model.window, proxy.learned_about(choice.model))


def effort_levels(proxy: Proxy, model: str) -> tuple[str, ...]:
    """The effort levels that a model takes, from least to most: as learned, else as the model list says."""
    return proxy.capabilities(model).efforts or proxy.provider.model(model).efforts


def _choose_model(request: Mapping[str, Any], proxy: Proxy, silent: Collection[str], must_search: bool) -> ModelChoice:
    """The model for a request. A request that must search the web goes to any tier's model that can search.

    If every such model was silent, the first one is asked without the search: an answer then shows that the search was
    the cause. Raises InvalidRequest if no model has a web search; Claude Code then tells the model, which goes on
    without it.
    """
    tiers = proxy.provider.tiers
    choice = choose_model(request["model"], tiers, proxy.rules.passthrough, listed=proxy.provider.models)
    if not must_search:
        return choice
    for able in (choice, *(choose_for_tier(tier, tiers, listed=proxy.provider.models) for tier in reversed(TIERS))):
        if _can_search(able.model, proxy, silent):
            return able
    if silent:
        return choice
    raise InvalidRequest(
        f"Web search cannot be had: {choice.model} has none, and no other tier's model does."
        if proxy.rules.tools.web_search
        else f"Web search is turned off ({MAP_WEB_SEARCH.name})."
    )


def _can_search(model: str, proxy: Proxy, silent: Collection[str]) -> bool:
    """Whether the backend's hosted search may be declared to a model."""
    excluded = any(part.lower() in model.lower() for part in proxy.rules.no_web_search)
    return (
        proxy.rules.tools.web_search and proxy.capabilities(model).web_search and not excluded and model not in silent
    )


def _tool_rules(ask: Ask, proxy: Proxy) -> ToolRules:
    """The user's rules; Claude Code runs mutating calls one after another by itself, so `auto` means `on` for it."""
    rules = proxy.rules.tools
    parallel = "on" if rules.parallel == "auto" and ask.user_agent.startswith(CLAUDE_CODE) else rules.parallel
    return replace(rules, parallel=parallel)


def translate_as_planned(ask: Ask, plan: Plan) -> Translation:
    """Raises InvalidRequest for a request that cannot be translated."""
    try:
        return translate(ask.request, plan.target, ask.facts)
    except RecursionError:
        raise InvalidRequest(TOO_DEEP) from None
