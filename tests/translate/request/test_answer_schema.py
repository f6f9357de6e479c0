"""Whether the schema of an answer can be a format upstream, and whether a strict one."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.translate.request.answer_schema import is_object_format, is_strict

OBJECT: dict[str, Any] = {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("schema", "is_one"),
    [
        (OBJECT, True),
        ({**OBJECT, "$schema": "x"}, True),
        ({"type": "array", "items": {}}, False),
        ({**OBJECT, "anyOf": [{}]}, False),
        ({"type": ["object", "null"]}, False),
    ],
)
def test_only_an_object_can_be_the_format_of_an_answer(schema: Any, is_one: bool) -> None:
    assert is_object_format(schema) is is_one


@pytest.mark.parametrize("broken", [{"anyOf": 3}, {"$defs": [1]}, {"properties": 7}, {"required": True}])
def test_a_broken_schema_is_not_strict(broken: Any) -> None:
    schema = {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False, **broken}
    assert not is_strict(schema)


TITLE = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}
STRICT: list[tuple[Any, bool]] = [
    (TITLE, True),
    ({**TITLE, "properties": {}, "required": []}, True),
    ({**TITLE, "additionalProperties": True}, False),
    ({**TITLE, "required": []}, False),
    ({"type": "object", "additionalProperties": False}, True),
    ({**TITLE, "properties": {"title": {"type": ["string", "null"], "enum": ["a", None]}}}, True),
    ({**TITLE, "properties": {"title": {"type": "array", "items": TITLE}}}, True),
    ({**TITLE, "properties": {"title": {"type": "array", "items": {"type": "object"}}}}, False),
    ({**TITLE, "properties": {"title": {"anyOf": [TITLE, {"type": "null"}]}}}, True),
    ({**TITLE, "properties": {"title": {"anyOf": [{"properties": {"a": {}}}]}}}, False),
    ({**TITLE, "properties": {"title": {"oneOf": [{"type": "string"}]}}}, False),
    ({**TITLE, "properties": {"title": {"allOf": [TITLE]}}}, False),
    ({**TITLE, "properties": {"title": {"type": "string", "default": "x"}}}, False),
    ({**TITLE, "properties": {"title": {"$ref": "#/$defs/t"}}, "$defs": {"t": TITLE}}, True),
    ({**TITLE, "properties": {"title": {"$ref": "#/$defs/t"}}, "$defs": {"t": {"type": "object"}}}, False),
    ({**TITLE, "properties": {"title": {}}}, False),
    ({**TITLE, "properties": {"title": True}}, False),
    ({**TITLE, "patternProperties": {}}, False),
    ({**TITLE, "$schema": "x", "title": "T", "description": "d"}, False),
]


@pytest.mark.parametrize(("schema", "strict"), STRICT)
def test_a_schema_is_strict_only_if_strict_output_takes_every_keyword(schema: Any, strict: bool) -> None:
    assert is_strict(schema) is strict
