"""What a session has used and what is left: counted as answers end; read by the status line, `GET /usage` and the last
line of the session.

    ledger.note(headers)          # of an answer that begins: a ChatGPT plan says there how much of it is left
    ledger.add(model, usage)      # the usage of an answer that has ended, in the Messages API's words
    ledger.total                  # all models together

A turn is an answered request that declares tools: the conversation's and its agents'. The client's own side requests
(a title, auto mode's judge) cost tokens like any other, but are no turns. What an answer took that the client broke
off, no upstream tells: such turns are counted apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..formats import format_count, format_dollars
from ..models import Model, bare_name
from .spending import Spent, format_tokens, spent_on

MINUTES_A_DAY = 24 * 60


@dataclass(frozen=True)
class Window:
    """One of a plan's limits: how much of it is used, and when it begins anew (seconds of the epoch)."""

    used_percent: float
    minutes: float | None = None
    resets_at: float | None = None

    @property
    def left(self) -> int:
        return max(0, round(100 - self.used_percent))

    @property
    def name(self) -> str:
        """ "5 h", "7 d"; empty where the length is not known."""
        if not self.minutes:
            return ""
        days = self.minutes / MINUTES_A_DAY
        return f"{days:g} d" if days >= 1 else f"{self.minutes / 60:g} h"


@dataclass
class Ledger:
    """One session's."""

    models: dict[str, Spent] = field(default_factory=dict)
    windows: tuple[Window, ...] = ()  # as the last answer told them
    broken_off: int = 0  # turns
    went_over: Callable[[], None] = lambda: None  # called as it is first seen on another model than it began with
    seen: set[str] = field(default_factory=set)  # the models that the session was seen on

    @property
    def total(self) -> Spent:
        return sum(self.models.values(), Spent())

    def show(self, model: str) -> None:
        """What the session is on: by its interface or by a request of its main loop."""
        if model and bare_name(model) not in self.seen:
            self.seen.add(bare_name(model))
            if len(self.seen) == 2:
                self.went_over()

    def add(self, model: Model, usage: Mapping[str, Any], *, turn: bool = True) -> Spent:
        """What this answer alone has used."""
        spent = spent_on(model, usage, turn=turn)
        self.models[model.id] = self.models.get(model.id, Spent()) + spent
        return spent

    def note(self, headers: Mapping[str, str]) -> None:
        found = (read_window(headers, f"x-codex-{name}") for name in ("primary", "secondary"))
        if windows := tuple(window for window in found if window):
            self.windows = windows

    def scarcest(self) -> Window | None:
        """The limit of which least is left."""
        return min(self.windows, key=lambda window: window.left, default=None)

    def as_json(self) -> dict[str, Any]:
        return {
            "total": asdict(self.total),
            "models": {name: asdict(spent) for name, spent in self.models.items()},
            "limits": [asdict(window) for window in self.windows],
        }


def read_window(headers: Mapping[str, str], prefix: str) -> Window | None:
    used = number(headers.get(f"{prefix}-used-percent"))
    if used is None:
        return None
    minutes = number(headers.get(f"{prefix}-window-minutes"))
    return Window(used, minutes, number(headers.get(f"{prefix}-reset-at")) or None)


def number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def last_line(ledger: Ledger, *, metered: bool) -> str:
    """One line about the session: "3 turns · 41.2k tokens in (87% cached), 1.2k out · about $0.04 at list price".

    Empty if the session had no turn.
    """
    spent, interrupted = ledger.total, ledger.broken_off
    unknown = f"{format_count(interrupted, 'interrupted turn')} (usage unknown)" if interrupted else ""
    if not spent.turns:
        return unknown
    price = _format_price(spent.cost) if metered else "on your plan"
    return " · ".join(filter(None, [format_count(spent.turns, "turn"), format_tokens(spent), price, unknown]))


def _format_price(cost: float | None) -> str:
    """Empty if the price of one of the models is not known."""
    if cost is None:
        return ""
    return f"about {format_dollars(cost)} at list price" if cost else "free"
