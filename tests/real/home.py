"""The user's home, and their account's list of models: what the tests of a session's setup begin with."""

from __future__ import annotations

from pathlib import Path

from tests.real.session import Session
from tests.support.fakes.backend import FakeBackend

TIERS = ("gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna")
OTHERS = ("gpt-6-astra", "gpt-5.5")  # what the account has besides the tiers' models


def settings_of(session: Session) -> Path:
    """The user's settings for Claude Code."""
    file = session.home / ".claude" / "settings.json"
    file.parent.mkdir(exist_ok=True)
    return file


def know_the_account(session: Session, backend: FakeBackend) -> None:
    """Have the account's list of models known before the session that a test is about."""
    backend.page("GET", "/v1/models", 200, {"data": [{"id": name} for name in (*TIERS, *OTHERS)]})
    session.command("models")
