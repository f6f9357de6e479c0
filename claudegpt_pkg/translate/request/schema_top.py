"""The top of a tool's input schema → an object: backends refuse variants, references and other types there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .schema_references import Schema, find_target

COMBINATORS = ("anyOf", "oneOf", "allOf")
REFUSED_AT_TOP = (*COMBINATORS, "enum", "not", "$schema", "$ref")
MOST_VARIANTS = 200  # that are merge at the top of one schema; references can multiply them without end
MOST_REFERENCES = 50  # that are followed one after the other


def is_plain_object(schema: Schema) -> bool:
    return schema.get("type") == "object" and not any(key in schema for key in REFUSED_AT_TOP)


def merge_into_object(schema: Schema) -> dict[str, Any]:
    """An object schema that accepts at least what `schema` accepts, without what is refused at the top."""
    return {**_Merge(schema).merge(schema, ()), "type": "object"}


@dataclass
class _Merge:
    """The properties of everything that the combinators and the `$ref` at the top of a schema lead to."""

    root: Schema
    left: int = MOST_VARIANTS

    def merge(self, schema: Schema, followed: tuple[str, ...]) -> dict[str, Any]:
        """`followed`: the references that led here; one that leads back to itself adds nothing."""
        self.left -= 1
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference not in followed and self.left > 0:
            followed = (*followed, reference)
            found = find_target(reference, self.root)
            schema = {**(self.merge(found, followed) if isinstance(found, dict) else {}), **schema}
        properties, required = _properties_of(schema), _required_of(schema)
        for combinator in COMBINATORS:
            variants = [each for each in _list_of(schema.get(combinator)) if isinstance(each, dict)]
            parts = [
                self.merge(each, followed) for each in variants if self.left > 0 and len(followed) < MOST_REFERENCES
            ]
            for part in parts:
                properties = {**part["properties"], **properties}
            if needs := [set(part.get("required", ())) for part in parts]:
                common = set.union(*needs) if combinator == "allOf" else set.intersection(*needs)
                required += [name for name in properties if name in common and name not in required]
        kept = {key: value for key, value in schema.items() if key not in (*REFUSED_AT_TOP, "required")}
        return {**kept, "properties": properties, **({"required": required} if required else {})}


def _properties_of(schema: Schema) -> dict[str, Any]:
    found = schema.get("properties")
    return dict(found) if isinstance(found, dict) else {}


def _required_of(schema: Schema) -> list[str]:
    return [name for name in _list_of(schema.get("required")) if isinstance(name, str)]


def _list_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
