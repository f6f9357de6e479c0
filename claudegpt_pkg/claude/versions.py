"""What versions of Claude Code do that others do not: each habit, and the versions that were seen to have it. Pure.

(2, 1, 197) in OLDER_INTERFACE      # True
() in OLDER_INTERFACE               # False: an unknown version has no habit
knows_effort((2, 1, 100), "xhigh")  # False
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Version = tuple[int, ...]  # (2, 1, 330); () where it is not known
NUMBERS = re.compile(r"(\d+)\.(\d+)\.(\d+)")
USER_AGENT = re.compile(rf"claude-cli/({NUMBERS.pattern})\b")


@dataclass(frozen=True)
class Versions:
    """From `first` to `last`, both included; None: from the beginning, to this day."""

    first: Version | None = None
    last: Version | None = None

    def __contains__(self, version: Version) -> bool:
        return bool(version) and (self.first or version) <= version <= (self.last or version)


# After a whole block an error counts for nothing, and the part is the answer.
TAKES_PART_FOR_WHOLE = Versions(last=(2, 1, 9))
# The interface shows the opus tier's model with a window of 1M as "Default", and lists other models only where it asks
# our list for them. It is told so in its environment, up to where that ceased to be harmless: 2.1.268 would take every
# window for 200,000.
OLDER_INTERFACE = Versions(last=(2, 1, 245))
# They warn of a model they do not know, with `-p` on stderr (`[claude-code:unrecognized_model]`, seen in 2.1.238 to
# 252), and one that they know has a window of 200,000 (259 to 275), unless its name ends in the mark of a large one.
EITHER_UNKNOWN_OR_SMALL = Versions((2, 1, 233), (2, 1, 286))
# What auto mode may do is judged at Anthropic, unless they are told otherwise; before, by the model without a word.
AUTO_MODE_BY_SERVER = Versions(first=(2, 1, 271))
STARTS_IN_AUTO_MODE = Versions(first=(2, 1, 281))

KNOWS_EFFORT = Versions(first=(2, 1, 40))  # perhaps some before it
KNOWS_LEVEL = {"xhigh": Versions(first=(2, 1, 111))}


def knows_effort(version: Version, level: str) -> bool:
    """Whether `--effort LEVEL` may be said to it."""
    return not version or version in KNOWS_LEVEL.get(level, KNOWS_EFFORT)


def numbers(text: str) -> Version:
    """Those of "2.1.330"; () for anything else."""
    match = NUMBERS.fullmatch(text)
    return tuple(map(int, match.groups())) if match else ()


def of_user_agent(text: str) -> Version:
    """claude-cli/2.1.330 (external, cli) → (2, 1, 330); () for another program."""
    match = USER_AGENT.match(text)
    return numbers(match[1]) if match else ()
