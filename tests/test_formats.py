"""Numbers, money, times and foreign names as people read them."""

from __future__ import annotations

from datetime import datetime

import pytest

from claudegpt_pkg import formats

NOON = datetime(2026, 11, 22, 12).timestamp()  # a Sunday
DAY = 86_400


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1k"),
        (14_549, "14.5k"),
        (99_960, "100k"),
        (272_000, "272k"),
        (1_050_000, "1.05M"),
    ],
)
def test_a_number_is_short(number: float, text: str) -> None:
    assert formats.format_number(number) == text


@pytest.mark.parametrize(
    ("cost", "text"), [(0, "$0"), (0.00001, "$0.0001"), (0.042, "$0.042"), (0.1, "$0.10"), (12.345, "$12.35")]
)
def test_a_cost_is_short(cost: float, text: str) -> None:
    assert formats.format_dollars(cost) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 turns"), (1, "1 turn"), (2, "2 turns")])
def test_one_thing_has_no_plural(count: int, text: str) -> None:
    assert formats.format_count(count, "turn") == text


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(8.6, "9ms"), (999.4, "999ms"), (999.6, "1.0s"), (12_440, "12.4s"), (125_000, "125s")]
)
def test_a_duration_is_short(milliseconds: float, text: str) -> None:
    assert formats.format_milliseconds(milliseconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(300, "5 minutes"), (7200, "2 hours"), (7140, "119 minutes"), (3 * DAY, "3 days")]
)
def test_a_span_has_one_unit(seconds: float, text: str) -> None:
    assert formats.format_span(seconds) == text


@pytest.mark.parametrize(
    ("after", "sentence", "column"),
    [
        (3_600, "at 13:00", "13:00:00"),
        (2 * DAY, "on Tue 24 Nov at 12:00", "Tue 12:00"),
        (-2 * DAY, "on Fri 20 Nov at 12:00", "Fri 12:00"),
        (7 * DAY, "on Sun 29 Nov at 12:00", "29 Nov"),
        (-30 * DAY, "on Fri 23 Oct at 12:00", "23 Oct"),
    ],
)
def test_a_moment_has_the_day_that_it_needs(after: float, sentence: str, column: str) -> None:
    assert formats.format_moment(NOON + after, NOON) == sentence
    assert formats.format_short_moment(NOON + after, NOON, seconds=True) == column


@pytest.mark.parametrize("seconds", [0, -1, 1.8e12, float("inf"), float("nan")])
def test_what_no_calendar_can_show_is_no_moment(seconds: float) -> None:
    assert not formats.is_moment(seconds)
    assert formats.is_moment(NOON)


STEERING = {
    "escape": "\x1b[2J",
    "clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "one-byte CSI": "\x9b31m",
    "NUL": "\0",
    "line feed": "\n",
    "carriage return": "\r",
    "tab": "\t",
    "backspace": "\b",
    "next line": "\x85",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "bidi override": "\u202e",
    "bidi isolate": "\u2066",
    "bidi mark": "\u200f",
    "Arabic letter mark": "\u061c",
    "invisible": "\u200b",
    "byte order mark": "\ufeff",
    "tag": "\U000e0041",
    "half a character": "\ud83d",
}


@pytest.mark.parametrize("kind", STEERING)
def test_a_name_that_could_steer_something_is_none(kind: str) -> None:
    assert formats.printable(f"gpt{STEERING[kind]}-6") is None


@pytest.mark.parametrize("kind", STEERING)
def test_foreign_words_become_one_harmless_line(kind: str) -> None:
    line = formats.to_one_line(f"one{STEERING[kind]}two")
    assert line.isprintable() and line.startswith("one") and line.endswith("two")


@pytest.mark.parametrize("name", ["", "x" * 201, None, 5, ["gpt"], {"a": 1}, True])
def test_what_is_no_name_is_none(name: object) -> None:
    assert formats.printable(name) is None


@pytest.mark.parametrize("name", ["gpt-6.1-sol", "x" * 200, "qwen3:8b", "org/model name", "모델", "模型", "é"])
def test_a_name_of_any_script_is_kept(name: str) -> None:
    assert formats.printable(name) == name


def test_long_words_are_cut() -> None:
    assert formats.to_one_line("word " * 100_000, 20) == "word word word word …"
    assert formats.to_one_line("short", 20) == "short"
