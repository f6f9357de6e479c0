"""What goes to stdout: whole and plain for a program; fitted, and harmless, on a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from claudegpt_pkg.console import fitting, plain, result_entries, result_json, visible

ROWS = [("abc", "1", "long words"), ("日本", "22", "x")]  # 4, 2 and 10 columns wide
Out = Callable[[], str]


@pytest.fixture
def out(capsys: pytest.CaptureFixture[str]) -> Out:
    return lambda: capsys.readouterr().out


@pytest.mark.parametrize(
    ("room", "spare", "shown", "gap"),
    [
        (20, ["b"], [0, 1, 2], 2),
        (19, ["b"], [0, 1, 2], 1),
        (18, ["b"], [0, 1, 2], 1),
        (17, ["b"], [0, 2], 2),
        (15, ["b"], [0, 2], 1),
        (14, ["b", "c"], [0], 2),
        (1, ["b", "c"], [0], 1),
        (1, [], [0, 1, 2], 2),
    ],
)
def test_columns_move_together_before_one_is_left_out(room: int, spare: list[str], shown: list[int], gap: int) -> None:
    assert fitting(("a", "b", "c"), ROWS, spare, room) == (shown, gap)


def test_a_column_with_nothing_in_it_is_not_shown() -> None:
    assert fitting(("a", "b", "c"), [("x", "", "1"), ("y", "", "")], (), 80) == ([0, 2], 2)
    assert fitting(("a", "b"), [], (), 80) == ([0, 1], 2)


def test_a_text_of_several_lines_is_indented(out: Out) -> None:
    result_entries([("one", "a\nb"), ("", ""), ("longer", "c")])
    assert out() == "one     a\n        b\n\nlonger  c\n"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("日本 é 🤖", "日本 é 🤖"),
        ("\x1b[31mred\x07", "�[31mred�"),
        ("\x9b2J\x7f", "�2J�"),
        ("right\u202eleft\ud800", "right�left�"),
    ],
)
def test_nothing_of_somebody_elses_steers_the_terminal(text: str, seen: str) -> None:
    assert visible(text) == seen
    assert plain(text) == " ".join(seen.split())


def test_json_is_whole_and_harmless(out: Out) -> None:
    value = {"text": "日 \x1b \x9b \x7f \u202e \ud800"}
    result_json(value)
    written = out()
    assert json.loads(written) == value and "日" in written
    assert not {"\x1b", "\x9b", "\x7f", "\u202e", "\ud800"} & set(written)
