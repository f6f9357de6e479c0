"""Which of the tools the model may, must or must not call."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.capabilities import Capabilities
from claudegpt_pkg.errors import InvalidRequest
from claudegpt_pkg.translate.request.draft import Draft
from claudegpt_pkg.translate.request.tool_choice import (
    MUTATING,
    NO_SEARCH,
    allows_parallel_calls,
    put_tools,
    upstream_choice,
)
from claudegpt_pkg.translate.tools import ToolRules, shorten_name
from tests.translate.request.test_tool_table import SEARCH, SEARCHED, table, tool

# Choice.

CHOICES: list[tuple[Any, Any]] = [
    (None, None),
    ({}, None),
    ({"type": "auto"}, "auto"),
    ({"type": "auto", "disable_parallel_tool_use": True}, "auto"),
    ({"type": "none"}, "none"),
    ({"type": "any"}, "required"),
    ({"type": "tool", "name": "A"}, {"type": "function", "name": "A"}),
    ({"type": "tool", "name": "a.b"}, {"type": "function", "name": shorten_name("a.b")}),
    ({"type": "tool", "name": "web_search"}, "required"),
]


@pytest.mark.parametrize(("choice", "sent"), CHOICES)
def test_each_choice_becomes_the_upstreams_value(choice: Any, sent: Any) -> None:
    assert upstream_choice(choice, table(tool("A"), tool("a.b"), SEARCH)) == sent


@pytest.mark.parametrize("choice", [{"type": "auto"}, {"type": "any"}, {"type": "none"}])
def test_without_tools_there_is_no_choice(choice: Any) -> None:
    assert upstream_choice(choice, table()) is None


@pytest.mark.parametrize("name", ["ToolSearch", "f2"])
def test_a_forced_tool_that_no_choice_can_name_becomes_required(name: str) -> None:
    made = table(*SEARCHED, referenced=("f2",), revealed=("f2",), tool_search=True)
    assert upstream_choice({"type": "tool", "name": name}, made) == "required"


@pytest.mark.parametrize(
    ("choice", "named"),
    [
        ({"type": "tool", "name": "B"}, "tool_choice.name: .*'B'"),
        ({"type": "tool"}, "tool_choice.name"),
        ({"type": "tool", "name": ["A"]}, "tool_choice.name"),
        ({"type": "sometimes"}, "tool_choice.type: 'sometimes'"),
        ({"name": "A"}, "tool_choice.type"),
    ],
)
def test_a_choice_of_an_unknown_tool_or_kind_is_refused(choice: Any, named: str) -> None:
    with pytest.raises(InvalidRequest, match=named):
        upstream_choice(choice, table(tool("A")))


# Parallel calls.


def parallel(*tools: str, rule: str, choice: Any = None) -> bool:
    return allows_parallel_calls(choice, table(*map(tool, tools)), ToolRules(parallel=rule))


def test_parallel_calls_follow_the_setting() -> None:
    assert parallel("Edit", rule="on")
    assert not parallel("Read", rule="off")
    assert parallel("Read", "Grep", rule="auto")
    assert not parallel("Read", "Edit", rule="auto")


@pytest.mark.parametrize("rule", ["on", "auto", "off"])
def test_a_request_can_always_forbid_parallel_calls(rule: str) -> None:
    assert not parallel("Read", rule=rule, choice={"type": "auto", "disable_parallel_tool_use": True})


@pytest.mark.parametrize(
    "name", ["Edit", "MultiEdit", "Write", "Bash", "NotebookEdit", "mcp__x__read", "delete_file", "run_command"]
)
def test_a_tool_that_may_change_things_is_recognised_by_its_name(name: str) -> None:
    assert MUTATING.search(name)


@pytest.mark.parametrize("name", ["Read", "Grep", "Glob", "WebFetch", "ToolSearch", "get_weather"])
def test_a_tool_that_only_reads_is_not_recognised_as_changing_things(name: str) -> None:
    assert not MUTATING.search(name)


# Compaction, and choices that cannot be made.


def put(choice: Any, *tools: dict[str, Any], compaction: bool = False, refused: frozenset[str] = frozenset()) -> Draft:
    draft = Draft(Capabilities(refused_fields=refused))
    put_tools(draft, choice, table(*tools), ToolRules(), is_compaction=compaction)
    return draft


@pytest.mark.parametrize("choice", [None, {"type": "auto"}])
def test_a_request_to_summarise_declares_its_tools_and_may_call_none(choice: Any) -> None:
    draft = put(choice, tool("A"), SEARCH, compaction=True)
    assert draft.fields["tool_choice"] == "none" and len(draft.fields["tools"]) == 2
    assert dict(draft.notes)["tool_choice"].startswith("set to none")


def test_a_request_to_summarise_keeps_its_prompt_if_the_backend_refuses_tool_choice() -> None:
    draft = put(None, tool("A"), compaction=True, refused=frozenset({"tool_choice"}))
    assert len(draft.fields["tools"]) == 1 and not draft.sentences and "tool_choice" not in draft.fields


def test_a_request_to_summarise_that_forces_a_tool_gets_it() -> None:
    draft = put({"type": "tool", "name": "A"}, tool("A"), compaction=True)
    assert draft.fields["tool_choice"] == {"type": "function", "name": "A"}


def test_a_choice_among_no_tools_is_noted() -> None:
    assert put({"type": "any"}).notes == [("tool_choice", "dropped: no tool is declared")]
    assert put(None, compaction=True).fields == {}


def test_a_forced_search_that_is_not_available_is_noted() -> None:
    draft = Draft(Capabilities())
    put_tools(draft, {"type": "tool", "name": "web_search"}, table(tool("A"), SEARCH, web_search=False), ToolRules())
    assert draft.sentences == [NO_SEARCH] and "tool_choice" not in draft.fields
    assert ("tool_choice", "dropped: this model has no hosted search, and is told so") in draft.notes


def test_parallel_calls_need_no_words() -> None:
    assert put({"type": "auto"}, tool("A"), refused=frozenset({"parallel_tool_calls"})).sentences == []


def test_max_uses_becomes_max_tool_calls() -> None:
    assert put(None, {**SEARCH, "max_uses": 3}).fields["max_tool_calls"] == 3
    assert "max_tool_calls" not in put(None, tool("A")).fields
