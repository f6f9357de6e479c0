"""What the user is told when a session starts, because it is other than with plain Claude Code: a sentence each.

It stands in Claude Code's interface, as an announcement below its header: the newest one would hide what was written
before it until it ends. What holds for every session is said once, which a folder of ours remembers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from .. import files
from ..accounts.providers.base import Provider
from .install import claude_version, version_on_disk
from .session import Session, prints
from .session_models import model_label
from .user_settings import UserSettings
from .versions import AUTO_MODE_BY_SERVER, STARTS_IN_AUTO_MODE, parse_version

ANNOUNCEMENTS = "companyAnnouncements"


@dataclass(frozen=True)
class Notice:
    """`once`: what it is about, where it is not to be said again."""

    sentence: str
    once: str = ""


def notices(
    args: Sequence[str], session: Session, provider: Provider, *, program: Path, terminal: bool
) -> Iterator[Notice]:
    """`terminal`: whether there is one to show an interface in."""
    version = version_on_disk(program)
    judge = model_label(provider, provider.tiers.sonnet)
    if session.set_aside:
        yield Notice(f"set aside for this session, from your Claude settings: {', '.join(session.set_aside)}")
    if session.mode == "auto" and (version or parse_version(claude_version(program))) in AUTO_MODE_BY_SERVER:
        yield Notice(
            f"auto mode: whether an action is safe is judged by {judge} here; the check that Claude Code "
            "has on Anthropic's servers cannot be had."
        )
    if session.mode is None and terminal and not prints(args) and version in STARTS_IN_AUTO_MODE:
        yield Notice(
            "sessions ask before they act, where this version of Claude Code would start in auto mode; "
            f"with `--permission-mode auto` {judge} judges what is safe.",
            once="manual mode",
        )
    if session.small_window:
        yield Notice(session.small_window, once=session.small_window)


def unsaid(found: Iterable[Notice], memory: Path) -> list[Notice]:
    """Those that are to be said; `memory` is the folder of what was said."""
    return [notice for notice in found if not (notice.once and marker(notice, memory).exists())]


def remember(said: Iterable[Notice], memory: Path) -> None:
    """A disk that cannot be written costs saying them again."""
    for notice in said:
        if notice.once:
            with suppress(OSError):
                files.replace_file(marker(notice, memory), notice.sentence + "\n")


def marker(notice: Notice, memory: Path) -> Path:
    return memory / f"said-{hashlib.sha256(notice.once.encode()).hexdigest()[:16]}"


def announced(session: Session, said: Iterable[Notice], user: UserSettings) -> Session | None:
    """The session with an interface that begins with these; None where the user has announcements of their own, one of
    which it shows, whichever."""
    if user.merged.get(ANNOUNCEMENTS):
        return None
    text = "\n".join(f"claudegpt: {notice.sentence}" for notice in said)
    return replace(session, settings={**session.settings, **({ANNOUNCEMENTS: [text]} if text else {})})
