"""The model picked with /model, kept for our next session and out of plain Claude Code's.

Claude Code saves what is picked as the user's default, in their settings.json. After the session that is taken out
again, the file is otherwise as Claude Code left it (byte for byte as it was, if nothing else changed), and the next
session on the same account starts with the model all the same, until the user's default is another.

What a plain `claude` beside the session has saved meanwhile stays. It is told apart by what it can start with, which
the name of one of our models is not, and by whether the session was seen to go over to another model: by our status
line, or by what its main loop asks. Where nobody saw that, a name that plain `claude` knows is its own.

What stood there is noted in the run's folder before the session, and that it went over as soon as it is seen, so that
whoever ends the run can settle it: we; the guardian, which runs this module, when we were killed; the next start, when
both were.

    picked(settings_file, memory_of(state, provider))   # "gpt-6-astra" or None, at the start
    (run / NOTE).write_text(note(default, run.parent))  # before Claude Code is there
    went_over(run)                                      # when it is seen
    settle(run)                                         # when Claude Code is gone
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import files
from ..accounts.providers.base import Provider
from ..models import FAMILY_TIER, bare_name, claude_tier
from .session_models import DEFAULT_NAME, MODEL_ALIASES
from .user_settings import read_json_object

NOTE = "default.json"
WENT_OVER = "went-over"  # an empty file
TEXT = {"encoding": "utf-8", "errors": "surrogateescape"}  # whatever bytes the user's file has


@dataclass(frozen=True)
class Memory:
    """Our file for what was picked on an account, and the address of its server: another has other models."""

    file: Path
    server: str


@dataclass(frozen=True)
class Default:
    """Where the user's default stands, where picks are remembered, the model this session starts with."""

    file: Path
    memory: Memory
    model: str


def memory_of(folder: Path, provider: Provider) -> Memory:
    return Memory(folder / f"picked-model-{provider.name}.json", provider.url)


def picked(settings_file: Path, memory: Memory) -> str | None:
    """What was picked in an earlier session, if the account's server and the user's default are what they were."""
    saved = read_json_object(memory.file)
    model = saved.get("model")
    then = (saved.get("server"), saved.get("instead_of"))
    same = then == (memory.server, read_json_object(settings_file).get("model"))
    return model if isinstance(model, str) and same else None


def note(default: Default, runs: Path) -> str:
    """What `settle` has to know, for the run's folder. `runs` has the folders of all, this one's among them."""
    before = standing(default.file, runs)
    return json.dumps(
        {
            "file": str(default.file),
            "memory": str(default.memory.file),
            "server": default.memory.server,
            "model": default.model,
            "before": None if before is None else before.decode(**TEXT),
            "written": written(default.file),
        }
    )


def standing(settings_file: Path, runs: Path) -> bytes | None:
    """The user's settings, without what another session of ours has put there and will take out again."""
    now = read(settings_file)
    for other in map(read_json_object, runs.glob(f"*/{NOTE}")):
        if other.get("file") == str(settings_file) and differs(parsed(now), parsed(before_of(other))):
            return before_of(other)
    return now


def went_over(run: Path) -> None:
    """Note that the session was seen to go over to another model. A disk that is full costs the note, not the turn."""
    with suppress(OSError):
        (run / WENT_OVER).touch(mode=0o600)


def settle(run: Path) -> None:
    """Put the default back as the run's note has it; where the file cannot be written, it stays as it is.

    A default picked again, over a model that was only remembered, is seen by nothing but that the session went over:
    the file says then what it said before.
    """
    noted, gone = read_json_object(run / NOTE), (run / WENT_OVER).exists()
    if not noted:
        return
    file, memory = Path(noted["file"]), Memory(Path(noted["memory"]), noted["server"])
    with suppress(OSError, UnicodeError):
        new, old = parsed(read(file)), parsed(before_of(noted))
        if differs(new, old):
            if gone or not known_to_claude(model_of(new)):
                put_back(file, before_of(noted), memory)
        elif gone and noted["model"] == picked(file, memory) and written(file) != noted["written"]:
            forget(memory.file)


def put_back(settings_file: Path, before: bytes | None, memory: Memory) -> None:
    old, new = parsed(before) or {}, parsed(read(settings_file)) or {}
    kept = {name: value for name, value in new.items() if name != "model"}
    if "model" in old:
        kept["model"] = old["model"]
    if before is None and not kept:
        settings_file.unlink()
    else:
        text = (
            before.decode(**TEXT) if before and kept == old else json.dumps(kept, indent=2, ensure_ascii=False) + "\n"
        )
        replace(settings_file, text)
    remembered = {"model": model_of(new), "instead_of": old.get("model"), "server": memory.server}
    files.replace_file(memory.file, json.dumps(remembered))


def differs(now: Mapping[str, Any] | None, before: Mapping[str, Any] | None) -> bool:
    """Whether the file has another model than before; one that cannot be read has none to speak of."""
    if now is None:
        return False
    model = now.get("model")
    return isinstance(model, str | None) and model != (before or {}).get("model")


def model_of(settings: Mapping[str, Any] | None) -> str:
    return bare_name((settings or {}).get("model") or DEFAULT_NAME)


def known_to_claude(model: str) -> bool:
    """Whether plain Claude Code can start with this."""
    return model in MODEL_ALIASES or model in FAMILY_TIER or claude_tier(model) is not None


def forget(memory: Path) -> None:
    with suppress(FileNotFoundError):
        memory.unlink()


def replace(file: Path, text: str) -> None:
    mode = file.stat().st_mode & 0o777
    files.replace_file(file, text)
    file.chmod(mode)


def before_of(noted: Mapping[str, Any]) -> bytes | None:
    text = noted.get("before")
    return text.encode(**TEXT) if isinstance(text, str) else None


def written(file: Path) -> int | None:
    """When; Claude Code writes the file anew for what is in it already, too."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return None


def read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def parsed(text: bytes | None) -> dict[str, Any] | None:
    """None for what is no settings file."""
    try:
        found = json.loads(text or b"")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


if __name__ == "__main__":
    settle(Path(sys.argv[1]))
