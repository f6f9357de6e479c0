"""The two that can answer: nobody, and a person at a terminal, whose keyboard is a pipe here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input

from claudegpt_pkg.errors import BadSetting
from claudegpt_pkg.secret import Secret
from claudegpt_pkg.terminal.questions import Choice, Nobody, Terminal, require_text

CHOICES = [Choice("a", "The first"), Choice("b", "The second"), Choice("c", "The third")]
ENTER, DOWN, CLEAR = "\r", "\x1b[B", "\x15"


@contextmanager
def keys(typed: str) -> Iterator[None]:
    with create_pipe_input() as pipe, create_app_session(input=pipe):
        type_in(pipe, typed)
        yield


def type_in(pipe: PipeInput, typed: str) -> None:
    pipe.send_text(typed)


def test_the_pointer_stands_on_the_default() -> None:
    with keys(ENTER):
        assert Terminal().choose("Which?", CHOICES, default="b", flag="") == "b"
    with keys(DOWN + ENTER):
        assert Terminal().choose("Which?", CHOICES, default="b", flag="") == "c"


def test_a_default_that_is_not_among_the_choices_is_ignored() -> None:
    with keys(ENTER):
        assert Terminal().choose("Which?", CHOICES, default="z", flag="") == "a"


def test_the_default_text_can_be_edited() -> None:
    with keys(f"!{ENTER}"):
        assert Terminal().text("What?", default="this", flag="") == "this!"
    with keys(f"{CLEAR}  that {ENTER}"):
        assert Terminal().text("What?", default="this", flag="") == "that"


def test_an_answer_that_will_not_do_is_not_accepted() -> None:
    with keys(f"{ENTER}something{ENTER}"):
        assert Terminal().text("What?", judge=require_text, flag="") == "something"


def test_a_secret_does_not_print_itself(capfd: pytest.CaptureFixture[str]) -> None:
    with keys(f"s3cr3t{ENTER}"):
        answered = Terminal().secret("Key?", flag="")
    assert answered == Secret("s3cr3t") and "s3cr3t" not in repr(answered)
    assert "s3cr3t" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_leaving_at_a_question_leaves_the_program(key: str) -> None:
    with keys(key), pytest.raises(KeyboardInterrupt):
        Terminal().text("What?", flag="")
    with keys("\x03"), pytest.raises(KeyboardInterrupt):
        Terminal().choose("Which?", CHOICES, default=None, flag="")


def test_nothing_is_asked_on_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    with keys(ENTER):
        Terminal().choose("Which?", CHOICES, default=None, flag="")
    assert capfd.readouterr().out == ""


def test_nobody_takes_every_default() -> None:
    assert Nobody().choose("Which?", CHOICES, default="b", flag="--which") == "b"
    assert Nobody().text("What?", default="this", judge=require_text, flag="--what") == "this"
    assert Nobody().secret("Key?", flag="--key") == Secret("")


def test_nobody_names_the_flag_that_would_answer() -> None:
    with pytest.raises(BadSetting, match=r"Which\?: there is no terminal to ask on. Give --which\."):
        Nobody().choose("Which?", CHOICES, default=None, flag="--which")
    with pytest.raises(BadSetting, match=r"What\?: there is no terminal to ask on. Give --what\."):
        Nobody().text("What?", judge=require_text, flag="--what")
    with pytest.raises(BadSetting, match=r"Key\?: there is no terminal to ask on. Give --key\."):
        Nobody().secret("Key?", judge=require_text, flag="--key")
    with pytest.raises(BadSetting, match=r"It is wrong\. Give --what\."):
        Nobody().text("What?", default="this", judge=lambda text: "It is wrong.", flag="--what")
