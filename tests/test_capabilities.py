"""What a backend takes, as one value: how the provider's default and the learned difference become one."""

from __future__ import annotations

import pytest

from claudegpt_pkg.accounts.providers import azure, chatgpt
from claudegpt_pkg.capabilities import Capabilities, media_digest


def test_what_either_lacks_is_lacking() -> None:
    stated = Capabilities(refused_fields=frozenset({"user"}), tool_search=False, plain_body_limit=10)
    learned = Capabilities(refused_fields=frozenset({"text"}), images=False, silent_search=True, least_output_tokens=20)
    assert stated.without(learned) == Capabilities(
        refused_fields=frozenset({"user", "text"}),
        tool_search=False,
        images=False,
        silent_search=True,
        least_output_tokens=20,
        plain_body_limit=10,
    )


@pytest.mark.parametrize("stated", [Capabilities(), chatgpt.CAPABILITIES, azure.CAPABILITIES])
def test_nothing_learned_changes_nothing(stated: Capabilities) -> None:
    assert stated.without(Capabilities()) == stated
    assert Capabilities().without(stated) == stated


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (None, ("low", "high"), ("low", "high")),
        (("low", "high"), None, ("low", "high")),
        (("low", "high"), ("high", "max"), ("high",)),
        (("low",), ("high", "max"), ("high", "max")),
    ],
)
def test_effort_levels_are_those_of_both_and_the_newer_if_they_share_none(
    one: tuple[str, ...] | None, other: tuple[str, ...] | None, both: tuple[str, ...]
) -> None:
    assert Capabilities(efforts=one).without(Capabilities(efforts=other)).efforts == both


@pytest.mark.parametrize("levels", [(), ("enormous",), ("low", "ultra")])
def test_levels_that_nobody_knows_are_no_levels(levels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="efforts"):
        Capabilities(efforts=levels)


def test_the_number_of_hosted_calls_can_be_limited_where_the_field_is_taken() -> None:
    assert Capabilities().max_tool_calls and not chatgpt.CAPABILITIES.max_tool_calls


def test_the_same_medium_has_the_same_digest() -> None:
    assert media_digest("data:image/png;base64,AA") == media_digest("data:image/png;base64,AA")
    assert media_digest("data:image/png;base64,AA") != media_digest("data:image/png;base64,AB")
