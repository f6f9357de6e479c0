"""Reads the user's and the project's settings files for Claude Code, and finds what in them would redirect a session.

    user = read_user_settings(args, config, folder)   # merged as Claude Code merges them, `--settings` on top
    find_redirects(settings)                          # the names of what leads elsewhere

A repository may bring settings files of its own, written by anybody. So each value that claudegpt copies into a session
has its allowed sources:

| value in our settings file                       | it may come from                                       |
|--------------------------------------------------|--------------------------------------------------------|
| variables (`NO_PROXY`, the compaction window, …) | the process, the user's settings file, `--settings`    |
| `statusLine` (the command that ours runs)        | the user's settings file, `--settings`                 |
| `availableModels`, any setting we do not know    | `--settings`                                           |
| `permissions.defaultMode`                        | the user's settings file; else it is `default`         |
| `model`                                          | as variables; a project may name a model of our list   |

A project's file still counts where nothing of it is copied: for whether a key is set at all, and for the names of what
is set aside. What an administrator has set beats all of these files, and ours (seen with 2.1.197 and 2.1.330).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import BadSetting
from .arguments import value_of

SETTINGS = "settings.json"  # in the user's folder and in the project's
LOCAL_SETTINGS = "settings.local.json"  # in the project's folder
MANAGED = (Path("/etc/claude-code"), Path("/Library/Application Support/ClaudeCode"))
# These variables would send the session elsewhere, or present another credential than ours.
SILENCED = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_CUSTOM_HEADERS",
    "ANTHROPIC_UNIX_SOCKET",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS",
    "CLAUDE_CODE_USE_ANTHROPIC_GOOGLE_CLOUD",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_GATEWAY",
    "CLAUDE_CODE_USE_MANTLE",
    "CLAUDE_CODE_USE_VERTEX",
)
HIJACKS = ("ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", *SILENCED)
# With these a session still talks to the proxy: they only present a second credential.
_HARMLESS_BESIDE_OURS = ("ANTHROPIC_API_KEY", "ANTHROPIC_CUSTOM_HEADERS", "CLAUDE_CODE_OAUTH_TOKEN", "apiKeyHelper")
# Permission modes that a project may choose. The others act without asking; Claude Code does not take them from a
# project either, and would start in its own default mode, auto.
_PROJECT_MODES = ("default", "plan", "acceptEdits")


@dataclass(frozen=True)
class UserSettings:
    """The settings files of a session. The names of the fields say whose settings they hold."""

    merged: Mapping[str, Any] = field(default_factory=dict)  # all files, as Claude Code merges them
    own: Mapping[str, Any] = field(default_factory=dict)  # without the project's files
    argument: Mapping[str, Any] = field(default_factory=dict)  # `--settings` alone

    @property
    def variables(self) -> Mapping[str, str]:
        """The user's own variables; these may be copied."""
        return _variables(self.own)

    @property
    def all_variables(self) -> Mapping[str, str]:
        """All variables, the project's too. Never to be copied."""
        return _variables(self.merged)

    @property
    def model(self) -> str | None:
        return _text(self.own, "model")

    @property
    def project_model(self) -> str | None:
        """The model that the project's files name, if they decide."""
        model = _text(self.merged, "model")
        return model if model != self.model else None

    @property
    def permission_mode(self) -> str | None:
        """The permission mode of the files, as far as a project may choose it."""
        mode = _text(self.merged.get("permissions"), "defaultMode")
        return mode if mode in _PROJECT_MODES else _text(self.own.get("permissions"), "defaultMode")

    @property
    def project_mode_refused(self) -> bool:
        """Whether the project's files choose a permission mode that a project may not choose."""
        return _text(self.merged.get("permissions"), "defaultMode") != self.permission_mode


def read_user_settings(
    args: Sequence[str], config: Path, folder: Path, *, saved_model: str | None = None
) -> UserSettings:
    """The settings that Claude Code will read if it starts in `folder`: the user's, the project's, `--settings`.

    `--setting-sources` may leave out some of the files. `saved_model` replaces the model in the user's file
    (saved_model.py). A file that cannot be read counts as empty; Claude Code complains about it. Raises BadSetting for
    a `--settings` that cannot be merged, and if an administrator redirects every session.
    """
    _refuse_managed_redirects()
    named = value_of("--setting-sources", args)
    sources = ("user,project,local" if named is None else named).replace(" ", "").split(",")
    given = value_of("--settings", args)
    argument = _read_argument(given) if given is not None else {}
    users = read_json_object(config / SETTINGS) if "user" in sources else {}
    users = {**users, **({"model": saved_model} if saved_model else {})}
    merged = users
    for source, file in project_files(folder).items():
        if source in sources:
            merged = merge(merged, read_json_object(file))
    return UserSettings(merged=merge(merged, argument), own=merge(users, argument), argument=argument)


def project_files(folder: Path) -> dict[str, Path]:
    """The settings files of a folder by their name in `--setting-sources`, in the order in which they are merged."""
    return {"project": folder / ".claude" / SETTINGS, "local": folder / ".claude" / LOCAL_SETTINGS}


def managed_files() -> Iterator[Path]:
    """The settings files that an administrator may write."""
    for folder in MANAGED:
        yield folder / "managed-settings.json"
        yield from sorted((folder / "managed-settings.d").glob("*.json"))


def find_redirects(settings: Mapping[str, Any]) -> list[str]:
    """The names in these settings that lead a session elsewhere, or present another credential."""
    env = settings.get("env")
    names = [name for name in HIJACKS if isinstance(env, dict) and env.get(name)]
    return names + ["apiKeyHelper"] * bool(settings.get("apiKeyHelper"))


def find_file_redirects(file: Path) -> list[str]:
    """The same for the settings in a file."""
    return find_redirects(read_json_object(file))


def read_json_object(file: Path) -> dict[str, Any]:
    """The JSON object in a file; an empty one if the file cannot be read or holds something else."""
    try:
        found = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` on top of `under`. Objects are merged field by field; any other value is replaced."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def _refuse_managed_redirects() -> None:
    for file in managed_files():
        names = [name for name in find_file_redirects(file) if name not in _HARMLESS_BESIDE_OURS]
        if names:
            raise BadSetting(
                f"{file} sets {', '.join(names)}. It beats every other setting, so Claude Code would not use "
                "claudegpt's proxy.",
                "Ask your administrator to remove it.",
            )


def _read_argument(given: str) -> dict[str, Any]:
    """The object that `--settings` names: as JSON, or as a file of it."""
    source = "its value" if given.lstrip().startswith("{") else given
    try:
        text = given if source != given else Path(given).read_text(encoding="utf-8-sig")
        found = json.loads(text)
    except OSError as problem:
        raise BadSetting(f"Cannot read --settings {given}: {problem.strerror}.") from None
    except (ValueError, RecursionError) as problem:
        raise BadSetting(f"--settings: {source} is not JSON: {problem}.") from None
    if not isinstance(found, dict):
        raise BadSetting(f"--settings: {source} is not a JSON object.")
    return found


def _variables(settings: Mapping[str, Any]) -> Mapping[str, str]:
    values = settings.get("env")
    return {name: str(value) for name, value in values.items()} if isinstance(values, dict) else {}


def _text(settings: Any, name: str) -> str | None:
    value = settings.get(name) if isinstance(settings, dict) else None
    return value if isinstance(value, str) else None
