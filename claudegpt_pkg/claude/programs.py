"""Find and run other programs so that the user's current folder has no say in it.

The user may stand in a folder that somebody else wrote. npm, git, uv, pip, version managers and Claude Code itself look
for configuration (`.npmrc`, `uv.toml`, `.env`, `.tool-versions`, …) in the current folder and above it. So every
program except the session's own Claude Code is looked up only in the absolute folders of PATH, and runs in `/` or in a
folder that claudegpt made.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

NEUTRAL_FOLDER = "/"


def search_folders() -> list[str]:
    """The absolute folders of PATH. An empty or relative entry means the current folder and is left out."""
    return [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder.startswith("/")]


def find_program(name: str) -> Path | None:
    """Where `name`, a bare name or a path, is on PATH."""
    found = shutil.which(name, path=os.pathsep.join(search_folders()))
    return Path(found) if found else None


def run_program(
    command: Sequence[str | Path],
    *,
    cwd: str | Path = NEUTRAL_FOLDER,
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `command` without input and return what it printed. Raises OSError and subprocess.TimeoutExpired."""
    import subprocess  # takes milliseconds to import, and most commands start no program

    return subprocess.run(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=env,
        check=False,
    )
