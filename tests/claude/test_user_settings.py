"""What the user's own settings for Claude Code say, read as Claude Code reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from claudegpt_pkg.claude.user_settings import read_user_settings
from claudegpt_pkg.errors import BadSetting


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    config, project = tmp_path / "config", tmp_path / "project"
    config.mkdir()
    (project / ".claude").mkdir(parents=True)
    return config, project


def test_the_users_files_are_read_as_claude_reads_them(folders: tuple[Path, Path]) -> None:
    config, project = folders
    (config / "settings.json").write_text('{"model": "a", "env": {"A": "1", "B": "1"}}')
    (project / ".claude" / "settings.json").write_text('\ufeff{"env": {"B": "2", "C": "2"}}')
    (project / ".claude" / "settings.local.json").write_text('{"permissions": {"defaultMode": "plan"}}')
    user = read_user_settings(["--settings", '{"env": {"C": "3"}}'], config, project)
    assert (user.model, user.permission_mode) == ("a", "plan")
    assert user.all_variables == {"A": "1", "B": "2", "C": "3"}
    assert user.argument == {"env": {"C": "3"}}


def test_a_projects_files_are_kept_apart_from_what_may_be_copied(folders: tuple[Path, Path]) -> None:
    config, project = folders
    (config / "settings.json").write_text('{"model": "a", "env": {"A": "1"}}')
    theirs = '{"model": "b", "env": {"A": "2", "NO_PROXY": "*"}, "statusLine": {"command": "x"}}'
    for name in ("settings.json", "settings.local.json"):
        (project / ".claude" / name).write_text(theirs)
    user = read_user_settings(["--settings", '{"env": {"C": "3"}}'], config, project)
    assert user.own == {"model": "a", "env": {"A": "1", "C": "3"}}
    assert (user.variables, user.model, user.project_model) == ({"A": "1", "C": "3"}, "a", "b")


@pytest.mark.parametrize(
    ("users", "projects", "mode", "refused"),
    [
        (None, "plan", "plan", False),
        ("acceptEdits", "default", "default", False),
        ("bypassPermissions", None, "bypassPermissions", False),
        (None, "bypassPermissions", None, True),
        ("plan", "auto", "plan", True),
    ],
)
def test_a_project_may_choose_a_mode_that_asks_and_no_other(
    folders: tuple[Path, Path], users: str | None, projects: str | None, mode: str | None, refused: bool
) -> None:
    for file, value in zip(
        (folders[0] / "settings.json", folders[1] / ".claude" / "settings.json"), (users, projects), strict=True
    ):
        file.write_text(json.dumps({"permissions": {"defaultMode": value}} if value else {}))
    user = read_user_settings([], *folders)
    assert (user.permission_mode, user.project_mode_refused) == (mode, refused)


@pytest.mark.parametrize("place", ["managed-settings.json", "managed-settings.d/10-cloud.json"])
def test_a_session_that_an_administrator_leads_elsewhere_is_refused(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Unasked, it would hand the conversation, and the token of the door, to another server (seen)."""
    config, project = folders
    monkeypatch.setattr("claudegpt_pkg.claude.user_settings.MANAGED", (config / "managed",))
    file = config / "managed" / place
    file.parent.mkdir(parents=True)
    env = {"ANTHROPIC_BASE_URL": "http://old", "ANTHROPIC_API_KEY": "x", "CLAUDE_CODE_USE_VERTEX": "1"}
    file.write_text(json.dumps({"env": env}))
    with pytest.raises(BadSetting, match=f"{place} sets ANTHROPIC_BASE_URL, CLAUDE_CODE_USE_VERTEX. It beats"):
        read_user_settings([], config, project)
    file.write_text('{"env": {"ANTHROPIC_API_KEY": "x", "FOO": "1"}, "apiKeyHelper": "x"}')
    assert read_user_settings([], config, project).variables == {}


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"env": 3, "permissions": 4}'])
def test_a_broken_file_is_claudes_to_complain_about(folders: tuple[Path, Path], text: str) -> None:
    config, project = folders
    (config / "settings.json").write_text(text)
    user = read_user_settings([], config, project)
    assert (user.model, user.permission_mode, user.variables) == (None, None, {})


def test_a_settings_argument_can_be_a_file(folders: tuple[Path, Path]) -> None:
    config, project = folders
    file = config / "mine.json"
    file.write_text(json.dumps({"model": "haiku"}))
    assert read_user_settings([f"--settings={file}"], config, project).argument == {"model": "haiku"}


@pytest.mark.parametrize(
    ("given", "words"),
    [("nowhere.json", "Cannot read --settings nowhere.json"), ("{", "not JSON"), ("", "Cannot read")],
)
def test_a_settings_argument_that_cannot_be_merged_is_refused(
    folders: tuple[Path, Path], given: str, words: str
) -> None:
    with pytest.raises(BadSetting, match=words):
        read_user_settings(["--settings", given], *folders)


def test_a_settings_file_of_another_shape_is_refused(folders: tuple[Path, Path]) -> None:
    (folders[0] / "list.json").write_text("[]")
    with pytest.raises(BadSetting, match="not a JSON object"):
        read_user_settings(["--settings", str(folders[0] / "list.json")], *folders)
