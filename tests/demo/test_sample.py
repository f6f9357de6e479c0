from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.demo.sample import Sampler, title

WORDS = 'put "red" and 7 in Berlin'
SAMPLES: list[tuple[dict[str, Any], Any]] = [
    ({"type": "string"}, "red"),
    ({"type": "integer"}, 7),
    ({"type": "number", "minimum": 10}, 10),
    ({"type": "integer", "exclusiveMinimum": 7}, 8),
    ({"type": "boolean"}, False),
    ({"type": "null"}, None),
    ({"type": ["null", "string"]}, "red"),
    ({"enum": ["b", "a"]}, "b"),
    ({"const": 3}, 3),
    ({"type": "string", "format": "date"}, "2026-01-01"),
    ({"type": "string", "maxLength": 2}, "re"),
    ({"type": "string", "minLength": 5}, "red.."),
    ({"type": "array", "items": {"type": "string"}}, ["red"]),
    ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [7, 1]),
    ({"type": "array"}, []),
    ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 7),
    ({"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}]}, {"a": 7}),
    ({"$ref": "#/$defs/colour", "$defs": {"colour": {"type": "string"}}}, "red"),
    ({"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]}, {"a": "red"}),
    ({"properties": {"a": {"type": "string"}, "b": {"type": "string"}}}, {"a": "red", "b": "Berlin"}),
    ({"properties": {"title": {"type": "string"}}}, {"title": "Put red and 7 in Berlin"}),
    ({}, "red"),
]


@pytest.mark.parametrize(("schema", "value"), SAMPLES)
def test_a_value_fits_its_schema_and_uses_the_users_words(schema: dict[str, Any], value: Any) -> None:
    assert Sampler(schema, WORDS).value() == value


def test_a_schema_that_refers_to_itself_ends() -> None:
    tree: dict[str, Any] = {"type": "object", "properties": {"child": {"$ref": "#"}}, "required": ["child"]}

    assert Sampler(tree, "").value()["child"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("fix the login page, please", "Fix the login page, please"),
        ("<session>\nwhat is in this folder?\n</session>\n\nWrite the title in English.", "What is in this folder"),
        ("", "claudegpt demo"),
    ],
)
def test_a_title_is_the_first_words(words: str, expected: str) -> None:
    assert title(words) == expected
