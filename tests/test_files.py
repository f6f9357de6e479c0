from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from claudegpt_pkg import files

ROOT = Path(__file__).parents[1]

# Counts down at each system call that can change a file, and kills the process at zero.
KILLED = """
import os, signal, sys
from pathlib import Path
from claudegpt_pkg import files

left = int(sys.argv[2])

def counting(name):
    real = getattr(os, name)
    def call(*args, **kwargs):
        global left
        left -= 1
        if left == 0:
            if name == "write":
                real(args[0], args[1][:len(args[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    setattr(os, name, call)

for name in ("open", "write", "fsync", "ftruncate", "lseek", "replace", "rename", "unlink", "close"):
    counting(name)
with files.beside(Path(sys.argv[1]), room=1000) as draft:
    draft.publish("new " * 100)
print(left)
"""


def killed_at(call: int, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(call)], capture_output=True, text=True, cwd=ROOT
    )


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
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            files.write(path, "x" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_killed_at_any_write_the_file_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    old, new = "old " * 200, "new " * 100
    seen = set()
    for call in range(1, 40):
        path.write_text(old)
        done = killed_at(call, path)
        seen.add(path.read_text())
        assert path.read_text() in (old, new), f"killed at call {call}"
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.returncode == 0 and call > 8, "the whole of it was not walked through"
    assert seen == {old, new}
