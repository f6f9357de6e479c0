"""A call's arguments on their way to the client: what goes out is always one JSON object.

    arguments = ArgumentStream(senseless_values(schema))
    arguments.feed(text)         # what can go to the client now
    arguments.finish(whole)      # the rest; `whole` is the text that the server repeats at the end, or ""

Text goes out as it arrives, as far as it is JSON. A comma, a key, a number or an escape waits until the value that it
belongs to has begun or is complete, and the closing brace waits for the end of the call. So whatever has gone out can
still be completed to an object:

- A control character or a bad escape within a string is escaped.
- Where the text is no JSON object, but the server's last word is, the last word counts.
- Otherwise the object gets the member UNPARSED, which holds the text as the model wrote it. The property in which the
  text broke off is set to null, so that no tool runs with half of a command.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Any

from ...errors import InvalidRequest
from ..wire.json_text import dumps, loads
from .argument_filter import ArgumentFilter, Empties

UNPARSED = "_unparsed_arguments"
PARALLEL = frozenset({"multi_tool_use.parallel", "multi_tool_use_parallel"})  # several calls, written as one
MAX_DEPTH = 200  # orjson writes at most 254 levels
MAX_WORD = 400  # characters of a number; a longer one is none

_STRING = re.compile(r'[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*')
_HALF_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_SPACE = re.compile(r"[ \t\n\r]*")
_WORD = re.compile(r'[^ \t\n\r{}\[\],:"]+')
_LITERAL = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def read_arguments(arguments: Any) -> dict[str, Any] | None:
    """The arguments that a server's `arguments` mean; None if they are no object.

    No arguments, null and blanks mean {}. An object may come as it is, as its JSON, or as JSON within a JSON string.
    """
    for _ in range(3):
        if isinstance(arguments, dict):
            return arguments
        if arguments is None:
            return {}
        if not isinstance(arguments, str):
            return None
        if not arguments.strip():
            return {}
        try:
            arguments = loads(arguments)
        except ValueError:
            return None
    return None


def parallel_calls(name: str, arguments: Any) -> list[tuple[str, dict[str, Any]]]:
    """The calls, as (name, arguments), that a call of `multi_tool_use.parallel` stands for; [] if it is none."""
    uses = (read_arguments(arguments) or {}).get("tool_uses") if name in PARALLEL else None
    calls = []
    for use in uses if isinstance(uses, list) else ():
        called = use.get("recipient_name") if isinstance(use, dict) else None
        given = read_arguments(use.get("parameters")) if isinstance(use, dict) else None
        if not isinstance(called, str) or not called or given is None:
            return []
        calls.append((called.removeprefix("functions."), given))
    return calls


class _Expect(Enum):
    """What may come next outside of a string."""

    OBJECT = auto()
    FIRST_KEY = auto()
    KEY = auto()
    COLON = auto()
    FIRST_VALUE = auto()  # of an array
    VALUE = auto()
    COMMA = auto()
    END = auto()


class ArgumentStream:
    """See the module."""

    def __init__(self, empties: Empties):
        self._empties = empties
        self._filter = ArgumentFilter(empties) if empties else None
        self._reader = _JsonReader()

    def feed(self, text: str) -> str:
        """What can go out now that `text` has arrived."""
        reader = self._reader
        plain = reader.in_value_string and not reader.rest and text.isprintable() and '"' not in text
        if plain and "\\" not in text:  # nearly always: the middle of a string
            reader.sent.append(text)
        else:
            text = reader.read(text)
        return text if self._filter is None else self._filter.feed(text)

    @property
    def is_whole(self) -> bool:
        """Whether the text so far is one JSON object."""
        return self._reader.is_whole

    def finish(self, whole: str, *, may_be_cut: bool = False) -> str:
        """What makes the arguments one object: their end, or what replaces or completes them.

        `may_be_cut`: the answer ended at its length limit; then half an object goes out as it is.
        """
        reader, out = self._reader, ""
        arrived = reader.text()
        if whole.startswith(arrived) and not reader.broken:
            out = self.feed(whole[len(arrived) :])
        if reader.is_whole and whole in (arrived, ""):
            return out + self._filter_text("".join(reader.waiting)) + self._flush_filter()
        final = read_arguments(whole) if whole.strip() else None
        if reader.is_whole and final in (None, reader.object()):
            return out + self._filter_text("".join(reader.waiting)) + self._flush_filter()
        if final is None:
            final = read_arguments(reader.text())
        if final is None and may_be_cut:
            return out + self._filter_text(reader.unsent()) + self._flush_filter()
        return out + self._complete_object(final)

    def _filter_text(self, text: str) -> str:
        return self._filter.feed(text) if self._filter else text

    def _flush_filter(self) -> str:
        return self._filter.flush() if self._filter else ""

    def _complete_object(self, final: dict[str, Any] | None) -> str:
        """What turns the text that has gone out into `final`, or into an object that says what the model wrote."""
        reader = self._reader
        if not reader.sent:
            return _dump(self._without_senseless(final) if final is not None else {UNPARSED: reader.text()})
        sent = reader.object()
        if final is None:
            members = {**({reader.open_key: None} if reader.open_key is not None else {}), UNPARSED: reader.text()}
        else:
            # A member that comes twice counts as it comes last.
            members = self._without_senseless({key: value for key, value in final.items() if key not in sent})
            members |= {key: value for key, value in final.items() if key in sent and sent[key] != value}
            if reader.open_key is not None and reader.open_key not in final:
                members[reader.open_key] = None
        if not members:
            return self._filter_text(reader.closers() + "}") + self._flush_filter()
        if self._filter is None:
            out, comma = reader.closers(), reader.has_members
        else:
            out = self._filter.feed(reader.closers() + ("," if reader.has_members else ""))
            comma = self._filter.has_members
        return out + ("," if comma else "") + _dump(members)[1:]

    def _without_senseless(self, members: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in members.items() if _dump(value) not in self._empties.get(key, ())}


class _JsonReader:
    """Reads JSON text piece by piece and knows which part of it may go out."""

    def __init__(self) -> None:
        self.sent: list[str] = []  # what has gone out
        self.waiting: list[str] = []  # JSON as it should be, but what it belongs to has not come yet
        self.rest = ""  # not read yet: the beginning of a word or an escape
        self.broken = False
        self.has_members = False  # something of a property has gone out
        self._behind: list[str] = []  # what arrived after the fault
        self.in_value_string = False
        self._in_key = False
        self._expect = _Expect.OBJECT
        self._stack: list[str] = []  # what closes the open objects and arrays
        self._key: list[str] = []
        self._top_key: list[str] = []  # the JSON text of the last property's name

    @property
    def is_whole(self) -> bool:
        return self._expect is _Expect.END and not self.broken and not self.rest

    @property
    def open_key(self) -> str | None:
        """The property whose value has begun to go out and is not complete."""
        if not self.in_value_string and len(self._stack) < 2:
            return None
        name: str = loads('"' + "".join(self._top_key) + '"')
        return name

    def text(self) -> str:
        return "".join(self.sent) + self.unsent()

    def unsent(self) -> str:
        return "".join([*self.waiting, self.rest, *self._behind])

    def closers(self) -> str:
        """What closes all that has gone out but the object itself."""
        return ('"' if self.in_value_string else "") + "".join(reversed(self._stack[1:]))

    def object(self) -> dict[str, Any]:
        """What has gone out, read as an object."""
        try:
            value: dict[str, Any] = loads("".join(self.sent) + self.closers() + "}")
        except ValueError:  # a number that is too large, for instance
            return {}
        return value

    def read(self, text: str) -> str:
        """Take in more text; what may go out."""
        if self.broken:
            self._behind.append(text)
            return ""
        text, self.rest = self.rest + text, ""
        before, at = len(self.sent), 0
        while at < len(text):
            step = self._read_string if self.in_value_string or self._in_key else self._read_token
            end = step(text, at)
            if end < 0:  # a fault, or a word or an escape that may go on
                self.rest = text[at:]
                break
            at = end
        return "".join(self.sent[before:])

    def _read_string(self, text: str, at: int) -> int:
        found = _STRING.match(text, at)
        end = found.end() if found else at
        if end > at:
            self._put_in_string(text[at:end])
            return end
        if text[at] == '"':
            self._close_string()
            return at + 1
        if text[at] == "\\":
            if _HALF_ESCAPE.match(text, at):
                return -1
            self._put_in_string("\\\\")
        else:
            self._put_in_string(f"\\u{ord(text[at]):04x}")
        return at + 1

    def _put_in_string(self, text: str) -> None:
        if self._in_key:
            self._key.append(text)
            self.waiting.append(text)
        else:
            self.sent.append(text)

    def _close_string(self) -> None:
        if self._in_key:
            self.waiting.append('"')
            self._in_key, self._expect = False, _Expect.COLON
            if len(self._stack) == 1:
                self._top_key = self._key
        else:
            self.sent.append('"')
            self.in_value_string, self._expect = False, _Expect.COMMA

    def _read_token(self, text: str, at: int) -> int:
        space = _SPACE.match(text, at)
        if space and space.end() > at:
            self.waiting.append(space[0])
            return space.end()
        word = _WORD.match(text, at)
        if word is None:
            return self._read_mark(text[at], at)
        if self._expect not in (_Expect.VALUE, _Expect.FIRST_VALUE) or len(word[0]) > MAX_WORD:
            return self._break()
        if word.end() == len(text):  # it may go on
            return -1
        if not _LITERAL.fullmatch(word[0]):
            return self._break()
        self._send(word[0])
        self._expect = _Expect.COMMA
        return word.end()

    def _read_mark(self, mark: str, at: int) -> int:
        expect = self._expect
        if mark == '"' and expect in (_Expect.KEY, _Expect.FIRST_KEY):
            self.waiting.append(mark)
            self._in_key, self._key = True, []
        elif mark == '"' and expect in (_Expect.VALUE, _Expect.FIRST_VALUE):
            self._send(mark)
            self.in_value_string = True
        elif mark == ":" and expect is _Expect.COLON:
            self.waiting.append(mark)
            self._expect = _Expect.VALUE
        elif mark == "," and expect is _Expect.COMMA:
            self.waiting.append(mark)
            self._expect = _Expect.KEY if self._stack[-1] == "}" else _Expect.VALUE
        elif mark in "{[" and self._may_open(mark):
            self._send(mark)
            self._stack.append("}" if mark == "{" else "]")
            self._expect = _Expect.FIRST_KEY if mark == "{" else _Expect.FIRST_VALUE
        elif mark in "}]" and self._may_close(mark):
            self._close(mark)
        else:
            return self._break()
        return at + 1

    def _may_open(self, mark: str) -> bool:
        if self._expect is _Expect.OBJECT:
            return mark == "{"
        return self._expect in (_Expect.VALUE, _Expect.FIRST_VALUE) and len(self._stack) < MAX_DEPTH

    def _may_close(self, mark: str) -> bool:
        empty = _Expect.FIRST_KEY if mark == "}" else _Expect.FIRST_VALUE
        return bool(self._stack) and self._stack[-1] == mark and self._expect in (_Expect.COMMA, empty)

    def _close(self, mark: str) -> None:
        self._stack.pop()
        if self._stack:
            self._send(mark)
            self._expect = _Expect.COMMA
        else:
            self.waiting.append(mark)
            self._expect = _Expect.END

    def _send(self, text: str) -> None:
        """Let a value, or its beginning, go out with all that waited for it."""
        self.sent += self.waiting
        self.waiting.clear()
        self.has_members = bool(self._stack)
        self.sent.append(text)

    def _break(self) -> int:
        self.broken = True
        return -1


def _dump(value: Any) -> str:
    try:
        return dumps(value)
    except InvalidRequest:  # nested too deeply
        return dumps({UNPARSED: "The arguments are nested too deeply."}) if isinstance(value, dict) else "null"
