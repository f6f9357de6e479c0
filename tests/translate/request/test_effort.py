"""What a Messages request says about effort."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.effort import RequestedEffort
from claudegpt_pkg.translate.request import effort
from claudegpt_pkg.translate.request.conversation_facts import COMPACTION, read_facts


def named_level(request: dict[str, Any]) -> str | None:
    return effort.named_level(request, read_facts(request.get("messages", [])))


def read_requested_effort(request: dict[str, Any], **headers: Any) -> RequestedEffort:
    return effort.read_requested_effort(request, read_facts(request.get("messages", [])), **headers)


def asking(level: Any, **more: Any) -> dict[str, Any]:
    return {"output_config": {"effort": level}, **more}


def test_every_field_about_effort_is_read() -> None:
    request = asking("high", thinking={"type": "enabled", "budget_tokens": 4000}, tools=[{"name": "Bash"}])
    expected = RequestedEffort(level="high", budget=4000, has_tools=True, session_id="s", by_agent=True)
    assert read_requested_effort(request, session_id="s", by_agent=True) == expected
    assert read_requested_effort({"thinking": {"type": "disabled"}}) == RequestedEffort(disabled=True)
    assert read_requested_effort({}) == RequestedEffort()


@pytest.mark.parametrize("budget", [None, "many", 1.5])
def test_a_budget_that_is_no_whole_number_is_ignored(budget: Any) -> None:
    assert read_requested_effort({"thinking": {"budget_tokens": budget}}).budget is None


@pytest.mark.parametrize("level", ["ultra", "", None, 3, ["high"], {"level": "high"}])
def test_an_unknown_level_is_ignored(level: Any) -> None:
    assert named_level(asking(level)) is None


def test_the_newest_system_message_with_a_level_beats_the_request() -> None:
    messages = [
        {"role": "system", "content": "x", "output_config": {"effort": "low"}},
        {"role": "system", "content": None, "output_config": {"effort": "xhigh"}},
        {"role": "system", "content": "no effort here"},
        {"role": "user", "content": "go", "output_config": {"effort": "low"}},
    ]
    assert named_level(asking("high", messages=messages)) == "xhigh"


def test_a_compaction_request_is_recognised() -> None:
    assert read_requested_effort({"messages": [{"role": "user", "content": COMPACTION}]}).is_compaction
