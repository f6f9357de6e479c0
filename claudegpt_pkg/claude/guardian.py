"""A folder for one run's secrets, and a guardian that outlives us: whatever kills us, nothing of the run stays.

The guardian is a small shell in a session of its own, holding the read end of a pipe whose write end only we have.
When we are gone without a word, however we went, it ends Claude Code, settles what the run has left to settle
(picked.py) and removes the folder. Where it is gone too, the next run does so.
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

from ..errors import BadSetting
from ..files import UNWRITABLE_HINT
from . import saved_model

# A younger folder may be one that its run has not locked yet.
STALE_AFTER = 60  # seconds

SECRETS = "settings.json"  # the file with the token, in the folder: it goes first

# First to the disk with the note, for after a power cut; a start need not wait for it.
SCRIPT = """
if read -r child && { (cd "$1" && exec sync -- * .) & ! read -r over; }; then
    kill -TERM "$child"
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        kill -0 "$child" || break
        sleep 0.05
    done
    kill -KILL "$child"
fi
rm -f -- "$1/$2"
"$3" -P -m "$4" "$1"
rm -rf -- "$1"
"""


class Guardian:
    """Watches over the child that it is told of."""

    def __init__(self, folder: Path):
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", SCRIPT, "claudegpt-guardian", str(folder), SECRETS, sys.executable, saved_model.__name__],
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
def run_folder(parent: Path) -> Iterator[tuple[Path, Guardian]]:
    """A private folder for the length of the block, with its guardian. Raises BadSetting where none can be made."""
    try:
        parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        sweep(parent)
        folder = Path(tempfile.mkdtemp(dir=parent))
    except OSError as problem:
        raise BadSetting(f"Cannot write in {parent}: {problem.strerror}.", UNWRITABLE_HINT) from None
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    guardian = Guardian(folder)
    try:
        yield folder, guardian
    finally:
        guardian.dismiss()
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep(parent: Path) -> None:
    """Settle and remove what runs left that died together with their guardians (a power cut)."""
    for folder in parent.iterdir():
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime < STALE_AFTER:
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                saved_model.settle(folder)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
