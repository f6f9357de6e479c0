"""A tool's input schema as function parameters that every backend takes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from claudegpt_pkg.translate.request.schema_top import REFUSED_AT_TOP
from claudegpt_pkg.translate.request.schemas import (
    KEYWORDS,
    MAX_DEPTH,
    MOST_BYTES_KEPT,
    function_parameters,
)

OBJECT: dict[str, Any] = {"type": "object", "properties": {}}
METASCHEMA = Draft202012Validator(Draft202012Validator.META_SCHEMA, format_checker=FormatChecker(["regex"]))


def with_property(schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": schema}}


def property_of(schema: Any, **beside: Any) -> Any:
    """What becomes of a property's schema."""
    return function_parameters({**with_property(schema), **beside}).schema["properties"]["a"]


def changed(schema: Any) -> tuple[str, ...]:
    return function_parameters(with_property(schema)).changed


def subschemas(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema within a schema, which is a valid one."""
    if not isinstance(schema, dict):
        return
    yield schema
    for keyword, value in schema.items():
        if keyword in ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"):
            for inner in value.values():
                yield from subschemas(inner)
        elif keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
            for inner in value:
                yield from subschemas(inner)
        elif keyword in KEYWORDS and keyword not in ("enum", "const", "default", "examples"):
            yield from subschemas(value)


def check(schema: Any) -> None:
    """Fail if a backend would refuse the schema as a function's parameters."""
    METASCHEMA.validate(schema)
    assert schema["type"] == "object" and isinstance(schema["properties"], dict)
    assert not schema.keys() & set(REFUSED_AT_TOP)
    for inner in subschemas(schema):
        kind = inner.get("type")
        if kind == "array" or (isinstance(kind, list) and "array" in kind) or "prefixItems" in inner:
            assert isinstance(inner["items"], dict)
        if "$ref" in inner:
            resource = DRAFT202012.create_resource(schema)
            Registry().with_resource("", resource).resolver().lookup(inner["$ref"])  # raises if it is broken


UNTOUCHED: list[dict[str, Any]] = [
    OBJECT,
    {**with_property({"type": ["string", "null"], "minLength": 1}), "additionalProperties": False},
    {"type": "object", "properties": {"type": {"enum": ["array"]}, "items": {"type": "string"}}, "$defs": {"x": {}}},
    with_property({"oneOf": [{"type": "string"}, {"type": "array", "items": {}}]}),
    with_property({"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "string"}}),
    with_property({"default": {"type": "array"}, "examples": [{"type": "array"}]}),
    {"type": "object", "properties": {"a": {"enum": [{"type": "array"}, 1, True]}, "b": {"const": {"type": "array"}}}},
    {**with_property({"$ref": "#/$defs/x~1y"}), "$defs": {"x/y": {"properties": {"next": {"$ref": "#"}}}}},
    {"type": "object", "properties": {"required": {"type": "string"}, "$ref": {"type": "string"}}},
    {"type": "object", "properties": {}, "patternProperties": {"^x-": {"type": "integer", "exclusiveMinimum": 0}}},
    with_property({"nullable": True, "x-order": 1, "multipleOf": 0.5, "uniqueItems": True, "pattern": "^[a-z]+$"}),
]


@pytest.mark.parametrize("schema", UNTOUCHED)
def test_a_schema_that_backends_take_is_the_very_same_object(schema: dict[str, Any]) -> None:
    assert function_parameters(schema).schema is schema
    assert function_parameters(schema).changed == ()
    check(schema)


CHANGED: list[tuple[Any, Any]] = [
    # Draft 3 and draft 4.
    ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, {"type": "number", "exclusiveMinimum": 0}),
    ({"type": "number", "exclusiveMinimum": True}, {"type": "number"}),
    ({"maximum": 9, "exclusiveMaximum": False}, {"maximum": 9}),
    ({"type": "string", "required": True}, {"type": "string"}),
    # Tuples.
    (
        {"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}]},
        {"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}], "items": {"type": "number"}},
    ),
    (
        {"type": "array", "prefixItems": [{"type": "number"}, {"type": "string"}], "items": False},
        {
            "type": "array",
            "prefixItems": [{"type": "number"}, {"type": "string"}],
            "items": {"anyOf": [{"type": "number"}, {"type": "string"}]},
            "maxItems": 2,
        },
    ),
    (
        {"type": "array", "items": [{"type": "number"}, {"type": "string"}], "additionalItems": False},
        {
            "type": "array",
            "prefixItems": [{"type": "number"}, {"type": "string"}],
            "items": {"anyOf": [{"type": "number"}, {"type": "string"}]},
            "maxItems": 2,
        },
    ),
    (
        {"type": "array", "items": [{"type": "number"}], "additionalItems": {"type": "string"}},
        {
            "type": "array",
            "prefixItems": [{"type": "number"}],
            "items": {"anyOf": [{"type": "number"}, {"type": "string"}]},
        },
    ),
    ({"type": "array", "items": []}, {"type": "array", "items": {}}),
    ({"type": "array", "items": True}, {"type": "array", "items": {}}),
    ({"type": "array", "items": False}, {"type": "array", "items": {}, "maxItems": 0}),
    ({"type": "array"}, {"type": "array", "items": {}}),
    ({"items": {"type": ["array", "null"]}}, {"items": {"type": ["array", "null"], "items": {}}}),
    ({"anyOf": [{"type": "array"}, {"type": "null"}]}, {"anyOf": [{"type": "array", "items": {}}, {"type": "null"}]}),
    # Types.
    ({"type": "any"}, {}),
    ({"type": ["string", "any"]}, {}),
    ({"type": []}, {}),
    ({"type": None}, {}),
    ({"type": "String"}, {"type": "string"}),
    ({"type": ["int", "integer", "none"]}, {"type": ["integer", "null"]}),
    ({"type": "list"}, {"type": "array", "items": {}}),
    # Lists that must hold something, or each thing once.
    ({"type": "string", "enum": []}, {"type": "string"}),
    ({"enum": ["a", "b", "a"]}, {"enum": ["a", "b"]}),
    ({"enum": "a"}, {}),
    ({"anyOf": []}, {}),
    ({"oneOf": {"type": "string"}}, {}),
    ({"allOf": [{"type": "string"}, 7, False, True]}, {"allOf": [{"type": "string"}, {}]}),
    ({"type": "object", "required": ["a", "a", 1]}, {"type": "object", "required": ["a"]}),
    # Values of the wrong kind.
    ({"minLength": -1, "maxLength": "9", "minItems": 1.5, "maxItems": 4.0}, {"maxItems": 4}),
    ({"minimum": "0", "maximum": True, "multipleOf": 0}, {}),
    ({"description": None, "title": 3, "format": [], "uniqueItems": "yes"}, {}),
    ({"default": None, "examples": "x", "const": None}, {"default": None, "const": None}),
    ({"additionalProperties": "no"}, {}),
    ({"additionalProperties": {"type": "any"}}, {"additionalProperties": {}}),
    ({"properties": ["a"]}, {}),
    ({"properties": {"x": "string", "y": None, "z": False, "w": True}}, {"properties": {"x": {}, "y": {}, "w": {}}}),
    ({"not": None, "if": 1, "then": {"type": "str"}}, {"then": {"type": "string"}}),
    # Patterns.
    ({"pattern": "^\\p{L}+$"}, {}),
    ({"pattern": "("}, {}),
    ({"pattern": 1}, {}),
    ({"pattern": "a" * 10_001}, {}),
    ({"pattern": "a{99999999999}"}, {}),
    ({"patternProperties": {"(": {}, "a": {"type": "any"}}}, {"patternProperties": {"a": {}}}),
    # Names of schemas, and references.
    ({"$id": "x", "$schema": "y", "$anchor": "z", "type": "string"}, {"type": "string"}),
    ({"$ref": "#/$defs/Missing", "description": "d"}, {"description": "d"}),
    ({"$ref": "https://example.com/schema.json"}, {}),
    ({"$ref": "#name"}, {}),
    ({"$ref": 7}, {}),
    ({"$ref": "#/properties/a"}, {}),
    ({"items": {"anyOf": [{"$ref": "#/$defs/Missing"}]}}, {"items": {"anyOf": [{}]}}),
    ({"additionalProperties": False, "items": {"$ref": "#/x"}}, {"additionalProperties": False, "items": {}}),
]


@pytest.mark.parametrize(("schema", "taken"), CHANGED)
def test_what_is_no_valid_schema_is_changed_or_taken_out(schema: Any, taken: Any) -> None:
    before = copy.deepcopy(schema)
    made = property_of(schema)
    assert made == taken
    assert json.dumps(made, sort_keys=True) == json.dumps(taken, sort_keys=True)  # `true` is not 1
    assert schema == before
    check(with_property(made))


@pytest.mark.parametrize(("schema", "taken"), CHANGED)
def test_every_change_is_noted_except_for_identifiers(schema: Any, taken: Any) -> None:
    if "$id" in schema:
        assert changed(schema) == ()
    else:
        assert changed(schema)


def test_required_flags_of_properties_become_the_objects_list() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "required": True}, "b": {"required": False}}}
    assert function_parameters(schema).schema == {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {}},
        "required": ["a"],
    }


def test_a_schema_that_is_nested_too_deeply_accepts_anything_from_there() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(400):
        schema = with_property(schema)
    made = function_parameters(schema)
    check(made.schema)
    assert made.changed == ("nesting",)
    assert json.dumps(made.schema).count("properties") == MAX_DEPTH + 1


@pytest.mark.parametrize("keyword", ["default", "const", "enum", "examples"])
def test_data_that_is_nested_too_deeply_is_taken_out(keyword: str) -> None:
    data: list[Any] = []
    for _ in range(60):
        data = [data]
    assert property_of({"type": "string", keyword: data}) == {"type": "string"}


def test_the_same_schema_gives_the_same_parameters_from_memory_or_not() -> None:
    for padding in ("", "x" * MOST_BYTES_KEPT):
        schema = {"type": "object", "properties": {"a": {"type": "any"}}, "description": padding}
        first, second = function_parameters(schema), function_parameters(copy.deepcopy(schema))
        assert first == second and first.schema["properties"] == {"a": {}} and first.changed == ("type",)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["string", "any", "array", "int", "#/$defs/x", "#", "(", "^a$", "a", ""]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEYWORDS, "a", "x"]), inner, max_size=5)
    ),
    max_leaves=25,
)


@given(st.dictionaries(st.sampled_from([*KEYWORDS, "x-mark"]), VALUES, max_size=6))
def test_whatever_a_schema_holds_backends_take_its_parameters(schema: dict[str, Any]) -> None:
    before = copy.deepcopy(schema)
    made = function_parameters(schema)
    check(made.schema)
    assert schema == before
    assert function_parameters(made.schema).schema == made.schema
