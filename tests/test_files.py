from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from claudegpt_pkg import files
from tests.support import killed
from tests.support.auth_files import disk_with


def test_a_file_is_private_from_its_creation_and_its_folder_too(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    old = os.umask(0)
    try:
        with files.beside(path) as draft:
            assert stat.S_IMODE(draft.file.stat().st_mode) == 0o600
            draft.publish("x")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_is_not_published_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), files.beside(path, room=100):
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_reserved_room_is_not_part_of_the_file(tmp_path: Path) -> None:
    with files.beside(tmp_path / "file", room=10_000) as draft:
        draft.publish("short")
    assert (tmp_path / "file").read_text() == "short"


def test_a_linked_file_stays_linked(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles" / "real", tmp_path / "link"
    real.parent.mkdir()
    real.write_text("old")
    link.symlink_to(real)
    files.write(link, "new")
    assert link.is_symlink() and real.read_text() == "new"


def test_a_draft_somebody_left_behind_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / ".file.claudegpt-draft").write_text("left by a crash")
    files.write(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_draft_never_follows_a_link_set_as_a_trap(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / ".file.claudegpt-draft").symlink_to(tmp_path / "theirs")
    files.write(tmp_path / "file", "secret")
    assert (tmp_path / "theirs").read_text() == "theirs"


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with disk_with(100), pytest.raises(OSError, match="too large"):
        files.write(path, "x" * 1000)
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


PUBLISHING = """
from pathlib import Path
from claudegpt_pkg import files
from tests.support import killed
from tests.support.auth_files import disk_with

arm()
with files.beside(Path(sys.argv[1]) / "file", room=1000) as draft:
    draft.publish("new " * 100)
"""


def test_killed_at_any_write_the_file_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    old, new = "old " * 200, "new " * 100
    path.write_text(old)

    def check() -> str:
        found = path.read_text()
        path.write_text(old)
        return found

    assert killed.walk(PUBLISHING, tmp_path, check, least=8) == {old, new}


def test_a_folder_that_can_be_made_and_written_is_told_from_one_that_cannot(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert files.refusal(tmp_path / "new" / "newer") is None
    assert isinstance(files.refusal(tmp_path / "file" / "below"), NotADirectoryError)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_refuses_too(tmp_path: Path) -> None:
    with disk_with(0):
        problem = files.refusal(tmp_path)
    assert problem and problem.strerror == "File too large"
    assert not list(tmp_path.iterdir())
