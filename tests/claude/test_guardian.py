"""What a run leaves when it and its guardian are killed. Folders of other users are left alone. More: test_launcher."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path
from typing import Any

import pytest

from claudegpt_pkg.claude.guardian import KEPT_FOR, SECRETS, STALE_AFTER, run_folder, sweep
from claudegpt_pkg.claude.launcher import private_file
from claudegpt_pkg.claude.saved_model import NOTE, DefaultModel, SavedModelFile, make_note
from claudegpt_pkg.errors import BadSetting


def aged(folder: Path, seconds: float = STALE_AFTER + 1) -> Path:
    then = time.time() - seconds
    os.utime(folder, (then, then))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "state" / "run"
    folder.mkdir(parents=True, mode=0o700)
    return folder


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """The user's settings file."""
    return tmp_path / "user.json"


def dead_run(runs: Path, user: Path) -> Path:
    """A run that died after Claude Code had saved one of our models as the user's default."""
    user.write_text('{"model": "opus"}')
    folder = runs / "dead"
    folder.mkdir(mode=0o700)
    private_file(folder / SECRETS, "{}")
    saved = SavedModelFile(runs.parent, "openai", "https://here")
    private_file(folder / NOTE, make_note(DefaultModel(user, saved, "opus"), runs).decode())
    user.write_text('{"model": "gpt-6-astra"}')
    return aged(folder)


def test_the_folder_of_a_dead_run_is_swept(runs: Path, user: Path) -> None:
    dead_run(runs, user)
    sweep(runs, user)
    assert list(runs.iterdir()) == []
    assert user.read_text() == '{"model": "opus"}'


def test_the_folder_of_a_living_run_and_a_new_one_stay(runs: Path, user: Path) -> None:
    (runs / "new").mkdir()
    with run_folder(runs, user) as (living, _):
        aged(living)
        sweep(runs, user)
        assert {path.name for path in runs.iterdir()} == {"new", living.name}


def test_the_folder_of_a_living_run_of_an_earlier_version_stays(runs: Path, user: Path) -> None:
    """It holds a lock on the folder itself."""
    (runs / "earlier").mkdir(mode=0o700)
    lock = os.open(runs / "earlier", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    aged(runs / "earlier")
    sweep(runs, user)
    assert (runs / "earlier").exists()
    os.close(lock)
    sweep(runs, user)
    assert not (runs / "earlier").exists()


def test_a_run_with_another_configuration_keeps_its_note_and_loses_its_token(runs: Path, user: Path) -> None:
    folder = dead_run(runs, user)
    sweep(runs, user.with_name("other.json"))
    assert sorted(path.name for path in folder.iterdir() if path.name != "lock") == [NOTE]
    sweep(runs, user)
    assert user.read_text() == '{"model": "opus"}' and not folder.exists()
    folder = dead_run(runs, user)
    sweep(runs, aged(folder, KEPT_FOR + 1).with_name("other.json"))
    assert not folder.exists()


def test_the_folder_is_private_and_gone_afterwards(runs: Path, user: Path) -> None:
    with run_folder(runs, user) as (folder, _):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(runs.iterdir()) == []


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path, user: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadSetting, match="Cannot write"), run_folder(tmp_path / "file" / "run", user):
        pass


# Another user of the group, and other versions.

SOMEBODY = 12345  # a user id


def planted(runs: Path, user: Path, how: str) -> Path:
    folder = dead_run(runs, user)
    match how:
        case "the folder is another user's":
            os.chown(folder, SOMEBODY, -1)
        case "the note is another user's":
            os.chown(folder / NOTE, SOMEBODY, -1)
        case "the folder can be written by the group":
            folder.chmod(0o770)
        case "the folder is a link":
            folder.rename(runs.parent / "moved")
            folder.symlink_to(runs.parent / "moved")
    return folder


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("the folder is another user's", marks=pytest.mark.skipif(os.geteuid() != 0, reason="needs root")),
        pytest.param("the note is another user's", marks=pytest.mark.skipif(os.geteuid() != 0, reason="needs root")),
        "the folder can be written by the group",
        "the folder is a link",
    ],
)
def test_a_run_that_another_user_planted_changes_nothing_of_ours(runs: Path, user: Path, how: str) -> None:
    planted(runs, user, how)
    aged(runs / "dead")
    sweep(runs, user)
    assert user.read_text() == '{"model": "gpt-6-astra"}'


def test_the_folder_of_runs_is_closed_to_the_group_before_it_is_used(tmp_path: Path, user: Path) -> None:
    runs = tmp_path / "state" / "run"
    runs.mkdir(parents=True)
    for folder in (runs, runs.parent):
        folder.chmod(0o775)
    with run_folder(runs, user):
        assert [folder.stat().st_mode & 0o777 for folder in (runs, runs.parent)] == [0o700, 0o700]


@pytest.mark.parametrize("note", ["", "{", '{"file": "/home/ann/.bashrc", "before": "$(id)"}', "[" * 99_999])
def test_nothing_in_an_old_folder_ends_a_start(runs: Path, user: Path, note: str) -> None:
    folder = dead_run(runs, user)
    (folder / NOTE).write_text(note)
    (runs / "a file").write_text("")
    (runs / "link").symlink_to("nowhere")
    aged(folder)
    with run_folder(runs, user) as (living, _):
        assert {path.name for path in runs.iterdir()} == {"a file", "link", living.name}


def test_a_fault_of_ours_in_a_sweep_does_not_end_a_start(
    runs: Path, user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> bool:
        raise KeyError("memory")

    dead_run(runs, user)
    monkeypatch.setattr("claudegpt_pkg.claude.saved_model.restore_default", fail)
    with run_folder(runs, user) as (living, _):
        assert living.exists()


@pytest.mark.parametrize("problem", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF])
def test_without_locks_the_session_goes_on_and_nobody_sweeps_its_folder(
    runs: Path, user: Path, problem: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(handle: int, operation: int) -> None:
        raise OSError(problem, os.strerror(problem))

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", refuse)
        run = run_folder(runs, user)
        living, _ = run.__enter__()
        aged(living)
        sweep(runs, user)
        assert living.exists()
    sweep(runs, user)  # by a process that has locks
    assert living.exists()
    run.__exit__(None, None, None)
    assert not living.exists()


def test_a_run_locks_a_file_that_is_open_for_writing(runs: Path, user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As NFS wants it: a lock on a folder, or on a file open for reading, is EBADF there."""
    modes = []
    lock = fcntl.flock

    def note(handle: int, operation: int) -> None:
        modes.append(fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE)
        lock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", note)
    with run_folder(runs, user):
        assert modes == [os.O_RDWR]
