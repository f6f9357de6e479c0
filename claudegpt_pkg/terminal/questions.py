"""Asks the questions of the setup: a person at a terminal, or nobody, whose answers are flags and defaults.

`Terminal` asks on stderr and takes the keyboard only, because stdout belongs to Claude Code. Ctrl-C and Ctrl-D end the
whole program. `Nobody` is for scripts: a question without a default is an error that names the flag that answers it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import BadSetting
from ..secret import Secret
from .console import console, tell


@dataclass(frozen=True)
class Choice:
    """One of several answers: its value, and the line that is shown for it."""

    value: str
    title: str


Judge = Callable[[str], str | None]  # returns what is wrong with a text, None if it will do


def accept_anything(text: str) -> str | None:
    return None


def require_text(text: str) -> str | None:
    return None if text.strip() else "Type an answer."


class Asker(Protocol):
    """Whoever answers. `flag` is the option of the command line that answers the question."""

    def choose(self, question: str, choices: Sequence[Choice], *, default: str | None, flag: str) -> str: ...

    def text(self, question: str, *, default: str = "", judge: Judge = accept_anything, flag: str) -> str: ...

    def secret(self, question: str, *, judge: Judge = accept_anything, flag: str) -> Secret: ...

    def working(self, what: str) -> AbstractContextManager[object]:
        """Show that something is going on during the block."""

    @property
    def there(self) -> bool:
        """Whether a person is there who can be asked again."""


class Terminal:
    """A person at the terminal."""

    there = True

    def choose(self, question: str, choices: Sequence[Choice], *, default: str | None, flag: str) -> str:
        import questionary

        shown = [questionary.Choice(choice.title, value=choice.value) for choice in choices]
        known = default if default in [choice.value for choice in choices] else None
        # Without vi keys and search, letters do nothing: a person needs to know only the arrows and Enter.
        return str(
            self._ask(
                questionary.select(question, shown, default=known, use_jk_keys=False, **self._style("(arrow keys)"))
            )
        )

    def text(self, question: str, *, default: str = "", judge: Judge = accept_anything, flag: str) -> str:
        import questionary

        asked = questionary.text(question, default=default, validate=_as_questionary(judge), **self._style(None))
        return str(self._ask(asked)).strip()

    def secret(self, question: str, *, judge: Judge = accept_anything, flag: str) -> Secret:
        import questionary

        asked = questionary.password(question, validate=_as_questionary(judge), **self._style(None))
        return Secret(str(self._ask(asked)).strip())

    def working(self, what: str) -> AbstractContextManager[object]:
        return console().status(what)

    def _style(self, instruction: str | None) -> dict[str, Any]:
        from prompt_toolkit.output import create_output

        style: dict[str, Any] = {"qmark": "?", "output": create_output(stdout=sys.stderr)}
        return style | ({"instruction": instruction} if instruction else {})

    def _ask(self, question: Any) -> Any:
        try:
            return question.unsafe_ask()
        except EOFError:  # Ctrl-D
            raise KeyboardInterrupt from None


def _as_questionary(judge: Judge) -> Callable[[str], bool | str]:
    """A judge in the form that questionary takes."""
    return lambda text: judge(text) or True


class Nobody:
    """No person: there is no terminal, or the command line holds every answer."""

    there = False

    def choose(self, question: str, choices: Sequence[Choice], *, default: str | None, flag: str) -> str:
        if default is None:
            raise _missing_answer(question, flag)
        return default

    def text(self, question: str, *, default: str = "", judge: Judge = accept_anything, flag: str) -> str:
        if problem := judge(default):
            raise BadSetting(problem, f"Give {flag}.") if default else _missing_answer(question, flag)
        return default

    def secret(self, question: str, *, judge: Judge = accept_anything, flag: str) -> Secret:
        if judge(""):
            raise _missing_answer(question, flag)
        return Secret("")

    def working(self, what: str) -> AbstractContextManager[object]:
        tell(f"{what} …")
        return nullcontext()


def _missing_answer(question: str, flag: str) -> BadSetting:
    return BadSetting(f"{question}: there is no terminal to ask on.", f"Give {flag}.")
