"""Which effort level Claude Code is started with, and which level a request is sent with."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.effort import EffortPolicy, RequestedEffort, SessionEfforts
from claudegpt_pkg.models import Tier

LOW_TO_MAX = ("low", "medium", "high", "xhigh", "max")
ALL = ("none", "minimal", *LOW_TO_MAX)


def effort(
    wish: RequestedEffort | None = None,
    *,
    tier: Tier | None = "haiku",
    suffix: str | None = None,
    levels: tuple[str, ...] = LOW_TO_MAX,
    sessions: SessionEfforts | None = None,
    policy: EffortPolicy | None = None,
    cap: str | None = None,
    **settings: Any,
) -> str:
    policy = policy or EffortPolicy(caps={"haiku": cap}, **settings)
    return policy.for_request(wish or RequestedEffort(), tier=tier, levels=levels, suffix=suffix, sessions=sessions)


def test_each_source_of_a_level_beats_those_after_it() -> None:
    wish = RequestedEffort(level="high", budget=1000)
    assert effort(wish, suffix="xhigh", general="max") == "xhigh"
    assert effort(wish, general="max") == "high"
    assert effort(RequestedEffort(budget=1000), general="max") == "low"
    assert effort(tier="opus", by_tier={"opus": "xhigh"}, general="max") == "xhigh"
    assert effort(tier=None, by_tier={"opus": "xhigh"}, general="max") == "max"
    assert effort() == "medium"


@pytest.mark.parametrize(
    ("tokens", "level"),
    [(1024, "low"), (2048, "low"), (2049, "medium"), (10_000, "medium"), (32_000, "high"), (64_000, "xhigh")],
)
def test_a_thinking_budget_falls_in_a_band(tokens: int, level: str) -> None:
    assert effort(RequestedEffort(budget=tokens)) == level


@pytest.mark.parametrize(("levels", "lowest"), [(ALL, "none"), (LOW_TO_MAX, "low")])
def test_disabled_thinking_is_the_models_lowest_level(levels: tuple[str, ...], lowest: str) -> None:
    assert effort(RequestedEffort(level="high", disabled=True), levels=levels) == lowest


def test_a_suffix_of_the_model_name_beats_disabled_thinking() -> None:
    assert effort(RequestedEffort(disabled=True), suffix="high") == "high"


def test_the_cap_of_a_tier_applies_to_every_source() -> None:
    assert effort(RequestedEffort(level="max"), cap="low") == "low"
    assert effort(suffix="high", cap="low") == "low"
    assert effort(RequestedEffort(level="low"), cap="high") == "low"
    assert effort(RequestedEffort(level="max"), tier="opus", cap="low") == "max"
    assert effort(RequestedEffort(level="max"), tier=None, cap="low") == "max"


def test_the_cap_for_tools_applies_only_to_requests_with_tools() -> None:
    assert effort(RequestedEffort(level="max", has_tools=True), cap_with_tools="medium") == "medium"
    assert effort(RequestedEffort(level="max"), cap_with_tools="medium") == "max"


def test_a_compaction_request_uses_at_most_low() -> None:
    assert effort(RequestedEffort(level="max", is_compaction=True)) == "low"


@pytest.mark.parametrize(
    ("wanted", "levels", "sent"),
    [
        ("max", ("low", "medium", "high"), "high"),
        ("xhigh", ("low", "medium", "high", "max"), "high"),
        ("none", LOW_TO_MAX, "low"),
        ("minimal", ALL, "minimal"),
        ("minimal", ("none", "low"), "none"),
        ("low", ("medium", "high"), "medium"),
    ],
)
def test_a_level_that_the_model_lacks_becomes_the_nearest_one_below_or_its_lowest(
    wanted: str, levels: tuple[str, ...], sent: str
) -> None:
    assert effort(RequestedEffort(level=wanted), levels=levels) == sent


# `--effort`.


def test_the_command_line_level_applies_until_another_level_is_named() -> None:
    options: dict[str, Any] = {"command_line": "minimal", "levels": ALL}
    assert effort(RequestedEffort(level="low"), **options) == "minimal"
    assert effort(RequestedEffort(level="max"), **options) == "max"
    assert effort(RequestedEffort(level="low"), suffix="high", **options) == "high"


def test_the_command_line_level_beats_the_settings_of_a_tier() -> None:
    assert effort(tier="sonnet", by_tier={"sonnet": "low"}, command_line="high") == "high"


def test_the_command_line_level_beats_a_tiers_cap_if_the_request_names_a_level() -> None:
    options: dict[str, Any] = {"command_line": "xhigh", "cap": "low"}
    assert effort(RequestedEffort(level="xhigh"), **options) == "xhigh"
    assert effort(RequestedEffort(level="max"), **options) == "max"
    assert effort(**options) == "low"


def test_an_agent_follows_the_level_of_its_session() -> None:
    policy = EffortPolicy(command_line="xhigh")
    sessions = SessionEfforts(policy)
    agent = RequestedEffort(level="high", session_id="one", by_agent=True)
    assert effort(agent, policy=policy) == "xhigh"
    assert effort(agent, policy=policy, sessions=sessions) == "xhigh"
    sessions.note("one", "low")
    assert effort(agent, policy=policy, sessions=sessions) == "low"
    sessions.note("two", "max")
    assert effort(agent, policy=policy, sessions=sessions) == "low"
    sessions.note("one", None)
    assert effort(agent, policy=policy, sessions=sessions) == "low"
    sessions.note("one", "xhigh")
    assert effort(agent, policy=policy, sessions=sessions) == "xhigh"


def test_an_agent_keeps_a_level_of_its_own() -> None:
    policy = EffortPolicy(command_line="xhigh")
    agent = RequestedEffort(level="medium", by_agent=True)
    assert effort(agent, policy=policy) == "medium"
    assert effort(RequestedEffort(level="high", by_agent=True), general="low") == "high"


def test_no_session_level_is_kept_without_the_command_line_option() -> None:
    sessions = SessionEfforts(EffortPolicy(general="high"))
    sessions.note("one", "low")
    assert sessions.level("one") is None


# What Claude Code is started with.


def test_claude_code_is_started_with_a_level_that_it_knows() -> None:
    started = [EffortPolicy(command_line=level).for_claude_code(None, user_chose=True) for level in ALL]
    assert started == ["low", "low", *LOW_TO_MAX]
    assert EffortPolicy(general="none").for_claude_code(None, user_chose=False) == "low"


def test_the_users_own_choice_in_claude_code_beats_our_settings() -> None:
    policy = EffortPolicy(general="max", by_tier={"opus": "high"})
    assert policy.for_claude_code("opus", user_chose=True) is None
    assert policy.for_claude_code("opus", user_chose=False) == "high"
    assert policy.for_claude_code("haiku", user_chose=False) == "max"
    assert EffortPolicy().for_claude_code("opus", user_chose=False) is None
