"""The settings about effort as one policy."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.effort import EffortPolicy
from claudegpt_pkg.settings.effort import effort_policy
from claudegpt_pkg.settings.options import (
    EFFORT,
    REASONING_HAIKU,
    REASONING_OPUS,
    REASONING_SONNET,
    TOOLS_REASONING,
    Option,
)
from claudegpt_pkg.settings.settings import load


def test_each_setting_has_its_place_in_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    levels: dict[Option[Any], str] = {
        EFFORT: "minimal",
        REASONING_OPUS: "max",
        REASONING_SONNET: "high",
        REASONING_HAIKU: "none",
        TOOLS_REASONING: "xhigh",
    }
    for option, level in levels.items():
        monkeypatch.setenv(option.name, level)
    assert effort_policy(load({})) == EffortPolicy(
        general="minimal",
        by_tier={"opus": "max", "sonnet": "high"},
        caps={"haiku": "none"},
        cap_with_tools="xhigh",
    )


def test_only_the_flag_is_a_choice_for_this_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EFFORT.name, "low")
    assert effort_policy(load({})).command_line is None
    assert effort_policy(load({EFFORT.name: "high"})).command_line == "high"
