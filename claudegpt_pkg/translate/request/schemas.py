"""A tool's input schema → function parameters that every backend takes.

One schema that a backend refuses makes every request of the conversation fail, so a schema is repaired here: what is
no valid JSON Schema is taken out, and what older drafts wrote otherwise is written as draft 2020-12 writes it. The
result accepts at least what the original accepted, except that a minimum or a type may be lost. A schema in which
nothing is wrong stays the very same object.

Refusals that were seen, all 400 `invalid_function_parameters`: "schema must have type 'object' and not have 'oneOf'/
'anyOf'/'allOf'/'enum'/'not' at the top level", "array schema missing items", "True is not of type 'number'", "'any' is
not valid under any of the given schemas", "[] should be non-empty", "'(?<x>a)' is not a 'regex'".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ...errors import InvalidRequest
from ..wire.json_text import encode_json, loads
from .schema_references import NAMED_SCHEMAS, Schema, without_broken_references
from .schema_top import COMBINATORS, REFUSED_AT_TOP, is_plain_object, merge_into_object

# Keywords that name a schema or its draft. Within one request they mean nothing, so nobody is told of their removal.
IDENTIFIERS = frozenset(
    {"$schema", "$id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef", "$vocabulary"}
)
MAX_DEPTH = 50  # nested schemas; deeper ones accept anything (JSON nested some 250 deep cannot be sent)
LARGEST_COUNT = 2**53  # more limits nothing, and a larger float cannot be written as a whole number
LONGEST_PATTERN = 10_000  # characters; a longer one takes long to compile
MOST_BYTES_KEPT = 16_384  # of a schema whose repair is kept in memory; there are at most 512

TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
# What other languages call the types; a name that is neither here nor above (`any`, `file`) says nothing.
TYPE_NAMES = {
    "bool": "boolean",
    "dict": "object",
    "double": "number",
    "float": "number",
    "int": "integer",
    "int32": "integer",
    "int64": "integer",
    "list": "array",
    "long": "integer",
    "map": "object",
    "none": "null",
    "str": "string",
    "text": "string",
    "tuple": "array",
}


@dataclass(frozen=True)
class Parameters:
    """Function parameters, and the keywords that were changed or taken out."""

    schema: Schema
    changed: tuple[str, ...] = ()


def function_parameters(schema: Schema) -> Parameters:
    """Repair a tool's input schema. The same schema always gives the same parameters, and is often asked for again:
    a client declares the same tools in each turn."""
    try:
        text = encode_json(schema)
    except InvalidRequest:  # nested too deeply to be sent as it is
        return _repair_schema(schema)
    if len(text) > MOST_BYTES_KEPT:
        return _repair_schema(schema)
    return _repair_text(text) or Parameters(schema)


@lru_cache(maxsize=512)
def _repair_text(text: bytes) -> Parameters | None:
    """None if nothing is wrong with the schema, so that it need not be kept."""
    schema = loads(text)
    repaired = _repair_schema(schema)
    return None if repaired.schema is schema else repaired


def _repair_schema(schema: Schema) -> Parameters:
    repair = _Repair()
    top = schema
    if not is_plain_object(schema):
        top = merge_into_object(schema)
        repair.changed += [keyword for keyword in REFUSED_AT_TOP if keyword in schema]
    repaired = repair.schema(top, depth=0)
    if repair.has_references and (mended := without_broken_references(repaired)) is not repaired:
        repair.changed.append("$ref")
        repaired = mended
    if "properties" not in repaired:
        repaired = {**repaired, "properties": {}}
    return Parameters(repaired, tuple(each for each in dict.fromkeys(repair.changed) if each not in IDENTIFIERS))


# Every schema within it.


@dataclass
class _Repair:
    """One walk over a schema. A keyword with a value that is no JSON Schema is taken out."""

    changed: list[str] = field(default_factory=list)
    has_references: bool = False

    def schema(self, schema: Schema, *, depth: int) -> Schema:
        """The same object if nothing is wrong with it."""
        result: dict[str, Any] = {}
        same = True
        for keyword, value in schema.items():
            check = KEYWORDS.get(keyword)
            known = len(self.changed)
            kept = check(self, value, depth) if check else value
            if kept is not value:
                same = False
                if kept is WRONG or len(self.changed) == known:
                    self.changed.append(keyword)
            if kept is not WRONG:
                result[keyword] = kept
        for whole in WHOLES:
            same &= not whole(self, result, schema)
        return schema if same else result

    def subschema(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            if depth >= MAX_DEPTH:
                self.changed.append("nesting")
                return {}
            return self.schema(value, depth=depth + 1)
        return {} if value is True else WRONG

    def schema_or_flag(self, value: Any, depth: int) -> Any:
        return value if isinstance(value, bool) else self.subschema(value, depth)

    def schemas(self, value: Any, depth: int) -> Any:
        """A list of schemas, without those that are none; an empty list is refused."""
        if not isinstance(value, list):
            return WRONG
        repaired = [self.subschema(each, depth) for each in value]
        kept = [each for each in repaired if each is not WRONG]
        if not kept:
            return WRONG
        return value if _same(kept, value) else kept

    def items(self, value: Any, depth: int) -> Any:
        """One schema for all items; older drafts write a tuple's items as a list."""
        if isinstance(value, list):
            return self.schemas(value, depth)
        return self.subschema(value, depth) if value is not False else False

    def named_schemas(self, value: Any, depth: int) -> Any:
        if not isinstance(value, dict):
            return WRONG
        result = {}
        for name, each in value.items():
            repaired = self.subschema(each, depth)
            if repaired is not WRONG:
                result[name] = repaired
            elif each is not False:  # a property that may not be there need not be declared
                self.changed.append("properties")
                result[name] = {}
        return value if _same(result.values(), value.values()) else result

    def patterned_schemas(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict) and not all(map(_is_pattern, value)):
            self.changed.append("patternProperties")
            value = {pattern: each for pattern, each in value.items() if _is_pattern(pattern)}
        return self.named_schemas(value, depth)

    def type(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return value if value in TYPES else _type_name(value) or WRONG
        if not isinstance(value, list) or not value:
            return WRONG
        names = [each if each in TYPES else _type_name(each) for each in value if isinstance(each, str)]
        if len(names) < len(value) or None in names:
            return WRONG
        unique = list(dict.fromkeys(names))
        return value if unique == value else unique

    def enum(self, value: Any, depth: int) -> Any:
        if not isinstance(value, list) or not value or not _is_shallow(value):
            return WRONG
        unique = _distinct(value)
        return value if len(unique) == len(value) else unique

    def value(self, value: Any, depth: int) -> Any:
        return value if _is_shallow(value) else WRONG

    def examples(self, value: Any, depth: int) -> Any:
        return value if isinstance(value, list) and _is_shallow(value) else WRONG

    def names(self, value: Any, depth: int) -> Any:
        if not isinstance(value, list):
            return WRONG
        unique = list(dict.fromkeys(each for each in value if isinstance(each, str)))
        return value if unique == value else unique

    def reference(self, value: Any, depth: int) -> Any:
        self.has_references = True
        return value if isinstance(value, str) and value.startswith("#") else WRONG

    def number(self, value: Any, depth: int) -> Any:
        return value if _is_number(value) else WRONG

    def bound(self, value: Any, depth: int) -> Any:
        """`exclusiveMinimum` and `exclusiveMaximum`, which draft 4 writes as a flag beside `minimum`."""
        return value if _is_number(value) or isinstance(value, bool) else WRONG

    def divisor(self, value: Any, depth: int) -> Any:
        return value if _is_number(value) and value > 0 else WRONG

    def count(self, value: Any, depth: int) -> Any:
        if not _is_number(value) or not 0 <= value <= LARGEST_COUNT or value != int(value):
            return WRONG
        return value if isinstance(value, int) else int(value)

    def text(self, value: Any, depth: int) -> Any:
        return value if isinstance(value, str) else WRONG

    def flag(self, value: Any, depth: int) -> Any:
        return value if isinstance(value, bool) else WRONG

    def pattern(self, value: Any, depth: int) -> Any:
        return value if _is_pattern(value) else WRONG

    def never(self, value: Any, depth: int) -> Any:
        return WRONG

    # What two keywords of one schema make of each other: True if something was changed.

    def bounds(self, result: dict[str, Any], schema: Schema) -> bool:
        """Draft 4: `minimum: 0, exclusiveMinimum: true` → `exclusiveMinimum: 0`."""
        changed = False
        for exclusive, inclusive in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if isinstance(flag := result.get(exclusive), bool):
                changed = True
                self.changed.append(exclusive)
                del result[exclusive]
                if flag and inclusive in result:
                    result[exclusive] = result.pop(inclusive)
        return changed

    def required_flags(self, result: dict[str, Any], schema: Schema) -> bool:
        """Draft 3 writes `required: true` within each property that must be there."""
        properties = schema.get("properties")
        if "required" in result or not isinstance(properties, dict) or not isinstance(result.get("properties"), dict):
            return False
        flagged = [
            name
            for name, each in properties.items()
            if isinstance(each, dict) and each.get("required") is True and name in result["properties"]
        ]
        if flagged:
            result["required"] = flagged
        return bool(flagged)

    def arrays(self, result: dict[str, Any], schema: Schema) -> bool:
        """An array must say what its items are, and a tuple must as well, for backends that know no tuples."""
        others: list[Any] = []
        if listed := isinstance(result.get("items"), list):
            result["prefixItems"] = result.pop("items")
            beyond = result.pop("additionalItems", None)
            if beyond is False:
                result.setdefault("maxItems", len(result["prefixItems"]))
            elif isinstance(beyond, dict):
                others = [beyond]
        elements: list[Any] = result.get("prefixItems") or []
        rest = result.get("items")
        if isinstance(rest, dict) or (rest is None and not elements and not _is_array(result.get("type"))):
            return listed
        self.changed.append("items")
        if rest is False:
            result.setdefault("maxItems", len(elements))
        result["items"] = _any_of([*elements, *others]) if elements else {}
        return True


WRONG: Any = object()  # stands for a value that has to go
WHOLES: tuple[Callable[[_Repair, dict[str, Any], Schema], bool], ...] = (
    _Repair.bounds,
    _Repair.required_flags,
    _Repair.arrays,
)
_Check = Callable[[_Repair, Any, int], Any]
# Keyword → what its value must be; others (`nullable`, `x-…`) are ignored by every backend and stay.
KEYWORDS: dict[str, _Check] = {
    **dict.fromkeys(IDENTIFIERS, _Repair.never),
    **dict.fromkeys(
        ("title", "description", "$comment", "format", "contentEncoding", "contentMediaType"), _Repair.text
    ),
    **dict.fromkeys(("deprecated", "readOnly", "writeOnly", "uniqueItems"), _Repair.flag),
    **dict.fromkeys(("minimum", "maximum"), _Repair.number),
    **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), _Repair.bound),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _Repair.count),
    **dict.fromkeys(("minProperties", "maxProperties", "minContains", "maxContains"), _Repair.count),
    **dict.fromkeys(NAMED_SCHEMAS - {"patternProperties"}, _Repair.named_schemas),
    **dict.fromkeys((*COMBINATORS, "prefixItems"), _Repair.schemas),
    **dict.fromkeys(("not", "if", "then", "else", "contains", "propertyNames"), _Repair.subschema),
    **dict.fromkeys(
        ("additionalProperties", "additionalItems", "unevaluatedProperties", "unevaluatedItems"), _Repair.schema_or_flag
    ),
    **dict.fromkeys(("default", "const"), _Repair.value),
    "$ref": _Repair.reference,
    "enum": _Repair.enum,
    "examples": _Repair.examples,
    "items": _Repair.items,
    "multipleOf": _Repair.divisor,
    "pattern": _Repair.pattern,
    "patternProperties": _Repair.patterned_schemas,
    "required": _Repair.names,
    **dict.fromkeys(("type",), _Repair.type),
}


def _same(new: Iterable[Any], old: Iterable[Any]) -> bool:
    mine, theirs = list(new), list(old)
    return len(mine) == len(theirs) and all(one is other for one, other in zip(mine, theirs, strict=True))


def _type_name(name: Any) -> str | None:
    lower = name.lower() if isinstance(name, str) else ""
    return lower if lower in TYPES else TYPE_NAMES.get(lower)


def _is_array(kind: Any) -> bool:
    return kind == "array" or (isinstance(kind, list) and "array" in kind)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_pattern(value: Any) -> bool:
    """Whether a value is a regular expression that OpenAI takes, which compiles patterns as Python does."""
    if not isinstance(value, str) or len(value) > LONGEST_PATTERN:
        return False
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _distinct(values: list[Any]) -> list[Any]:
    """Each value once. JSON text tells them apart: unlike in Python, `true` is not 1."""
    return list({encode_json(each): each for each in values}.values())


def _is_shallow(value: Any) -> bool:
    """Whether data in a schema is not nested deeper than MAX_DEPTH."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return True
    return False


def _any_of(schemas: list[Any]) -> Any:
    """One schema for what any of these accepts."""
    unique = _distinct(schemas)
    return unique[0] if len(unique) == 1 else {"anyOf": unique}
