"""The tokens of an answer and their price."""

from __future__ import annotations

import pytest

from claudegpt_pkg.models import known_model
from claudegpt_pkg.records.spending import Spent, format_tokens, spent_on
from claudegpt_pkg.translate.wire import anthropic

SOL = known_model("gpt-6.1-sol")  # $2 in, $0.10 cached, $10 out


def spent(**fields: int) -> Spent:
    return spent_on(SOL, anthropic.usage(**fields))


def test_a_turn_costs_its_list_price() -> None:
    total = spent(input_tokens=100_000, cached_tokens=80_000, output_tokens=1_000)
    assert (total.turns, total.tokens_in, total.cached, total.tokens_out) == (1, 100_000, 80_000, 1_000)
    assert total.cost == pytest.approx(20_000 * 2e-6 + 80_000 * 0.1e-6 + 1_000 * 10e-6)
    assert total.hit_rate == 0.8


def test_tokens_written_to_the_cache_are_input() -> None:
    assert spent(input_tokens=5_000, cache_write_tokens=4_864).tokens_in == 5_000


def test_above_272k_everything_costs_more() -> None:
    below, above = (spent(input_tokens=tokens, output_tokens=1_000).cost for tokens in (272_000, 272_001))
    assert below == pytest.approx(272_000 * 2e-6 + 0.01)
    assert above == pytest.approx(272_001 * 4e-6 + 0.015)


def test_tokens_are_shown_with_the_share_of_the_cache() -> None:
    assert format_tokens(Spent(3, 41_200, 35_844, 1_200)) == "41.2k tokens in (87% cached), 1.2k out"
