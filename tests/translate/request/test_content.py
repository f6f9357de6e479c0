"""Content blocks become the upstream's parts: every text and every image, in order."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.translate.request.content import (
    blocks_of,
    inner_blocks,
    parts_of,
    plain_output,
    server_call_text,
    server_result_text,
    why_not_shown,
)
from claudegpt_pkg.translate.wire import openai

PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0K"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"}
URL = {"type": "url", "url": "https://x.test/a"}


def text(words: str) -> dict[str, Any]:
    return openai.input_text(words)


def image(**source: Any) -> dict[str, Any]:
    return {"type": "image", "source": {**PNG, **source}}


def document(source: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "document", "source": source, **more}


PDF_URL = "data:application/pdf;base64,JVBERi0x"
BLOCKS: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
    ({"type": "text", "text": "Ü\u2028", "cache_control": {"type": "ephemeral"}}, [text("Ü\u2028")]),
    ({"type": "text", "text": ""}, []),
    (image(), [openai.input_image("data:image/png;base64,iVBORw0K")]),
    (image(media_type="image/webp"), [openai.input_image("data:image/webp;base64,iVBORw0K")]),
    (image(data="iVBO\r\nRw0K\n"), [openai.input_image("data:image/png;base64,iVBORw0K")]),
    (image(media_type=None), [openai.input_image("data:image/png;base64,iVBORw0K")]),
    (image(data=""), [text("[an image that cannot be shown here: it is empty]")]),
    ({"type": "image", "source": URL}, [openai.input_image("https://x.test/a")]),
    ({"type": "image", "source": {"type": "url"}}, [text("[an image that cannot be shown here: it is empty]")]),
    (
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        [text("[an image that cannot be shown here: source file]")],
    ),
    (document(PDF), [openai.input_file(filename="document.pdf", data_url=PDF_URL)]),
    (
        document(PDF, title="Report", context="From 2026"),
        [text("Document: Report\nContext: From 2026"), openai.input_file(filename="Report.pdf", data_url=PDF_URL)],
    ),
    (
        document(PDF, title="a.PDF"),
        [text("Document: a.PDF"), openai.input_file(filename="a.PDF", data_url=PDF_URL)],
    ),
    (document({**PDF, "data": ""}), [text("[a document that cannot be shown here: it is empty]")]),
    (
        document({"type": "text", "media_type": "text/plain", "data": "Words."}, title="T"),
        [text("Document: T"), text("Words.")],
    ),
    (document({"type": "text", "data": ""}), []),
    (document({"type": "content", "content": "Words."}), [text("Words.")]),
    (
        document({"type": "content", "content": [{"type": "text", "text": "One."}, image()]}, context="C"),
        [text("Context: C"), text("One."), openai.input_image("data:image/png;base64,iVBORw0K")],
    ),
    (document(URL), [openai.input_file_url("https://x.test/a")]),
    (document({"type": "url"}), [text("[a document that cannot be shown here: it is empty]")]),
    (
        document({"type": "file", "file_id": "file_1"}, title="T"),
        [text("Document: T"), text("[a document that cannot be shown here: source file]")],
    ),
    (
        {
            "type": "search_result",
            "source": "https://x.test",
            "title": "Found",
            "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            "citations": {"enabled": True},
        },
        [text("Search result: Found\nSource: https://x.test\na\nb")],
    ),
]


@pytest.mark.parametrize(("block", "parts"), BLOCKS)
def test_a_block_becomes_its_parts(block: dict[str, Any], parts: list[dict[str, Any]]) -> None:
    own = parts_of(block) or []
    assert [*own, *(part for inner in inner_blocks(block) for part in parts_of(inner) or [])] == parts


@pytest.mark.parametrize(
    ("block", "why"),
    [
        (image(), None),
        ({"type": "text", "text": "x"}, None),
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, "source file"),
        ({"type": "image", "source": {"type": "base64", "data": ""}}, "it is empty"),
        ({"type": "image", "source": {}}, "source None"),
        (document({"type": "url"}), "it is empty"),
        (document({"type": "text", "data": ""}), None),
        (document({"type": "content", "content": []}), None),
    ],
)
def test_what_cannot_be_shown_has_a_reason(block: dict[str, Any], why: str | None) -> None:
    assert why_not_shown(block) == why


def test_an_unknown_block_has_no_parts() -> None:
    assert parts_of({"type": "hologram", "source": {}}) is None


@pytest.mark.parametrize(
    ("content", "blocks"), [("hi", [{"type": "text", "text": "hi"}]), (None, []), ([], []), ("", [])]
)
def test_a_string_is_one_text_block(content: Any, blocks: list[Any]) -> None:
    assert [block for block in blocks_of(content) if block.get("text")] == blocks


def test_an_output_of_texts_is_one_plain_string() -> None:
    assert plain_output([]) == ""
    assert plain_output([text("a"), text("b\n")]) == "a\nb\n"
    mixed = [text("a"), openai.input_image("https://x.test/a")]
    assert plain_output(mixed) == mixed


def test_the_call_of_a_server_tool_becomes_text() -> None:
    assert server_call_text({"name": "web_search", "input": {"query": "ü"}}) == '[web_search: {"query":"ü"}]'
    assert server_call_text({"name": "web_search"}) == "[web_search: {}]"


RESULTS: list[tuple[Any, str]] = [
    (
        [
            {"type": "web_search_result", "url": "https://a.test", "title": "A", "encrypted_content": "Eq…"},
            {"type": "web_search_result", "url": "https://b.test", "title": ""},
        ],
        "A https://a.test\nhttps://b.test",
    ),
    ({"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}, "[error: max_uses_exceeded]"),
    (
        {
            "type": "web_fetch_result",
            "url": "https://a.test",
            "content": {"type": "document", "source": {"type": "text", "data": "The page."}, "title": "A"},
        },
        "https://a.test\nThe page.",
    ),
    ({"type": "code_execution_result", "stdout": "out", "stderr": "err", "return_code": 1, "content": []}, "out\nerr"),
    ([{"type": "text", "text": "said the MCP server"}], "said the MCP server"),
    ("said the MCP server", "said the MCP server"),
    ({"type": "text_editor_code_execution_view_result", "content": "the file", "file_type": "text"}, "the file"),
    ({"type": "advisor_result", "text": "do this"}, "do this"),
    (
        {"type": "tool_search_tool_search_result", "tool_references": [{"type": "tool_reference", "tool_name": "x"}]},
        '{"type":"tool_search_tool_search_result","tool_references":[{"type":"tool_reference","tool_name":"x"}]}',
    ),
    ([], "[no results]"),
    (None, "[no results]"),
]


@pytest.mark.parametrize(("content", "told"), RESULTS)
def test_the_result_of_a_server_tool_becomes_text(content: Any, told: str) -> None:
    assert server_result_text({"type": "x_tool_result", "tool_use_id": "s", "content": content}) == told
