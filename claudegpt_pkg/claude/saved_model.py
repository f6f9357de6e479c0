"""Keeps the model picked with /model for the next session, and out of plain Claude Code's settings.

Claude Code saves a picked model as the user's default in their settings.json. When the session ends, `restore_default`
takes the model out again. The rest of the file stays as Claude Code left it; if nothing else changed, the file is as
before byte for byte. The next session on the same account starts with the picked model, until the user's default is
another one.

A plain `claude` beside the session may save a model of its own meanwhile. That one stays. It is told apart in two ways:
plain `claude` can start with it (it cannot start with one of our models), and the session was not seen to switch its
model, neither by our status line nor by the requests of its main loop.

What stood in the settings is noted in the run's folder before the session, and so is a switch when it is seen. Whoever
ends the run can then restore the default: claudegpt; the guardian, which runs this module, if claudegpt was killed; the
next start, if both were.

A note is only believed if it is ours (files.read_own_file), and it never says where to write: the settings file is the
caller's, the file for saved models is in the state folder that holds the runs.

    read_saved_model(settings_file, saved_model_file(state, provider))    # "gpt-6-astra" or None, at the start
    write_private(run / NOTE, make_note(default, runs))                   # before Claude Code starts
    note_switch(run)                                                      # when the switch is seen
    restore_default(run, settings_file)                                   # when Claude Code has ended
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from .. import files
from ..accounts.providers.base import Provider
from ..models import FAMILY_TIER, bare_name, claude_tier
from .session_models import DEFAULT_NAME, MODEL_ALIASES

NOTE = "default.json"
_SWITCHED = "switched"  # an empty file in the run's folder
_TEXT = {"encoding": "utf-8", "errors": "surrogateescape"}  # the user's file may hold any bytes
_PROVIDER_NAME = re.compile(r"[a-z0-9]+")

T = TypeVar("T")


@dataclass(frozen=True)
class SavedModelFile:
    """Where a picked model is kept for an account, and the address of its server: another server has other models."""

    folder: Path
    provider: str
    server: str

    @property
    def path(self) -> Path:
        return self.folder / f"picked-model-{self.provider}.json"


@dataclass(frozen=True)
class DefaultModel:
    """The user's settings file, the file for the picked model, and the model that this session starts with."""

    settings_file: Path
    saved: SavedModelFile
    model: str


class SavedModel(msgspec.Struct, frozen=True):
    """A picked model on disk, and the user's default that it replaces."""

    model: str
    server: str
    instead_of: str | None = None


class RunNote(msgspec.Struct, frozen=True, tag="claudegpt-run-1"):
    """What the end of a run has to know. A note that another version wrote has another tag, and is no note."""

    settings: str  # a digest of the settings file's path
    provider: str
    server: str
    model: str  # what the session started with
    before: bytes | None  # the settings file; None if there was none
    written: int | None  # when the file was written, in nanoseconds


def saved_model_file(folder: Path, provider: Provider) -> SavedModelFile:
    return SavedModelFile(folder, provider.name, provider.url)


def read_saved_model(settings_file: Path, saved: SavedModelFile) -> str | None:
    """The model picked in an earlier session, if the account's server and the user's default are still the same."""
    found = _decode(files.read_own_file(saved.path), SavedModel)
    if found is None:
        return None
    default = (_parse(_read(settings_file)) or {}).get("model")
    return found.model if (found.server, found.instead_of) == (saved.server, default) else None


def make_note(default: DefaultModel, runs: Path) -> bytes:
    """The content of the run's note. `runs` holds the folders of all runs."""
    note = RunNote(
        settings=_digest(default.settings_file),
        provider=default.saved.provider,
        server=default.saved.server,
        model=default.model,
        before=_settings_without_us(default.settings_file, runs),
        written=_read_written(default.settings_file),
    )
    return msgspec.json.encode(note)


def note_switch(run: Path) -> None:
    """Note that the session was seen to switch its model. A full disk costs the note, not the turn."""
    with suppress(OSError):
        (run / _SWITCHED).touch(mode=0o600)


def restore_default(run: Path, settings_file: Path) -> bool:
    """Restore the user's default from the run's note. Return whether the run has nothing left to restore.

    It has, if its note is about another settings file. A settings file that cannot be written stays as it is.

    A session may start with a saved model, and the user may pick their own default in it. Claude Code then writes the
    file with the same content, and only the switch and the time of writing tell; the saved model is then forgotten.
    """
    note = _read_note(run)
    if note is None:
        return True
    if note.settings != _digest(settings_file):
        return False
    saved = SavedModelFile(run.parent.parent, note.provider, note.server)
    switched = (run / _SWITCHED).exists()
    with suppress(OSError, UnicodeError):
        new, old = _parse(_read(settings_file)), _parse(note.before)
        if _has_other_model(new, old):
            if switched or not _known_to_claude(_model_in(new)):
                _put_back(settings_file, note.before, saved)
        elif (
            switched
            and note.written != _read_written(settings_file)
            and note.model == read_saved_model(settings_file, saved)
        ):
            saved.path.unlink(missing_ok=True)
    return True


# Notes.


def _read_note(run: Path) -> RunNote | None:
    note = _decode(files.read_own_file(run / NOTE), RunNote) if files.is_own_folder(run) else None
    return note if note and _PROVIDER_NAME.fullmatch(note.provider) else None


def _settings_without_us(settings_file: Path, runs: Path) -> bytes | None:
    """The user's settings file, without what another session of ours has put there and will take out again."""
    now = _read(settings_file)
    for run in sorted(runs.iterdir()):
        note = _read_note(run)
        if note and note.settings == _digest(settings_file) and _has_other_model(_parse(now), _parse(note.before)):
            return note.before
    return now


def _digest(file: Path) -> str:
    return hashlib.sha256(str(file.absolute()).encode(**_TEXT)).hexdigest()


def _decode(data: bytes | None, type: type[T]) -> T | None:
    """The value in `data`; None if it is not one of this type."""
    try:
        return msgspec.json.decode(data or b"", type=type)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


# The user's settings file.


def _put_back(settings_file: Path, before: bytes | None, saved: SavedModelFile) -> None:
    old, new = _parse(before) or {}, _parse(_read(settings_file)) or {}
    kept = {name: value for name, value in new.items() if name != "model"}
    if "model" in old:
        kept["model"] = old["model"]
    if before is None and not kept:
        settings_file.unlink()
    elif before and kept == old:
        _replace(settings_file, before.decode(**_TEXT))
    else:
        _replace(settings_file, json.dumps(kept, indent=2, ensure_ascii=False) + "\n")
    default = old.get("model")
    picked = SavedModel(_model_in(new), saved.server, default if isinstance(default, str) else None)
    files.replace_file(saved.path, msgspec.json.encode(picked).decode())


def _has_other_model(now: Mapping[str, Any] | None, before: Mapping[str, Any] | None) -> bool:
    """Whether the file has another model than before. A file that cannot be read has none."""
    if now is None:
        return False
    model = now.get("model")
    return isinstance(model, str | None) and model != (before or {}).get("model")


def _model_in(settings: Mapping[str, Any] | None) -> str:
    return bare_name((settings or {}).get("model") or DEFAULT_NAME)


def _known_to_claude(model: str) -> bool:
    """Whether plain Claude Code can start with this model."""
    return model in MODEL_ALIASES or model in FAMILY_TIER or claude_tier(model) is not None


def _replace(file: Path, text: str) -> None:
    mode = file.stat().st_mode & 0o777
    files.replace_file(file, text)
    file.chmod(mode)


def _read_written(file: Path) -> int | None:
    """When the file was written. Claude Code also writes the file anew if its content stays the same."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return None


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def _parse(text: bytes | None) -> dict[str, Any] | None:
    """None for what is no settings file."""
    try:
        found = json.loads(text or b"")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


if __name__ == "__main__":
    restore_default(Path(sys.argv[1]), Path(sys.argv[2]))
