"""The server tool `web_fetch`: pages fetched by the proxy within one answer, streamed and whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import grammar
from tests.support.fakes.answers import answer, call, error, reasoning, text, web_search
from tests.support.fakes.backend import FakeBackend
from tests.support.served import Served, ask, served
from tests.support.web_host import WebHost

FETCH: dict[str, Any] = {"type": "web_fetch_20250910", "name": "web_fetch"}
BASH = {"name": "Bash", "description": "Run it", "input_schema": {"type": "object", "properties": {}}}
LONG = "<title>Long</title><p>" + "Much text about plums. " * 400


@pytest.fixture
def host() -> Iterator[WebHost]:
    pages = {f"/{number}": f"<title>Page {number}</title><p>This is page {number}." for number in range(9)}
    with WebHost({**pages, "/long": LONG}) as host:
        yield host


@pytest.fixture
def proxy(backend: FakeBackend, host: WebHost, tmp_path: Path) -> Iterator[Served]:
    with served(backend, tmp_path, CLAUDEGPT_WEB_FETCH_HOSTS=host.name, CLAUDEGPT_WEB_FETCH_TIMEOUT="5") as proxy:
        yield proxy


def fetch(host: WebHost, path: str, **more: str) -> Any:
    return call("web_fetch", url=host.url(path), **more)


def blocks_of(proxy: Served, body: dict[str, Any]) -> list[dict[str, Any]]:
    if body["stream"]:
        return grammar.folded(proxy.events(body))
    content: list[dict[str, Any]] = proxy.message(body)["content"]
    return content


def kinds(blocks: list[dict[str, Any]]) -> list[str]:
    return [block["type"] for block in blocks]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("date", ["20250910", "20260318", "20991231"])
def test_a_page_is_fetched_within_one_answer(
    proxy: Served, backend: FakeBackend, host: WebHost, stream: bool, date: str
) -> None:
    backend.script(answer("I look.", fetch(host, "/1")), answer("It says: page 1."))
    blocks = blocks_of(proxy, ask("read it", tools=[{**FETCH, "type": f"web_fetch_{date}"}], stream=stream))
    assert kinds(blocks) == ["text", "server_tool_use", "web_fetch_tool_result", "text"]
    assert blocks[1]["name"] == "web_fetch" and blocks[1]["input"] == {"url": host.url("/1")}
    assert blocks[2]["tool_use_id"] == blocks[1]["id"] and blocks[1]["id"].startswith("srvtoolu_")
    page = blocks[2]["content"]
    assert (page["type"], page["url"], page["content"]["title"]) == ("web_fetch_result", host.url("/1"), "Page 1")
    assert page["content"]["source"] == {"type": "text", "media_type": "text/plain", "data": "This is page 1."}
    assert page["retrieved_at"] and blocks[3]["text"] == "It says: page 1."


def test_the_model_reads_the_page_as_marked_data(proxy: Served, backend: FakeBackend, host: WebHost) -> None:
    backend.script(answer(fetch(host, "/1")), answer("Read."))
    proxy.events(ask(tools=[FETCH]))
    (output,) = backend.requests[1].of_type("function_call_output")
    first, middle, last = output["output"].split("\n")
    assert "not instructions" in first and middle == "This is page 1." and first.split()[-1].rstrip(".]") in last


def test_usage_and_the_end_are_of_all_rounds(proxy: Served, backend: FakeBackend, host: WebHost) -> None:
    counts = {"input_tokens": 100, "output_tokens": 10, "input_tokens_details": {"cached_tokens": 40}}
    backend.script(answer(fetch(host, "/1"), usage=counts), answer("Read.", usage=counts))
    events = proxy.events(ask(tools=[FETCH]))
    usage = grammar.usage(events)
    assert usage["input_tokens"] + usage["cache_read_input_tokens"] == 200 and usage["output_tokens"] == 20
    assert usage["server_tool_use"] == {"web_search_requests": 0, "web_fetch_requests": 1}
    assert grammar.stop_reason(events) == "end_turn"
    assert [event["type"] for event in events].count("message_start") == 1


def test_reasoning_goes_back_to_the_model_in_the_next_round(proxy: Served, backend: FakeBackend, host: WebHost) -> None:
    backend.script(answer(reasoning("I should look."), fetch(host, "/1")), answer("Read."))
    blocks = grammar.folded(proxy.events(ask(tools=[FETCH], thinking={"type": "enabled", "budget_tokens": 2000})))
    assert kinds(blocks)[0] == "thinking" and backend.requests[1].of_type("reasoning")


def test_several_fetches_follow_one_another_up_to_the_limit(proxy: Served, backend: FakeBackend, host: WebHost) -> None:
    """Four pages in a turn by default: the fifth is refused, and the model answers with what it has."""
    backend.script(*(answer(fetch(host, f"/{number}")) for number in range(5)), answer("Four pages."))
    blocks = grammar.folded(proxy.events(ask(tools=[FETCH])))
    results = [block["content"] for block in blocks if block["type"] == "web_fetch_tool_result"]
    assert [result.get("error_code") for result in results] == [None] * 4 + ["max_uses_exceeded"]
    assert len(host.paths) == 4 and backend.requests[5].body["tool_choice"] == "none"


def test_two_pages_at_once_keep_their_order(proxy: Served, backend: FakeBackend, host: WebHost) -> None:
    backend.script(answer(fetch(host, "/drip"), fetch(host, "/2"), "Both."), answer("Done."))
    blocks = grammar.folded(proxy.events(ask(tools=[FETCH])))
    pair = ["server_tool_use", "web_fetch_tool_result"]
    assert kinds(blocks) == [*pair, *pair, "text", "text"]
    assert blocks[1]["content"]["error_code"] == "url_not_accessible"
    assert blocks[3]["content"]["url"] == host.url("/2")


@pytest.mark.parametrize("stream", [True, False])
def test_a_call_of_the_clients_beside_a_fetch_ends_the_turn(
    proxy: Served, backend: FakeBackend, host: WebHost, stream: bool
) -> None:
    backend.script(answer(fetch(host, "/1"), call("Bash")), answer("All done."))
    body = ask(tools=[FETCH, BASH], stream=stream)
    blocks = blocks_of(proxy, body)
    assert kinds(blocks) == ["server_tool_use", "web_fetch_tool_result", "tool_use"]
    result = {"type": "tool_result", "tool_use_id": blocks[2]["id"], "content": "ran"}
    history = [*body["messages"], {"role": "assistant", "content": blocks}, {"role": "user", "content": [result]}]
    assert kinds(blocks_of(proxy, {**body, "messages": history})) == ["text"]
    items = backend.requests[1].items
    assert [item["type"] for item in items if item.get("type") != "message"] == [
        "function_call",
        "function_call_output",
        "function_call",
        "function_call_output",
    ]


def test_the_next_turn_sends_the_same_bytes_for_an_earlier_fetch(
    proxy: Served, backend: FakeBackend, host: WebHost
) -> None:
    backend.script(answer("I look.", fetch(host, "/1")), answer("Read."), answer("Again."))
    body = ask("read it", tools=[FETCH])
    blocks = grammar.folded(proxy.events(body))
    more = [{"role": "assistant", "content": blocks}, {"role": "user", "content": "and now?"}]
    proxy.events({**body, "messages": [*body["messages"], *more]})
    within, later = (json.dumps(request.items) for request in backend.requests[1:3])
    assert later.startswith(within.removesuffix("]"))


def test_an_earlier_fetch_is_understood_without_the_tool(proxy: Served, backend: FakeBackend, host: WebHost) -> None:
    backend.script(answer(fetch(host, "/1")), answer("Read."), answer("Again."))
    body = ask("read it", tools=[FETCH])
    blocks = grammar.folded(proxy.events(body))
    more = [{"role": "assistant", "content": blocks}, {"role": "user", "content": "and now?"}]
    proxy.events(ask(messages=[*body["messages"], *more]))
    assert "This is page 1." in json.dumps(backend.requests[2].of_type("function_call_output"))


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1:1/", "url_not_allowed"),
        ("http://169.254.169.254/latest", "url_not_allowed"),
        ("file:///etc/passwd", "url_not_allowed"),
        ("nonsense", "url_not_allowed"),
        ("", "invalid_tool_input"),
        ("http://h/" + "x" * 3000, "url_too_long"),
    ],
)
def test_a_page_that_may_not_be_fetched_is_a_result_for_the_model(
    proxy: Served, backend: FakeBackend, host: WebHost, url: str, code: str
) -> None:
    backend.script(answer(call("web_fetch", url=url)), answer("I could not."))
    blocks = grammar.folded(proxy.events(ask(tools=[FETCH])))
    assert blocks[1]["content"] == {"type": "web_fetch_tool_result_error", "error_code": code}
    assert "was not fetched" in json.dumps(backend.requests[1].items) and host.connections == 0


@pytest.mark.parametrize("path", ["/missing", "/loop", "/bomb", "/endless", "/picture", "/broken-zip", "/to-metadata"])
def test_a_hostile_page_never_ends_the_turn(proxy: Served, backend: FakeBackend, host: WebHost, path: str) -> None:
    backend.script(answer(fetch(host, path)), answer("I could not."))
    blocks = grammar.folded(proxy.events(ask(tools=[FETCH])))
    assert blocks[1]["content"]["type"] == "web_fetch_tool_result_error" and blocks[2]["text"] == "I could not."


def test_domains_uses_and_length_of_the_request_hold(proxy: Served, backend: FakeBackend, host: WebHost) -> None:
    backend.script(answer(fetch(host, "/long")), answer(fetch(host, "/1")), answer("Done."))
    tool = {**FETCH, "max_uses": 1, "max_content_tokens": 10, "citations": {"enabled": True}}
    blocks = grammar.folded(proxy.events(ask(tools=[tool])))
    document = blocks[1]["content"]["content"]
    assert len(document["source"]["data"]) == 40 and document["citations"] == {"enabled": True}
    assert blocks[3]["content"]["error_code"] == "max_uses_exceeded"
    backend.script(answer(fetch(host, "/1")), answer("Done."))
    blocks = grammar.folded(proxy.events(ask(tools=[{**FETCH, "allowed_domains": ["example.com"]}])))
    assert blocks[1]["content"]["error_code"] == "url_not_allowed"


@pytest.mark.parametrize(
    "fields", [{"max_uses": 0}, {"max_content_tokens": "x"}, {"allowed_domains": "a"}, {"blocked_domains": [1]}]
)
def test_a_tool_of_the_wrong_shape_is_refused_by_its_field(proxy: Served, fields: dict[str, Any]) -> None:
    response, fault = proxy.error(ask(tools=[{**FETCH, **fields}]))
    assert response.status_code == 400 and next(iter(fields)) in fault["message"]


def test_both_lists_of_domains_are_refused(proxy: Served) -> None:
    tool = {**FETCH, "allowed_domains": ["a.example"], "blocked_domains": ["b.example"]}
    assert "together" in proxy.error(ask(tools=[tool]))[1]["message"]


def test_a_long_page_is_read_by_the_small_model(proxy: Served, backend: FakeBackend, host: WebHost) -> None:
    asking = fetch(host, "/long", prompt="What colour are plums?")
    backend.script(answer(asking), answer("Plums are purple."), answer("Purple."))
    blocks = grammar.folded(proxy.events(ask(tools=[FETCH])))
    assert blocks[1]["content"]["content"]["source"]["data"] == "Plums are purple."
    small = backend.requests[1]
    assert small.body["model"] == "gpt-6-luna" and "What colour are plums?" in json.dumps(small.items)
    assert "Plums are purple." in json.dumps(backend.requests[2].items)


def test_without_the_small_models_answer_the_page_itself_is_read(
    proxy: Served, backend: FakeBackend, host: WebHost
) -> None:
    backend.script(
        answer(fetch(host, "/long", prompt="Colour?")),
        error(400, "invalid_request", "The small model cannot be used."),
        answer("Purple."),
    )
    blocks = grammar.folded(proxy.events(ask(tools=[FETCH])))
    assert "Much text about plums." in blocks[1]["content"]["content"]["source"]["data"]


def test_searching_and_fetching_in_one_answer(proxy: Served, backend: FakeBackend, host: WebHost) -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    page = "https://example.com/plum"
    backend.script(
        answer(web_search("plums", page), text("Found.", citations=[(page, "Plum")]), fetch(host, "/1")),
        answer("Read."),
    )
    events = proxy.events(ask(tools=[search, FETCH]))
    assert grammar.usage(events)["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 1}


def test_a_failure_in_a_later_round_is_an_error_event(proxy: Served, backend: FakeBackend, host: WebHost) -> None:
    backend.script(answer("I look.", fetch(host, "/1")), error(400, "invalid_request", "No more of this."))
    assert "No more of this." in proxy.streamed_error(ask(tools=[FETCH]))["message"]


def test_each_round_has_a_trace(proxy: Served, backend: FakeBackend, host: WebHost) -> None:
    backend.script(answer(fetch(host, "/1")), answer("Read."))
    proxy.events(ask(tools=[FETCH]))
    ids = sorted(json.loads(file.read_bytes())["id"] for file in proxy.traces_written())
    assert len(ids) == 2 and ids[1] == f"{ids[0]}-1"


def test_tokens_are_counted_with_the_tool(proxy: Served) -> None:
    body = {name: value for name, value in ask(tools=[FETCH]).items() if name not in ("stream", "max_tokens")}
    assert proxy.post(body, "/v1/messages/count_tokens").json()["input_tokens"] > 20


def test_claude_codes_own_tool_is_run_if_the_settings_say_so(
    backend: FakeBackend, host: WebHost, tmp_path: Path
) -> None:
    schema = {"type": "object", "properties": {"url": {"type": "string"}, "prompt": {"type": "string"}}}
    tool = {"name": "WebFetch", "description": "Fetch", "input_schema": schema}
    with served(backend, tmp_path, CLAUDEGPT_WEB_FETCH_HOSTS=host.name, CLAUDEGPT_MAP_WEB_FETCH="always") as proxy:
        backend.script(answer(call("WebFetch", url=host.url("/1"), prompt="What?")), answer("Read."))
        blocks = grammar.folded(proxy.events(ask(tools=[tool, BASH])))
    assert kinds(blocks) == ["server_tool_use", "web_fetch_tool_result", "text"]
    assert backend.requests[1].of_type("function_call")[0]["name"] == "WebFetch"


def test_fetching_that_is_turned_off_is_refused(backend: FakeBackend, tmp_path: Path) -> None:
    with served(backend, tmp_path, CLAUDEGPT_MAP_WEB_FETCH="0") as proxy:
        assert "web_fetch" in proxy.error(ask(tools=[FETCH]))[1]["message"]
