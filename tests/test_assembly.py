"""What is put together at the start of a session: here, that claudegpt's own folders are closed to other users."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from claudegpt_pkg.assembly import close_folders
from claudegpt_pkg.cli import main
from claudegpt_pkg.settings.settings import Dirs
from tests.conftest import Run

NAMES = ("config", "data", "state", "cache")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def dirs(tmp_path: Path) -> Dirs:
    return Dirs.find({"CLAUDEGPT_HOME": str(tmp_path / "home")})


def test_folders_that_are_open_to_others_are_closed(dirs: Dirs, tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / "home" / name).mkdir(parents=True)
        (tmp_path / "home" / name).chmod(0o777)
    (tmp_path / "home").chmod(0o777)
    said: list[str] = []
    close_folders(dirs, said.append)
    assert {mode_of(tmp_path / "home" / name) for name in NAMES} == {0o700}
    assert mode_of(tmp_path / "home") == 0o755  # CLAUDEGPT_HOME may be any folder of the user's
    assert not said


def test_a_sticky_home_is_left_as_it_is(dirs: Dirs, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home").chmod(0o1777)
    close_folders(dirs, pytest.fail)
    assert mode_of(tmp_path / "home") == 0o1777


def test_the_folders_that_share_a_parent_with_other_programs_leave_it_alone(tmp_path: Path) -> None:
    folders = [tmp_path / parent / "claudegpt" for parent in (".config", ".local/share", ".local/state", ".cache")]
    for folder in folders:
        folder.mkdir(parents=True)
        folder.parent.chmod(0o775)
    close_folders(Dirs(*folders), pytest.fail)
    assert {mode_of(folder.parent) for folder in folders} == {0o775}


def test_a_folder_that_cannot_be_closed_is_named(dirs: Dirs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home" / "state").mkdir(parents=True)
    (tmp_path / "home" / "state").chmod(0o775)

    def refuse(self: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    said: list[str] = []
    close_folders(dirs, said.append)
    assert len(said) == 1
    assert "home/state is open to other users" in said[0] and "Operation not permitted" in said[0]


def test_what_a_command_makes_is_private_whatever_the_umask(run: Run, home: Path) -> None:
    old = os.umask(0)
    try:
        assert run("config", "set", "CLAUDEGPT_TRACE", "1")[0] == 0
        assert main.run(["status", "--provider", "demo"]) == 0
    finally:
        os.umask(old)
    folders = [path for path in (home / "claudegpt", *(home / "claudegpt").rglob("*")) if path.is_dir()]
    assert folders and {mode_of(folder) for folder in folders} == {0o700}
