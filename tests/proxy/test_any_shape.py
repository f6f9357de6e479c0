"""A request of any shape is translated or refused by the name of its field: never a bug of ours.

One request that holds every kind of thing, and each place in it, one after the other, left out or made something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from claudegpt_pkg.accounts.providers.openai import openai
from claudegpt_pkg.errors import InvalidRequest
from claudegpt_pkg.proxy.context import Proxy, Rules
from claudegpt_pkg.proxy.plan import Ask, make_plan, translate_as_planned
from claudegpt_pkg.proxy.routes import session_of
from claudegpt_pkg.translate import reasoning
from claudegpt_pkg.translate.request.validate import check_request
from claudegpt_pkg.translate.tokens import count_tokens
from claudegpt_pkg.upstream.stream import new_client
from tests.support.served import chatgpt_plan, settings_for

Place = tuple[Any, ...]
PICTURE = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}
SCHEMA = {
    "type": "object",
    "properties": {"c": {"type": "string", "minLength": 1}, "e": {"enum": ["a"]}, "l": {"type": "array"}},
    "required": ["c"],
}
FOUND = {"type": "web_search_result", "url": "u", "title": "t", "encrypted_content": "e"}
CITED = {"type": "web_search_result_location", "url": "u", "title": "t", "cited_text": "c"}
EVERYTHING: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "max_tokens": 100,
    "stream": True,
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: a", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "You are Claude."},
    ],
    "metadata": {"user_id": '{"session_id": "s"}'},
    "thinking": {"type": "enabled", "budget_tokens": 5000, "display": "omitted"},
    "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": SCHEMA}},
    "tool_choice": {"type": "tool", "name": "Bash", "disable_parallel_tool_use": True},
    "stop_sequences": ["x"],
    "temperature": 1,
    "top_k": 3,
    "speed": "fast",
    "service_tier": "standard_only",
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "tools": [
        {"name": "Bash", "description": "d", "input_schema": SCHEMA},
        {"name": "Later", "description": "d", "input_schema": SCHEMA, "defer_loading": True},
        {
            "type": "web_search_20250305",
            "name": "web_search",
            "allowed_domains": ["a.b"],
            "blocked_domains": ["https://b.c/d"],
            "max_uses": 3,
            "user_location": {"type": "approximate", "city": "B"},
        },
        {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool", "max_characters": 9},
        {"type": "computer_20251124", "name": "computer", "display_width_px": 9, "enable_zoom": True},
        {"name": "ToolSearch", "input_schema": {"anyOf": [SCHEMA]}},
    ],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "hi"},
                {"type": "image", "source": PICTURE},
                {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
                {"type": "document", "title": "t", "context": "c", "source": PDF},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
                {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "z"}]}},
                {"type": "search_result", "title": "t", "source": "s", "content": [{"type": "text", "text": "z"}]},
                {"type": "never_heard_of", "x": 1},
            ],
        },
        {
            "role": "system",
            "content": [
                {"type": "text", "text": "by the way"},
                {"type": "tool_addition", "tool": {"definition": {"name": "New", "input_schema": {"type": "object"}}}},
                {"type": "tool_removal", "tool": {"name": "web_search"}},
            ],
            "output_config": {"effort": "low"},
            "clear_at": "next_user_message",
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "t", "signature": reasoning.sign({"id": "rs", "summary": []})},
                {"type": "redacted_thinking", "data": "zz"},
                {"type": "text", "text": "a", "citations": [CITED]},
                {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {"query": "q"}},
                {"type": "web_search_tool_result", "tool_use_id": "srv", "content": [FOUND]},
                {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"c": "ls"}},
                {"type": "tool_use", "id": "t2", "name": "ToolSearch", "input": {"query": "q"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "t1",
                    "is_error": True,
                    "content": [{"type": "text", "text": "r"}, {"type": "image", "source": PICTURE}],
                },
                {"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "tool_reference", "tool_name": "A"}]},
                {"type": "text", "text": "CRITICAL: Respond with TEXT ONLY"},
            ],
        },
        {"role": "user", "content": "plain"},
    ],
}
OTHERS: tuple[Any, ...] = (
    None,
    5,
    -1.5,
    True,
    "x",
    "",
    [],
    {},
    [5],
    ["x"],
    [{}],
    {"x": 1},
    {"type": 5},
    [{"type": "x", "text": 7}],
    2**64 - 1,
)
TEXT = orjson.dumps(EVERYTHING)
NAMED = re.compile(r"[\w.?]+: ")


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    yield at
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from places(inner, (*at, key))


def changed(place: Place) -> Iterator[Any]:
    """The request without what stands there, and with something else there."""
    for other in (*OTHERS, "left out"):
        request = orjson.loads(TEXT)
        holder = request
        for key in place[:-1]:
            holder = holder[key]
        if other == "left out":
            del holder[place[-1]]
        else:
            holder[place[-1]] = other
        yield request


@pytest.fixture(scope="module")
def proxies(tmp_path_factory: pytest.TempPathFactory) -> list[Proxy]:
    folder: Path = tmp_path_factory.mktemp("settings")
    settings = settings_for("http://127.0.0.1:1/v1", folder)
    made = (openai(settings), chatgpt_plan("http://127.0.0.1:1", settings))
    return [Proxy(provider, Rules.of(settings), new_client(provider.url)) for provider in made]


def test_everything_as_it_is_is_translated(proxies: list[Proxy]) -> None:
    for proxy in proxies:
        translate(EVERYTHING, proxy, counting=False)


@pytest.mark.parametrize("name", EVERYTHING)
def test_any_other_shape_is_translated_or_refused_by_name(proxies: list[Proxy], name: str) -> None:
    for place in places(EVERYTHING[name], (name,)):
        for request in changed(place):
            for proxy in proxies:
                for counting in (False, True):
                    try:
                        translate(request, proxy, counting=counting)
                    except InvalidRequest as refusal:
                        assert NAMED.match(refusal.message), f"{place}: {refusal}"
                    except Exception as bug:
                        raise AssertionError(f"{place} as {request}") from bug


def translate(request: dict[str, Any], proxy: Proxy, *, counting: bool) -> None:
    """All that is done with a request before it is sent."""
    message = check_request(orjson.loads(orjson.dumps(request)), counting=counting)
    ask = Ask(message, b"{}", session_of(message), None, "claude-cli/2.1.330")
    translation = translate_as_planned(ask, make_plan(ask, proxy))
    body = translation.body
    assert translation.estimated_tokens(len(orjson.dumps(body))) > 0
    translation.table.for_answer()
    if counting:
        assert count_tokens(body) >= 0
