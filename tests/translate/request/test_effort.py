"""How much a request may think."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.translate.request.effort import COMPACTION, EffortRules, resolve, told_as

LOW_TO_MAX = ("low", "medium", "high", "xhigh", "max")
ALL = ("none", "minimal", *LOW_TO_MAX)
BASH = [{"name": "Bash", "input_schema": {}}]


def effort(
    request: dict[str, Any] | None = None,
    *,
    suffix: str | None = None,
    levels: tuple[str, ...] = LOW_TO_MAX,
    **rules: Any,
) -> str:
    return resolve(request or {}, suffix=suffix, rules=EffortRules(**rules), levels=levels)


def asking(level: Any, **more: Any) -> dict[str, Any]:
    return {"output_config": {"effort": level}, **more}


def thinking(tokens: Any) -> dict[str, Any]:
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}


def test_each_source_beats_those_after_it() -> None:
    request = asking("high", **thinking(1000))
    assert effort(request, suffix="xhigh", default="max") == "xhigh"
    assert effort(request, default="max") == "high"
    assert effort(thinking(1000), default="max") == "low"
    assert effort(default="max") == "max"
    assert effort() == "medium"


@pytest.mark.parametrize(
    ("tokens", "level"),
    [(1024, "low"), (2048, "low"), (2049, "medium"), (10_000, "medium"), (32_000, "high"), (64_000, "xhigh")],
)
def test_a_thinking_budget_falls_in_a_band(tokens: int, level: str) -> None:
    assert effort(thinking(tokens)) == level


@pytest.mark.parametrize("budget", [None, "many", 1.5])
def test_a_budget_that_is_no_number_says_nothing(budget: Any) -> None:
    assert effort(thinking(budget)) == "medium"


@pytest.mark.parametrize(("levels", "lowest"), [(ALL, "none"), (LOW_TO_MAX, "low")])
def test_thinking_disabled_is_the_models_lowest(levels: tuple[str, ...], lowest: str) -> None:
    assert effort(asking("high", thinking={"type": "disabled"}), levels=levels) == lowest


def test_a_suffix_in_the_name_beats_thinking_disabled() -> None:
    assert effort({"thinking": {"type": "disabled"}}, suffix="high") == "high"


@pytest.mark.parametrize("level", ["ultra", "", None, 3, ["high"], {"level": "high"}])
def test_an_effort_nobody_has_heard_of_says_nothing(level: Any) -> None:
    assert effort(asking(level)) == "medium"
    assert effort(asking(level), default="low") == "low"


def test_the_tiers_cap_holds_whoever_asks() -> None:
    assert effort(asking("max"), most="low") == "low"
    assert effort(suffix="high", most="low") == "low"
    assert effort(asking("low"), most="high") == "low"


def test_the_cap_of_tool_turns_needs_tools() -> None:
    assert effort(asking("max", tools=BASH), most_with_tools="medium") == "medium"
    assert effort(asking("max"), most_with_tools="medium") == "max"


@pytest.mark.parametrize(
    "content",
    [f"{COMPACTION}. Do NOT call any tools.", [{"type": "text", "text": "x"}, {"type": "text", "text": COMPACTION}]],
)
def test_a_summary_of_the_conversation_needs_little_thought(content: Any) -> None:
    request = asking("max", messages=[{"role": "user", "content": content}, {"role": "system", "content": "x"}])
    assert effort(request) == "low"


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": f"say {COMPACTION}"}],
        [{"role": "user", "content": COMPACTION}, {"role": "user", "content": "no, go on"}],
        [{"role": "user", "content": [{"type": "text", "text": COMPACTION}, {"type": "tool_result"}]}],
        [{"role": "assistant", "content": COMPACTION}],
    ],
)
def test_other_words_are_no_request_for_a_summary(messages: list[Any]) -> None:
    assert effort(asking("max", messages=messages)) == "max"


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
def test_a_level_the_model_lacks_becomes_the_nearest_below_else_its_lowest(
    wanted: str, levels: tuple[str, ...], sent: str
) -> None:
    assert effort(asking(wanted), levels=levels) == sent


def test_the_newest_system_message_beats_the_request() -> None:
    messages = [
        {"role": "system", "content": "x", "output_config": {"effort": "low"}},
        {"role": "system", "content": None, "output_config": {"effort": "xhigh"}},
        {"role": "system", "content": "no effort here"},
        {"role": "user", "content": "go", "output_config": {"effort": "low"}},
    ]
    assert effort(asking("high", messages=messages)) == "xhigh"


def test_what_the_user_started_with_holds_until_another_level_is_named() -> None:
    rules: dict[str, Any] = {"forced": "minimal", "meant_by": frozenset({told_as("minimal")}), "levels": ALL}
    assert effort(asking("low"), **rules) == "minimal"
    assert effort(asking("max"), **rules) == "max"
    assert effort(asking("low"), suffix="high", **rules) == "high"


def test_what_the_user_started_with_beats_a_tiers_cap_where_a_level_is_named() -> None:
    rules: dict[str, Any] = {"forced": "xhigh", "meant_by": frozenset({"xhigh"}), "default": "xhigh", "most": "low"}
    assert effort(asking("xhigh"), **rules) == "xhigh"
    assert effort(asking("max"), **rules) == "max"
    assert effort({}, **rules) == "low"


def test_claude_code_is_told_a_level_that_it_knows() -> None:
    assert [told_as(level) for level in ALL] == ["low", "low", *LOW_TO_MAX]
