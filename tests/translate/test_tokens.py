"""Token counts, offline and exact for text."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.translate import tokens
from claudegpt_pkg.translate.tokens import count_text, count_tokens
from claudegpt_pkg.translate.wire import openai


@pytest.mark.parametrize(
    ("text", "number"),
    [("", 0), ("hello world", 2), ("Hello, world!", 4), ("日本語 🎉", 4), ("<|endoftext|>", 7)],
)
def test_text_is_counted_with_the_o200k_vocabulary(text: str, number: int) -> None:
    assert count_text(text) == number


def body(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**more, "input": list(items)}


def text(words: str = "hello world") -> dict[str, Any]:
    return openai.input_text(words)


URL = "data:application/pdf;base64," + "A" * 4000
TOOL = openai.function_tool("Bash", "Run.", {"type": "object", "properties": {}})

COUNTED: list[tuple[dict[str, Any], int]] = [
    (body(), 0),
    (body(instructions="hello world"), 2),
    (body(openai.message("user", [text(), text()])), tokens.ITEM_TOKENS + 4),
    (body(openai.assistant_message("hello world")), tokens.ITEM_TOKENS + 2),
    (body(openai.function_call("c", "Bash", "hello world")), tokens.ITEM_TOKENS + 2 + 2),
    (body(openai.function_call_output("c", "hello world")), tokens.ITEM_TOKENS + 2),
    (
        body(openai.function_call_output("c", [text(), openai.input_image("data:image/png;base64,AAAA")])),
        tokens.ITEM_TOKENS + 2 + tokens.IMAGE_TOKENS,
    ),
    (
        body(openai.message("user", [openai.input_file(filename="a.pdf", data_url=URL)])),
        tokens.ITEM_TOKENS + tokens.IMAGE_TOKENS + len(URL) // tokens.FILE_BYTES_PER_TOKEN,
    ),
    (
        body(openai.message("user", [openai.input_file_url("https://x.test/a.pdf")])),
        tokens.ITEM_TOKENS + tokens.IMAGE_TOKENS,
    ),
    (body({"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "x" * 160}), tokens.ITEM_TOKENS + 30),
]


@pytest.mark.parametrize(("request_body", "number"), COUNTED)
def test_each_item_is_counted_by_what_it_holds(request_body: dict[str, Any], number: int) -> None:
    assert count_tokens(request_body) == number


def test_a_tool_and_what_a_search_found_are_counted_as_their_json() -> None:
    declared = count_tokens(body(tools=[TOOL]))
    assert declared > 20
    found = count_tokens(body(openai.tool_search_output("c", [TOOL])))
    assert 0 <= found - declared <= 12
    assert count_tokens(body(openai.tool_search_call("c", {"query": "x"}))) > tokens.ITEM_TOKENS


def test_the_size_of_an_image_does_not_count_as_text() -> None:
    small, large = (openai.input_image("data:image/png;base64," + "A" * size) for size in (4, 400_000))
    assert count_tokens(body(openai.message("user", [small]))) == count_tokens(body(openai.message("user", [large])))
