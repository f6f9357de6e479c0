"""Notices about newer versions, at most once a day and without waiting for anything.

After an interactive session ends, at most once a day, `git ls-remote` is started in the background. It asks the address
that claudegpt was cloned or installed from for its tags, and writes them to a file. The next session reads the file.
Only https addresses and folders are asked, without a credential: ssh could ask for a passphrase or for the touch of a
key. Nothing is asked after a session with a model on this machine (the demo, Ollama), or if Claude Code may send no
traffic that it can do without. CLAUDEGPT_UPDATE_CHECK=0 turns both the question and the notices off.

Whether Claude Code is newer than the newest tested version is read from where it is installed.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from .. import __version__, files
from ..claude import install
from ..claude.announcements import Notice
from ..claude.programs import NEUTRAL_FOLDER, find_program, run_program
from ..claude.versions import Version, parse_version
from ..settings.options import UPDATE_CHECK
from ..settings.settings import Settings
from ..settings.values import is_loopback
from .installation import Installation, find_installation

TAGS = "update-tags"  # in the state folder: what `git ls-remote` printed, as old as the question
SHOWN = "update-shown"  # in the state folder: as old as the last notice
DAY = 86_400  # seconds
_TAG = re.compile(r"\trefs/tags/v?(\d{1,6}\.\d{1,6}\.\d{1,6})$", re.MULTILINE)
_QUIET = ("CI", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_AUTOUPDATER")  # the last two are Claude Code's
_MOST_BYTES = 256 * 1024
# A limit on what the server can make git write (128 blocks, 64 or 128 kB) and compute, then git itself.
_LIMITED = 'ulimit -f 128 && ulimit -t 20 && exec "$@"'


def find_update_notices(settings: Settings, program: Path) -> list[Notice]:
    """What to say at the start of a session about newer versions. Reads at most two small files."""
    if not settings[UPDATE_CHECK]:
        return []
    state, notices = settings.dirs.state, []
    version = install.version_on_disk(program)
    if version > parse_version(install.NEWEST_TESTED):
        name = ".".join(map(str, version))
        sentence = (
            f"Claude Code {name} is newer than {install.NEWEST_TESTED}, the newest that claudegpt was tested with."
        )
        notices.append(Notice(f"{sentence} `claudegpt update` may help.", once=f"untested Claude Code {name}"))
    newest = _newest_tag(state / TAGS)
    if newest > parse_version(__version__) and _is_due(state / SHOWN):
        name = ".".join(map(str, newest))
        notices.append(Notice(f"claudegpt {name} is out (this is {__version__}): `claudegpt update`."))
        with suppress(OSError):
            files.replace_file(state / SHOWN, f"{name}\n")
    return notices


def start_update_check(settings: Settings, backend_url: str, environ: Mapping[str, str] = os.environ) -> None:
    """Start the question in the background if it is due. Never waits, and never fails."""
    file = settings.dirs.state / TAGS
    unwanted = not settings[UPDATE_CHECK] or any(environ.get(name) for name in _QUIET)
    if unwanted or is_loopback(urlsplit(backend_url).hostname or "") or not _is_due(file):
        return
    git = find_program("git")
    address = _askable_address(find_installation(environ), git) if git else None
    if address:
        with suppress(OSError):
            _ask(git, address, file, environ)


def _askable_address(installation: Installation, git: Path | None) -> str | None:
    """The address to ask, if asking it can neither prompt nor need a credential."""
    address = installation.source
    if installation.is_clone and git and (installation.place / ".git").exists():
        with suppress(OSError):
            shown = run_program([git, "-C", installation.place, "ls-remote", "--get-url", "origin"])
            address = shown.stdout.strip() if shown.returncode == 0 else ""
    return address if address.startswith(("https://", "file:///", "/")) and "\n" not in address else None


def _ask(git: Path | None, address: str, file: Path, environ: Mapping[str, str]) -> None:
    import subprocess

    files.replace_file(file, "")  # its age also keeps a failing question to one a day
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS": "", "GIT_HTTP_LOW_SPEED_LIMIT": "100"}
    quiet |= {"GIT_HTTP_LOW_SPEED_TIME": "10", "GIT_ALLOW_PROTOCOL": "https:file"}
    own = {name: value for name, value in environ.items() if not name.startswith("GIT_")}
    options = ["-c", "credential.helper=", "-c", "core.askPass="]
    command = [str(git), *options, "ls-remote", "--tags", "--refs", "--", address]
    with file.open("w") as output:
        subprocess.Popen(
            ["/bin/sh", "-c", _LIMITED, "claudegpt-update-check", *command],
            cwd=NEUTRAL_FOLDER,
            env=own | quiet,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _newest_tag(file: Path) -> Version:
    """The highest version among the tags in the file, (0, 2, 0); () if there is none."""
    try:
        with file.open("rb") as tags:
            text = tags.read(_MOST_BYTES).decode("ascii", "replace")
    except OSError:
        return ()
    return max(map(parse_version, _TAG.findall(text)), default=())


def _is_due(file: Path) -> bool:
    try:
        return time.time() - file.stat().st_mtime > DAY
    except OSError:
        return True
