"""What the user is told when a session starts, because it is other than with plain Claude Code: a sentence each.

What holds for every session is said once, and remembered in a folder of ours. It stands in Claude Code's interface, as
an announcement below its header: the newest one would hide what was written before it until it ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from . import files
from .client_versions import AUTO_MODE_BY_SERVER, STARTS_IN_AUTO_MODE, numbers
from .install import claude_version, version_on_disk
from .providers.base import Provider
from .session import Session, label, prints
from .user_setup import UserSetup

ANNOUNCEMENTS = "companyAnnouncements"


def notices(
    args: Sequence[str], session: Session, provider: Provider, *, program: Path, memory: Path, terminal: bool
) -> Iterator[str]:
    """`memory`: the folder of what was said. `terminal`: whether there is one to show an interface in."""
    version = version_on_disk(program)
    judge = label(provider, provider.tiers.sonnet)
    if session.set_aside:
        yield f"set aside for this session, from your Claude settings: {', '.join(session.set_aside)}"
    if session.mode == "auto" and (version or numbers(claude_version(program))) in AUTO_MODE_BY_SERVER:
        yield (
            f"auto mode: whether an action is safe is judged by {judge} here; the check that Claude Code "
            "has on Anthropic's servers cannot be had."
        )
    if session.mode is None and terminal and not prints(args) and version in STARTS_IN_AUTO_MODE:
        yield from once(
            "manual mode",
            "sessions ask before they act, where this version of Claude Code would start in auto mode; "
            f"with `--permission-mode auto` {judge} judges what is safe.",
            memory,
        )
    if session.narrowed:
        yield from once(session.narrowed, session.narrowed, memory)


def announced(session: Session, sentences: Sequence[str], user: UserSetup) -> Session | None:
    """The session with an interface that begins with these; None where the user has announcements of their own, one of
    which it shows, whichever."""
    if user.settings.get(ANNOUNCEMENTS):
        return None
    text = "\n".join(f"claudegpt: {sentence}" for sentence in sentences)
    return replace(session, settings={**session.settings, **({ANNOUNCEMENTS: [text]} if text else {})})


def once(key: str, sentence: str, memory: Path) -> Iterator[str]:
    """The sentence, the first time; a disk that cannot be written costs saying it again."""
    marker = memory / f"said-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    if not marker.exists():
        yield sentence
        with suppress(OSError):
            files.write(marker, sentence + "\n")
