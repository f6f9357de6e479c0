"""The references of a JSON Schema."""

from __future__ import annotations

from typing import Any

import pytest

from claudegpt_pkg.translate.request.schema_references import find_target, without_broken_references


@pytest.mark.parametrize(
    ("reference", "stays"),
    [
        ("#/$defs/list/anyOf/1", True),
        ("#/$defs/list/anyOf/2", False),
        ("#/$defs/list/anyOf/1234567890123", False),
        ("#/$defs/list/anyOf/x", False),
        ("#/$defs/percent%25name", True),
        ("#/$defs/chain", True),
        ("#/$defs/round", False),
        ("#/$defs/list/description", False),
        ("#", True),
        ("#name", False),
        ("#/", True),
    ],
)
def test_a_reference_stays_only_if_it_leads_to_a_schema(reference: str, stays: bool) -> None:
    definitions = {
        "list": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "d"},
        "percent%name": {"type": "string"},
        "chain": {"$ref": "#/$defs/list"},
    }
    schema = {"properties": {"a": {"$ref": reference}}, "$defs": {**definitions, "round": {"type": "string"}}}
    if reference == "#/$defs/round":
        schema = {"properties": {"a": {"$ref": reference}}, "$defs": {"round": {"$ref": "#/$defs/round"}}}
    made = without_broken_references(schema)
    assert made["properties"]["a"] == ({"$ref": reference} if stays else {})
    assert (made is schema) is stays


@pytest.mark.parametrize("reference", [None, 7, "", "x", "#x", "https://x.test/schema", "#/a/b"])
def test_a_reference_to_nothing_has_no_target(reference: Any) -> None:
    assert find_target(reference, {"a": 1}) is None


def test_data_and_names_are_no_references() -> None:
    schema = {"properties": {"$ref": {"default": {"$ref": "#/x"}, "enum": [{"$ref": "#/x"}]}}}
    assert without_broken_references(schema) is schema
