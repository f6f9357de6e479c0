"""What Claude Code's status line says, from the JSON it hands to a `statusLine` command and what this session has used.

    GPT-6.1 Sol · high · 14.5k of 272k (5%) · 87% cached · 88% of 5 h left, resets at 14:05

Only what is known is shown. The window is the account's for the model, or a smaller one that this session is compacted
before, not the one Claude Code assumes; the effort is the one that is sent.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..models import choose
from ..translate.effort import resolve
from .failures import local_time
from .ledger import Ledger, Window, short
from .plan import Proxy


def status_line(told: Mapping[str, Any], proxy: Proxy, window: int | None = None, *, now: float | None = None) -> str:
    choice = choose(shown_model(told) or "opus", proxy.provider.tiers, proxy.rules.passthrough)
    model = proxy.provider.model(choice.model)
    level = part(told, "effort").get("level") or choice.effort
    asked = {"output_config": {"effort": level}}
    effort = resolve(asked, suffix=choice.effort, rules=proxy.rules.effort[choice.tier], levels=model.efforts)
    parts = [
        model.name,
        effort if level else "",
        context(part(told, "context_window"), min(model.window, window or model.window)),
        cached(proxy.ledger),
        limit(proxy.ledger.scarcest(), time.time() if now is None else now),
    ]
    return " · ".join(filter(None, parts))


def shown_model(told: Mapping[str, Any]) -> str:
    return str(part(told, "model").get("id") or "")


def part(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = told.get(name)
    return found if isinstance(found, dict) else {}


def context(told: Mapping[str, Any], window: int) -> str:
    """How full the model's window is, by the newest turn."""
    usage = part(told, "current_usage")
    tokens = sum(value for name, value in usage.items() if name.endswith("input_tokens") and isinstance(value, int))
    return f"{short(tokens)} of {short(window)} ({tokens / window:.0%})" if tokens else ""


def cached(ledger: Ledger) -> str:
    total = ledger.total
    return f"{total.hit_rate:.0%} cached" if total.tokens_in else ""


def limit(window: Window | None, now: float) -> str:
    if window is None:
        return ""
    whole = f" of {window.name}" if window.name else ""
    resets = f", resets {local_time(window.resets_at, now)}" if window.resets_at else ""
    return f"{window.left}%{whole} left{resets}"
