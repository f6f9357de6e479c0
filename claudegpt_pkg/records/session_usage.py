"""What one session has used, and what is left of the plan: for the status line, `GET /usage` and the last line.

    usage.add(model, counts)       # the token counts of an answer that has ended, as the Messages API has them
    usage.keep_windows(windows)    # of a plan's quota, as an answer's headers state them (accounts/quota.py)
    usage.total                    # all models together

A turn is an answered request that declares tools: those of the conversation and of its subagents. Claude Code's side
requests (a session's title, auto mode's judge) cost tokens like any other, but are not turns. No backend states what an
interrupted answer took, so interrupted turns are counted apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ..formats import format_count, format_dollars
from ..models import Model, bare_name
from .spending import Spent, format_tokens, spent_on

if TYPE_CHECKING:
    from ..accounts.quota import Window


@dataclass
class SessionUsage:
    """The usage of one session."""

    models: dict[str, Spent] = field(default_factory=dict)
    windows: tuple[Window, ...] = ()  # as the last answer stated them
    interrupted: int = 0  # turns
    models_seen: set[str] = field(default_factory=set)  # the models that the session was switched to
    answered_by: dict[str, str] = field(default_factory=dict)  # model asked for → the other one that answered
    on_switch: Callable[[], None] = lambda: None  # called when the session is seen on a second model

    @property
    def total(self) -> Spent:
        return sum(self.models.values(), Spent())

    def note_model(self, model: str) -> None:
        """The session is on this model, as its status line or a request of its main loop shows."""
        if model and bare_name(model) not in self.models_seen:
            self.models_seen.add(bare_name(model))
            if len(self.models_seen) == 2:
                self.on_switch()

    def note_served_model(self, asked: str, served: str | None) -> None:
        """`served` answered the last request for `asked`; None: that model did itself."""
        if served:
            self.answered_by[asked] = served
        else:
            self.answered_by.pop(asked, None)

    def add(self, model: Model, counts: Mapping[str, Any], *, turn: bool = True) -> Spent:
        """Count an answer. Returns what this answer alone has taken."""
        spent = spent_on(model, counts, turn=turn)
        self.models[model.id] = self.models.get(model.id, Spent()) + spent
        return spent

    def keep_windows(self, windows: Sequence[Window]) -> None:
        """Take the windows that an answer states; without any, the last ones stay."""
        if windows:
            self.windows = tuple(windows)

    def scarcest_window(self) -> Window | None:
        """The window with the least left."""
        return min(self.windows, key=lambda window: window.left, default=None)

    def as_json(self) -> dict[str, Any]:
        return {
            "total": asdict(self.total),
            "models": {name: asdict(spent) for name, spent in self.models.items()},
            "limits": [asdict(window) for window in self.windows],
            "answered_by": self.answered_by,
        }


def last_line(usage: SessionUsage, *, metered: bool) -> str:
    """One line about the session: "3 turns · 41.2k tokens in (87% cached), 1.2k out · about $0.04 at list price".

    Empty if the session had no turn.
    """
    spent, interrupted = usage.total, usage.interrupted
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
