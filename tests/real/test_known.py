"""Nothing that Claude Code says is new to us: whatever a session's requests hold is translated, or left out knowingly.

A newer version that says something else fails here first, by the name of the field.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from claudegpt_pkg.translate.request.unread_fields import UNKNOWN
from tests.real.screen import ENTER
from tests.real.session import Session, leave, start
from tests.real.test_translation import PDF, png
from tests.support.fakes.answers import answer, call, reasoning, text, web_search
from tests.support.fakes.backend import FakeBackend, Request, wait_until

pytestmark = pytest.mark.every_version("each version may send fields that the others do not send")


def traces(session: Session) -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in (session.home / "claudegpt").rglob("traces/*.json")]


def new_to_us(session: Session) -> set[str]:
    """The fields and blocks of the session's requests that have no row in our tables."""
    notes = [note for trace in traces(session) for note in trace["notes"]]
    assert notes, "no trace was written"
    return {field for field, what in notes if what == UNKNOWN or "no counterpart" in what}


def is_aside(request: Request) -> bool:
    tools = [tool["type"] for tool in request.body.get("tools", ())]
    return tools == ["web_search"] or request.body["model"] == "gpt-6-luna"


def test_a_working_session_says_nothing_new(session: Session, backend: FakeBackend) -> None:
    (session.work / "red.png").write_bytes(png())
    (session.work / "answer.pdf").write_bytes(PDF)
    task = {"description": "Count", "prompt": "Count the files here", "subagent_type": "general-purpose"}
    reads = [call("Read", file_path=str(session.work / name)) for name in ("red.png", "answer.pdf", "missing")]
    backend.route(is_aside, answer(web_search("plums", "https://a.example"), text("Two.")))
    backend.script(
        answer(reasoning("**Reading**"), *reads),
        answer(call("ToolSearch", query="select:WebSearch", max_results=5)),
        answer(call("WebSearch", query="plums")),
        answer(call("Agent", **task, model="haiku", run_in_background=False)),
        answer(reasoning(), "Done."),
        answer("Again."),
    )
    allowed = ("--allowedTools", "Read", "WebSearch", "Agent", "ToolSearch")
    assert session.run("Look around", *allowed).stdout == "Done.\n"
    assert session.run("And again", "--continue", *allowed).stdout == "Again.\n"
    assert len(backend.side) >= 2
    assert new_to_us(session) == set()


def test_an_interface_with_its_commands_says_nothing_new(session: Session, backend: FakeBackend) -> None:
    backend.route(lambda request: True, answer(reasoning("Hm."), "<summary>Said so.</summary>"))
    with session.terminal() as screen:
        start(screen)
        screen.type("Hello there")
        screen.press(ENTER, "Said so.")
        for command, seen in (("/effort low", "effort level to low"), ("/model haiku", "Set model to")):
            screen.type(command)
            screen.press(ENTER, seen)
        screen.type("Once more")
        wait_until(lambda: screen.text.count("Said so.") >= 2, lambda: f"another answer in:\n{screen.text}")
        screen.type("/compact")
        screen.press(ENTER, "ompacted")
        assert leave(screen) == 0
    assert any(b"CRITICAL: Respond with TEXT ONLY" in request.raw for request in backend.side)
    assert new_to_us(session) == set()
