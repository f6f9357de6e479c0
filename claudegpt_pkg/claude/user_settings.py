"""What the user's own settings for Claude Code say, and what of it would lead a session elsewhere.

    user = read_user_setup(args, config, folder)   # all files merged as Claude Code merges them, `--settings` on top
    redirects(file)                                # what in one of them leads elsewhere, by name

What an administrator has set beats all of these, and ours.
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
# What an administrator sets here beats every other settings file, ours too (seen with 2.1.197 and 2.1.330).
MANAGED = (Path("/etc/claude-code"), Path("/Library/Application Support/ClaudeCode"))
# Would send the session elsewhere, or present another credential than ours.
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
# Those of them without which a session is still ours: a second credential, beside the one of our door.
BESIDE = ("ANTHROPIC_API_KEY", "ANTHROPIC_CUSTOM_HEADERS", "CLAUDE_CODE_OAUTH_TOKEN", "apiKeyHelper")


@dataclass(frozen=True)
class UserSetup:
    """What the user's settings for Claude Code say, all files merged as Claude Code merges them."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    argument: Mapping[str, Any] = field(default_factory=dict)  # from `--settings`; part of `settings` too

    @property
    def env(self) -> Mapping[str, str]:
        values = self.settings.get("env")
        return {name: str(value) for name, value in values.items()} if isinstance(values, dict) else {}

    @property
    def model(self) -> str | None:
        name = self.settings.get("model")
        return name if isinstance(name, str) else None

    @property
    def permission_mode(self) -> str | None:
        permissions = self.settings.get("permissions")
        return permissions.get("defaultMode") if isinstance(permissions, dict) else None


def read_user_setup(args: Sequence[str], config: Path, folder: Path, *, picked: str | None = None) -> UserSetup:
    """The settings that Claude Code will read when started in `folder`: the user's, the project's, `--settings`.

    Of the first two only what `--setting-sources` names. `picked` is a model that stands for the one in the user's
    (picked.py). Files it cannot use are its own to complain about. Raises BadSetting for a `--settings` that we cannot
    merge, and where an administrator leads every session elsewhere.
    """
    refuse_managed()
    project = folder / ".claude"
    files = {"project": project / SETTINGS, "local": project / "settings.local.json"}
    named = value_of("--setting-sources", args)
    sources = ("user,project,local" if named is None else named).replace(" ", "").split(",")
    given = value_of("--settings", args)
    argument = read_argument(given) if given is not None else {}
    users = read_if_usable(config / SETTINGS) if "user" in sources else {}
    settings = {**users, **({"model": picked} if picked else {})}
    for layer in (*(read_if_usable(file) for name, file in files.items() if name in sources), argument):
        settings = merged(settings, layer)
    return UserSetup(settings, argument)


def refuse_managed() -> None:
    for file in managed_files():
        if away := [name for name in redirects(file) if name not in BESIDE]:
            raise BadSetting(
                f"{file} sets {', '.join(away)}, which beats every other setting: Claude Code would not talk to us.",
                "Ask your administrator.",
            )


def managed_files() -> Iterator[Path]:
    for folder in MANAGED:
        yield folder / "managed-settings.json"
        yield from sorted((folder / "managed-settings.d").glob("*.json"))


def redirects(file: Path) -> list[str]:
    """What in a settings file of Claude Code's leads elsewhere, or shows another credential."""
    return redirecting(read_if_usable(file))


def redirecting(settings: Mapping[str, Any]) -> list[str]:
    env = settings.get("env")
    names = [name for name in HIJACKS if isinstance(env, dict) and env.get(name)]
    return names + ["apiKeyHelper"] * bool(settings.get("apiKeyHelper"))


def read_if_usable(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def read_argument(given: str) -> dict[str, Any]:
    """What `--settings` names: JSON itself, or a file of it."""
    source = "its value" if given.lstrip().startswith("{") else given
    try:
        text = given if source != given else Path(given).read_text(encoding="utf-8-sig")
        found = json.loads(text)
    except OSError as problem:
        raise BadSetting(f"Cannot read --settings {given}: {problem.strerror}.") from None
    except ValueError as problem:
        raise BadSetting(f"--settings: {source} is not JSON: {problem}.") from None
    if not isinstance(found, dict):
        raise BadSetting(f"--settings: {source} is not a JSON object.")
    return found


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` on top of `under`, object by object; anything else is replaced whole."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result
