"""The top of a tool's input schema becomes an object."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from claudegpt_pkg.translate.request.schemas import function_parameters
from tests.translate.request.test_schemas import OBJECT, check, with_property

CHANGED_AT_TOP: list[tuple[dict[str, Any], dict[str, Any]]] = [
    *(({"$ref": broken}, OBJECT) for broken in ("#/definitions/Missing", "https://x.test/schema", "#", 7, None)),
    ({}, OBJECT),
    ({"type": "object"}, OBJECT),
    ({"type": "object", "properties": None}, OBJECT),
    ({"properties": {"a": {}}}, with_property({})),
    ({"$schema": "http://json-schema.org/draft-07/schema#", **OBJECT}, OBJECT),
    ({**OBJECT, "required": None}, OBJECT),
    ({**OBJECT, "required": True}, OBJECT),
    ({**OBJECT, "enum": [{}], "not": {}}, OBJECT),
    (
        {"type": ["object", "null"], "properties": {"a": {}}, "required": ["a"], "description": "d"},
        {"type": "object", "properties": {"a": {}}, "required": ["a"], "description": "d"},
    ),
    (
        {
            "type": "object",
            "anyOf": [
                {"properties": {"a": {"type": "string"}, "c": {}}, "required": ["a", "c"]},
                {"properties": {"b": {"type": "string"}, "c": {}}, "required": ["b", "c"]},
            ],
        },
        {
            "type": "object",
            "properties": {"b": {"type": "string"}, "c": {}, "a": {"type": "string"}},
            "required": ["c"],
        },
    ),
    (
        {
            "type": "object",
            "properties": {"a": {"type": "integer"}},
            "allOf": [{"properties": {"a": {"type": "string"}, "b": {}}, "required": ["b"]}, {"required": ["a"]}],
        },
        {"type": "object", "properties": {"a": {"type": "integer"}, "b": {}}, "required": ["a", "b"]},
    ),
    (
        {"anyOf": [{"allOf": [{"properties": {"a": {}}}, {"required": ["a"]}]}, {"properties": {"a": {}, "b": {}}}]},
        {"type": "object", "properties": {"a": {}, "b": {}}},
    ),
    (
        {"$ref": "#/definitions/Args", "definitions": {"Args": {**with_property({}), "required": ["a"]}}},
        {
            "type": "object",
            "properties": {"a": {}},
            "required": ["a"],
            "definitions": {"Args": {**with_property({}), "required": ["a"]}},
        },
    ),
    (
        {"oneOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}], "$defs": {"A": with_property({}), "B": OBJECT}},
        {**with_property({}), "$defs": {"A": with_property({}), "B": OBJECT}},
    ),
]


@pytest.mark.parametrize(("schema", "taken"), CHANGED_AT_TOP)
def test_the_top_becomes_an_object_that_accepts_at_least_what_the_schema_accepted(
    schema: dict[str, Any], taken: dict[str, Any]
) -> None:
    before = copy.deepcopy(schema)
    assert function_parameters(schema).schema == taken
    assert schema == before
    check(taken)


ALL_NINE = [{"$ref": f"#/$defs/{n}"} for n in range(9)]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}},
        {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {
            "$ref": "#/$defs/0",
            "$defs": {str(n): {"anyOf": [{"$ref": f"#/$defs/{m}"} for m in range(9)]} for n in range(9)},
        },
    ],
)
def test_circular_references_do_not_hang(schema: dict[str, Any]) -> None:
    check(function_parameters(schema).schema)


def test_variants_within_variants_do_not_hang() -> None:
    schema: dict[str, Any] = with_property({})
    for _ in range(450):
        schema = {"anyOf": [schema]}
    check(function_parameters(schema).schema)
