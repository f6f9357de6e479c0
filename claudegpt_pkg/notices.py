"""What the user is told before a session starts, because it is other than with plain Claude Code: a sentence each.

What holds for every session is said once, and remembered in a folder of ours. Claude Code's version is asked for only
where it matters, and remembered too: asking takes up to a tenth of a second.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from . import files
from .claude_args import has
from .install import claude_version
from .providers.base import Provider
from .session import Session, label, read_if_usable

# The last versions whose auto mode is judged by the model without a word from us, and that do not start in it.
NO_SERVER_CHECK = (2, 1, 270)
NO_AUTO_START = (2, 1, 280)


def notices(
    args: Sequence[str], session: Session, provider: Provider, *, program: Path, memory: Path, terminal: bool
) -> Iterator[str]:
    """`memory`: the folder of what was said and seen. `terminal`: whether Claude Code would show its interface."""
    judge = label(provider, provider.tiers.sonnet)
    if session.set_aside:
        yield f"set aside for this session, from your Claude settings: {', '.join(session.set_aside)}"
    if session.mode == "auto" and version(program, memory) > NO_SERVER_CHECK:
        yield (
            f"auto mode: whether an action is safe is judged by {judge} here; the check that Claude Code "
            "has on Anthropic's servers cannot be had."
        )
    if session.mode is None and terminal and not (has("-p", args) or has("--print", args)):
        manual = (
            "sessions ask before they act, where this version of Claude Code would start in auto mode; "
            f"with `--permission-mode auto` {judge} judges what is safe."
        )
        if unsaid("manual mode", memory) and version(program, memory) > NO_AUTO_START:
            yield from once("manual mode", manual, memory)
    if session.narrowed:
        yield from once(session.narrowed, session.narrowed, memory)


def version(program: Path, memory: Path) -> tuple[int, ...]:
    """(2, 1, 330); () for what is no number. Raises ClaudeNotFound if the program does not run."""
    status = program.stat()
    identity = f"{program.resolve()} {status.st_size} {status.st_mtime_ns}"
    file = memory / "claude-version.json"
    seen = read_if_usable(file)
    text = seen.get("version") if seen.get("of") == identity else None
    if not isinstance(text, str):
        text = claude_version(program)
        with suppress(OSError):
            files.write(file, json.dumps({"of": identity, "version": text}))
    numbers = text.split("-")[0].split(".")
    return tuple(map(int, numbers)) if all(number.isdecimal() for number in numbers) else ()


def once(key: str, sentence: str, memory: Path) -> Iterator[str]:
    """The sentence, the first time; a disk that cannot be written costs saying it again."""
    if unsaid(key, memory):
        yield sentence
        with suppress(OSError):
            files.write(marker(key, memory), sentence + "\n")


def unsaid(key: str, memory: Path) -> bool:
    return not marker(key, memory).exists()


def marker(key: str, memory: Path) -> Path:
    return memory / f"said-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
