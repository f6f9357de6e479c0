"""Claude Code's WebSearch: a side request of its own, answered by the upstream's hosted search. And its WebFetch, which
reads a page by itself and has a small model tell what it says."""

from __future__ import annotations

import json
import socket
from typing import Any

from tests.real.plan import codex_login
from tests.real.session import Session
from tests.support.fakes.answers import answer, call, text, web_search
from tests.support.fakes.backend import FakeBackend, Request
from tests.support.web_host import WebHost
from tests.support.wire import AUTHORITY, listening, read_request

PAGE = "https://example.com/plum"


def is_search(request: Request) -> bool:
    return [tool["type"] for tool in request.body.get("tools", ())] == ["web_search"]


def search_output(backend: FakeBackend) -> Any:
    return backend.requests[1].of_type("function_call_output")[0]["output"]


def script(backend: FakeBackend) -> None:
    found = text("Plums are fruit.", citations=[(PAGE, "Plum")])
    backend.route(is_search, answer(web_search("plums", PAGE), found))
    backend.script(answer(call("WebSearch", query="plums")), answer("Fruit."))


def test_a_search_is_forced_and_its_findings_reach_the_model(session: Session, backend: FakeBackend) -> None:
    script(backend)
    ran = session.run("What are plums?", "--allowedTools", "WebSearch")
    assert ran.stdout == "Fruit.\n"
    assert PAGE in search_output(backend) and "Plums are fruit." in search_output(backend)
    [search] = backend.side
    assert search.body["tool_choice"] in ("required", "auto")


def test_a_search_works_on_the_plan(session: Session, plan: FakeBackend) -> None:
    codex_login(session, plan)
    script(plan)
    assert session.run("What are plums?", "--allowedTools", "WebSearch").stdout == "Fruit.\n"
    assert PAGE in search_output(plan)


def test_a_model_that_cannot_search_has_another_tiers_do_it(session: Session, backend: FakeBackend) -> None:
    script(backend)
    env = {"CLAUDEGPT_OPENAI_OPUS": "gpt-5.4-nano", "CLAUDEGPT_OPENAI_HAIKU": "gpt-5.4-nano"}
    ran = session.run("What are plums?", "--allowedTools", "WebSearch", env=env)
    assert ran.stdout == "Fruit.\n"
    assert PAGE in search_output(backend)
    assert [request.body["model"] for request in backend.requests] == ["gpt-5.4-nano", "gpt-5.4-nano"]
    assert [request.body["model"] for request in backend.side] == ["gpt-6.1-terra"]


def test_where_nothing_can_search_the_model_is_told_and_goes_on(session: Session, backend: FakeBackend) -> None:
    backend.script(answer(call("WebSearch", query="plums")), answer("No idea."))
    ran = session.run("What are plums?", "--allowedTools", "WebSearch", env={"CLAUDEGPT_MAP_WEB_SEARCH": "0"})
    assert ran.stdout == "No idea.\n"
    assert "Web search is turned off (CLAUDEGPT_MAP_WEB_SEARCH)." in search_output(backend)
    assert not backend.side


PLUMS = b"<html><title>Plums</title><body><p>Plums are stone fruit of 1753.</p></body></html>"


def page(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
        % (len(PLUMS), PLUMS)
    )


def test_a_page_is_fetched_without_asking_claude_ai(session: Session, backend: FakeBackend) -> None:
    with listening(page, tls=True) as site:
        backend.route(lambda request: "stone fruit" in request.raw.decode(), answer("Of 1753."))
        backend.script(answer(call("WebFetch", url=f"{site.url}/plum", prompt="Of which year?")), answer("1753."))
        ran = session.run("Since when?", "--allowedTools", "WebFetch", env={"NODE_EXTRA_CA_CERTS": str(AUTHORITY)})
        assert site.connections == 1
    assert ran.stdout == "1753.\n"
    assert "Of 1753." in search_output(backend)
    assert [request.body["model"] for request in backend.side] == ["gpt-6-luna"]


def test_the_proxy_fetches_for_claude_codes_own_tool_if_the_settings_say_so(
    session: Session, backend: FakeBackend
) -> None:
    """2.1.332 declares WebFetch only once it is found by a search; tool search off has it declared from the start."""
    with WebHost({"/plum": "<title>Plums</title><p>Plums are stone fruit of 1753."}) as host:
        asking = call("WebFetch", url=host.url("/plum"), prompt="Which year?")
        backend.script(answer(asking), answer("1753."), answer("Yes."))
        env = {
            "CLAUDEGPT_MAP_WEB_FETCH": "always",
            "CLAUDEGPT_WEB_FETCH_HOSTS": host.name,
            "CLAUDEGPT_TOOL_SEARCH": "0",
        }
        ran = session.run("Since when?", "--output-format", "json", env=env)
        assert ran.result["result"] == "1753."
        again = session.run("Sure?", "--continue", env=env)
        assert again.stdout == "Yes.\n" and host.paths == ["/plum"]
    for request in backend.requests[1:]:
        assert "stone fruit of 1753" in json.dumps(request.of_type("function_call_output"))
