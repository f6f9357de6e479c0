"""JSON as both wires need it."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.translate.wire.json_text import dumps, loads, mend_surrogates


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a":1}', {"a": 1}),
        ('{"a":1}', {"a": 1}),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"\\ud83d"', "\ufffd"),
        (b'"\\ude00"', "\ufffd"),
        (b'"\\uD83D cut"', "\ufffd cut"),
        (b'"\\ude00\\ud83d"', "\ufffd\ufffd"),
        (b'{"\\ud83d":["\\ud83d\\ude00","\\udbff"]}', {"\ufffd": ["😀", "\ufffd"]}),
        (b'"\\\\ud83d"', "\\ud83d"),
        ('"ü\\ud83d"', "ü\ufffd"),
    ],
)
def test_half_an_emoji_becomes_a_replacement_character_and_the_rest_is_kept(data: bytes | str, value: Any) -> None:
    assert loads(data) == value


@pytest.mark.parametrize("data", [b"", b"{", b"nonsense", b'{"a":NaN}', b'"\\ud83d', b'["\\ud83d",NaN]', b'"\xff"'])
def test_what_is_no_json_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        loads(data)


def test_keys_keep_their_order_and_nothing_is_padded() -> None:
    assert dumps({"b": 1, "a": {"d": "ü", "c": [1, 2.5, None]}}) == '{"b":1,"a":{"d":"ü","c":[1,2.5,null]}}'


def test_what_was_read_can_always_be_written() -> None:
    for text in ('"\\ud83d"', "1e400", "123456789012345678901234567890", '"\\u0000"'):
        try:
            value = loads(text)
        except ValueError:
            continue
        assert loads(dumps(value)) == value


def test_half_an_emoji_nested_deeply_is_a_value_error() -> None:
    for levels in (900, 5000):
        with pytest.raises(ValueError, match=r".+"):
            loads("[" * levels + '"\\ud83d"' + "]" * levels + "x")
    with pytest.raises(ValueError, match="too deeply"):
        loads("[" * 200_000 + '"\\ud83d"' + "]" * 200_000)


def test_what_can_be_read_but_not_mended_is_a_value_error() -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ValueError, match="too deeply"):
        mend_surrogates(value)
    while value:  # by hand: freeing it at once would recurse as deeply
        value = value.pop()  # type: ignore[assignment]
