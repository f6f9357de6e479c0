"""The client's tools as the upstream takes them."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.capabilities import Capabilities
from claudegpt_pkg.errors import InvalidRequest
from claudegpt_pkg.translate.tools import MUTATING, ToolRules, ToolTable, parallel_calls, parameters, short
from claudegpt_pkg.translate.tools import tool_choice as choose
from claudegpt_pkg.translate.tools import tool_table as table_of

OBJECT: dict[str, Any] = {"type": "object", "properties": {}}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
LONG = "mcp__" + "server_with_a_very_long_name__" * 3 + "tool"


def tool(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "input_schema": OBJECT, **more}


def table(
    *tools: dict[str, Any], referenced: tuple[str, ...] = (), revealed: tuple[str, ...] = (), **rules: Any
) -> Any:
    taken = Capabilities(tool_search=rules.pop("tool_search", False))
    return table_of(tools, referenced, ToolRules(**rules), taken, revealed=revealed)


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


def test_what_a_tool_leaves_out_is_made_up_for() -> None:
    made = table({"name": "a"}, {"name": "b", "description": None, "input_schema": None})
    assert [(one["description"], one["parameters"]) for one in made.declared] == [("", OBJECT), ("", OBJECT)]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"type": "bash_20250124", "name": "bash"}, "tools.bash: .*bash_20250124"),
        ({"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"}, "text_editor"),
        ({"type": "code_execution_20260120", "name": "code_execution"}, "code_execution_20260120"),
        ({"type": "mcp_toolset", "mcp_server_name": "docs"}, "tools.docs: .*mcp_toolset"),
        ({"type": "future_20270101"}, "future_20270101"),
        ({"description": "nameless"}, "name"),
        ({"name": ""}, "name"),
        ({"name": 7}, "name"),
    ],
)
def test_a_tool_nothing_can_stand_in_for_is_refused_by_name(given: dict[str, Any], named: str) -> None:
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
    assert short(name) == name


@pytest.mark.parametrize("name", ["x" * 65, LONG, "a.b", "a b", "ä", "a/b", "日本", "", "a\ud83d", "a\n"])
def test_any_other_name_becomes_a_short_plain_one_and_comes_back(name: str) -> None:
    made = short(name)
    assert made == short(name) and 0 < len(made) <= 64 and made.isascii() and made.replace("-", "_").isidentifier()
    if name and "\ud83d" not in name:
        assert table(tool(name)).original(made) == name


def test_names_that_differ_stay_different() -> None:
    alike = ["a.b", "a b", "a/b", "a_b", LONG, LONG + "2", LONG + "1"]
    assert len(set(map(short, alike))) == len(alike)
    made = table(*map(tool, alike))
    assert [made.original(name) for name in names(made)] == alike


def test_a_name_nobody_declared_is_left_as_it_is() -> None:
    assert table(tool("a.b")).original("invented") == "invented"


# Schemas.

UNTOUCHED: list[dict[str, Any]] = [
    OBJECT,
    {
        "type": "object",
        "properties": {"a": {"type": ["string", "null"], "minLength": 1}},
        "additionalProperties": False,
    },
    {"type": "object", "properties": {"type": {"enum": ["array"]}, "items": {"type": "string"}}, "$defs": {"x": {}}},
    {"type": "object", "properties": {"a": {"oneOf": [{"type": "string"}, {"type": "array", "items": {}}]}}},
    {"type": "object", "properties": {"a": {"type": "array", "prefixItems": [{"type": "string"}]}}},
    {"type": "object", "properties": {"a": {"default": {"type": "array"}, "examples": [{"type": "array"}]}}},
    {"type": "object", "properties": {"a": {"enum": [{"type": "array"}]}, "b": {"const": {"type": "array"}}}},
]


@pytest.mark.parametrize("schema", UNTOUCHED)
def test_a_schema_the_upstream_takes_is_the_very_same_object(schema: dict[str, Any]) -> None:
    assert parameters(schema) is schema


CHANGED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, OBJECT),
    ({"type": "object"}, OBJECT),
    ({"type": "object", "properties": None}, OBJECT),
    ({"properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
    ({"$schema": "http://json-schema.org/draft-07/schema#", **OBJECT}, OBJECT),
    ({**OBJECT, "required": None}, OBJECT),
    ({**OBJECT, "enum": [{}], "not": {}}, OBJECT),
    (
        {"type": "object", "properties": {"default": {"type": "array"}}},
        {"type": "object", "properties": {"default": {"type": "array", "items": {}}}},
    ),
    (
        {"type": ["object", "null"], "properties": {"a": {}}, "required": ["a"], "description": "d"},
        {"type": "object", "properties": {"a": {}}, "required": ["a"], "description": "d"},
    ),
    (
        {
            "type": "object",
            "anyOf": [
                {"properties": {"a": {"type": "string"}, "c": {}}, "required": ["a", "c"]},
                {"properties": {"b": {"type": "string"}, "c": {}}, "required": ["b", "c"]},
            ],
        },
        {
            "type": "object",
            "properties": {"b": {"type": "string"}, "c": {}, "a": {"type": "string"}},
            "required": ["c"],
        },
    ),
    (
        {
            "type": "object",
            "properties": {"a": {"type": "integer"}},
            "allOf": [{"properties": {"a": {"type": "string"}, "b": {}}, "required": ["b"]}, {"required": ["a"]}],
        },
        {"type": "object", "properties": {"a": {"type": "integer"}, "b": {}}, "required": ["a", "b"]},
    ),
    (
        {"type": "object", "properties": {"a": {"type": "array"}, "b": {"items": {"type": ["array", "null"]}}}},
        {
            "type": "object",
            "properties": {
                "a": {"type": "array", "items": {}},
                "b": {"items": {"type": ["array", "null"], "items": {}}},
            },
        },
    ),
    (
        {
            "type": "object",
            "properties": {"a": {"anyOf": [{"type": "array"}, {"type": "null"}]}},
            "$defs": {"x": {"type": "array"}},
        },
        {
            "type": "object",
            "properties": {"a": {"anyOf": [{"type": "array", "items": {}}, {"type": "null"}]}},
            "$defs": {"x": {"type": "array", "items": {}}},
        },
    ),
    (
        {"$ref": "#/definitions/Args", "definitions": {"Args": {**OBJECT, "required": ["a"], "properties": {"a": {}}}}},
        {
            "type": "object",
            "properties": {"a": {}},
            "required": ["a"],
            "definitions": {"Args": {**OBJECT, "required": ["a"], "properties": {"a": {}}}},
        },
    ),
]


@pytest.mark.parametrize(("schema", "taken"), CHANGED)
def test_a_schema_changes_only_where_the_upstream_would_refuse_it(
    schema: dict[str, Any], taken: dict[str, Any]
) -> None:
    before = repr(schema)
    made = parameters(schema)
    assert made == taken
    assert repr(schema) == before


@pytest.mark.parametrize("ref", ["#/definitions/Missing", "https://x.test/schema", "#", 7])
def test_a_reference_that_leads_nowhere_is_no_fault(ref: Any) -> None:
    assert parameters({"$ref": ref})["type"] == "object"


# What is declared, and in which order.


def test_what_the_settings_leave_out_is_left_out() -> None:
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


def test_each_find_only_adds_to_the_end() -> None:
    tools = [tool("ToolSearch"), *(tool(name, defer_loading=True) for name in "abc")]
    before = table(*tools, referenced=("c",)).declared
    after = table(*tools, referenced=("c", "a")).declared
    assert after[: len(before)] == before


SEARCHED = [tool("A"), tool("ToolSearch", description="Find."), tool("f.1", defer_loading=True), tool("f2")]


def test_where_the_backend_searches_what_was_found_stays_out_of_the_declared() -> None:
    before = table(*SEARCHED[:3], tool_search=True)
    after = table(*SEARCHED, referenced=("f.1", "f2"), revealed=("f.1", "f2"), tool_search=True)
    assert names(before) == names(after) == ["A", "tool_search"]
    assert after.searching and not after.schemas.keys() ^ {"A", "ToolSearch", "f.1", "f2"}
    assert {name: one["name"] for name, one in after.found.items()} == {"f.1": short("f.1"), "f2": "f2"}
    assert after.original(short("f.1")) == "f.1"


def test_where_the_backend_searches_what_no_search_revealed_is_declared() -> None:
    made = table(*SEARCHED, referenced=("f2", "f.1"), revealed=("f.1",), tool_search=True)
    assert names(made) == ["A", "tool_search", "f2"]


def test_without_the_clients_search_there_is_nothing_to_search_with() -> None:
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
        "filters": {"allowed_domains": ["a.test"]},
        "user_location": place,
    }
    assert [field for field, _ in made.notes] == ["tools.web_search.blocked_domains", "tools.web_search.max_uses"]
    assert made.web_search == "web_search"


def test_the_hosted_search_can_be_left_out() -> None:
    made = table(SEARCH, tool("A"), web_search=False)
    assert names(made) == ["A"] and made.web_search is None


def test_an_answer_keeps_the_names_and_schemas_only() -> None:
    made = table(tool("a.b", description="long"), SEARCH).for_answer()
    assert (made.declared, made.found) == ([], {})
    assert made.original(short("a.b")) == "a.b" and made.schemas == {"a.b": OBJECT} and made.web_search


# Choice.

CHOICES: list[tuple[Any, Any]] = [
    (None, None),
    ({}, None),
    ({"type": "auto"}, "auto"),
    ({"type": "auto", "disable_parallel_tool_use": True}, "auto"),
    ({"type": "none"}, "none"),
    ({"type": "any"}, "required"),
    ({"type": "tool", "name": "A"}, {"type": "function", "name": "A"}),
    ({"type": "tool", "name": "a.b"}, {"type": "function", "name": short("a.b")}),
    ({"type": "tool", "name": "web_search"}, "required"),
]


@pytest.mark.parametrize(("choice", "sent"), CHOICES)
def test_a_choice_is_said_in_the_upstreams_words(choice: Any, sent: Any) -> None:
    assert choose(choice, table(tool("A"), tool("a.b"), SEARCH)) == sent


@pytest.mark.parametrize("choice", [{"type": "auto"}, {"type": "any"}, {"type": "none"}])
def test_without_tools_there_is_no_choice(choice: Any) -> None:
    assert choose(choice, table()) is None


@pytest.mark.parametrize("name", ["ToolSearch", "f2"])
def test_a_forced_tool_that_is_not_declared_as_a_function_is_required_all_the_same(name: str) -> None:
    made = table(*SEARCHED, referenced=("f2",), revealed=("f2",), tool_search=True)
    assert choose({"type": "tool", "name": name}, made) == "required"


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
def test_a_choice_of_what_does_not_exist_is_refused(choice: Any, named: str) -> None:
    with pytest.raises(InvalidRequest, match=named):
        choose(choice, table(tool("A")))


# Parallel calls.


def parallel(*tools: str, rule: str, choice: Any = None) -> bool:
    return parallel_calls(choice, table(*map(tool, tools)), ToolRules(parallel=rule))


def test_calls_may_be_parallel_as_the_setting_says() -> None:
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
def test_a_tool_that_may_change_things_is_known_by_its_name(name: str) -> None:
    assert MUTATING.search(name)


@pytest.mark.parametrize("name", ["Read", "Grep", "Glob", "WebFetch", "ToolSearch", "get_weather"])
def test_a_tool_that_only_looks_is_none_of_them(name: str) -> None:
    assert not MUTATING.search(name)
