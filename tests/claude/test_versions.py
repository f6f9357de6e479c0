"""Which version has which habit."""

from __future__ import annotations

import pytest

from claudegpt_pkg.claude.versions import Version, Versions, knows_effort, parse_user_agent, parse_version


@pytest.mark.parametrize(
    ("versions", "inside", "outside"),
    [
        (Versions(), [(0, 0, 1), (9, 9, 9)], []),
        (Versions(last=(2, 1, 9)), [(2, 1, 9), (1, 9, 99)], [(2, 1, 10), (3, 0, 0)]),
        (Versions(first=(2, 1, 9)), [(2, 1, 9), (3, 0, 0)], [(2, 1, 8), (2, 0, 99)]),
        (Versions((2, 0, 0), (2, 1, 9)), [(2, 0, 0), (2, 1, 9)], [(1, 9, 9), (2, 1, 10)]),
    ],
)
def test_both_ends_are_included(versions: Versions, inside: list[Version], outside: list[Version]) -> None:
    assert all(version in versions for version in inside)
    assert not any(version in versions for version in outside)


def test_an_unknown_version_has_no_habit_and_may_be_told_everything() -> None:
    assert () not in Versions()
    assert knows_effort((), "xhigh")


@pytest.mark.parametrize(
    ("level", "first"), [("low", (2, 1, 40)), ("high", (2, 1, 40)), ("xhigh", (2, 1, 111)), ("max", (2, 1, 40))]
)
def test_levels_of_effort_came_one_after_another(level: str, first: Version) -> None:
    before = (*first[:2], first[2] - 1)
    assert knows_effort(first, level) and not knows_effort(before, level)


@pytest.mark.parametrize(
    ("text", "version"),
    [("2.1.330", (2, 1, 330)), ("2.1", ()), ("2.1.330-beta", ()), ("v2.1.330", ()), ("None", ()), ("", ())],
)
def test_three_numbers_are_a_version(text: str, version: Version) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("agent", "version"),
    [
        ("claude-cli/2.1.330 (external, cli)", (2, 1, 330)),
        ("claude-cli/2.1.9", (2, 1, 9)),
        ("claude-cli/2.1.10-beta.1 (external)", (2, 1, 10)),
        ("anthropic-sdk/2.1.9", ()),
        ("claude-cli/dev", ()),
        ("", ()),
    ],
)
def test_a_client_says_its_version(agent: str, version: Version) -> None:
    assert parse_user_agent(agent) == version
