"""Files and folders on disk: never half written, and never readable or writable by other users of the machine.

    make_private_folder(folder)              # 0700 whatever the umask; narrowed if it is there and wider
    with locked(folder / ".lock", wait=5):   # one process at a time
    replace_file(path, text)                 # written beside `path`, fsynced, renamed over it; 0600
    with open_draft(path, room=4096) as draft:   # the same in two steps: room on the disk is reserved first,
        text = ask_somebody()                    # then something slow may happen, or fail: `path` is as it was
        draft.publish(text)

A process that is killed in between leaves `path` whole, old or new, and at most one draft, which the next writer
removes. A symbolic link is followed, so that a linked file stays linked. Writers of one file must take turns with a
lock of their own, because the draft always has the same name.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
_WRITABLE_BY_OTHERS = 0o022
FOR_OTHERS = 0o077  # the permission bits of a file's group and of everybody else
WRITABLE_FOR_OTHERS = 0o022
UNWRITABLE_HINT = (
    "Make room on the disk, correct the permissions, or set CLAUDEGPT_HOME to a folder that can be written."
)
_LOCK_POLL = 0.01  # seconds
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
_PROBE_SIZE = 4096  # bytes: one block on most disks


# Folders.


def make_private_folder(folder: Path) -> None:
    """Make `folder`, one of claudegpt's own, so that only its owner may list, read or write it (0700).

    Parents that are missing are made 0700 too. A folder that is there already and open to others is narrowed. Raises
    OSError if the folder cannot be made or narrowed, and PermissionError if it belongs to another user, who could
    replace what it holds.
    """
    make_missing_folders(folder)
    status = folder.stat()
    if not is_own(status):
        raise PermissionError(errno.EPERM, "it belongs to another user", str(folder))
    if status.st_mode & FOR_OTHERS and status.st_uid == os.geteuid():
        folder.chmod(PRIVATE_FOLDER)


def make_missing_folders(folder: Path) -> None:
    """Make `folder` and its missing parents, each 0700 whatever the umask. A folder that is there is left as it is."""
    missing = []
    for each in (folder, *folder.parents):
        if each.exists():
            break
        missing.append(each)
    for each in reversed(missing):
        # Path.mkdir(parents=True) would give the parents the umask's permissions.
        each.mkdir(PRIVATE_FOLDER, exist_ok=True)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


def close_to_others(folder: Path, permissions: int = FOR_OTHERS) -> OSError | None:
    """Take these permissions of a folder, if it exists, away from other users. Returns why that failed; else None."""
    try:
        status = folder.stat()
        if permissions == WRITABLE_FOR_OTHERS and status.st_mode & stat.S_ISVTX:  # others cannot rename what is in it
            return None
        if not status.st_mode & permissions:
            return None
        folder.chmod(stat.S_IMODE(status.st_mode) & ~permissions)
    except FileNotFoundError:
        return None
    except OSError as problem:
        return problem
    return None


def is_own(status: os.stat_result) -> bool:
    """Whether a file belongs to this user, or to root, which can write everything anyway. For root, all files do."""
    user = os.geteuid()
    return user == 0 or status.st_uid in (user, 0)


def is_own_folder(folder: Path) -> bool:
    """Whether `folder` is a folder, not a link, of this user's that nobody else can write. No other user's will do."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and _is_ours_alone(status)


def _is_ours_alone(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & _WRITABLE_BY_OTHERS


def find_write_problem(folder: Path) -> OSError | None:
    """Why nothing can be written in `folder`, which may not exist yet; None if it can be. Leaves no file behind."""
    from tempfile import TemporaryFile

    try:
        existing = next(each for each in (folder, *folder.parents) if each.exists())
        with TemporaryFile(dir=existing, buffering=0) as file:
            file.write(bytes(_PROBE_SIZE))
            os.fsync(file.fileno())
    except OSError as problem:
        return problem
    return None


# Locks.


@contextmanager
def hold_lock(path: Path, *, wait: float | None = None) -> Iterator[bool]:
    """Hold the lock file `path`, which is made 0600 and stays; other processes and threads wait for it meanwhile.

    Yields False on a file system that has no locks, as some network file systems: the caller goes on without. Waits at
    most `wait` seconds, or without end for None. Raises TimeoutError after that, OSError if the file cannot be made.
    """
    # A file that is open for writing: NFS locks no other, and no folder.
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        yield _take_lock(handle, path, wait)
    finally:
        os.close(handle)


def _take_lock(handle: int, path: Path, wait: float | None) -> bool:
    end = None if wait is None else time.monotonic() + wait
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if end is None else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(errno.ETIMEDOUT, "another process holds its lock", str(path)) from None
            time.sleep(_LOCK_POLL)
        except OSError as problem:
            if problem.errno in _NO_LOCKS:
                return False
            raise
        else:
            return True


# Files.


@dataclass(frozen=True)
class Draft:
    """The new content of `target` before it is published; `handle` is open for writing."""

    target: Path
    file: Path
    handle: int

    def publish(self, text: str) -> None:
        """Make `text` the target's content. Raises OSError; the target is then as it was."""
        data = text.encode()
        os.lseek(self.handle, 0, os.SEEK_SET)
        _write_all(self.handle, data)
        os.ftruncate(self.handle, len(data))
        os.fsync(self.handle)
        self.file.replace(self.target)
        _sync_folder(self.target.parent)


@contextmanager
def open_draft(path: Path, *, room: int = 0) -> Iterator[Draft]:
    """A draft for `path` that has taken `room` bytes of the disk already. Raises OSError if it cannot be made."""
    target = Path(os.path.realpath(path))
    make_missing_folders(target.parent)
    file = target.with_name(f".{target.name}.claudegpt-draft")
    file.unlink(missing_ok=True)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    try:
        if room:
            _write_all(handle, bytes(room))
            os.fsync(handle)
        yield Draft(target, file, handle)
    finally:
        os.close(handle)
        with suppress(FileNotFoundError):  # a published draft has been renamed
            file.unlink()


def replace_file(path: Path, text: str) -> None:
    """Replace the content of `path` in one step; only its owner may read it. Raises OSError."""
    with open_draft(path) as draft:
        draft.publish(text)


def read_own_file(path: Path) -> bytes | None:
    """The content of a file that claudegpt wrote; None if it is missing, or may be another user's.

    It may be if it is a link, belongs to somebody else, or can be written by somebody else.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        try:
            return file.read() if stat.S_ISREG(status.st_mode) and _is_ours_alone(status) else None
        except OSError:
            return None


def is_exposed(path: Path) -> bool:
    """Whether other users of this machine may read or change a file."""
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & FOR_OTHERS)
    except OSError:
        return False


def chmod_command(path: Path) -> str:
    """The shell command that closes a file to other users."""
    return f"chmod 600 {shlex.quote(str(path))}"


def _write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut. Some file systems cannot sync a folder: nothing can be done there."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
