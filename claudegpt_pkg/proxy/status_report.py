"""Corrects the report that Claude Code hands to a user's own `statusLine` script.

Claude Code counts with Claude's windows and prices. In the corrected report `context_window` has the account's window,
`cost` what the session cost at the list price of its models, and `rate_limits` the windows of the account's plan. All
other fields stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..accounts.quota import HOUR, Window
from ..models import choose_model
from .context import Proxy
from .status_line import shown_model, tokens_used

# Claude Code's names for the windows that it knows, by their length in seconds.
_LIMITS = {5 * HOUR: "five_hour", 7 * 24 * HOUR: "seven_day"}


def correct_report(report: Mapping[str, Any], proxy: Proxy, window: int | None = None) -> dict[str, Any]:
    """The report with our numbers. `window` is the number of tokens at which the session is compacted."""
    provider = proxy.provider
    name = shown_model(report) or "opus"
    choice = choose_model(name, provider.tiers, proxy.rules.passthrough, listed=provider.models)
    model = provider.model(choice.model)
    limits = _rate_limits(proxy.session_usage.windows)
    return {
        **report,
        "context_window": _correct_window(_object(report, "context_window"), min(model.window, window or model.window)),
        "cost": {**_object(report, "cost"), "total_cost_usd": proxy.session_usage.total.cost},
        **({"rate_limits": limits} if limits else {}),
    }


def _correct_window(context: Mapping[str, Any], window: int) -> dict[str, Any]:
    corrected = {**context, "context_window_size": window}
    tokens = tokens_used(context)
    if tokens or context.get("used_percentage") is not None:
        used = min(100, round(tokens / window * 100))
        corrected |= {"used_percentage": used, "remaining_percentage": 100 - used}
    return corrected


def _rate_limits(windows: Sequence[Window]) -> dict[str, Any]:
    return {
        _LIMITS[int(window.seconds)]: {"used_percentage": window.used_percent, "resets_at": window.resets_at}
        for window in windows
        if window.seconds in _LIMITS and not window.label
    }


def _object(report: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = report.get(name)
    return found if isinstance(found, dict) else {}
