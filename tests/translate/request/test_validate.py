"""The shape of a Messages request: an error names the wrong field, and unknown fields pass."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.errors import InvalidRequest
from claudegpt_pkg.translate.request.validate import check_request

GOOD: dict[str, Any] = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}


def block(**fields: Any) -> dict[str, Any]:
    return {**GOOD, "messages": [{"role": "user", "content": [fields]}]}


def result(content: Any) -> dict[str, Any]:
    return block(type="tool_result", tool_use_id="t", content=content)


def nested(depth: int) -> dict[str, Any]:
    """A document within a document within a document."""
    inner: dict[str, Any] = {"type": "text", "text": "x"}
    for _ in range(depth):
        inner = {"type": "document", "source": {"type": "content", "content": [inner]}}
    return block(**inner)


WRONG: list[tuple[Any, str]] = [
    (None, "JSON object"),
    ([], "JSON object"),
    ({**GOOD, "model": ""}, "^model:"),
    ({**GOOD, "model": 4}, "^model:"),
    ({**GOOD, "model": "gpt-/" * 1000}, "^model: is at most 500"),
    ({**GOOD, "max_tokens": 0}, "^max_tokens:"),
    ({**GOOD, "max_tokens": "1"}, "^max_tokens:"),
    ({**GOOD, "max_tokens": None}, "^max_tokens:"),
    ({**GOOD, "max_tokens": True}, "^max_tokens:"),
    ({**GOOD, "max_tokens": 2**64 - 1}, "^max_tokens: is at most"),
    ({**GOOD, "temperature": "hot"}, "^temperature: is a number"),
    ({**GOOD, "top_p": True}, "^top_p: is a number"),
    ({**GOOD, "top_p": float("nan")}, "^top_p: is a number"),
    ({**GOOD, "messages": None}, "^messages:"),
    ({**GOOD, "messages": []}, "^messages:"),
    ({**GOOD, "messages": ["hi"]}, "^messages.0:"),
    ({**GOOD, "messages": [{"role": "tool", "content": "x"}]}, r"^messages\.0\.role"),
    ({**GOOD, "messages": [{"role": "user"}]}, r"^messages\.0\.content"),
    ({**GOOD, "messages": [{"role": "user", "content": {"type": "text"}}]}, r"^messages\.0\.content"),
    (
        {**GOOD, "messages": [{"role": "system", "content": "x", "output_config": "low"}]},
        r"^messages\.0\.output_config",
    ),
    ({**GOOD, "messages": [{"role": "system", "content": None}]}, r"^messages\.0\.content"),
    ({**GOOD, "messages": [{"role": "user", "content": ["hi"]}]}, r"^messages\.0\.content\.0\.type"),
    (block(text="hi"), r"^messages\.0\.content\.0\.type"),
    (block(type="text"), r"^messages\.0\.content\.0\.text"),
    (block(type="image"), r"content\.0\.source"),
    (block(type="document", source="x"), r"content\.0\.source"),
    (block(type="tool_use", id="x", name="y", input="{}"), r"content\.0\.input"),
    (block(type="tool_use", id=3, name="y", input={}), r"content\.0\.id"),
    (block(type="tool_result"), r"content\.0\.tool_use_id"),
    (result({"type": "text"}), r"content\.0\.content"),
    (result(["text"]), r"content\.0\.content\.0\.type"),
    (result([{"type": "text"}]), r"content\.0\.content\.0\.text"),
    (result([{"type": "tool_reference"}]), r"content\.0\.content\.0\.tool_name"),
    (block(type="document", source={"type": "content", "content": [{"type": "text"}]}), r"source\.content\.0\.text"),
    (block(type="document", source={"type": "content", "content": 7}), r"source\.content"),
    (block(type="search_result", content=[{"type": "text"}]), r"content\.0\.content\.0\.text"),
    (block(type="search_result", content=7), r"content\.0\.content"),
    (block(type="tool_addition", tool="x"), r"content\.0\.tool"),
    (block(type="tool_removal", tool=["x"]), r"content\.0\.tool"),
    (block(type="tool_removal", tool={"definition": 7}), r"content\.0\.tool\.definition"),
    (block(type="compaction", content=[]), r"content\.0\.content: is a string"),
    (nested(400), r"\.content: is nested too deeply"),
    (nested(20), r"\.content: is nested too deeply"),
    ({**GOOD, "system": 7}, "^system:"),
    ({**GOOD, "system": ["x"]}, r"^system\.0\.type"),
    ({**GOOD, "system": [{"type": "text"}]}, r"^system\.0\.text"),
    ({**GOOD, "tools": {"name": "x"}}, "^tools:"),
    ({**GOOD, "tools": ["x"]}, r"^tools\.0:"),
    ({**GOOD, "tools": [{"name": "x", "input_schema": "y"}]}, r"^tools\.0\.input_schema"),
    ({**GOOD, "tools": [{"name": "x", "description": 4}]}, r"^tools\.0\.description"),
    ({**GOOD, "tools": [{"name": "x", "user_location": "Oslo"}]}, r"^tools\.0\.user_location"),
    ({**GOOD, "stop_sequences": "x"}, "^stop_sequences:"),
    ({**GOOD, "stop_sequences": [1]}, "^stop_sequences:"),
    ({**GOOD, "thinking": "adaptive"}, "^thinking:"),
    ({**GOOD, "output_config": "x"}, "^output_config:"),
    ({**GOOD, "output_config": {"format": "json"}}, r"^output_config\.format"),
    ({**GOOD, "output_config": {"format": {"type": "json_schema", "schema": 1}}}, r"^output_config\.format\.schema"),
    ({**GOOD, "tool_choice": "auto"}, "^tool_choice:"),
    ({**GOOD, "metadata": "x"}, "^metadata:"),
    ({**GOOD, "thread": "x"}, "^thread:"),
]


@pytest.mark.parametrize(("request_body", "named"), WRONG)
def test_an_error_names_the_wrong_field(request_body: Any, named: str) -> None:
    with pytest.raises(InvalidRequest, match=named) as caught:
        check_request(request_body)
    assert caught.value.status == 400


PASSING: list[dict[str, Any]] = [
    GOOD,
    nested(10),
    {**GOOD, "novelty": {"deep": 1}, "system": None, "tools": None, "thinking": None, "metadata": None},
    {**GOOD, "system": "x"},
    {**GOOD, "system": [{"type": "text", "text": "x", "cache_control": None}]},
    block(type="future", anything=[1]),
    block(type="tool_removal", tool={"name": "x"}),
    block(type="thinking", thinking=None, signature=None),
    block(type="tool_result", tool_use_id="t"),
    result(None),
    result([]),
    result([{"type": "future"}]),
    block(type="document", source={"type": "content", "content": "text"}),
    block(type="document", source={"type": "content", "content": [{"type": "text", "text": "x"}]}),
    block(type="web_search_tool_result", tool_use_id="t", content={"type": "error"}),
    {**GOOD, "messages": [*GOOD["messages"], {"role": "system", "output_config": {"effort": "low"}}]},
    {**GOOD, "messages": [{"role": "assistant", "content": []}]},
]


@pytest.mark.parametrize("request_body", PASSING)
def test_valid_and_unknown_shapes_pass(request_body: dict[str, Any]) -> None:
    assert check_request(request_body) is request_body


@pytest.mark.parametrize("messages", [[], GOOD["messages"]])
def test_counting_needs_no_max_tokens_and_no_messages(messages: list[Any]) -> None:
    check_request({"model": "m", "messages": messages, "tools": [{"name": "Bash"}]}, counting=True)
