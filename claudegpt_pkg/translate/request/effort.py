"""What a Messages request says about effort."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...effort import RequestedEffort
from ...models import EFFORTS
from .conversation_facts import ConversationFacts


def read_requested_effort(
    request: Mapping[str, Any], facts: ConversationFacts, *, session_id: str | None = None, by_agent: bool = False
) -> RequestedEffort:
    """`facts` of the request's messages; `session_id` and `by_agent` come from its headers."""
    thinking = request.get("thinking") or {}
    budget = thinking.get("budget_tokens")
    return RequestedEffort(
        level=named_level(request, facts),
        budget=budget if isinstance(budget, int) else None,
        disabled=thinking.get("type") == "disabled",
        has_tools=bool(request.get("tools")),
        is_compaction=facts.is_compaction,
        session_id=session_id,
        by_agent=by_agent,
    )


def named_level(request: Mapping[str, Any], facts: ConversationFacts) -> str | None:
    """The level that a request names: in its newest system message that has one (2.1.330), else in output_config.

    None for a level that is not known here.
    """
    level = facts.effort or (request.get("output_config") or {}).get("effort")
    return level if level in EFFORTS else None
