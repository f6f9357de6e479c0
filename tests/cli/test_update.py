"""`claudegpt update`, with a real git and a repository in a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from claudegpt_pkg import __version__
from claudegpt_pkg.claude import install
from claudegpt_pkg.cli import update
from claudegpt_pkg.cli.installation import Installation
from tests.conftest import Run

GIT = ("git", "-c", "user.name=ann", "-c", "user.email=ann@example.com", "-c", "init.defaultBranch=main")


def git(folder: Path, *words: str) -> None:
    subprocess.run([*GIT, "-C", str(folder), *words], check=True, capture_output=True)


def write_version(folder: Path, version: str) -> None:
    (folder / "claudegpt_pkg").mkdir(exist_ok=True)
    (folder / "claudegpt_pkg" / "__init__.py").write_text(f'__version__ = "{version}"\n')
    git(folder, "add", "-A")
    git(folder, "commit", "-m", version)


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    folder = tmp_path / "origin"
    folder.mkdir()
    git(folder, "init")
    write_version(folder, __version__)
    return folder


@pytest.fixture
def clone(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "clone"
    git(tmp_path, "clone", str(origin), str(folder))
    command = ("git", "-C", str(folder), "pull", "--ff-only")
    installed(monkeypatch, Installation("a clone", folder, command, ()))
    return folder


def installed(monkeypatch: pytest.MonkeyPatch, installation: Installation) -> None:
    monkeypatch.setattr(update, "find_installation", lambda: installation)


@pytest.mark.parametrize("command", ["update", "upgrade"])
def test_a_clone_is_pulled_and_the_new_version_named(run: Run, origin: Path, clone: Path, command: str) -> None:
    write_version(origin, "99.0.0")
    status, out, err = run(command)
    assert (status, out) == (0, "")
    assert f"was installed with a clone, in {clone}" in err
    assert f"updated claudegpt {__version__} → 99.0.0" in err
    assert "99.0.0" in (clone / "claudegpt_pkg" / "__init__.py").read_text()
    assert "`claudegpt -- update`" in err


def test_a_clone_without_news_is_up_to_date(run: Run, clone: Path) -> None:
    assert f"claudegpt is up to date ({__version__})." in run("update")[2]


def test_a_failed_update_says_so_and_has_the_status_of_the_tool(run: Run, origin: Path, clone: Path) -> None:
    shutil.rmtree(origin)
    status, _, err = run("update")
    assert status != 0
    assert "The update failed" in err


def test_git_does_not_see_the_current_folder(
    run: Run, clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    (hostile / "git").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (hostile / "git").chmod(0o755)
    monkeypatch.chdir(hostile)
    monkeypatch.setenv("PATH", f".:{os.environ['PATH']}")
    assert run("update")[0] == 0
    assert not (tmp_path / "ran").exists()


def test_without_the_tool_it_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed(monkeypatch, Installation("uv", tmp_path, ("no-such-uv", "tool", "upgrade", "claudegpt"), ()))
    status, _, err = run("update")
    assert status == 2
    assert "There is no no-such-uv to update claudegpt with." in err


def test_what_has_no_address_cannot_update_itself(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed(monkeypatch, Installation("pip", tmp_path, (), ()))
    status, _, err = run("update")
    assert status == 2
    assert "no address to update itself from" in err


@pytest.mark.parametrize(("version", "replaced"), [("2.0.1", True), (install.NEWEST_TESTED, False)])
def test_its_own_copy_of_claude_code_becomes_the_newest_tested(
    run: Run, clone: Path, home: Path, monkeypatch: pytest.MonkeyPatch, version: str, replaced: bool
) -> None:
    program = home / "claudegpt" / "data" / "claude-code" / version / "claude"
    program.parent.mkdir(parents=True)
    program.touch()
    (home / "claudegpt" / "data" / "claude-code" / "claude").symlink_to(program)
    calls: list[object] = []
    monkeypatch.setattr(install, "install_copy", calls.append)
    assert run("update")[0] == 0
    assert bool(calls) == replaced


def test_claude_codes_own_updater_is_behind_two_dashes() -> None:
    from claudegpt_pkg.claude.arguments import separate

    assert separate(["update"]).command == "update"
    line = separate(["--", "update"])
    assert (line.command, line.theirs) == ("", ["update"])
