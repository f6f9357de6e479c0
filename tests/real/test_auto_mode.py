"""Auto permission mode: the client asks the model whether an action is safe, and needs the answer cut at a stop
sequence. The newest would have Anthropic's servers judge; that it does not is said before the session starts."""

from __future__ import annotations

import pytest

from tests.real.clients import NEW
from tests.real.session import Session
from tests.support.fakes.answers import answer, call
from tests.support.fakes.backend import FakeBackend, Request

AUTO = ("--permission-mode", "auto")


def is_classifier(request: Request) -> bool:
    return b"</block>" in request.raw and not request.body.get("tools")


@pytest.mark.parametrize(("verdict", "ran"), [("no", True), ("yes", False)])
def test_the_classifier_gets_its_answer_cut_at_the_stop_sequence(
    session: Session, backend: FakeBackend, verdict: str, ran: bool
) -> None:
    backend.route(is_classifier, answer(f"<block>{verdict}</block><reason>it is what was asked for</reason>"))
    backend.script(answer(call("Bash", command="curl -s http://127.0.0.1:9/ ; touch done", description="Try")))
    backend.script(answer("That was it."))
    assert session.run("Try it", *AUTO).stdout == "That was it.\n"
    assert backend.side, "nobody asked the classifier"
    assert all(request.body["max_output_tokens"] > 2000 for request in backend.side), "no room for thinking"
    assert (session.work / "done").exists() is ran


def test_a_classifier_that_answers_nonsense_approves_nothing(session: Session, backend: FakeBackend) -> None:
    backend.route(is_classifier, answer("I would rather not say."))
    backend.script(answer(call("Bash", command="curl -s http://127.0.0.1:9/ ; touch done", description="Try")))
    backend.script(answer("That was it."))
    session.run("Try it", *AUTO)
    assert not (session.work / "done").exists()


def test_the_newest_says_beforehand_whose_judgement_it_is(session: Session, backend: FakeBackend) -> None:
    backend.script(answer("Hello."))
    ran = session.run("Hi", *AUTO)
    assert ran.stdout == "Hello.\n"
    assert ("GPT-6.1 Terra decides" in ran.stderr, ran.stderr.count("\n")) == (
        (True, 1) if session.version == NEW else (False, 0)
    )


def test_plan_mode_asks_where_nobody_chose_to_have_it_judged(session: Session, backend: FakeBackend) -> None:
    backend.route(is_classifier, answer("<block>no</block><reason>fine</reason>"))
    backend.script(answer(call("Bash", command="curl -s http://127.0.0.1:9/ ; touch done", description="Try")))
    backend.script(answer("I could not."))
    assert session.run("Try it", "--permission-mode", "plan").stdout == "I could not.\n"
    assert not backend.side and not (session.work / "done").exists()


def test_auto_mode_of_the_users_own_settings_is_asked_for_too(session: Session, backend: FakeBackend) -> None:
    settings = session.home / ".claude" / "settings.json"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text('{"permissions": {"defaultMode": "auto"}}')
    backend.script(answer("Hello."))
    assert ("Auto mode" in session.run("Hi").stderr) is (session.version == NEW)
