"""What is printed: whole for a program, fitted to a terminal, and harmless to both."""

from __future__ import annotations

import io
import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from claudegpt_pkg.errors import ClaudegptError
from claudegpt_pkg.terminal import console
from claudegpt_pkg.terminal.console import (
    complain,
    fitting,
    from_home,
    plain,
    result,
    result_entries,
    result_json,
    result_rows,
    result_table,
    say,
    tell,
    visible,
)

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
def test_the_gap_shrinks_before_a_column_is_left_out(room: int, spare: list[str], shown: list[int], gap: int) -> None:
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
def test_foreign_text_cannot_steer_the_terminal(text: str, seen: str) -> None:
    assert visible(text) == seen
    assert plain(text) == " ".join(seen.split())


def written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode(stream.encoding)


@pytest.mark.parametrize(
    ("out", "err", "results", "words"),
    [
        ("utf-8", "utf-8", "日 é", "日 é"),
        ("ascii", "utf-8", "\\u65e5 \\xe9", "日 é"),
        ("utf-8", "ascii", "日 é", "\\u65e5 \\xe9"),
        ("latin-1", "cp932", "\\u65e5 é", "日 \\xe9"),
    ],
)
def test_each_stream_shows_the_characters_that_it_has(
    out: str, err: str, results: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """stdout and stderr may have different encodings, because a result may go to a file or to a program."""
    stdout, stderr = (io.TextIOWrapper(io.BytesIO(), encoding) for encoding in (out, err))
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "stderr", stderr)
    console.console.cache_clear()
    result("日 é")
    result_table(("a", "b"), [("日", "é")])
    result_entries([("日", "é")])
    say("日 é")
    tell("日 é")
    console.console.cache_clear()
    assert written(stdout).split("\n")[:2] == [results, results.replace(" ", "\t")]
    assert written(stdout).split("\n")[2].split() == results.split()
    assert written(stderr) == f"claudegpt: {words}\n{words}\n"


def test_json_is_valid_in_every_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    stdout = io.TextIOWrapper(io.BytesIO(), "latin-1")
    monkeypatch.setattr(sys, "stdout", stdout)
    result_json({"text": "日 é 🤖"})
    assert json.loads(written(stdout)) == {"text": "日 é 🤖"}


def test_json_is_whole_and_harmless(out: Out) -> None:
    value = {"text": "日 \x1b \x9b \x7f \u202e \ud800"}
    result_json(value)
    text = out()
    assert json.loads(text) == value and "日" in text
    assert not {"\x1b", "\x9b", "\x7f", "\u202e", "\ud800"} & set(text)


HOSTILE = "a\x1b]52;c;cm0=\x07b\0c\u202ed\x9b2Je\u2028f\rg\U000e0041h\ud83di"


def is_harmless(text: str) -> bool:
    """Whether every character is visible, or ends a line or a column."""
    return all(sign.isprintable() or sign in "\n\t" for sign in text)


def test_a_piped_table_has_one_line_a_row_and_nothing_that_steers_a_terminal(out: Out) -> None:
    result_table(("a", "b"), [(HOSTILE, "x\ny"), ("tab\there", "z")])
    text = out()
    assert is_harmless(text)
    assert [line.count("\t") for line in text.splitlines()] == [1, 1]


def test_piped_rows_and_lines_are_as_harmless(out: Out) -> None:
    result(HOSTILE + "\nand more")
    result_rows([(plain(HOSTILE), plain(HOSTILE + "\n"))])
    result_entries([(HOSTILE, HOSTILE)])
    text = out()
    assert is_harmless(text) and len(text.splitlines()) == 3


def test_hostile_json_is_whole_and_harmless(out: Out) -> None:
    value = {HOSTILE: [HOSTILE, {"deep": HOSTILE}]}
    result_json(value)
    text = out()
    assert json.loads(text) == value and is_harmless(text)


def test_a_number_that_json_does_not_have_is_null(out: Out) -> None:
    result_json({"a": math.inf, "b": [-math.inf, math.nan, 1.5]})
    assert json.loads(out(), parse_constant=pytest.fail) == {"a": None, "b": [None, None, 1.5]}


def test_json_that_is_nested_too_deeply_is_an_error_of_its_own() -> None:
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ClaudegptError, match="nested too deeply"):
        result_json(value)


HOME_WRITTEN = [
    ("There is no login in {}/.local/x.json.", "There is no login in ~/.local/x.json."),
    ("run `chmod 600 {}/config.env`", "run `chmod 600 ~/config.env`"),
    ("run `chmod 600 '{}/a b/config.env'`", None),  # a shell does not expand ~ in quotes
    ("/backup{}/config.env", None),  # another folder
    ("{}-of-another/config.env", None),
]


@pytest.mark.parametrize(("text", "seen"), HOME_WRITTEN)
def test_the_users_home_is_written_as_in_the_shell(
    text: str, seen: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert from_home(text.format(tmp_path)) == (seen or text.format(tmp_path))


@pytest.mark.parametrize("say_it", [say, complain, tell])
def test_the_home_in_a_message_is_written_so_too(
    say_it: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    console.console.cache_clear()
    say_it(f"Cannot read {tmp_path}/config.env.")
    assert "Cannot read ~/config.env." in capsys.readouterr().err


@pytest.mark.parametrize("home", ["/", ""])  # as in containers
def test_a_home_that_is_the_root_is_not_abbreviated(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", home)
    assert from_home("http://x/v1 and //y in /.config/z") == "http://x/v1 and //y in /.config/z"


def test_a_user_without_a_home_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)  # as a container may be run
    assert from_home("/srv/x") == "/srv/x"
