"""What is said before a session starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from claudegpt_pkg.accounts.providers.base import Provider
from claudegpt_pkg.claude.announcements import (
    SHOWN,
    Notice,
    add_announcement,
    find_notices,
    remember_shown,
    select_unshown,
)
from claudegpt_pkg.claude.session import Session
from claudegpt_pkg.claude.user_settings import UserSettings
from claudegpt_pkg.models import Tiers

PROVIDER = Provider("openai", "OpenAI API key", "https://x", Tiers("gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna"))
OLD, NEW = "2.1.197", "2.1.330"


@pytest.fixture
def said(tmp_path: Path) -> Said:
    return Said(tmp_path)


class Said:
    """What is said of sessions, one after another."""

    def __init__(self, folder: Path):
        self.folder = folder

    def of(
        self, session: Session, *args: str, version: str = NEW, terminal: bool = True, seen: bool = True
    ) -> list[str]:
        program = self.folder / version / "claude"
        program.parent.mkdir(exist_ok=True)
        package = {"name": "@anthropic-ai/claude-code", "version": version}
        (program.parent / "package.json").write_text(json.dumps(package))
        memory = self.folder / "state"
        told = select_unshown(find_notices(args, session, PROVIDER, program=program, terminal=terminal), memory)
        if seen:
            remember_shown(told, memory)
        return [notice.sentence for notice in told]


def session(mode: str | None = "default", *, set_aside: tuple[str, ...] = (), small_window: str = "") -> Session:
    return Session([], {}, {}, list(set_aside), mode, small_window)


def test_mostly_nothing_is_said(said: Said) -> None:
    assert said.of(session()) == []
    assert said.of(session(None), version=OLD) == []


def test_what_was_set_aside_is_said_each_time(said: Said) -> None:
    for _ in range(2):
        [line] = said.of(session(set_aside=("apiKeyHelper", "ANTHROPIC_BASE_URL")))
        assert line.endswith("apiKeyHelper, ANTHROPIC_BASE_URL")


def test_auto_mode_is_explained_each_time_where_it_is_other_than_usual(said: Said) -> None:
    for _ in range(2):
        [line] = said.of(session("auto"), "-p", terminal=False)
        assert line.startswith("Auto mode: ") and "GPT-6.1 Terra" in line
    assert said.of(session("auto"), version=OLD) == []


def test_that_a_session_does_not_start_in_auto_mode_is_said_once(said: Said) -> None:
    assert said.of(session(None), terminal=False) == []
    assert said.of(session(None), "-p", "x") == []
    for seen in (False, True):
        [line] = said.of(session(None), seen=seen)
    assert "asks before it acts" in line
    assert said.of(session(None)) == []


def test_that_a_budget_counts_claudes_prices_is_said(said: Said) -> None:
    for words in (["--max-budget-usd", "2"], ["--max-budget-usd=2"]):
        [line] = said.of(session(), "-p", "x", *words)
        assert "Claude's prices" in line


def test_what_is_said_of_windows_is_said_once_until_it_changes(said: Said) -> None:
    assert said.of(session(small_window="272k")) == ["272k"]
    assert said.of(session(small_window="272k")) == []
    assert said.of(session(small_window="500k")) == ["500k"]


def test_a_folder_that_cannot_be_written_costs_saying_it_again(said: Said) -> None:
    (said.folder / "state").touch()
    for _ in range(2):
        assert said.of(session(small_window="272k")) == ["272k"]


def test_what_is_said_stands_in_the_interface() -> None:
    shown = add_announcement(session(), [Notice("One."), Notice("Two.", once="two")], UserSettings())
    assert shown and shown.settings == {"companyAnnouncements": ["claudegpt: One.\nclaudegpt: Two."]}
    assert add_announcement(session(), [], UserSettings()) == session()


def test_announcements_of_the_users_stay_the_only_ones() -> None:
    """Of several, Claude Code shows one."""
    assert (
        add_announcement(session(), [Notice("One.")], UserSettings(merged={"companyAnnouncements": ["Lunch at noon"]}))
        is None
    )


def test_a_list_of_shown_notices_that_is_not_ours_is_not_believed(said: Said) -> None:
    """Another user could hide from us what a session does."""
    said.of(session(small_window="272k"))
    file = said.folder / "state" / SHOWN
    content = file.read_bytes()
    file.chmod(0o666)
    assert said.of(session(small_window="272k")) == ["272k"]
    file.write_bytes(content)
    assert said.of(session(small_window="272k")) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"shown": 3}', b'{"shown": [1]}', b"\xff", b"[" * 99_999])
def test_a_list_of_another_shape_is_an_empty_one(said: Said, content: bytes) -> None:
    (said.folder / "state").mkdir()
    (said.folder / "state" / SHOWN).touch(mode=0o600)
    (said.folder / "state" / SHOWN).write_bytes(content)
    assert said.of(session(small_window="272k")) == ["272k"]
    assert said.of(session(small_window="272k")) == []
