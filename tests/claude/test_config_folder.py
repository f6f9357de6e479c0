"""A configuration of our own: lean, private, and without the questions of a first run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from claudegpt_pkg.claude.config_folder import config_folder, prepare_private_config
from claudegpt_pkg.errors import BadSetting


def test_it_begins_with_the_users_instructions_and_theme(tmp_path: Path) -> None:
    theirs = tmp_path / ".claude"
    theirs.mkdir()
    (theirs / "CLAUDE.md").write_text("be brief")
    (theirs / "settings.json").write_text('{"model": "x"}')
    (tmp_path / ".claude.json").write_text('{"theme": "light", "mcpServers": {"a": {}}}')
    folder = prepare_private_config(tmp_path / "ours" / "claude", {"HOME": str(tmp_path)})
    assert (folder / "CLAUDE.md").read_text() == "be brief"
    assert json.loads((folder / ".claude.json").read_text()) == {"hasCompletedOnboarding": True, "theme": "light"}
    assert sorted(path.name for path in folder.iterdir()) == [".claude.json", "CLAUDE.md"]
    assert folder.stat().st_mode & 0o777 == 0o700


def test_what_claude_wrote_there_stays(tmp_path: Path) -> None:
    folder = prepare_private_config(tmp_path / "ours", {"HOME": str(tmp_path)})
    (folder / ".claude.json").write_text('{"mine": 1}')
    prepare_private_config(folder, {"HOME": str(tmp_path)})
    assert (folder / ".claude.json").read_text() == '{"mine": 1}'


def test_the_instructions_follow_the_users_folder(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "CLAUDE.md").write_text(name)
        prepare_private_config(tmp_path / "ours", {"HOME": str(tmp_path), "CLAUDE_CONFIG_DIR": str(tmp_path / name)})
        assert (tmp_path / "ours" / "CLAUDE.md").read_text() == name


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadSetting, match="Cannot write"):
        prepare_private_config(tmp_path / "file" / "claude", {"HOME": str(tmp_path)})


def test_claudes_folder_is_where_the_user_says(tmp_path: Path) -> None:
    assert config_folder({"HOME": "/h"}) == Path("/h/.claude")
    assert config_folder({"HOME": "/h", "CLAUDE_CONFIG_DIR": "/c"}) == Path("/c")
