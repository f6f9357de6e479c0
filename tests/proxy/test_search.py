"""A forced web search: on every backend and tier, streamed or whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import grammar
from tests.support.fakes.answers import answer, text, web_search
from tests.support.fakes.backend import FakeBackend
from tests.support.fakes.rules import Kind
from tests.support.served import Served, ask, served

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


# Servers that skip the search in silence.


def test_a_search_that_a_server_skips_goes_to_another_tiers_model(backend: FakeBackend, proxy: Served) -> None:
    """One skipped search is no proof that there is none: the next request asks the same model again."""
    made = answer(web_search("plums", PAGE), text("Fruit."))
    backend.script(answer("Plums are red."), made, made)
    for _ in range(2):
        assert grammar.text_of(proxy.events(ask("plums?", tools=[SEARCH], **FORCED))) == "Fruit."
    tiers = proxy.proxy.provider.tiers
    assert [request.body["model"] for request in backend.requests] == [tiers.opus, tiers.haiku, tiers.opus]
    assert proxy.proxy.learned == {}


def test_a_search_that_every_model_skips_is_an_error_and_no_made_up_result(backend: FakeBackend, proxy: Served) -> None:
    backend.route(lambda _: True, answer("Plums are red."))
    response, told = proxy.error(ask("plums?", tools=[SEARCH], **FORCED))
    assert response.status_code == 400 and "Web search cannot be had" in told["message"]
    assert len(backend.side) == 3


def test_a_forced_search_that_is_skipped_among_other_tools_goes_to_another_tiers_model(
    backend: FakeBackend, proxy: Served
) -> None:
    backend.script(answer("Plums are red."), answer(web_search("plums", PAGE), text("Fruit.")))
    assert grammar.text_of(proxy.events(ask("plums?", tools=[BASH, SEARCH], **FORCED))) == "Fruit."
    assert all([tool["type"] for tool in request.body["tools"]] == ["web_search"] for request in backend.requests)


def test_claude_codes_request_for_a_search_is_not_answered_without_one(backend: FakeBackend, proxy: Served) -> None:
    """2.1.330 leaves the choice to the model."""
    backend.script(answer("Plums are red."), answer(web_search("plums", PAGE), text("Fruit.")))
    events = proxy.events(ask("plums?", tools=[SEARCH]), headers={"user-agent": "claude-cli/2.1.332 (external, cli)"})
    assert grammar.text_of(events) == "Fruit." and proxy.proxy.learned == {}


def test_another_client_may_get_an_answer_without_a_search(backend: FakeBackend, proxy: Served) -> None:
    backend.script(answer("Plums are red."))
    assert grammar.text_of(proxy.events(ask("plums?", tools=[SEARCH]))) == "Plums are red."


def test_a_model_that_is_free_to_search_may_do_without(backend: FakeBackend, proxy: Served) -> None:
    backend.script(answer("Plums are red."))
    assert grammar.text_of(proxy.events(ask("plums?", tools=[BASH, SEARCH]))) == "Plums are red."
