"""What answers cost: tokens, and dollars at list price. Pure.

spent_on(model, usage, turn=True)     # of one answer, from its usage as the Messages API has it
format_tokens(spent)                  # 41.2k tokens in (87% cached), 1.2k out
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..formats import format_number
from ..models import Model


@dataclass(frozen=True)
class Spent:
    """Tokens, and dollars at list price. The cost is None if the price of one of the models is not known."""

    turns: int = 0  # side requests are not counted
    tokens_in: int = 0  # including cached ones
    cached: int = 0
    tokens_out: int = 0
    cost: float | None = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.turns + other.turns,
            self.tokens_in + other.tokens_in,
            self.cached + other.cached,
            self.tokens_out + other.tokens_out,
            None if self.cost is None or other.cost is None else self.cost + other.cost,
        )

    @property
    def hit_rate(self) -> float:
        """The share of the input that came from the backend's prompt cache, 0 to 1."""
        return self.cached / self.tokens_in if self.tokens_in else 0.0


def spent_on(model: Model, usage: Mapping[str, Any], *, turn: bool = True) -> Spent:
    cached = usage.get("cache_read_input_tokens") or 0
    tokens_in = cached + (usage.get("input_tokens") or 0) + (usage.get("cache_creation_input_tokens") or 0)
    tokens_out = usage.get("output_tokens") or 0
    return Spent(int(turn), tokens_in, cached, tokens_out, model.cost(tokens_in, cached, tokens_out))


def format_tokens(spent: Spent) -> str:
    tokens_in, tokens_out = format_number(spent.tokens_in), format_number(spent.tokens_out)
    return f"{tokens_in} tokens in ({spent.hit_rate:.0%} cached), {tokens_out} out"
