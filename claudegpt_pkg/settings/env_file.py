"""Files of NAME=value lines, such as `config.env`: read them, and change some lines without touching the others.

    values = read(file)
    change(file, {"CLAUDEGPT_PROVIDER": "openai", "PORT": None})     # None removes the line

A change replaces the file at once, only its owner can read it, and writers take turns.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from .. import files
from ..errors import BadSetting


def read(file: Path, *, strict: bool = False) -> dict[str, str]:
    """The NAME=value lines of `file`; an absent file has none. Raises BadSetting if it cannot be read.

    With `strict`, also for a line that is not NAME=value, such as one cut off. Other files than config.env may hold
    lines that another program understands.
    """
    try:
        bindings = _bindings(file)
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "not UTF-8 text"
        raise BadSetting(f"Cannot read {file}: {reason}.", "Correct its permissions or move it away.") from None
    for binding in bindings:
        if strict and (binding.error or (binding.key and binding.value is None)):
            named = f"{binding.key} has no value" if binding.key else "it is not NAME=value"
            raise BadSetting(
                f"Cannot use line {_line_number(binding)} of {file}: {named}.",
                "Correct it with `claudegpt config edit`.",
            )
    return {each.key: each.value for each in bindings if each.key and each.value is not None}


def _line_number(binding: Binding) -> int:
    """Of the line itself: a binding begins with the blank lines above it."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")


def make_sure(file: Path) -> None:
    """Raises BadSetting if `file` cannot be changed. Call it before the user answers questions."""
    if problem := files.find_write_problem(Path(os.path.realpath(file)).parent):
        raise _unwritable(file, problem)


def change(file: Path, changes: Mapping[str, str | None]) -> None:
    """Give each name its value; None removes its line.

    Raises BadSetting if the file cannot be read or written, or a value cannot stand in it. The file is then unchanged.
    """
    for name, value in changes.items():
        if value and not value.isprintable():
            raise BadSetting(f"{name} cannot hold a line break or another control character.")
    try:
        files.make_private_folder(file.parent)
        with files.hold_lock(file.parent / f".{file.name}.lock"):
            read(file)  # raises BadSetting if the file is not text
            files.replace_file(file, _change_lines(file, changes))
    except OSError as problem:
        raise _unwritable(file, problem) from None


def _unwritable(file: Path, problem: OSError) -> BadSetting:
    return BadSetting(f"Cannot write {file}: {problem.strerror}.", files.UNWRITABLE_HINT)


def _change_lines(file: Path, changes: Mapping[str, str | None]) -> str:
    left = dict(changes)
    pieces = []
    for binding in _bindings(file):
        piece = binding.original.string
        if binding.key and binding.key in changes:
            value = left.pop(binding.key, None)
            blank = piece[: len(piece) - len(piece.lstrip())]
            piece = blank + (_assignment(binding.key, value) if value else "")
        pieces.append(piece)
    if pieces and pieces[-1] and not pieces[-1].endswith("\n"):
        pieces.append("\n")
    return "".join([*pieces, *(_assignment(name, value) for name, value in left.items() if value)])


def _bindings(file: Path) -> list[Binding]:
    """The file in pieces that put together are the file again: assignments, comments, blanks."""
    try:
        with file.open(encoding="utf-8") as lines:
            return list(parse_stream(lines))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _assignment(name: str, value: str) -> str:
    if re.fullmatch(r"[\w@%+=:,./~-]*", value, re.ASCII):
        return f"{name}={value}\n"
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{quoted}'\n"
