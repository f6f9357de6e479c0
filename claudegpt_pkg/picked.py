"""The model picked with /model, kept for our next session and out of plain Claude Code's.

Claude Code saves what is picked as the user's default, in their settings.json. A tier's name means something to plain
`claude` too and stays there; the name of one of our models would keep it from working. So after the session that name
is taken out again, the file is otherwise as Claude Code left it (byte for byte as it was, if nothing else changed), and
the next session starts with the model all the same, until the user's default is another.

    with kept_apart(settings_file, memory): …      # the session
    picked(settings_file, memory)                  # "gpt-6-astra" or None, at the next start
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from . import files
from .models import FAMILY_TIER, claude_tier, plain
from .session import MODEL_ALIASES, read_if_usable

MEMORY = "picked-model.json"


@contextmanager
def kept_apart(settings_file: Path, memory: Path) -> Iterator[None]:
    """`memory` is a folder of ours. Where a file cannot be written, it stays as it is."""
    before = read(settings_file)
    try:
        yield
    finally:
        with suppress(OSError):
            put_back(settings_file, before, memory)


def picked(settings_file: Path, memory: Path) -> str | None:
    """What was picked in an earlier session, if the user's default is still what it was then."""
    saved = read_if_usable(memory / MEMORY)
    model = saved.get("model")
    same = saved.get("instead_of") == read_if_usable(settings_file).get("model")
    return model if isinstance(model, str) and same else None


def put_back(settings_file: Path, before: bytes | None, memory: Path) -> None:
    after = read(settings_file)
    old, new = parsed(before), parsed(after)
    model = new.get("model")
    if after == before or model == old.get("model"):
        return
    forget(memory)
    if not isinstance(model, str) or known_to_claude(model):
        return
    kept = {name: value for name, value in new.items() if name != "model"}
    if "model" in old:
        kept["model"] = old["model"]
    if before is None and not kept:
        settings_file.unlink()
    else:
        text = before.decode() if before and kept == old else json.dumps(kept, indent=2, ensure_ascii=False) + "\n"
        replace(settings_file, text)
    files.write(memory / MEMORY, json.dumps({"model": plain(model), "instead_of": old.get("model")}))


def known_to_claude(model: str) -> bool:
    """Whether plain Claude Code can start with this."""
    name = plain(model)
    return name in MODEL_ALIASES or name in FAMILY_TIER or claude_tier(name) is not None


def forget(memory: Path) -> None:
    with suppress(FileNotFoundError):
        (memory / MEMORY).unlink()


def replace(file: Path, text: str) -> None:
    mode = file.stat().st_mode & 0o777
    files.write(file, text)
    file.chmod(mode)


def read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def parsed(text: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(text or b"")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
