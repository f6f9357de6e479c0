"""A Messages request becomes a Responses request: every field, and what became of it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from claudegpt_pkg.capabilities import Capabilities
from claudegpt_pkg.errors import InvalidRequest, ThreadNotHeld
from claudegpt_pkg.translate.reasoning import sign
from claudegpt_pkg.translate.request.system_prompt import Identity
from claudegpt_pkg.translate.request.tool_table import OPEN_SCHEMA
from claudegpt_pkg.translate.request.translate import (
    BYTES_PER_TOKEN,
    DROPPED,
    MEDIA_TOKENS,
    Target,
    Translation,
    _wants_thinking,
    translate,
)
from claudegpt_pkg.translate.request.validate import check_request
from claudegpt_pkg.translate.tools import ToolRules, shorten_name
from claudegpt_pkg.translate.wire import openai
from claudegpt_pkg.translate.wire.json_text import dumps, encode_json, loads

BASH = {"name": "Bash", "description": "Run.", "input_schema": {"type": "object", "properties": {}}}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
TITLE = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}}
CALL = {"type": "tool_use", "id": "t", "name": "Bash", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": "r"}
CAPABILITIES = {each.name for each in fields(Capabilities)}


def translated(given: dict[str, Any] | None = None, /, **request: Any) -> Translation:
    """`given`: fields of the target, or of its capabilities."""
    capabilities = {name: value for name, value in (given or {}).items() if name in CAPABILITIES}
    target = {name: value for name, value in (given or {}).items() if name not in CAPABILITIES}
    target |= {"capabilities": Capabilities(**{"tool_search": False, **capabilities})}
    target = {"model": "gpt-6-sol", "effort": "high", "cache_key": "key", **target}
    base = {"model": "claude-opus-4-8", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
    return translate({**base, **request}, Target(**target))


def body(target: dict[str, Any] | None = None, /, **request: Any) -> dict[str, Any]:
    return translated(target, **request).body


def note(field: str, target: dict[str, Any] | None = None, /, **request: Any) -> str:
    notes = dict(translated(target, **request).notes)
    return notes.get(field, "")


def said(item: dict[str, Any]) -> str:
    return "".join(part["text"] for part in item["content"])


# The whole.


def test_a_small_request_becomes_exactly_this() -> None:
    assert body(system="Be brief.", tools=[BASH]) == {
        "model": "gpt-6-sol",
        "instructions": "Be brief.",
        "tools": [openai.function_tool("Bash", "Run.", {"type": "object", "properties": {}})],
        "parallel_tool_calls": True,
        "reasoning": {"effort": "high", "summary": "auto"},
        "max_output_tokens": 100,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "key",
        "store": False,
        "stream": True,
        "stream_options": {"include_obfuscation": False},
        "input": [openai.message("user", [openai.input_text("hi")])],
    }


def test_stable_fields_come_first_and_input_last() -> None:
    everything = body(system="s", tools=[BASH], tool_choice={"type": "auto"}, speed="fast")
    assert list(everything)[:3] == ["model", "instructions", "tools"]
    assert list(everything)[-1] == "input"


def test_the_same_request_gives_the_same_bytes() -> None:
    request = {"system": "s", "tools": [BASH, SEARCH], "metadata": {"user_id": "u"}}
    assert dumps(body(**request)) == dumps(body(**request))


# System prompt.


def test_without_a_system_prompt_there_are_no_instructions() -> None:
    assert "instructions" not in body() and "instructions" not in body(system="")


def test_a_backend_without_instructions_gets_the_prompt_as_a_first_developer_message() -> None:
    made = body({"instructions": False}, system=[{"type": "text", "text": "Be brief."}])
    assert made["instructions"] == ""  # the ChatGPT backend wants the field, even if it is empty
    assert [(item["role"], said(item)) for item in made["input"]] == [("developer", "Be brief."), ("user", "hi")]


def test_without_a_prompt_a_backend_without_instructions_gets_no_developer_message() -> None:
    made = body({"instructions": False})
    assert made["instructions"] == "" and [item["role"] for item in made["input"]] == ["user"]


def test_the_prompt_names_the_real_model() -> None:
    made = body(
        {"identity": Identity("GPT-6 Sol", "gpt-6-sol")},
        system="You are Claude Code, Anthropic's official CLI for Claude.",
    )
    assert made["instructions"].startswith("You are GPT-6 Sol")


@pytest.mark.parametrize("content", ["", [], [{"type": "hologram"}]])
def test_an_empty_input_becomes_a_message_that_says_so(content: Any) -> None:
    request = {"messages": [{"role": "user", "content": content}]}
    for instructions in (True, False):
        made = translated({"instructions": instructions}, **request, system="s")
        assert said(made.body["input"][-1]) == "[empty message]"
        assert ("messages", "repaired: nothing in them has a counterpart upstream") in made.notes


def test_counting_tools_alone_needs_no_messages() -> None:
    assert body(messages=[], tools=[BASH])["input"] == []


# Tools.


def test_without_tools_no_tool_field_is_sent() -> None:
    made = body(tools=[], tool_choice={"type": "auto"})
    assert not made.keys() & {"tools", "tool_choice", "parallel_tool_calls"}


def test_tools_and_their_choice_are_sent_together() -> None:
    made = body(tools=[BASH], tool_choice={"type": "any", "disable_parallel_tool_use": True})
    assert (made["tool_choice"], made["parallel_tool_calls"]) == ("required", False)


def test_a_forced_search_is_declared_alone() -> None:
    made = translated(tools=[BASH, SEARCH], tool_choice={"type": "tool", "name": "web_search"})
    assert (made.body["tools"], made.body["tool_choice"]) == ([{"type": "web_search"}], "required")
    assert ("tools", "left out, except the one that `tool_choice` forces") in made.notes


def system(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "system", "content": list(blocks)}


def test_tools_change_in_mid_conversation() -> None:
    defined = {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": {**BASH, "name": "New"}}}
    added = {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "Later"}}
    removed = {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "Bash"}}
    tools = [BASH, {**BASH, "name": "Later", "defer_loading": True}, {**BASH, "name": "Read"}]
    messages = [{"role": "user", "content": "hi"}, system(defined, removed, added)]
    for search in (False, True):
        made = body({"tool_search": search}, tools=tools, messages=messages)
        assert [tool["name"] for tool in made["tools"]] == ["Read", "New", "Later"]


def test_a_tool_that_was_added_and_removed_in_mid_conversation_is_not_declared() -> None:
    defined = {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": {**BASH, "name": "New"}}}
    removed = {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "New"}}
    assert "tools" not in body(messages=[{"role": "user", "content": "x"}, system(defined), system(removed)])


# Thinking.


@pytest.mark.parametrize(
    ("request_fields", "wanted"),
    [
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, True),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, True),
        ({"thinking": {"type": "disabled"}}, False),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}, "tools": [BASH]}, False),
        ({"output_config": {"effort": "low"}, "tools": [BASH]}, True),
        ({"output_config": {"effort": "low"}}, False),
        ({"tools": [BASH]}, False),
        ({"thinking": None, "output_config": None}, False),
    ],
)
def test_thinking_is_shown_if_the_request_asks_for_it(request_fields: dict[str, Any], wanted: bool) -> None:
    assert _wants_thinking(request_fields) is wanted


@pytest.mark.parametrize(
    ("request_fields", "wanted"),
    [
        ({"tools": [BASH]}, True),
        ({"thinking": {"type": "disabled"}, "tools": [BASH]}, False),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, False),
        ({}, False),
    ],
)
def test_a_client_that_keeps_thinking_gets_it_with_its_tools(request_fields: dict[str, Any], wanted: bool) -> None:
    assert _wants_thinking(request_fields, kept=True) is wanted


# Estimates.


def test_the_estimate_leaves_out_the_bytes_of_images() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 40_000}}
    document = {"type": "document", "source": {"type": "url", "url": "https://a.test/a.pdf"}}
    call = {"type": "tool_use", "id": "t", "name": "Bash", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [image]}
    messages = [
        {"role": "user", "content": [image, document]},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    made = translated(messages=messages)
    size = len(dumps(made.body))
    assert made.media[0] == 3 and made.media[1] > 80_000
    estimate = made.estimated_tokens(size)
    assert 3 * MEDIA_TOKENS < estimate < 3 * MEDIA_TOKENS + (size - 80_000) // BYTES_PER_TOKEN
    assert translated().estimated_tokens(0) == 1


# What became of each field.


def test_an_unknown_field_is_left_out_and_noted() -> None:
    made = translated(novelty={"deep": 1}, silence=None)
    assert "novelty" not in made.body
    assert dict(made.notes) == {"novelty": "dropped: not known here"}


def test_a_request_that_continues_a_thread_is_refused() -> None:
    with pytest.raises(ThreadNotHeld, match="thread"):
        translated(thread={"type": "continue", "previous_message_id": "msg_1"})
    assert note("thread", thread={"type": "create"}).startswith("dropped")


# What the backend does not take: the client's wish is never lost in silence.


def refusing(*names: str, **more: Any) -> dict[str, Any]:
    return {"refused_fields": frozenset(names), **more}


READ = {**BASH, "name": "Read"}


@pytest.mark.parametrize(
    ("choice", "declared", "words"),
    [
        ({"type": "tool", "name": "Read"}, ["Read"], "Call the tool Read now."),
        ({"type": "any"}, ["Bash", "Read"], "Call at least one of your tools now."),
        ({"type": "none"}, [], "Do not call any tool."),
        ({"type": "auto"}, ["Bash", "Read"], ""),
    ],
)
def test_a_choice_that_the_backend_refuses_is_asked_for_in_words(
    choice: dict[str, Any], declared: list[str], words: str
) -> None:
    made = body(refusing("tool_choice"), tools=[BASH, READ], tool_choice=choice)
    assert "tool_choice" not in made
    assert [tool["name"] for tool in made.get("tools", [])] == declared
    assert made.get("instructions", "").startswith(words)
    noted = note("tool_choice", refusing("tool_choice"), tools=[BASH, READ], tool_choice=choice)
    assert noted.startswith("emulated") is bool(words)
    left_out = note("tools", refusing("tool_choice"), tools=[BASH, READ], tool_choice=choice)
    assert bool(left_out) is (len(declared) < 2)


def test_a_forced_search_that_cannot_be_chosen_is_asked_for_in_words() -> None:
    forced = {"tools": [BASH, SEARCH], "tool_choice": {"type": "tool", "name": "web_search"}}
    made = body(refusing("tool_choice"), **forced)
    assert made["tools"] == [{"type": "web_search"}] and "tool_choice" not in made
    assert made["instructions"] == "Search the web before you answer."


def test_one_call_at_a_time_is_asked_for_in_words_if_the_backend_has_no_field_for_it() -> None:
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    made = body(refusing("parallel_tool_calls"), tools=[BASH], tool_choice=choice)
    assert "parallel_tool_calls" not in made and made["instructions"] == "Call at most one tool at a time."
    assert "instructions" not in body(refusing("parallel_tool_calls"), tools=[BASH])


def test_a_search_has_the_fields_that_its_backend_wants() -> None:
    made = body({"search_fields": {"external_web_access": True}}, tools=[SEARCH])
    assert made["tools"] == [{"type": "web_search", "external_web_access": True}]


def test_a_tool_whose_schema_is_refused_gets_an_open_schema_and_its_own_in_words() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "string"}}}
    odd = {"name": "mcp__a.b", "description": "Odd.", "input_schema": schema}
    name = shorten_name("mcp__a.b")
    made = body({"open_schemas": frozenset({name})}, tools=[odd, BASH])["tools"]
    assert made[0]["parameters"] == OPEN_SCHEMA
    assert made[0]["description"].startswith("Odd.") and dumps(schema) in made[0]["description"]
    assert made[1] == body(tools=[BASH])["tools"][0]
    assert note("tools.mcp__a.b", {"open_schemas": frozenset({name})}, tools=[odd]).startswith("declared with an open")


# Values that JSON can hold and that are hard to handle.


def deep(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels // 2):
        value = {"properties": {"a": value}}
    return value


@pytest.mark.parametrize("levels", [110, 200, 900])
def test_a_schema_that_is_nested_too_deeply_does_not_stop_the_request(levels: int) -> None:
    made = translated(tools=[{"name": "Deep", "input_schema": deep(levels)}, BASH])
    assert encode_json(made.body) and len(made.body["tools"]) == 2
    assert "nesting" in dict(made.notes)["tools.Deep.input_schema"]


@pytest.mark.parametrize("levels", [260, 900])
def test_a_value_that_is_nested_too_deeply_to_be_sent_is_refused(levels: int) -> None:
    call = {"type": "tool_use", "id": "t", "name": "Bash", "input": {"a": deep(levels)}}
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        translated(messages=[{"role": "assistant", "content": [call]}])


def test_half_an_emoji_becomes_a_replacement_character_and_nothing_else_is_lost() -> None:
    half = "\\ud83d"
    text = (
        '{"model": "m", "max_tokens": 5, "system": "s%s", "messages": [{"role": "user", "content": "u%s"}, {"role": '
        '"assistant", "content": [{"type": "tool_use", "id": "t%s", "name": "n%s", "input": {"k%s": "v%s"}}]}],'
        '"tools": [{"name": "n%s", "description": "d%s", "input_schema": {"properties": {"k%s": {"enum": ["e%s"]}}}}]}'
    ).replace("%s", half)
    made = translate(check_request(loads(text)), Target("gpt-6-sol", "high", "key"))
    sent = encode_json(made.body).decode()
    assert sent.count("\ufffd") == 7  # those in names and ids become `_` and a digest
    assert made.table.original(made.body["tools"][0]["name"]) == "n\ufffd"


def test_numbers_as_large_as_json_can_hold_are_sent() -> None:
    huge = 2**64 - 1
    call = {"type": "tool_use", "id": "t", "name": "Bash", "input": {"n": huge, "f": 1e308}}
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": huge, "minLength": 1e308}}}
    made = translated(
        messages=[{"role": "assistant", "content": [call]}],
        tools=[{"name": "Bash", "input_schema": schema}, {**SEARCH, "max_uses": huge}],
    )
    assert str(huge) in encode_json(made.body).decode()
    assert made.estimated_tokens(huge) > 0


# Whoever drops or changes a field notes it: each field, and every way in which it can be lost.

NONE = {"effort": "none"}
ARRAY = {"type": "json_schema", "schema": {"type": "array", "items": {}}}
OBJECT_FORMAT = {"type": "json_schema", "schema": TITLE}
EMPTY_IMAGE = {"type": "image", "source": {"type": "base64", "data": ""}}
UNSIGNED = {"type": "thinking", "thinking": "t", "signature": "EqQB"}
CHOICE = {"tools": [BASH], "tool_choice": {"type": "tool", "name": "Bash"}}
TWICE = [{"type": "thinking", "thinking": "t", "signature": sign({"id": "r", "encrypted_content": "b"})}] * 2


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "assistant", "content": list(blocks)}]}


LOST: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("novelty", {"novelty": 1}, {}, "dropped"),
    *((name, {name: {"x": 1}}, {}, outcome) for name, outcome in DROPPED.items() if name != "thread"),
    ("thread", {"thread": {"type": "new"}}, {}, "dropped"),
    ("system", {"system": "x-anthropic-billing-header: a\n\nb"}, {}, "changed: the billing header"),
    (
        "system",
        {"system": "You are Claude Code, Anthropic's official CLI for Claude."},
        {"identity": Identity("G", "g")},
        "changed: it names",
    ),
    ("system.hologram", {"system": [{"type": "hologram"}]}, {}, "dropped"),
    ("max_tokens", {"max_tokens": 9}, refusing("max_output_tokens"), "dropped"),
    ("max_tokens", {"max_tokens": 9}, {"least_output_tokens": 16}, "raised to 16"),
    ("max_tokens", {"thinking": {"type": "disabled"}}, {}, "raised by"),
    ("temperature", {"temperature": 0.2}, {}, "dropped: refused while the model reasons"),
    ("temperature", {"temperature": 0.2}, refusing("temperature", **NONE), "dropped: the backend"),
    ("top_p", {"top_p": 0.2}, {}, "dropped: refused while the model reasons"),
    ("top_p", {"top_p": 0.2}, refusing("top_p", **NONE), "dropped: the backend"),
    ("speed", {"speed": "fast"}, refusing("service_tier"), "dropped"),
    ("speed", {"speed": "warp"}, {}, "dropped: 'warp' is not known here"),
    ("service_tier", {"service_tier": "standard_only"}, refusing("service_tier"), "dropped"),
    ("service_tier", {"service_tier": "gold"}, {}, "dropped: 'gold' is not known here"),
    ("service_tier", {"service_tier": "standard_only", "speed": "fast"}, {}, "dropped: `speed` decides"),
    ("output_config.effort", {}, refusing("reasoning"), "dropped: high"),
    ("output_config.novelty", {"output_config": {"novelty": 1}}, {}, "dropped"),
    ("output_config.format", {"output_config": {"format": ARRAY}}, {}, "emulated: asked for in words"),
    ("output_config.format", {"output_config": {"format": OBJECT_FORMAT}}, refusing("text"), "emulated"),
    ("output_config.format", {"output_format": {"type": "yaml"}}, {}, "dropped: no format named yaml"),
    ("stop_sequences", {"stop_sequences": ["x"]}, {}, "emulated"),
    ("thinking.display", {"thinking": {"type": "adaptive", "display": "omitted"}}, {}, "dropped"),
    ("tool_choice", {"tool_choice": {"type": "any"}}, {}, "dropped: no tool is declared"),
    ("tool_choice", CHOICE, refusing("tool_choice"), "emulated"),
    (
        "tool_choice",
        {"tools": [SEARCH], "tool_choice": {"type": "tool", "name": "web_search"}},
        {"web_search": False},
        "dropped: this model has no hosted search",
    ),
    ("tool_choice.novelty", {"tool_choice": {"type": "auto", "novelty": 1}}, {}, "dropped"),
    (
        "tool_choice.disable_parallel_tool_use",
        {"tools": [BASH], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        refusing("parallel_tool_calls"),
        "emulated",
    ),
    ("tools", {**CHOICE, "tools": [BASH, {"name": "B"}]}, refusing("tool_choice"), "left out, except"),
    ("tools", {"tools": [BASH], "tool_choice": {"type": "none"}}, refusing("tool_choice"), "left out: `tool_choice`"),
    ("tools.Bash", {"tools": [BASH]}, {"tools": ToolRules(drop=frozenset({"Bash"}))}, "dropped: the settings"),
    ("tools.Bash", {"tools": [BASH, BASH]}, {}, "dropped: a second tool"),
    ("tools.Bash", {"tools": [{**BASH, "defer_loading": True}]}, {}, "withheld"),
    ("tools.Bash", {"tools": [BASH]}, {"open_schemas": frozenset({"Bash"})}, "declared with an open schema"),
    ("tools.a.b", {"tools": [{"name": "a.b"}]}, {}, "renamed"),
    ("tools.B.input_schema", {"tools": [{"name": "B", "input_schema": {"anyOf": [{}]}}]}, {}, "changed"),
    ("tools.web_search", {"tools": [SEARCH]}, {"web_search": False}, "dropped"),
    ("tools.web_search.max_uses", {"tools": [{**SEARCH, "max_uses": 2}]}, refusing("max_tool_calls"), "dropped"),
    (
        "tools.web_search.blocked_domains",
        {"tools": [{**SEARCH, "blocked_domains": ["a.b"]}]},
        {"blocked_domains": False},
        "emulated",
    ),
    ("messages", user(), {}, "repaired"),
    ("messages.hologram", user({"type": "hologram"}), {}, "dropped"),
    ("messages.hologram", assistant({"type": "hologram"}), {}, "dropped"),
    ("messages.hologram", {"messages": [{"role": "system", "content": [{"type": "hologram"}]}]}, {}, "dropped"),
    ("messages.text.novelty", user({"type": "text", "text": "x", "novelty": 1}), {}, "dropped"),
    ("messages.image", user(EMPTY_IMAGE), {}, "replaced by a line of text: it is empty"),
    ("messages.image", user(IMAGE), {"images": False}, "replaced by a line of text: this model takes no images"),
    ("messages.document", user({**IMAGE, "type": "document"}), {"files": False}, "replaced by a line of text"),
    ("messages.thinking", assistant(UNSIGNED), {}, "dropped: not signed by this proxy"),
    ("messages.thinking", assistant(TWICE[0]), {}, "dropped: nothing that it led to follows"),
    ("messages.thinking", assistant(*TWICE), {}, "dropped: it came before"),
    ("messages.tool_use", assistant(CALL), {}, "repaired: no result"),
    ("messages.tool_result", user(RESULT), {}, "repaired: no call"),
    ("messages.tool_result", {"messages": [*user(RESULT)["messages"], *assistant(CALL)["messages"]]}, {}, "repaired"),
    (
        "messages.tool_result",
        {"messages": [*assistant(CALL)["messages"], *user({**RESULT, "content": [IMAGE]})["messages"]]},
        {"media_in_outputs": False},
        "moved",
    ),
    (
        "messages.system",
        {"messages": [{"role": "system", "content": "x", "clear_at": "next_user_message"}, *user()["messages"]]},
        {},
        "left out",
    ),
]


@pytest.mark.parametrize(("field", "request_fields", "target", "outcome"), LOST)
def test_every_field_that_is_dropped_or_changed_is_noted(
    field: str, request_fields: dict[str, Any], target: dict[str, Any], outcome: str
) -> None:
    outcomes = [found for name, found in translated(target, **request_fields).notes if name == field]
    assert any(found.startswith(outcome) for found in outcomes), outcomes


def test_a_request_of_which_nothing_is_lost_has_no_notes() -> None:
    request = {"system": "s", "tools": [BASH, SEARCH], "output_config": {"effort": "high", "format": OBJECT_FORMAT}}
    assert translated(**request, tool_choice={"type": "auto"}, service_tier="auto", speed="standard").notes == ()
