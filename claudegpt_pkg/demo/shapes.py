"""Small checks of JSON values that answer as the Responses API does when a request has the wrong shape.

A check takes the value's path ("input[2].content[0]") and the value, and yields a refusal for each thing wrong with it;
`shape` and `list_of` build checks of larger values from smaller ones. Messages and codes are those of the public API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Refusal:
    """Why a request is refused: the fields of the error body, and the HTTP status."""

    message: str
    param: str | None = None
    code: str | None = None
    status: int = 400


Check = Callable[[str, Any], Iterator[Refusal]]

WORDS = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "an integer"}
KINDS = {type(None): "null", float: "a decimal number", **WORDS}


def any_value(path: str, value: Any) -> Iterator[Refusal]:
    return iter(())


def of_type(expected: type) -> Check:
    def check(path: str, value: Any) -> Iterator[Refusal]:
        if type(value) is not expected:
            yield _wrong_type(path, WORDS[expected], value)

    return check


text = of_type(str)
boolean = of_type(bool)
mapping = of_type(dict)


def short_text(most: int, pattern: str | None = None) -> Check:
    """A string of at most `most` characters that matches `pattern`."""

    def check(path: str, value: Any) -> Iterator[Refusal]:
        if not isinstance(value, str):
            yield _wrong_type(path, "a string", value)
        elif len(value) > most:
            yield Refusal(
                f"Invalid '{path}': string too long. Expected a string with maximum length {most}, "
                f"but got a string with length {len(value)} instead.",
                path,
                "string_above_max_length",
            )
        elif pattern and not re.fullmatch(pattern, value):
            yield Refusal(
                f"Invalid '{path}': string does not match pattern. Expected a string that matches the pattern "
                f"'^{pattern}$'.",
                path,
                "invalid_value",
            )

    return check


def item_id(prefix: str) -> Check:
    def check(path: str, value: Any) -> Iterator[Refusal]:
        yield from short_text(64)(path, value)
        if isinstance(value, str) and not value.startswith(prefix):
            message = f"Invalid '{path}': '{value}'. Expected an ID that begins with '{prefix}'."
            yield Refusal(message, path, "invalid_value")

    return check


def word_among(*words: str) -> Check:
    def check(path: str, value: Any) -> Iterator[Refusal]:
        if value not in words:
            yield _not_among(path, value, words)

    return check


def integer(least: int) -> Check:
    def check(path: str, value: Any) -> Iterator[Refusal]:
        if type(value) is not int:
            yield _wrong_type(path, "an integer", value)
        elif value < least:
            yield Refusal(
                f"Invalid '{path}': integer below minimum value. Expected a value >= {least}, but got {value} instead.",
                path,
                "integer_below_min_value",
            )

    return check


def number_between(least: float, most: float) -> Check:
    def check(path: str, value: Any) -> Iterator[Refusal]:
        if type(value) not in (int, float):
            yield _wrong_type(path, "a decimal number", value)
        elif not least <= value <= most:
            message = (
                f"Invalid '{path}': decimal out of range. Expected a value from {least} to {most}, but got {value}."
            )
            yield Refusal(message, path, "decimal_out_of_range")

    return check


def optional(check: Check) -> Check:
    """Accept null, and what `check` accepts."""
    return lambda path, value: iter(()) if value is None else check(path, value)


def list_of(check: Check) -> Check:
    def check_all(path: str, value: Any) -> Iterator[Refusal]:
        if not isinstance(value, list):
            yield _wrong_type(path, "an array", value)
            return
        for at, element in enumerate(value):
            yield from check(f"{path}[{at}]", element)

    return check_all


def text_or(check: Check) -> Check:
    """A string, or what `check` accepts."""
    return lambda path, value: iter(()) if isinstance(value, str) else check(path, value)


def shape(required: Mapping[str, Check], others: Mapping[str, Check] | None = None) -> Check:
    """An object with all of `required`, perhaps some of `others`, and nothing else."""
    known = {**required, **(others or {})}

    def check(path: str, value: Any) -> Iterator[Refusal]:
        if not isinstance(value, dict):
            yield _wrong_type(path, "an object", value)
            return
        for name in required:
            if name not in value:
                yield missing(_join_path(path, name))
        for name, element in value.items():
            if name in known:
                yield from known[name](_join_path(path, name), element)
            else:
                yield Refusal(
                    f"Unknown parameter: '{_join_path(path, name)}'.", _join_path(path, name), "unknown_parameter"
                )

    return check


def by_type(checks: Mapping[str, Check], default: str | None = None) -> Check:
    """An object whose `type` says which of `checks` the rest of it must pass."""

    def check(path: str, value: Any) -> Iterator[Refusal]:
        if not isinstance(value, dict):
            yield _wrong_type(path, "an object", value)
            return
        kind = value.get("type", default)
        if kind is None:
            yield missing(_join_path(path, "type"))
        elif isinstance(kind, str) and kind in checks:
            yield from checks[kind](path, {name: element for name, element in value.items() if name != "type"})
        else:
            yield _not_among(_join_path(path, "type"), kind, tuple(checks))

    return check


def _join_path(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def missing(path: str) -> Refusal:
    return Refusal(f"Missing required parameter: '{path}'.", path, "missing_required_parameter")


def _wrong_type(path: str, expected: str, value: Any) -> Refusal:
    got = KINDS.get(type(value), "something else")
    return Refusal(f"Invalid type for '{path}': expected {expected}, but got {got} instead.", path, "invalid_type")


def _not_among(path: str, value: Any, words: tuple[str, ...]) -> Refusal:
    listed = ", ".join(f"'{word}'" for word in words[:-1])
    supported = f"{listed}, and '{words[-1]}'" if listed else f"'{words[-1]}'"
    return Refusal(f"Invalid value: '{value}'. Supported values are: {supported}.", path, "invalid_value")
