"""A model picked in /model, in the real interface: whatever ends the session, plain `claude` is as before."""

from __future__ import annotations

import os
import re
import signal

import pytest

from tests.fakes.answers import answer
from tests.fakes.backend import FakeBackend, wait_until
from tests.real.home import know_the_account, settings_of
from tests.real.screen import Screen
from tests.real.session import Session, leave, start

THEIRS = '{"model":  "haiku"}'


@pytest.fixture(autouse=True)
def account(session: Session, backend: FakeBackend) -> None:
    del session.env["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"]  # 2.1.197 asks us for the list
    know_the_account(session, backend)
    settings_of(session).write_text(THEIRS)


def pick(screen: Screen, name: str) -> None:
    screen.type("/model")
    screen.wait_for("GPT-6 Luna")
    screen.wait_for("GPT-5.5")
    [row] = re.findall(rf"(\d)\. {name}", screen.text)[-1:]
    screen.send(row)
    screen.wait_for("Set model to")


def ours(session: Session) -> list[int]:
    return [pid for pid, words in session.processes() if "tests.real.tapped" in words]


def left(session: Session) -> list[str]:
    """What a session has started and is still there, besides the terminal's shell."""
    return [words for _, words in session.processes() if "--rcfile" not in words]


@pytest.mark.parametrize("whom", ["us", "our whole group"])
def test_killed_after_a_pick_we_leave_the_users_default_as_it_was(
    session: Session, backend: FakeBackend, whom: str
) -> None:
    with session.terminal() as screen:
        start(screen)
        pick(screen, "GPT-6 Astra")
        assert "gpt-6-astra" in settings_of(session).read_text()
        [pid] = ours(session)
        os.killpg(os.getpgid(pid), signal.SIGKILL) if whom == "our whole group" else os.kill(pid, signal.SIGKILL)
        assert screen.shell_status() == 137
        wait_until(lambda: not left(session), lambda: f"these to end: {left(session)}")
        assert settings_of(session).read_text() == THEIRS
    backend.script(answer("By Astra."))
    session.run("Who is it?")
    assert backend.requests[0].body["model"] == "gpt-6-astra"


def test_two_sessions_with_different_picks_do_not_undo_each_other(session: Session, backend: FakeBackend) -> None:
    with session.terminal() as one, session.terminal() as two:
        start(one)
        pick(one, "GPT-6 Astra")
        start(two)
        pick(two, "GPT-5.5")
        assert leave(one) == 0
        assert settings_of(session).read_text() == THEIRS
        backend.script(answer("By 5.5."))
        two.type("Who is it?")
        two.wait_for("By 5.5.")
        assert leave(two) == 0
    assert settings_of(session).read_text() == THEIRS
    backend.script(answer("By 5.5 again."))
    session.run("And now?")
    assert [request.body["model"] for request in backend.requests] == ["gpt-5.5"] * 2


def test_the_default_picked_again_is_what_the_next_session_starts_with(session: Session, backend: FakeBackend) -> None:
    for name in ("GPT-6 Astra", "GPT-6 Luna"):
        with session.terminal() as screen:
            start(screen)
            pick(screen, name)
            screen.wait_for(f"{name} ·")  # in the status line
            assert leave(screen) == 0
    backend.script(answer("By Luna."))
    session.run("Who is it?")
    assert backend.requests[0].body["model"] == "gpt-6-luna"
