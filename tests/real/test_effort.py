"""How hard the model thinks: what was asked on the command line, what is typed later, for agents too."""

from __future__ import annotations

import re

import pytest

from tests.real.screen import ENTER
from tests.real.session import Session, leave, start
from tests.support.fakes.answers import answer, call
from tests.support.fakes.backend import FakeBackend, Request, wait_until

OPUS = "gpt-5.4"  # knows none, low, medium, high and xhigh; so do the others
MODELS = {
    "CLAUDEGPT_OPENAI_OPUS": OPUS,
    "CLAUDEGPT_OPENAI_SONNET": "gpt-5.4-mini",
    "CLAUDEGPT_OPENAI_HAIKU": "gpt-5.4-nano",
}
AGENT = {"description": "Count files", "prompt": "Count the files here", "subagent_type": "general-purpose"}


def effort(request: Request) -> str:
    return str(request.body["reasoning"]["effort"])


def is_agent(request: Request) -> bool:
    return b"Count the files here" in request.raw and request.body["model"] != OPUS


def with_an_agent(session: Session, tier: str, *args: str) -> tuple[list[str], list[str]]:
    """The levels the main loop was sent with, and those of its agent on another tier."""
    backend = session.backend
    backend.route(is_agent, answer("There are three."))
    backend.script(answer(call("Agent", **AGENT, model=tier, run_in_background=False)), answer("Three files."))
    assert session.run("Ask an agent", "--allowedTools", "Agent", *args, env=MODELS).stdout == "Three files.\n"
    agents = [effort(request) for request in backend.side if is_agent(request)]
    return [effort(request) for request in backend.requests], agents


@pytest.mark.parametrize(
    ("level", "sent"), [("none", "none"), ("minimal", "none"), ("low", "low"), ("high", "high"), ("max", "xhigh")]
)
def test_effort_of_the_command_line_reaches_the_main_loop_and_an_agent_on_the_haiku_tier(
    session: Session, level: str, sent: str
) -> None:
    assert with_an_agent(session, "haiku", "--effort", level) == ([sent, sent], [sent])


def test_effort_of_the_command_line_reaches_an_agent_on_the_sonnet_tier(session: Session) -> None:
    assert with_an_agent(session, "sonnet", "--effort", "minimal") == (["none", "none"], ["none"])


def test_without_it_the_haiku_tier_stays_low(session: Session) -> None:
    assert with_an_agent(session, "haiku") == (["high", "high"], ["low"])  # high is Claude Code's own default


def test_an_effort_of_the_settings_is_what_a_session_begins_with_unless_the_user_has_one(session: Session) -> None:
    session.env |= {"CLAUDEGPT_EFFORT": "low", "CLAUDEGPT_REASONING_OPUS": "xhigh"}
    assert with_an_agent(session, "haiku") == (["xhigh", "xhigh"], ["low"])
    (session.home / ".claude" / "settings.json").write_text('{"effortLevel": "medium"}')
    session.backend.script(answer("Yes."))
    session.run("And now?", env=MODELS)
    assert effort(session.backend.requests[-1]) == "medium"


@pytest.mark.parametrize("started_with", ["minimal", "medium"])
def test_effort_typed_later_wins(session: Session, backend: FakeBackend, started_with: str) -> None:
    session.env |= MODELS
    backend.route(lambda request: b"SYSTEM NOTIFICATION" in request.raw, answer("Noted."))  # the newest, of its agents
    backend.route(is_agent, answer("There are three."))
    ask_agent = answer(call("Agent", **AGENT, model="haiku", run_in_background=False))
    backend.script(answer("First."), ask_agent, answer("Second."))
    with session.terminal() as screen:
        start(screen, f"claudegpt --effort {started_with} --allowedTools Agent")
        screen.type("One")
        screen.wait_for("First.")
        screen.type("/effort xhigh")
        screen.wait_for(re.compile("Change effort level|Set effort level to xhigh"))
        if "Change effort level?" in screen.text:  # newer versions do not ask
            screen.press(ENTER, "Set effort level to xhigh")
        screen.type("Two")
        screen.wait_for("Second.")
        wait_until(lambda: any(map(is_agent, backend.side)), "the agent to be asked")
        assert leave(screen) == 0
    first = "none" if started_with == "minimal" else "medium"
    assert [effort(request) for request in backend.requests] == [first, "xhigh", "xhigh"]
    assert [effort(request) for request in backend.side if is_agent(request)] == ["xhigh"]
