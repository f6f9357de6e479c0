"""`claudegpt uninstall`: show what claudegpt keeps on this machine, ask, delete it, and say what removes the program.

Only files that claudegpt itself makes are deleted, each by its name. Another file in the same folder is kept and named.
The user's own Claude Code, its settings and its conversations, and the Codex CLI's login belong to others and stay.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..accounts.auth.tokens import own_file
from ..claude.install import confirm, on_terminal
from ..errors import BadSetting, ClaudegptError
from ..records.trace import find_traces
from ..settings.settings import Settings, load
from ..terminal.console import from_home, result, say
from .installation import find_installation, show_command

# What claudegpt makes in each of its folders: names, and what they are for the user.
KEPT: dict[str, tuple[tuple[str, str], ...]] = {
    "config": (("config.env*", "settings and API keys"),),
    "data": (
        ("chatgpt*.json*", "the ChatGPT login"),
        ("serve.json*", "the port and token of `claudegpt serve --stable`"),
        ("editors.json*", "what the editors' settings had before `claudegpt vscode`"),
        ("claude-code*", "the installed Claude Code"),
        ("claude", "the private configuration of --isolate, with its conversations"),
    ),
    "state": (
        ("usage*.jsonl*", "the record of tokens used"),
        ("picked-model-*", "the models picked with /model"),
        ("said-*", "which notices were shown"),
        ("update-*", "which version is the newest"),
        ("wrapper.log*", "a log of starts by an editor"),
        ("serve", "running proxies"),
        ("run", "what ended sessions left"),
    ),
    "cache": (("models-*", "lists of models"), ("capabilities-*", "what servers can take"), ("*.lock", "locks")),
}


@dataclass
class Kept:
    """One kind of thing that claudegpt keeps: what it is, where, and how large."""

    meaning: str
    paths: list[Path] = field(default_factory=list)
    size: int = 0  # bytes


def uninstall_claudegpt(flags: Mapping[str, str], *, yes: bool) -> int:
    """Return the exit status: 1 if nothing was deleted because nobody confirmed, or if something could not be."""
    settings = load(flags)
    _refuse_while_running(settings)
    kept = find_kept(settings)
    installation = find_installation()
    if kept:
        say("claudegpt keeps this on this machine:")
        for each in kept:
            places = ", ".join(from_home(str(path)) for path in _shown_paths(each))
            result(f"{each.meaning} ({_show_size(each.size)}): {places}")
    else:
        say("claudegpt keeps nothing on this machine.")
    if kept and not yes and not (on_terminal() and confirm("Delete all of this?")):
        say("Nothing was deleted." if on_terminal() else "Nothing was deleted: run `claudegpt uninstall --yes`.")
        return 1
    failures = _delete(kept, settings) if kept else []
    for path, problem in failures:
        say(f"{path} could not be deleted: {problem.strerror}.")
    for path in _strangers(settings):
        say(f"{path} is not claudegpt's and stays.")
    say("Your own Claude Code, its settings and conversations, and the Codex CLI's login are as they were.")
    say("To remove the program itself:")
    result(show_command(installation.remove))
    return 1 if failures else 0


def _refuse_while_running(settings: Settings) -> None:
    """A running session holds a lock on its folder (claude/guardian.py)."""
    for folder in (settings.dirs.state / "run").glob("*/"):
        with suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BadSetting("A session of claudegpt is running.", "End it first.") from None
            finally:
                os.close(handle)


def find_kept(settings: Settings) -> list[Kept]:
    """Everything that claudegpt keeps, in the order of KEPT."""
    kinds: dict[str, Kept] = {}
    for path, meaning in _known_paths(settings):
        kind = kinds.setdefault(meaning, Kept(meaning))
        kind.paths.append(path)
        kind.size += _size(path)
    return list(kinds.values())


def _known_paths(settings: Settings) -> Iterator[tuple[Path, str]]:
    folders = _folders(settings)
    for name, known in KEPT.items():
        for pattern, meaning in known:
            for path in sorted(folders[name].glob(pattern)):
                yield path, meaning
    for folder in {folders["state"] / "traces": None, settings.trace_dir: None}:
        with suppress(OSError):
            for trace in find_traces(folder):
                yield trace.path, "traces: your conversations, turn by turn"


def _folders(settings: Settings) -> dict[str, Path]:
    dirs = settings.dirs
    return {"config": dirs.config, "data": dirs.data, "state": dirs.state, "cache": dirs.cache}


def _shown_paths(kept: Kept) -> list[Path]:
    """At most a few: thousands of traces elsewhere are shown by their folder."""
    return kept.paths if len(kept.paths) <= 3 else [kept.paths[0].parent]


def _delete(kept: list[Kept], settings: Settings) -> list[tuple[Path, OSError]]:
    """Delete it all and return what could not be. The ChatGPT login is ended at the server first."""
    if own_file(settings.dirs.data).path.exists():
        from ..accounts.auth.login import logout

        try:
            logout(settings, say)
        except ClaudegptError as problem:
            say(f"The login could not be ended at the server: {problem.message}")
    failures = []
    for path in (path for each in kept for path in each.paths):
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as problem:
            failures.append((path, problem))
    for folder in (settings.dirs.state / "traces", *_folders(settings).values()):
        with suppress(OSError):
            folder.rmdir()  # only if it is empty
    return failures


def _strangers(settings: Settings) -> list[Path]:
    """What else lies in claudegpt's folders."""
    known = {path for path, _ in _known_paths(settings)}
    found: list[Path] = []
    for folder in _folders(settings).values():
        with suppress(OSError):
            found += [path for path in sorted(folder.iterdir()) if path not in known]
    return found


def _size(path: Path) -> int:
    if not path.is_dir() or path.is_symlink():
        with suppress(OSError):
            return path.lstat().st_size
        return 0
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118  thousands of files
    return total


def _show_size(size: int) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size //= 1000
    return f"{size} GB"
