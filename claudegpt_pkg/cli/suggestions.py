"""A mistyped command: find the command that the user means, before Claude Code takes the word as a prompt.

    find_command("statsu")         # "status"
    find_command("explain")        # None: it goes to Claude Code

`claudegpt statsu` would cost a whole turn. On a terminal the user is asked what is meant; without one the command line
is refused. `claudegpt -- statsu` always sends the word to Claude Code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ..claude.arguments import CLAUDE_COMMANDS, OUR_COMMANDS, CommandLine
from ..errors import BadSetting

BARE_WORD = re.compile(r"[A-Za-z][A-Za-z-]*")
LONG_WORD = 6  # letters from which two mistakes are allowed instead of one
# What people type who remember another program's word for the same thing.
SYNONYMS = {
    "accounts": "use",
    "configure": "config",
    "preferences": "config",
    "proxy": "serve",
    "quota": "status",
    "settings": "config",
    "stats": "usage",
    "switch": "use",
    "whoami": "status",
}
PROMPT = ""


def resolve_command(line: CommandLine, words: Sequence[str]) -> CommandLine:
    """The command line with the command that the user means by its first word; `line` itself if the word is a prompt.

    `words` is the whole command line. Raises BadSetting if nobody can be asked, KeyboardInterrupt if the user quits.
    """
    word = line.theirs[0] if line.theirs else ""
    typed = words[: words.index("--")] if "--" in words else words
    if line.command or line.question or word not in typed or word in CLAUDE_COMMANDS:
        return line
    command = find_command(word) or (SYNONYMS.get(word.lower()) if len(line.theirs) == 1 else None)
    if command is None or _ask_meaning(word, command) == PROMPT:
        return line
    return replace(line, command=command, theirs=line.theirs[1:])


def find_command(word: str) -> str | None:
    """The command that a word is a misspelling of: one mistake in a short word, two in a long one."""
    if not BARE_WORD.fullmatch(word):
        return None
    distances = {name: _edit_distance(word.lower(), name) for name in sorted(OUR_COMMANDS)}
    name = min(distances, key=lambda each: distances[each])
    mistakes = 2 if min(len(word), len(name)) >= LONG_WORD else 1
    return name if distances[name] <= mistakes else None


def _ask_meaning(word: str, command: str) -> str:
    from ..claude.install import on_terminal

    if not on_terminal():
        raise BadSetting(
            f"There is no command `{word}`. Did you mean `claudegpt {command}`?",
            f"To send the word to Claude Code as a prompt, run `claudegpt -- {word}`.",
        )
    from ..terminal.questions import Choice, Terminal

    choices = [
        Choice(command, f"Run `claudegpt {command}`"),
        Choice(PROMPT, f'Send "{word}" to Claude Code as a prompt'),
        Choice("quit", "Quit"),
    ]
    chosen = Terminal().choose(f"There is no command `{word}`. What do you want?", choices, default=command, flag="")
    if chosen == "quit":
        raise KeyboardInterrupt
    return chosen


def _edit_distance(first: str, second: str) -> int:
    """How many letters are missing, added, wrong or swapped with their neighbour."""
    before: list[int] = []
    above = list(range(len(second) + 1))
    for row, letter in enumerate(first, 1):
        current = [row]
        for column, other in enumerate(second, 1):
            cost = min(above[column] + 1, current[-1] + 1, above[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == second[column - 2] and first[row - 2] == other:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        before, above = above, current
    return above[-1]
