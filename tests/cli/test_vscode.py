"""`claudegpt vscode`: what is written to an editor's settings, and what `--undo` leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from claudegpt_pkg.claude.jsonc import read
from claudegpt_pkg.cli.vscode import NO_LOGIN, WRAPPER
from tests.conftest import Run

SETTINGS = '{\n  "editor.fontSize": 12, // mine\n}\n'


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLAUDEGPT_CLONE", str(tmp_path))
    return tmp_path / "claudegpt"


@pytest.fixture
def settings(home: Path) -> Path:
    """VS Code's settings file, with a comment."""
    file = home / ".config" / "Code" / "User" / "settings.json"
    file.parent.mkdir(parents=True)
    file.write_text(SETTINGS)
    return file


def test_the_wrapper_is_shown_and_written_with_the_rest_untouched(run: Run, clone: Path, settings: Path) -> None:
    status, out, err = run("vscode", "--yes")
    assert (status, out) == (0, "") and f'+  "{WRAPPER}": "{clone}"' in err
    assert read(settings.read_text()) == {"editor.fontSize": 12, WRAPPER: str(clone), NO_LOGIN: True}
    assert "// mine" in settings.read_text()


def test_nothing_is_written_without_an_answer(run: Run, clone: Path, settings: Path) -> None:
    status, _, err = run("vscode")
    assert status == 0 and "--yes" in err and settings.read_text() == SETTINGS


def test_a_second_time_changes_nothing(run: Run, clone: Path, settings: Path) -> None:
    run("vscode", "--yes")
    before = settings.read_text()
    assert "needs no change" in run("vscode", "--yes")[2] and settings.read_text() == before


def test_undo_takes_our_lines_out(run: Run, clone: Path, settings: Path) -> None:
    run("vscode", "--yes")
    run("vscode", "--undo", "--yes")
    assert settings.read_text() == SETTINGS


def test_undo_gives_back_the_wrapper_that_was_there_before(run: Run, clone: Path, settings: Path) -> None:
    settings.write_text(f'{{"{WRAPPER}": "/opt/other"}}')
    for _ in range(2):
        run("vscode", "--yes")
    run("vscode", "--undo", "--yes")
    assert read(settings.read_text()) == {WRAPPER: "/opt/other"}


def test_an_editor_on_a_remote_machine_has_its_own_file(run: Run, clone: Path, home: Path) -> None:
    folder = home / ".cursor-server" / "data" / "Machine"
    folder.mkdir(parents=True)
    run("vscode", "--yes")
    assert read((folder / "settings.json").read_text())[WRAPPER] == str(clone)


def test_a_named_editor_that_has_no_settings_yet_gets_a_file(run: Run, clone: Path, home: Path) -> None:
    run("vscode", "--editor", "windsurf", "--yes")
    file = home / ".config" / "Windsurf" / "User" / "settings.json"
    assert read(file.read_text())[WRAPPER] == str(clone)


def test_a_link_to_a_file_elsewhere_stays_a_link(run: Run, clone: Path, settings: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.json"
    settings.rename(real)
    settings.symlink_to(real)
    run("vscode", "--yes")
    assert settings.is_symlink() and WRAPPER in real.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--editor", "emacs"), "Choose one of code"), ((), "No editor")],
)
def test_an_editor_that_is_unknown_or_absent_is_said(run: Run, clone: Path, words: tuple[str, ...], said: str) -> None:
    status, _, err = run("vscode", *words)
    assert status == 2 and said in err


def test_a_broken_settings_file_is_left_alone(run: Run, clone: Path, settings: Path) -> None:
    settings.write_text('{"a": ')
    status, _, err = run("vscode", "--yes")
    assert status == 2 and "not valid JSON" in err and settings.read_text() == '{"a": '


def test_a_program_that_has_no_path_of_its_own_is_said(
    run: Run, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLAUDEGPT_CLONE", raising=False)
    monkeypatch.setattr("sys.argv", ["-m"])
    monkeypatch.setenv("PATH", "/nowhere")
    status, _, err = run("vscode", "--yes")
    assert status == 2 and "which program starts it" in err
