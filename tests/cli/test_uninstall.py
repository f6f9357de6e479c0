"""`claudegpt uninstall` deletes what claudegpt made, by its name, and nothing else."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from claudegpt_pkg.cli import uninstall
from tests.conftest import Run
from tests.support.fakes.answers import answer
from tests.support.fakes.backend import FakeBackend
from tests.support.served import ask, served, settings_for

MADE = (
    "config/config.env",
    "data/serve.json",
    "data/editors.json",
    "data/claude-code/claude",
    "data/claude/.claude.json",
    "state/traces/20261127-120000-000000-3f2a91.json",
    "state/usage.jsonl",
    "state/picked-model-openai.json",
    "state/said-0123456789abcdef",
    "cache/models-0123.json",
    "cache/capabilities-0123.json",
)
OTHERS = ("data/photos/a.jpg", "state/notes.txt", "state/traces/thesis.json", "elsewhere/b.txt")


@pytest.fixture
def ours(home: Path) -> Path:
    folder = home / "claudegpt"
    for name in MADE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x" * 2000)
    (folder / "config/config.env").write_text("CLAUDEGPT_PROVIDER=demo\n")
    return folder


def add_others(folder: Path) -> None:
    for name in OTHERS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")


def test_without_a_confirmation_nothing_is_deleted(run: Run, ours: Path) -> None:
    before = sorted(ours.rglob("*"))
    status, out, err = run("uninstall")
    assert status == 1
    assert "Nothing was deleted: run `claudegpt uninstall --yes`." in err
    assert sorted(ours.rglob("*")) == before
    for meaning in ("settings and API keys", "traces: your conversations", "the installed Claude Code"):
        assert meaning in out


@pytest.mark.parametrize("answer", [True, False])
def test_on_a_terminal_it_asks(run: Run, ours: Path, monkeypatch: pytest.MonkeyPatch, answer: bool) -> None:
    monkeypatch.setattr(uninstall, "on_terminal", lambda: True)
    monkeypatch.setattr(uninstall, "confirm", lambda question: answer)
    assert run("uninstall")[0] == (0 if answer else 1)
    assert ours.joinpath("config/config.env").exists() != answer


def test_all_of_it_is_deleted_and_the_empty_folders_go(run: Run, ours: Path) -> None:
    status, out, err = run("uninstall", "--yes")
    assert status == 0, err
    assert [path for path in ours.rglob("*") if path.is_file()] == []
    assert not any((ours / name).exists() for name in ("config", "data", "state", "cache"))
    assert "To remove the program itself:" in err and out.splitlines()[-1]


def test_files_of_the_user_in_the_same_folders_stay_and_are_named(run: Run, ours: Path) -> None:
    add_others(ours)
    err = run("uninstall", "--yes")[2]
    assert all((ours / name).read_text() == "mine" for name in OTHERS)
    assert "photos" in err and "notes.txt" in err and "is not claudegpt's and stays" in err


def test_traces_in_a_folder_of_the_users_are_deleted_by_their_names_only(
    run: Run, ours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my traces"
    folder.mkdir()
    (folder / "20261127-120000-000000-abc.json").touch()
    (folder / "thesis.json").touch()
    monkeypatch.setenv("CLAUDEGPT_TRACE_DIR", str(folder))
    assert run("uninstall", "--yes")[0] == 0
    assert [path.name for path in folder.iterdir()] == ["thesis.json"]


def test_a_link_to_a_file_elsewhere_goes_and_the_file_stays(run: Run, ours: Path, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.env"
    target.write_text("CLAUDEGPT_PROVIDER=demo\n")
    (ours / "config/config.env").unlink()
    (ours / "config/config.env").symlink_to(target)
    assert run("uninstall", "--yes")[0] == 0
    assert target.exists() and not (ours / "config/config.env").is_symlink()


def test_a_running_session_is_left_alone(run: Run, ours: Path) -> None:
    folder = ours / "state" / "run" / "x"
    folder.mkdir(parents=True)
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        status, _, err = run("uninstall", "--yes")
    finally:
        os.close(handle)
    assert status == 2
    assert "A session of claudegpt is running." in err
    assert (ours / "config/config.env").exists()


def test_nothing_to_delete_is_said_and_is_no_failure(run: Run, home: Path) -> None:
    status, _, err = run("uninstall")
    assert status == 0
    assert "claudegpt keeps nothing on this machine." in err


def test_everything_that_a_session_leaves_is_known(backend: FakeBackend, tmp_path: Path) -> None:
    backend.script(answer("Fine."))
    with served(backend, tmp_path) as proxy:
        proxy.events(ask())
    settings = settings_for(backend.url, tmp_path)
    assert {each.meaning for each in uninstall.find_kept(settings)} >= {
        "traces: your conversations, turn by turn",
        "the record of tokens used",
    }
    assert uninstall._delete(uninstall.find_kept(settings), settings) == []
    assert [path for path in (tmp_path / "claudegpt").rglob("*") if path.is_file()] == []
