"""What another program wrote is made fit for use, or left out."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.formats import LONGEST_NAME
from claudegpt_pkg.untrusted import one_line, read_count, read_json, read_name, read_number, read_word

HOSTILE = [
    "\x1b[2J",
    "a\x1b]52;c;aGk=\x07b",
    "a\x9b31mb",  # the one-character form of ESC [
    "a\u202eb",
    "a\u2066b",
    "a\u200bb",
    "a\ufeffb",
    "a\x00b",
    "a\nb",
    "a\rb",
    "a\x85b",
    "a\u2028b",
    "a\u2029b",
    "a\tb",
    "a\ud800b",
    "a\udfffb",
    "a\ue000b",
    "a\U000e0041b",  # tags that show as nothing
]


@pytest.mark.parametrize("name", ["gpt-6.1-sol", "Qwen3 8B (Q4_K_M)", "org/model:tag", "模型-1", "ann@x.test", "é"])
def test_a_printable_name_is_itself(name: str) -> None:
    assert read_name(name) == name


@pytest.mark.parametrize("name", [*HOSTILE, "", " ", "x" * (LONGEST_NAME + 1), "x" * 200_000, None, 5, True, [], {}])
def test_anything_else_is_no_name(name: Any) -> None:
    assert read_name(name) is None


@pytest.mark.parametrize("word", ["a b", "é", "a\r\nx: y", "", "x" * 201, None, 5])
def test_what_cannot_stand_in_a_header_is_no_word(word: Any) -> None:
    assert read_word(word) is None


def test_a_word_is_itself() -> None:
    assert read_word("account-1_2.3") == "account-1_2.3"


@pytest.mark.parametrize("words", [words for words in HOSTILE if "\ue000" not in words])
def test_words_become_one_printable_line(words: str) -> None:
    line = one_line(f"  Bad {words} request.\n")
    assert line.isprintable() and line.startswith("Bad ") and line.endswith(" request.")


def test_many_words_are_cut() -> None:
    assert len(one_line("word " * 1_000_000)) <= 201
    assert one_line({"a": 1}) == "{'a': 1}"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe\xfa", b"[" * 200_000, b'{"a":' * 200_000, b"1" * 10_000, "\ud800", b"nope"],
)
def test_what_is_not_json_is_a_value_error(body: Any) -> None:
    with pytest.raises(ValueError):
        read_json(body)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        ("12.5", 12.5),
        (" 7 ", 7.0),
        (-3.5, -3.5),
        (10**400, None),
        ("1e999", None),
        (float("nan"), None),
        ("nan", None),
        (True, None),
        ("", None),
        ("twelve", None),
        ("9" * 10_000, None),
        (None, None),
        ([], None),
    ],
)
def test_a_number_is_finite_and_may_be_text(value: Any, number: float | None) -> None:
    assert read_number(value) == number


@pytest.mark.parametrize(
    ("value", "count"), [(5, 5), ("272000", 272_000), (2.9, 2), (0, None), (-1, None), (True, None)]
)
def test_a_count_is_above_zero(value: Any, count: int | None) -> None:
    assert read_count(value) == count
