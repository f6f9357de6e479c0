"""Takes the command line apart: which words are claudegpt's, and what the rest tells Claude Code. Pure.

    separate(["-p", "hi", "--provider", "demo"])  → ours {"CLAUDEGPT_PROVIDER": "demo"}, theirs ["-p", "hi"]
    separate(["--trace", "serve", "--port", "9"]) → ours {"CLAUDEGPT_TRACE": "1"}, command serve, theirs ["--port", "9"]
    separate(["--", "--effort", "low"])           → theirs ["--effort", "low"]

An option of ours is recognised anywhere before `--`, with two exceptions: it is the value of an option of Claude Code's
(`--append-system-prompt "--trace"`), or it comes after a command (`mcp add … --port 80`), to which all further words
belong. A `--` before Claude Code's first word is ours and is removed; a later one is Claude Code's and stays. Claude
Code's words keep their order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ..errors import BadSetting
from ..settings.options import EFFORT, ISOLATE, OPTIONS, PORT, PROVIDER, TRACE

_OURS = (
    "setup demo use login logout status models usage trace config doctor serve env vscode "
    "update upgrade uninstall completion help version"
)
OUR_COMMANDS = frozenset(_OURS.split())

# Claude Code's commands (2.1.197 and 2.1.330) that start no conversation, or start it in another process.
_COMMANDS = (
    "agents attach auth auto-mode doctor gateway import install logs mcp plugin plugins project purge respawn rm "
    "setup-token stop kill ultrareview update upgrade"
)
CLAUDE_COMMANDS = frozenset(_COMMANDS.split())
COMMANDS = OUR_COMMANDS | CLAUDE_COMMANDS
# Claude Code answers these about itself; they need no model either.
CLAUDE_QUESTIONS = frozenset({"-h", "--help", "-v", "--version"})

# Claude Code's options that take the next word, whatever it looks like. They are from the help and the strings of both
# versions.
_TAKE_A_VALUE = (
    "--add-dir --advisor --agent --agents --allowedTools --allowed-tools --append-subagent-system-prompt "
    "--append-subagent-system-prompt-file --append-system-prompt --append-system-prompt-file --autocompact --betas "
    "--channels --debug-file --disallowedTools --disallowed-tools --environment --fallback-model --fast-mode --file "
    "--input-format --json-schema --managed-settings --max-budget-usd --max-thinking-tokens --max-turns --mcp-config "
    "--model --name -n --output-format --permission-mode --permission-prompt-tool --permission-prompts "
    "--plan-mode-instructions --plugin-dir --plugin-dir-no-mcp --plugin-url --prefill "
    "--remote-control-session-name-prefix --resume-session-at --rewind-files --session-id --setting-sources --settings "
    "--system-prompt --system-prompt-file --system-prompt-snapshot --task-budget --teammate-mode --thinking "
    "--thinking-display --tools"
)
CONVERSATION = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
TAKE_A_VALUE = frozenset(_TAKE_A_VALUE.split())


@dataclass(frozen=True)
class OurOption:
    """One of our options: the setting that it sets, and the value if it is a plain flag."""

    name: str
    setting: str
    help: str
    value: str | None = None  # None: the next word, or what follows `=`
    metavar: str = ""


OUR_OPTIONS = {
    option.name: option
    for option in (
        OurOption("--provider", PROVIDER.name, "whose model runs, for this run", metavar="NAME"),
        OurOption("--effort", EFFORT.name, "how hard the model thinks, none to max", metavar="LEVEL"),
        OurOption("--isolate", ISOLATE.name, "a private Claude configuration that keeps your CLAUDE.md", "1"),
        OurOption("--no-isolate", ISOLATE.name, "your own Claude configuration", "0"),
        OurOption("--port", PORT.name, "the port the proxy listens on", metavar="N"),
        OurOption("--trace", TRACE.name, "keep what was asked, sent and answered", "1"),
        OurOption("--no-trace", TRACE.name, "keep no traces", "0"),
    )
}
OUR_QUESTIONS = CLAUDE_QUESTIONS  # asked of us, they are answered by us


@dataclass(frozen=True)
class CommandLine:
    """A command line taken apart. `ours` maps settings to values; `theirs` is for our `command`, or else for Claude."""

    ours: dict[str, str] = field(default_factory=dict)
    command: str = ""
    question: str = ""  # the first of OUR_QUESTIONS
    theirs: list[str] = field(default_factory=list)


def separate(words: Sequence[str]) -> CommandLine:
    """Split `words` into ours and Claude Code's. Raises BadSetting if an option of ours has no or a wrong value."""
    ours: dict[str, str] = {}
    theirs: list[str] = []
    command = question = ""
    for group in group_words(words):
        word = group[0]
        option = OUR_OPTIONS.get(word.partition("=")[0])
        if word == "--":
            theirs += group if theirs else group[1:]
        elif word in OUR_COMMANDS and not theirs:
            command, theirs = word, group[1:]
        elif word in OUR_QUESTIONS:
            question = question or word
        elif option:
            ours[option.setting] = _our_value(option, group)
        else:
            theirs += group
    return CommandLine(ours, command, question, theirs)


def group_words(words: Sequence[str]) -> Iterator[list[str]]:
    """Group each option with its value, all words from `--` on, and a command that comes first with all its words."""
    first = True
    left = list(words)
    while left:
        size = _size(left, first)
        first = first and left[0].partition("=")[0] in OUR_OPTIONS
        yield left[:size]
        left = left[size:]


def _size(left: list[str], first: bool) -> int:
    if left[0] == "--" or (first and left[0] in COMMANDS):
        return len(left)
    ours = OUR_OPTIONS.get(left[0])
    return 2 if left[0] in TAKE_A_VALUE or (ours and ours.value is None) else 1


def _our_value(option: OurOption, group: list[str]) -> str:
    if option.value is None:
        if value := _value(option.name, group):
            return check_option_value(option.name, value)
        raise BadSetting(f"{option.name} needs a value:", f"{option.name} {option.metavar}")
    if group[0] != option.name:
        raise BadSetting(f"{option.name} takes no value.")
    return option.value


def check_option_value(name: str, value: str) -> str:
    """Return the value of our option `name`. Raises BadSetting if the option cannot have this value."""
    try:
        OPTIONS[OUR_OPTIONS[name].setting].parse(value)
    except ValueError as problem:
        raise BadSetting(f"{name} {problem}, not {value!r}.") from None
    return value


def _value(name: str, group: list[str]) -> str | None:
    if group[0].startswith(f"{name}="):
        return group[0].removeprefix(f"{name}=")
    return group[1] if group[0] == name and len(group) == 2 else None


# What Claude Code's own words say.


def value_of(name: str, words: Sequence[str]) -> str | None:
    """The value of an option. If it is given several times, the last counts, as in Claude Code."""
    values = [value for group in group_words(words) if (value := _value(name, group)) is not None]
    return values[-1] if values else None


def values_of(name: str, words: Sequence[str]) -> list[str]:
    """The values of an option that takes several: each time it is given, and the words up to the next option."""
    values: list[str] = []
    inside = False
    for group in group_words(words):
        value = _value(name, group)
        if value is not None:
            values.append(value)
        elif inside and not group[0].startswith("-"):
            values.append(group[0])
        inside = value is not None or (inside and not group[0].startswith("-"))
    return values


def find_resumed_conversation(words: Sequence[str]) -> str | None:
    """The id of the conversation that `--resume` names; None if there is none. The option may stand without a value."""
    line = [word for group in group_words(words) for word in (group if len(group) == 1 else [group[0], ""])]
    named = [value for word, value in pairwise([*line, ""]) if word in ("--resume", "-r")]
    named += [word.removeprefix("--resume=") for word in line if word.startswith("--resume=")]
    return next((value for value in named if CONVERSATION.fullmatch(value)), None)


def remove_option(name: str, words: Sequence[str]) -> list[str]:
    """The words without this option and its values."""
    return [word for group in group_words(words) if _value(name, group) is None for word in group]


def replace_option(name: str, value: str, words: Sequence[str]) -> list[str]:
    """The words, with this value in place of each value of the option."""
    groups = (group if _value(name, group) is None else [name, value] for group in group_words(words))
    return [word for group in groups for word in group]


def has_flag(name: str, words: Sequence[str]) -> bool:
    """Whether this flag of Claude Code's is given."""
    return any(group[0] == name for group in group_words(words))
