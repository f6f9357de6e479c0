"""A call's arguments: as they arrive, and always one JSON object in the end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegpt_pkg.translate.answer.arguments import (
    MAX_DEPTH,
    UNPARSED,
    ArgumentStream,
    parallel_calls,
    read_arguments,
)
from tests.support.strategies import json_values, words
from tests.support.upstreams import cut

EMPTIES = {"pages": frozenset({'""', "null"})}


def streamed(*pieces: str, whole: str = "", **options: Any) -> tuple[str, str]:
    """What goes out while the pieces arrive, and at the end."""
    arguments = ArgumentStream(options.pop("empties", {}))
    early = "".join(map(arguments.feed, pieces))
    return early, arguments.finish(whole, **options)


def read(*pieces: str, **options: Any) -> Any:
    return json.loads("".join(streamed(*pieces, **options)))


@pytest.mark.parametrize(
    ("pieces", "early", "rest"),
    [
        (['{"a":"x', 'y"'], '{"a":"xy"', None),
        (['{"a"', ":1", "2"], "{", None),  # a number may go on
        (['{"a":12,'], '{"a":12', ""),
        (['{ "a" : [ 1 , {"b":nul'], '{ "a" : [ 1 , {', None),
        (['{"a":"x\\'], '{"a":"x', None),  # half an escape
        (['{"a":"x\\u00', '41"'], '{"a":"x\\u0041"', None),
        (['{"a":1}'], '{"a":1', "}"),
        (["  {"], "  {", None),
    ],
)
def test_what_has_begun_goes_out_at_once(pieces: list[str], early: str, rest: str | None) -> None:
    out, end = streamed(*pieces)
    assert out == early
    if rest is not None:
        assert end.startswith(rest)


BROKEN: list[tuple[str, Any]] = [
    ("[1]", {}),
    ("7", {}),
    ('"text"', {}),
    ('{"a" 1}', {}),
    ('{"a":tru}', {}),
    ('{"a":01}', {}),
    ("{,}", {}),
    ('{"a":1}{"b":2}', {"a": 1}),
    ('{"a":1,}', {"a": 1}),
    ('{"a":1]', {"a": 1}),
    ('{"a":[1,]}', {"a": None}),
    ('{"a":[}', {"a": None}),
    ('{"a":"rm -rf /', {"a": None}),
    ('{"a":1,"b":{"c":"rm -rf /', {"a": 1, "b": None}),
    ('{"a":1,"b', {"a": 1}),
    ('{"a":1,"b":', {"a": 1}),
    ('{"a":1', {}),
    ("{" + '"a":{' * (MAX_DEPTH + 1), {"a": None}),
    ('{"a":' + "1" * 500, {}),
    ('{"a":1e999,"b":"x', {"a": float("inf"), "b": None}),
]


@pytest.mark.parametrize(("text", "kept"), BROKEN)
def test_what_is_no_object_says_so_and_no_half_value_stays(text: str, kept: Any) -> None:
    for pieces in ([text], list(text)):
        assert read(*pieces) == {**kept, UNPARSED: text}
        assert read(*pieces, whole=text) == {**kept, UNPARSED: text}


@pytest.mark.parametrize(("text", "kept"), BROKEN)
def test_the_servers_last_word_counts_if_it_is_an_object(text: str, kept: Any) -> None:
    whole = {"a": "ls", "z": 1}
    result = read(*text, whole=json.dumps(whole))
    assert {**result, **whole} == result
    assert result.keys() - whole.keys() <= {"b"} and result.get("b") is None
    assert read(text, whole=json.dumps({"a": None})).get("a") is None


def test_the_last_word_may_differ_from_an_object_that_streamed() -> None:
    assert read("{}", whole='{"a":1}') == {"a": 1}
    assert read('{"a":1}', whole='{"a":2,"b":3}') == {"a": 2, "b": 3}
    assert streamed('{"a":1e3}', whole='{"a":1000.0}') == ('{"a":1e3', "}")
    assert read('{"a":1}', whole="no object") == {"a": 1}


def test_the_rest_of_a_text_that_streamed_in_part_goes_out_unchanged() -> None:
    assert streamed('{"a":"l', whole='{"a":"ls" }') == ('{"a":"l', 's" }')


@pytest.mark.parametrize("text", ["", "null", "  \n", '"{}"', '"null"'])
def test_no_arguments_are_an_empty_object(text: str) -> None:
    assert read(*text) == read(text, whole=text) == {}


def test_an_object_within_a_string_is_the_object() -> None:
    assert read(*json.dumps('{"a":"b"}')) == {"a": "b"}


def test_what_json_does_not_allow_within_a_string_is_escaped() -> None:
    assert read('{"a":"x\ny\x00"}') == {"a": "x\ny\x00"}
    assert read('{"a":"C:\\q"}') == {"a": "C:\\q"}


def test_only_the_length_limit_may_leave_half_an_object() -> None:
    assert "".join(streamed('{"a":"x","b', may_be_cut=True)) == '{"a":"x","b'
    assert "".join(streamed('{"a":"x","pages":"', may_be_cut=True, empties=EMPTIES)) == '{"a":"x","pages":"'
    assert read('{"a":', whole='{"a":1}', may_be_cut=True) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "whole", "result"),
    [
        ('{"pages":"","a":"x', "", {"a": None, UNPARSED: '{"pages":"","a":"x'}),
        ('{"pages":"', "", {"pages": None, UNPARSED: '{"pages":"'}),
        ('{"pages":"",', "", {UNPARSED: '{"pages":"",'}),
        ('{"a":1,"pages":"",', "", {"a": 1, UNPARSED: '{"a":1,"pages":"",'}),
        ('{"a":1,', '{"a":1,"pages":""}', {"a": 1}),
        ("nothing", '{"a":1,"pages":""}', {"a": 1}),
        ('{"pages":"1', '{"pages":null}', {"pages": None}),
        ('{"a":"x" b', '{"a":"x"}', {"a": "x"}),
    ],
)
def test_a_completed_object_has_no_senseless_values_either(text: str, whole: str, result: Any) -> None:
    assert read(*text, whole=whole, empties=EMPTIES) == result


def test_a_number_that_is_too_large_is_passed_on() -> None:
    assert read('{"a":1e999}', whole='{"a":1e999}') == {"a": float("inf")}


@given(st.data(), st.dictionaries(words, json_values, max_size=4), st.integers(0, 2))
def test_an_object_goes_out_unchanged_however_it_is_cut(data: st.DataObject, value: Any, indent: int) -> None:
    text = json.dumps(value, indent=indent or None, ensure_ascii=data.draw(st.booleans()))
    assert "".join(streamed(*cut(data.draw, text), whole=text)) == text


@given(st.data(), st.text(alphabet='{}[]",:\\ ntrue01ab\n'), st.text(alphabet='{}[]",:\\ ab1'))
def test_whatever_arrives_one_object_goes_out(data: st.DataObject, text: str, whole: str) -> None:
    assert isinstance(read(*cut(data.draw, "{" + text), whole=whole, empties={"a": frozenset({'""'})}), dict)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (None, {}),
        ("", {}),
        (" ", {}),
        ({"a": 1}, {"a": 1}),
        ('{"a":1}', {"a": 1}),
        ('"{\\"a\\":1}"', {"a": 1}),
        ("[1]", None),
        ("no", None),
        (7, None),
        (json.dumps(json.dumps(json.dumps(json.dumps({})))), None),
    ],
)
def test_arguments_mean_an_object_or_none(given: Any, meant: Any) -> None:
    assert read_arguments(given) == meant


def test_several_calls_in_one_are_the_calls() -> None:
    uses = [
        {"recipient_name": "functions.Bash", "parameters": {"command": "ls"}},
        {"recipient_name": "Read", "parameters": '{"file_path":"/a"}'},
    ]
    calls = [("Bash", {"command": "ls"}), ("Read", {"file_path": "/a"})]
    assert parallel_calls("multi_tool_use.parallel", {"tool_uses": uses}) == calls
    assert parallel_calls("multi_tool_use_parallel", json.dumps({"tool_uses": uses})) == calls


@pytest.mark.parametrize(
    "uses", [None, 7, [], [7], [{}], [{"recipient_name": 7}], [{"recipient_name": "Bash", "parameters": 7}]]
)
def test_several_calls_that_cannot_be_read_are_none(uses: Any) -> None:
    assert parallel_calls("multi_tool_use.parallel", {"tool_uses": uses}) == []
    assert parallel_calls("Bash", {"tool_uses": [{"recipient_name": "Read", "parameters": {}}]}) == []


def test_an_object_nested_too_deeply_to_be_written_says_so() -> None:
    value: Any = {}
    for _ in range(300):
        value = {"a": value}
    assert read("nothing", whole=json.dumps(value)) == {UNPARSED: "The arguments are nested too deeply."}
    assert read('{"b":"x', whole=json.dumps({"b": [[1]], "c": value}))["b"] is not None
