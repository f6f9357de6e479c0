"""Which versions of Claude Code behave in which way, and what a session changes because of it. Pure.

    (2, 1, 197) in OLDER_INTERFACE      # True
    () in OLDER_INTERFACE               # False: an unknown version has no special behaviour
    knows_effort((2, 1, 100), "xhigh")  # False
    fold_habits(version, situation)     # the variables and settings that a session needs

HABITS is the one list of Claude Code's behaviours that a session changes with a variable or a setting. To add one, add
a row: the versions, the condition, what to set, who may overrule it, and the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Version = tuple[int, ...]  # (2, 1, 332); () if it is not known
_NUMBERS = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_USER_AGENT = re.compile(rf"claude-cli/({_NUMBERS.pattern})\b")


@dataclass(frozen=True)
class Versions:
    """The versions from `first` to `last`, both included. None means no limit on that side."""

    first: Version | None = None
    last: Version | None = None

    def __contains__(self, version: Version) -> bool:
        return bool(version) and (self.first or version) <= version <= (self.last or version)


# These versions ignore an error after a whole block and take the part for the answer.
TAKES_PART_FOR_WHOLE = Versions(last=(2, 1, 9))
# The interface shows the opus tier's model with a window of 1M as "Default", and lists other models only if it may ask
# the proxy for its list. Two variables change that. 2.1.268 and later would take every window for 200,000 then.
OLDER_INTERFACE = Versions(last=(2, 1, 245))
# With `-p` they print a warning about an unknown model on stderr (`[claude-code:unrecognized_model]`, seen in 2.1.238
# to 252). They give a model that stands for a known one a window of 200,000 (259 to 275), unless its name ends in the
# mark of a large window.
EITHER_UNKNOWN_OR_SMALL = Versions((2, 1, 233), (2, 1, 286))
# In auto mode a server of Anthropic's judges the actions unless AUTO_MODE_SERVER is 0. Older versions ask the model.
AUTO_MODE_BY_SERVER = Versions(first=(2, 1, 271))
STARTS_IN_AUTO_MODE = Versions(first=(2, 1, 281))

KNOWS_EFFORT = Versions(first=(2, 1, 40))  # perhaps some before it
KNOWS_LEVEL = {"xhigh": Versions(first=(2, 1, 111))}

# A row of `modelPicker` (2.1.287 and later) may name a model that Claude Code knows. Claude Code then handles the row's
# model as that one. It should be a new one: old ones lose features on fixed dates (Opus 4.8 on 2026-11-30). Opus 5.5 is
# newer still, but its rows are compacted long before the window is full (seen with 2.1.332: at 361k of 872k), and their
# default effort is medium.
NEWEST_KNOWN_MODEL = (
    (Versions(last=(2, 1, 286)), "claude-opus-4-8"),
    (Versions(first=(2, 1, 287)), "claude-opus-5"),  # seen in 2.1.300, 310, 330 and 332
)
NEWEST_MODEL = NEWEST_KNOWN_MODEL[-1][1]


@dataclass(frozen=True)
class Situation:
    """What the condition of a habit may depend on."""

    prints: bool = False  # `-p`: Claude Code answers without its interface
    is_bare: bool = False  # `--bare`: Claude Code reads nothing of the user's configuration
    mode: str | None = None  # the permission mode that the user chose
    names_effort: bool = False  # `--effort` is on the command line
    waits_for_servers: bool = False  # the first request must have the tools of the user's MCP servers


def _always(situation: Situation) -> bool:
    return True


@dataclass(frozen=True)
class Habit:
    """One behaviour of Claude Code, and the variables and settings that change it.

    `user_may_overrule`: a variable or setting of the same name wins if the user has it, in the environment, in their
    own settings file or in `--settings`. `project_may_overrule`: also if the settings files of the folder have it.
    """

    reason: str
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Versions | None = None  # None: every version, an unknown one too
    applies: Callable[[Situation], bool] = _always
    user_may_overrule: bool = False
    project_may_overrule: bool = False

    def is_in(self, version: Version, situation: Situation) -> bool:
        return (self.versions is None or version in self.versions) and self.applies(situation)


# The order matters: a later row replaces what an earlier one sets.
HABITS = (
    Habit(
        "In auto mode newer versions ask a server of Anthropic's whether an action is safe. 0 makes them ask a model.",
        environment={"CLAUDE_CODE_AUTO_MODE_SERVER": "0"},
    ),
    Habit(
        "The first line of the system prompt changes from request to request, which ruins the prompt cache.",
        environment={"CLAUDE_CODE_ATTRIBUTION_HEADER": "0"},
    ),
    Habit(
        "The agent view hands sessions to a daemon that outlives the proxy, with its address and token. A plain "
        "`claude` would then use them.",
        environment={"CLAUDE_CODE_DISABLE_AGENT_VIEW": "1"},
    ),
    Habit(
        "After a partial stream Claude Code asks again without streaming, and tools may run twice.",
        environment={"CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1"},
    ),
    Habit(
        "Newer versions tell the model after each tool result how many of 15,000,000 tokens are left. No account has "
        "that limit.",
        environment={"CLAUDE_CODE_TOTAL_TOKENS_REMINDER": "off"},
    ),
    Habit(
        "At the end of a session newer versions print a command that resumes it; without this they name a settings "
        "file that no longer exists.",
        environment={"CLAUDE_CODE_RESUME_HINT_COMMAND": "claudegpt"},
    ),
    Habit(
        "Claude Code reports usage and errors to Anthropic.",
        environment={"DISABLE_TELEMETRY": "1", "DISABLE_ERROR_REPORTING": "1"},
    ),
    Habit(
        "See OLDER_INTERFACE.",
        environment={"CLAUDE_CODE_DISABLE_1M_CONTEXT": "1", "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1"},
        versions=OLDER_INTERFACE,
        applies=lambda situation: not situation.prints,
    ),
    Habit(
        "Claude Code gives up a request after ten minutes. The proxy's own limits on silence end a request that hangs "
        "long before one hour.",
        environment={"API_TIMEOUT_MS": "3600000"},
        user_may_overrule=True,
    ),
    Habit(
        "`-p` sends its first request before its MCP servers are connected. 0 makes it wait for them, five seconds at "
        "most.",
        environment={"MCP_CONNECTION_NONBLOCKING": "0"},
        applies=lambda situation: situation.waits_for_servers,
        user_may_overrule=True,
    ),
    Habit(
        "The variable beats `--effort`.",
        environment={"CLAUDE_CODE_EFFORT_LEVEL": ""},
        applies=lambda situation: situation.names_effort,
    ),
    Habit(
        "The user's `apiKeyHelper` would present another credential. An empty value undoes it.",
        settings={"apiKeyHelper": ""},
    ),
    Habit(
        "With `--bare` Claude Code takes an API key only. A key in the environment makes it ask whether to use it.",
        settings={"apiKeyHelper": "printenv ANTHROPIC_AUTH_TOKEN"},
        applies=lambda situation: situation.is_bare,
    ),
    Habit(
        "Without a mode, newer versions start in auto mode, which does not ask before it acts.",
        settings={"permissions": {"defaultMode": "default"}},
        applies=lambda situation: not situation.mode,
    ),
    Habit(
        "In plan mode newer versions have actions judged as in auto mode instead of asking about them.",
        settings={"useAutoModeDuringPlan": False},
        applies=lambda situation: situation.mode != "auto",
        user_may_overrule=True,
    ),
    Habit(
        "WebFetch asks claude.ai about each domain first, and fails if claude.ai cannot be reached.",
        settings={"skipWebFetchPreflight": True},
        user_may_overrule=True,
        project_may_overrule=True,
    ),
    Habit(
        "The bundled skill claude-api (2.1.169 and later) is 136k to 400k tokens long, and the model loads it when a "
        "conversation mentions Claude. The user can still call it by name.",
        settings={"skillOverrides": {"claude-api": "user-invocable-only"}},
        user_may_overrule=True,
        project_may_overrule=True,
    ),
)


@dataclass(frozen=True)
class Folded:
    """What the habits of a session add up to."""

    environment: Mapping[str, str]  # must hold: beats the user's variables
    defaults: Mapping[str, str]  # variables that the user may replace
    settings: Mapping[str, Any]  # for our settings file


def fold_habits(
    version: Version,
    situation: Situation,
    *,
    own: Mapping[str, Any] | None = None,
    merged: Mapping[str, Any] | None = None,
) -> Folded:
    """Add up the habits of this version, in order.

    `own` holds the settings of the user's own files, `merged` these and the project's.
    """
    environment: dict[str, str] = {}
    defaults: dict[str, str] = {}
    settings: dict[str, Any] = {}
    for habit in HABITS:
        if habit.is_in(version, situation):
            (defaults if habit.user_may_overrule else environment).update(habit.environment)
            overruling = ((merged if habit.project_may_overrule else own) or {}) if habit.user_may_overrule else {}
            settings |= _without(habit.settings, overruling)
    return Folded(environment, defaults, settings)


def _without(settings: Mapping[str, Any], overruling: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that `overruling` does not have; within an object, its fields are looked at one by one."""
    kept = {}
    for name, value in settings.items():
        other = overruling.get(name)
        if name not in overruling:
            kept[name] = value
        elif isinstance(value, dict) and isinstance(other, dict) and (rest := _without(value, other)):
            kept[name] = rest
    return kept


def newest_known_model(version: Version) -> str:
    """The newest Claude model that this version knows."""
    return next((model for versions, model in NEWEST_KNOWN_MODEL if version in versions), NEWEST_MODEL)


def knows_effort(version: Version, level: str) -> bool:
    """Whether this version takes `--effort LEVEL`."""
    return not version or version in KNOWS_LEVEL.get(level, KNOWS_EFFORT)


def parse_version(text: str) -> Version:
    """The numbers of "2.1.332"; () for anything else."""
    match = _NUMBERS.fullmatch(text)
    return tuple(map(int, match.groups())) if match else ()


def parse_user_agent(text: str) -> Version:
    """claude-cli/2.1.332 (external, cli) → (2, 1, 332); () for another program."""
    match = _USER_AGENT.match(text)
    return parse_version(match[1]) if match else ()
