"""A session in a real terminal: a shell, `claudegpt` typed at it, and everything a person does with it."""

from __future__ import annotations

import os
import re
import signal

import pytest

from tests.real.clients import OLD, binary
from tests.real.screen import CTRL_C, CTRL_Z, ENTER, ESCAPE
from tests.real.session import Session, leave, start
from tests.support.fakes.answers import answer, call, reasoning
from tests.support.fakes.backend import FakeBackend, wait_until

LEFT = "\x1b[D"
COUNTING = "One two\n\nthree\n\nfour five"  # the client shows a paragraph when it is whole


def test_a_question_is_answered_with_visible_thinking(session: Session, backend: FakeBackend) -> None:
    backend.script(answer(reasoning("**Weighing it**\n\nForty-two, I think."), "The answer is 42."))
    with session.terminal() as screen:
        start(screen)
        screen.type("What is the answer?")
        screen.wait_for("The answer is 42.")
        screen.send("\x0f")  # ^O: the transcript, with its thinking
        screen.wait_for("Forty-two, I think.")
        screen.send(ESCAPE)
        screen.wait_gone("Forty-two, I think.")
        assert leave(screen) == 0
        assert not claudes(session)


def test_a_tool_runs_once_it_is_allowed(session: Session, backend: FakeBackend) -> None:
    backend.script(answer(call("Bash", command="touch made.txt", description="Make it")), answer("It is made."))
    with session.terminal() as screen:
        start(screen)
        screen.type("Make a file")
        screen.wait_for("Do you want to proceed?")
        assert not (session.work / "made.txt").exists()
        screen.press(ENTER, "It is made.")
        assert (session.work / "made.txt").exists()
        assert leave(screen) == 0


def test_interrupting_closes_the_stream_upstream(session: Session, backend: FakeBackend) -> None:
    backend.script(answer(COUNTING, stall_after=9), answer("Still here."))
    with session.terminal() as screen:
        start(screen)
        screen.type("Count")
        screen.wait_for("One two")
        screen.send(ESCAPE)
        backend.wait_request(1).wait_left()
        screen.wait_for("Interrupted")
        screen.type("And now?")
        screen.wait_for("Still here.")
        assert leave(screen) == 0


def test_ctrl_c_interrupts_and_twice_leaves(session: Session, backend: FakeBackend) -> None:
    backend.script(answer(COUNTING, stall_after=9))
    with session.terminal() as screen:
        start(screen)
        screen.type("Count")
        screen.wait_for("One two")
        screen.send(CTRL_C)
        backend.wait_request(1).wait_left()
        screen.wait_for("Interrupted")
        screen.send(CTRL_C)
        screen.wait_for("again to exit")
        screen.wait_gone("again to exit")  # that offer stands for a moment only, in which we may be kept waiting
        screen.send(CTRL_C + CTRL_C)
        assert screen.shell_status() == 0
        assert not claudes(session)


def test_it_can_be_suspended_and_resumed(session: Session, backend: FakeBackend) -> None:
    backend.script(answer("Back again."))
    with session.terminal() as screen:
        start(screen)
        screen.send(CTRL_Z)
        assert screen.shell_status() == 128 + signal.SIGTSTP
        assert screen.run("jobs | grep Stopped") == 0
        assert claudes(session)
        screen.type("fg")
        screen.wait_program()
        screen.type("Are you there?")
        screen.wait_for("Back again.")
        assert leave(screen) == 0


def test_nothing_is_moved_to_the_background_where_it_would_outlive_us(session: Session, backend: FakeBackend) -> None:
    backend.script(answer("Still in front."))
    with session.terminal() as screen:
        start(screen)
        screen.send(LEFT)
        screen.type("/background")
        screen.wait_for(re.compile("Unknown command: /background|Usage: /fork"))  # the menu may have offered that
        screen.type("Where are you?")
        screen.wait_for("Still in front.")
        assert leave(screen) == 0
        assert not claudes(session)


def test_killing_claude_gives_its_status_and_leaves_nothing(session: Session) -> None:
    with session.terminal() as screen:
        start(screen)
        pid = claudes(session)[0]
        os.kill(pid, signal.SIGKILL)
        assert screen.shell_status() == 137


def test_killing_us_takes_claude_along(session: Session) -> None:
    with session.terminal() as screen:
        start(screen)
        ours = next(pid for pid, words in session.processes() if "tests.real.tapped" in words)
        os.kill(ours, signal.SIGKILL)
        assert screen.shell_status() == 137
        wait_until(lambda: not claudes(session), "claude to end with us")


@pytest.mark.every_version("the versions fill the model picker in different ways")
def test_the_model_picker_shows_the_real_models(session: Session) -> None:
    with session.terminal() as screen:
        start(screen)
        screen.type("/model")
        screen.wait_for("GPT-6.1 Sol")
        screen.wait_for("GPT-6 Luna")
        screen.send(ESCAPE)
        screen.wait_for("Kept model as")
        assert leave(screen) == 0


@pytest.mark.parametrize("columns", [80, 140])
def test_the_first_screen_names_our_model(session: Session, columns: int) -> None:
    with session.terminal(columns=columns) as screen:
        start(screen)
        screen.wait_for("gpt-6.1-sol" if session.version == OLD else "GPT-6.1 Sol")
        assert "unrecognized" not in screen.text
        assert leave(screen) == 0


def claudes(session: Session) -> list[int]:
    return [pid for pid, words in session.processes() if words.startswith(str(binary(session.version)))]
