"""How much a request may think: what it asks for, what the user's settings allow, what the model has.

Order: suffix in the model's name > the request's own effort > its thinking budget > the tier's setting > the general
setting > medium. A request that disables thinking gets the model's lowest. Then the caps, then the model's own levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...models import EFFORTS, lower_effort, nearest_effort

DEFAULT = "medium"
STANDS_FOR = {"none": "low", "minimal": "low"}  # levels that Claude Code does not know, and the nearest it does
AGENT_DEFAULT = "high"  # what 2.1.330 names for an agent on another model than the session's
# Upper ends of the bands a thinking budget (tokens) falls in; above the last: xhigh.
BUDGET_BANDS = ((2_048, "low"), (10_000, "medium"), (32_000, "high"))
# How the client asks for a summary of the conversation (claude-code.md): thinking adds nothing to it.
COMPACTION = "CRITICAL: Respond with TEXT ONLY"


@dataclass(frozen=True)
class EffortRules:
    """What the settings say for one request's tier; None where they say nothing."""

    default: str | None = None  # where the request names none
    most: str | None = None  # the tier's cap; with `--effort`, of requests that name no level
    most_with_tools: str | None = None
    # By `--effort`: the level that holds where the request names one of `meant_by`; any other came later and wins.
    forced: str | None = None
    meant_by: frozenset[str] = frozenset()


def told_as(level: str) -> str:
    """The level that Claude Code is started with for `--effort LEVEL`; it names it in each request from then on."""
    return STANDS_FOR.get(level, level)


def resolve(request: Mapping[str, Any], *, suffix: str | None, rules: EffortRules, levels: tuple[str, ...]) -> str:
    """The effort to send for a Messages request, one of `levels` (a model's, from least to most)."""
    thinking = request.get("thinking") or {}
    if thinking.get("type") == "disabled" and not suffix:
        return levels[0]
    asked = named(request)
    if rules.forced and asked in rules.meant_by:
        asked = rules.forced
    wanted = suffix or asked or budget_band(thinking) or rules.default or DEFAULT
    caps = [None if rules.forced and asked else rules.most]
    if request.get("tools"):
        caps.append(rules.most_with_tools)
    if is_compaction(request):
        caps.append("low")
    for cap in caps:
        if cap:
            wanted = lower_effort(wanted, cap)
    return nearest_effort(wanted, levels)


def named(request: Mapping[str, Any]) -> str | None:
    """The effort a request names: the newest of its own system messages' (2.1.330), else its output_config's. None for
    one that a newer client invents."""
    level = (request.get("output_config") or {}).get("effort")
    for message in reversed(request.get("messages") or ()):
        if message.get("role") == "system" and (said := (message.get("output_config") or {}).get("effort")):
            level = said
            break
    return level if level in EFFORTS else None


def budget_band(thinking: Mapping[str, Any]) -> str | None:
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int):
        return None
    return next((level for top, level in BUDGET_BANDS if budget <= top), "xhigh")


def is_compaction(request: Mapping[str, Any]) -> bool:
    """Whether the last user text is the client's request to summarise the conversation."""
    for message in reversed(request.get("messages") or ()):
        if message.get("role") == "user":
            content = message.get("content")
            texts = [content] if isinstance(content, str) else [block.get("text") for block in content or ()]
            return any(isinstance(text, str) and text.startswith(COMPACTION) for text in texts[-1:])
    return False
