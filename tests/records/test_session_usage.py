"""What a session has used: added up, priced, told in a line; and what is left of a plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from claudegpt_pkg.accounts.quota import Window, read_headers
from claudegpt_pkg.models import known_model
from claudegpt_pkg.records.session_usage import SessionUsage, last_line
from claudegpt_pkg.records.spending import Spent
from claudegpt_pkg.translate.wire import anthropic
from tests.support.fakes.answers import answer, error
from tests.support.fakes.backend import HEADERS, SOON, FakeBackend, wait_until
from tests.support.served import ask, served

TOOLS = [{"name": "Bash", "input_schema": {"type": "object"}}]
SOL = known_model("gpt-6.1-sol")


def test_models_are_counted_apart_and_together() -> None:
    session_usage = SessionUsage()
    for name in ("gpt-6.1-sol", "gpt-6-luna", "gpt-6.1-sol"):
        session_usage.add(known_model(name), anthropic.usage(input_tokens=10, output_tokens=1))
    assert {name: each.turns for name, each in session_usage.models.items()} == {"gpt-6.1-sol": 2, "gpt-6-luna": 1}
    assert session_usage.total.turns == 3


def watched(session_usage: SessionUsage) -> tuple[SessionUsage, list[bool]]:
    """And what becomes longer as it is seen to go over to another model."""
    seen: list[bool] = []
    session_usage.on_switch = lambda: seen.append(True)
    return session_usage, seen


@pytest.mark.parametrize(
    ("shown", "went_over"),
    [
        ((), False),
        (("sol",), False),
        (("sol", "luna"), True),
        (("", "sol", "", "sol"), False),
        (("a", "b", "a", "c"), True),
        (("sol[1m]", "sol"), False),
    ],
)
def test_it_is_known_whether_the_session_went_over_to_another_model(shown: tuple[str, ...], went_over: bool) -> None:
    session_usage, seen = watched(SessionUsage())
    for model in shown:
        session_usage.note_model(model)
    assert seen == [True] * went_over


def test_a_side_request_costs_and_is_no_turn() -> None:
    session_usage = SessionUsage()
    session_usage.add(SOL, anthropic.usage(input_tokens=10, output_tokens=1), turn=False)
    assert (session_usage.total.turns, session_usage.total.tokens_in) == (0, 10)


def test_a_price_that_is_not_known_makes_the_whole_unknown() -> None:
    session_usage = SessionUsage()
    session_usage.add(SOL, anthropic.usage(input_tokens=10))
    session_usage.add(known_model("llama"), anthropic.usage(input_tokens=10))
    assert session_usage.models["gpt-6.1-sol"].cost and session_usage.total.cost is None


@pytest.mark.parametrize(
    ("total", "said"),
    [
        (Spent(3, 41_200, 35_844, 1_200, 0.042), "3 turns · 41.2k tokens in (87% cached), 1.2k out · about $0.042"),
        (Spent(1, 950, 0, 12, 0.00001), "1 turn · 950 tokens in (0% cached), 12 out · about $0.0001"),
        (
            Spent(40, 3_100_000, 3_007_000, 99_960, 12.345),
            "40 turns · 3.1M tokens in (97% cached), 100k out · about $12.35",
        ),
    ],
)
def test_the_last_line_of_a_session_that_is_paid_by_the_token(total: Spent, said: str) -> None:
    assert last_line(SessionUsage({"m": total}), metered=True) == f"{said} at list price"


def test_the_last_line_where_nothing_is_paid_or_the_price_is_not_known() -> None:
    built_in = SessionUsage({"m": Spent(1, 950, 0, 12, 0.0)})
    assert last_line(built_in, metered=True) == "1 turn · 950 tokens in (0% cached), 12 out · free"
    unpriced = SessionUsage({"m": Spent(2, 2_000, 0, 10, None)})
    assert last_line(unpriced, metered=True) == "2 turns · 2k tokens in (0% cached), 10 out"
    assert last_line(unpriced, metered=False) == "2 turns · 2k tokens in (0% cached), 10 out · on your plan"


def test_a_session_without_a_turn_has_no_last_line_one_that_was_broken_off_has() -> None:
    title = {"m": Spent(0, 400, 0, 10, 0.0012)}
    assert last_line(SessionUsage(title), metered=True) == ""
    assert last_line(SessionUsage(title, interrupted=1), metered=True) == "1 interrupted turn (usage unknown)"
    one = {"m": Spent(1, 400, 0, 10, 0.0012)}
    said = "1 turn · 400 tokens in (0% cached), 10 out · on your plan · 2 interrupted turns (usage unknown)"
    assert last_line(SessionUsage(one, interrupted=2), metered=False) == said


def test_a_request_of_the_main_loop_shows_its_model_too(backend: FakeBackend, tmp_path: Path) -> None:
    backend.route(lambda _: True, answer("one"))
    agent = {"x-claude-code-agent-id": "a1"}
    with served(backend, tmp_path) as proxy:
        _, seen = watched(proxy.proxy.session_usage)
        proxy.events(ask(model="sol", tools=TOOLS))
        proxy.events(ask(model="luna"))  # a title
        proxy.events(ask(model="luna", tools=TOOLS), headers=agent)
        proxy.events(ask(model="luna", tools=[{"type": "web_search_20250305", "name": "web_search"}]))
        assert not seen
        proxy.events(ask(model="terra", tools=TOOLS))
        assert seen


def test_an_answer_that_the_client_breaks_off_is_counted_apart(backend: FakeBackend, tmp_path: Path) -> None:
    backend.script(answer("One two three", stall_after=9))
    with served(backend, tmp_path) as proxy:
        with proxy.reading(ask("x", tools=TOOLS)) as reading:
            reading.until("content_block_delta")
        session_usage = proxy.proxy.session_usage
        wait_until(lambda: session_usage.interrupted == 1, "the turn to be counted")
        assert session_usage.total.turns == 0


def test_a_plans_limits_are_read_from_an_answers_headers() -> None:
    session_usage = SessionUsage()
    session_usage.keep_windows(read_headers(HEADERS["chatgpt"]))
    five_hours, week = session_usage.windows
    assert (five_hours.short_name, five_hours.left, five_hours.resets_at) == ("5 h", 88, SOON)
    assert (week.short_name, week.left) == ("7 d", 60)
    assert session_usage.scarcest_window() is week


@pytest.mark.parametrize("headers", [{}, {"x-codex-primary-used-percent": "lots"}])
def test_headers_that_say_nothing_leave_what_is_known(headers: dict[str, str]) -> None:
    session_usage = SessionUsage(windows=(Window(12),))
    session_usage.keep_windows(read_headers(headers))
    assert session_usage.windows == (Window(12),)


def test_answers_are_counted_failures_are_not(backend: FakeBackend, tmp_path: Path) -> None:
    backend.script(answer("one"), error(400, "invalid_prompt", "no"), answer("two"))
    with served(backend, tmp_path) as proxy:
        proxy.events(ask("x", tools=TOOLS))
        proxy.error(ask("x", tools=TOOLS))
        proxy.message(ask("x", stream=False))
        told = proxy.client.get("/usage").json()
    assert told["total"]["turns"] == 1 and told["total"]["cost"] > 0
    assert told["models"]["gpt-6.1-sol"] == told["total"]
    assert told["limits"] == []
