"""`claudegpt --version`: the version of claudegpt, then Claude Code's."""

from __future__ import annotations

from collections.abc import Mapping

from .. import __version__
from ..claude import install
from ..errors import ClaudeNotFound
from ..settings.settings import load
from ..terminal.console import result, say


def show_version(flags: Mapping[str, str]) -> int:
    """Print both versions. Claude Code is run only if its version is not to be read from where it is installed."""
    result(f"claudegpt {__version__}")
    try:
        program = install.find_claude(load(flags))
    except ClaudeNotFound as problem:
        say(str(problem))
        return 0
    if numbers := install.version_on_disk(program):
        result(f"{'.'.join(map(str, numbers))} (Claude Code)")
        return 0
    try:
        result(f"{install.claude_version(program)} (Claude Code)")
    except ClaudeNotFound as problem:
        say(str(problem))
        return 1
    return 0
