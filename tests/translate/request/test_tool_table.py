"""The tools that a client declares as they are declared to the backend."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from claudegpt_pkg.capabilities import Capabilities
from claudegpt_pkg.errors import InvalidRequest
from claudegpt_pkg.translate.request.tool_table import MOST_DOMAINS, OPEN_SCHEMA, build_tool_table
from claudegpt_pkg.translate.tools import ToolRules, ToolTable, shorten_name

OBJECT: dict[str, Any] = {"type": "object", "properties": {}}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
LONG = "mcp__" + "server_with_a_very_long_name__" * 3 + "tool"


def tool(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "input_schema": OBJECT, **more}


TAKEN = {each.name for each in fields(Capabilities)} - {"web_search"}


def table(
    *tools: dict[str, Any],
    referenced: tuple[str, ...] = (),
    revealed: tuple[str, ...] = (),
    forced: str | None = None,
    **given: Any,
) -> Any:
    """`given`: fields of the rules, or of the capabilities."""
    taken = {"tool_search": False, **{name: given.pop(name) for name in TAKEN & given.keys()}}
    return build_tool_table(
        tools, referenced, ToolRules(**given), Capabilities(**taken), revealed=revealed, forced=forced
    )


def names(made: ToolTable) -> list[str]:
    return [one.get("name") or one["type"] for one in made.declared]


# Fields.


def test_a_tool_is_built_by_allow_list_and_never_strict() -> None:
    given = tool(
        "Bash",
        description="Run it.",
        type="custom",
        strict=True,
        cache_control={"type": "ephemeral"},
        defer_loading=False,
        eager_input_streaming=True,
        input_examples=[{}],
        allowed_callers=["direct"],
        novelty={"deep": 1},
    )
    assert table(given).declared == [
        {"type": "function", "name": "Bash", "description": "Run it.", "parameters": OBJECT, "strict": False}
    ]


def test_missing_fields_of_a_tool_get_defaults() -> None:
    made = table({"name": "a"}, {"name": "b", "description": None, "input_schema": None})
    assert [(one["description"], one["parameters"]) for one in made.declared] == [("", OBJECT), ("", OBJECT)]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"type": "tool_search_tool_regex_20251119", "name": "t"}, "tools.t: .*tool_search_tool_regex_20251119"),
        ({"type": "code_execution_20260120", "name": "code_execution"}, "code_execution_20260120"),
        ({"type": "mcp_toolset", "mcp_server_name": "docs"}, "tools.docs: .*mcp_toolset"),
        ({"type": "future_20270101"}, "future_20270101"),
        ({"description": "nameless"}, "name"),
        ({"name": ""}, "name"),
        ({"name": 7}, "name"),
    ],
)
def test_a_server_tool_without_a_counterpart_is_refused_by_name(given: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidRequest, match=named):
        table(given)


def test_a_name_declared_twice_is_declared_once() -> None:
    made = table(tool("a", description="first"), tool("b"), tool("a", description="second"), SEARCH, SEARCH)
    assert names(made) == ["a", "b", "web_search"]
    assert made.declared[0]["description"] == "first"
    assert ("tools.a", "dropped: a second tool of that name") in made.notes


# Names.


@pytest.mark.parametrize("name", ["Bash", "mcp__a__b-c_9", "x" * 64])
def test_a_plain_name_is_itself(name: str) -> None:
    assert shorten_name(name) == name


@pytest.mark.parametrize("name", ["x" * 65, LONG, "a.b", "a b", "ä", "a/b", "日本", "", "a\ud83d", "a\n"])
def test_any_other_name_is_shortened_and_leads_back_to_the_original(name: str) -> None:
    made = shorten_name(name)
    assert (
        made == shorten_name(name) and 0 < len(made) <= 64 and made.isascii() and made.replace("-", "_").isidentifier()
    )
    if name and "\ud83d" not in name:
        assert table(tool(name)).original(made) == name


def test_names_that_differ_stay_different() -> None:
    alike = ["a.b", "a b", "a/b", "a_b", LONG, LONG + "2", LONG + "1"]
    assert len(set(map(shorten_name, alike))) == len(alike)
    made = table(*map(tool, alike))
    assert [made.original(name) for name in names(made)] == alike


def test_a_name_that_is_not_declared_stays_as_it_is() -> None:
    assert table(tool("a.b")).original("invented") == "invented"


# What is declared, and in which order.


def test_tools_that_the_settings_leave_out_are_not_declared() -> None:
    made = table(tool("Bash"), tool("mcp__a__b"), tool("Write"), SEARCH, drop=frozenset({"Write"}), block_mcp=True)
    assert names(made) == ["Bash", "web_search"]
    assert [field for field, _ in made.notes] == ["tools.mcp__a__b", "tools.Write"]


def test_a_deferred_tool_is_withheld_until_it_is_found() -> None:
    tools = [tool("ToolSearch"), tool("mcp__a__b", defer_loading=True), tool("mcp__a__c", defer_loading=True)]
    assert names(table(*tools)) == ["ToolSearch"]
    assert names(table(*tools, referenced=("mcp__a__c",))) == ["ToolSearch", "mcp__a__c"]
    assert "mcp__a__b" not in table(*tools).schemas


def test_found_tools_stand_behind_all_others_in_the_order_they_were_found() -> None:
    old = [tool("A"), tool("B"), tool("ToolSearch"), tool("mcp__x", defer_loading=True), tool("Found")]
    new = [tool("A"), tool("Found"), tool("B"), tool("ToolSearch"), tool("mcp__x", defer_loading=True)]
    found = ("mcp__x", "Found", "mcp__x", "gone")
    assert names(table(*old, referenced=found)) == ["A", "B", "ToolSearch", "mcp__x", "Found"]
    assert table(*old, referenced=found).declared == table(*new, referenced=found).declared


def test_each_found_tool_is_appended_at_the_end() -> None:
    tools = [tool("ToolSearch"), *(tool(name, defer_loading=True) for name in "abc")]
    before = table(*tools, referenced=("c",)).declared
    after = table(*tools, referenced=("c", "a")).declared
    assert after[: len(before)] == before


SEARCHED = [tool("A"), tool("ToolSearch", description="Find."), tool("f.1", defer_loading=True), tool("f2")]


def test_with_tool_search_found_tools_are_not_declared() -> None:
    before = table(*SEARCHED[:3], tool_search=True)
    after = table(*SEARCHED, referenced=("f.1", "f2"), revealed=("f.1", "f2"), tool_search=True)
    assert names(before) == names(after) == ["A", "tool_search"]
    assert after.searching and not after.schemas.keys() ^ {"A", "ToolSearch", "f.1", "f2"}
    assert {name: one["name"] for name, one in after.found.items()} == {"f.1": shorten_name("f.1"), "f2": "f2"}
    assert after.original(shorten_name("f.1")) == "f.1"


def test_with_tool_search_a_tool_that_no_search_revealed_is_declared() -> None:
    made = table(*SEARCHED, referenced=("f2", "f.1"), revealed=("f.1",), tool_search=True)
    assert names(made) == ["A", "tool_search", "f2"]


def test_without_the_clients_search_tool_found_tools_are_declared() -> None:
    made = table(tool("A"), tool("f", defer_loading=True), referenced=("f",), tool_search=True)
    assert names(made) == ["A", "f"] and not made.searching


def test_the_hosted_search_is_declared_last_with_what_the_upstream_takes() -> None:
    place = {"type": "approximate", "city": "Oslo"}
    given = {
        **SEARCH,
        "allowed_domains": ["a.test"],
        "blocked_domains": ["b.test"],
        "max_uses": 8,
        "user_location": place,
    }
    made = table(given, tool("A"))
    assert made.declared[1] == {
        "type": "web_search",
        "filters": {"allowed_domains": ["a.test"], "blocked_domains": ["b.test"]},
        "user_location": place,
    }
    assert (made.web_search, made.most_searches, made.notes) == ("web_search", 8, ())


def test_blocked_domains_that_the_backend_refuses_are_left_to_the_answer() -> None:
    made = table({**SEARCH, "blocked_domains": ["b.test"]}, blocked_domains=False)
    assert made.declared == [{"type": "web_search"}] and made.blocked_hosts == {"b.test"}
    assert made.notes == (
        ("tools.web_search.blocked_domains", "emulated: results from there are left out of the answer"),
    )


def test_a_limit_that_the_backend_refuses_is_noted() -> None:
    made = table({**SEARCH, "max_uses": 3}, refused_fields=frozenset({"max_tool_calls"}))
    assert made.most_searches is None
    assert made.notes == (("tools.web_search.max_uses", "dropped: the backend has no such limit"),)


@pytest.mark.parametrize("most", [0, -1, True, "3", None, 1.5])
def test_a_limit_that_is_no_positive_number_is_not_sent(most: Any) -> None:
    assert table({**SEARCH, "max_uses": most}).most_searches is None


def test_domains_become_hosts() -> None:
    given = ["https://A.test/blog?x", "a.test", "b.test:80/c", "[::1", "", 7, "x.test"]
    made = table({**SEARCH, "allowed_domains": given})
    assert made.declared[0]["filters"] == {"allowed_domains": ["a.test", "b.test", "x.test"]}
    assert made.notes == (("tools.web_search.allowed_domains", "changed: hosts only, as the backend takes them"),)


def test_a_list_of_domains_has_at_most_a_hundred() -> None:
    made = table({**SEARCH, "blocked_domains": [f"d{n}.test" for n in range(120)]})
    assert made.declared[0]["filters"]["blocked_domains"] == [f"d{n}.test" for n in range(MOST_DOMAINS)]
    ((field, outcome),) = made.notes
    assert field == "tools.web_search.blocked_domains" and outcome.startswith(f"changed: the first {MOST_DOMAINS}")


def test_the_hosted_search_can_be_left_out() -> None:
    made = table(SEARCH, tool("A"), web_search=False)
    assert names(made) == ["A"] and made.web_search is None


def test_an_answer_keeps_the_names_and_schemas_only() -> None:
    made = table(tool("a.b", description="long"), SEARCH).for_answer()
    assert (made.declared, made.found) == ([], {})
    assert made.original(shorten_name("a.b")) == "a.b" and made.schemas == {"a.b": OBJECT} and made.web_search


# Forced tools, open schemas, repaired schemas.


def test_a_forced_tool_is_declared_though_no_search_has_found_it() -> None:
    tools = [tool("ToolSearch"), tool("late", defer_loading=True), tool("A")]
    for searching in (True, False):
        made = table(*tools, forced="late", tool_search=searching)
        assert names(made)[-2:] == ["A", "late"]
        assert made.notes == (("tools.late", "declared before a search found it: `tool_choice` forces it"),)


def test_a_found_tool_whose_schema_is_refused_gets_an_open_schema() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    tools = [tool("ToolSearch"), {"name": "f.1", "input_schema": schema, "defer_loading": True}]
    made = table(
        *tools,
        referenced=("f.1",),
        revealed=("f.1",),
        tool_search=True,
        open_schemas=frozenset({shorten_name("f.1")}),
    )
    assert made.found["f.1"]["parameters"] == OPEN_SCHEMA
    assert made.found["f.1"]["description"].endswith('{"type":"object","properties":{"a":{"type":"string"}}}')
    assert dict(made.notes)["tools.f.1"] == "declared with an open schema: the backend refuses its own"
    assert len([field for field, outcome in made.notes if "open schema" in outcome]) == 1


def test_what_is_changed_in_a_schema_is_noted() -> None:
    made = table(tool("A", input_schema={"type": "object", "properties": {"n": {"type": "any", "enum": []}}}))
    assert made.declared[0]["parameters"]["properties"] == {"n": {}}
    assert made.notes == (("tools.A.input_schema", "changed, because backends refuse it as it is: type, enum"),)
    assert made.schemas["A"]["properties"]["n"]["type"] == "any"  # the answer is read with the client's own


def test_a_name_that_is_shortened_is_noted() -> None:
    assert table(tool("a.b")).notes == (("tools.a.b", f"renamed: the backend knows it as {shorten_name('a.b')}"),)


# Tools of Anthropic's that the client runs.


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("bash_20241022", "bash"),
        ("bash_20250124", "bash"),
        ("bash_20991231", "bash"),
        ("text_editor_20241022", "str_replace_editor"),
        ("text_editor_20250728", "str_replace_based_edit_tool"),
        ("memory_20250818", "memory"),
        ("computer_20251124", "computer"),
    ],
)
def test_a_tool_that_the_client_runs_is_declared_as_a_function(kind: str, name: str) -> None:
    made = table({"type": kind, "name": name, "cache_control": {"type": "ephemeral"}})
    (declared,) = made.declared
    assert (declared["type"], declared["name"], declared["strict"]) == ("function", name, False)
    assert declared["description"] and declared["parameters"]["properties"]
    assert made.schemas[name] == declared["parameters"]
    assert made.notes == ((f"tools.{name}", f"translated: {kind} is declared as a function, which the client runs"),)


def test_a_tool_that_the_client_runs_can_be_deferred_and_left_out() -> None:
    bash = {"type": "bash_20250124", "name": "bash", "defer_loading": True}
    assert names(table(bash)) == []
    assert names(table(bash, referenced=("bash",))) == ["bash"]
    assert names(table(bash, referenced=("bash",), drop=frozenset({"bash"}))) == []


@pytest.mark.parametrize(
    "kind", ["code_execution_20260521", "computer_toolset_20260801", "bash_", "bash_2025012", "tool_search_tool_bm25"]
)
def test_a_tool_that_only_anthropics_servers_can_run_is_still_refused(kind: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"tools.x: .*{kind}"):
        table({"type": kind, "name": "x"})
