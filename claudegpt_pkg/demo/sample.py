"""Makes a value that fits a JSON Schema, for a client that wants JSON and for the arguments of a tool.

    Sampler(schema, "add 2 and 3").value()   → {"a": 2, "b": 3}, "a" and "b" being required numbers

Words and numbers come from the user's own words, in order, so that the value is recognisably about them. Optional
properties are left out unless there are no required ones. Patterns, formats and `not` are followed if that is easy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]
MAX_DEPTH = 6
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
QUOTED = re.compile(r"[\"'“‘`]([^\"'“”‘’`\n]{1,200})[\"'”’`]")
NAMED = re.compile(r"(?<=[a-z,] )[A-Z][\w-]+(?: [A-Z][\w-]+)*")  # a name within a sentence
SECTION = re.compile(r"<(\w+)>\s*(.+?)\s*</\1>", re.DOTALL)  # the quoted subject of the words
HEADINGS = ("title", "name", "topic", "subject", "summary", "description")
FORMATS = {
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "date-time": "2026-01-01T00:00:00Z",
    "email": "demo@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class Sampler:
    """Makes one value; `words` are used up as strings and numbers are needed."""

    def __init__(self, schema: Schema, words: str, *, text: str | None = None):
        self._schema = schema
        self._numbers = [float(found) for found in NUMBER.findall(words)]
        self._texts = [*QUOTED.findall(words), *NAMED.findall(words)]
        self._text = text if text is not None else title(words)  # the value of a string if nothing better is known

    def value(self) -> Any:
        return self._sample(self._schema, 0)

    def _sample(self, schema: Any, depth: int) -> Any:
        if not isinstance(schema, dict) or depth > MAX_DEPTH:
            return None
        schema = self._resolve(schema)
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        if schema.get("enum"):
            return schema["enum"][0]
        for key in ("anyOf", "oneOf"):
            if schema.get(key):
                return self._sample({**_first_that_is_something(schema[key]), **_without_key(schema, key)}, depth + 1)
        return self._of_type(schema, depth)

    def _of_type(self, schema: Schema, depth: int) -> Any:
        kind = _kind_of(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            count = max(schema.get("minItems") or 0, 1) if "items" in schema else schema.get("minItems") or 0
            return [self._sample(schema.get("items"), depth + 1) for _ in range(min(count, 20))]
        if kind in ("integer", "number"):
            return self._number(schema, kind)
        simple: dict[str, Any] = {"boolean": False, "null": None}
        return simple[kind] if kind in simple else self._string(schema)

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        wanted = schema.get("required") or list(properties)
        return {name: self._property(name, properties.get(name, {}), depth + 1) for name in wanted}

    def _property(self, name: str, schema: Any, depth: int) -> Any:
        if name.lower() in HEADINGS and isinstance(schema, dict) and schema.get("type") == "string":
            return self._text[: schema.get("maxLength")]
        return self._sample(schema, depth)

    def _number(self, schema: Schema, kind: str) -> float:
        number = self._numbers.pop(0) if self._numbers else 1.0
        low, high = schema.get("minimum"), schema.get("maximum")
        if (above := schema.get("exclusiveMinimum")) is not None:
            low = above + 1
        if low is not None:
            number = max(number, low)
        if high is not None:
            number = min(number, high)
        return int(number) if kind == "integer" or number == int(number) else number

    def _string(self, schema: Schema) -> str:
        if schema.get("format") in FORMATS:
            return FORMATS[schema["format"]]
        found = self._texts.pop(0) if self._texts else self._text
        return found.ljust(schema.get("minLength") or 0, ".")[: schema.get("maxLength")]

    def _resolve(self, schema: Schema) -> Schema:
        """Follow `#/…` references and join `allOf`."""
        for _ in range(MAX_DEPTH):
            if "$ref" in schema:
                schema = {**self._follow(schema["$ref"]), **_without_key(schema, "$ref")}
            elif "allOf" in schema:
                joined: dict[str, Any] = {}
                for part in schema["allOf"]:
                    properties = {**joined.get("properties", {}), **part.get("properties", {})}
                    required = [*joined.get("required", []), *part.get("required", [])]
                    joined |= {**part, "properties": properties, "required": required}
                schema = {**joined, **_without_key(schema, "allOf")}
        return schema

    def _follow(self, reference: str) -> Schema:
        found: Any = self._schema
        for step in reference.removeprefix("#").split("/")[1:]:
            found = found.get(step, {}) if isinstance(found, dict) else {}
        return found if isinstance(found, dict) else {}


def _kind_of(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in schema else "array" if "items" in schema else "string"


def _first_that_is_something(variants: list[Any]) -> Schema:
    usable = [variant for variant in variants if isinstance(variant, dict)]
    return next((variant for variant in usable if variant.get("type") != "null"), {})


def _without_key(schema: Schema, key: str) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != key}


def title(words: str) -> str:
    """Make a title from the first words of the subject."""
    section = SECTION.search(words)
    plain = re.sub(r"<[^>]{1,60}>|[`*_#\"]", " ", section[2] if section else words).split()
    shown = " ".join(plain[:7])[:60].strip(" .,:;?!")
    return shown[:1].upper() + shown[1:] if shown else "claudegpt demo"
