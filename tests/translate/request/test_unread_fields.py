"""A field that nothing reads is noted, wherever it stands in a request; a field that is read is not."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic.types import beta
from typing_extensions import get_type_hints

from claudegpt_pkg.translate.request.conversation_facts import read_facts
from claudegpt_pkg.translate.request.unread_fields import (
    BLOCKS,
    DROPPED_WITHIN,
    SEARCH,
    THINKING,
    TOOL,
    UNKNOWN,
    unread_notes,
)
from claudegpt_pkg.translate.request.web_fetch import find_fetch_tool, with_fetch_as_function

TEXT = {"type": "text", "text": "hi"}
NEW = {"novelty": 1}


def notes(*content: dict[str, Any], role: str = "user", **request: Any) -> dict[str, str]:
    facts = read_facts(request.get("messages") or [{"role": role, "content": list(content)}])
    return dict([*unread_notes(request, facts.added), *facts.notes])


def result(*content: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "t", "content": list(content), **fields}


@pytest.mark.parametrize(
    ("field", "request_fields"),
    [
        ("thinking.novelty", {"thinking": {"type": "adaptive", **NEW}}),
        ("tool_choice.novelty", {"tool_choice": {"type": "auto", **NEW}}),
        ("tools.novelty", {"tools": [{"name": "A", **NEW}]}),
        ("tools.novelty", {"tools": [{"type": "web_search_20250305", "name": "web_search", **NEW}]}),
        ("system.text.novelty", {"system": [{**TEXT, **NEW}]}),
        ("messages.novelty", {"messages": [{"role": "user", "content": "hi", **NEW}]}),
        ("messages.output_config.novelty", {"messages": [{"role": "system", "content": "", "output_config": NEW}]}),
        (
            "tools.novelty",
            {
                "messages": [
                    {
                        "role": "system",
                        "content": [{"type": "tool_addition", "tool": {"definition": {"name": "A", **NEW}}}],
                    }
                ]
            },
        ),
    ],
)
def test_an_unknown_field_is_noted_wherever_it_stands(field: str, request_fields: dict[str, Any]) -> None:
    assert notes(TEXT, **request_fields) == {field: UNKNOWN}


def test_fields_of_blocks_within_blocks_are_noted_too() -> None:
    document = {"type": "document", "source": {"type": "content", "content": [{**TEXT, **NEW}]}}
    found = {"type": "search_result", "content": [{**TEXT, "other": 1}]}
    assert notes(result(document), found, result({"type": "image", "source": {}, **NEW})) == {
        "messages.text.novelty": UNKNOWN,
        "messages.text.other": UNKNOWN,
        "messages.image.novelty": UNKNOWN,
    }


def test_a_known_dropped_field_is_noted_with_its_reason() -> None:
    marked = {**TEXT, "cache_control": {"type": "ephemeral"}}
    called = {"type": "tool_use", "id": "t", "name": "A", "input": {}, "caller": {"type": "direct"}}
    thinking = {"type": "adaptive", "display": "omitted"}
    found = notes(marked, called, system=[marked], thinking=thinking, tools=[{"name": "A", "strict": True}])
    assert found == {
        "cache_control": DROPPED_WITHIN["cache_control"],
        "messages.tool_use.caller": DROPPED_WITHIN["caller"],
        "thinking.display": DROPPED_WITHIN["display"],
        "tools.strict": DROPPED_WITHIN["strict"],
    }


def test_fields_that_are_read_or_empty_are_not_noted() -> None:
    whole: list[dict[str, Any]] = [{**dict.fromkeys(fields, "x"), "type": kind} for kind, fields in BLOCKS.items()]
    for block in whole:
        block |= {"source": {"type": "text", "data": "x"}} if "source" in block else {}
        block |= {"tool": {"name": "A"}} if "tool" in block else {}
    assert notes(*whole, {**TEXT, "novelty": None}, {"type": "hologram", **NEW}, tools=[{"name": "A"}]) == {}


def test_a_field_that_the_proxys_own_fetching_does_not_read_is_noted() -> None:
    tool = {"type": "web_fetch_20250910", "name": "web_fetch", "max_uses": 2, "cache_control": {"x": 1}, **NEW}
    request = with_fetch_as_function({"messages": [], "tools": [tool]}, find_fetch_tool([tool], client_tool=False))
    assert dict(unread_notes(request)) == {"cache_control": DROPPED_WITHIN["cache_control"], "tools.novelty": UNKNOWN}


SHAPES: list[tuple[Any, frozenset[str]]] = [
    (beta.BetaTextBlockParam, BLOCKS["text"]),
    (beta.BetaImageBlockParam, BLOCKS["image"]),
    (beta.BetaRequestDocumentBlockParam, BLOCKS["document"]),
    (beta.BetaSearchResultBlockParam, BLOCKS["search_result"]),
    (beta.BetaToolUseBlockParam, BLOCKS["tool_use"]),
    (beta.BetaToolResultBlockParam, BLOCKS["tool_result"]),
    (beta.BetaToolReferenceBlockParam, BLOCKS["tool_reference"]),
    (beta.BetaThinkingBlockParam, BLOCKS["thinking"]),
    (beta.BetaRedactedThinkingBlockParam, BLOCKS["redacted_thinking"]),
    (beta.BetaRequestToolAdditionBlockParam, BLOCKS["tool_addition"]),
    (beta.BetaToolParam, TOOL),
    (beta.BetaWebSearchTool20250305Param, SEARCH),
    (beta.BetaThinkingConfigEnabledParam, THINKING),
]


@pytest.mark.parametrize(("shape", "read"), SHAPES)
def test_only_fields_that_the_api_has_are_listed_as_read(shape: Any, read: frozenset[str]) -> None:
    assert read <= get_type_hints(shape).keys()
