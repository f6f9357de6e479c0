"""A model picked in a session is kept for the next, and does not keep plain Claude Code from starting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from claudegpt_pkg.picked import kept_apart, picked


class Home:
    """A user's settings file, and our memory."""

    def __init__(self, folder: Path):
        self.file = folder / "settings.json"
        self.memory = folder / "state"

    def session(self, text: str | None) -> None:
        """A session in which Claude Code writes this as the user's settings; None leaves them alone."""
        with kept_apart(self.file, self.memory):
            if text is not None:
                self.file.write_text(text)

    def save(self, **settings: Any) -> None:
        """As Claude Code does."""
        self.session(json.dumps(settings, indent=2) + "\n")

    @property
    def next(self) -> str | None:
        return picked(self.file, self.memory)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_our_models_name_is_taken_out_and_remembered(home: Home) -> None:
    before = '{"model":"sonnet",   "theme": "dark"}'
    home.file.write_text(before)
    home.file.chmod(0o644)
    home.save(theme="dark", model="gpt-6-astra")
    assert home.file.read_text() == before
    assert home.file.stat().st_mode & 0o777 == 0o644
    assert home.next == "gpt-6-astra"


def test_a_file_that_was_not_there_is_gone_again(home: Home) -> None:
    home.save(model="claudegpt/gpt-6-astra")
    assert not home.file.exists()
    assert home.next == "gpt-6-astra"


def test_what_else_changed_stays(home: Home) -> None:
    home.file.write_text('{"model": "opus", "note": "ü"}')
    home.save(note="ü", effortLevel="low", model="gpt-6-astra")
    assert json.loads(home.file.read_text()) == {"note": "ü", "effortLevel": "low", "model": "opus"}
    assert "ü" in home.file.read_text()
    assert home.next == "gpt-6-astra"


@pytest.mark.parametrize("model", ["haiku", "claude-opus-4-8", "opusplan", "sonnet[1m]", "default"])
def test_what_plain_claude_knows_stays_where_claude_wrote_it(home: Home, model: str) -> None:
    home.save(model="gpt-6-astra")
    home.save(model=model)
    assert json.loads(home.file.read_text()) == {"model": model}
    assert home.next is None


def test_a_session_in_which_nothing_is_picked_changes_nothing(home: Home) -> None:
    home.file.write_text('{"model": "gpt-of-the-users-own"}')
    home.session(None)
    home.save(model="gpt-of-the-users-own", theme="light")
    assert json.loads(home.file.read_text()) == {"model": "gpt-of-the-users-own", "theme": "light"}
    assert home.next is None


def test_the_default_picked_again_is_no_pick(home: Home) -> None:
    home.file.write_text('{"model": "sonnet"}')
    home.save(model="gpt-6-astra")
    home.save()
    assert home.next is None


def test_a_pick_holds_until_the_users_default_is_another(home: Home) -> None:
    home.save(model="gpt-6-astra")
    home.session(None)
    assert home.next == "gpt-6-astra"
    home.file.write_text('{"model": "haiku"}')
    assert home.next is None


@pytest.mark.parametrize("text", ["{", "[]", '{"model": 3}'])
def test_a_file_of_another_shape_is_left_alone(home: Home, text: str) -> None:
    home.session(text)
    assert home.file.read_text() == text
    assert home.next is None


def test_a_linked_file_stays_linked(home: Home) -> None:
    real = home.file.with_name("dotfiles.json")
    real.write_text('{"model": "sonnet"}')
    home.file.symlink_to(real)
    home.save(model="gpt-6-astra")
    assert home.file.is_symlink() and real.read_text() == '{"model": "sonnet"}'
