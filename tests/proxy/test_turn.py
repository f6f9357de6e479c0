"""One turn through the real app and real sockets: attempts, lessons, what the client sees of each failure."""

from __future__ import annotations

from pathlib import Path

from claudegpt_pkg.proxy.turn import Patience
from tests import grammar
from tests.fakes.answers import EOF, Bytes, answer, failed, reasoning, sse
from tests.fakes.backend import FakeBackend, Request
from tests.proxy.served import Served, ask, served

OVERLOADED = "server_is_overloaded"


def test_an_answer_comes_through(backend: FakeBackend, proxy: Served) -> None:
    backend.script(answer("Hello there."))
    assert grammar.text_of(proxy.events(ask())) == "Hello there."


def in_one_piece(request: Request) -> Bytes:
    """A stream that says something and fails, all in one chunk."""
    events = answer(reasoning("Thinking."), "Text", end=failed(OVERLOADED, "Busy.")).events(
        request.body, {"input_tokens": 1}
    )
    return Bytes((b"".join(map(sse, events)),))


def test_what_arrived_together_with_a_failure_was_never_sent_and_is_asked_for_again(
    backend: FakeBackend, proxy: Served
) -> None:
    backend.script(in_one_piece, answer("Better."))
    assert grammar.text_of(proxy.events(ask())) == "Better."


def test_a_handshake_sent_while_waiting_for_another_attempt_is_sent_once(backend: FakeBackend, tmp_path: Path) -> None:
    backend.script(answer(end=EOF), answer("Second.", stall_after=1))
    with (
        served(backend, tmp_path, patience=Patience(hold=0.05, ping=60, retry=0.5)) as proxy,
        proxy.reading(ask()) as stream,
    ):
        stream.until("message_start")
        backend.release()
        assert grammar.text_of(stream.to_the_end()) == "Second."


def test_an_empty_answer_is_asked_for_again_once(backend: FakeBackend, proxy: Served) -> None:
    backend.script(answer(), answer("At last."))
    assert grammar.text_of(proxy.events(ask())) == "At last."


def test_a_second_empty_answer_is_an_error_that_says_so(backend: FakeBackend, proxy: Served) -> None:
    backend.script(answer(), answer())
    response, told = proxy.error(ask())
    assert response.headers["x-should-retry"] == "false"
    assert "without an answer" in told["message"]


def test_claude_code_keeps_the_reasoning_even_where_it_asks_for_none(backend: FakeBackend, proxy: Served) -> None:
    """Versions up to 2.1.20 name neither thinking nor effort for a model that they do not know."""
    backend.script(answer(reasoning("Hm."), "Done."), answer(reasoning("Hm."), "Done."))
    body = ask(tools=[{"name": "Bash", "input_schema": {"type": "object", "properties": {}}}])
    kept = proxy.events(body, headers={"user-agent": "claude-cli/2.1.20 (external, cli)"})
    assert [event["content_block"]["type"] for event in kept if "content_block" in event] == ["thinking", "text"]
    plain = proxy.events(body, headers={"user-agent": "another"})
    assert [event["content_block"]["type"] for event in plain if "content_block" in event] == ["text"]
