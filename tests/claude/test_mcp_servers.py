"""Which MCP servers Claude Code would connect; a repository's files start none that the user has not allowed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from claudegpt_pkg.claude import mcp_servers
from claudegpt_pkg.claude.mcp_servers import DENIED, NOT_ALLOWED, SWITCHED_OFF, McpServers, find_mcp_servers
from claudegpt_pkg.claude.user_settings import UserSettings, read_user_settings

MINE, LOCAL, THEIRS = {"command": "mine"}, {"command": "local"}, {"command": "theirs"}
Settings = dict[str, Any]


class Place:
    """A folder with a repository in it, and the user's files."""

    def __init__(self, folder: Path):
        self.config, self.folder = folder / "config", folder / "repository"
        for each in (self.config, self.folder / ".claude", self.folder / ".git"):
            each.mkdir(parents=True)
        self.state: Settings = {"mcpServers": {"mine": MINE}, "projects": {}}

    def project(self, **entry: Any) -> None:
        self.state["projects"][str(self.folder)] = entry

    def repository(self, *, settings: Settings | None = None, local: Settings | None = None, **servers: Any) -> None:
        (self.folder / ".mcp.json").write_text(json.dumps({"mcpServers": servers or {"theirs": THEIRS}}))
        for name, content in (("settings.json", settings), ("settings.local.json", local)):
            if content:
                (self.folder / ".claude" / name).write_text(json.dumps(content))

    def user(self, settings: Settings) -> None:
        (self.config / "settings.json").write_text(json.dumps(settings))

    def find(self, *args: str, at: str = ".", bare: bool = False) -> McpServers:
        folder = self.folder / at
        user = read_user_settings(args, self.config, folder)
        return find_mcp_servers(args, self.state, folder, user, bare=bare)

    def names(self, *args: str, at: str = ".", bare: bool = False) -> set[str]:
        return set(self.find(*args, at=at, bare=bare).servers)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(mcp_servers, "MANAGED", (tmp_path / "managed",))
    return Place(tmp_path)


def test_the_users_servers_are_those_for_all_folders_and_those_for_this_one(place: Place) -> None:
    place.state["projects"]["/elsewhere"] = {"mcpServers": {"c": MINE}}
    place.project(mcpServers={"local": LOCAL, "mine": LOCAL})
    assert place.find().servers == {"mine": LOCAL, "local": LOCAL}


@pytest.mark.parametrize("state", [{}, {"mcpServers": []}, {"mcpServers": {"a": "text"}, "projects": 3}])
def test_a_state_file_of_another_shape_has_no_servers(state: Settings, tmp_path: Path) -> None:
    assert find_mcp_servers([], state, tmp_path, UserSettings()).servers == {}


@pytest.mark.parametrize("where", ["all folders", "this folder"])
def test_a_server_that_is_switched_off_is_not_connected(place: Place, where: str) -> None:
    if where == "this folder":
        place.project(disabledMcpServers=["mine"])
    else:
        place.state["disabledMcpServers"] = ["mine"]
    assert place.find() == McpServers({}, {"mine": SWITCHED_OFF})


def test_a_server_that_is_switched_off_for_the_repository_is_off_in_its_subfolders(place: Place) -> None:
    (place.folder / "src").mkdir()
    place.project(disabledMcpServers=["mine"])
    assert place.names(at="src") == set()


def test_a_server_of_the_repository_is_not_connected_before_the_user_allows_it(place: Place) -> None:
    place.repository()
    assert place.find() == McpServers({"mine": MINE}, {"theirs": NOT_ALLOWED})


@pytest.mark.parametrize("allows", [{"enableAllProjectMcpServers": True}, {"enabledMcpjsonServers": ["theirs"]}])
class TestAllowing:
    def test_the_repositorys_own_files_do_not_count_in_a_folder_that_is_not_trusted(
        self, place: Place, allows: Settings
    ) -> None:
        place.repository(settings=allows, local=allows)
        assert place.names() == {"mine"}

    def test_they_count_once_the_user_trusts_the_folder(self, place: Place, allows: Settings) -> None:
        place.repository(local=allows)
        place.project(hasTrustDialogAccepted=True)
        assert place.names() == {"mine", "theirs"}

    def test_the_users_settings_count(self, place: Place, allows: Settings) -> None:
        place.repository()
        place.user(allows)
        assert place.names() == {"mine", "theirs"}

    def test_a_settings_argument_counts(self, place: Place, allows: Settings) -> None:
        place.repository()
        assert place.names("--settings", json.dumps(allows)) == {"mine", "theirs"}

    def test_the_folders_entry_in_the_state_file_counts(self, place: Place, allows: Settings) -> None:
        place.repository()
        place.project(**allows)
        assert place.names() == {"mine", "theirs"}

    def test_a_refusal_in_any_file_beats_it(self, place: Place, allows: Settings) -> None:
        place.repository(local={"disabledMcpjsonServers": ["theirs"]})
        place.user(allows)
        assert place.find().refused == {"theirs": NOT_ALLOWED}


def test_a_repository_cannot_replace_a_server_of_the_users(place: Place) -> None:
    place.repository(mine=THEIRS)
    assert place.find().servers == {"mine": MINE}


def test_a_file_that_claims_to_belong_to_another_repository_is_not_believed(place: Place, tmp_path: Path) -> None:
    """Else it would start the servers that the user has in that one."""
    other = tmp_path / "other"
    (other / ".git" / "worktrees" / "w").mkdir(parents=True)
    (other / ".git" / "worktrees" / "w" / "commondir").write_text("../..\n")
    back = other / ".git" / "worktrees" / "w" / "gitdir"
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    (hostile / ".git").write_text(f"gitdir: {back.parent}\n")
    state = {"projects": {str(other): {"mcpServers": {"local": LOCAL}}}}
    back.write_text("/elsewhere/.git\n")
    assert find_mcp_servers([], state, hostile, UserSettings()).servers == {}
    back.write_text(f"{hostile / '.git'}\n")
    assert find_mcp_servers([], state, hostile, UserSettings()).servers == {"local": LOCAL}


def test_servers_of_the_command_line_are_connected(place: Place, tmp_path: Path) -> None:
    (tmp_path / "more.json").write_text(json.dumps({"mcpServers": {"filed": LOCAL}}))
    given = json.dumps({"mcpServers": {"given": LOCAL}})
    words = ("--mcp-config", given, str(tmp_path / "more.json"), "-p", "hi")
    assert place.names(*words) == {"mine", "given", "filed"}
    assert place.names(*words, "--strict-mcp-config") == {"given", "filed"}
    assert place.names(*words, bare=True) == {"given", "filed"}


@pytest.mark.parametrize(
    ("row", "server"),
    [
        ({"serverName": "x"}, {"command": "mine"}),
        ({"serverCommand": ["npx", "x"]}, {"command": "npx", "args": ["x"]}),
        ({"serverUrl": "https://*.example/*"}, {"type": "http", "url": "https://a.example/mcp"}),
    ],
)
def test_a_policy_names_servers_by_name_command_or_address(place: Place, row: Settings, server: Settings) -> None:
    place.state["mcpServers"] = {"x": server, "y": {"command": "other"}}
    place.user({"deniedMcpServers": [row]})
    assert place.find().refused == {"x": DENIED}
    place.user({"allowedMcpServers": [row]})
    assert place.find().refused == {"y": DENIED}


def test_an_administrators_servers_are_the_only_ones(place: Place, tmp_path: Path) -> None:
    (tmp_path / "managed").mkdir()
    (tmp_path / "managed" / "managed-mcp.json").write_text(json.dumps({"mcpServers": {"theirs": THEIRS}}))
    assert place.names() == {"theirs"}
