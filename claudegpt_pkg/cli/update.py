"""`claudegpt update`: update claudegpt by the way it was installed, then its own copy of Claude Code.

Claude Code that the user installed is not touched: it has an updater of its own (`claudegpt -- update`), which installs
the newest version, tested with claudegpt or not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from .. import __version__
from ..claude import install
from ..claude.programs import find_program
from ..claude.versions import parse_version
from ..errors import BadSetting
from ..settings.settings import Settings, load
from ..terminal.console import say
from .installation import Installation, find_installation, show_command

_VERSION = re.compile(r'^__version__ = "([^"]+)"', re.MULTILINE)


def update_claudegpt(flags: Mapping[str, str]) -> int:
    """Run the update and return its exit status. Raises BadSetting if no command can update this installation."""
    installation = find_installation()
    say(f"claudegpt {__version__} was installed with {installation.kind}, in {installation.place}.")
    if not installation.update:
        raise BadSetting("It has no address to update itself from.", "Download and install the newer version.")
    status = _run_update(installation)
    if status:
        say("The update failed: see above. claudegpt is as it was.")
        return status
    _report_version(installation)
    settings = load(flags)
    _update_own_copy(settings)
    say(f"Claude Code has an updater of its own: `claudegpt -- update` (tested: up to {install.NEWEST_TESTED}).")
    return 0


def _run_update(installation: Installation) -> int:
    import subprocess

    name, *arguments = installation.update
    program = find_program(name)
    if program is None:
        raise BadSetting(f"There is no {name} to update claudegpt with.", f"Install it and run it again: {name}.")
    say(f"running {show_command(installation.update)}")
    return subprocess.run([program, *arguments], cwd="/", stdout=2, check=False).returncode


def _report_version(installation: Installation) -> None:
    """Say which version is there now. The modules of this run are the old ones, so the file is read."""
    package = installation.place / "claudegpt_pkg" if installation.is_clone else Path(__file__).parents[1]
    try:
        found = _VERSION.search((package / "__init__.py").read_text(encoding="utf-8"))
    except (OSError, UnicodeError):
        found = None
    new = found[1] if found else ""
    if new == __version__:
        say(f"claudegpt is up to date ({__version__}).")
    elif new:
        say(f"updated claudegpt {__version__} → {new}; docs/changelog.md says what changed.")
    else:
        say("updated claudegpt.")


def _update_own_copy(settings: Settings) -> None:
    """Install the newest tested Claude Code if claudegpt's own copy is older."""
    program = install.own_copy_folder(settings) / "claude"
    version = install.version_on_disk(program) if program.exists() else ()
    if version and version < parse_version(install.NEWEST_TESTED):
        install.install_copy(settings)
