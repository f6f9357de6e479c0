"""The `$ref`s of a JSON Schema: what they lead to, and the schema without those that lead nowhere.

Only references within the schema itself (`#/$defs/Name`) can lead anywhere: a backend fetches no other document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

# Keywords whose value holds schemas by names of any kind.
NAMED_SCHEMAS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
# Keywords whose value is a schema, or a list of schemas. Any other value is data, in which `$ref` means nothing.
NESTED_SCHEMAS = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "allOf",
        "anyOf",
        "contains",
        "else",
        "if",
        "items",
        "not",
        "oneOf",
        "prefixItems",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_PERCENT = re.compile(r"%([0-7][0-9A-Fa-f])")
_LONGEST_INDEX = 9  # digits of a position in a list


def find_target(reference: Any, root: Schema) -> Any:
    """What `#/$defs/Name` leads to in `root`; None for a broken reference, and for one to another document."""
    if reference in ("#", "#/"):
        return root
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    found: Any = root
    for step in _PERCENT.sub(lambda match: chr(int(match[1], 16)), reference[2:]).split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isascii() and name.isdigit():
            found = found[int(name)] if len(name) <= _LONGEST_INDEX and int(name) < len(found) else None
        else:
            found = found.get(name) if isinstance(found, dict) else None
    return found


def without_broken_references(schema: Schema) -> Schema:
    """The very same object if no reference is broken. `schema` is valid in all else (schemas.py)."""
    mended: Schema = _without_broken(schema, schema)
    return mended


def _without_broken(value: Any, root: Schema) -> Any:
    if isinstance(value, list):
        items = [_without_broken(each, root) for each in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {}
    for keyword, inner in value.items():
        if keyword == "$ref" and not _leads_to_schema(inner, root):
            continue
        if keyword in NAMED_SCHEMAS:
            result[keyword] = _without_broken_in_values(inner, root)
        elif keyword in NESTED_SCHEMAS:
            result[keyword] = _without_broken(inner, root)
        else:
            result[keyword] = inner
    same = len(result) == len(value) and all(result[keyword] is value[keyword] for keyword in value)
    return value if same else result


def _without_broken_in_values(schemas: dict[str, Any], root: Schema) -> dict[str, Any]:
    """A property may be named `$ref`, which makes it no reference."""
    result = {name: _without_broken(each, root) for name, each in schemas.items()}
    return result if any(result[name] is not schemas[name] for name in schemas) else schemas


def _leads_to_schema(reference: str, root: Schema) -> bool:
    """Whether a reference ends at a schema, and not again at itself."""
    followed: set[str] = set()
    while reference not in followed:
        followed.add(reference)
        found = find_target(reference, root)
        if not isinstance(found, dict):
            return False
        if not isinstance(further := found.get("$ref"), str):
            return True
        reference = further
    return False
