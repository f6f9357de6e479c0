"""The help page of `claudegpt`: its commands in groups with an example each, then its options.

The page is plain text from the table below, folded to the terminal's width, so that it needs no other module. The help
of one command (`claudegpt setup --help`) comes from app.py.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..claude.arguments import CLAUDE_COMMANDS, OUR_COMMANDS, OUR_OPTIONS, CommandLine
from ..errors import BadSetting
from ..terminal.console import result

ABOUT = "Run Claude Code on GPT: your own `claude`, with another account's models behind it."
REST = (
    "Every other word and option goes to `claude`, in the order you give them. Everything after `--` goes to it too; "
    "its own help is:"
)
REST_EXAMPLE = "claudegpt -- --help"
WIDEST, NARROWEST = 100, 40  # columns


@dataclass(frozen=True)
class Group:
    """Some commands, with what each does, and an example of one."""

    title: str
    commands: Mapping[str, str]
    example: str


GROUPS = (
    Group(
        "Start",
        {
            "setup": "Choose an account and its models, try them, save them.",
            "demo": "Try it offline: a built-in script answers.",
        },
        "claudegpt setup",
    ),
    Group(
        "Accounts",
        {
            "use": "Switch to another account, or list the accounts.",
            "login": "Log in to ChatGPT, for provider chatgpt.",
            "logout": "Log out of ChatGPT, and delete the saved login.",
            "status": "Show the account, its quota and its models.",
            "models": "Show the account's models, and which tier uses which.",
        },
        "claudegpt use chatgpt",
    ),
    Group(
        "See",
        {
            "usage": "Show the tokens used and what they cost, by model and account.",
            "trace": "Show the stored record of each turn.",
            "config": "Show the settings, or change them.",
            "doctor": "Check everything between Claude Code and the model.",
        },
        "claudegpt config set effort high",
    ),
    Group(
        "Run",
        {
            "serve": "Run the proxy alone, for editors and other clients.",
            "env": "Print what a client of `claudegpt serve` needs.",
            "vscode": "Run the panel of VS Code, Cursor or Windsurf through claudegpt.",
        },
        'claudegpt serve --stable, then elsewhere: eval "$(claudegpt env)"',
    ),
    Group(
        "This program",
        {
            "update": "Update claudegpt by the way it was installed.",
            "upgrade": "The same as update.",
            "uninstall": "Show what claudegpt keeps on this machine, and delete it.",
            "completion": "Print a completion script for bash, zsh or fish.",
            "help": "Show this page, or the help of one command.",
            "version": "Show the versions of claudegpt and Claude Code.",
        },
        "claudegpt update",
    ),
)
SUMMARIES: dict[str, str] = {name: text for group in GROUPS for name, text in group.commands.items()}


def _show_help() -> None:
    """Print the page to stdout."""
    width = max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns))
    for line in _page(width):
        result(line)


def show_command_help(words: list[str]) -> int:
    """`claudegpt help [COMMAND]`. Raises BadSetting for a word that is no command."""
    if not words:
        _show_help()
        return 0
    if words[0] in OUR_COMMANDS - {"help", "version"}:
        from .app import run_command

        return run_command(CommandLine(command=words[0], theirs=[*words[1:], "--help"]))
    if words[0] in CLAUDE_COMMANDS:
        from .main import run_claude_code

        return run_claude_code([*words, "--help"], {})
    raise BadSetting(f"There is no command {words[0]}.", "`claudegpt help` lists the commands.")


def _page(width: int) -> Iterator[str]:
    yield "Usage: claudegpt [OPTIONS] [CLAUDE ARGS]..."
    yield "       claudegpt COMMAND ..."
    yield ""
    yield from textwrap.wrap(ABOUT, width)
    column = max(map(len, SUMMARIES)) + 4
    for group in GROUPS:
        yield ""
        yield f"{group.title}:"
        yield from _table(group.commands, column, width)
        yield from textwrap.wrap(f"Example: {group.example}", width, initial_indent="  ", subsequent_indent="    ")
    yield ""
    yield "Options:"
    options = {f"{option.name} {option.metavar}".rstrip(): option.help for option in OUR_OPTIONS.values()}
    options |= {"--version, -v": "the versions of claudegpt and Claude Code", "--help, -h": "this page"}
    yield from _table(options, max(map(len, options)) + 4, width)
    yield ""
    yield from textwrap.wrap(REST, width, break_on_hyphens=False)
    yield f"  {REST_EXAMPLE}"


def _table(rows: Mapping[str, str], column: int, width: int) -> Iterator[str]:
    """Two columns. The second begins at `column` and is folded."""
    for name, text in rows.items():
        first, *rest = textwrap.wrap(text, width - column, break_on_hyphens=False)
        yield f"  {name:{column - 2}}{first}"
        yield from (" " * column + line for line in rest)
