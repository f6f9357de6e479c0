"""Finds the MCP servers that Claude Code itself would connect in a folder, read from its files as it reads them.

    found = find_mcp_servers(args, state, folder, user)
    found.servers      # {name: its configuration}
    found.refused      # {name: why Claude Code does not connect it}

A server starts a program, so a name in a file is not enough:

- The user's servers (`~/.claude.json`, for all folders or for this one) and those of `--mcp-config` are the user's own.
- A server of a repository's `.mcp.json` counts if the user allowed it: `enabledMcpjsonServers` or
  `enableAllProjectMcpServers` in the user's settings, in `--settings`, in an administrator's file, or in the folder's
  entry of `~/.claude.json`. The settings files of the folder itself count only if the user trusts the folder. Claude
  Code is less strict with `-p`; a repository must not start a program through us.
- `disabledMcpServers` in `~/.claude.json` and `disabledMcpjsonServers` in any settings file switch a server off;
  `deniedMcpServers` and `allowedMcpServers` are a policy for all servers.
- `--strict-mcp-config` and `--bare` leave only `--mcp-config`; a `managed-mcp.json` of the administrator leaves only
  its own.

The rules were read in 2.1.197 and 2.1.332.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from .arguments import has_flag, value_of, values_of
from .user_settings import MANAGED, UserSettings, managed_files, project_files, read_json_object

Servers = Mapping[str, Mapping[str, Any]]

PROJECT_FILE = ".mcp.json"
MANAGED_FILE = "managed-mcp.json"
SWITCHED_OFF = "it is switched off for this folder in Claude Code (/mcp)"
NOT_ALLOWED = "it comes from this folder's .mcp.json and is not allowed yet; start `claude` here and allow it"
DENIED = "a policy in Claude Code's settings does not allow it"
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(frozen=True)
class McpServers:
    """The servers that Claude Code connects, and why it does not connect others."""

    servers: Servers = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


def find_mcp_servers(
    args: Sequence[str], state: Mapping[str, Any], folder: Path, user: UserSettings, *, bare: bool = False
) -> McpServers:
    """The servers for a session that starts in `folder` with `args`. `state` is the content of `~/.claude.json`."""
    folder = folder.absolute()
    place = _Place(state, folder)
    if managed := _managed_servers():
        return McpServers(managed)
    argument = _argument_servers(args)
    if bare or has_flag("--strict-mcp-config", args):
        offered = argument
    else:
        offered = {**_project_servers(args, folder), **_servers(state), **_servers(place.project), **argument}
    own = {**_servers(state), **_servers(place.project), **argument}
    policy = [user.merged, *(read_json_object(file) for file in managed_files())]
    refused = {}
    for name, server in offered.items():
        if _is_named(name, place.find_disabled()):
            refused[name] = SWITCHED_OFF
        elif any(not _policy_allows(settings, name, server) for settings in policy):
            refused[name] = DENIED
        elif name not in own and not _is_allowed(name, place, folder, user):
            refused[name] = NOT_ALLOWED
    return McpServers({name: server for name, server in offered.items() if name not in refused}, refused)


class _Place:
    """What Claude Code's state file says about a folder. Newer versions file it under the repository's root."""

    def __init__(self, state: Mapping[str, Any], folder: Path):
        projects = state.get("projects")
        self._state = state
        self._projects = projects if isinstance(projects, dict) else {}
        self._folder = folder
        root = _repository_root(folder)
        self._entries = [self._entry(each) for each in dict.fromkeys([root, folder])]
        self.project = next((entry for entry in self._entries if entry), {})

    def _entry(self, folder: Path) -> Mapping[str, Any]:
        entry = self._projects.get(str(folder))
        return entry if isinstance(entry, dict) else {}

    def find_disabled(self) -> list[str]:
        return [name for entry in (self._state, *self._entries) for name in _names(entry, "disabledMcpServers")]

    def is_trusted(self) -> bool:
        """Whether the user has accepted the trust question for the folder or one above it."""
        return any(self._entry(each).get("hasTrustDialogAccepted") is True for each in _upwards(self._folder))


def _is_allowed(name: str, place: _Place, folder: Path, user: UserSettings) -> bool:
    """Whether the user allowed a server of the repository's own file."""
    everybody = [user.merged, place.project]
    if any(_is_named(name, _names(settings, "disabledMcpjsonServers")) for settings in everybody):
        return False
    allowing = [user.own, place.project, *(read_json_object(file) for file in managed_files())]
    if place.is_trusted():
        allowing += [read_json_object(file) for file in project_files(folder).values()]
    return any(
        settings.get("enableAllProjectMcpServers") is True or _is_named(name, _names(settings, "enabledMcpjsonServers"))
        for settings in allowing
    )


def _policy_allows(settings: Mapping[str, Any], name: str, server: Mapping[str, Any]) -> bool:
    denied, allowed = settings.get("deniedMcpServers"), settings.get("allowedMcpServers")
    if isinstance(denied, list) and any(_matches(row, name, server) for row in denied):
        return False
    return not isinstance(allowed, list) or any(_matches(row, name, server) for row in allowed)


def _matches(row: Any, name: str, server: Mapping[str, Any]) -> bool:
    """Whether a row of a policy names this server: by its name, its command or its address (with wildcards)."""
    if not isinstance(row, dict):
        return False
    if "serverCommand" in row:
        return bool(row["serverCommand"] == [server.get("command"), *(server.get("args") or [])])
    if "serverUrl" in row:
        return "url" in server and fnmatchcase(str(server["url"]), str(row["serverUrl"]))
    return isinstance(row.get("serverName"), str) and _is_named(name, [row["serverName"]])


# Where servers are declared.


def _managed_servers() -> Servers:
    return {
        name: server for folder in MANAGED for name, server in _servers(read_json_object(folder / MANAGED_FILE)).items()
    }


def _argument_servers(args: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Those of `--mcp-config`: JSON, or files of it."""
    found: dict[str, Mapping[str, Any]] = {}
    for value in values_of("--mcp-config", args):
        found |= _servers(_parse(value) if value.lstrip().startswith("{") else read_json_object(Path(value)))
    return found


def _project_servers(args: Sequence[str], folder: Path) -> dict[str, Mapping[str, Any]]:
    """Those of the `.mcp.json` files here and above; the nearest wins."""
    sources = value_of("--setting-sources", args)
    if sources is not None and "project" not in sources.replace(" ", "").split(","):
        return {}
    found: dict[str, Mapping[str, Any]] = {}
    for each in reversed(list(_upwards(folder))):
        found |= _servers(read_json_object(each / PROJECT_FILE))
    return found


def _servers(place: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    servers = place.get("mcpServers")
    if not isinstance(servers, dict):
        return {}
    return {name: server for name, server in servers.items() if isinstance(server, dict)}


def _parse(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


# Folders and names.


def _repository_root(folder: Path) -> Path:
    """The root of the repository that holds `folder`; for a linked worktree, that of the main one; else `folder`.

    A `.git` file names a folder. It is believed only if that folder names the file too, as git writes it.
    """
    for each in _upwards(folder):
        git = each / ".git"
        if git.is_dir():
            return each
        if git.is_file():
            return _main_worktree(git) or each
    return folder


def _main_worktree(git: Path) -> Path | None:
    try:
        linked = git.parent / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        common = (linked / (linked / "commondir").read_text(encoding="utf-8").strip()).resolve()
        back = Path((linked / "gitdir").read_text(encoding="utf-8").strip())
    except (OSError, ValueError):
        return None
    return common.parent if back == git and linked.resolve().parent.parent == common else None


def _upwards(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.parents


def _names(place: Mapping[str, Any], field: str) -> list[str]:
    names = place.get(field)
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _is_named(name: str, names: Collection[str]) -> bool:
    """Claude Code compares names as they stand in the names of tools."""
    return _NOT_IN_NAMES.sub("_", name) in {_NOT_IN_NAMES.sub("_", each) for each in names}
