"""`claudegpt vscode`: make the Claude Code panel of an editor run through claudegpt, or undo that.

The extension starts the program in its setting `claudeCode.claudeProcessWrapper` in place of Claude Code, and hands it
the path of its own Claude Code and the arguments (docs/wires/claude-code.md). So one line in the editor's settings file
is enough. The file keeps its comments and order, and what it said before is noted for `--undo`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..claude.install import confirm, on_terminal
from ..claude.jsonc import read, remove_member, set_member
from ..claude.programs import find_program
from ..errors import BadSetting
from ..files import make_private_folder, replace_file
from ..settings.settings import load
from ..terminal.console import tell

WRAPPER = "claudeCode.claudeProcessWrapper"
NO_LOGIN = "claudeCode.disableLoginPrompt"
NOTES = "editors.json"  # in the data folder: settings file → what our keys said before
# How each editor's folder is named below the configuration folder, and its folder on a remote machine.
EDITORS = {
    "code": ("Code", ".vscode-server"),
    "code-insiders": ("Code - Insiders", ".vscode-server-insiders"),
    "cursor": ("Cursor", ".cursor-server"),
    "windsurf": ("Windsurf", ".windsurf-server"),
    "vscodium": ("VSCodium", ".vscodium-server"),
}
ABSENT = object()


@dataclass(frozen=True)
class Editor:
    """An editor that was found, and the settings file that its extension reads on this machine."""

    name: str
    file: Path


def configure(flags: Mapping[str, str], *, editor: str | None, undo: bool, yes: bool) -> None:
    """Show what would be written to the editors' settings, ask, and write it. Raises BadSetting."""
    data = load(flags).dirs.data
    for each in _chosen_editors(editor):
        text = _read_text(each.file)
        new = _undone(text, each.file, data) if undo else _configure(text, each.file)
        if new == text:
            tell(f"{each.name}: {each.file} needs no change.")
            continue
        tell(f"{each.name}: {each.file}")
        _show(text, new, each.file)
        if not yes and not (on_terminal() and confirm("Write this?")):
            tell("Nothing was written." if on_terminal() else "Nothing was written: run it with --yes.")
            continue
        if not undo:
            _note(each.file, text, data)
        _write(each.file, new)
        tell("Written. Reload the editor's window, and open the Claude Code panel.")


def _chosen_editors(name: str | None) -> list[Editor]:
    """The editor of this name, or all that are on this machine. Raises BadSetting if there is none."""
    if name and name not in EDITORS:
        raise BadSetting(f"{name!r} is not an editor that claudegpt knows.", f"Choose one of {', '.join(EDITORS)}.")
    found = [
        Editor(each, folder / "settings.json")
        for each in EDITORS
        if name in (None, each)
        for folder in _settings_folders(each)
        if folder.is_dir()
    ]
    if found:
        return found
    if name:
        return [Editor(name, _settings_folders(name)[0] / "settings.json")]
    raise BadSetting(
        "No editor with a Claude Code extension was found on this machine.",
        f"Name yours: claudegpt vscode --editor {'|'.join(EDITORS)}",
    )


def _settings_folders(editor: str) -> list[Path]:
    """Where an editor keeps the user's settings: on this machine, and as a server for an editor elsewhere."""
    local, remote = EDITORS[editor]
    home = Path.home()
    base = home / "Library" / "Application Support" if sys.platform == "darwin" else _config_home(home)
    return [base / local / "User", home / remote / "data" / "Machine"]


def _config_home(home: Path) -> Path:
    chosen = os.environ.get("XDG_CONFIG_HOME", "")
    return Path(chosen) if chosen.startswith("/") else home / ".config"


def _own_program() -> Path:
    """The absolute path that starts claudegpt. Raises BadSetting if it was started in a way that has none."""
    if clone := os.environ.get("CLAUDEGPT_CLONE"):
        return Path(clone) / "claudegpt"
    for candidate in (sys.argv[0], find_program("claudegpt") or ""):
        path = Path(candidate)
        if path.is_absolute() and path.name == "claudegpt" and os.access(path, os.X_OK):
            return path
    raise BadSetting("claudegpt cannot tell which program starts it.", "Install it, or run it from its clone.")


def _configure(text: str, file: Path) -> str:
    try:
        settings = read(text)
        new = text
        for key, value in ((WRAPPER, str(_own_program())), (NO_LOGIN, True)):
            if settings.get(key, ABSENT) != value:
                new = set_member(new, key, value)
    except ValueError as problem:
        raise _unreadable(file, problem) from None
    return new


def _undone(text: str, file: Path, data: Path) -> str:
    before = _notes(data).get(str(file), {})
    try:
        settings = read(text)
        for key in (WRAPPER, NO_LOGIN):
            if key in before:
                text = set_member(text, key, before[key])
            elif key in settings:
                text = remove_member(text, key)
    except ValueError as problem:
        raise _unreadable(file, problem) from None
    return text


def _note(file: Path, text: str, data: Path) -> None:
    """Keep what our keys said before the first time we wrote them."""
    notes = _notes(data)
    settings = read(text)
    if settings.get(WRAPPER) == str(_own_program()):
        return
    notes[str(file)] = {key: settings[key] for key in (WRAPPER, NO_LOGIN) if key in settings}
    make_private_folder(data)
    replace_file(data / NOTES, json.dumps(notes, indent=2))


def _notes(data: Path) -> dict[str, dict[str, Any]]:
    try:
        notes = json.loads((data / NOTES).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return {file: keys for file, keys in notes.items() if isinstance(keys, dict)} if isinstance(notes, dict) else {}


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeError) as problem:
        raise BadSetting(f"{file} cannot be read: {problem}.") from None


def _write(file: Path, text: str) -> None:
    """Replace the file's content, through a link if it is one (settings are often kept in a repository)."""
    target = file.resolve()
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, text)
        target.chmod(mode)
    except OSError as problem:
        raise BadSetting(f"{file} cannot be written: {problem.strerror}.") from None


def _unreadable(file: Path, problem: ValueError) -> BadSetting:
    return BadSetting(f"{file} is not valid JSON with comments: {problem}.", "Correct it in the editor first.")


def _show(old: str, new: str, file: Path) -> None:
    """The changed lines, as a diff shows them."""
    import difflib

    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=1)
    tell("\n".join(f"  {line}" for line in lines if not line.startswith(("---", "+++", "@@"))))
