"""Finds Claude Code's configuration folder, and makes a private one for `--isolate`.

The private folder is kept between runs and leaves the user's folder as it is. It starts with a link to the user's
CLAUDE.md, so that there is one text wherever it is edited, and with the user's theme and the questions of a first run
answered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import files
from ..errors import BadSetting
from ..settings.settings import Dirs
from .user_settings import read_json_object

STATE = ".claude.json"


def config_folder(environ: Mapping[str, str]) -> Path:
    """Where Claude Code looks for the user's configuration."""
    return Path(environ.get("CLAUDE_CONFIG_DIR") or Path(environ.get("HOME") or Path.home()) / ".claude")


def private_folder(dirs: Dirs) -> Path:
    """The private configuration folder."""
    return dirs.data / "claude"


def prepare_private_config(folder: Path, environ: Mapping[str, str]) -> Path:
    """Make `folder` ready to be CLAUDE_CONFIG_DIR. Raises BadSetting if it cannot be written, or is another user's."""
    theirs = config_folder(environ)
    try:
        files.make_private_folder(folder)
        _link(folder / "CLAUDE.md", theirs / "CLAUDE.md")
        if not (folder / STATE).exists():
            theme = read_state(environ).get("theme", "dark")
            files.replace_file(folder / STATE, json.dumps({"hasCompletedOnboarding": True, "theme": theme}))
    except OSError as problem:
        raise BadSetting(f"Cannot write in {folder}: {problem.strerror}.", "Set CLAUDEGPT_HOME to a folder.") from None
    return folder


def has_conversation(folder: Path, conversation: str) -> bool:
    """Whether a configuration folder holds this conversation."""
    return any((folder / "projects").glob(f"*/{conversation}.jsonl"))


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() != target.absolute():
        link.unlink()
    if target.exists() and not link.exists():
        link.symlink_to(target.absolute())


def read_state(environ: Mapping[str, str]) -> dict[str, Any]:
    """Read Claude Code's state file (`~/.claude.json`)."""
    return read_json_object(state_file(environ))


def state_file(environ: Mapping[str, str]) -> Path:
    """The state file: in the folder that CLAUDE_CONFIG_DIR names, else beside the default folder."""
    theirs = config_folder(environ)
    return theirs / STATE if environ.get("CLAUDE_CONFIG_DIR") else theirs.with_name(STATE)
