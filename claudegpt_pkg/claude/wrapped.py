"""A Claude Code that the command line names: `claudegpt /path/to/claude ARGS…`, as an editor starts a process wrapper.

    split_wrapped(["/ext/claude", "--model", "opus"])    → (Wrapped("/ext/claude"), ["--model", "opus"])
    split_wrapped(["node", "/ext/cli.js", "-p", "hi"])   → (Wrapped("/ext/cli.js", ("/bin/node",)), ["-p", "hi"])
    split_wrapped(["claude code is slow, why?"])         → (None, [the same words])

The setting `claudeCode.claudeProcessWrapper` starts its program in this way (docs/wires/claude-code.md), and so do
the Agent SDKs when their executable is a script.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .programs import find_program

INTERPRETERS = frozenset({"node", "bun", "deno", "electron"})
SCRIPTS = frozenset({".js", ".mjs", ".cjs"})


@dataclass(frozen=True)
class Wrapped:
    """The program to run, and the interpreter that runs it if it is a script."""

    path: Path
    interpreter: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        return [*self.interpreter, str(self.path)]


def split_wrapped(words: Sequence[str]) -> tuple[Wrapped | None, list[str]]:
    """Take the program off the front of the command line, if it begins with one; return it and the other words."""
    rest = list(words)
    if not rest:
        return None, rest
    if _is_claude(rest[0]):
        return Wrapped(Path(rest[0]).absolute()), rest[1:]
    if len(rest) > 1 and Path(rest[0]).name in INTERPRETERS and is_script(rest[1]):
        interpreter = find_program(rest[0])
        if interpreter:
            return Wrapped(Path(rest[1]).absolute(), (str(interpreter),)), rest[2:]
    return None, rest


def _is_claude(word: str) -> bool:
    """Whether a word is the path of an executable file named `claude…` that is not claudegpt itself."""
    if "/" not in word or "\0" in word or not os.path.basename(word).startswith("claude"):  # noqa: PTH119  a word, no path yet
        return False
    from .install import is_claudegpt  # slow to import, and most command lines name no program

    path = Path(word)
    try:
        return path.is_file() and os.access(path, os.X_OK) and not is_claudegpt(path)
    except OSError:  # a prompt longer than a path may be
        return False


def is_script(word: str) -> bool:
    """Whether a word is the path of a JavaScript file, as `…/claude-code/cli.js`."""
    path = Path(word.replace("\0", ""))
    try:
        return path.suffix in SCRIPTS and path.is_file()
    except OSError:
        return False
