"""The settings about effort → an EffortPolicy."""

from __future__ import annotations

from ..effort import EffortPolicy
from .options import EFFORT, REASONING_HAIKU, REASONING_OPUS, REASONING_SONNET, TOOLS_REASONING
from .settings import Settings


def effort_policy(settings: Settings) -> EffortPolicy:
    """Raises BadSetting for a level that does not exist."""
    general = settings[EFFORT]
    return EffortPolicy(
        general=general,
        by_tier={"opus": settings[REASONING_OPUS], "sonnet": settings[REASONING_SONNET]},
        caps={"haiku": settings[REASONING_HAIKU]},
        cap_with_tools=settings[TOOLS_REASONING],
        command_line=general if settings.source(EFFORT) == "flag" else None,
    )
