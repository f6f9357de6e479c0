"""Files that must never be half written, and secrets that must never be readable: beside, then renamed.

    with beside(path, room=4096) as draft:   # a new file in the same folder, 0600 from its creation, room reserved
        text = ask_somebody()                # may take its time, may raise: then `path` is as it was
        draft.publish(text)                  # written, fsynced, renamed over `path`

Whoever is killed in between leaves `path` whole, old or new, and one draft that the next writer removes. A link is
followed, so that a linked file stays linked. Writers of one file take turns by a lock of their own: the draft's name is
always the same.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

POSIX = os.name == "posix"  # elsewhere permissions are not in the mode
PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
PROBE = 4096  # bytes: a block of most disks
ELSEWHERE = "Make room on the disk, correct the permissions, or set CLAUDEGPT_HOME to a folder that can be written."


@dataclass(frozen=True)
class Draft:
    """A file on its way to `target`; `handle` is open for writing."""

    target: Path
    file: Path
    handle: int

    def publish(self, text: str) -> None:
        """Make `text` the target's content. Raises OSError, and then the target is as it was."""
        data = text.encode()
        os.lseek(self.handle, 0, os.SEEK_SET)
        write_all(self.handle, data)
        os.ftruncate(self.handle, len(data))
        os.fsync(self.handle)
        self.file.replace(self.target)
        sync_folder(self.target.parent)


@contextmanager
def beside(path: Path, *, room: int = 0) -> Iterator[Draft]:
    """A draft for `path`, with `room` bytes of disk already taken. Raises OSError when there is no place for it."""
    target = Path(os.path.realpath(path))
    private_folder(target.parent)
    file = target.with_name(f".{target.name}.claudegpt-draft")
    file.unlink(missing_ok=True)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    try:
        if room:
            write_all(handle, bytes(room))
            os.fsync(handle)
        yield Draft(target, file, handle)
    finally:
        os.close(handle)
        with suppress(FileNotFoundError):  # published: the draft is the target now
            file.unlink()


def write(path: Path, text: str) -> None:
    """Replace the content of `path`, at once and for nobody else's eyes. Raises OSError."""
    with beside(path) as draft:
        draft.publish(text)


def private_folder(folder: Path) -> None:
    """Make `folder`, readable by its owner only, unless it is there."""
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)


def refusal(folder: Path) -> OSError | None:
    """Why nothing can be written in `folder`, which may have to be made first; None where it can. Leaves nothing."""
    from tempfile import TemporaryFile

    try:
        there = next(each for each in (folder, *folder.parents) if each.exists())
        with TemporaryFile(dir=there, buffering=0) as file:
            file.write(bytes(PROBE))
            os.fsync(file.fileno())
    except OSError as problem:
        return problem
    return None


def exposed(path: Path) -> bool:
    """Whether other users of this machine may read or change a file."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return POSIX and bool(stat.S_IMODE(mode) & 0o077)


def make_private(path: Path) -> str:
    """The command that makes a file its owner's alone."""
    return f"chmod 600 {shlex.quote(str(path))}"


def write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut; not every file system can, and then there is nothing to do."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
