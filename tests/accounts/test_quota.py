"""What is left of a plan: read from the usage page and from the headers of answers."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.accounts.quota import Quota, Window, explain_reached, read_headers, read_moment, read_quota


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"rate_limit": None, "credits": None, "spend_control": None, "additional_rate_limits": None},
        {"rate_limit": {"primary_window": None}, "plan_type": None},
        {"rate_limit": {"primary_window": {"used_percent": "many"}}},
        {"rate_limit": {"primary_window": {"used_percent": True}}},
        {"rate_limit": {"primary_window": {"used_percent": float("nan")}}},
        {"rate_limit": {"primary_window": {"used_percent": 10**400}}},
        {"rate_limit": {"primary_window": {"used_percent": [1]}}},
        {"rate_limit": [], "credits": [], "spend_control": [], "additional_rate_limits": {}},
        {"additional_rate_limits": [None, 5, [], {}, {"limit_name": 5}, {"limit_name": "x", "rate_limit": 5}]},
        {"plan_type": "\x1b]52;c;aGk=\x07"},
        {"plan_type": "plus\nfree"},
        {"plan_type": "p" * 100_000},
    ],
)
def test_what_cannot_be_read_is_left_out(answer: dict[str, Any]) -> None:
    assert read_quota(answer) == Quota(None, (), None)


@pytest.mark.parametrize("answer", [[], None, "x", 5])
def test_an_answer_that_is_no_object_is_an_error(answer: Any) -> None:
    with pytest.raises(ValueError, match="object"):
        read_quota(answer)


def test_every_limit_has_a_window_of_its_own() -> None:
    found = read_quota(
        {
            "plan_type": "business",
            "rate_limit": {
                "primary_window": {"used_percent": 12, "limit_window_seconds": 18_000, "reset_at": 1_800_000_000},
                "secondary_window": {"used_percent": "40.5", "limit_window_seconds": "604800", "reset_at": "soon"},
            },
            "additional_rate_limits": [
                {"limit_name": "GPT-6 Astra", "rate_limit": {"primary_window": {"used_percent": 150}}},
                {"limit_name": "a\x1b[2Jb", "rate_limit": {"primary_window": {"used_percent": 1}}},
            ],
            "spend_control": {"individual_limit": {"used_percent": -3, "reset_at": 1_800_000_000_000}},
        }
    )
    assert found.plan == "business"
    assert found.windows == (
        Window(12, 18_000, 1_800_000_000),
        Window(40.5, 604_800),
        Window(100, label="GPT-6 Astra"),
        Window(0, resets_at=1_800_000_000, label="your spending limit"),
    )
    assert [window.name for window in found.windows] == ["5 hours", "1 week", "GPT-6 Astra", "your spending limit"]


@pytest.mark.parametrize(
    ("credits", "words"),
    [
        ({"has_credits": False, "unlimited": False}, "none"),
        ({"has_credits": True, "unlimited": True}, "unlimited"),
        ({"has_credits": True, "balance": "12.50"}, "12.5"),
        ({"has_credits": True, "balance": None}, "some"),
        ({"has_credits": True, "balance": "\x1b[2J"}, "some"),
        ({"has_credits": True, "balance": "-3.5"}, "-3.5 (below zero)"),
        ({"has_credits": False, "balance": -4}, "-4 (below zero)"),
    ],
)
def test_credits_are_told_in_words(credits: dict[str, Any], words: str) -> None:
    assert read_quota({"credits": credits}).credits == words


@pytest.mark.parametrize(
    ("seconds", "name", "short"),
    [
        (18_000, "5 hours", "5 h"),
        (3600, "1 hour", "1 h"),
        (604_800, "1 week", "7 d"),
        (86_400, "1 day", "1 d"),
        (2_592_000, "30 days", "30 d"),
        (900, "15 minutes", "0.25 h"),
        (90, "90 seconds", "0.025 h"),
        (None, "limit", ""),
    ],
)
def test_a_window_is_named_by_its_length(seconds: float | None, name: str, short: str) -> None:
    assert (Window(1, seconds).name, Window(1, seconds).short_name) == (name, short)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (1_800_000_000, 1_800_000_000),
        ("1800000000", 1_800_000_000),
        (1_800_000_000_000, 1_800_000_000),  # milliseconds
        (0, None),
        (-5, None),
        (1e300, None),
        (float("inf"), None),
        ("soon", None),
        (None, None),
        (True, None),
    ],
)
def test_a_moment_is_one_that_a_calendar_can_show(value: Any, moment: float | None) -> None:
    assert read_moment(value) == moment


def test_a_reset_that_lies_behind_us_is_not_coming() -> None:
    window = Window(50, 18_000, 1000.0)
    assert (window.next_reset(999), window.next_reset(1000), window.next_reset(1001)) == (1000, None, None)


def test_the_headers_of_an_answer_tell_the_windows() -> None:
    headers = {
        "x-codex-primary-used-percent": "12",
        "x-codex-primary-window-minutes": "300",
        "x-codex-primary-reset-at": "1800000000",
        "x-codex-secondary-used-percent": "101.5",
        "x-codex-secondary-window-minutes": "a week",
    }
    assert read_headers(headers) == (Window(12, 18_000, 1_800_000_000), Window(100))
    assert read_headers({}) == ()


@pytest.mark.parametrize(
    ("kind", "whose", "whom"),
    [
        ("workspace_owner_credits_depleted", "no credits left", "You own the workspace"),
        ("workspace_member_credits_depleted", "no credits left", "Ask the workspace's owner"),
        ("workspace_owner_usage_limit_reached", "workspace's usage limit", "You own the workspace"),
        ("workspace_member_usage_limit_reached", "your workspace sets for you", "Ask the workspace's owner"),
    ],
)
def test_a_limit_that_was_reached_is_explained(kind: str, whose: str, whom: str) -> None:
    explained = explain_reached(kind)
    assert explained and whose in explained[0] and whom in explained[1]


@pytest.mark.parametrize("kind", [None, "", "other", 5, ["workspace_owner_credits_depleted"]])
def test_a_limit_of_another_kind_is_not_explained(kind: Any) -> None:
    assert explain_reached(kind) is None
