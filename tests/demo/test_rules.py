"""What the demo refuses, as the real servers do: each rule once, by the code and parameter it names."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claudegpt_pkg.demo import WINDOW
from claudegpt_pkg.demo.rules import CHOICES, FORMATS, INPUT_PARTS, ITEMS, PARAMETERS, TOOLS, check
from claudegpt_pkg.demo.seal import seal

from ..support.demo_client import function, request, says

HELLO = says("user", "hello")
BASH = function("Bash")
CALL = {"type": "function_call", "call_id": "call_1", "name": "Bash", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "ok"}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": seal({"item": "rs_1"})}
SAID = {"type": "message", "role": "assistant", "content": "fine"}
LONG = "x" * 65


def body(*items: dict[str, Any], tools: list[dict[str, Any]] | None = None, **fields: Any) -> dict[str, Any]:
    return request([HELLO, *items], [BASH] if tools is None else tools, **fields)


def tool(**fields: Any) -> list[dict[str, Any]]:
    return [{**BASH, **fields}]


def part(**fields: Any) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [fields]}


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in body().items() if name != key}


ACCEPTED = {
    "a string as input": {**body(), "input": "hello"},
    "messages without a type": {**body(), "input": [{"role": "user", "content": "hello"}]},
    "a system message": body(says("system", "be kind")),
    "a call with its output": body(CALL, OUTPUT),
    "two calls, then two outputs": body(CALL, {**CALL, "call_id": "call_2"}, {**OUTPUT, "call_id": "call_2"}, OUTPUT),
    "an image as output": body(
        CALL, {**OUTPUT, "output": [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]}
    ),
    "reasoning with its call": body(REASONING, CALL, OUTPUT),
    "reasoning with its text": body(REASONING, SAID),
    "temperature without reasoning": body(temperature=1, reasoning={"effort": "none"}),
    "null for what may be left out": body(max_output_tokens=None, text=None, tool_choice=None),
    "web search": body(tools=[{"type": "web_search", "filters": {"allowed_domains": ["a.org"]}}]),
    "any GPT": body(model="gpt-6.1-sol"),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name: str) -> None:
    assert check(ACCEPTED[name]) is None


REFUSED: dict[str, tuple[Any, str | None, str | None]] = {
    "no model": (without("model"), "model", "missing_required_parameter"),
    "no input": (without("input"), "input", "missing_required_parameter"),
    "empty input": ({**body(), "input": []}, "input", "missing_required_parameter"),
    "input of a wrong type": ({**body(), "input": 5}, "input", "invalid_type"),
    "model of a wrong type": (body(model=["gpt"]), "model", "invalid_type"),
    "unknown model": (body(model="claude-opus-4-8"), "model", "model_not_found"),
    "unknown parameter": (body(max_tokens=5), "max_tokens", "unknown_parameter"),
    "unknown field of an item": (
        body({**SAID, "cache_control": {}}),
        "input[1].cache_control",
        "unknown_parameter",
    ),
    "unknown field of a tool": (body(tools=tool(cache_control={})), "tools[0].cache_control", "unknown_parameter"),
    "unknown kind of item": (body({"type": "thinking"}), "input[1].type", "invalid_value"),
    "unknown kind of tool": (body(tools=[{"type": "bash_20250124"}]), "tools[0].type", "invalid_value"),
    "unknown role": (body(says("tool", "hi")), "input[1].role", "invalid_value"),
    "input text from the assistant": (
        body(says("assistant", "hi")),
        "input[1].content[0].type",
        "invalid_value",
    ),
    "output text from the user": (part(type="output_text", text="x"), "input[1].content[0].type", "invalid_value"),
    "part without its text": (part(type="input_text"), "input[1].content[0].text", "missing_required_parameter"),
    "call without output": (body(CALL), "input", None),
    "output without call": (body(OUTPUT), "input", None),
    "output before its call": (body(OUTPUT, CALL), "input", None),
    "the same item twice": (body(REASONING, SAID, REASONING, SAID), "input", None),
    "call_id too long": (
        body({**CALL, "call_id": LONG}, {**OUTPUT, "call_id": LONG}),
        "input[1].call_id",
        "string_above_max_length",
    ),
    "name of a call too long": (body({**CALL, "name": LONG}, OUTPUT), "input[1].name", "string_above_max_length"),
    "name of a tool too long": (body(tools=tool(name=LONG)), "tools[0].name", "string_above_max_length"),
    "name of a tool with odd characters": (body(tools=tool(name="a.b")), "tools[0].name", "invalid_value"),
    "empty name": (body(tools=tool(name="")), "tools[0].name", "invalid_value"),
    "item id of the wrong kind": (body({**CALL, "id": "call_1"}, OUTPUT), "input[1].id", "invalid_value"),
    "prompt_cache_key too long": (body(prompt_cache_key=LONG), "prompt_cache_key", "string_above_max_length"),
    "arguments that are no string": (body({**CALL, "arguments": {}}, OUTPUT), "input[1].arguments", "invalid_type"),
    "schema that is no object": (
        body(tools=tool(parameters={"type": "string"})),
        "tools[0].parameters",
        "invalid_function_parameters",
    ),
    "schema with anyOf on top": (
        body(tools=tool(parameters={"type": "object", "anyOf": []})),
        "tools[0].parameters",
        "invalid_function_parameters",
    ),
    "array schema without items": (
        body(tools=tool(parameters={"type": "object", "properties": {"a": {"type": "array"}}})),
        "tools[0].parameters",
        "invalid_function_parameters",
    ),
    "strict with optional properties": (
        body(tools=tool(strict=True)),
        "tools[0].parameters",
        "invalid_function_parameters",
    ),
    "strict format with an open schema": (
        body(text={"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}, "strict": True}}),
        "text.format.schema",
        "invalid_json_schema",
    ),
    "format without a name": (
        body(text={"format": {"type": "json_schema", "schema": {}}}),
        "text.format.name",
        "missing_required_parameter",
    ),
    "reasoning that leads to nothing": (body(REASONING), "input", None),
    "reasoning that leads to the user": (body(REASONING, HELLO), "input", None),
    "mangled reasoning": (
        body({**REASONING, "encrypted_content": "gAAAA"}, SAID),
        None,
        "invalid_encrypted_content",
    ),
    "temperature with reasoning": (body(temperature=0.5), "temperature", "unsupported_parameter"),
    "top_p with reasoning": (body(top_p=0.5), "top_p", "unsupported_parameter"),
    "temperature out of range": (
        body(temperature=3, reasoning={"effort": "none"}),
        "temperature",
        "decimal_out_of_range",
    ),
    "too few output tokens": (body(max_output_tokens=15), "max_output_tokens", "integer_below_min_value"),
    "unknown effort": (body(reasoning={"effort": "huge"}), "reasoning.effort", "invalid_value"),
    "unknown include": (body(include=["everything"]), "include[0]", "invalid_value"),
    "required choice without tools": (body(tools=[], tool_choice="required"), "tool_choice", "invalid_value"),
    "choice of a tool that is not there": (
        body(tool_choice={"type": "function", "name": "Read"}),
        "tool_choice",
        "invalid_value",
    ),
    "search that is not declared": (body(tool_choice={"type": "web_search"}), "tool_choice", "invalid_value"),
    "stream options without stream": (
        body(stream=False, stream_options={"include_obfuscation": False}),
        "stream_options",
        "invalid_value",
    ),
    "a response it does not keep": (
        body(previous_response_id="resp_1"),
        "previous_response_id",
        "previous_response_not_found",
    ),
    "an image that is no data URL": (
        part(type="input_image", image_url="AAAA"),
        "input[1].content[0].image_url",
        "invalid_value",
    ),
    "an image of an unknown kind": (
        part(type="input_image", image_url="data:image/tiff;base64,AAAA"),
        "input[1].content[0].image_url",
        "invalid_value",
    ),
    "an image that is not base64": (
        part(type="input_image", image_url="data:image/png;base64,?"),
        "input[1].content[0].image_url",
        "invalid_value",
    ),
    "a file that is no data URL": (
        part(type="input_file", file_data="AAAA", filename="a.pdf"),
        "input[1].content[0].file_data",
        "invalid_value",
    ),
    "more than the window": (body(says("user", "word " * WINDOW)), "input", "context_length_exceeded"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    given, param, code = REFUSED[name]
    refusal = check(given if "model" in given or name == "no model" else body(given))

    assert refusal is not None
    assert (refusal.param, refusal.code) == (param, code)


def test_a_long_image_does_not_fill_the_window() -> None:
    picture = part(type="input_image", image_url="data:image/png;base64," + "AAAA" * WINDOW)

    assert check(body(picture)) is None


def test_messages_are_the_real_ones() -> None:
    def message(*items: dict[str, Any], **fields: Any) -> str:
        refusal = check(body(*items, **fields))
        assert refusal is not None
        return refusal.message

    assert message(CALL) == "No tool output found for function call call_1."
    assert message(OUTPUT) == "No tool call found for function call output with call_id call_1."
    assert message(REASONING) == "Item 'rs_1' of type 'reasoning' was provided without its required following item."
    assert message(temperature=0.5) == "Unsupported parameter: 'temperature' is not supported with this model."


# Keys and values that lead deep into the tables.
WORDS = sorted(
    {"type", "role", "content", "name", "call_id", "id", "output", "summary", "text", "format", "schema", "user", ""}
    | {"assistant", "required", "effort", "encrypted_content", "image_url", "tools", "mode", "parameters", "strict"}
    | {*CHOICES, *FORMATS, *INPUT_PARTS, *ITEMS, *PARAMETERS, *TOOLS}
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 100) | st.floats(allow_nan=False) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(sorted(PARAMETERS)), JSON, max_size=5), st.lists(JSON, min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_any_json_is_judged_without_breaking(fields: dict[str, Any], items: list[Any]) -> None:
    refusal = check({"model": "gpt-demo", "input": items, **fields})

    assert refusal is None or refusal.message


@given(JSON)
def test_a_refusal_or_nothing_comes_of_any_body(value: Any) -> None:
    assert check(value) is not None
