"""The help page of all commands, and the help of each, at every width."""

from __future__ import annotations

import pytest
import typer.main

from claudegpt_pkg.claude.arguments import OUR_COMMANDS, OUR_OPTIONS
from claudegpt_pkg.cli.app import app
from claudegpt_pkg.cli.help import SUMMARIES
from tests.conftest import Run

WIDTHS = ("60", "80", "120")


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"], ["--provider", "demo", "--help"]])
def test_the_page_has_every_command_and_every_option(run: Run, words: list[str]) -> None:
    status, out, err = run(*words)
    assert (status, err) == (0, "")
    assert all(name in out for name in (*OUR_OPTIONS, *OUR_COMMANDS, "--version", "goes to `claude`"))


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits_the_terminal_and_cuts_nothing(run: Run, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    out = run("--help")[1]
    assert max(map(len, out.splitlines())) <= int(width)
    words = " ".join(out.split())
    assert all(text in words for text in SUMMARIES.values()) and "..." not in words.partition("COMMAND ...")[2]


def test_every_command_is_in_the_page_with_its_own_first_sentence() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    own = {name: (command.help or "").partition("\n\n")[0] for name, command in commands.items()}
    assert {name: text for name, text in SUMMARIES.items() if name not in ("help", "version")} == own
    assert SUMMARIES.keys() == OUR_COMMANDS


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("command", sorted(OUR_COMMANDS - {"help", "version"}))
def test_the_help_of_a_command_fits_and_cuts_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    status, out, _ = run("help", command)
    assert status == 0 and out == run(command, "--help")[1]
    assert max(map(len, out.splitlines())) <= int(width)
    assert SUMMARIES[command] in " ".join(out.split())
    assert "..." not in out.partition("\n")[2].replace("[ARGS]...", "").replace("[CLAUDE ARGS]...", "")


def test_help_about_a_word_that_is_no_command_is_refused(run: Run) -> None:
    status, out, err = run("help", "nothing")
    assert (status, out) == (
        2,
        "",
    ) and err == "claudegpt: There is no command nothing. `claudegpt help` lists the commands.\n"
