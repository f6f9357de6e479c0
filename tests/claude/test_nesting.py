"""A claudegpt inside a session of claudegpt, and a claudegpt that its own start of `claude` leads back to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from claudegpt_pkg.claude.nesting import (
    EXPORTED,
    STARTED,
    mark_exports,
    mark_started,
    restore_environment,
    started_programs,
)

USER = {"PATH": "/bin", "NO_PROXY": "intranet", "ANTHROPIC_AUTH_TOKEN": "theirs"}
SESSION = {
    "PATH": "/bin",
    "NO_PROXY": "intranet,127.0.0.1",
    "ANTHROPIC_AUTH_TOKEN": "t0ken",
    "ANTHROPIC_DEFAULT_OPUS_MODEL": "gpt-6.1-sol",
}


def test_what_a_session_exported_is_undone_and_the_users_value_is_back() -> None:
    marked = mark_exports(SESSION, USER)
    assert {name: marked[name] for name in SESSION} == SESSION
    assert restore_environment(marked) == {"PATH": "/bin", "NO_PROXY": "intranet"}


def test_what_somebody_changed_within_the_session_is_their_choice() -> None:
    changed = {**mark_exports(SESSION, USER), "ANTHROPIC_DEFAULT_OPUS_MODEL": "qwen3:32b"}
    assert restore_environment(changed)["ANTHROPIC_DEFAULT_OPUS_MODEL"] == "qwen3:32b"


def test_the_note_holds_no_credential() -> None:
    note = mark_exports(SESSION, USER)[EXPORTED]
    assert "t0ken" not in note and "theirs" not in note


@pytest.mark.parametrize(
    "note", ["", "{", "[]", "3", '{"PATH": 1}', '{"PATH": ["a"]}', '{"PATH": [1, 2]}', "[" * 99_999]
)
def test_a_note_of_another_shape_changes_nothing(note: str) -> None:
    assert restore_environment({"PATH": "/bin", EXPORTED: note}) == {"PATH": "/bin"}


def test_an_environment_without_a_note_stays() -> None:
    assert restore_environment(USER) == USER


def test_programs_that_were_started_add_up() -> None:
    environ = mark_started(mark_started({}, Path("/a/claude")), Path("/b/claude"))
    assert started_programs(environ) == {Path("/a/claude"), Path("/b/claude")}
    assert started_programs({}) == started_programs({STARTED: ""}) == set()


def test_a_session_in_a_session_notes_the_first_users_values() -> None:
    outer = mark_exports(SESSION, USER)
    inner_user = restore_environment(outer)
    inner = mark_exports({**inner_user, "NO_PROXY": "intranet,127.0.0.1"}, inner_user)
    assert set(json.loads(inner[EXPORTED])) == {"NO_PROXY"}
    assert restore_environment(inner) == inner_user
