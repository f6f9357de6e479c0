"""Tool arguments as they stream, without the empty optional ones that the tool would refuse.

Models sometimes fill an optional argument with "" or null; the Read tool refuses `pages: ""`. The tool's own schema
says which empty values make no sense (`senseless_values`), so a required argument or a free text such as
`Edit.new_string` is never touched. Only the few characters that may still be such an empty value are held back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

STRUCTURE = re.compile(r'["{}\[\],]')
STRING_END = re.compile(r'["\\]')
QUOTED_SAMPLE = re.compile(r"e\.g\.,? *[`\"']")

Empties = Mapping[str, frozenset[str]]


def senseless_values(schema: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return, by optional property, the JSON texts of the empty values that its schema makes invalid or senseless."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    required = schema.get("required") or ()
    return {
        name: empties
        for name, rule in properties.items()
        if name not in required and isinstance(rule, dict) and (empties := _senseless_empties(rule))
    }


def _senseless_empties(rule: Mapping[str, Any]) -> frozenset[str]:
    kind = rule.get("type")
    if not isinstance(kind, str):  # a union or a reference: too little is known
        return frozenset()
    empties = set()
    if kind != "null" and None not in (rule.get("enum") or ()) and not rule.get("nullable"):
        empties.add("null")
    if kind == "string" and not _allows_empty_string(rule):
        empties.add('""')
    if kind == "array" and (rule.get("minItems") or 0) > 0:
        empties.add("[]")
    return frozenset(empties)


def _allows_empty_string(rule: Mapping[str, Any]) -> bool:
    """Whether "" fits the schema, and the description does not give the value a form by quoted examples."""
    if "enum" in rule:
        return "" in rule["enum"]
    if (rule.get("minLength") or 0) > 0 or "format" in rule:
        return False
    if "pattern" in rule:
        try:
            return re.search(rule["pattern"], "") is not None
        except re.error:
            return True
    return not QUOTED_SAMPLE.search(rule.get("description") or "")


class ArgumentFilter:
    """Takes the argument text as it streams; `feed` returns what can go to the client."""

    def __init__(self, empties: Empties):
        self._empties = empties
        self._step = self._before_object
        self._held = ""  # of the current property: from its separator to where it was decided
        self._key = ""
        self._kept_any = self._dropped_any = False
        self._value = ""
        self._depth = 0  # within the current value
        self._in_string = False
        self._escaped = False

    @property
    def has_members(self) -> bool:
        """Whether any property has come out."""
        return self._kept_any

    def feed(self, text: str) -> str:
        out: list[str] = []
        at = 0
        while at < len(text):
            at = self._step(text, at, out)
        return "".join(out)

    def flush(self) -> str:
        """Return what is still held when the arguments end. Only arguments that were cut off hold anything."""
        held = self._held_text() + self._value
        self._held = self._value = ""
        self._step = self._through
        return held

    # Each step takes text from `at`, appends what may go out, and returns where the next step begins.

    def _before_object(self, text: str, at: int, out: list[str]) -> int:
        if text[at].isspace():
            out.append(text[at])
            return at + 1
        if text[at] != "{":
            self._step = self._through
            return at
        out.append("{")
        self._step = self._before_key
        return at + 1

    def _through(self, text: str, at: int, out: list[str]) -> int:
        out.append(text[at:])
        return len(text)

    def _before_key(self, text: str, at: int, out: list[str]) -> int:
        char = text[at]
        if char == "}":
            out.append(self._held + "}")
            self._held = ""
            self._step = self._through
        elif char == '"':
            self._held += char
            self._key = ""
            self._in_string = True
            self._step = self._in_key
        else:
            self._held += char
        return at + 1

    def _in_key(self, text: str, at: int, out: list[str]) -> int:
        end = self._skip(text, at, stop_after_string=True)
        self._key += text[at:end]
        self._held += text[at:end]
        if not self._in_string:
            self._key = self._key[:-1]
            self._step = self._before_value
        return end

    def _before_value(self, text: str, at: int, out: list[str]) -> int:
        char = text[at]
        if char == ":" or char.isspace():
            self._held += char
            return at + 1
        self._value, self._depth = "", 0
        if self._key in self._empties:
            self._step = self._deciding
        else:
            self._release(out)
        return at

    def _deciding(self, text: str, at: int, out: list[str]) -> int:
        end = self._skip(text, at)
        self._value += text[at:end]
        value = self._value.rstrip()
        if end < len(text):  # the value is complete
            if value in self._empties[self._key]:
                self._held = self._value = ""
                self._dropped_any = True
            else:
                self._release(out)
            self._step = self._after_value
        elif not any(empty.startswith(value) for empty in self._empties[self._key]):
            self._release(out)
        return end

    def _release(self, out: list[str]) -> None:
        out.append(self._held_text() + self._value)
        self._held = self._value = ""
        self._kept_any = True
        self._step = self._in_value

    def _held_text(self) -> str:
        """Return what is held, without its leading comma if no property before it has come out."""
        return self._held.removeprefix(",") if self._dropped_any and not self._kept_any else self._held

    def _in_value(self, text: str, at: int, out: list[str]) -> int:
        end = self._skip(text, at)
        out.append(text[at:end])
        if end < len(text):
            self._step = self._after_value
        return end

    def _after_value(self, text: str, at: int, out: list[str]) -> int:
        if text[at] == ",":
            self._held = ","
            self._step = self._before_key
        else:
            out.append(text[at])
            self._step = self._through
        return at + 1

    def _skip(self, text: str, at: int, *, stop_after_string: bool = False) -> int:
        """Return where the current value ends: the index of its closing `,` or `}`, or the end of `text`."""
        while at < len(text):
            if self._in_string:
                at = self._skip_string(text, at)
                if stop_after_string and not self._in_string:
                    return at
                continue
            match = STRUCTURE.search(text, at)
            if not match:
                return len(text)
            char, at = match[0], match.end()
            if char == '"':
                self._in_string = True
            elif char in "{[":
                self._depth += 1
            elif self._depth == 0:
                return match.start()
            elif char in "}]":
                self._depth -= 1
        return at

    def _skip_string(self, text: str, at: int) -> int:
        if self._escaped:
            self._escaped = False
            return at + 1
        match = STRING_END.search(text, at)
        if not match:
            return len(text)
        if match[0] == "\\":
            self._escaped = True
        else:
            self._in_string = False
        return match.end()
