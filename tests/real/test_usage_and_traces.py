"""A session of the real Claude Code, and then `claudegpt usage` and `claudegpt trace` about it: every number is the
backend's own."""

from __future__ import annotations

import json
from typing import Any

from tests.real.plan import codex_login
from tests.real.session import Session, leave, start
from tests.support.fakes.answers import answer, call, error, reasoning
from tests.support.fakes.backend import FakeBackend


def told(session: Session, *words: str) -> Any:
    """What a command says as JSON."""
    ran = session.command(*words, "--json")
    assert (ran.status, ran.stderr) == (0, "")
    return json.loads(ran.stdout)


def counted(usages: list[dict[str, Any]]) -> dict[str, int]:
    """What the backend says it has counted, as we say it."""
    return {
        "tokens_in": sum(usage["input_tokens"] for usage in usages),
        "cached": sum(usage["input_tokens_details"]["cached_tokens"] for usage in usages),
        "tokens_out": sum(usage["output_tokens"] for usage in usages),
    }


def two_turns(session: Session) -> None:
    look = call("Bash", command="echo seen", description="Look")
    session.backend.script(answer(reasoning("Looking."), "I look.", look), answer("Seen."))
    assert session.run("Look around", "--allowedTools", "Bash").stdout == "Seen.\n"


def test_a_session_adds_up_to_what_the_backend_counted(session: Session, backend: FakeBackend) -> None:
    two_turns(session)
    backend.script(answer("Small."))
    session.run("Hi", "--model", "haiku")
    usages = [request.usage for request in backend.requests]
    today = told(session, "usage")["today"]
    assert len(usages) == 3 and today["turns"] == 3
    for model, own in (("gpt-6.1-sol", usages[:2]), ("gpt-6-luna", usages[2:])):
        (found,) = [each for each in today["models"] if each["model"] == model]
        assert found | counted(own) == found and found["turns"] == len(own)
        assert (found["provider"], found["metered"]) == ("openai", True)
    assert today | counted(usages) == today and today["cost"] > 0


def test_a_session_lists_its_own_turns_and_shows_them(session: Session, backend: FakeBackend) -> None:
    two_turns(session)
    second, first = told(session, "trace")
    for row, request in ((first, backend.requests[0]), (second, backend.requests[1])):
        assert row | counted([request.usage]) == row
        assert (row["model"], row["tier"], row["effort"], row["status"]) == ("gpt-6.1-sol", "opus", "high", "done")
        assert told(session, "trace", "show", row["id"][:10], "--sent") == request.body
    assert first["session"] == second["session"]
    shown = session.command("trace", "show", first["id"]).stdout
    assert "Look around" in shown and '{"command":"echo seen"' in shown and "done: tool_use" in shown


def test_a_turn_that_failed_is_listed_with_its_kind(session: Session, backend: FakeBackend) -> None:
    backend.route(lambda request: True, error(403, "country", "Not in your country."))
    session.run("Hi")
    assert {row["status"] for row in told(session, "trace")} == {"permission_error"}
    assert told(session, "usage")["today"]["turns"] == 0


def test_a_plans_turns_are_on_the_plan(session: Session, plan: FakeBackend) -> None:
    codex_login(session, plan)
    plan.script(answer("Fine."))
    session.run("Hi")
    found = told(session, "usage")
    (model,) = found["today"]["models"]
    assert (model["provider"], model["metered"], model["turns"]) == ("codex", False, 1)
    assert [limit["name"] for limit in found["limits"]] == ["5 hours", "1 week"]
    assert "\ton your plan\n" in session.command("usage").stdout


def test_after_a_double_dash_the_word_is_claudes(session: Session, backend: FakeBackend) -> None:
    backend.script(answer("A prompt."), answer("Another."))
    assert session.command("-p", "--", "usage").stdout == "A prompt.\n"
    assert session.command("--", "-p", "trace").stdout == "Another.\n"
    assert [b"usage" in backend.requests[0].raw, len(backend.requests)] == [True, 2]


def test_the_list_is_read_on_a_terminal_after_a_session(session: Session, backend: FakeBackend) -> None:
    backend.script(answer("Here."))
    with session.terminal(columns=80) as screen:
        start(screen)
        screen.type("Hello?")
        screen.wait_for("Here.")
        assert leave(screen) == 0
        assert screen.run("clear; claudegpt trace") == 0
        screen.wait_for("status")
        assert screen.run("claudegpt usage") == 0
        screen.wait_for("last 30 days")
