"""Private files and folders: whole after a crash, closed to other users, and locked."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from claudegpt_pkg import files
from tests.support import killed
from tests.support.auth_files import disk_with


def test_a_file_is_private_from_its_creation_and_its_folder_too(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    with umask(0), files.open_draft(path) as draft:
        assert mode_of(draft.file) == 0o600
        draft.publish("x")
    assert (mode_of(path), mode_of(path.parent)) == (0o600, 0o700)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    old = os.umask(mask)
    try:
        yield
    finally:
        os.umask(old)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("make", [files.make_private_folder, files.make_missing_folders])
@pytest.mark.parametrize("mask", [0, 0o002, 0o022, 0o077])
def test_every_folder_made_on_the_way_is_private(tmp_path: Path, mask: int, make: Callable[[Path], None]) -> None:
    folder = tmp_path / "state" / "claudegpt" / "run"
    with umask(mask):
        make(folder)
    assert [mode_of(each) for each in (folder, folder.parent, folder.parent.parent)] == [0o700] * 3


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o755, 0o750, 0o701])
def test_an_own_folder_that_is_open_to_others_is_narrowed(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "claudegpt"
    folder.mkdir()
    folder.chmod(mode)
    files.make_private_folder(folder)
    assert mode_of(folder) == 0o700


def test_a_folder_that_is_not_claudegpts_own_keeps_its_permissions(tmp_path: Path) -> None:
    dotfiles = tmp_path / "dotfiles"
    dotfiles.mkdir()
    dotfiles.chmod(0o755)
    files.make_missing_folders(dotfiles)
    files.replace_file(dotfiles / "file", "x")
    assert mode_of(dotfiles) == 0o755


def test_a_folder_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner == 0:  # what root made can be trusted: give it to somebody else
        os.chown(tmp_path, 12345, -1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        files.make_private_folder(tmp_path)


@pytest.mark.parametrize("make", [files.make_private_folder, files.make_missing_folders])
def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path, make: Callable[[Path], None]) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NotADirectoryError):
            make(folder)


def test_a_draft_that_is_not_published_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), files.open_draft(path, room=100):
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_reserved_room_is_not_part_of_the_file(tmp_path: Path) -> None:
    with files.open_draft(tmp_path / "file", room=10_000) as draft:
        draft.publish("short")
    assert (tmp_path / "file").read_text() == "short"


def test_a_linked_file_stays_linked(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles" / "real", tmp_path / "link"
    real.parent.mkdir()
    real.write_text("old")
    link.symlink_to(real)
    files.replace_file(link, "new")
    assert link.is_symlink() and real.read_text() == "new"


def test_a_draft_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ".file.claudegpt-draft").write_text("left by a crash")
    files.replace_file(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_draft_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / ".file.claudegpt-draft").symlink_to(tmp_path / "theirs")
    files.replace_file(tmp_path / "file", "secret")
    assert (tmp_path / "theirs").read_text() == "theirs"


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with disk_with(100), pytest.raises(OSError, match="too large"):
        files.replace_file(path, "x" * 1000)
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


PUBLISHING = """
from pathlib import Path
from claudegpt_pkg import files
from tests.support import killed
from tests.support.auth_files import disk_with

arm()
with files.open_draft(Path(sys.argv[1]) / "file", room=1000) as draft:
    draft.publish("new " * 100)
"""


def test_the_file_is_whole_wherever_its_writer_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    old, new = "old " * 200, "new " * 100
    path.write_text(old)

    def check() -> str:
        found = path.read_text()
        path.write_text(old)
        return found

    assert killed.walk(PUBLISHING, tmp_path, check, least=8) == {old, new}


def test_a_folder_that_cannot_be_written_is_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert files.find_write_problem(tmp_path / "new" / "newer") is None
    assert isinstance(files.find_write_problem(tmp_path / "file" / "below"), NotADirectoryError)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_found(tmp_path: Path) -> None:
    with disk_with(0):
        problem = files.find_write_problem(tmp_path)
    assert problem and problem.strerror == "File too large"
    assert not list(tmp_path.iterdir())


# Locks.


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with umask(0), files.hold_lock(path) as first:
        assert first and mode_of(path) == 0o600
        with pytest.raises(TimeoutError, match="another process holds its lock"), files.hold_lock(path, wait=0.02):
            pass
    with files.hold_lock(path, wait=0) as again:
        assert again


def test_a_lock_of_another_program_counts(tmp_path: Path) -> None:
    """The Codex CLI, and earlier versions of claudegpt, take theirs with flock too."""
    with FileLock(tmp_path / "lock"), pytest.raises(TimeoutError), files.hold_lock(tmp_path / "lock", wait=0):
        pass
    with files.hold_lock(tmp_path / "lock"), pytest.raises(Timeout), FileLock(tmp_path / "lock", timeout=0):
        pass


def test_a_waiting_process_gets_the_lock_when_it_is_free(tmp_path: Path) -> None:
    got = threading.Event()

    def wait() -> None:
        with files.hold_lock(tmp_path / "lock", wait=60):
            got.set()

    with files.hold_lock(tmp_path / "lock"):
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not got.is_set()
    waiting.join(60)
    assert got.is_set()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(handle: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("claudegpt_pkg.files.fcntl.flock", refuse)
    with files.hold_lock(tmp_path / "lock") as taken:
        assert not taken


def test_another_failure_of_a_lock_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"), files.hold_lock(tmp_path / "nowhere" / "lock"):
        pass
