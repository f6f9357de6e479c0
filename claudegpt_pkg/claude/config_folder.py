"""A Claude Code configuration of our own, for `--isolate`: lean, private, kept between runs; the user's stays as it is.

It begins with the user's CLAUDE.md (a link: one text, wherever it is edited) and with the questions of a first run
answered, the theme as the user chose it.
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
    """The place of our own one."""
    return dirs.data / "claude"


def private_config(folder: Path, environ: Mapping[str, str]) -> Path:
    """`folder`, ready to be CLAUDE_CONFIG_DIR. Raises BadSetting where it cannot be written."""
    theirs = config_folder(environ)
    try:
        files.make_private_folder(folder)
        _link(folder / "CLAUDE.md", theirs / "CLAUDE.md")
        if not (folder / STATE).exists():
            theme = state(environ).get("theme", "dark")
            files.replace_file(folder / STATE, json.dumps({"hasCompletedOnboarding": True, "theme": theme}))
    except OSError as problem:
        raise BadSetting(f"Cannot write in {folder}: {problem.strerror}.", "Set CLAUDEGPT_HOME to a folder.") from None
    return folder


def holds(folder: Path, conversation: str) -> bool:
    """Whether a configuration has this conversation."""
    return any((folder / "projects").glob(f"*/{conversation}.jsonl"))


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() != target.absolute():
        link.unlink()
    if target.exists() and not link.exists():
        link.symlink_to(target.absolute())


def state(environ: Mapping[str, str]) -> dict[str, Any]:
    """What Claude Code's state file holds."""
    return read_json_object(state_file(environ))


def state_file(environ: Mapping[str, str]) -> Path:
    """Inside a folder of the user's choosing, else beside the default one."""
    theirs = config_folder(environ)
    return theirs / STATE if environ.get("CLAUDE_CONFIG_DIR") else theirs.with_name(STATE)
