"""Who answers the wizard's questions: a person at the terminal, or nobody, and then what stands for each answer holds.

`Terminal` asks on stderr, with the keyboard only: stdout is Claude's. ^C and ^D end the whole program. `Nobody` is for
scripts: a question without a default is an error that names the flag that answers it.
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
    """One answer of several: its value, how it is shown, and a word about it."""

    value: str
    title: str


Judge = Callable[[str], str | None]  # what is wrong with a text; None: nothing


def anything(text: str) -> str | None:
    return None


def needed(text: str) -> str | None:
    return None if text.strip() else "Something is needed here."


class Asker(Protocol):
    """`flag` is what answers the question on the command line."""

    def choose(self, question: str, choices: Sequence[Choice], *, default: str | None, flag: str) -> str: ...

    def text(self, question: str, *, default: str = "", judge: Judge = anything, flag: str) -> str: ...

    def secret(self, question: str, *, judge: Judge = anything, flag: str) -> Secret: ...

    def working(self, what: str) -> AbstractContextManager[object]:
        """A sign of life while something takes its time."""

    @property
    def there(self) -> bool:
        """Whether somebody can be asked again."""


class Terminal:
    """A person."""

    there = True

    def choose(self, question: str, choices: Sequence[Choice], *, default: str | None, flag: str) -> str:
        import questionary

        shown = [questionary.Choice(choice.title, value=choice.value) for choice in choices]
        known = default if default in [choice.value for choice in choices] else None
        # Letters would move the pointer (vi) or be taken for a search: arrows and Enter are all there is to know.
        return str(
            self._ask(
                questionary.select(question, shown, default=known, use_jk_keys=False, **self._looks("(arrow keys)"))
            )
        )

    def text(self, question: str, *, default: str = "", judge: Judge = anything, flag: str) -> str:
        import questionary

        asked = questionary.text(question, default=default, validate=verdict(judge), **self._looks(None))
        return str(self._ask(asked)).strip()

    def secret(self, question: str, *, judge: Judge = anything, flag: str) -> Secret:
        import questionary

        asked = questionary.password(question, validate=verdict(judge), **self._looks(None))
        return Secret(str(self._ask(asked)).strip())

    def working(self, what: str) -> AbstractContextManager[object]:
        return console().status(what)

    def _looks(self, instruction: str | None) -> dict[str, Any]:
        from prompt_toolkit.output import create_output

        looks: dict[str, Any] = {"qmark": "?", "output": create_output(stdout=sys.stderr)}
        return looks | ({"instruction": instruction} if instruction else {})

    def _ask(self, question: Any) -> Any:
        try:
            return question.unsafe_ask()
        except EOFError:  # ^D
            raise KeyboardInterrupt from None


def verdict(judge: Judge) -> Callable[[str], bool | str]:
    """A judge as questionary wants it."""
    return lambda text: judge(text) or True


class Nobody:
    """No terminal, or a command line that says it all."""

    there = False

    def choose(self, question: str, choices: Sequence[Choice], *, default: str | None, flag: str) -> str:
        if default is None:
            raise lacking(question, flag)
        return default

    def text(self, question: str, *, default: str = "", judge: Judge = anything, flag: str) -> str:
        if problem := judge(default):
            raise BadSetting(problem, f"Give {flag}.") if default else lacking(question, flag)
        return default

    def secret(self, question: str, *, judge: Judge = anything, flag: str) -> Secret:
        if judge(""):
            raise lacking(question, flag)
        return Secret("")

    def working(self, what: str) -> AbstractContextManager[object]:
        tell(f"{what} …")
        return nullcontext()


def lacking(question: str, flag: str) -> BadSetting:
    return BadSetting(f"{question}: there is no terminal to ask on.", f"Give {flag}.")
