"""What both directions of the translation know about a request's tools."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.translate.tools import ToolRules, ToolTable, host_of, only_searches

SEARCH = {"type": "web_search_20250305", "name": "web_search"}


@pytest.mark.parametrize(
    ("url", "blocked"),
    [
        ("https://b.test/x", True),
        ("https://www.B.test:8080/x?y#z", True),
        ("https://ab.test/x", False),
        ("https://a.test/b.test", False),
        ("not an address", False),
        ("", False),
    ],
)
def test_a_host_and_everything_below_it_are_blocked(url: str, blocked: bool) -> None:
    assert ToolTable(blocked_hosts=frozenset({"b.test"})).is_blocked(url) is blocked
    assert not ToolTable().is_blocked(url)


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("example.com", "example.com"),
        ("https://user:word@Example.com:80/a", "example.com"),
        ("http://[::1]/", ""),
        ("//x", ""),
        ("a b", ""),
    ],
)
def test_the_host_of_an_address(address: str, host: str) -> None:
    assert host_of(address) == host


@pytest.mark.parametrize(
    ("tools", "only"), [([], False), ([SEARCH], True), ([SEARCH, {"name": "A"}], False), ([{"type": 7}], False)]
)
def test_a_request_may_be_for_searching_alone(tools: list[Any], only: bool) -> None:
    assert only_searches(tools) is only


def test_the_settings_leave_tools_out_by_name() -> None:
    rules = ToolRules(drop=frozenset({"A"}), block_mcp=True)
    assert [rules.leave_out(name) for name in ("A", "B", "mcp__a__b")] == [True, False, True]
