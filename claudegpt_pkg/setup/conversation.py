"""What every question of the setup shares: who answers, what the command line answers already, the answers so far."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..accounts.provider_table import PROVIDER_TABLE
from ..errors import BadSetting
from ..models import Tier
from ..secret import Secret
from ..settings.options import Option
from ..settings.settings import Settings, load
from ..terminal.console import from_home, tell
from ..terminal.questions import Asker, Choice
from .validators import bare, judge_key, judge_optional_key

Answers = dict[str, str | None]  # settings by name; None: removed from config.env

KEY_FLAG = "--api-key-stdin (or set {})"
POINTER = 3  # columns before a choice's title


@dataclass(frozen=True)
class Given:
    """What the command line answers. `login`: how to log in to ChatGPT, "browser", "address" or "device"."""

    provider: str | None = None
    key: Secret | None = None
    base_url: str | None = None
    endpoint: str | None = None
    api_version: str | None = None
    login: str | None = None
    models: Mapping[Tier, str | None] = field(default_factory=dict)
    check: bool = True
    yes: bool = False

    def find_misplaced_flag(self) -> str | None:
        """A flag that belongs to another provider: a key may be meant for another server."""
        flags: dict[str, object] = {
            "--endpoint": self.endpoint,
            "--api-version": self.api_version,
            "--base-url": self.base_url,
            "--api-key-stdin": self.key,
            "--device or --no-browser": self.login,
            **{f"--{tier}": model for tier, model in self.models.items()},
        }
        belong = PROVIDER_TABLE[self.provider].setup_flags if self.provider else frozenset()
        return next((flag for flag, given in flags.items() if given and flag not in belong), None)


class Conversation:
    """The state of one setup. Answers change; what the last attempt answered is the default of the next."""

    def __init__(self, asker: Asker, given: Given, flags: Mapping[str, str]):
        self.asker = asker
        self.given = given
        self.flags = flags
        self.answers: Answers = {}
        self.before: Answers = {}  # the answers of the last attempt
        self.credential_refused = False  # by the server, in the last attempt

    @property
    def settings(self) -> Settings:
        """The settings with the answers so far; the defaults of the next question come from them too."""
        own = {name: value for name, value in self.answers.items() if value}
        return load({**self.flags, **own}, pending={**self.before, **self.answers})

    def restart(self) -> None:
        """Begin another attempt. The command line's answers were wrong, so they do not count again."""
        self.before |= self.answers
        self.answers = {}
        self.given = Given(check=self.given.check, yes=self.given.yes)

    def explain(self, text: str) -> None:
        """Show a text to a person; a script needs none."""
        if self.asker.there:
            tell(text)


def ask_key(
    talk: Conversation, option: Option[Secret | None], question: str, *, source: str = "", optional: bool = False
) -> None:
    """Ask for a key, or keep the one that is set, which stays where it is. `source`: where a key is made."""
    if talk.given.key:
        if problem := judge_key(talk.given.key.reveal()):
            raise BadSetting(f"On stdin: {problem}", "Try `claudegpt setup --api-key-stdin <FILE`.")
        talk.answers[option.name] = bare(talk.given.key.reveal())
        return
    if talk.settings.written_text(option):
        way = _ask_whether_to_keep(talk, option, question, optional=optional)
        if way == "keep":
            if option.name in talk.before:
                talk.answers[option.name] = talk.before[option.name]
            return
        if way == "none":
            talk.answers[option.name] = None
            return
    if source:
        talk.explain(source)
    judge = judge_optional_key if optional else judge_key
    title = f"{question} (empty for none)" if optional else question
    typed = talk.asker.secret(title, judge=judge, flag=KEY_FLAG.format(option.name))
    talk.answers[option.name] = bare(typed.reveal()) or None


def _ask_whether_to_keep(talk: Conversation, option: Option[Secret | None], question: str, *, optional: bool) -> str:
    just_entered = option.name in talk.before
    kept = "the one just entered" if just_entered else f"the one from {from_home(talk.settings.source(option))}"
    ways = [Choice("keep", shorten_title(f"Use {kept}")), Choice("new", "Enter another")]
    ways += [Choice("none", "Use none")] * optional
    usual = "new" if talk.credential_refused and talk.asker.there else "keep"
    return talk.asker.choose(question, ways, default=usual, flag="--api-key-stdin")


def shorten_title(title: str) -> str:
    """A choice's title cut to the terminal's width, so that it never folds."""
    room = shutil.get_terminal_size().columns - POINTER
    return title if len(title) <= room else f"{title[: room - 1]}…"
