"""Arguments stream through as they are; an empty optional one that its schema makes senseless does not come out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claudegpt_pkg.translate.answer.argument_filter import ArgumentFilter, senseless_values

PAGES = {"type": "string", "description": 'Page range for PDF files (e.g., "1-5", "3", "10-20").'}

# A property's schema, and the empty values it makes senseless.
RULES: list[tuple[dict[str, Any] | bool, set[str]]] = [
    (PAGES, {'""', "null"}),
    ({"type": "string"}, {"null"}),
    ({"type": "string", "description": "The text to replace it with"}, {"null"}),
    ({"type": "string", "minLength": 1}, {'""', "null"}),
    ({"type": "string", "minLength": 0}, {"null"}),
    ({"type": "string", "minLength": None}, {"null"}),
    ({"type": "string", "pattern": "^[0-9]+$"}, {'""', "null"}),
    ({"type": "string", "pattern": "^[0-9]*$"}, {"null"}),
    ({"type": "string", "pattern": "(?<bad"}, {"null"}),
    ({"type": "string", "format": "uri"}, {'""', "null"}),
    ({"type": "string", "enum": ["a", "b"]}, {'""', "null"}),
    ({"type": "string", "enum": ["a", ""]}, {"null"}),
    ({"type": "string", "enum": ["a", None]}, {'""'}),
    ({"type": "string", "nullable": True}, set()),
    ({"type": "array"}, {"null"}),
    ({"type": "array", "minItems": 1}, {"null", "[]"}),
    ({"type": "integer"}, {"null"}),
    ({"type": "object"}, {"null"}),
    ({"type": "null"}, set()),
    ({"type": ["string", "null"], "minLength": 1}, set()),
    ({"anyOf": [{"type": "string"}, {"type": "null"}]}, set()),
    ({"$ref": "#/$defs/x"}, set()),
    ({}, set()),
    (True, set()),
]


@pytest.mark.parametrize(("rule", "empties"), RULES)
def test_the_schema_says_which_empty_values_are_senseless(rule: Any, empties: set[str]) -> None:
    assert senseless_values({"properties": {"p": rule}}) == ({"p": frozenset(empties)} if empties else {})
    assert senseless_values({"properties": {"p": rule}, "required": ["p"]}) == {}


@pytest.mark.parametrize("schema", [{}, {"properties": None}, {"properties": []}, {"properties": {}, "required": None}])
def test_a_schema_without_properties_says_nothing(schema: dict[str, Any]) -> None:
    assert senseless_values(schema) == {}


def test_the_clients_own_free_texts_are_never_touched() -> None:
    edit = {
        "properties": {name: {"type": "string"} for name in ("file_path", "old_string", "new_string")}
        | {"replace_all": {"type": "boolean", "default": False}},
        "required": ["file_path", "old_string", "new_string"],
    }
    grep = {"properties": {"pattern": {"type": "string"}, "glob": {"type": "string", "description": "e.g. *.js"}}}
    assert '""' not in {text for empties in senseless_values(edit).values() for text in empties}
    assert '""' not in {text for empties in senseless_values(grep).values() for text in empties}


EMPTIES = {"pages": frozenset({'""', "null"}), "limit": frozenset({"null"}), "list": frozenset({"[]", "null"})}

ARGUMENTS: list[tuple[str, str]] = [
    ("", ""),
    ("{}", "{}"),
    (" { } ", " { } "),
    ('{"file_path":"/a","pages":""}', '{"file_path":"/a"}'),
    ('{"pages":"","file_path":"/a"}', '{"file_path":"/a"}'),
    ('{"a":1,"pages":"","b":2}', '{"a":1,"b":2}'),
    ('{"pages":""}', "{}"),
    ('{"pages":"","limit":null,"list":[]}', "{}"),
    ('{ "pages" : "" , "a" : 1 }', '{ "a" : 1 }'),
    ('{"a":1, "limit": null\n}', '{"a":1}'),
    ('{"pages":"1-5"}', '{"pages":"1-5"}'),
    ('{"pages":"\\""}', '{"pages":"\\""}'),
    ('{"pages":"\\u0000"}', '{"pages":"\\u0000"}'),
    ('{"limit":0,"list":[1]}', '{"limit":0,"list":[1]}'),
    ('{"limit":nulled}', '{"limit":nulled}'),
    ('{"list":[[]]}', '{"list":[[]]}'),
    ('{"new_string":"","b":null,"c":[]}', '{"new_string":"","b":null,"c":[]}'),
    ('{"deep":{"pages":"","x":[{"limit":null}]}}', '{"deep":{"pages":"","x":[{"limit":null}]}}'),
    ('{"a":"{\\"pages\\":\\"\\"}"}', '{"a":"{\\"pages\\":\\"\\"}"}'),
    ('{"a":"x,\\\\","pages":""}', '{"a":"x,\\\\"}'),
    ('{"a":"} ] ,","pages":"","b":"\\ud83d"}', '{"a":"} ] ,","b":"\\ud83d"}'),
    ('{"\\u0070ages":""}', '{"\\u0070ages":""}'),
    ('{"a":1}   \n\n\n', '{"a":1}   \n\n\n'),
    ("[1,2]", "[1,2]"),
    ("not json", "not json"),
    ("{,", "{,"),
    ('{,"a":1}', '{,"a":1}'),
    ('{"limit":null,,"a":1}', '{,"a":1}'),
    ('"pages"', '"pages"'),
    # Cut by the token limit: what was held comes out.
    ('{"a":1,"pages":"', '{"a":1,"pages":"'),
    ('{"a":1,"pages":""', '{"a":1,"pages":""'),
    ('{"a":1,"li', '{"a":1,"li'),
    ('{"a":1,', '{"a":1,'),
    ('{"a":"\\', '{"a":"\\'),
    ('{"pages":"","lim', '{"lim'),
]


def filtered(*pieces: str) -> str:
    filter = ArgumentFilter(EMPTIES)
    return "".join(map(filter.feed, pieces)) + filter.flush()


@pytest.mark.parametrize(("given", "kept"), ARGUMENTS)
def test_only_senseless_empties_go_however_the_text_is_cut(given: str, kept: str) -> None:
    assert filtered(given) == kept
    assert filtered(*given) == kept
    for at in range(len(given)):
        assert filtered(given[:at], given[at:]) == kept


def test_what_comes_out_of_valid_json_is_valid_json() -> None:
    for given, kept in ARGUMENTS:
        try:
            json.loads(given)
        except ValueError:
            continue
        json.loads(kept)


def test_a_long_text_goes_out_as_it_arrives() -> None:
    filter = ArgumentFilter(EMPTIES)
    pieces = ['{"content":"', "line one\\n", "line two", '"', ',"pages":', '"', '"', "}"]
    assert [filter.feed(piece) for piece in pieces] == ['{"content":"', "line one\\n", "line two", '"', "", "", "", "}"]


def test_a_held_value_is_let_go_as_soon_as_it_cannot_be_empty() -> None:
    filter = ArgumentFilter(EMPTIES)
    assert [filter.feed(piece) for piece in ('{"pages":"', "1", '-5"}')] == ["{", '"pages":"1', '-5"}']
