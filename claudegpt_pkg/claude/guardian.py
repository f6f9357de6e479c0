"""A folder for one run's secrets, and a guardian that outlives claudegpt: whatever kills it, nothing of the run stays.

The guardian is a small shell in a session of its own. It holds the read end of a pipe whose write end only claudegpt
has. When claudegpt is gone without a word, the guardian ends Claude Code, restores the user's default model
(saved_model.py) and removes the folder. If the guardian is gone too, the next start does so.

A run's folder is only touched if it is ours: a folder, not a link, that belongs to this user and that nobody else can
write. Another user of the group may have put anything else there.

A run holds a lock on a file in its folder as long as it lives. On some network file systems a lock cannot be had. The
run then marks its folder, and no other start touches it for 30 days; the session itself goes on.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .. import files
from ..errors import BadSetting
from . import saved_model

SECRETS = "settings.json"  # the file with the token, in the run's folder: the guardian removes it first
# A younger folder may be one that its run has not locked yet.
STALE_AFTER = 60  # seconds
KEPT_FOR = 30 * 86_400  # seconds: a folder without a lock, and one whose note is about another settings file
# Whatever an old run left, it must not end a start.
_ANY_FAULT = (OSError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError)
_LOCK = "lock"
_UNLOCKED = "unlocked"  # beside it, if the lock could not be had

# First it writes the note to the disk, so that it survives a power cut; a start does not wait for that.
_SCRIPT = """
if read -r child && { (cd "$1" && exec sync -- * .) & ! read -r over; }; then
    kill -TERM "$child"
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        kill -0 "$child" || break
        sleep 0.05
    done
    kill -KILL "$child"
fi
rm -f -- "$1/$2"
"$3" -P -m "$4" "$1" "$5"
rm -rf -- "$1"
"""


class Guardian:
    """Watches over the child whose process id it is given."""

    def __init__(self, folder: Path, settings_file: Path):
        words = (str(folder), SECRETS, sys.executable, saved_model.__name__, str(settings_file.absolute()))
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, "claudegpt-guardian", *words],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,  # else it would hold our caller's pipe open
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )

    def watch(self, child: int) -> None:
        assert self._process.stdin
        self._process.stdin.write(b"%d\n" % child)
        self._process.stdin.flush()

    def dismiss(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def run_folder(runs: Path, settings_file: Path) -> Iterator[tuple[Path, Guardian]]:
    """A private folder in `runs` for the length of the block, with its guardian. Raises BadSetting if none can be made.

    `settings_file` is the user's, in which the guardian restores the default model.
    """
    try:
        files.make_private_folder(runs.parent)
        files.make_private_folder(runs)
        sweep(runs, settings_file)
        folder = Path(tempfile.mkdtemp(dir=runs))
    except OSError as problem:
        raise BadSetting(f"Cannot write in {runs}: {problem.strerror}.", files.UNWRITABLE_HINT) from None
    lock = _lock_own(folder)
    guardian = Guardian(folder, settings_file)
    try:
        yield folder, guardian
    finally:
        guardian.dismiss()
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def sweep(runs: Path, settings_file: Path) -> None:
    """Restore and remove what runs left that died together with their guardians (a power cut)."""
    for folder in sorted(runs.iterdir()):
        with suppress(*_ANY_FAULT):
            _sweep_folder(folder, settings_file)


def _sweep_folder(folder: Path, settings_file: Path) -> None:
    age = time.time() - folder.lstat().st_mtime
    if age < STALE_AFTER or not files.is_own_folder(folder):
        return
    if (folder / _UNLOCKED).exists() and age < KEPT_FOR:
        return
    lock = _lock_of_another(folder)
    try:
        if saved_model.restore_default(folder, settings_file) or age > KEPT_FOR:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            (folder / SECRETS).unlink(missing_ok=True)
            os.utime(folder, (time.time() - age,) * 2)
    finally:
        os.close(lock)


def _lock_own(folder: Path) -> int | None:
    """Lock a run's new folder until the handle is closed; None if the file system has no locks."""
    # NFS locks a file only if it is open for writing.
    handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, files.PRIVATE_FILE)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        with suppress(OSError):
            (folder / _LOCK).rename(folder / _UNLOCKED)
        return None
    return handle


def _lock_of_another(folder: Path) -> int:
    """Lock the folder of a run that may have died. Raises OSError if it lives, or if that cannot be known."""
    try:
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:  # earlier versions locked the folder itself
        handle = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle
