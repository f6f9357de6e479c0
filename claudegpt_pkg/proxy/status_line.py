"""What Claude Code's status line says, from the JSON it hands to a `statusLine` command and what this session has used.

    GPT-6.1 Sol · high · 14.5k of 272k (5%) · 87% cached · 88% of 5 h left, resets at 14:05     where there is room
    GPT-6.1 Sol · high · 5% of 272k · 87% cached · 88% left till 14:05                          in 80 columns
    GPT-6.1 Sol · high · 5% of 272k · 88% left                                                  in 60

Only what is known is shown. The window is the account's for the model, or a smaller one that this session is compacted
before, not the one Claude Code assumes; the effort is the one that is sent.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..effort import RequestedEffort
from ..formats import format_moment, format_number, format_short_moment
from ..models import EFFORTS, choose_model
from ..records.session_usage import QuotaWindow, SessionUsage
from .context import Proxy
from .plan import effort_levels

MARGIN = 4  # columns that Claude Code keeps free around the line; it cuts off what is too long


def status_line(
    told: Mapping[str, Any],
    proxy: Proxy,
    window: int | None = None,
    *,
    columns: int | None = None,
    now: float | None = None,
) -> str:
    """`window` is what the session is compacted before; `columns`, how wide the terminal is."""
    provider = proxy.provider
    choice = choose_model(shown_model(told) or "opus", provider.tiers, proxy.rules.passthrough, listed=provider.models)
    model = provider.model(choice.model)
    level = part(told, "effort").get("level") or choice.effort
    effort = proxy.rules.effort.for_request(
        RequestedEffort(level=level if level in EFFORTS else None),
        tier=choice.tier,
        levels=effort_levels(proxy, choice.model),
        suffix=choice.effort,
    )
    head = [model.name, effort if level else ""]
    tokens, most = used(part(told, "context_window")), min(model.window, window or model.window)
    plan, clock = proxy.session_usage.scarcest_window(), time.time() if now is None else now
    forms = (
        [*head, context(tokens, most), cached(proxy.session_usage), limit(plan, clock)],
        [*head, share(tokens, most), cached(proxy.session_usage), left(plan, clock)],
        [*head, share(tokens, most), left(plan)],
    )
    lines = [" · ".join(filter(None, parts)) for parts in forms]
    return next((line for line in lines if columns is None or len(line) <= columns - MARGIN), lines[-1])


def shown_model(told: Mapping[str, Any]) -> str:
    return str(part(told, "model").get("id") or "")


def part(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = told.get(name)
    return found if isinstance(found, dict) else {}


def used(told: Mapping[str, Any]) -> int:
    """How much of the window is taken, by the newest turn."""
    usage = part(told, "current_usage")
    return sum(value for name, value in usage.items() if name.endswith("input_tokens") and isinstance(value, int))


def context(tokens: int, window: int) -> str:
    return f"{format_number(tokens)} of {format_number(window)} ({tokens / window:.0%})" if tokens else ""


def share(tokens: int, window: int) -> str:
    return f"{tokens / window:.0%} of {format_number(window)}" if tokens else ""


def cached(session_usage: SessionUsage) -> str:
    total = session_usage.total
    return f"{total.hit_rate:.0%} cached" if total.tokens_in else ""


def limit(window: QuotaWindow | None, now: float) -> str:
    if window is None:
        return ""
    whole = f" of {window.name}" if window.name else ""
    resets = f", resets {format_moment(window.resets_at, now)}" if window.resets_at else ""
    return f"{window.left}%{whole} left{resets}"


def left(window: QuotaWindow | None, now: float | None = None) -> str:
    """The same in few words; with the time, until when."""
    if window is None:
        return ""
    till = f" till {format_short_moment(window.resets_at, now)}" if now and window.resets_at else ""
    return f"{window.left}% left{till}"
