"""Which model serves a request, and which tools it declares."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from claudegpt_pkg.effort import SessionEfforts
from claudegpt_pkg.models import Model
from claudegpt_pkg.proxy.context import Rules
from claudegpt_pkg.settings.options import EFFORT
from claudegpt_pkg.settings.settings import load
from tests.support import grammar
from tests.support.fakes.answers import HttpError, answer, call, error, text, web_search
from tests.support.fakes.backend import FakeBackend, Request
from tests.support.served import Served, ask, served

BASH = {"name": "Bash", "description": "Run it", "input_schema": {"type": "object", "properties": {}}}
HOSTED_SEARCH = {"type": "web_search_20250305", "name": "web_search"}
SEARCH = {
    "tools": [HOSTED_SEARCH],
    "tool_choice": {"type": "tool", "name": "web_search"},
}


def no_search(request: Request) -> HttpError:
    model = request.body["model"]
    return error(400, "unsupported_value", f"Hosted tool 'web_search' is not supported with {model}.", param="tools")


def test_a_search_that_a_model_is_refused_goes_to_the_next_tier(backend: FakeBackend, proxy: Served) -> None:
    backend.script(
        no_search, *(answer(web_search("q", "https://x.example"), text(words)) for words in ("Plums.", "Pears."))
    )
    assert grammar.text_of(proxy.events(ask("plums?", **SEARCH))) == "Plums."
    assert grammar.text_of(proxy.events(ask("pears?", **SEARCH))) == "Pears."
    tiers = proxy.proxy.provider.tiers
    assert [request.body["model"] for request in backend.requests] == [tiers.opus, tiers.haiku, tiers.haiku]


def test_a_search_that_no_model_may_make_is_refused_in_words(backend: FakeBackend, proxy: Served) -> None:
    backend.route(lambda _: True, no_search)
    response, told = proxy.error(ask("plums?", **SEARCH))
    assert response.status_code == 400
    assert told["message"] == "Web search cannot be had: gpt-6.1-sol has none, and no other tier's model does."
    assert len(backend.side) == 3


@pytest.mark.parametrize(("excluded", "declared"), [("nano", False), ("none", True), ("5.4-NANO, x", False)])
def test_the_hosted_search_is_kept_from_models_by_name(tmp_path: Path, excluded: str, declared: bool) -> None:
    with FakeBackend() as backend, served(backend, tmp_path, CLAUDEGPT_NO_WEB_SEARCH=excluded) as proxy:
        backend.script(answer("x"))
        proxy.events(ask(model="gpt-5.4-nano", tools=[BASH, *SEARCH["tools"]]))
    assert ("web_search" in backend.requests[0].raw.decode()) == declared


AGENT = {"headers": {"x-claude-code-agent-id": "a1"}}


def thinks(level: str, **fields: Any) -> dict[str, Any]:
    return ask(tools=[BASH], thinking={"type": "adaptive"}, output_config={"effort": level}, **fields)


def start_with_effort(proxy: Served, level: str) -> None:
    """Make it a session that was started with `--effort LEVEL`."""
    proxy.proxy.rules = Rules.of(load({EFFORT.name: level}))
    proxy.proxy.session_efforts = SessionEfforts(proxy.proxy.rules.effort)


def test_agents_follow_what_the_main_loop_was_set_to(backend: FakeBackend, proxy: Served) -> None:
    start_with_effort(proxy, "xhigh")
    backend.route(lambda _: True, answer("x"))
    for level, options in (("high", AGENT), ("low", {}), ("high", AGENT), ("xhigh", {}), ("high", AGENT)):
        proxy.events(thinks(level), **options)
    assert [request.body["reasoning"]["effort"] for request in backend.side] == [
        "xhigh",
        "low",
        "low",
        "xhigh",
        "xhigh",
    ]


def test_agents_of_another_session_do_not(backend: FakeBackend, proxy: Served) -> None:
    start_with_effort(proxy, "xhigh")
    backend.script(answer("x"), answer("y"))
    proxy.events(thinks("low"), headers={"x-claude-code-session-id": "one"})
    proxy.events(thinks("high"), headers={**AGENT["headers"], "x-claude-code-session-id": "two"})
    assert [request.body["reasoning"]["effort"] for request in backend.requests] == ["low", "xhigh"]


def test_counting_tokens_sets_nothing(backend: FakeBackend, proxy: Served) -> None:
    start_with_effort(proxy, "xhigh")
    backend.script(answer("x"))
    assert proxy.post(thinks("low", stream=None), "/v1/messages/count_tokens").status_code == 200
    proxy.events(thinks("high"), **AGENT)
    assert backend.requests[0].body["reasoning"]["effort"] == "xhigh"


def test_a_name_that_the_server_lists_is_asked_for_whole(backend: FakeBackend, proxy: Served) -> None:
    provider = proxy.proxy.provider
    listed = {**provider.models, "gpt-5-1-high": Model("gpt-5-1-high", 100_000)}
    proxy.proxy.provider = replace(provider, models=listed)
    backend.route(lambda _: True, answer("x"))
    proxy.events(ask(model="gpt-5-1-high"))
    proxy.events(ask(model="gpt-5-1-low"))
    assert [request.body["model"] for request in backend.side] == ["gpt-5-1-high", "gpt-5-1"]
    assert proxy.proxy.provider.split_effort("gpt-5-1-high") == ("gpt-5-1-high", None)


def test_the_prompt_names_the_maker_only_of_a_known_model(backend: FakeBackend, proxy: Served) -> None:
    backend.route(lambda _: True, answer("x"))
    for model in ("parrot", "gpt-6-luna"):
        proxy.events(ask(model=model, system="You are Claude Code, Anthropic's official CLI for Claude."))
    parrot, luna = (request.body["instructions"] for request in backend.side)
    assert parrot == "You are parrot, running in Claude Code, Anthropic's official CLI."
    assert luna == "You are GPT-6 Luna, a model by OpenAI, running in Claude Code, Anthropic's official CLI."


def test_a_tool_that_the_client_runs_is_called_under_its_own_name(backend: FakeBackend, proxy: Served) -> None:
    backend.script(answer(call("bash", {"command": "ls"})))
    events = proxy.events(ask(tools=[{"type": "bash_20250124", "name": "bash"}]))
    (block,) = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    assert (block["type"], block["name"]) == ("tool_use", "bash")
    assert backend.requests[0].body["tools"][0]["type"] == "function"
    backend.check()


def test_the_limits_of_a_search_reach_the_backend(backend: FakeBackend, proxy: Served) -> None:
    backend.script(answer(web_search("plums", "https://b.test"), "x"))
    proxy.events(ask(tools=[{**HOSTED_SEARCH, "max_uses": 2, "blocked_domains": ["https://a.test/b"]}]))
    body = backend.requests[0].body
    assert body["max_tool_calls"] == 2
    assert body["tools"][0]["filters"] == {"blocked_domains": ["a.test"]}
    backend.check()


def test_a_tool_with_a_broken_schema_does_not_stop_the_conversation(backend: FakeBackend, proxy: Served) -> None:
    broken = {
        "type": "object",
        "properties": {
            "n": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
            "s": {"type": "any", "enum": [], "required": True},
            "t": {"type": "array", "items": [{"type": "string"}, {"$ref": "#/nowhere"}]},
        },
    }
    backend.script(answer("x"))
    proxy.events(ask(tools=[BASH, {"name": "mcp__odd__tool", "input_schema": broken}]))
    backend.check()
