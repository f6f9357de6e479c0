"""Server-sent events: bytes in any pieces → events; events → bytes."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from claudegpt_pkg.errors import UpstreamFailed
from claudegpt_pkg.translate.wire import sse
from claudegpt_pkg.translate.wire.sse import Decoder, encode
from tests.support.grammar import read_sse


def decoded(*chunks: bytes) -> list[dict[str, Any]]:
    decoder = Decoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)] + decoder.flush()


ONE = {"type": "a", "text": "ü\u2028\u0085🎉"}
DATA = json.dumps(ONE, ensure_ascii=False).encode()

# Every way to write the same one event.
FORMS = {
    "data alone": b"data: %b\n\n" % DATA,
    "no space": b"data:%b\n\n" % DATA,
    "named": b"event: a\ndata: %b\n\n" % DATA,
    "name last": b"data: %b\nevent: a\nid: 7\n\n" % DATA,
    "crlf": b"event: a\r\ndata: %b\r\n\r\n" % DATA,
    "cr": b"event: a\rdata: %b\r\r" % DATA,
    "mixed": b"event: a\r\ndata: %b\n\r\n" % DATA,
    "comments": b": hello\n\n:data: no\nevent: a\ndata: %b\n\n: bye\n\n" % DATA,
    "retry": b"retry: 100\n\ndata: %b\n\n" % DATA,
    "byte order mark": b"\xef\xbb\xbfdata: %b\n\n" % DATA,
    "done": b"data: %b\n\ndata: [DONE]\n\n" % DATA,
    "blank lines": b"\n\n\ndata: %b\n\n\n\n" % DATA,
    "no end": b"data: %b" % DATA,
    "one newline at the end": b"data: %b\n" % DATA,
    "the word data in a name": b"event: data: x\ndata: %b\n\n" % DATA,
    "two data lines": b'data: {"type": "a",\ndata: %b\n\n' % DATA.removeprefix(b'{"type": "a",'),
    "empty data": b"data\n\ndata:\n\ndata: %b\n\n" % DATA,
}


@pytest.mark.parametrize("form", FORMS)
def test_an_event_is_read_however_it_is_written_and_cut(form: str) -> None:
    stream = FORMS[form]
    assert decoded(stream) == [ONE]
    assert decoded(*(stream[at : at + 1] for at in range(len(stream)))) == [ONE]
    for at in range(len(stream)):
        assert decoded(stream[:at], stream[at:]) == [ONE], stream[:at]


def test_chunks_without_bytes_change_nothing() -> None:
    assert decoded(b"", b"data: {}\r", b"", b"\n\r", b"", b"\n", b"data: {}\n\n") == [{}, {}]


def test_an_event_is_given_out_by_the_chunk_that_completes_it() -> None:
    decoder = Decoder()
    assert decoder.feed(b'data: {"n":1}\n\ndata: {"n"') == [{"n": 1}]
    assert decoder.feed(b":2}\n") == []
    assert decoder.feed(b'\ndata: {"n":3}\n\n') == [{"n": 2}, {"n": 3}]


@pytest.mark.parametrize("data", [b"[1]", b"7", b"null", b'"x"'])
def test_data_that_is_no_object_is_passed_over(data: bytes) -> None:
    assert decoded(b"data: %b\n\n" % data) == []


def test_data_that_is_no_json_is_the_upstreams_fault() -> None:
    with pytest.raises(UpstreamFailed, match=r"not JSON.*<html>"):
        decoded(b"data: <html>\n\n")


def test_a_stream_cut_within_an_event_gives_what_was_whole() -> None:
    assert decoded(b'data: {"n":1}\n\ndata: {"n":') == [{"n": 1}]


def test_half_an_emoji_in_an_event_does_not_end_the_stream() -> None:
    assert decoded(b'data: {"text":"\\ud83d"}\n\n') == [{"text": "\ufffd"}]


@pytest.mark.parametrize(
    ("deltas", "told"),
    [
        (("a \\ud83d", "\\ude00 b"), ["a ", "😀 b"]),
        (("\\ud83d", "\\ude00\\ud83d", "\\ude00"), ["", "😀", "😀"]),
        (("a\\ude00", "b\\ud83dc"), ["a\ufffd", "b\ufffdc"]),
    ],
)
def test_an_emoji_cut_between_two_deltas_is_whole_again(deltas: tuple[str, ...], told: list[str]) -> None:
    assert [
        event["delta"] for event in decoded(*[b'data: {"delta":"%b"}\n\n' % each.encode() for each in deltas])
    ] == told


def test_each_half_waits_for_its_own_other_half() -> None:
    first = b'data: {"item_id":"one","delta":"\\ud83d"}\n\ndata: {"item_id":"two","delta":"\\ud83c"}\n\n'
    other = b'data: {"item_id":"one","delta":"\\ude00"}\n\ndata: {"item_id":"two","delta":"\\udf0d"}\n\n'
    assert [event["delta"] for event in decoded(first, other)] == ["", "", "😀", "🌍"]


def test_a_single_huge_event_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT", 1000)
    decoder = Decoder()
    decoder.feed(b"data: " + b"x" * 900)
    with pytest.raises(UpstreamFailed, match="single event"):
        decoder.feed(b"x" * 200)


def test_many_small_events_have_no_limit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT", 1000)
    assert len(decoded(*[b"data: {}\n\n"] * 2000)) == 2000


def test_an_event_is_written_on_two_lines_and_a_blank_one() -> None:
    assert encode({"type": "ping"}) == b'event: ping\ndata: {"type":"ping"}\n\n'
    assert read_sse(encode({"type": "x", "text": "a\nb\r\u2028c"})) == [{"type": "x", "text": "a\nb\r\u2028c"}]


def test_the_type_may_stand_only_in_the_event_line() -> None:
    sent = b'event: response.output_text.delta\ndata: {"delta":"x"}\n\nevent: a\ndata: {"type":"b"}\n\n'
    assert [event["type"] for event in Decoder().feed(sent)] == ["response.output_text.delta", "b"]


def test_halves_of_emojis_do_not_pile_up() -> None:
    decoder = Decoder()
    for number in range(1000):
        decoder.feed(b'data: {"type":"d","item_id":"%d","delta":"\\ud83d"}\n\n' % number)
    assert len(decoder._halves) < 100


def test_an_event_nested_too_deeply_is_the_upstreams_failure() -> None:
    deep = b"[" * 5000 + b"]" * 5000
    with pytest.raises(UpstreamFailed):
        Decoder().feed(b'data: {"a":' + deep + b"}\n\n")
    for levels in (900, 1100, 5000, 200_000):
        deep = b"[" * levels + b"]" * levels
        with suppress(UpstreamFailed):
            Decoder().feed(b'data: {"b":"\\ud83d","a":' + deep + b"}\n\n")
