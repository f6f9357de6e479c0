"""The hosted search that a client forces: on every backend and tier, streamed or whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import grammar
from tests.support.fakes.answers import answer, text, web_search
from tests.support.fakes.backend import FakeBackend
from tests.support.fakes.rules import Kind
from tests.support.served import ask, served

PAGE = "https://example.com/plum"
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
BASH = {"name": "Bash", "description": "Run it", "input_schema": {"type": "object", "properties": {}}}
FORCED: dict[str, Any] = {"tool_choice": {"type": "tool", "name": "web_search"}, "thinking": {"type": "disabled"}}


@pytest.mark.parametrize("kind", ["openai", "chatgpt", "azure"])
@pytest.mark.parametrize("tier", ["opus", "sonnet", "haiku"])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("tools", [[SEARCH], [BASH, SEARCH]], ids=["alone", "among others"])
def test_a_forced_search_is_made(
    tmp_path: Path, kind: Kind, tier: str, stream: bool, tools: list[dict[str, Any]]
) -> None:
    with FakeBackend(kind) as backend, served(backend, tmp_path) as proxy:
        backend.script(answer(web_search("plums", PAGE), text("Fruit.", citations=[(PAGE, "Plum")])))
        body = ask("plums?", model=f"claude-{tier}-4-8", tools=tools, stream=stream, **FORCED)
        blocks = grammar.folded(proxy.events(body)) if stream else proxy.message(body)["content"]
        backend.check()
    assert [block["type"] for block in blocks] == ["server_tool_use", "web_search_tool_result", "text"]
    assert blocks[1]["content"][0]["url"] == PAGE
    sent = backend.requests[0].body
    assert [tool["type"] for tool in sent["tools"]] == ["web_search"] and sent["tool_choice"] == "required"
