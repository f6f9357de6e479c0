"""Which effort level Claude Code is started with, and which level a request is sent with.

    policy.for_claude_code("opus", user_chose=False)                    → "high", or None to leave Claude Code's own
    policy.for_request(wish, tier="opus", levels=("low", "medium"))     → one of `levels`
    session_efforts.note(session_id, level)                             what `/effort` set in a session

The order in which a request's level is chosen: the suffix of the model's name, the level that the request names, its
thinking budget, the tier's setting, the general setting, medium. A request that disables thinking gets the model's
lowest level. Then the caps apply, and then the model's own list of levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .models import Tier, lower_effort, nearest_effort

DEFAULT_EFFORT = "medium"
COMPACTION_CAP = "low"  # thinking adds nothing to a summary of the conversation
# Levels that Claude Code does not know, and the nearest one that it knows.
CLAUDE_CODE_NAMES = {"none": "low", "minimal": "low"}
# The level that Claude Code 2.1.330 names for an agent on another model than the session's.
AGENT_DEFAULT = "high"
# Upper ends of the bands that a thinking budget (in tokens) falls in; above the last: xhigh.
BUDGET_BANDS = ((2_048, "low"), (10_000, "medium"), (32_000, "high"))


@dataclass(frozen=True)
class RequestedEffort:
    """What one Messages request says about effort."""

    level: str | None = None  # the level that it names, one of EFFORTS
    budget: int | None = None  # tokens that it may think
    disabled: bool = False  # `thinking` is disabled
    has_tools: bool = False
    is_compaction: bool = False  # the client asks for a summary of the conversation
    session_id: str | None = None
    by_agent: bool = False  # a subagent sends it


@dataclass(frozen=True)
class EffortPolicy:
    """The settings about effort; None means that a setting is not set."""

    general: str | None = None  # for requests that name no level
    by_tier: Mapping[Tier, str | None] = field(default_factory=dict)  # the same for one tier
    caps: Mapping[Tier, str | None] = field(default_factory=dict)  # the most that a tier's requests may use
    cap_with_tools: str | None = None  # the most that a request with tools may use
    command_line: str | None = None  # `--effort`: beats every setting of this run

    def for_claude_code(self, tier: Tier | None, *, user_chose: bool) -> str | None:
        """The level to start Claude Code with, in its own words; None to add nothing to the user's choice.

        Without a level of ours, Claude Code names its own default in each request, as if the user had chosen it.
        """
        if self.command_line:
            return _claude_code_name(self.command_line)
        level = self._default(tier)
        return None if user_chose or not level else _claude_code_name(level)

    def for_request(
        self,
        wish: RequestedEffort,
        *,
        tier: Tier | None,
        levels: tuple[str, ...],
        suffix: str | None = None,
        sessions: SessionEfforts | None = None,
    ) -> str:
        """The level to send, one of `levels` (what the model takes, from least to most).

        `suffix` is the level at the end of the model's name. `sessions` knows what `/effort` set.
        """
        if wish.disabled and not suffix:
            return levels[0]
        named = self._meant_level(wish, sessions)
        level = suffix or named or _budget_level(wish.budget) or self._default(tier) or DEFAULT_EFFORT
        for cap in self._caps(wish, tier, named):
            level = lower_effort(level, cap)
        return nearest_effort(level, levels)

    def _default(self, tier: Tier | None) -> str | None:
        own = self.by_tier.get(tier) if tier else None
        return self.command_line or own or self.general

    def _meant_level(self, wish: RequestedEffort, sessions: SessionEfforts | None) -> str | None:
        """The level that the user means by the level in the request.

        With `--effort none`, Claude Code says "low" until the user types `/effort`; an agent says its own default.
        """
        if not self.command_line or not wish.level:
            return wish.level
        if wish.by_agent:
            followed = sessions.level(wish.session_id) if sessions else None
            if wish.level in (AGENT_DEFAULT, _claude_code_name(self.command_line)):
                return followed or self.command_line
            return wish.level
        return self.command_line if self._is_starting_level(wish.level) else wish.level

    def _is_starting_level(self, level: str) -> bool:
        return self.command_line is not None and level == _claude_code_name(self.command_line)

    def _caps(self, wish: RequestedEffort, tier: Tier | None, named: str | None) -> list[str]:
        """`--effort` beats the tier's cap, except for requests that name no level (they are not the user's)."""
        chosen_by_user = self.command_line and named
        caps = [
            None if chosen_by_user or not tier else self.caps.get(tier),
            self.cap_with_tools if wish.has_tools else None,
            COMPACTION_CAP if wish.is_compaction else None,
        ]
        return [cap for cap in caps if cap]


class SessionEfforts:
    """The level that `/effort` set in each session that was started with `--effort`; its agents follow it."""

    def __init__(self, policy: EffortPolicy) -> None:
        self._policy = policy
        self._levels: dict[str | None, str] = {}

    def note(self, session_id: str | None, level: str | None) -> None:
        """Read the level of a main loop's request. Without `--effort`, nothing is kept."""
        if level is None or self._policy.command_line is None:
            return
        if self._policy._is_starting_level(level):
            self._levels.pop(session_id, None)
        else:
            self._levels[session_id] = level

    def level(self, session_id: str | None) -> str | None:
        return self._levels.get(session_id)


def _claude_code_name(level: str) -> str:
    return CLAUDE_CODE_NAMES.get(level, level)


def _budget_level(budget: int | None) -> str | None:
    if budget is None:
        return None
    return next((level for top, level in BUDGET_BANDS if budget <= top), "xhigh")
