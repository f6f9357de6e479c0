"""How claudegpt knows that it runs inside a session of its own, or was started by its own start of `claude`. Pure.

A session exports variables to Claude Code, and so to every command that runs in it. A `claudegpt` that is started there
must not take them for the user's choice: `mark_exports` notes them in the environment, `restore_environment` undoes
them.

`claude` may be a wrapper that leads back to claudegpt. `mark_started` notes which programs claudegpt has started; the
real Claude Code erases the note, because our settings file sets the variable to nothing. So a claudegpt that finds the
note was started by a wrapper, and must take another program.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

EXPORTED = "CLAUDEGPT_EXPORTED"  # JSON: {name: [digest of the exported value, the user's value or null]}
STARTED = "CLAUDEGPT_STARTED"  # the programs that claudegpt has started as Claude Code, as in PATH
_CREDENTIALS = ("_TOKEN", "_KEY", "_SECRET", "_PASSWORD", "_HEADERS")  # how the names of their variables end


def mark_exports(environment: Mapping[str, str], user: Mapping[str, str]) -> dict[str, str]:
    """`environment`, with a note of what in it is not as in the `user`'s environment."""
    changed = {name: value for name, value in environment.items() if user.get(name) != value}
    note = {name: [_digest(value), _keep_unchanged(name, user)] for name, value in sorted(changed.items())}
    return {**environment, EXPORTED: json.dumps(note, separators=(",", ":"))}


def restore_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The user's environment: without what a session exported, unless somebody has changed it since."""
    restored = {name: value for name, value in environ.items() if name != EXPORTED}
    for name, (digest, before) in _read_note(environ.get(EXPORTED, "")).items():
        if name in restored and _digest(restored[name]) == digest:
            del restored[name]
            if before is not None:
                restored[name] = before
    return restored


def mark_started(environ: Mapping[str, str], program: Path) -> dict[str, str]:
    """`environ`, with a note that claudegpt starts this program as Claude Code. Links are followed."""
    earlier = [each for each in environ.get(STARTED, "").split(os.pathsep) if each]
    return {**environ, STARTED: os.pathsep.join([*earlier, str(program.resolve())])}


def started_programs(environ: Mapping[str, str]) -> set[Path]:
    """The programs that claudegpt started and that led back to it."""
    return {Path(each) for each in environ.get(STARTED, "").split(os.pathsep) if each}


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode(errors="surrogateescape")).hexdigest()[:16]


def _keep_unchanged(name: str, user: Mapping[str, str]) -> str | None:
    """The user's value, to be restored. A credential that the session set aside is not passed on."""
    return None if name.upper().endswith(_CREDENTIALS) else user.get(name)


def _read_note(text: str) -> dict[str, tuple[str, str | None]]:
    """The note; nothing if it is not one."""
    try:
        note = json.loads(text)
        return {
            str(name): (digest, before)
            for name, (digest, before) in note.items()
            if isinstance(digest, str) and isinstance(before, str | None)
        }
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}
