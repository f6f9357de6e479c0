"""What a person sees while logging in: the code, the QR code of its page, the time left."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from claudegpt_pkg.setup import login_screen
from claudegpt_pkg.setup.login_screen import HALVES, QUIET_ZONE, count_down, draw_modules, qr_lines, show_code

PAGE = "https://auth.openai.com/codex/device"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal with colours and room for the code; what is written to it."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, color_system="standard", width=80)
    monkeypatch.setattr(login_screen, "console", lambda: console)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "50")
    return written


def read_modules(lines: list[str]) -> list[list[bool]]:
    """The drawing back as rows of modules."""
    pairs = {sign: pair for pair, sign in HALVES.items()}
    return [[pairs[sign][half] for sign in line] for line in lines for half in (0, 1)]


def test_the_drawing_has_every_module_and_a_quiet_zone() -> None:
    rows = [[True, False, True], [False, True, True], [True, True, False]]
    drawn = read_modules(list(draw_modules(rows)))
    inner = [row[QUIET_ZONE:-QUIET_ZONE] for row in drawn[QUIET_ZONE : QUIET_ZONE + 3]]
    assert inner == rows
    assert not any(any(row) for row in drawn[:QUIET_ZONE] + drawn[QUIET_ZONE + 3 :])
    assert not any(row[at] for row in drawn for at in (0, 1, -2, -1))


def test_the_code_of_a_page_is_what_segno_makes_of_it(terminal: io.StringIO) -> None:
    segno = pytest.importorskip("segno")
    matrix = [[bool(module) for module in row] for row in segno.make(PAGE, micro=False, error="l").matrix]
    drawn = read_modules(list(qr_lines(PAGE)))
    assert [row[QUIET_ZONE:-QUIET_ZONE] for row in drawn[QUIET_ZONE : QUIET_ZONE + len(matrix)]] == matrix


@pytest.mark.parametrize(("columns", "lines"), [("30", "50"), ("80", "24")])
def test_a_small_terminal_gets_no_code(
    terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch, columns: str, lines: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", lines)
    assert not qr_lines(PAGE)


def test_without_colour_or_a_terminal_there_is_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    for console in (Console(file=io.StringIO()), Console(file=io.StringIO(), force_terminal=True, no_color=True)):
        monkeypatch.setattr(login_screen, "console", lambda console=console: console)
        assert not qr_lines(PAGE)


def test_the_code_to_type_is_bold(terminal: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    show_code(PAGE, "ABCD-1234")
    assert "\x1b[1mABCD-1234\x1b[0m" in terminal.getvalue()
    assert f"{PAGE}\n" in capsys.readouterr().err


def test_the_time_left_is_shown_on_a_terminal_only(
    terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with count_down(899.9):
        pass
    assert "Waiting for you to log in (15:00 left, Ctrl-C ends it)" in terminal.getvalue()
    monkeypatch.setattr(login_screen, "console", lambda: Console(file=io.StringIO()))
    with count_down(900):
        pass
    assert capsys.readouterr() == ("", "")
