"""What a Messages request says about effort."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...effort import RequestedEffort
from ...models import EFFORTS

# How Claude Code's request to summarise the conversation begins (docs/wires/claude-code.md).
COMPACTION = "CRITICAL: Respond with TEXT ONLY"


def read_requested_effort(
    request: Mapping[str, Any], *, session_id: str | None = None, by_agent: bool = False
) -> RequestedEffort:
    """`session_id` and `by_agent` come from the request's headers."""
    thinking = request.get("thinking") or {}
    budget = thinking.get("budget_tokens")
    return RequestedEffort(
        level=named_level(request),
        budget=budget if isinstance(budget, int) else None,
        disabled=thinking.get("type") == "disabled",
        has_tools=bool(request.get("tools")),
        is_compaction=is_compaction(request),
        session_id=session_id,
        by_agent=by_agent,
    )


def named_level(request: Mapping[str, Any]) -> str | None:
    """The level that a request names: in its newest system message that has one (2.1.330), else in output_config.

    None for a level that is not known here.
    """
    level = (request.get("output_config") or {}).get("effort")
    for message in reversed(request.get("messages") or ()):
        if message.get("role") == "system" and (newer := (message.get("output_config") or {}).get("effort")):
            level = newer
            break
    return level if level in EFFORTS else None


def is_compaction(request: Mapping[str, Any]) -> bool:
    """Whether the last user text is the client's request to summarise the conversation."""
    for message in reversed(request.get("messages") or ()):
        if message.get("role") == "user":
            content = message.get("content")
            texts = [content] if isinstance(content, str) else [block.get("text") for block in content or ()]
            return any(isinstance(text, str) and text.startswith(COMPACTION) for text in texts[-1:])
    return False
