"""The text of the status line, from the JSON that Claude Code hands to a `statusLine` command and the session's usage.

    GPT-6.1 Sol · high · 14.5k of 272k (5%) · 87% cached · 88% of 5 h left, resets at 14:05     if there is room
    GPT-6.1 Sol · high · 5% of 272k · 87% cached · 88% left till 14:05                          in 80 columns
    GPT-6.1 Sol · high · 5% of 272k · 88% left                                                  in 60

A part that is not known is left out. The window is the account's for this model, or a smaller one at which this session
is compacted, not the window that Claude Code assumes. The effort is the one that is sent to the backend.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..accounts.quota import Window
from ..effort import RequestedEffort
from ..formats import FAR, format_moment, format_number, format_short_moment, to_one_line
from ..models import EFFORTS, choose_model
from ..records.session_usage import SessionUsage
from .context import Proxy
from .plan import effort_levels

MARGIN = 4  # columns that Claude Code keeps free around the line; it cuts off what is too long


def status_line(
    report: Mapping[str, Any],
    proxy: Proxy,
    window: int | None = None,
    *,
    columns: int | None = None,
    now: float | None = None,
) -> str:
    """The line for Claude Code's `report`.

    `window` is the number of tokens at which the session is compacted, `columns` the width of the terminal.
    """
    provider, usage = proxy.provider, proxy.session_usage
    choice = choose_model(
        shown_model(report) or "opus", provider.tiers, proxy.rules.passthrough, listed=provider.models
    )
    model = provider.model(choice.model)
    level = _object(report, "effort").get("level") or choice.effort
    effort = proxy.rules.effort.for_request(
        RequestedEffort(level=level if level in EFFORTS else None),
        tier=choice.tier,
        levels=effort_levels(proxy, choice.model),
        suffix=choice.effort,
    )
    other = usage.answered_by.get(choice.model)
    name = f"{model.name} (answered by {provider.model(other).name})" if other else model.name
    head = [to_one_line(name), effort if level else ""]
    tokens, most = tokens_used(_object(report, "context_window")), min(model.window, window or model.window)
    quota, clock = usage.scarcest_window(), time.time() if now is None else now
    forms = (
        [*head, _format_context(tokens, most), _format_cached(usage), format_quota(quota, clock)],
        [*head, _format_share(tokens, most), _format_cached(usage), format_short_quota(quota, clock)],
        [*head, _format_share(tokens, most), format_short_quota(quota)],
    )
    lines = [" · ".join(filter(None, parts)) for parts in forms]
    return next((line for line in lines if columns is None or len(line) <= columns - MARGIN), lines[-1])


def shown_model(report: Mapping[str, Any]) -> str:
    """The model that Claude Code shows, by the name that a request would carry; empty if the report names none."""
    return str(_object(report, "model").get("id") or "")


def _object(report: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = report.get(name)
    return found if isinstance(found, dict) else {}


def tokens_used(window: Mapping[str, Any]) -> int:
    """How many tokens of the window the newest turn takes."""
    usage = _object(window, "current_usage")
    counts = [value for name, value in usage.items() if name.endswith("input_tokens") and isinstance(value, int)]
    return sum(count for count in counts if 0 <= count < FAR)


def _format_context(tokens: int, window: int) -> str:
    return f"{format_number(tokens)} of {format_number(window)} ({tokens / window:.0%})" if tokens else ""


def _format_share(tokens: int, window: int) -> str:
    return f"{tokens / window:.0%} of {format_number(window)}" if tokens else ""


def _format_cached(usage: SessionUsage) -> str:
    total = usage.total
    return f"{total.hit_rate:.0%} cached" if total.tokens_in else ""


def format_quota(window: Window | None, now: float) -> str:
    """88% of 5 h left, resets at 14:05"""
    if window is None:
        return ""
    length = f" of {window.short_name}" if window.short_name else ""
    reset = window.next_reset(now)
    resets = f", resets {format_moment(reset, now)}" if reset else ""
    return f"{window.left}%{length} left{resets}"


def format_short_quota(window: Window | None, now: float | None = None) -> str:
    """88% left till 14:05; without `now`, 88% left."""
    if window is None:
        return ""
    reset = window.next_reset(now) if now else None
    till = f" till {format_short_moment(reset, now)}" if now and reset else ""
    return f"{window.left}% left{till}"
