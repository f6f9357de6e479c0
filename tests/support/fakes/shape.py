"""A JSON value held against one of the `openai` package's TypedDicts: every key known, every type and value right.

    fits(body, ResponseCreateParamsStreaming)      raises Refused, worded as the real API words it

The package's types are the shape; they are walked here rather than given to pydantic because pydantic leaves
`Iterable` fields unread, and because what a client sees of a mistake is the API's sentence and `param` path.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

import typing_extensions
from openai._types import SequenceNotStr
from openai.types.responses import (
    response_output_message_param,
    response_output_text_param,
    web_search_tool_param,
)

INVALID = "invalid_request_error"
LISTS = (list, Iterable, Sequence, SequenceNotStr)
# The package describes what comes back; what is sent again may leave these out.
OPTIONAL = {
    response_output_message_param.ResponseOutputMessageParam: {"id", "status"},
    response_output_text_param.ResponseOutputTextParam: {"annotations"},
}
# What the API takes and the package does not describe yet (docs/wires/responses.md).
EXTRA: dict[Any, dict[str, Any]] = {web_search_tool_param.Filters: {"blocked_domains": Sequence[str]}}
JSON_NAMES = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    dict: "an object",
    list: "an array",
    type(None): "null",
}


class Refused(Exception):
    """What the real API answers instead of a stream. `detail` makes it the ChatGPT backend's bare form."""

    def __init__(
        self,
        message: str,
        param: str | None = None,
        code: str | None = None,
        *,
        status: int = 400,
        kind: str | None = INVALID,
        bare: bool = False,
    ):
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = (
            {"detail": message} if bare else {"error": {"message": message, "type": kind, "param": param, "code": code}}
        )


def fits(value: object, shape: Any, where: str = "") -> None:
    """Raises Refused for the first thing in `value` that `shape` does not allow."""
    origin = get_origin(shape)
    if shape in (Any, object):
        return
    if typing_extensions.is_typeddict(shape):
        _fits_object(value, shape, where)
    elif origin is Literal:
        _fits_literal(value, get_args(shape), where)
    elif origin in (Union, types.UnionType):
        _fits_one_of(value, get_args(shape), where)
    elif origin in LISTS:
        _is(value, list, where)
        for place, item in enumerate(typing.cast("list[object]", value)):
            fits(item, get_args(shape)[0], f"{where}[{place}]")
    elif origin in (dict, Mapping):
        _is(value, dict, where)
        for key, item in typing.cast("dict[str, object]", value).items():
            fits(item, get_args(shape)[1], f"{where}.{key}")
    else:
        _is(value, shape, where)


def _fits_object(value: object, shape: Any, where: str) -> None:
    _is(value, dict, where)
    known, required = _fields(shape)
    known = {**known, **EXTRA.get(shape, {})}
    given = typing.cast("dict[str, object]", value)
    for key in given:
        if key not in known:
            path = _join(where, key)
            raise Refused(f"Unknown parameter: '{path}'.", path, "unknown_parameter")
    for key in required:
        if key not in given:
            path = _join(where, key)
            raise Refused(f"Missing required parameter: '{path}'.", path, "missing_required_parameter")
    for key, item in given.items():
        fits(item, known[key], _join(where, key))


def _fits_literal(value: object, allowed: tuple[object, ...], where: str) -> None:
    if value not in allowed or type(value) not in {type(choice) for choice in allowed}:
        names = [f"'{choice}'" for choice in allowed]
        listed = ", ".join(names[:-1]) + (f", and {names[-1]}" if len(names) > 2 else f" and {names[-1]}")
        supported = listed if len(names) > 1 else names[0]
        raise Refused(f"Invalid value: '{value}'. Supported values are: {supported}.", where, "invalid_value")


def _fits_one_of(value: object, shapes: tuple[Any, ...], where: str) -> None:
    """One alternative must fit. Of several refusals the one that got furthest into the value is the one to tell."""
    candidates = [shape for shape in _flat(shapes) if _could_be(value, shape)]
    if not candidates and isinstance(value, dict):
        for tag in ("type", "role"):
            allowed = {name for shape in _flat(shapes) for name in _tags(shape, tag)}
            if tag in value:
                _fits_literal(value[tag], tuple(sorted(allowed)), _join(where, tag))
    refusals = []
    for shape in candidates:
        try:
            return fits(value, shape, where)
        except Refused as refusal:
            refusals.append(refusal)
    if not refusals:
        raise Refused(
            f"Invalid type for '{where}': expected one of {_expected(shapes)}, but got {_name(value)} instead.",
            where,
            "invalid_type",
        )
    raise max(refusals, key=lambda refusal: len(refusal.body["error"]["param"] or ""))


def _flat(shapes: Iterable[Any]) -> list[Any]:
    """The alternatives, those of nested unions and of Optional included."""
    found: list[Any] = []
    for shape in shapes:
        shape = shape if get_origin(shape) is not typing_extensions.Annotated else get_args(shape)[0]
        found += _flat(get_args(shape)) if get_origin(shape) in (Union, types.UnionType) else [shape]
    return found


def _could_be(value: object, shape: Any) -> bool:
    """Whether `value` is of the right JSON type, and an object of the right `type` and `role`."""
    if shape in (Any, object):
        return True
    if get_origin(shape) is Literal:
        return isinstance(value, type(get_args(shape)[0]))
    if get_origin(shape) in LISTS:
        return isinstance(value, list)
    if not typing_extensions.is_typeddict(shape):
        plain = get_origin(shape) or shape
        return _is_json(value, plain)
    if not isinstance(value, dict):
        return False
    known, required = _fields(shape)
    known = {**known, **EXTRA.get(shape, {})}
    for tag in ("type", "role"):
        if tag in value and value[tag] not in _literals(known.get(tag)):
            return False
    return "type" in value or "type" not in required


def _tags(shape: Any, tag: str) -> tuple[str, ...]:
    """What `shape` allows under its `type` or `role`."""
    if not typing_extensions.is_typeddict(shape):
        return ()
    return tuple(str(name) for name in _literals(_fields(shape)[0].get(tag)) if name)


def _literals(shape: Any) -> tuple[object, ...]:
    """The values a Literal, or an Optional one, allows."""
    if get_origin(shape) in (Union, types.UnionType):
        return tuple(value for part in get_args(shape) for value in _literals(part))
    return get_args(shape) if get_origin(shape) is Literal else ()


@cache
def _fields(shape: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """Each key's type, and the keys that must be there."""
    known: dict[str, Any] = {}
    required = set(shape.__required_keys__)
    for name, hint in typing_extensions.get_type_hints(shape, include_extras=True).items():
        mark: Any = get_origin(hint)
        if mark is typing.Required:
            required.add(name)
        known[name] = get_args(hint)[0] if mark in (typing.Required, typing.NotRequired) else hint
    return known, frozenset(required - OPTIONAL.get(shape, set()))


def _is(value: object, wanted: Any, where: str) -> None:
    if not _is_json(value, wanted):
        raise Refused(
            f"Invalid type for '{where}': expected {JSON_NAMES.get(wanted, wanted)}, but got {_name(value)} instead.",
            where,
            "invalid_type",
        )


def _is_json(value: object, wanted: Any) -> bool:
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, wanted)


def _name(value: object) -> str:
    return JSON_NAMES.get(type(value), type(value).__name__)


def _expected(shapes: Iterable[Any]) -> str:
    flat = [list if get_origin(shape) in LISTS else shape for shape in _flat(shapes)]
    return " or ".join(dict.fromkeys(JSON_NAMES.get(shape, "an object") for shape in flat))


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
