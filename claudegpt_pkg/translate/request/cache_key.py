"""The prompt cache key of a conversation, from the request that belongs to it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from .content import blocks_of
from .system_prompt import instructions

_SESSION_LENGTH = 47  # with a dash and a digest 64 characters, which is the most that a key may have
_DIGEST_LENGTH = 16


def conversation_key(request: Mapping[str, Any], *, session_id: str | None, agent_id: str | None) -> str:
    """One key for each conversation and agent, at most 64 characters.

    Subagents share their session's id; if the client does not name the agent (2.1.197), its system prompt tells it
    apart. A client that names no session is known by its user id, its prompt and the first thing that it said.
    """
    prompt = instructions(request.get("system"), None)
    if session_id:
        return f"{session_id[:_SESSION_LENGTH]}-{_digest(agent_id or prompt)}"
    user = (request.get("metadata") or {}).get("user_id") or ""
    first = request["messages"][0].get("content") if request["messages"] else None
    texts = [block.get("text") for block in blocks_of(first)]
    return f"claudegpt-{_digest(user, prompt, *(text if isinstance(text, str) else '' for text in texts))}"


def _digest(*texts: str) -> str:
    whole = "\x00".join(texts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(whole).hexdigest()[:_DIGEST_LENGTH]
