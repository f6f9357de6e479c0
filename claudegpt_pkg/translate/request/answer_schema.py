"""Whether the schema of an answer (`output_config.format`) can be a format upstream, and whether a strict one.

A strict format guarantees that the answer fits the schema; a backend refuses it for a schema with other keywords.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .schema_top import REFUSED_AT_TOP

Schema = Mapping[str, Any]

# Keywords of strict output: one of the first must be there, and none that is in no list.
STRICT_KINDS = frozenset({"type", "anyOf", "enum", "const", "$ref"})
STRICT_OBJECTS = frozenset({"properties", "required", "additionalProperties", "$defs", "definitions"})
STRICT_VALUES = frozenset({"items", "minItems", "maxItems", "pattern", "format", "multipleOf", "title", "description"})
STRICT_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
STRICT_KEYS = STRICT_KINDS | STRICT_OBJECTS | STRICT_VALUES | STRICT_BOUNDS


def is_object_format(schema: Schema) -> bool:
    """Whether the upstream takes it as a format: 400 "schema must be a JSON Schema of 'type: "object"'"."""
    return schema.get("type") == "object" and not any(key in schema for key in REFUSED_AT_TOP if key != "$schema")


def is_strict(schema: Any) -> bool:
    """Whether a schema qualifies for strict output: every object closed, every property required, no other keys."""
    if not isinstance(schema, dict) or not schema.keys() <= STRICT_KEYS or not schema.keys() & STRICT_KINDS:
        return False
    properties = _object(schema.get("properties"))
    closed = schema.get("additionalProperties") is False and _names(schema.get("required")) == properties.keys()
    if (schema.get("type") == "object" or "properties" in schema) and not closed:
        return False
    inner = [*properties.values(), *([schema["items"]] if "items" in schema else ())]
    inner += schema["anyOf"] if isinstance(schema.get("anyOf", []), list) and "anyOf" in schema else []
    for keyword in ("$defs", "definitions"):
        inner += _object(schema.get(keyword)).values()
    return _is_well_formed(schema) and all(map(is_strict, inner))


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _names(value: Any) -> set[str]:
    return {name for name in value if isinstance(name, str)} if isinstance(value, list) else set()


def _is_well_formed(schema: dict[str, Any]) -> bool:
    """Whether the keywords that hold schemas have the right type."""
    return all(isinstance(schema.get(keyword, {}), dict) for keyword in ("properties", "$defs", "definitions")) and all(
        isinstance(schema.get(keyword, []), list) for keyword in ("anyOf", "required")
    )
