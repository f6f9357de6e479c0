"""Stop sequences, cut exactly, however the text arrives."""

from __future__ import annotations

import pytest

from claudegpt_pkg.translate.answer.stop_filter import StopFilter

CASES: list[tuple[list[str], str, str, str | None]] = [
    (["</block>"], "<block>no</block> because", "<block>no", "</block>"),
    (["</block>"], "<block>no</bloc", "<block>no</bloc", None),
    (["</block>"], "</block>", "", "</block>"),
    (["</block>"], "< / </b </bl </block", "< / </b </bl </block", None),
    (["aab"], "aaab", "a", "aab"),
    (["stop", "halt"], "do halt or stop", "do ", "halt"),
    (["abcd", "bc"], "abcd", "a", "bc"),
    (["abc", "bc"], "abc", "", "abc"),
    (["bc", "abc"], "abc", "", "abc"),
    (["ab", "abc"], "abc", "", "ab"),
    (["\n\nHuman:"], "Hi.\n\nHuman: x", "Hi.", "\n\nHuman:"),
    (["🎉"], "a🎉b", "a", "🎉"),
    (["x"], "", "", None),
]


def cut(sequences: list[str], pieces: list[str]) -> tuple[str, str | None]:
    filter = StopFilter(sequences)
    out = "".join(map(filter.feed, pieces))
    return out + (filter.flush() if filter.matched is None else ""), filter.matched


@pytest.mark.parametrize(("sequences", "text", "kept", "matched"), CASES)
def test_the_text_ends_before_the_sequence_that_is_complete_first(
    sequences: list[str], text: str, kept: str, matched: str | None
) -> None:
    assert cut(sequences, [text]) == (kept, matched)
    assert cut(sequences, list(text)) == (kept, matched)
    for at in range(len(text)):
        assert cut(sequences, [text[:at], text[at:]]) == (kept, matched)


def test_only_what_could_become_a_sequence_is_held_back() -> None:
    filter = StopFilter(["</block>"])
    assert [filter.feed(piece) for piece in ("yes<", "/b", "r>", "<", "x")] == ["yes", "", "</br>", "", "<x"]


def test_nothing_comes_after_the_match() -> None:
    filter = StopFilter(["."])
    assert [filter.feed("a. b"), filter.feed("c"), filter.flush()] == ["a", "", ""]
