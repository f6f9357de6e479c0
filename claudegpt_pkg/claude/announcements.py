"""Finds what the user should know when a session starts, because it differs from plain Claude Code: one notice each.

In an interactive session the notices stand in Claude Code's interface, as an announcement below its header; newer
versions would hide anything that was printed before. A notice that holds for every session is shown once: a file in the
state folder remembers it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from .. import files
from ..accounts.providers.base import Provider
from .arguments import has_flag, value_of
from .install import claude_version, version_on_disk
from .session import Session, prints
from .session_models import model_label
from .user_settings import UserSettings
from .versions import AUTO_MODE_BY_SERVER, STARTS_IN_AUTO_MODE, parse_version

ANNOUNCEMENTS = "companyAnnouncements"
SHOWN = "shown-notices.json"  # in the state folder


@dataclass(frozen=True)
class Notice:
    """A sentence for the user. `once` names its subject if it must not be shown again."""

    sentence: str
    once: str = ""

    @property
    def key(self) -> str:
        return hashlib.sha256(self.once.encode()).hexdigest()[:16]


class ShownNotices(msgspec.Struct, frozen=True):
    """The keys of the notices that were shown."""

    shown: list[str] = []


def find_notices(
    args: Sequence[str], session: Session, provider: Provider, *, program: Path, terminal: bool
) -> Iterator[Notice]:
    """`terminal`: stdin and stdout are a terminal, so that an interface can be shown."""
    version = version_on_disk(program)
    judge = model_label(provider, provider.tiers.sonnet)
    if session.set_aside:
        yield Notice(f"Ignored for this session, from your Claude settings: {', '.join(session.set_aside)}")
    if session.mode == "auto" and (version or parse_version(claude_version(program))) in AUTO_MODE_BY_SERVER:
        yield Notice(
            f"Auto mode: {judge} decides which actions are safe. Anthropic's server-side check is not available here."
        )
    if session.mode is None and terminal and not prints(args) and version in STARTS_IN_AUTO_MODE:
        yield Notice(
            "Claude Code asks before it acts here. Alone it would start in auto mode; with `--permission-mode auto`, "
            f"{judge} decides which actions are safe.",
            once="manual mode",
        )
    if has_flag("--max-budget-usd", args) or value_of("--max-budget-usd", args):
        yield Notice(
            "`--max-budget-usd` counts at Claude's prices, because Claude Code knows no others. What GPT costs is in "
            "`claudegpt usage`."
        )
    if session.small_window:
        yield Notice(session.small_window, once=session.small_window)


def select_unshown(found: Iterable[Notice], state: Path) -> list[Notice]:
    """The notices that the user has not seen yet."""
    shown = _read_shown(state)
    return [notice for notice in found if not (notice.once and notice.key in shown)]


def remember_shown(notices: Iterable[Notice], state: Path) -> None:
    """Remember that these were shown. If the file cannot be written, they are shown again."""
    keys = [notice.key for notice in notices if notice.once]
    if keys:
        content = ShownNotices(sorted({*_read_shown(state), *keys}))
        with suppress(OSError):
            files.replace_file(state / SHOWN, msgspec.json.encode(content).decode())


def add_announcement(session: Session, notices: Iterable[Notice], user: UserSettings) -> Session | None:
    """The session, whose interface starts with these notices. None if the user has announcements of their own: Claude
    Code shows one of them, and it may be any."""
    if user.merged.get(ANNOUNCEMENTS):
        return None
    text = "\n".join(f"claudegpt: {notice.sentence}" for notice in notices)
    return replace(session, settings={**session.settings, **({ANNOUNCEMENTS: [text]} if text else {})})


def _read_shown(state: Path) -> frozenset[str]:
    try:
        return frozenset(msgspec.json.decode(files.read_own_file(state / SHOWN) or b"{}", type=ShownNotices).shown)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return frozenset()
